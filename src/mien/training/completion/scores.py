"""How well heads are completed that training never saw."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.generator.completion import Completed
from mien.generator.decoder import BODY_RGB, HAIR_RGB, HEIGHT_SCALE
from mien.generator.planes import resize
from mien.generator.texels import island_rows
from mien.training.completion.examples import Batch

HIDDEN: Final = 0.3
"""A texel seen to this share or less counts as hidden."""
HAIRY: Final = 0.3


@dataclass(frozen=True)
class Scores:
    """Means over heads of absolute errors where the view shows nothing; colours of 255, heights in mm."""

    body: float
    body_filled: float
    """Of the fill alone, which is what the untrained network gives."""
    hair: float
    hair_filled: float
    texture: float
    """Standard deviation of light and dark in hidden hair finer than 8 texels, over the true one."""
    texture_filled: float
    height_mm: float
    """Of the hair's outer surface, where there is hair."""
    psnr_body: float
    psnr_body_filled: float
    psnr_hair: float
    psnr_hair_filled: float
    """Of hidden texels, dB, averaged over heads."""


def score(answers: Iterable[tuple[Batch, Completed]]) -> Scores:
    """Scores of single heads, averaged. Heads without hidden hair count for the body only."""
    rows = [_score_one(batch, out) for batch, out in answers]
    return Scores(*(_mean([row[k] for row in rows]) for k in range(len(rows[0]))))


def _score_one(batch: Batch, out: Completed) -> list[float]:
    size = batch.body.shape[-1]
    filled = resize(batch.given.filled, size)
    seen = F.interpolate(batch.seen, size=(size, size), mode="bilinear")
    opacity = F.interpolate(batch.opacity, size=(size, size), mode="bilinear")
    body = (seen[:, :1] < HIDDEN) & (torch.arange(size, device=seen.device)[:, None] >= island_rows(size))
    hair = (seen[:, 1:] < HIDDEN) & (opacity > HAIRY)
    true_grain = _grain(batch.hair, hair)
    heights = F.avg_pool2d(out.height, 2) - batch.height
    return [
        _error(out.body, batch.body, body), _error(filled[:, BODY_RGB], batch.body, body),
        _error(out.hair, batch.hair, hair), _error(filled[:, HAIR_RGB], batch.hair, hair),
        _grain(torch.sigmoid(out.hair), hair) / max(true_grain, 1e-4),
        _grain(torch.sigmoid(filled[:, HAIR_RGB]), hair) / max(true_grain, 1e-4),
        float(heights.abs()[batch.opacity > HAIRY].mean()) * HEIGHT_SCALE * 1000 / 1.9,
        _psnr(out.body, batch.body, body), _psnr(filled[:, BODY_RGB], batch.body, body),
        _psnr(out.hair, batch.hair, hair), _psnr(filled[:, HAIR_RGB], batch.hair, hair),
    ]  # fmt: skip


def _error(logits: Tensor, true: Tensor, where: Tensor) -> float:
    difference = (torch.sigmoid(logits) - true).abs().mean(1, keepdim=True)
    return float(difference[where].mean()) * 255


def _psnr(logits: Tensor, true: Tensor, where: Tensor) -> float:
    square = (torch.sigmoid(logits) - true).square().mean(1, keepdim=True)[where].mean()
    return float(-10 * torch.log10(square.clamp(min=1e-9)))


def _grain(rgb: Tensor, where: Tensor) -> float:
    light = rgb.mean(1, keepdim=True)
    smooth = F.avg_pool2d(light, 9, 1, 4, count_include_pad=False)
    return float((light - smooth)[where].std())


def _mean(values: list[float]) -> float:
    known = [v for v in values if v == v]
    return round(sum(known) / max(len(known), 1), 3)
