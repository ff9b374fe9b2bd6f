"""What a completed head should be: the true one, in colours, edges and hair height."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.completion import Completed
from mien.generator.texels import island_rows
from mien.training.completion.config import CompletionTraining
from mien.training.completion.examples import Batch

HAIR: Final = 0.5
"""Weight of hair's colours beside the body's: of less area in a picture."""
ISLANDS: Final = 0.5
"""Weight of eyes, teeth and tongue beside skin: their island's texels are many."""


def completion_costs(out: Completed, true: Batch, config: CompletionTraining) -> dict[str, Tensor]:
    """The weighted costs of a batch."""
    body, hair = torch.sigmoid(out.body), torch.sigmoid(out.hair)
    on_body, on_hair = weights(true, config)
    height = F.avg_pool2d(out.height, 2)
    return {
        "body": mean_of((body - true.body).abs(), on_body),
        "hair": HAIR * mean_of((hair - true.hair).abs(), on_hair),
        "body_edges": config.edges * mean_of(edges(body - true.body), on_body),
        "hair_edges": HAIR * config.edges * mean_of(edges(hair - true.hair), on_hair),
        "height": config.height * 0.1 * (height - true.height).abs().mean(),
    }


def weights(true: Batch, config: CompletionTraining) -> tuple[Tensor, Tensor]:
    """Weights of texels [B, 1, N, N] of body and hair: what is hidden counts most, hair only where it is."""
    size = true.body.shape[-1]
    seen = F.interpolate(true.seen, size=(size, size), mode="nearest")
    hidden = 1 - (1 - config.seen_weight) * seen
    rows = torch.ones(size, 1, device=seen.device)
    rows[: island_rows(size)] = ISLANDS
    opacity = F.interpolate(true.opacity, size=(size, size), mode="bilinear")
    return hidden[:, :1] * rows, hidden[:, 1:] * opacity


def edges(image: Float[Tensor, "batch channel v u"]) -> Float[Tensor, "batch channel v u"]:
    """Sum of the absolute differences to the next texel in u (around) and in v."""
    along = image.roll(-1, -1) - image
    up = F.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
    return along.abs() + up.abs()


def mean_of(
    image: Float[Tensor, "batch channel v u"], weight: Float[Tensor, "batch 1 v u"]
) -> Float[Tensor, ""]:
    """Weighted mean over texels and channels."""
    return (image * weight).sum() / (weight.sum() * image.shape[1]).clamp(min=1e-3)
