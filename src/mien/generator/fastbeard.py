"""The layers of a beard in compiled loops; plainly: `beardlayers.lay_beard`."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.beardlayers import LEAST_SEEN, SOFT, edge_on, strand_share, strand_table
from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes, channels_last
from mien.morphable.beard import LAYERS, PosedBeard
from mien.morphable.pixels import CompiledPixelScene


def fast_beard(
    generator: Generator, planes: Planes, posed: PosedBeard, camera: Camera, size: tuple[int, int],
    keep: Int[Tensor, " ray"], body_depth: Float32[np.ndarray, " ray"], hair: Float32[np.ndarray, "ray 5"],
    out: Float32[np.ndarray, "ray column"],
) -> None:  # fmt: skip
    """Lay a beard over `out`, the rays through some pixels of a picture of `size` (height, width)."""
    from mien.generator.kernels.beard import lay, weigh

    share = strand_share(posed, camera.position)
    beard = edge_on(posed, share).beard
    if len(beard.faces) == 0:
        return
    vertices = torch.from_numpy(np.concatenate(posed.layers))
    scene = CompiledPixelScene(vertices, _repeated(beard.faces, len(share)), camera, *size, pixels=keep)
    count = min(scene.count, LAYERS * len(keep))
    rays, weights = np.empty(count, np.int64), np.empty(count, np.float32)
    features, added = np.empty((count, planes.uv.shape[1]), np.float32), np.empty((count, 3), np.float32)
    carried = np.zeros((1, 0), np.float32) if posed.carried is None else np.concatenate(posed.carried)
    seen = weigh(
        keep.numpy(), scene.picture, scene.newest, scene.before, scene.face, scene.distance, body_depth, hair,
        LAYERS, beard.corners, share, _strands(), np.float32(SOFT), np.float32(LEAST_SEEN),
        carried, planes.body_tables, out, rays, weights, features, added,
    )  # fmt: skip
    if seen == 0:
        return
    with torch.no_grad():
        network = generator.decoder.layers(torch.from_numpy(features[:seen]))[:, BODY_RGB].contiguous()
    lay(rays, weights, features, added, network.numpy(), out)


@lru_cache(maxsize=1)
def _strands() -> Float32[np.ndarray, "v u 1"]:
    return channels_last(strand_table())


def _repeated(faces: np.ndarray, vertices: int) -> Int[Tensor, "face 3"]:
    """The triangles of one layer for all of them, whose vertices follow one another."""
    return torch.from_numpy(np.concatenate([faces + k * vertices for k in range(LAYERS)])).long()
