"""Motions made by hand."""

import numpy as np
import pytest

from mien.animation.rotations import head_angles
from mien.animation.sliders import motion_from_sliders
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError

JAW = ARKIT_INDEX["jawOpen"]


def test_sliders_are_one_frame() -> None:
    motion = motion_from_sliders({"jawOpen": 0.5, "yaw_deg": 20, "pitch_deg": -10, "roll_deg": 5})
    assert len(motion) == 1
    assert motion.coefficients[0, JAW] == np.float32(0.5)
    assert motion.coefficients.sum() == np.float32(0.5)
    np.testing.assert_allclose(np.degrees(head_angles(motion.R_camera_head[0])), [20, -10, 5], atol=1e-4)


def test_keyframes_pass_through_their_values_without_overshoot() -> None:
    motion = motion_from_sliders(
        {
            "fps": 50,
            "keyframes": [
                {"time_s": 0},
                {"time_s": 1, "jawOpen": 0.8},
                {"time_s": 2, "jawOpen": 0.8, "yaw_deg": 30},
            ],
        }
    )
    assert len(motion) == 100
    assert motion.fps == 50
    jaw = motion.coefficients[:, JAW]
    assert jaw[0] == 0
    assert jaw[50] == pytest.approx(0.8)
    assert jaw.max() <= 0.8 + 1e-6
    assert (np.diff(jaw) >= -1e-6).all()
    assert motion.coefficients.sum() == pytest.approx(jaw.sum())
    assert np.degrees(head_angles(motion.R_camera_head)[0, 0]) == pytest.approx(0)


@pytest.mark.parametrize(
    ("sliders", "words"),
    [
        ({"jawopen": 0.5}, "did you mean jawOpen"),
        ({"jawOpen": 1.5}, "from 0 to 1"),
        ({"jawOpen": "a lot"}, "expected a number"),
        ({"jawOpen": True}, "expected a number"),
        ({"jawOpen": float("nan")}, "from 0 to 1"),
        ({"yaw_deg": 200}, "from -90 to 90"),
        ({"keyframes": []}, "another form"),
        ({"keyframes": [{"time_s": 0}], "jawOpen": 1}, "another form"),
        ({"keyframes": [{"time_s": 1}, {"time_s": 1}]}, "rise"),
        ({"keyframes": [{"jawOpen": 1}]}, "time_s None"),
        ({"fps": 0, "keyframes": [{"time_s": 0}]}, "1 to 240"),
        ({"fps": "fast", "keyframes": [{"time_s": 0}]}, "such as 25"),
    ],
)
def test_bad_sliders_are_named(sliders: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        motion_from_sliders(sliders, name="face.json")
