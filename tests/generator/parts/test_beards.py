"""Beards of random people stand off the skin where their kind does."""

import pytest
import torch

from mien.generator.parts.beards import named_beard
from mien.morphable.model import CHIN_LANDMARK, MorphableModel


@pytest.mark.parametrize("kind", ["none", "stubble", "moustache"])
def test_kinds_that_lie_on_the_skin_have_no_form(model: MorphableModel, kind: str) -> None:
    assert named_beard(model, model.mean, kind) is None


def test_a_long_beard_hangs_lower_than_a_short_one_and_a_goatee_is_narrow(model: MorphableModel) -> None:
    chin = model.landmarks(model.mean)[CHIN_LANDMARK]
    lowest, widest = {}, {}
    for kind in ("goatee", "short_full", "long_full"):
        beard = named_beard(model, model.mean, kind)
        assert beard is not None
        moved = model.mean + beard.solid
        some = beard.solid.norm(dim=1) > 1e-3
        before = some & ((model.mean - chin).norm(dim=1) < 0.03)
        lowest[kind] = float((chin[1] - moved[before, 1]).max())
        widest[kind] = float(model.mean[some, 0].abs().max())
    assert lowest["long_full"] > lowest["short_full"] + 0.05
    assert widest["goatee"] < 0.7 * widest["short_full"]


def test_lips_stay_free(model: MorphableModel) -> None:
    beard = named_beard(model, model.mean, "long_full")
    assert beard is not None
    lips = torch.tensor([0, 13, 14, 17])
    moved = model.landmarks(model.mean + beard.solid)[lips] - model.landmarks(model.mean)[lips]
    assert moved.norm(dim=1).max() < 0.004
