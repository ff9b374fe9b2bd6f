"""Beards go on where a photo hides them: a jaw that it sees edge-on is not to end in a patch of skin.

A network that completes hidden skin has seen many more cheeks than beards. So where the jaw's sides show a
beard, what it guesses is replaced by the seen colours, filled outwards, with patches of the photo's beard.
"""

from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.generator.grain import part_of, smoothed
from mien.generator.laid import Swatch, fine_of, laid_grain, matched
from mien.generator.planes import resize
from mien.generator.texels import Splatted, blurred, fill_chart
from mien.morphable.carry import chart_grid
from mien.morphable.regions import azimuth_and_height, on_face

HALF_SEEN: Final = 0.1
"""Weight of evidence from which on a texel's colours are carried on."""
LIGHT: Final = 0.6
"""How much of the lightness is carried on: part of it is the shade of a cheek that turns away."""
LIGHTER: Final = 0.25
"""How much of that is carried on where it is lighter than the guess, which has seen the rim's dark beard."""
SIDE_DEG: Final = 25.0
"""Azimuth to either side from which on what is seen of a face tells the colours of its hidden sides."""
LEVEL_WIDTH: Final = 1 / 32
"""Half width, as a share of the chart's side, of the rows that are as high."""
LEVEL_DOUBT: Final = 0.2
"""Evidence in a row that counts half as much as the whole face."""
CARRIED_HUE: Final = 0.0
"""The same of the hue: light that shines through the edge of a face is red."""
BEARD: Final = (1.35, 1.75)
"""Roughness of the jaw over that of the cheek between which it is taken for bearded. Of 25 faces, 22 of them
procedural, those without a beard on the jaw have 0.6 to 1.4, those with one 1.45 to 7.4."""
FORMED: Final = 0.7
"""Share of a beard's full thickness from which on its colours are carried on."""
JAW_DEG: Final = (22.0, 70.0)
JAW_HEIGHT: Final = (-0.19, -0.07)
CHEEK_DEG: Final = (15.0, 50.0)
CHEEK_HEIGHT: Final = (-0.05, 0.02)
"""Where roughness is measured: azimuth to either side, and height in the template's frame, EG3D units. No
lips, no chin, no lids."""
ROUGH: Final = 0.006
"""Width of what is coarser than roughness, EG3D units (3 mm)."""
PIXEL: Final = 0.00245
"""Side of the smallest pixels that roughness is measured on, EG3D units."""
LEAST_PIXELS: Final = 100
"""Of texel size, on jaw and cheek each; with fewer there is no telling."""


def with_beard(
    guess: Float[Tensor, "3 texel texel"], seen: Splatted, face: Swatch, level: Swatch,
    formed: Float[Tensor, "size size"] | None = None,
) -> Float[Tensor, "3 texel texel"]:  # fmt: skip
    """Guessed colours (logits) of the body, with the beard that a photo shows carried on along the jaw.

    `level` is what patches are cut from, the part of `face` that is not seen edge-on. `formed` is 1 where a
    beard stands off the skin: what is hidden of it looks like what is seen.
    """
    bearded = beard_share(face)
    if bearded <= 0 and formed is None:
        return guess
    size = guess.shape[-1]
    grain = laid_grain(level, torch.zeros(size, size), nearest=True)
    grain = torch.zeros_like(guess) if grain is None else grain
    if bearded > 0:
        share = bearded * resize(_edged_face(len(seen[1]))[None, None], size)[0, 0]
        step = part_of(resize(continued(seen)[None], size)[0] - guess, 1.0, LIGHT)
        light = step.mean(0)
        beard = guess + step - (1 - LIGHTER) * light.clamp(min=0)
        guess = torch.lerp(guess, beard + grain, share)
    if formed is not None:
        inside = formed * (formed > FORMED)
        own = resize(continued((seen[0] * inside, seen[1] * inside))[None], size)[0]
        guess = torch.lerp(guess, own + grain, resize(formed[None, None], size)[0, 0])
    return guess


def beard_share(face: Swatch) -> float:
    """0 to 1: how surely the sides of the jaw are bearded, by how much rougher they are than the cheeks.

    Roughness is the median of the absolute lightness (logits) that is finer than `ROUGH`.
    """
    face = matched(face, PIXEL)
    fine = fine_of(face, max(1, round(ROUGH / face.pixel / 2))).mean(0).abs()
    azimuth, height = azimuth_and_height(face.uv.movedim(0, -1))
    rough = []
    for (near, far), (low, high) in ((JAW_DEG, JAW_HEIGHT), (CHEEK_DEG, CHEEK_HEIGHT)):
        there = (face.shown > 0) & (azimuth > near) & (azimuth < far) & (height > low) & (height < high)
        if there.sum() < LEAST_PIXELS:
            return 0.0
        rough.append(float(fine[there].median()))
    low, high = BEARD
    return min(max((rough[0] / max(rough[1], 1e-4) - low) / (high - low), 0.0), 1.0)


def continued(seen: Splatted) -> Float[Tensor, "3 size size"]:
    """The seen colours of cheeks and jaw, filled outwards to their hidden sides; far from them, the mean of
    what is seen as high on the face's sides."""
    total, weight = seen
    grid = chart_grid(len(weight))
    face = on_face(grid) & (weight > HALF_SEEN)
    if not face.any():
        return torch.zeros_like(total)
    sides = face & (azimuth_and_height(grid)[0] > SIDE_DEG)
    some = sides if sides.any() else face
    mean = (total[:, some].sum(1) / weight[some].sum())[:, None, None]
    mean = _level_mean(total - weight * mean, weight, some) + mean
    filled = fill_chart((total - weight * mean) * face, weight * face)
    return part_of(filled, CARRIED_HUE, 1.0) + mean


def _level_mean(
    total: Float[Tensor, "3 size size"], weight: Float[Tensor, "size size"], where: Bool[Tensor, "size size"]
) -> Float[Tensor, "3 size 1"]:
    """Mean colour of some texels by height, 0 where there are none."""
    rows = torch.cat([total * where, (weight * where)[None]]).sum(2, keepdim=True)
    rows = smoothed(rows.expand(-1, -1, 2), 0, round(LEVEL_WIDTH * len(weight)))[..., :1]
    return rows[:3] / (rows[3:] + LEVEL_DOUBT)


@lru_cache(maxsize=1)
def _edged_face(size: int) -> Float[Tensor, "size size"]:
    return blurred(on_face(chart_grid(size)).float(), size // 32)
