"""Pivotal tuning (Roich et al. 2022): with w fixed, the generator is bent until its picture is the photo.

Two ways:
- `planes` adds a residual to the tri-planes. The backbone is not touched, so a step is rendering only, and
  what is kept is one half-precision array of the planes' size (12.6 MB for published checkpoints). It is
  searched for as a pyramid, a sum of coarse and fine arrays: texel by texel, the steps' equal strides make
  stripes in colour and depth, and get to large changes slowly;
- `weights` is the paper's: all the generator's weights move (about 30 million for published checkpoints, of
  which the differences are kept in half precision, 61 MB). A step takes the backbone both ways.

Steps draw the volume-rendered picture; the last ones the final picture through super-resolution as well.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import Camera
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.cost import CostConfig, Target, image_cost
from mien.inversion.eg3d.descent import DescentConfig, Kept, descend

Way = Literal["planes", "weights", "none"]
RESIDUAL = "planes"
"""Name of the residual among the tuned tensors; all other names are the generator's own."""


@dataclass(frozen=True)
class TuningConfig:
    """Pivotal tuning. At full size a step of `planes` takes 1.9 s of one core, with the final picture 17 s; a
    step of `weights` 5.7 s and 22 s."""

    way: Way = "planes"
    steps: int = 80
    whole: int = 8
    """So many steps at the end compare the final picture too."""
    side_px: int = 64
    """Side of the rendered pictures before those."""
    samples: tuple[int, int] = (24, 24)
    rate: float = 0.02
    """For planes, whose numbers are about 1."""
    levels: int = 5
    """Of the residual's pyramid: its own size, half of it, and so on; 1 is the planes' size alone."""
    weight_rate: float = 1e-3
    """For weights, as in Lin et al. 2022."""
    stay: float = 0.02
    """Weight of the residual's mean square: what the photo does not show stays the generator's."""
    cost: CostConfig = field(default_factory=CostConfig)


Tuning = dict[str, Tensor]
"""What is added, by name: `planes` [1, 3, channel, y, x], or weights by the generator's own names."""
KEPT_PLANES = 16
"""Pivots whose planes are kept during a tuning; of more they are made again when it is their turn."""


@dataclass(frozen=True, eq=False)
class Pivot:
    """A latent that stays, and what its picture shall be."""

    w: Float[Tensor, "1 w"]
    target: Target


def tune(
    generator: Eg3dGenerator,
    w: Float[Tensor, "1 w"],
    target: Target,
    camera: Camera,
    *,
    config: TuningConfig | None = None,
    seed: int = 0,
    kept: Kept | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Tuning:
    """What is to be added to the generator for this person.

    The generator is left as it was.
    """
    return tune_to([Pivot(w, target)], generator, camera, config=config, seed=seed, kept=kept, report=report)


def tune_to(
    pivots: Sequence[Pivot],
    generator: Eg3dGenerator,
    camera: Camera,
    *,
    start: Tuning | None = None,
    config: TuningConfig | None = None,
    seed: int = 0,
    kept: Kept | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Tuning:
    """One tuning for several pivots, which take turns in an order drawn for every round of them.

    A residual `start` of the planes is gone on from, and is part of the result.
    """
    config = config or TuningConfig()
    if config.way == "none":
        return start or {}
    run = _tune_planes if config.way == "planes" else _tune_weights
    return run(pivots, generator, camera, start or {}, config, seed, kept, report)


def turn_of(step: int, count: int, seed: int) -> int:
    """Whose turn a step is."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + step // count)
    return int(torch.randperm(count, generator=random)[step % count])


def tuned_planes(
    generator: Eg3dGenerator, w: Float[Tensor, "1 w"], tuning: Tuning
) -> Float[Tensor, "1 3 channel y x"]:
    """Planes of a tuned person; the generator's weights must have been tuned before (`tuned_generator`)."""
    with torch.no_grad():
        planes = generator.planes(w)
        return planes + tuning[RESIDUAL].to(planes) if RESIDUAL in tuning else planes


def tuned_generator(generator: Eg3dGenerator, tuning: Tuning) -> Eg3dGenerator:
    """The generator itself, or where its weights are tuned a copy with a person's weights."""
    changes = {name: change for name, change in tuning.items() if name != RESIDUAL}
    if not changes:
        return generator
    tuned = deepcopy(generator)
    state = tuned.state_dict()
    with torch.no_grad():
        for name, change in changes.items():
            state[name].add_(change.to(state[name]))
    return tuned


def _tune_planes(
    pivots: Sequence[Pivot], generator: Eg3dGenerator, camera: Camera, start: Tuning, config: TuningConfig,
    seed: int, kept: Kept | None, report: Callable[[float], None],
) -> Tuning:  # fmt: skip
    few: dict[int, Tensor] = {}

    def planes_of(index: int) -> Tensor:
        if index in few:
            return few[index]
        planes = tuned_planes(generator, pivots[index].w, start)
        if len(few) < KEPT_PLANES:
            few[index] = planes
        return planes

    shape = planes_of(0).shape
    pyramid = _pyramid(planes_of(0), config.levels)

    def slope(step: int) -> float:
        index = turn_of(step, len(pivots), seed)
        residual, pivot = _summed(pyramid, shape), pivots[index]
        planes = planes_of(index) + residual
        cost = _cost(generator, planes, pivot.w, pivot.target, camera, config, step, seed)
        cost = cost + config.stay * residual.square().mean()
        cost.backward()
        return float(cost.detach())

    descent = DescentConfig(config.steps, config.rate)
    descend(pyramid, slope, descent, name="planes", kept=kept, report=report)
    found = _summed(pyramid, shape).detach()
    before = start.get(RESIDUAL)
    return start | {RESIDUAL: (found if before is None else found + before.to(found)).half()}


def _pyramid(planes: Tensor, levels: int) -> list[Tensor]:
    """Zeros [1, 3, channel, side, side], each half the size of the one before, down to two texels."""
    sides = [side for k in range(levels) if (side := planes.shape[-1] >> k) > 1]
    return [planes.new_zeros((*planes.shape[:3], side, side)).requires_grad_(True) for side in sides]


def _summed(pyramid: list[Tensor], shape: torch.Size) -> Float[Tensor, "1 3 channel y x"]:
    enlarged = [
        F.interpolate(x.flatten(0, 1), size=shape[-2:], mode="bilinear", align_corners=False) for x in pyramid
    ]
    return torch.stack(enlarged).sum(0).view(shape)


def _tune_weights(
    pivots: Sequence[Pivot], generator: Eg3dGenerator, camera: Camera, start: Tuning, config: TuningConfig,
    seed: int, kept: Kept | None, report: Callable[[float], None],
) -> Tuning:  # fmt: skip
    tuned = deepcopy(generator)
    named = {n: p for n, p in tuned.named_parameters() if not n.startswith("backbone.mapping")}
    for parameter in named.values():
        parameter.requires_grad_(True)

    def slope(step: int) -> float:
        pivot = pivots[turn_of(step, len(pivots), seed)]
        planes = tuned.planes(pivot.w)
        if RESIDUAL in start:
            planes = planes + start[RESIDUAL].to(planes)
        cost = _cost(tuned, planes, pivot.w, pivot.target, camera, config, step, seed)
        cost.backward()
        return float(cost.detach())

    descent = DescentConfig(config.steps, config.weight_rate)
    descend(list(named.values()), slope, descent, name="weights", kept=kept, report=report)
    before = generator.state_dict()
    changes = {name: (p.detach() - before[name]).half() for name, p in named.items()}
    return start | {name: change for name, change in changes.items() if bool(change.any())}


def _cost(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, target: Target, camera: Camera,
    config: TuningConfig, step: int, seed: int,
) -> Float[Tensor, ""]:  # fmt: skip
    """Of the rendered picture, towards the end at its own size and with the final picture."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + step)
    whole = step >= config.steps - config.whole
    side = generator.config.neural_resolution if whole else config.side_px
    raw = generator.render_raw(planes, camera, neural_resolution=side, samples=config.samples, random=random)
    cost = image_cost(raw.image_raw, target.resized(side), config.cost)
    if whole:
        image = generator.enhance(raw.features, w)
        cost = cost + image_cost(image, target.resized(image.shape[-1]), config.cost)
    return cost
