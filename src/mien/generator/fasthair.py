"""The march through the hair's shell in compiled loops, for heads with tables; plainly: `shellmarch`."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.generator.haircolours import DEPTHS
from mien.generator.hairtables import CELL, HairTables
from mien.generator.posed import NECK_STEPS, PosedHead
from mien.generator.shellmarch import FAR, FAST_ROUNDS, FAST_SAMPLES, INTERVAL, OPAQUE, UNSEEN
from mien.generator.volume import SIGMA, SOFTNESS
from mien.morphable.carry import FIXED_POINT_STEPS, HeadMotion
from mien.morphable.pixels import CompiledPixelScene

STILL: Final = np.array([0.0] * 10 + [-1e9] + [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0])
"""A motion, as the kernels take it, that moves nothing."""


def march_hair(
    tables: HairTables, scene: CompiledPixelScene, head: PosedHead, pixels: Int[Tensor, " ray"],
    origin: Float[Tensor, "3"], directions: Float[Tensor, "ray 3"], depth: Float[Tensor, " ray"],
) -> Float[Tensor, "ray 5"]:  # fmt: skip
    """`march_shell` for the rays through pixels of a scene of the shell; all start at one place."""
    from mien.generator.kernels.hair import march

    out = np.empty((len(depth), 5), np.float32)
    march(
        pixels.numpy(), origin.double().numpy(), directions.contiguous().numpy(), depth.contiguous().numpy(),
        scene.newest, scene.before, scene.face, scene.distance, scene.away,
        STILL if head.motion is None else motion_numbers(head.motion), NECK_STEPS,
        tables.grid.nodes, tables.grid.is_exact, tables.grid.low, CELL,
        FIXED_POINT_STEPS, *tables.images, DEPTHS[0],
        FAST_SAMPLES, FAST_ROUNDS, INTERVAL, FAR, OPAQUE, UNSEEN, SIGMA, SOFTNESS, out,
    )  # fmt: skip
    return torch.from_numpy(out)


def motion_numbers(motion: HeadMotion) -> Float[np.ndarray, "20"]:
    """Joint, translation, axis, angle, the chin's height and the rotation row by row."""
    axis, angle = motion.turn
    parts = [motion.joint, motion.translation, axis, angle[None], torch.tensor([motion.chin_y])]
    return np.asarray(torch.cat([*parts, motion.R_chest_head.flatten()]).double().numpy())
