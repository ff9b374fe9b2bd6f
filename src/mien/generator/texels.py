"""Images over the chart: evidence spread onto texels, filled outwards, mirrored.

The residual is added to the decoder's outputs, so tuning it to a photo is a linear problem with known
weights: every pixel's colour error (in logits) is spread onto the texels it was
read from, averaged, and filled outwards over an image pyramid; a few rounds sharpen it (simultaneous
algebraic reconstruction, Andersen and Kak 1984).
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.planes import lookup, resize
from mien.morphable import chart

SIZE: Final = 512
EYES: Final = ((-0.99, -0.81), (-0.79, -0.61))
ISLANDS: Final = (-0.99, -0.81, -0.79, -0.61, -0.59, -0.21, -0.19, 0.19, 0.21, 0.49, 0.51, 0.99)
FULL_WEIGHT: Final = 0.35
"""Weight of evidence at which a texel stops listening to its surroundings."""

UNSEEN_WEIGHT: Final = 0.03
"""Mean weight of the evidence around a texel from which on it takes nothing from the other side."""


def splat(
    points: Float[Tensor, "point 2"],
    values: Float[Tensor, "point channel"],
    weight: Float[Tensor, " point"],
    size: int = SIZE,
) -> tuple[Float[Tensor, "channel size size"], Float[Tensor, "size size"]]:
    """Transpose of the bilinear lookup: weighted sums of values and of weights per texel; u wraps."""
    x = (torch.remainder(points[:, 0] + 1, 2) / 2) * size - 0.5
    y = ((points[:, 1] + 1) / 2 * size - 0.5).clamp(0, size - 1)
    x0, y0 = x.floor(), y.floor()
    total = torch.zeros(size * size, values.shape[1] + 1)
    carried = torch.cat([values, torch.ones(len(values), 1)], 1)
    for dx in (0, 1):
        for dy in (0, 1):
            w = weight * (1 - (x - x0 - dx).abs()) * (1 - (y - y0 - dy).abs())
            column, row = torch.remainder(x0 + dx, size).long(), (y0 + dy).clamp(0, size - 1).long()
            total.index_add_(0, row * size + column, carried * w[:, None])
    image = total.T.reshape(-1, size, size)
    return image[:-1], image[-1]


def fill(
    total: Float[Tensor, "*batch channel v u"], weight: Float[Tensor, "*batch v u"], coarsest: int = 16
) -> Float[Tensor, "*batch channel v u"]:
    """Push-pull: texels without evidence take the average of ever wider surroundings, 0 if there is none."""
    totals, weights = [total.reshape(-1, *total.shape[-3:])], [weight.reshape(-1, 1, *weight.shape[-2:])]
    while totals[-1].shape[-1] > coarsest:
        totals.append(torch.nn.functional.avg_pool2d(totals[-1], 2) * 4)
        weights.append(torch.nn.functional.avg_pool2d(weights[-1], 2) * 4)
    image = totals[-1] / (weights[-1] + 4.0)
    for t, w in zip(totals[-2::-1], weights[-2::-1], strict=True):
        share = (w / FULL_WEIGHT).clamp(max=1)
        image = share * t / w.clamp(min=1e-6) + (1 - share) * resize(image, t.shape[-1])
    return image.view(total.shape)


def mirror(image: Float[Tensor, "*batch v u"]) -> Float[Tensor, "*batch v u"]:
    """The head's mirror image on the chart: u -> -u on the body, left eye <-> right eye on the islands."""
    size = image.shape[-1]
    rows = island_rows(size)
    out = image.flip(-1).clone()
    out[..., :rows, :] = image[..., :rows, :]
    columns = [slice(round((a + 1) / 2 * size), round((b + 1) / 2 * size)) for a, b in EYES]
    width = min(c.stop - c.start for c in columns)
    left, right = (slice(c.start, c.start + width) for c in columns)
    out[..., :rows, left] = image[..., :rows, right].flip(-1)
    out[..., :rows, right] = image[..., :rows, left].flip(-1)
    return out


def island_rows(size: int) -> int:
    """Rows of a chart image that hold the islands (eyes, teeth, tongue, mouth)."""
    return int((1 + chart.V_BODY[0]) / 2 * size)


Splatted = tuple[Float[Tensor, "*batch channel size size"], Float[Tensor, "*batch size size"]]
"""Weighted sums of values and of weights per texel, see `splat`."""


def fill_chart(
    total: Float[Tensor, "channel size size"],
    weight: Float[Tensor, "size size"],
    lent: Splatted | None = None,
) -> Float[Tensor, "channel size size"]:
    """`fill` of the body and of each island apart, with mirrored evidence where a side is hidden.

    What the other side may lend is `lent`, or all evidence.
    """
    body_rows = torch.zeros_like(weight)
    body_rows[island_rows(weight.shape[-1]) :] = 1
    total, weight = borrow_from_mirror(total, weight, lent)
    out = fill(total * body_rows, weight * body_rows) * body_rows
    size = weight.shape[-1]
    for left, right in zip(ISLANDS[::2], ISLANDS[1::2], strict=True):
        mask = torch.zeros_like(weight)
        mask[: island_rows(size), int((left + 1) / 2 * size) - 1 : int((right + 1) / 2 * size) + 1] = 1
        if (weight * mask).sum() > 5:
            out = out + fill(total * mask, weight * mask) * mask
    return out


def fill_charts(
    total: Float[Tensor, "*batch channel size size"], weight: Float[Tensor, "*batch size size"]
) -> Float[Tensor, "*batch channel size size"]:
    """`fill_chart` of many at once: all islands together, and only the rows that they listen to."""
    rows, size = island_rows(weight.shape[-1]), weight.shape[-1]
    total, weight = borrow_from_mirror(total, weight)
    body = torch.zeros(size, 1, device=weight.device)
    body[rows:] = 1
    out = fill(total * body, weight * body) * body
    near = size // 4
    masks = torch.zeros(len(ISLANDS) // 2, near, size, device=weight.device)
    for mask, left, right in zip(masks, ISLANDS[::2], ISLANDS[1::2], strict=True):
        mask[:rows, int((left + 1) / 2 * size) - 1 : int((right + 1) / 2 * size) + 1] = 1
    apart = weight[..., None, :near, :] * masks
    enough = (apart.sum((-2, -1)) > 5)[..., None, None, None]
    filled = fill(total[..., None, :, :near, :] * masks[:, None], apart)
    out[..., :near, :] += (filled * masks[:, None] * enough).sum(-4)
    return out


def borrow_from_mirror(
    total: Float[Tensor, "*batch channel size size"],
    weight: Float[Tensor, "*batch size size"],
    lent: Splatted | None = None,
) -> Splatted:
    """Add the other side's evidence, without its finest grain, where this side has next to none.

    Faces are nearly symmetric, their spots are not; where there is evidence of its own, a mirrored one would
    only blur it.
    """
    need = unseen(weight)
    lent_total, lent_weight = (total, weight) if lent is None else lent
    return (
        total + need[..., None, :, :] * mirror(_softened(lent_total)),
        weight + need * mirror(_softened(lent_weight)),
    )


def unseen_share(
    weight: Float[Tensor, "size size"], points: Float[Tensor, "point 2"]
) -> Float[Tensor, " point"]:
    """1 at chart points around which there is no evidence, 0 where there is a little."""
    return lookup(unseen(weight)[None, None], points[None, :, 0], points[None, :, 1])[0, :, 0]


def unseen(weight: Float[Tensor, "*batch size size"]) -> Float[Tensor, "*batch size size"]:
    """1 at texels around which there is no evidence, 0 where there is a little."""
    size = weight.shape[-1]
    flat = weight.reshape(-1, 1, size, size)
    near = _square_mean(flat, size // 64, count_outside=True).view(weight.shape)
    return (1 - near / UNSEEN_WEIGHT).clamp(min=0)


def _softened(image: Float[Tensor, "*batch size size"]) -> Float[Tensor, "*batch size size"]:
    return blurred(image, image.shape[-1] // 64)


def blurred(image: Float[Tensor, "*batch size size"], width: int) -> Float[Tensor, "*batch size size"]:
    """Mean over a square of about `width` texels."""
    flat = image.reshape(-1, 1, *image.shape[-2:])
    return _square_mean(flat, width // 2, count_outside=False).view(image.shape)


def _square_mean(
    flat: Float[Tensor, "image 1 v u"], half: int, *, count_outside: bool
) -> Float[Tensor, "image 1 v u"]:
    """Mean over squares of a half width, by columns and then by rows; what lies outside counts as 0 or not at
    all."""
    for kernel, pad in (((2 * half + 1, 1), (half, 0)), ((1, 2 * half + 1), (0, half))):
        flat = torch.nn.functional.avg_pool2d(flat, kernel, 1, pad, count_include_pad=count_outside)
    return flat
