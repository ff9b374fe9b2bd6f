import math

import pytest
import torch
from torch import Tensor

from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.outline import (
    FAINT,
    OUTLINE,
    SLANT,
    STEEPNESS,
    UNEVEN,
    outline_of,
    unevenness,
    with_outline,
)
from mien.generator.posed import PosedHead
from mien.generator.render import RenderOutput, render
from mien.generator.samples import StillHead, still_head
from mien.morphable.carry import HeadMotion
from mien.morphable.model import MorphableModel

SIZE = 96


@pytest.fixture(scope="module")
def head(known, model: MorphableModel) -> StillHead:  # type: ignore[no-untyped-def]
    return still_head(known.generator, model, known.identities[1], known.codes[1])


def draw(head: StillHead, posed: PosedHead, *, outline: bool) -> RenderOutput:
    return render(
        head.generator, head.planes, posed, Camera.orbit(0.5, 0.1), SIZE, SIZE, shell=head.shell,
        antialias=True, outline=float(outline),
    )  # fmt: skip


def partial(out: RenderOutput) -> Tensor:
    return (out.alpha > 0.1) & (out.alpha < 0.9)


def test_hair_ends_in_fewer_half_filled_pixels_and_nothing_else_changes(head: StillHead) -> None:
    plain, crisp = draw(head, head.posed, outline=False), draw(head, head.posed, outline=True)
    is_outline = (plain.alpha - plain.hair_alpha < 0.02) & (plain.hair_alpha > FAINT) & (plain.alpha < 1)
    assert (partial(crisp) & is_outline).sum() < 0.75 * (partial(plain) & is_outline).sum()
    for name in ("rgb", "alpha", "hair_alpha", "depth", "planes"):
        one, other = getattr(plain, name), getattr(crisp, name)
        assert torch.equal(one[~is_outline], other[~is_outline]), name
    assert torch.equal(plain.depth, crisp.depth)
    # Colours stay: only how much of them is seen changes.
    seen = is_outline & (plain.alpha > 0.05) & (crisp.alpha > 0.05)
    colours = [out.rgb[seen] / out.alpha[seen][:, None] for out in (plain, crisp)]
    assert (colours[0] - colours[1]).abs().max() < 1e-3


def test_optical_depth_is_spread_around_that_of_the_outline(head: StillHead) -> None:
    alpha = torch.tensor([0.3, 0.5, 0.7]).repeat_interleave(1000)
    columns = torch.zeros(3000, 9)
    columns[:, 3] = columns[:, 8] = alpha
    columns[:, 4] = 2.7
    found = outline_of(columns, head.posed, Camera.orbit(0.0, 0.6), (3, 1000)).alpha
    away = [(-torch.log1p(-part) / OUTLINE).log() for part in (alpha, found)]
    moved = (away[1] - STEEPNESS * away[0]).view(3, 1000)
    assert moved.std(1).min() > 0.3 * STEEPNESS * UNEVEN
    assert moved.median(1).values.abs().max() < 0.5


def test_the_outline_stays_on_a_head_that_turns() -> None:
    """Seen by a camera that turns along with it, a moved head has the same outline."""
    random = torch.Generator().manual_seed(0)
    points = 0.2 * torch.nn.functional.normalize(torch.randn(50, 3, generator=random), dim=1)
    points[:, 1] = points[:, 1].abs()
    joint = torch.tensor([0.0, -0.25, -0.05])
    R = axis_angle_to_matrix(torch.tensor([0.1, 0.4, 0.0]))
    motion = HeadMotion(R, torch.tensor([0.01, 0.0, 0.0]), joint, -0.3)
    back = motion.invert_rigid_first(motion.apply(points), steps=3)
    none = torch.zeros(50)
    assert (unevenness(points, none) - unevenness(back, none)).abs().max() < 0.02


def test_unevenness_has_unit_variance_and_leaves_the_head_slanted() -> None:
    random = torch.Generator().manual_seed(1)
    points = torch.nn.functional.normalize(torch.randn(20000, 3, generator=random), dim=1)
    none = torch.zeros(len(points))
    noise = unevenness(points, none)
    assert abs(float(noise.std()) - 1) < 0.1
    assert abs(float(noise.mean())) < 0.05
    # The same value is found further down where it is further out: a strand falls as it leaves the head.
    down = torch.linspace(0, 0.02, 200)[:, None] * torch.tensor([0.0, 1.0, 0.0])
    side = torch.tensor([0.2, 0.0, 0.0]) + down
    near, far = (unevenness(side, torch.full((200,), out)) for out in (0.0, 0.004))
    apart = torch.stack([(near[k:] - far[: 200 - k]).square().mean() for k in range(150)])
    assert math.isclose(int(apart.argmin()) * 0.02 / 199, SLANT * 0.004, abs_tol=0.002)


def test_a_head_without_hair_has_no_outline(head: StillHead) -> None:
    columns = torch.zeros(4, 9)
    columns[:, 3] = torch.tensor([0.0, 1.0, 0.5, 1.0])  # the body alone, also on its edge
    before = columns.clone()
    with_outline(columns, head.posed, Camera.orbit(0.0, 0.0), (2, 2))
    assert torch.equal(columns, before)
