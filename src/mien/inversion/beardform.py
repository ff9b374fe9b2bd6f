"""How far a photo's beard stands off the skin.

A chin or jaw that is much rougher than the cheeks has a beard. Where it is rough and not of the skin's
colour, no skin shines through, and it has a thickness; stubble has none. How far the beard's colours are seen
below the chin, before throat and chest or beside them, tells its length.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.core.curves import smoothstep
from mien.generator.beard import CHEEK_DEG, CHEEK_HEIGHT, JAW_DEG, JAW_HEIGHT, LEAST_PIXELS, PIXEL, ROUGH
from mien.generator.laid import Swatch, fine_of, matched
from mien.generator.planes import resize
from mien.generator.texels import borrow_from_mirror, fill, mirror, splat
from mien.inversion.evidence import PhotoEvidence, keep_connected, log_likelihood
from mien.inversion.swatches import face_swatch
from mien.morphable.beard import LEAST
from mien.morphable.carry import chart_grid, sample_chart
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import LIPS_OUTER
from mien.morphable.model import CHIN_LANDMARK, MorphableModel
from mien.morphable.raster import vertex_normals
from mien.morphable.regions import azimuth_and_height, inside_polygon, landmark_uv, on_face

CHIN_DEG: Final = (0.0, 18.0)
CHIN_HEIGHT: Final = (-0.185, -0.155)
"""Where the chin's roughness is measured, as on jaw and cheek, see `mien.generator.beard`."""
ZONES: Final = ((CHIN_DEG, CHIN_HEIGHT), (JAW_DEG, JAW_HEIGHT))
ROUGHER: Final = 1.9
"""Roughness of chin or jaw over the cheeks' from which on there is a beard. Of 30 faces, 22 of them
procedural, those without have 1.7 at most on the chin, those with one 2.1 to 12."""
AREA: Final = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
               323, 454, 447, 345, 352, 411, 425, 426, 327, 2, 98, 206, 205, 187, 123, 116, 227)  # fmt: skip
"""Landmarks around the largest beard on a face, from ear to ear over the cheeks."""
JAW: Final = (-0.17, 0.00085)
"""Height of the jaw's edge in front, and how much it rises with every degree to the side; as `JAW_HEIGHT`."""
ROUGH_HERE: Final = (1.3, 2.2)
"""Roughness over the cheeks' between which a place begins to count as bearded."""
LIGHT: Final = 0.4
"""What a difference of lightness counts beside one of hue: part of it is shade."""
OTHER: Final = (0.37, 0.5)
"""Difference of the chin's or jaw's colours (logits) from the cheeks' between which a beard hides the skin:
of 13 procedural faces, those with stubble have 0.12 to 0.34, those with more 0.52 to 0.84."""
OTHER_HERE: Final = (0.35, 0.75)
"""Such differences between which a place counts as hidden, over that of the chin or jaw."""
SIZE: Final = 128
"""Texels of the map, along each side of the chart."""
FORM_SIZE: Final = 64
"""Texels of the map of a beard's form: no finer than the mesh."""
THICKNESS: Final = 0.014
"""Length of short beards off the skin, EG3D units (6.5 mm)."""
THICKER: Final = 0.25
"""How much more of what hangs below the chin's roots."""
THICKEST: Final = 0.03
FALL: Final = 0.5
"""How much short hairs point down, over how much they stand off."""
ROOTS: Final = 0.055
"""How far below the chin a short beard is seen from the front, as it grows on the throat, EG3D units."""
SURELY_LONG: Final = (0.045, 0.08)
"""What hangs lower by less may still grow on the throat; EG3D units."""
FALLS: Final = (-0.18, -0.135)
"""Heights between which long hair begins to fall in front, from the lip to the chin; as `JAW_HEIGHT`."""
FALLS_RISE: Final = 0.0014
"""How much higher it does, for every degree to the side."""
FRONT: Final = (0.0, 0.09)
"""The same from the throat to the chin: z in the head frame."""
SIDE: Final = 0.3
"""How long hair is beside and behind, over the front."""
SMOOTHINGS: Final = 2
BEARDED: Final = 0.7
BARE: Final = 0.1
"""Share of cover from which on a pixel tells the beard's colours, and up to which the skin's."""
SHOULDER: Final = 0.14
"""How far beside the chin clothes are looked at, EG3D units."""
HIGHEST, WIDEST, MIDDLE = 0.12, 0.1, 0.03
"""How high above the chin and how far beside it the beard's colours are looked for, and where its length is
measured, EG3D units."""


def with_beard_form(fit: FaceFit, evidence: PhotoEvidence, model: MorphableModel) -> FaceFit:
    """The fit with the beard that a photo shows; as it is if it shows none that stands off the skin."""
    cover = beard_cover(evidence)
    if cover is None:
        return fit
    tips = beard_tips(fit, cover, beard_hang(evidence, cover, fit), model)
    return fit if tips is None else replace(fit, beard=tips)


def beard_cover(evidence: PhotoEvidence) -> Float[Tensor, "size size"] | None:
    """0 to 1 over the chart: how far a beard hides the skin; None if there is none."""
    face = matched(face_swatch(evidence), PIXEL)
    fine = fine_of(face, max(1, round(ROUGH / face.pixel / 2))).mean(0).abs()
    cheek = _zone(face, CHEEK_DEG, CHEEK_HEIGHT)
    zones = [_zone(face, *zone) for zone in ZONES]
    zones = [zone for zone in zones if zone.sum() >= LEAST_PIXELS]
    if cheek.sum() < LEAST_PIXELS or not zones:
        return None
    smooth = fine[cheek].median().clamp(min=1e-4)
    if max(float(fine[zone].median() / smooth) for zone in zones) < ROUGHER:
        return None
    skin = face.image[:, cheek].mean(1)[:, None, None]
    blur_px = ROUGH / face.pixel
    away = _difference(_blurred(face.image - skin, face.shown, blur_px))
    texture = _blurred(fine[None], face.shown, blur_px)[0] / smooth
    charted = _on_chart(torch.stack([away, smoothstep(texture, *ROUGH_HERE)]), face)
    # Shade is on one side, a beard on both.
    away, rough = torch.minimum(charted, mirror(charted))
    grid = chart_grid(SIZE)
    most = max(float(away[_in_zone(grid, *zone)].median()) for zone in ZONES)
    hidden = smoothstep(torch.tensor(most), *OTHER)
    return hidden * smoothstep(away / most, *OTHER_HERE) * rough if hidden > 0 else None


def _on_chart(layers: Float[Tensor, "layer height width"], face: Swatch) -> Float[Tensor, "layer size size"]:
    shown = face.shown.flatten() > 0
    uv = face.uv.flatten(1)[:, shown].T
    total, weight = splat(uv, layers.flatten(1)[:, shown].T, torch.ones(len(uv)), SIZE)
    return fill(*borrow_from_mirror(total, weight))


def _difference(colour: Float[Tensor, "3 height width"]) -> Float[Tensor, "height width"]:
    light = colour.mean(0)
    return LIGHT * light.abs() + (colour - light).abs().amax(0)


def _zone(
    face: Swatch, azimuth_deg: tuple[float, float], height: tuple[float, float]
) -> Bool[Tensor, "height width"]:
    return (face.shown > 0) & _in_zone(face.uv.movedim(0, -1), azimuth_deg, height)


def _in_zone(
    uv: Float[Tensor, "*batch 2"], azimuth_deg: tuple[float, float], height: tuple[float, float]
) -> Bool[Tensor, "*batch"]:
    azimuth, level = azimuth_and_height(uv)
    inside = (azimuth >= azimuth_deg[0]) & (azimuth < azimuth_deg[1])
    return inside & (level > height[0]) & (level < height[1])


def _blurred(
    image: Float[Tensor, "channel height width"], shown: Float[Tensor, "height width"], sigma_px: float
) -> Float[Tensor, "channel height width"]:
    both = _wide(torch.cat([image * shown, shown[None]]), sigma_px)
    return both[:-1] / both[-1:].clamp(min=1e-3)


def _wide(
    image: Float[Tensor, "channel height width"], sigma: float
) -> Float[Tensor, "channel height width"]:
    return torch.from_numpy(np.stack([cv2.GaussianBlur(part, (0, 0), sigma) for part in image.numpy()]))


@lru_cache(maxsize=1)
def _grown(model: MorphableModel) -> tuple[Float[Tensor, "vertex 2"], Float[Tensor, " vertex"]]:
    """Of all vertices: place on the chart, and how far a beard may stand off there, 0 to 1."""
    body = model.part_faces("body")
    corner = model.faces[body].flatten()
    uv = torch.zeros(len(model.mean), 2)
    uv[corner] = model.canonical_corners[body][..., :2].reshape(-1, 2)
    on_body = torch.zeros(len(uv), dtype=torch.bool)
    on_body[corner] = True
    lips = inside_polygon(uv, landmark_uv(model, LIPS_OUTER)) & on_body
    azimuth, height = azimuth_and_height(uv)
    below = height < JAW[0] + JAW[1] * azimuth
    area = on_body & on_face(uv) & (inside_polygon(uv, landmark_uv(model, AREA)) | below) & ~lips
    faces = model.faces[body]
    lips = _spread(lips.float(), faces) > 0
    share = area.float()
    for _ in range(2):
        share = _spread(share, faces) * ~lips
    return uv, share * area


def _spread(values: Float[Tensor, " vertex"], faces: Int[Tensor, "face 3"]) -> Float[Tensor, " vertex"]:
    """Mean over the triangles around each vertex."""
    mean = values[faces].mean(1)
    total, count = torch.zeros_like(values), torch.zeros_like(values)
    for corner in faces.T:
        total.index_add_(0, corner, mean)
        count.index_add_(0, corner, torch.ones_like(mean))
    return total / count.clamp(min=1)


def beard_hang(evidence: PhotoEvidence, cover: Float[Tensor, "size size"], fit: FaceFit) -> float:
    """How far below the chin the photo shows the beard's colours, EG3D units."""
    shape, uv = evidence.shape, evidence.body_planes[:, :2]
    pixel = ORBIT_RADIUS / float(evidence.camera.intrinsics[0, 0] * shape[1])
    below, beside = (part * pixel for part in _from_chin(fit, evidence))
    face = (on_face(uv) & evidence.body_hit & (evidence.interior > 0.5)).view(shape).numpy()
    hidden = sample_chart(cover[None], uv)[:, 0].view(shape).numpy() * face
    alpha = evidence.alpha.view(shape).numpy()
    beard = (hidden > BEARDED) & (below < 0)
    shoulders = (np.abs(beside) > SHOULDER) & (below > 0.02) & (alpha > 0.6)
    if beard.sum() < LEAST_PIXELS:
        return 0.0
    rgb = (evidence.rgb.view(*shape, 3).numpy() * 255).astype(np.uint8)
    lab: np.ndarray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.0)
    more = log_likelihood(lab, beard) - log_likelihood(lab, face & (hidden < BARE) | shoulders)
    alike = cv2.GaussianBlur(np.clip(more, -6, 6), (0, 0), ROUGH / pixel) > 0
    near = (below > -HIGHEST) & (np.abs(beside) < WIDEST) & (alpha > 0.5)
    hanging = keep_connected(alike & near | beard, beard) & (np.abs(beside) < MIDDLE)
    return max(float(np.quantile(below[hanging], 0.97)), 0.0) if hanging.any() else 0.0


def _from_chin(
    fit: FaceFit, evidence: PhotoEvidence
) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """How far pixels are below the chin, along the line from the face's middle, and beside it."""
    landmarks = fit.landmarks_px.numpy() - np.array(evidence.box_px[:2])
    chin = landmarks[CHIN_LANDMARK]
    down = chin - landmarks.mean(0)
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    row, column = np.mgrid[: evidence.shape[0], : evidence.shape[1]] + 0.5 - chin[::-1, None, None]
    return column * down[0] + row * down[1], column * down[1] - row * down[0]


def beard_tips(
    fit: FaceFit, cover: Float[Tensor, "size size"], hang: float, model: MorphableModel
) -> Float[Tensor, "vertex 3"] | None:
    """Ends of the hairs, see `mien.morphable.beard`; None if nothing stands off the skin.

    A beard that hangs lower is thicker, and from the chin it falls down.
    """
    uv, area = _grown(model)
    thick = smoothstep(sample_chart(cover[None], uv)[:, 0], 0.3, 0.8) * area
    for _ in range(SMOOTHINGS):
        thick = _spread(thick, model.faces) * (area > 0)
    skin = fit.vertices(model)
    normal = torch.from_numpy(vertex_normals(skin.numpy(), model.faces_np)).float()
    longer = max(hang - ROOTS, 0.0)
    thickness = min(THICKNESS + THICKER * longer, THICKEST)
    down = torch.tensor([0.0, -1.0, 0.0])
    azimuth, height = azimuth_and_height(uv)
    falls = 1 - smoothstep(height - FALLS_RISE * azimuth, *FALLS)
    falls = falls * (SIDE + (1 - SIDE) * smoothstep(skin[:, 2], *FRONT))
    fall = FALL * thickness + longer * float(smoothstep(torch.tensor(longer), *SURELY_LONG)) * falls
    tips = thick[:, None] * (thickness * normal + fall[:, None] * down)
    tips = tips * (tips.norm(dim=1, keepdim=True) > LEAST)
    return tips if tips.any() else None


def formed_on_chart(
    model: MorphableModel, tips: Float[Tensor, "vertex 3"], size: int
) -> Float[Tensor, "size size"]:
    """0 to 1 over the chart: how thick a beard is, of a short one's full thickness."""
    uv, _ = _grown(model)
    used = torch.unique(model.faces[model.part_faces("body")])
    thick = (tips[used].norm(dim=1) / THICKNESS).clamp(max=1)
    coarse = fill(*splat(uv[used], thick[:, None], torch.ones(len(used)), FORM_SIZE))
    return resize(coarse[None], size)[0, 0]
