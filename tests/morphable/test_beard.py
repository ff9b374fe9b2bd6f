import numpy as np
import pytest
import torch
from torch import Tensor

from mien.morphable.beard import LAYERS, LONGEST_LOOSE, loose_part, make_beard, pose_beard, solid_part
from mien.morphable.model import CHIN_LANDMARK, MorphableModel, load_head_model


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_head_model()


def near_chin(model: MorphableModel, length: float) -> Tensor:
    chin = model.landmarks(model.mean)[CHIN_LANDMARK]
    share = torch.exp(-((model.mean - chin).norm(dim=1) / 0.03).square())
    return length * (share * (share > 0.05))[:, None] * torch.tensor([0.0, -0.6, 0.8])


@pytest.mark.parametrize("length", [0.004, 0.1])
def test_a_beard_is_solid_first_and_loose_at_its_end(model: MorphableModel, length: float) -> None:
    tips = near_chin(model, length)
    solid, loose = solid_part(tips), loose_part(tips)
    torch.testing.assert_close(solid + loose, tips)
    assert loose.norm(dim=1).max() <= LONGEST_LOOSE + 1e-6
    assert (solid * loose).sum(1).min() >= 0
    assert solid.norm(dim=1).max() > 0.3 * tips.norm(dim=1).max()


def test_where_there_are_no_hairs_there_is_no_beard(model: MorphableModel) -> None:
    assert make_beard(model, torch.zeros_like(model.mean)) is None
    beard = make_beard(model, near_chin(model, 0.02))
    assert beard is not None
    assert 0 < len(beard.faces) < 0.2 * len(model.faces)
    assert beard.corners.shape == (len(beard.faces), 3, 3)


def test_layers_share_out_the_loose_part_and_turn_with_the_head(model: MorphableModel) -> None:
    beard = make_beard(model, near_chin(model, 0.02))
    assert beard is not None
    skin, turn = model.mean + beard.solid, torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    posed, turned = pose_beard(beard, skin, torch.eye(3)), pose_beard(beard, skin @ turn.T, turn)
    assert len(posed.layers) == LAYERS
    np.testing.assert_allclose(posed.layers[-1], (skin[beard.index] + beard.loose).numpy(), atol=1e-6)
    steps = [layer - skin[beard.index].numpy() for layer in posed.layers]
    np.testing.assert_allclose(steps[0] * LAYERS, steps[-1], atol=1e-5)
    for one, other in zip(posed.layers, turned.layers, strict=True):
        np.testing.assert_allclose(one @ turn.numpy().T, other, atol=1e-6)
