"""A closed-over-the-head surface from a height field on the chart."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.morphable import chart
from mien.morphable.carry import chart_grid, surface_points
from mien.morphable.model import MorphableModel


@dataclass(frozen=True, eq=False)
class Shell:
    """Surface of a height field. N x N grid vertices, T triangles."""

    vertices: Float[Tensor, "grid 3"]
    """On the template head, EG3D units."""
    faces: np.ndarray  # int32 [T, 3]
    corners: np.ndarray  # float32 [T, 3, 3], plane coordinates, unwrapped across the seam


def height_shell(
    model: MorphableModel, height: Float[Tensor, "n n"], lowest: float, *, visible_v: float = chart.V_BODY[0]
) -> Shell:
    """Surface at `height` above the smooth body, without the quads that lie below `lowest` everywhere."""
    n = height.shape[0]
    uv = chart_grid(n)
    vertices = surface_points(model, uv, height).reshape(-1, 3)
    row, col = np.meshgrid(np.arange(n - 1), np.arange(n), indexing="ij")
    a, b = row * n + col, row * n + (col + 1) % n
    quads = np.stack([a, b, b + n, a + n], -1).reshape(-1, 4)
    allowed = (uv[..., 1].numpy().reshape(-1)[quads] > visible_v).all(1)
    quads = quads[(height.numpy().reshape(-1)[quads] > lowest).any(1) & allowed]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    planes = torch.cat([uv.reshape(-1, 2), chart.height_coordinate(height).reshape(-1, 1)], 1).numpy()
    corners = planes[faces]
    wraps = np.ptp(corners[:, :, 0], axis=1) > 1
    corners[wraps, :, 0] += 2 * (corners[wraps, :, 0] < 0)
    return Shell(vertices, faces, corners.astype(np.float32))
