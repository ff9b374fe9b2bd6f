"""Where hidden hair ends. Beside the neck a photo shows how far hair hangs; behind neck and jaw it shows
nothing, and there a height field that explains the rest of the photo may hang in tufts."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from mien.core.curves import smoothstep
from mien.generator.planes import lookup
from mien.generator.texels import splat
from mien.inversion.clothes import HAIR_FROM, clothes_of
from mien.inversion.evidence import PhotoEvidence, ball_of, touching
from mien.inversion.hair import planes_along, row_places
from mien.inversion.hairprior import HairShape
from mien.morphable import chart
from mien.morphable.carry import Carrier

STRAY: Final = 0.002
"""Area of hair that may be seen below its end, squared EG3D units: tips and what is taken for hair."""
THICK: Final = 0.008
"""Half width of a lock that counts, in sides of the region."""
BELOW: Final = 0.04
"""How far below what is seen of it hidden hair ends, EG3D units."""
NAPE: Final = 0.05
"""Height over the chin, a little below that of the mouth, down to which hair grows on every nape."""
TAPER: Final = 0.1
"""Height over which hair thins out towards its end."""
RAYS: Final = 4000
"""Pixels of clothes that are looked at."""
SAMPLES: Final = 48
AROUND: Final = 1
"""Texels around those that show clothes that belong to them."""
UNDER_SKIN: Final = -0.03
"""Outer surface of hair where there is none."""


@dataclass(frozen=True, eq=False)
class AxisPlane:
    """What a photo's pixels show, as if it lay in the plane through the head's axis facing the camera."""

    points: Float[Tensor, "height width 3"]
    above_chin: Float32[np.ndarray, "height width"]
    """Heights on the template head, as `chin_y`."""
    chin_y: float


def axis_plane(evidence: PhotoEvidence, carrier: Carrier) -> AxisPlane:
    """Where the pixels' rays meet it."""
    ahead = evidence.camera.R_world_camera[:, 2]
    axis = torch.tensor([0.0, 0.0, chart.AXIS_Z])
    distance = ((axis - evidence.origins) @ ahead) / (evidence.directions @ ahead)
    points = evidence.origins + evidence.directions * distance[:, None]
    chin_y = carrier.model.chin_y(carrier.model.mean)
    y = carrier.to_canonical(points)[:, 1].view(evidence.shape).numpy()
    return AxisPlane(points.view(*evidence.shape, 3), np.asarray(y - np.float32(chin_y)), chin_y)


def seen_clothes(evidence: PhotoEvidence, plane: AxisPlane) -> Float32[np.ndarray, "height width"]:
    """1 where what counts as hair is clothes, see `clothes_of`."""
    return clothes_of(evidence, plane.above_chin, plane.points[..., 0].abs().numpy())


def end_of_hair(
    evidence: PhotoEvidence, plane: AxisPlane, clothes: Float32[np.ndarray, "height width"]
) -> float | None:
    """The lowest height that hair reaches, on the template head, EG3D units.

    None if the photo does not show what is below: hair may hang further than it shows.
    """
    hair, alpha = (t.view(evidence.shape).numpy() for t in (evidence.hair, evidence.alpha))
    seen = (hair > 0.5) & (alpha > 0.9) & (clothes < 0.5)
    thick = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, ball_of(evidence, THICK)) > 0
    of_head = np.sort(plane.above_chin[touching(thick, thick & (plane.above_chin > HAIR_FROM))])
    stray = int(STRAY / float((plane.points[0, 1] - plane.points[0, 0]).square().sum()))
    end = min(float(of_head[stray]) - BELOW, NAPE) if stray < len(of_head) else NAPE
    return end + plane.chin_y if plane.above_chin.min() < end - TAPER else None


def worn_texels(
    evidence: PhotoEvidence, carrier: Carrier, clothes: Float32[np.ndarray, "height width"],
    height: Float[Tensor, "v u"],
) -> Float[Tensor, "v u"]:  # fmt: skip
    """1 where hair of a height field over the chart is what the photo shows of clothes: their volume."""
    pixels = torch.nonzero(torch.from_numpy(clothes).view(-1) > 0.5)[:, 0]
    pixels = pixels[:: max(1, len(pixels) // RAYS)]
    planes, _ = planes_along(evidence, pixels, carrier, SAMPLES)
    outer = lookup(height[None, None], *planes[..., :2].reshape(1, -1, 2).unbind(-1))[0, :, 0]
    meets = (outer.view(planes.shape[:2]) > chart.height_of(planes[..., 2])) & (planes[..., 2].abs() < 1)
    first = planes[torch.arange(len(pixels)), meets.int().argmax(1), :2][meets.any(1)]
    size = height.shape[0]
    amount = splat(first, torch.zeros(len(first), 0), torch.ones(len(first)), size)[1]
    return torch.nn.functional.max_pool2d((amount > 0).float()[None], 2 * AROUND + 1, 1, AROUND)[0]


def ended(shape: HairShape, end: float, worn: Float[Tensor, "v u"]) -> HairShape:
    """Hair that thins out towards a height on the template head and does not go on below, but for clothes."""
    v, arc = row_places(shape.height.shape[0])
    y = chart.CENTRE_Y + arc
    left = torch.where(v > chart.V_BODY[0], smoothstep(y, end, end + TAPER), 1)[:, None]
    thinner = torch.lerp(torch.tensor(UNDER_SKIN), shape.height, torch.maximum(left, worn))
    return replace(shape, height=torch.minimum(shape.height, thinner))
