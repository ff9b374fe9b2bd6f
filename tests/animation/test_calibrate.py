"""Closing the loop between the coefficients sent and those a tracker measures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation import calibrate
from mien.animation.calibrate import ACTIONS, measure_response, probe_expressions
from mien.animation.drive import Puppet
from mien.animation.response import ExpressionResponse
from mien.core.arkit import ARKIT_INDEX
from mien.inversion.avatar import load_avatar
from mien.pipeline import RESPONSE_ANCHOR, AnimateOptions, animate


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
    anchor = RESPONSE_ANCHOR  # argmin (s / 2 - 0.4)^2 + anchor (s - 0.4)^2
    wanted = (0.2 + 0.4 * anchor) / (0.25 + anchor)
    assert sent[0, jaw] == pytest.approx(wanted, abs=0.02)
    assert wanted > 0.5
    plain = animate(
        weak, sliders, tmp_path / "b.mp4", AnimateOptions(calibrated=False), show_progress=False
    ).expression
    assert plain[0, jaw] == pytest.approx(0.4, abs=1e-6)
