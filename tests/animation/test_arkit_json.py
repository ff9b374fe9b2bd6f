"""ARKit coefficients in JSON, in the forms that recorders, web pages and data sets write."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.animation.test_retarget import make_motion

from mien.animation.arkit_poses import head_pose, rotation_of
from mien.animation.coefficient_names import coefficient_index
from mien.animation.drivers import read_driver, write_any_motion
from mien.animation.rotations import head_angles, head_rotation, rotation_angle
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

JAW, BLINK = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["eyeBlinkLeft"]
COUNT, FPS = 6, 30
VALUES = [{"jawOpen": 0.1 * k, "eyeBlinkLeft": 0.5 - 0.1 * k} for k in range(COUNT)]

FORMS: dict[str, Callable[[], Any]] = {
    "frames with times": lambda: {
        "fps": FPS,
        "frames": [{"frame": k, "time_sec": k / FPS, "blendshapes": v} for k, v in enumerate(VALUES)],
    },
    "frame numbers and a rate": lambda: {
        "frameRate": FPS, "frames": [{"frame": 7 + k, "blendShapes": v} for k, v in enumerate(VALUES)]
    },
    "a rate alone": lambda: {"fps": FPS, "frames": [{"blendShapes": v} for v in VALUES]},
    "a web recorder": lambda: [
        {
            "timestamp": 1690536009462 + 1000 * k / FPS,
            "blendshapes": [{"categoryName": n, "score": x} for n, x in ({"_neutral": 0.5} | v).items()],
        }
        for k, v in enumerate(VALUES)
    ],
    "pairs k and v": lambda: [
        {"Timestamp": 1000 * k / FPS, "BlendShapes": [{"k": n, "v": x} for n, x in v.items()]}
        for k, v in enumerate(VALUES)
    ],
    "one entry a coefficient": lambda: [
        {"timestamp": k / FPS, "blendShapeLocation": {"jawOpen": "jawOpen", "eyeBlinkLeft": "eyeBlink_L"}[n],
         "value": x}
        for k, v in enumerate(VALUES)
        for n, x in v.items()
    ],
    "under times": lambda: {str(k / FPS): v for k, v in enumerate(VALUES)},
    "flat": lambda: [{"time": k / FPS, **v} for k, v in enumerate(VALUES)],
    "columns": lambda: {
        "startTime": "1690536009000", "endTime": str(1690536009000 + 1000 * (COUNT - 1) / FPS),
        "blendshapes": {n: [v[n] for v in VALUES] for n in VALUES[0]},
        "rotations": [{"x": 0.0, "y": 0.1 * k, "z": 0.0, "order": "XYZ"} for k in range(COUNT)],
    },
    "Audio2Face": lambda: {
        "exportFps": FPS, "numPoses": 2, "numFrames": COUNT, "facsNames": list(VALUES[0]),
        "weightMat": [list(v.values()) for v in VALUES],
    },
    "BEAT": lambda: {
        "names": list(VALUES[0]),
        "frames": [
            {"weights": list(v.values()), "time": k / FPS, "rotation": []} for k, v in enumerate(VALUES)
        ],
    },
    "timecodes": lambda: [
        {"timecode": f"10:00:00:{10 + 2 * k:02d}.5", "blendShapes": v} for k, v in enumerate(VALUES)
    ] + [{"timecode": "10:00:01:00.5", "blendShapes": VALUES[0]}],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_motion(form: str, tmp_path: Path) -> None:
    (tmp_path / "face.json").write_text(json.dumps(FORMS[form]()))
    motion = read_driver(tmp_path / "face.json")
    assert motion.found.all()
    np.testing.assert_allclose(motion.coefficients[:COUNT, JAW], [v["jawOpen"] for v in VALUES], atol=1e-6)
    np.testing.assert_allclose(
        motion.coefficients[:COUNT, BLINK], [v["eyeBlinkLeft"] for v in VALUES], atol=1e-6
    )
    assert motion.coefficients[:COUNT].sum() == pytest.approx(sum(sum(v.values()) for v in VALUES), rel=1e-5)
    if form != "timecodes":  # of which a second holds 60 or 30 numbers: here too few to tell
        assert motion.fps == FPS
        np.testing.assert_allclose(motion.time_s, np.arange(COUNT) / FPS, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["eyeBlink_L", "EyeBlinkLeft", "eye_blink_left", "EYEBLINKLEFT", "eyeBlink.L"]
)
def test_spellings_of_a_name(name: str) -> None:
    assert coefficient_index(name) == BLINK
    assert coefficient_index("headYaw") is None
    assert all(coefficient_index(one) == k for k, one in enumerate(ARKIT_NAMES))


def test_one_face_without_time_is_one_frame() -> None:
    for data in (
        {"blendShapes": VALUES[2]},
        {"blendShapes": [{"name": n, "value": x} for n, x in VALUES[2].items()]},
    ):
        motion = read_driver(data)
        assert len(motion) == 1
        assert motion.coefficients[0, JAW] == np.float32(0.2)


def test_a_list_of_names_and_values_is_one_face(tmp_path: Path) -> None:
    (tmp_path / "face.json").write_text(
        json.dumps([{"name": "jawOpen", "value": 0.2}, {"name": "mouthSmile_R", "value": 0.5}])
    )
    motion = read_driver(tmp_path / "face.json")
    assert len(motion) == 1
    assert motion.coefficients[0, ARKIT_INDEX["mouthSmileRight"]] == np.float32(0.5)


def test_missing_frame_numbers_leave_their_gap() -> None:
    frames = [{"frame": k, "blendShapes": VALUES[0]} for k in (0, 1, 4, 5)]
    motion = read_driver({"fps": 25, "frames": frames})
    np.testing.assert_allclose(motion.time_s, np.array([0, 1, 4, 5]) / 25)


def test_lost_and_broken_frames_are_interpolated() -> None:
    shapes: list[Any] = [*VALUES]
    shapes[1], shapes[3] = None, {"jawOpen": None, "eyeBlinkLeft": 0.2}
    shapes[4] = {"jawOpen": float("nan"), "eyeBlinkLeft": 0.1}
    motion = read_driver({"fps": FPS, "frames": [{"blendShapes": v} for v in shapes]})
    np.testing.assert_array_equal(motion.found, [True, False, True, False, False, True])
    np.testing.assert_allclose(motion.coefficients[:, JAW], 0.1 * np.arange(COUNT), atol=1e-6)


ANGLES = np.array([0.3, -0.2, 0.1])
R = head_rotation(ANGLES)
PLACE = np.array([0.05, -0.02, -0.4])
M = np.eye(4)
M[:3, :3], M[:3, 3] = R, PLACE


@pytest.mark.parametrize(
    "frame",
    [
        {"transform": M.T.tolist()},
        {"transform": M.T.ravel().tolist()},
        {"matrix": M.tolist()},
        {"headPose": {"yaw_deg": 17.18873, "pitch_deg": -11.45916, "roll_deg": 5.72958}},
        {"headPose": {"yaw": 0.3, "pitch": -0.2, "roll": 0.1}},
        {"headPose": {"yaw": 17.18873, "pitch": -11.45916, "roll": 5.72958}},
    ],
)
def test_poses_in_every_form(frame: dict[str, Any]) -> None:
    pose = head_pose(frame, "frame 0")
    assert pose is not None
    np.testing.assert_allclose(head_angles(pose.R_camera_head), ANGLES, atol=1e-6)
    if "headPose" not in frame:
        assert pose.place is not None
        np.testing.assert_allclose(pose.place, PLACE * 1.9, atol=1e-9)


def test_quaternions_and_their_place() -> None:
    from scipy.spatial.transform import Rotation

    xyzw = Rotation.from_matrix(R).as_quat()
    names = dict(zip(("rx", "ry", "rz", "rw"), xyzw.tolist(), strict=True))
    place = dict(zip(("px", "py", "pz"), PLACE.tolist(), strict=True))
    pose = head_pose({"headPose": names | place}, "x")
    assert pose is not None
    assert pose.place is not None
    assert rotation_angle(pose.R_camera_head.T @ R) < 1e-9
    assert pose.place is not None
    np.testing.assert_allclose(pose.place, PLACE * 1.9)
    assert rotation_angle(rotation_of(xyzw.tolist(), "x").T @ R) < 1e-9


def test_centimetres_are_understood_and_places_behind_the_camera_are_none() -> None:
    far = M.copy()
    far[:3, 3] *= 100  # as MediaPipe's matrices have it
    pose = head_pose({"transform": far.T.tolist()}, "x")
    assert pose is not None
    assert pose.place is not None
    np.testing.assert_allclose(pose.place, PLACE * 1.9)
    far[2, 3] = 1.0
    behind = head_pose({"transform": far.T.tolist()}, "x")
    assert behind is not None
    assert behind.place is None


def test_live_link_names_among_the_coefficients_are_a_pose() -> None:
    motion = read_driver({"blendShapes": {"jawOpen": 0.1, "headYaw": 0.2, "headPitch": 0.1, "headRoll": 0.0}})
    np.testing.assert_allclose(head_angles(motion.R_camera_head[0]), [-0.2, -0.1, 0.0], atol=3e-3)


def test_round_trip_as_arkit_json(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rotations = head_rotation(rng.normal(0, 0.3, (COUNT, 3)))
    motion = make_motion(rng.uniform(0, 1, (COUNT, 52)), rotations, rng.normal([0, 0, -1], 0.02, (COUNT, 3)))
    motion.found[2] = False
    write_any_motion(motion, tmp_path / "face.arkit.json")
    again = read_driver(tmp_path / "face.arkit.json")
    assert (again.fps, len(again)) == (Fraction(25), COUNT)
    np.testing.assert_array_equal(again.found, motion.found)
    known = motion.found
    np.testing.assert_allclose(again.coefficients[known], motion.coefficients[known], atol=1e-6)
    np.testing.assert_allclose(again.R_camera_head[known], motion.R_camera_head[known], atol=1e-5)
    np.testing.assert_allclose(again.translation_head[known], motion.translation_head[known], atol=1e-5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([{"blendShapes": VALUES[0]}, {"blendShapes": VALUES[1]}], "without times and no frame rate"),
        ([{"time": 0, "blendShapes": {"jawOpn": 1}}], "did you mean jawOpen"),
        ([{"time": 0, "blendShapes": {"jawOpen": 0.1, "mouthSmileLeff": 1}}], "did you mean mouthSmileLeft"),
        ([{"time": 0, "blendShapes": {"jawOpen": 60}}], "percentages"),
        ([{"time": 0, "blendShapes": {"jawOpen": "wide"}}], "frame 0 has 'jawOpen' 'wide'"),
        ([{"time": 0, "blendShapes": {"jawOpen": 1, "jaw_open": 1}}], "two columns of jawOpen"),
        ([{"time": 1, **VALUES[0]}, {"time": 1, **VALUES[0]}], "does not rise at frame 1"),
        ([{"time": "soon", **VALUES[0]}, {"time": 1, **VALUES[0]}], "the time 'soon'"),
        ([{"time": 0, "blendShapes": None}], "no frame with numbers"),
        ({"fps": 25, "frames": []}, "no frame of coefficients"),
        ({"fps": 25, "frames": [3]}, "names and numbers"),
        ({"fps": 1000, "frames": [{"blendShapes": VALUES[0]}]}, "1 to 240"),
        ({"fps": 25, "facsNames": ["jawOpen"], "weightMat": [[1, 2]]}, "2 numbers, expected 1"),
        ({"blendShapes": {"jawOpen": [1, 2], "eyeBlinkLeft": [1]}}, "as many for each"),
        ([{"time": 0, "transform": [1.0] * 16, **VALUES[0]}], "not a rotation"),
        ([{"time": 0, "headPose": {"up": 1}, **VALUES[0]}], "head rotation"),
        ([{"time": 0, "rotation": {"x": 40, "y": 0, "z": 0}, **VALUES[0]}], "convert degrees"),
        ([{"time": 0, "rotation": [0, 0, 0, 0], **VALUES[0]}], "length 0"),
        ([{"time": 0, "position": [1], "rotation": [0, 0, 0, 1], **VALUES[0]}], "head position"),
    ],
)  # fmt: skip
def test_bad_files_are_named(data: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "face.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=words) as caught:
        read_driver(tmp_path / "face.json")
    assert "face.json" in str(caught.value)


def test_a_given_rate_counts_frames(tmp_path: Path) -> None:
    from mien.animation.drivers import DriverOptions

    data = [{"blendShapes": v} for v in VALUES]
    (tmp_path / "face.json").write_text(json.dumps(data))
    motion = read_driver(tmp_path / "face.json", options=DriverOptions(fps=Fraction(50)))
    np.testing.assert_allclose(motion.time_s, np.arange(COUNT) / 50)
