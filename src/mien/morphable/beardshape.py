"""Where a beard grows on the head model and how it falls: its form from what it hides and how long it is."""

from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.curves import smoothstep
from mien.morphable.beard import LEAST, Tips
from mien.morphable.carry import sample_chart
from mien.morphable.landmarks import LIPS_OUTER
from mien.morphable.model import MorphableModel
from mien.morphable.raster import vertex_normals
from mien.morphable.regions import azimuth_and_height, inside_polygon, landmark_uv, on_face

AREA: Final = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
               323, 454, 447, 345, 352, 411, 425, 426, 327, 2, 98, 206, 205, 187, 123, 116, 227)  # fmt: skip
"""Landmarks around the largest beard on a face, from ear to ear over the cheeks."""
JAW: Final = (-0.17, 0.00085)
"""Height of the jaw's edge in front, and how much it rises with every degree to the side; as `JAW_HEIGHT`."""
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


@lru_cache(maxsize=1)
def beard_area(model: MorphableModel) -> tuple[Float[Tensor, "vertex 2"], Float[Tensor, " vertex"]]:
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


def beard_tips(
    skin: Float[Tensor, "vertex 3"], cover: Float[Tensor, "size size"], hang: float, model: MorphableModel
) -> Tips | None:
    """Ends of the hairs on `skin` at rest; None if nothing stands off it.

    `cover` says over the chart how far a beard hides the skin, 0 to 1, `hang` how far below the chin it is
    seen, EG3D units.

    A beard that hangs lower is thicker, and from the chin it falls down.
    """
    uv, area = beard_area(model)
    thick = smoothstep(sample_chart(cover[None], uv)[:, 0], 0.3, 0.8) * area
    for _ in range(SMOOTHINGS):
        thick = _spread(thick, model.faces) * (area > 0)
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
