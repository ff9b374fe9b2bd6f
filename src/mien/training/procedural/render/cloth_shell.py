"""Cloth as a thin shell above the body, cut along its neckline."""

from typing import Final

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.factors import ClothesLook
from mien.training.procedural.render.posed import Surface

ABOVE: Final = 0.05
"""The shell's triangles reach this far above the neckline; its mask cuts them."""
STAND: Final = {"crew": 0.2, "v_neck": 0.1, "shirt": 0.7, "turtleneck": 0.6, "hoodie": 1.2, "scoop": 0.0}
"""How much thicker than the cloth its collar is."""


def cloth_faces(model: MorphableModel, look: ClothesLook) -> np.ndarray:
    """Indices of the body's triangles that the shell copies."""
    y = model.mean.numpy()[:, 1]
    body = model.part_faces("body").numpy()
    return np.flatnonzero(body & (y[model.faces_np] < look.line_y + ABOVE).all(1))


def cloth_shell(model: MorphableModel, body: Surface, look: ClothesLook, faces: np.ndarray) -> Surface:
    """The shell of some of the body's triangles (indices): the same vertices, lifted along their normals."""
    below = look.line_y - model.mean.numpy()[:, 1]
    collar = np.exp(-((np.clip(below, 0, None) / 0.05) ** 2))
    lift = look.thickness * (1 + STAND[look.neckline] * collar)
    vertices = body.vertices + body.normals * lift[:, None].astype(np.float32)
    return Surface(
        vertices.astype(np.float32),
        body.normals,
        np.ascontiguousarray(body.faces[faces]),
        body.sky,
        np.ascontiguousarray(body.grad_u[faces]),
        np.ascontiguousarray(body.grad_v[faces]),
    )
