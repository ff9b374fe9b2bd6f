"""The outer surface of a person's hair from one photo's silhouette: a smooth height field over the chart.

First the most likely hair among all that the generator knows (maximum a posteriori, of a Gaussian), then a
smooth rest that it does not know.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mien.inversion.density import LEVELS, sum_levels
from mien.inversion.evidence import PhotoEvidence, near_person
from mien.inversion.hairprior import HairPrior, HairShape
from mien.morphable import chart
from mien.morphable.carry import Carrier

GRAZING = 0.010  # EG3D units


@dataclass(frozen=True)
class HairConfig:
    """Weights of the height field."""

    reach: float = 0.15
    """Width of the rim around the person that is looked at, of the region's larger side."""
    rays: int = 9000
    samples: int = 32
    steps: int = 200
    batch: int = 4500
    lr: float = 0.006
    margin: float = 0.008
    """Softness of the silhouette, EG3D units."""
    bending: float = 40.0
    """Weight of squared second differences, per squared EG3D unit."""
    prior: float = 3.0
    """Weight of squared distance to the prior's height."""
    code_steps: int = 120
    code_lr: float = 0.08
    code_ridge: float = 0.0012
    """Weight of a squared number of the code: one over twice as many rays as count as independent."""
    beyond: float = 100.0
    """`prior`, where the prior knows how hair varies."""


@dataclass(frozen=True, eq=False)
class Silhouette:
    """Fixed samples along R rays of S samples, in front of the body."""

    uv: Float[Tensor, "ray sample 2"]
    height: Float[Tensor, "ray sample"]
    valid: Tensor  # bool [ray, sample]
    target: Float[Tensor, " ray"]
    """Share of hair."""
    weight: Float[Tensor, " ray"]
    of_head: Float[Tensor, " ray"]
    """Weight of the ray for hair that grows on the head: 0 where it shows what is worn below."""


def sample_silhouette(
    evidence: PhotoEvidence, carrier: Carrier, config: HairConfig, random: torch.Generator
) -> Silhouette:
    """Rays of the person and of the background near it."""
    pool = torch.nonzero(near_person(evidence, config.reach, least_alpha=0.3))[:, 0]
    index = pool[torch.randperm(len(pool), generator=random)[: config.rays]]
    planes, reaches = planes_along(evidence, index, carrier, config.samples)
    valid = (planes[..., 2].abs() < 1) & (planes[..., 1] > chart.V_BODY[0]) & reaches[:, None]
    # On the mesh but outside the person the fit is off: little is learnt about hair there.
    off = evidence.body_hit[index] & (evidence.alpha[index] < 0.3)
    target, weight = evidence.hair[index], torch.where(off, 0.3, 1.0)
    of_head = weight * (1 - evidence.worn[index])
    return Silhouette(planes[..., :2], chart.height_of(planes[..., 2]), valid, target, weight, of_head)


def planes_along(
    evidence: PhotoEvidence, index: Tensor, carrier: Carrier, samples: int
) -> tuple[Float[Tensor, "ray sample 3"], Bool[Tensor, " ray"]]:
    """Plane coordinates of samples along some pixels' rays, near the head and before its body, and which rays
    come near it at all."""
    origins, directions = evidence.origins[index], evidence.directions[index]
    near_t, far_t = sphere_interval(origins, directions)
    far_t = torch.minimum(far_t, evidence.body_depth[index])
    steps = (torch.arange(samples) + 0.5) / samples
    t = near_t[:, None] + (far_t - near_t).clamp(min=0)[:, None] * steps
    return carrier.to_planes(origins[:, None] + directions[:, None] * t[..., None]), far_t > near_t


def sphere_interval(
    origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], radius: float = 0.56
) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
    """Entry and exit distance of rays through a sphere around the head; equal where they miss."""
    local = origins - torch.tensor([0.0, -0.05, -0.05])
    b = (local * directions).sum(-1)
    root = (b.square() - local.square().sum(-1) + radius**2).clamp(min=0).sqrt()
    return (-b - root).clamp(min=0), (-b + root).clamp(min=0)


def fit_shape(
    prior: HairPrior, silhouette: Silhouette, config: HairConfig, random: torch.Generator
) -> HairShape:
    """Hair whose silhouette is the photo's; the density is as likely as the height makes it."""
    if not prior.learned:
        drawn = smooth_height(prior.mean.height)
        return HairShape(fit_height(drawn, silhouette, config, random), prior.mean.density)
    known = prior.shape(fit_code(prior, silhouette, config, random))
    beyond = replace(config, prior=config.beyond)
    return HairShape(fit_height(known.height, silhouette, beyond, random), known.density)


def fit_code(
    prior: HairPrior, silhouette: Silhouette, config: HairConfig, random: torch.Generator
) -> Float[Tensor, " component"]:
    """The most likely code of hair that grows on the head, given the silhouette."""
    z = torch.zeros(len(prior.height_basis), requires_grad=True)
    optimiser = torch.optim.Adam([z], lr=config.code_lr)
    seen = replace(silhouette, weight=silhouette.of_head)
    for step in range(config.code_steps):
        optimiser.param_groups[0]["lr"] = config.code_lr * (1 - 0.9 * step / config.code_steps)
        pick = torch.randint(0, len(seen.target), (config.batch,), generator=random)
        cost = silhouette_cost(prior.heights(z)[None, None], seen, pick, config.margin)
        cost = cost + config.code_ridge * z.square().sum()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return z.detach()


def fit_height(
    prior: Float[Tensor, "128 128"], silhouette: Silhouette, config: HairConfig, random: torch.Generator
) -> Float[Tensor, "128 128"]:
    """Height field near the prior, smooth, whose silhouette is the photo's.

    A ray shows hair if (outer - height) is positive anywhere along it: the cost is the cross entropy of the
    largest margin, so rays that miss the hair pull the nearest hair towards them.
    """
    levels = [torch.zeros(1, 1, n, n, requires_grad=True) for n in LEVELS]
    optimiser = torch.optim.Adam(levels, lr=config.lr)
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.lr * (1 - 0.95 * step / config.steps)
        residual = sum_levels(levels)
        pick = torch.randint(0, len(silhouette.target), (config.batch,), generator=random)
        cost = silhouette_cost(prior[None, None] + residual, silhouette, pick, config.margin)
        cost = cost + config.bending * _bending(residual) + config.prior * residual.square().mean()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return level_crown((prior + sum_levels(levels)[0, 0]).detach())


def row_places(rows: int) -> tuple[Float[Tensor, " v"], Float[Tensor, " v"]]:
    """v and arc length of the rows of a chart image."""
    v = (torch.arange(rows) + 0.5) / rows * 2 - 1
    return v, chart.unchart_uv(torch.stack([torch.zeros_like(v), v], 1))[:, 1]


def level_crown(height: Float[Tensor, "v u"]) -> Float[Tensor, "v u"]:
    """All azimuths meet at the crown: towards it, rows take the row mean, and the topmost rows one value."""
    elevation = row_places(height.shape[0])[1] / chart.ARC_RADIUS
    share = ((elevation - 0.75) / 0.6).clamp(0, 1)[:, None]
    share = share * share * (3 - 2 * share)
    mean = height.mean(1, keepdim=True)
    top = elevation > 1.2
    mean[top] = mean[~top][-1]
    return height * (1 - share) + mean * share


def silhouette_cost(height: Float[Tensor, "1 1 v u"], s: Silhouette, pick: Tensor, margin: float) -> Tensor:
    """Cross entropy of hair against the largest margin along each picked ray."""
    uv = s.uv[pick]
    u = torch.remainder(uv[..., 0] + 1, 2) - 1
    padded = torch.cat([height[..., -1:], height, height[..., :1]], -1)
    grid = torch.stack([u * height.shape[-1] / (height.shape[-1] + 2), uv[..., 1]], -1)[None]
    outer = F.grid_sample(padded, grid, padding_mode="border", align_corners=False)[0, 0]
    inside = torch.where(s.valid[pick], outer - s.height[pick], torch.full_like(outer, -0.3))
    # A grazing ray runs along the soft surface for long, so it turns opaque a little outside of it.
    logit = (torch.logsumexp((inside + GRAZING) / margin, 1) - 1.0).clamp(-25, 25)
    cost = F.binary_cross_entropy_with_logits(logit, s.target[pick], reduction="none")
    return (cost.clamp(max=6.0) * s.weight[pick]).mean()


def smooth_height(height: Float[Tensor, "128 128"], sigma: float = 2.5) -> Float[Tensor, "128 128"]:
    """Gaussian blur over the chart, in texels; u wraps."""
    reach = int(3 * sigma)
    k = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    k = k / k.sum()
    image = F.pad(height[None, None], (reach, reach, 0, 0), mode="circular")
    image = F.conv2d(image, k.view(1, 1, 1, -1))
    image = F.pad(image, (0, 0, reach, reach), mode="replicate")
    return F.conv2d(image, k.view(1, 1, -1, 1))[0, 0]


def _bending(image: Tensor) -> Tensor:
    u = torch.cat([image[..., -1:], image, image[..., :1]], -1)
    across = (u[..., 2:] - 2 * u[..., 1:-1] + u[..., :-2]).square().mean()
    down = (image[..., 2:, :] - 2 * image[..., 1:-1, :] + image[..., :-2, :]).square().mean()
    return (across + down) * image.shape[-1] ** 2 / 16
