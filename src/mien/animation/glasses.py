"""Glasses before a head: drawn over what a render shows of it, behind what lies before them.

They are rigid with the head. Each pixel is covered as far as its finer samples meet the glasses before the
body; hair hides them where it is nearer. Near the photo's pose they are the photo's own pixels, as on a sheet
in the plane of the lenses, which turns with the head; from `CARD_DEG` on they are triangles alone.
"""

import math
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.animation.detail import turn_of
from mien.animation.wornlayer import WornLayer, WornPhoto, box_of, moved
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.render import PosedHead, RenderOutput
from mien.inversion.evidence import region_camera
from mien.morphable.pixels import first_hits
from mien.morphable.raster import interpolate
from mien.morphable.worn import WornGlasses

FINE: Final = 3
"""Samples along each side of a pixel."""
SUNK: Final = 0.006
"""How far behind the body's surface glasses may lie and be seen, EG3D units: arms press on temples."""
LEAST_HAIR: Final = 0.02
CARD_DEG: Final = (3.0, 14.0)
"""Turns of the view from the photo's between which the photo's own pixels give way to triangles."""


def draw_glasses(
    worn: WornGlasses, head: PosedHead, camera: Camera, out: RenderOutput, photo: WornPhoto | None = None
) -> WornLayer | None:
    """The glasses as `out`, the camera's render of the head without them, leaves them to be seen.

    Without the `photo` they are triangles from everywhere.
    """
    card = 0.0
    if photo is not None:
        turn_deg = math.degrees(turn_of(photo.camera, camera, head.motion))
        card = 1 - float(smoothstep(torch.tensor(turn_deg), *CARD_DEG))
    height, width = out.alpha.shape
    vertices = moved(worn, head)
    box = box_of(camera, vertices, (height, width))
    if box is None:
        return None
    x0, y0, x1, y1 = box
    part = region_camera(camera, (width, height), box)
    rows, columns = y1 - y0, x1 - x0
    fine = rows * FINE, columns * FINE
    hits = first_hits(vertices, worn.faces, part, *fine, torch.arange(fine[0] * fine[1]))
    met = np.flatnonzero(hits.hit)
    body_depth = np.full(len(hits.depth), np.inf, np.float32)
    if len(met):
        body = first_hits(
            torch.from_numpy(head.vertices), head.model.faces, part, *fine, torch.from_numpy(met)
        )
        body_depth[met] = np.where(body.hit, body.depth, np.inf)
    rgba = interpolate(worn.rgba.numpy(), worn.faces.numpy(), hits).astype(np.float32)
    shown = torch.from_numpy(hits.hit & (hits.depth < body_depth + SUNK)).float()
    samples = torch.from_numpy(rgba)
    alpha = samples[:, 3] * shown
    columns_of = torch.stack(
        [*(samples[:, :3] * alpha[:, None]).T, alpha, torch.from_numpy(hits.depth) * alpha,
         torch.from_numpy(np.where(np.isfinite(body_depth), body_depth, 0.0)) * alpha]
    )  # fmt: skip
    small = torch.nn.functional.avg_pool2d(columns_of.view(1, 6, *fine), FINE)[0]
    share = small[3]
    depth, behind = (small[k] / share.clamp(min=1e-6) for k in (4, 5))
    inner = _cropped(out, box)
    seen = 1 - hair_before(inner, depth, behind)
    layer = WornLayer(
        box, small[:3].permute(1, 2, 0) * seen[..., None], share * seen, depth * (share * seen > 0)
    )
    return layer if photo is None or card == 0 else _with_card(layer, worn, head, part, photo, card)


def _with_card(
    layer: WornLayer, worn: WornGlasses, head: PosedHead, part: Camera, photo: WornPhoto, card: float
) -> WornLayer:
    """Triangles and, by the share `card`, the photo's pixels that show glasses, in the lenses' plane."""
    rows, columns = layer.alpha.shape
    rays = part.rays(rows, columns)  # one a pixel: at the photo's pose that gives its own pixels
    eye, ahead = rays.origins, rays.directions
    if head.motion is not None:
        m = head.motion
        eye = (eye - m.joint - m.translation) @ m.R_chest_head + m.joint
        ahead = ahead @ m.R_chest_head
    away = (worn.vertices[:, 2].median() - eye[..., 2]) / ahead[..., 2]
    uv = photo.camera.project(eye + away[..., None] * ahead).uv
    found = torch.nn.functional.grid_sample(photo.rgba, (uv * 2 - 1)[None], align_corners=False)
    small = (found * (away > 0))[0]
    alpha = torch.lerp(layer.alpha, small[3], card)
    depth = torch.where(layer.depth > 0, layer.depth, away) * (alpha > 0)
    return WornLayer(
        layer.box_px, torch.lerp(layer.rgb, small[:3].permute(1, 2, 0), card), alpha, depth
    )  # fmt: skip


def hair_before(
    out: RenderOutput, depth: Float[Tensor, "height width"], behind: Float[Tensor, "height width"]
) -> Float[Tensor, "height width"]:
    """Share of glasses at a depth that hair hides; `behind` is the body's depth there, 0 where it has none.

    A render knows the mean depth of hair and body; with that of the body follows the hair's.
    """
    hair, body = out.hair_alpha, (out.alpha - out.hair_alpha).clamp(min=0)
    known = torch.where(behind > 0, body, torch.zeros_like(body))
    own = (out.depth * (hair + known) - known * behind) / hair.clamp(min=LEAST_HAIR)
    return hair * ((hair > LEAST_HAIR) & (own < depth)).float()


def _cropped(out: RenderOutput, box: tuple[int, int, int, int]) -> RenderOutput:
    x0, y0, x1, y1 = box
    names = ("rgb", "alpha", "depth", "planes", "hair_alpha", "carried")
    return RenderOutput(*(getattr(out, name)[y0:y1, x0:x1] for name in names))
