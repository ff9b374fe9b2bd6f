"""Basis planes in blocks from many heads' maps: light by least squares, the rest by principal components.

The decoder's first channels are linear, so the best basis of a given size for the maps themselves is found in
closed form: what light does to a head is projected onto harmonics and taken away; of what is left,
appearance, hair and clothes get the principal components of their own channels and parts of the chart.
"""

from dataclasses import dataclass, fields
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.backbones.blocks import (
    APPEARANCE_CHANNELS,
    CLOTHES_CHANNELS,
    HAIR_CHANNELS,
    HARMONICS,
    Block,
    BlocksBackbone,
    clothes_rows,
)
from mien.generator.decoder import HAIR_SHARE, HEIGHT_SCALE
from mien.generator.texels import fill
from mien.generator.volume import SIGMA
from mien.morphable import chart

ISLAND_WEIGHT: Final = 0.7
HEIGHT_WEIGHT: Final = 3.0
SHARE_WEIGHT: Final = 0.15
"""Weight of the hair's density (a logit) beside its colours."""
LIGHT_RIDGE: Final = 20.0
"""Texels' worth of pull towards no light on each harmonic."""
SKIN_RIDGE: Final = 3.0
"""Heads' worth of pull towards the mean where clothes hide the skin of most."""
LEAST_THICKNESS: Final = 0.006


@dataclass(frozen=True, eq=False)
class HeadMaps:
    """Maps of H heads over the chart; colours are sRGB in [0, 1]."""

    body: Float[Tensor, "head 3 size size"]
    body_albedo: Float[Tensor, "head 3 size size"]
    """Under white light from everywhere."""
    hair: Float[Tensor, "head 3 size size"]
    hair_albedo: Float[Tensor, "head 3 size size"]
    height: Float[Tensor, "head 1 size size"]
    """Outer surface of the hair above the smooth body, EG3D units."""
    opacity: Float[Tensor, "head 1 size size"]
    """Share of light that the hair keeps from the body."""
    clothed: Float[Tensor, "head 1 size size"]
    """Share of cloth on the body's texel."""

    def to(self, device: torch.device) -> "HeadMaps":
        """The same on another device."""
        return HeadMaps(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True, eq=False)
class BlockStart:
    """What was found."""

    codes: Float[Tensor, "head w"]
    explained: dict[str, float]
    """Share of the variance that each block's components hold."""


def block_start(backbone: BlocksBackbone, maps: HeadMaps, harmonics: Tensor) -> BlockStart:
    """Set means and bases of `backbone`. `harmonics` [2, 9, S, S] are of body and hair, at the basis' size.

    With fewer heads than components the rest of a basis is zero.
    """
    c, islands = backbone.config, round((1 + chart.V_BODY[0]) / 2 * backbone.config.basis_size)
    zone = slice(islands, clothes_rows(c.basis_size))
    light, body, hair = _without_light(maps, harmonics)
    mix, light_codes = _mixed(light)
    share = torch.logit(density_share(maps.opacity, maps.height), 0.02)
    hair = torch.cat([hair, maps.height / HEIGHT_SCALE, share], 1)
    body_mean, hair_mean = body.mean(0), hair.mean(0)
    body, hair = body - body_mean, hair - hair_mean
    skin = components(body, _rows(c.basis_size, islands, ISLAND_WEIGHT, zone, 0.0), c.appearance)
    basis = skin.basis.clone()
    basis[:, :, zone] = regress(skin.codes, body[:, :, zone], 1 - maps.clothed[:, :, zone])
    rest = (body - torch.tensordot(skin.codes, basis, 1))[:, :, : zone.stop]
    clothes = components(rest, _rows(c.basis_size, islands, 0.0, zone, 1.0)[: zone.stop], c.clothes)
    metric = torch.tensor([1.0, 1, 1, HEIGHT_WEIGHT, SHARE_WEIGHT]).view(-1, 1, 1)
    strands = components(hair, metric.expand(-1, *hair.shape[2:]), c.hair)
    with torch.no_grad():
        mean = torch.zeros_like(backbone.mean_uv)
        mean[: HAIR_SHARE + 1] = _resized(torch.cat([body_mean, hair_mean]), mean.shape[-1])
        backbone.mean_uv.copy_(mean)
        backbone.light_harmonics.copy_(harmonics)
        backbone.light_mix.zero_()
        backbone.light_mix[: len(mix)] = mix
        _put(backbone.appearance_uv, basis, APPEARANCE_CHANNELS, (0, 1, 2))
        _put(backbone.clothes_uv, clothes.basis, CLOTHES_CHANNELS, (0, 1, 2))
        _put(backbone.hair_uv, strands.basis, HAIR_CHANNELS, (3, 4, 5, 6, 7))
    codes = torch.zeros(len(body), c.latent)
    found: dict[Block, Tensor] = {
        "appearance": skin.codes, "hair": strands.codes, "clothes": clothes.codes, "light": light_codes
    }  # fmt: skip
    for name, values in found.items():
        first = backbone.blocks[name].start
        codes[:, first : first + values.shape[1]] = values
    parts = {"appearance": skin, "hair": strands, "clothes": clothes}
    return BlockStart(codes, {name: part.explained for name, part in parts.items()})


def _mixed(
    light: Float[Tensor, "head harmonic 3"],
) -> tuple[Float[Tensor, "component harmonic 3"], Float[Tensor, "head component"]]:
    """Principal components of lights about no light, and their codes of unit mean square."""
    u, s, vt = torch.linalg.svd(light.flatten(1), full_matrices=False)
    scale = len(light) ** 0.5
    return (vt * s[:, None] / scale).unflatten(1, light.shape[1:]), u * scale


def plane_targets(maps: HeadMaps) -> tuple[Tensor, Tensor]:
    """What the decoder's linear outputs should be, and the weight of each texel and channel: [H, 8, S, S]."""
    share = torch.logit(density_share(maps.opacity, maps.height), 0.02)
    hair = [_filled(_logit(maps.hair), maps.opacity), maps.height / HEIGHT_SCALE, share]
    target = torch.cat([_logit(maps.body), *hair], 1)
    weight = torch.ones_like(target)
    weight[:, 3:6] = maps.opacity.clamp(min=0.02)
    weight[:, 6], weight[:, 7] = HEIGHT_WEIGHT**2, SHARE_WEIGHT**2
    return target, weight


def _without_light(maps: HeadMaps, harmonics: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Light's coefficients, and the logits of body and hair without what they explain."""
    body, hair = _logit(maps.body), _filled(_logit(maps.hair), maps.opacity)
    white = torch.stack([_logit(maps.body_albedo), _filled(_logit(maps.hair_albedo), maps.opacity)], 1)
    change = torch.stack([body, hair], 1) - white
    seen = torch.stack([torch.ones_like(maps.opacity), maps.opacity], 1)
    light = fit_light(change - change.mean(0), seen, harmonics)
    shading = torch.einsum("hkc,skvu->hscvu", light, harmonics)
    return light, body - shading[:, 0], hair - shading[:, 1]


def _rows(size: int, islands: int, on_islands: float, zone: slice, in_zone: float) -> Tensor:
    """Weights [S, S]: of the islands' rows, of the zone of clothes; above 1, or 0 if the zone counts."""
    weight = torch.full((size, size), 1.0 - in_zone)
    weight[:islands], weight[zone] = on_islands, in_zone
    return weight


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components: basis times codes of unit variance."""

    basis: Tensor
    codes: Float[Tensor, "head component"]
    explained: float


def components(images: Float[Tensor, "head channel v u"], weight: Tensor, count: int) -> Components:
    """Of images about their mean 0, in a metric of weights per texel; the basis is 0 where the weight is."""
    weight = weight.expand(images.shape[1:])
    x = (images * weight).flatten(1)
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    k = min(count, len(images) - 1)
    scale = (len(images) - 1) ** 0.5
    basis = (vt[:k] * s[:k, None] / scale).view(k, *images.shape[1:]) / weight.clamp(min=1e-6) * (weight > 0)
    return Components(basis, u[:, :k] * scale, round(float(s[:k].square().sum() / s.square().sum()), 4))


def regress(
    codes: Float[Tensor, "head component"],
    images: Float[Tensor, "head channel v u"],
    weight: Float[Tensor, "head 1 v u"],
) -> Float[Tensor, "component channel v u"]:
    """Images as far as the codes tell, weighted per head and texel: ridge regression of every texel."""
    w = weight.flatten(2)[:, 0]
    y = images.flatten(2)
    normal = torch.einsum("hk,ht,hl->tkl", codes, w, codes)
    normal = normal + SKIN_RIDGE * torch.eye(codes.shape[1])
    right = torch.einsum("hk,ht,hct->tkc", codes, w, y)
    return torch.linalg.solve(normal, right).permute(1, 2, 0).reshape(-1, *images.shape[1:])


def fit_light(
    change: Float[Tensor, "head 2 3 size size"],
    weight: Float[Tensor, "head 2 1 size size"],
    harmonics: Float[Tensor, "2 harmonic size size"],
) -> Float[Tensor, "head harmonic 3"]:
    """Coefficients of light per head and colour: what light changed in the logits of body and hair."""
    light = torch.zeros(len(change), HARMONICS, 3)
    basis = harmonics.transpose(0, 1).flatten(1)
    for head in range(len(change)):
        w = weight[head].expand(2, 1, *weight.shape[-2:]).flatten()
        normal = (basis * w) @ basis.T + LIGHT_RIDGE * torch.eye(HARMONICS)
        right = (basis * w) @ change[head].transpose(0, 1).flatten(1).T
        light[head] = torch.linalg.solve(normal, right)
    return light


def density_share(
    opacity: Float[Tensor, "*batch"], height: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Share of the greatest density with which hair up to `height` above the body has its opacity."""
    depth = -torch.log1p(-opacity.clamp(max=0.995))
    return (depth / (SIGMA * height.clamp(min=LEAST_THICKNESS))).clamp(0.02, 0.98)


def _logit(rgb: Tensor) -> Tensor:
    return torch.logit(rgb.clamp(0.015, 0.985))


def _filled(images: Tensor, weight: Tensor) -> Tensor:
    """Colours carried on over each head to where it has no hair."""
    return torch.stack([fill(x * w, w[0]) for x, w in zip(images, weight, strict=True)])


def _resized(image: Tensor, size: int) -> Tensor:
    return F.interpolate(image[None], size=(size, size), mode="bilinear")[0]


def _put(parameter: Tensor, basis: Tensor, channels: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    """Basis images of the decoder's outputs into a parameter that has only some channels; the rest is 0."""
    parameter.zero_()
    for k, output in enumerate(outputs):
        parameter[: len(basis), channels.index(output)] = basis[:, k]
