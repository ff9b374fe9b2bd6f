"""Rays of a picture in compiled loops, for planes on the CPU; plainly: `render._render_rays`."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.core.compiled import has_numba
from mien.generator.bodycolours import SAME
from mien.generator.decoder import BODY_RGB
from mien.generator.fastbeard import fast_beard
from mien.generator.fasthair import march_hair
from mien.generator.hairtables import HairTables
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.posed import HairShell, PosedHead
from mien.generator.shellmarch import UNSEEN
from mien.morphable.pixels import CompiledPixelScene, first_hits
from mien.morphable.zbuffer import ray_of_pixel

MISSED_ALPHA: Final = 1e-3


def can_be_fast(planes: Planes, shell: HairShell | None) -> bool:
    """Whether `fast_rays` can be used."""
    return has_numba() and planes.uv.device.type == "cpu" and (shell is None or shell.tables is not None)


def fast_rays(
    generator: Generator, planes: Planes, head: PosedHead, camera: Camera, size: tuple[int, int],
    keep: Int[Tensor, " ray"], shell: HairShell | None,
) -> Float[Tensor, "ray column"]:  # fmt: skip
    """One ray through the middle of each of some pixels of a picture of `size` (height, width)."""
    from mien.generator.kernels.body import colour, compose

    height_px, width_px = size
    vertices, model = torch.from_numpy(head.vertices), head.model
    body = first_hits(vertices, model.faces, camera, height_px, width_px, keep)
    count = len(keep)
    hair = np.zeros((count, 5), np.float32)
    if shell is not None and shell.tables is not None:
        hair = fast_hair(shell, shell.tables, head, camera, size, keep, torch.from_numpy(body.depth)).numpy()
    carried = np.zeros((len(head.vertices), 0), np.float32) if head.carried is None else head.carried
    out = np.empty((count, 9 + carried.shape[1]), np.float32)
    index, added = np.empty(count, np.int64), np.empty((count, 3), np.float32)
    features = np.empty((count, planes.uv.shape[1]), np.float32)
    seen = compose(
        body.face, body.barycentric, body.depth, hair, model.canonical_corners.numpy(), model.faces_np,
        carried, *planes.body_tables, SAME, UNSEEN, MISSED_ALPHA, out, index, features, added,
    )  # fmt: skip
    with torch.no_grad():  # of what is not in the planes' table
        network = generator.decoder.layers(torch.from_numpy(features[:seen]))[:, BODY_RGB].contiguous()
    colour(index, features, added, network.numpy(), out)
    if head.beard is not None:
        fast_beard(generator, planes, head.beard, camera, size, keep, body.depth, hair, out)
    return torch.from_numpy(out)


def fast_hair(
    shell: HairShell, tables: HairTables, head: PosedHead, camera: Camera, size: tuple[int, int],
    keep: Int[Tensor, " ray"], depth: Float[Tensor, " ray"],
) -> Float[Tensor, "ray 5"]:  # fmt: skip
    """`march_shell` for the rays through some pixels, before the depth of the body."""
    faces = torch.from_numpy(shell.shell.faces).long()
    hull = CompiledPixelScene(shell.posed_vertices(head), faces, camera, *size, pixels=keep)
    return march_hair(tables, hull, head, keep, camera.position, _directions(camera, size, keep), depth)


def _directions(camera: Camera, size: tuple[int, int], keep: Int[Tensor, " ray"]) -> Float[Tensor, "ray 3"]:
    from mien.generator.kernels.body import directions_of

    ray = camera.R_world_camera.double() @ ray_of_pixel(camera, *size)
    out = np.empty((len(keep), 3), np.float32)
    directions_of(keep.numpy(), size[1], ray.numpy(), out)
    return torch.from_numpy(out)
