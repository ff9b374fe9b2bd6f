"""From the points of a frame's world to those of the photo's, for generators that know the photo only."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mien.morphable.bend import Bend
from mien.morphable.carry import HeadMotion

NECK_STEPS = 3


@dataclass(frozen=True, eq=False)
class HeadWarp:
    """World to head, back along the neck, from the frame's expression to the photo's, and to the world again.

    Called with points it is the reference; renderers may take it apart and do the same faster.
    """

    world_scale: float
    """World units per unit of the head."""
    world_shift: Float[Tensor, "3"]
    """x_world = world_scale x_head + world_shift."""
    motion: HeadMotion | None
    bend: Bend | None

    def to_rest(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """World points in the frame of the head at rest, with the frame's expression. On the processor."""
        head = ((points - self.world_shift.to(points)) / self.world_scale).cpu()
        return head if self.motion is None else self.motion.invert_rigid_first(head, NECK_STEPS)

    def __call__(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """World points in the photo's world."""
        rest = self.to_rest(points)
        bent = rest if self.bend is None else self.bend.apply(rest)
        return (bent * self.world_scale + self.world_shift.to(bent)).to(points.device)

    @property
    def still(self) -> bool:
        """Whether it carries nothing anywhere."""
        return self.motion is None and self.bend is None
