"""What a photo shows of hair and face on its own pixels, to lay what it hides with patches of it."""

from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.generator.completion import EVIDENCE_SIZE
from mien.generator.detail import SeenHair
from mien.generator.laid import Swatch
from mien.generator.shellmarch import HairTrace
from mien.generator.texels import splat
from mien.inversion.evidence import PhotoEvidence
from mien.inversion.hidden import logit
from mien.morphable import chart
from mien.morphable.regions import on_face

COUNTS: Final = 0.4
"""Share of hair from which on a pixel's colour is the hair's."""
CLEAR: Final = (0.9, 0.5)
"""Share of hair in a pixel, and of its ray in the hair, from which on it may be part of a patch."""
BARE: Final = (0.1, 0.3)
"""The most hair, and the least trust in its colour, of a pixel that may be part of a patch of the face."""
LEVEL: Final = 0.6
"""Least cosine between the surface of a face and the view of what patches are cut from."""
INSIDE: Final = 0.5
"""Least `PhotoEvidence.interior` of both."""


def look_at_hair(evidence: PhotoEvidence, person: Int[Tensor, " ray"], trace: HairTrace) -> SeenHair:
    """Of the pixels `person`, whose rays meet hair as in `trace`."""
    points, body = surface_points(trace), evidence.body_planes[person]
    hair, locks, inside = (part[person] for part in (evidence.hair, evidence.locks, evidence.interior))
    weight = trace.alpha * (hair > COUNTS) * inside
    seen, other = (
        splat(points[:, :2], torch.zeros(len(points), 0), part, EVIDENCE_SIZE)[1]
        for part in (weight * locks, weight * (1 - locks))
    )
    clear = (hair > CLEAR[0]) & (trace.alpha > CLEAR[1]) & (locks > 0.5) & (inside > INSIDE)
    clear = clear & (evidence.worn[person] < 0.5)
    bare = _bare(evidence)[person] & (trace.alpha < BARE[0])
    height, width = evidence.shape
    image = logit(evidence.rgb).T.reshape(3, height, width)
    pixel = ORBIT_RADIUS / float(evidence.camera.intrinsics[0, 0] * width)
    level = bare & (evidence.facing[person] > LEVEL)
    hair_swatch, face_swatch, level_swatch = (
        Swatch(image, *_places((height, width), person[some], where[some]), pixel)
        for some, where in ((clear, points), (bare, body), (level, body))
    )
    return SeenHair(seen, other, hair_swatch, face_swatch, level_swatch)


def face_swatch(evidence: PhotoEvidence) -> Swatch:
    """Skin and beard of cheeks and jaw, for which no hair need be known."""
    height, width = evidence.shape
    bare = torch.nonzero(_bare(evidence) & (evidence.alpha > 0.5))[:, 0]
    image = logit(evidence.rgb).T.reshape(3, height, width)
    pixel = ORBIT_RADIUS / float(evidence.camera.intrinsics[0, 0] * width)
    return Swatch(image, *_places((height, width), bare, evidence.body_planes[bare]), pixel)


def _bare(evidence: PhotoEvidence) -> Bool[Tensor, " pixel"]:
    clear = (evidence.hair < BARE[0]) & (evidence.colour_weight > BARE[1]) & (evidence.interior > INSIDE)
    return clear & on_face(evidence.body_planes[:, :2])


def _places(
    shape: tuple[int, int], pixels: Int[Tensor, " pixel"], points: Float[Tensor, "pixel 3"]
) -> tuple[Float[Tensor, "height width"], Float[Tensor, "2 height width"]]:
    """A picture that is 1 at some pixels, and one of their plane coordinates."""
    layers = torch.zeros(3, shape[0] * shape[1])
    layers[:2, pixels], layers[2, pixels] = points[:, :2].T, 1.0
    return layers[2].view(shape), layers[:2].view(2, *shape)


def surface_points(trace: HairTrace) -> Float[Tensor, "ray 3"]:
    """Where each ray meets hair on average, plane coordinates."""
    away = chart.short_way(trace.planes - trace.mean_planes[:, None])
    return trace.mean_planes + (trace.weight[..., None] * away).sum(1) / trace.alpha.clamp(min=1e-3)[:, None]
