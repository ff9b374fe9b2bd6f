"""Closing the loop between the coefficients sent and those a tracker measures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.animation.test_retarget import make_motion

from mien.animation import calibrate
from mien.animation.calibrate import (
    ACTIONS,
    calibrated_motion,
    measure_response,
    probe_expressions,
)
from mien.animation.drive import Puppet
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import Retargeting
from mien.animation.translate import ANCHOR, WEIGHT, sealed
from mien.core.arkit import ARKIT_INDEX
from mien.inversion.avatar import load_avatar
from mien.pipeline import AnimateOptions, animate


def test_probes_start_neutral_and_try_every_action_alone() -> None:
    probes = probe_expressions(64)
    assert probes.min() >= 0
    assert probes.max() <= 1
    assert not probes[0].any()
    for row, action in zip(probes[1:], ACTIONS, strict=False):
        named = {ARKIT_INDEX[name] for name, _ in action}
        assert set(np.flatnonzero(row)) == named
    assert np.array_equal(probes, probe_expressions(64))


def test_the_mouth_of_an_avatar_answers_to_the_jaw(puppet: Puppet) -> None:
    response = measure_response(puppet, probes=12)
    assert response.gain[ARKIT_INDEX["jawOpen"]] > 0.2


def test_an_avatar_whose_face_is_never_found_is_left_as_it_is(
    puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grey(*_: object) -> np.ndarray:
        return np.full((224, 224, 3), 128, np.uint8)

    monkeypatch.setattr(calibrate, "render_moving", grey)
    response = measure_response(puppet, probes=4)
    assert np.array_equal(response.values, ExpressionResponse.identity().values)


def test_relative_expressions_rest_at_the_source_whatever_is_seen_of_it() -> None:
    values = 0.2 + 0.6 * ExpressionResponse.identity().values
    response = ExpressionResponse(values, np.zeros((52, 52)))
    source = np.linspace(0, 0.6, 52)
    still = make_motion(
        np.full((5, 52), 0.3), np.tile(np.eye(3), (5, 1, 1)), np.tile([0.0, 0.0, -1.0], (5, 1))
    )
    driven = calibrated_motion(
        still,
        response,
        R_camera_head_source=np.eye(3),
        expression_source=source,
        options=Retargeting(expression_mode="relative"),
    )
    np.testing.assert_allclose(driven.expression, np.tile(source, (5, 1)), atol=1e-4)


def test_animate_sends_what_makes_the_wanted_be_seen(avatar_file: Path, tmp_path: Path) -> None:
    avatar = load_avatar(avatar_file)
    jaw = ARKIT_INDEX["jawOpen"]
    values = ExpressionResponse.identity().values.copy()
    values[jaw] *= 0.5  # of this avatar, only half of the jaw's opening is seen
    weak = replace(
        avatar, response_values=torch.from_numpy(values), response_crosstalk=torch.zeros(52, 52).double()
    )
    sliders = tmp_path / "jaw.json"
    sliders.write_text('{"jawOpen": 0.4}')
    sent = animate(weak, sliders, tmp_path / "a.mp4", show_progress=False).expression
    anchor, weight = ANCHOR[jaw], WEIGHT[jaw]  # argmin weight (s / 2 - 0.4)^2 + anchor (s - 0.4)^2
    wanted = (0.2 * weight + 0.4 * anchor) / (0.25 * weight + anchor)
    assert sent[0, jaw] == pytest.approx(wanted, abs=0.02)
    assert wanted > 0.5
    plain = animate(
        weak, sliders, tmp_path / "b.mp4", AnimateOptions(calibrated=False), show_progress=False
    ).expression
    assert plain[0, jaw] == pytest.approx(0.4, abs=1e-6)


def test_closed_lips_stay_closed_over_whatever_jaw_is_sent() -> None:
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    rng = np.random.default_rng(0)
    sent = rng.uniform(0, 1, (20, 52)).astype(np.float32)
    shown = sent.copy()
    shown[:, jaw], shown[:, close] = 0.4, 0.4
    result = sealed(sent, shown)
    assert (result[:, close] >= sent[:, jaw] - 1e-6).all()
    shown[:, close] = 0
    np.testing.assert_array_equal(sealed(sent, shown), sent)
    others = np.arange(52) != close
    np.testing.assert_array_equal(result[:, others], sent[:, others])
