"""Where hidden hair ends. Beside the neck a photo shows how far hair hangs; behind neck and jaw it shows
nothing, and there a height field that explains the rest of the photo may hang in tufts."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.curves import smoothstep
from mien.inversion.clothes import HAIR_FROM, clothes_of
from mien.inversion.evidence import PhotoEvidence, touching
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
UNDER_SKIN: Final = -0.03
"""Outer surface of hair where there is none."""


def end_of_hair(evidence: PhotoEvidence, carrier: Carrier) -> float | None:
    """The lowest height that hair reaches, on the template head, EG3D units.

    None if the photo does not show what is below: hair may hang further than it shows.
    """
    height, width = evidence.shape
    points = _through_axis(evidence)
    y = carrier.to_canonical(points)[..., 1].view(height, width).numpy()
    above_chin = y - carrier.model.chin_y(carrier.model.mean)
    clothes = clothes_of(evidence, above_chin, points[:, 0].abs().view(height, width).numpy())
    hair, alpha = (t.view(height, width).numpy() for t in (evidence.hair, evidence.alpha))
    seen = (hair > 0.5) & (alpha > 0.9) & (clothes < 0.5)
    ball = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * max(round(THICK * max(height, width)), 1) + 1,) * 2
    )
    thick = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, ball) > 0
    of_head = np.sort(above_chin[touching(thick, thick & (above_chin > HAIR_FROM))])
    pixel = float((points.view(height, width, 3)[0, 1] - points.view(height, width, 3)[0, 0]).square().sum())
    stray = int(STRAY / pixel)
    end = min(float(of_head[stray]) - BELOW, NAPE) if stray < len(of_head) else NAPE
    return end + float(y.flat[0] - above_chin.flat[0]) if above_chin.min() < end - TAPER else None


def ended(shape: HairShape, end: float | None) -> HairShape:
    """Hair that thins out towards a height on the template head, and does not go on below it."""
    if end is None:
        return shape
    v = (torch.arange(shape.height.shape[0]) + 0.5) / shape.height.shape[0] * 2 - 1
    y = chart.CENTRE_Y + chart.unchart_uv(torch.stack([torch.zeros_like(v), v], 1))[:, 1]
    left = torch.where(v > chart.V_BODY[0], smoothstep(y, end, end + TAPER), 1)[:, None]
    return replace(
        shape, height=torch.minimum(shape.height, torch.lerp(torch.tensor(UNDER_SKIN), shape.height, left))
    )


def _through_axis(evidence: PhotoEvidence) -> Float[Tensor, "pixel 3"]:
    """Where the pixels' rays meet the plane through the head's axis that faces the camera."""
    ahead = evidence.camera.R_world_camera[:, 2]
    axis = torch.tensor([0.0, 0.0, chart.AXIS_Z])
    distance = ((axis - evidence.origins) @ ahead) / (evidence.directions @ ahead)
    return evidence.origins + evidence.directions * distance[:, None]
