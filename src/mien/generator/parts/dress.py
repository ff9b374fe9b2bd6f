"""A random person's colours and hair over the chart, put together from parts of drawn heads.

W has 128 texels around the head, so skin, brows, lashes, eyes, hair and clothes come from drawn heads; the
chart is canonical, so they lie where the person's own would. What W says of a person as a whole stays: the
skin's tone and the light. Nothing here depends on the expression: detail moves with the face.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.backbones.blocks import BlocksBackbone
from mien.generator.completion import bases_of
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, OUTPUTS
from mien.generator.grain import smoothed
from mien.generator.model import Generator
from mien.generator.names.model import names_of
from mien.generator.names.spec import Value
from mien.generator.parts.choice import Chosen, Kind, choose
from mien.generator.parts.hair import closed, dyed, in_strands, shaded_scalp
from mien.generator.parts.store import LOGIT_CLAMP, Part, Parts
from mien.generator.planes import Planes
from mien.generator.texels import EYES, SIZE, fill, island_rows, mirror
from mien.morphable.carry import chart_grid

FACE_U: Final = 0.5
FACE_V: Final = (-0.2, 0.65)
"""The face on the chart: it tells the skin's tone and how bright the light is."""
DIM: Final = 0.5
"""Share that is kept of how much darker or brighter than the drawn heads' the light makes the face."""
UNEVEN: Final = 0.6
"""How much brighter or darker than the face's mean light can be at most, logits: what is far from it comes
near, as a lamp behind a person would leave the face black."""
MOST_TONE: Final = 0.5
"""How much lighter or darker a drawn head's skin can become, logits."""
MOST_HUE: Final = 0.15
"""How far each colour of skin and of light can go from grey, logits: lips and lashes do not follow it, and
the few numbers that W has for both make people orange."""
EXPOSED: Final = 0.12
"""Logits by which pictures are brighter than drawn heads under their light: cameras are set for faces."""
CRISP: Final = 1.0
"""Of what is finer than three texels of 512, how much is added to skin: a texel holds the mean of hairs and
pores that a picture shows apart."""
PORES: Final = 0.03
"""Standard deviation of what is drawn into skin besides, logits."""
HEM: Final = 1
"""Half width of the seam between skin and cloth, texels."""
EDGE: Final = 3
"""Half width of the seam within which skin beside cloth is shaded by it, texels."""


@dataclass(frozen=True, eq=False)
class Own:
    """What W alone says of a person, as logits over the chart."""

    base: Float[Tensor, "7 size size"]
    """Decoder outputs, see `bases_of`."""
    white: Float[Tensor, "7 size size"]
    """The same without the light's block."""


def put_together(
    generator: Generator, planes: Planes, w: Float[Tensor, " w"], labels: Mapping[str, Value], parts: Parts,
    *, seed: int = 0,
) -> Planes:  # fmt: skip
    """A person's planes with parts of the drawn heads whose labels are nearest. Deterministic for a seed."""
    chosen = choose(names_of(generator.names).vocabulary, parts.labels, labels, seed=seed)
    own = own_of(generator, w)
    lent = {kind: _lent(parts.part(index), chosen, kind) for kind, index in chosen.heads.items()}
    light = light_of(own)
    body = with_eyes(toned(lent["face"], own, seed=seed), lent["eyes"])
    hair = dyed(lent["hair"], lent["colour"])
    body = with_clothes(shaded_scalp(body, hair, lent["hair"]), lent["clothes"], labels.get("clothes"))
    colours = torch.cat([body, hair]) + light - own.base[:HAIR_HEIGHT]
    height, share = (closed(layer) for layer in (lent["hair"].height, lent["hair"].share))
    share = in_strands(share, seed)
    residual = F.pad(colours, (0, 0, 0, 0, 0, OUTPUTS - len(colours)))[None]
    place = planes.uv.device
    return replace(
        planes,
        residual=residual.to(place),
        hair_height=height[None, None].to(place),
        hair_density=share[None, None].to(place),
    )


def lent_beard(generator: Generator, labels: Mapping[str, Value], parts: Parts, *, seed: int = 0) -> str:
    """The kind of beard on the skin that `put_together` takes."""
    chosen = choose(names_of(generator.names).vocabulary, parts.labels, labels, seed=seed)
    return str(parts.labels[chosen.heads["face"]].get("beard", "none"))


def can_be_put_together(generator: Generator) -> bool:
    """Whether a generator has names, and light in a block of its own."""
    return generator.names is not None and isinstance(generator.backbone, BlocksBackbone)


def read_labels(
    generator: Generator, w: Float[Tensor, " w"], identity: Float[Tensor, " component"]
) -> dict[str, Value]:
    """What a person looks like by name, as far as it can be read."""
    return {name: value for name, (value, _) in names_of(generator.names).read(w, identity).items()}


def own_of(generator: Generator, w: Float[Tensor, " w"]) -> Own:
    """W's own head at rest, as it is and without its light."""
    assert isinstance(generator.backbone, BlocksBackbone)
    dark = w.clone()
    dark[generator.backbone.blocks["light"]] = 0
    both = torch.stack([w, dark])
    found = bases_of(generator, generator.planes(both, torch.zeros(2, 52, device=w.device)), chart_grid(SIZE))
    return Own(*found)


def light_of(own: Own) -> Float[Tensor, "6 size size"]:
    """What the light adds to body and hair: W's, but for what is too dim or too uneven for a portrait.

    Eyes and mouth, which have no normals to speak of, get the face's.
    """
    light = (own.base - own.white)[:HAIR_HEIGHT].clone()
    rows, size = island_rows(light.shape[-1]), light.shape[-1]
    mean = light[BODY_RGB, face_texels(size)].mean(1)
    light[BODY_RGB, :rows] = mean[:, None, None]
    uneven = light - mean.repeat(2)[:, None, None]
    middle = DIM * mean.mean() + near(mean - mean.mean(), MOST_HUE)
    return near(uneven, UNEVEN) + middle.repeat(2)[:, None, None] + EXPOSED


def toned(face: Part, own: Own, *, seed: int = 0) -> Float[Tensor, "3 size size"]:
    """A drawn head's skin, also where it wears clothes, in the tone of the person's own, with pores."""
    size = face.body.shape[-1]
    bare = (smoothed(1 - face.clothed[None], EDGE)[0] > 0.999).float()
    rows = island_rows(size)
    skin = face.body[:, face_texels(size)].median(1).values[:, None, None]
    bare[:rows] = 0
    around = skin + fill((face.body - skin) * bare, bare)
    body = torch.where(bare > 0, face.body, around)
    body[:, :rows] = face.body[:, :rows]
    body = body + CRISP * (body - smoothed(body, 1))
    body[:, rows:] += PORES * _grain(size, seed)[rows:]
    tone = (own.white[BODY_RGB] - body)[:, face_texels(size)].median(1).values
    tone = near(tone.mean(), MOST_TONE) + near(tone - tone.mean(), MOST_HUE)
    body[:, rows:] += tone[:, None, None]
    return body


def near(x: Float[Tensor, "*shape"], most: float) -> Float[Tensor, "*shape"]:
    """Numbers as they are near 0, and never farther from it than `most`."""
    return most * torch.tanh(x / most)


def with_eyes(body: Float[Tensor, "3 size size"], eyes: Part) -> Float[Tensor, "3 size size"]:
    """With another head's eyeballs."""
    size = body.shape[-1]
    place = (slice(None), slice(0, island_rows(size)), slice(0, round((EYES[1][1] + 1) / 2 * size)))
    out = body.clone()
    out[place] = eyes.body[place]
    return out


def with_clothes(
    body: Float[Tensor, "3 size size"], worn: Part, colour: Value | None
) -> Float[Tensor, "3 size size"]:
    """With another head's clothes, in a colour as #rrggbb or in their own."""
    there = worn.clothed
    if there.sum() == 0:
        return body
    cloth = worn.body
    if isinstance(colour, str):
        mean = (cloth * there).sum((1, 2)) / there.sum()
        cloth = cloth + (_logit_of(colour) - mean)[:, None, None]
    share = smoothed(there[None], HEM)
    share[:, : island_rows(len(there))] = 0
    return torch.lerp(body, cloth, share)


def face_texels(size: int) -> Bool[Tensor, "size size"]:
    """Whether a texel lies on the face."""
    u, v = chart_grid(size).unbind(-1)
    return (u.abs() < FACE_U) & (v > FACE_V[0]) & (v < FACE_V[1])


def _grain(size: int, seed: int) -> Float[Tensor, "size size"]:
    """Noise of unit variance, as fine as texels go."""
    return torch.randn(size, size, generator=torch.Generator().manual_seed(seed))


def _lent(part: Part, chosen: Chosen, kind: Kind) -> Part:
    if not chosen.mirrored[kind]:
        return part
    clothed, height, share = (layer.flip(-1) for layer in (part.clothed, part.height, part.share))
    return Part(mirror(part.body), clothed, part.hair.flip(-1), height, share)


def _logit_of(colour: str) -> Float[Tensor, "3"]:
    rgb = torch.tensor([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return torch.logit(rgb.clamp(3 * LOGIT_CLAMP, 1 - 3 * LOGIT_CLAMP))
