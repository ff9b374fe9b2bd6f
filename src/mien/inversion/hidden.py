"""What a photo does not show and the prior would guess too freely: the back of the scalp, closed teeth.

Guesses are observations like those of the photo, and count only where it has none.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize, sample_height
from mien.generator.texels import EYES, Splatted, blurred, fill_chart, splat, unseen, unseen_share
from mien.inversion.evidence import PhotoEvidence
from mien.morphable import chart
from mien.morphable.carry import chart_grid
from mien.morphable.model import MorphableModel
from mien.morphable.regions import Region, region_faces
from mien.morphable.teeth import ROWS, along_row_mm, tooth_light

POINTS: Final = 8
"""Along the side of a triangle, so that about every texel of it gets one."""
DYE_SIZE: Final = 128
"""Texels around the head of a scalp's dye: every one of them holds points."""
BEHIND_U: Final = (0.4, 0.52)
"""Columns of the chart, on each side, between which the scalp's dye begins: 50 to 75 degrees of azimuth. A
bald forehead is left alone."""
COLUMNS: Final = 12
"""Of the front, in which the hair on top of what is seen is looked at."""
TOP_SHARE: Final = 0.05
"""Of a column's pixels, those that are its top."""
LEAST_TOP_PIXELS: Final = 40
CHEEK_MM: Final = (18.0, 28.0)
"""Along a row from its middle: teeth that photos do not show."""
TOOTH_OVER_SKIN: Final = torch.tensor([1.0, 1.15, 1.13])
"""Hue of teeth in the light that the skin has: less red."""
TOOTH_WARMTH: Final = 0.3
"""Least share of the skin's redness that teeth have: whites behind lenses are seen bluish."""


@dataclass(frozen=True)
class HiddenConfig:
    """Weights of the guesses."""

    scalp: float = 0.5
    """Weight of the hair's colour on points of the scalp."""
    scalp_dye: float = 0.8
    """How far a hidden scalp goes to the colour of the hair over it, where a network has completed it."""
    least_hair: tuple[float, float] = (0.01, 0.03)
    """Hair pixels per face pixel below which a scalp is left bare, and from which on it is dyed in full."""
    teeth: float = 0.5
    """Weight of the teeth's colour."""
    mouth: float = 0.5
    """Weight of the colours of tongue and walls."""
    least_teeth: float = 5.0
    """Evidence (pixels) of teeth from which on they keep the photo's colours."""
    tooth_over_skin: float = 1.1
    """Least lightness of teeth over that of the skin."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Linear observations of plane features: points [N, 3], channels, targets [N, C], weights [N]."""

    points: Tensor
    channels: slice
    target: Tensor
    weight: Tensor


def join(*parts: Observations) -> Observations:
    """Observations of the same channels, one after the other."""
    points, target, weight = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("points", "target", "weight")
    )
    return Observations(points, parts[0].channels, target, weight)


def scalp_guess(
    evidence: PhotoEvidence, seen: Observations, model: MorphableModel, config: HiddenConfig
) -> Observations:
    """Points of the scalp behind, and on top of hair, to be given the colour of the hair over them, where
    `seen` says nothing; without weight if there is hardly any hair. Targets are left to the caller, who
    decodes that hair.

    Of cropped hair only the front is seen; without this the back of such a head would be of bare skin.
    """
    points = region_points(model, "scalp")
    amount = splat(seen.points[:, :2], seen.target, seen.weight)[1]
    above_eyes = (evidence.origins + ORBIT_RADIUS * evidence.directions)[:, 1] > 0
    hair = evidence.hair * evidence.interior * evidence.locks * above_eyes
    face = (evidence.colour_weight > 0.3).sum()
    behind = ((points[:, 0].abs() - BEHIND_U[0]) / (BEHIND_U[1] - BEHIND_U[0])).clamp(0, 1)
    hidden = torch.maximum(behind, hair_on_top(evidence, points[:, 0]))
    weight = config.scalp * hidden * unseen_share(amount, points[:, :2])
    low, high = config.least_hair
    weight = weight * ((hair.sum() / face.clamp(min=1) - low) / (high - low)).clamp(0, 1)

    return Observations(points, BODY_RGB, torch.zeros(len(points), 3), weight)


def hair_on_top(evidence: PhotoEvidence, u: Float[Tensor, " point"]) -> Float[Tensor, " point"]:
    """Share of hair in the highest pixels of the head's front that a photo shows, by the chart's column: a
    crown behind a bald forehead is bald."""
    person = evidence.body_hit & (evidence.alpha > 0.6)
    own, v = evidence.body_planes[person, :2].unbind(1)
    hair = (evidence.hair * evidence.locks)[person]
    found = torch.zeros(COLUMNS)
    for k in range(COLUMNS):
        inside = _column(own) == k
        if inside.sum() >= LEAST_TOP_PIXELS:
            top = v[inside].quantile(1 - TOP_SHARE)
            found[k] = hair[inside][v[inside] >= top].mean()
    return found[_column(u).clamp(0, COLUMNS - 1)]


def _column(u: Float[Tensor, " point"]) -> Int[Tensor, " point"]:
    return ((u + BEHIND_U[1]) / (2 * BEHIND_U[1]) * COLUMNS).floor().long()


def dye_scalp(
    generator: Generator, planes: Planes, scalp: Observations, config: HiddenConfig
) -> Float[Tensor, "1 output size size"]:
    """The residual of planes, with the guessed points of the scalp in the colour of the hair over them.

    A scalp completed as skin would shine through hair that is cropped.
    """
    assert planes.residual is not None
    residual = planes.residual.clone()
    share = scalp.weight / config.scalp
    uv = scalp.points[:, :2]
    surface = chart.height_coordinate(sample_height(planes, scalp.points[None])[0])
    over = generator.decode(planes, torch.cat([uv, surface[:, None]], 1)[None]).hair_rgb[0]
    bare = generator.decode(planes, scalp.points[None]).body_rgb[0]
    dye = share[:, None] * (logit(over) - logit(bare))
    total, weight = splat(uv, dye, torch.ones(len(uv)), min(DYE_SIZE, residual.shape[-1]))
    smooth = resize((total / weight.clamp(min=1e-3))[None], residual.shape[-1])
    residual[:, BODY_RGB] += config.scalp_dye * smooth
    return residual


def tooth_guess(
    evidence: PhotoEvidence,
    seen: Observations,
    generator: Generator,
    planes: Planes,
    model: MorphableModel,
    config: HiddenConfig,
) -> Observations:
    """Teeth and gums as the generator has them, shifted so that the less red half, the teeth, has the colour
    that teeth would have in the photo; if it shows some, only those behind cheeks."""
    points, along_mm, light = tooth_points(model)
    low_mm, high_mm = CHEEK_MM
    aside = ((along_mm.abs() - low_mm) / (high_mm - low_mm)).clamp(0, 1)
    low, high = points.amin(0)[:2], points.amax(0)[:2]
    there = ((seen.points[:, :2] > low) & (seen.points[:, :2] < high)).all(1)
    shown = float((seen.weight * there).sum()) > config.least_teeth
    colour = generator.decode(planes, points[None]).body_rgb[0]
    red = (colour[:, 0] - colour[:, 1]) / colour.mean(1)
    drawn, pale = logit(colour), red <= red.median()
    tooth = tooth_colour(evidence, config.tooth_over_skin)
    target = drawn + logit(tooth) - drawn[pale].mean(0)
    target = logit(no_less_red(target.sigmoid(), tooth) * light[:, None])
    weight = config.teeth * (aside if shown else torch.ones(len(points)))
    return Observations(points, BODY_RGB, target, weight)


def tooth_points(
    model: MorphableModel,
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, " point"], Float[Tensor, " point"]]:
    """Plane coordinates all over both rows of teeth, their way along the row from its middle in mm, and the
    share of light there."""
    points, along, light = [], [], []
    for row in ROWS:
        faces, mm = model.part_faces(row), along_row_mm(model, row)[model.faces][..., None]
        points.append(face_points(faces, model.canonical_corners))
        along.append(face_points(faces, mm, model.canonical_corners)[:, 0])
        light.append(tooth_light(along[-1], row))
    return torch.cat(points), torch.cat(along), torch.cat(light)


def tooth_colour(evidence: PhotoEvidence, over_skin: float) -> Float[Tensor, "3"]:
    """Between the brighter part of the eyes' whites and the skin, and at least `over_skin` as light as it.

    In smiles on six photos the middle of what is seen of teeth is 0.75 to 1.25 as light as the face, its
    brighter part 1.25 to 1.55, and 0.2 to 1.2 as red.
    """
    u, v, _ = evidence.body_planes.unbind(1)
    trusted = (evidence.alpha > 0.9) & (evidence.colour_weight > 0.1)
    eyes = torch.zeros_like(trusted)
    for low, high in EYES:
        eyes |= trusted & (v < chart.V_BODY[0]) & (u > low) & (u < high)
    skin = _mean_or(_lighter(evidence.rgb[trusted & (v > chart.V_BODY[0]) & (evidence.hair < 0.1)], 0.5), 0.6)
    whites = evidence.rgb[eyes]
    whites = _lighter(whites, 0.7) if len(whites) >= 8 else whites
    white = torch.lerp(_mean_or(whites, float(skin.mean())), TOOTH_OVER_SKIN * skin, 0.45)
    gain = float(over_skin * skin.mean() / white.mean().clamp(min=0.05))
    hue = torch.lerp(torch.ones(3), (skin / skin[0]).clamp(max=1), TOOTH_WARMTH)
    return no_less_red((0.9 * white * max(gain, 1.0)).clamp(0.1, 0.82), hue)


def no_less_red(rgb: Float[Tensor, "*point 3"], than: Float[Tensor, "3"]) -> Float[Tensor, "*point 3"]:
    """Colours with no more green and blue over red than another one has: teeth are not teal."""
    most = rgb[..., :1] * (than / than[0])
    return torch.cat([rgb[..., :1], torch.minimum(rgb, most)[..., 1:]], -1)


def _lighter(rgb: Float[Tensor, "n 3"], quantile: float) -> Float[Tensor, "m 3"]:
    """The colours from a quantile of their lightness on."""
    light = rgb.mean(1)
    return rgb[light >= light.quantile(quantile)] if len(rgb) else rgb


def hidden_hair(
    generator: Generator, planes: Planes, colours: Splatted, mean: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "3 size size"], Float[Tensor, "size size"]]:
    """Residual of the hair's colour where the photo shows none, and the share (0 to 1) in which it counts.

    Colours (logits, less their `mean`) go on from the seen hair; of the generator's own hair only the light
    and dark of its strands stays: its hues are another person's. Planes without a residual.
    """
    size = colours[1].shape[-1]
    uv = chart_grid(size).reshape(1, -1, 2)
    surface = chart.height_coordinate(sample_height(planes, torch.nn.functional.pad(uv, (0, 1))))
    drawn = logit(generator.decode(planes, torch.cat([uv, surface[..., None]], -1)).hair_rgb[0])
    drawn = drawn.T.reshape(3, size, size)
    light = drawn.mean(0, keepdim=True)
    strands = light - blurred(light, size // 16)
    return fill_chart(*colours) + mean[:, None, None] + strands - drawn, unseen(colours[1])


def region_points(model: MorphableModel, region: Region) -> Float[Tensor, "point 3"]:
    """Plane coordinates all over a region's triangles."""
    return face_points(region_faces(model)[region], model.canonical_corners)


def face_points(
    faces: Bool[Tensor, " face"],
    values: Float[Tensor, "face 3 channel"],
    corners: Float[Tensor, "face 3 3"] | None = None,
) -> Float[Tensor, "point channel"]:
    """Values at the corners of some triangles, interpolated at points all over them.

    `corners` are the triangles' plane coordinates, if the values are not: those over the seam have no middle.
    """
    places = (values if corners is None else corners)[faces][..., 0]
    values = values[faces][places.amax(1) - places.amin(1) < 1]
    n = POINTS
    shares = [(i + 1 / 3, j + 1 / 3, n - i - j - 2 / 3) for i in range(n) for j in range(n - i)]
    return torch.einsum("sc,fcd->fsd", torch.tensor(shares) / n, values).flatten(0, 1)


def logit(rgb: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Colours as the decoder's linear outputs, away from the ends."""
    return torch.logit(rgb.clamp(0.012, 0.988))


def _mean_or(colours: Float[Tensor, "pixel 3"], grey: float) -> Float[Tensor, "3"]:
    return colours.mean(0) if len(colours) else torch.full((3,), grey)
