"""From a frame's world to the photo's."""

import pytest
import torch

from mien.core.arkit import ARKIT_INDEX
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.bend import make_bend
from mien.morphable.carry import HeadMotion
from mien.morphable.model import MorphableModel
from mien.morphable.warp import HeadWarp

SHIFT = torch.tensor([0.02, -0.05, 0.1])


def test_nothing_to_carry_is_still() -> None:
    warp = HeadWarp(0.9, SHIFT, None, None)
    points = torch.randn((4, 5, 3), generator=torch.Generator().manual_seed(0))
    assert warp.still
    torch.testing.assert_close(warp(points), points)


@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_world_units_change_nothing_of_the_head(model: MorphableModel, scale: float) -> None:
    """The same head, larger and elsewhere in the world, is carried in its own frame as before."""
    open_ = torch.zeros(52)
    open_[ARKIT_INDEX["jawOpen"]] = 0.6
    before = model.vertices(torch.zeros(model.component_count), open_)
    bend = make_bend(model, before, model.mean)
    R = axis_angle_to_matrix(torch.tensor([0.1, 0.4, 0.0]))
    motion = HeadMotion(R, torch.tensor([0.0, 0.02, 0.0]), model.neck_joint, model.chin_y(model.mean))
    moved = motion.apply(before[::50])
    at_home = HeadWarp(1.0, torch.zeros(3), motion, bend)(moved)
    elsewhere = HeadWarp(scale, SHIFT, motion, bend)(moved * scale + SHIFT)
    torch.testing.assert_close((elsewhere - SHIFT) / scale, at_home, atol=1e-5, rtol=0)
    assert (at_home - moved).norm(dim=1).max() > 0.1
