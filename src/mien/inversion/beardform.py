"""How far a photo's beard stands off the skin.

A chin or jaw that is much rougher than the cheeks has a beard. Where it is rough and not of the skin's
colour, no skin shines through, and it has a thickness; stubble has none. How far the beard's colours are seen
below the chin, before throat and chest or beside them, tells its length.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.core.curves import smoothstep
from mien.generator.beard import CHEEK_DEG, CHEEK_HEIGHT, JAW_DEG, JAW_HEIGHT, LEAST_PIXELS, PIXEL, ROUGH
from mien.generator.laid import Swatch, fine_of, matched
from mien.generator.planes import resize
from mien.generator.texels import borrow_from_mirror, fill, mirror, splat
from mien.inversion.evidence import PhotoEvidence, keep_connected, log_likelihood
from mien.inversion.swatches import face_swatch
from mien.morphable.beardshape import THICKNESS, beard_area, beard_tips
from mien.morphable.carry import chart_grid, sample_chart
from mien.morphable.fit import FaceFit
from mien.morphable.model import CHIN_LANDMARK, MorphableModel
from mien.morphable.regions import azimuth_and_height, on_face

CHIN_DEG: Final = (0.0, 18.0)
CHIN_HEIGHT: Final = (-0.185, -0.155)
"""Where the chin's roughness is measured, as on jaw and cheek, see `mien.generator.beard`."""
ZONES: Final = ((CHIN_DEG, CHIN_HEIGHT), (JAW_DEG, JAW_HEIGHT))
ROUGHER: Final = 1.9
"""Roughness of chin or jaw over the cheeks' from which on there is a beard. Of 30 faces, 22 of them
procedural, those without have 1.7 at most on the chin, those with one 2.1 to 12."""
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
    tips = beard_tips(fit.vertices(model), cover, beard_hang(evidence, cover, fit), model)
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


def formed_on_chart(
    model: MorphableModel, tips: Float[Tensor, "vertex 3"], size: int
) -> Float[Tensor, "size size"]:
    """0 to 1 over the chart: how thick a beard is, of a short one's full thickness."""
    uv, _ = beard_area(model)
    used = torch.unique(model.faces[model.part_faces("body")])
    thick = (tips[used].norm(dim=1) / THICKNESS).clamp(max=1)
    coarse = fill(*splat(uv[used], thick[:, None], torch.ones(len(used)), FORM_SIZE))
    return resize(coarse[None], size)[0, 0]
