"""The loose hairs of a beard, seen through one another in layers, before the body and behind the hair.

Each layer shows strands that are long enough to reach it: cells of a fixed noise over the chart, longer than
wide, each of its own length. Only where a surface is seen edge-on do they part (the fins of Lengyel et al.
2001 end there as well): seen from the front they would smear what the photo shows of a beard.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.planes import lookup, unwrapped, wrap
from mien.morphable.beard import LAYERS, PosedBeard
from mien.morphable.pixels import first_hits
from mien.morphable.raster import Hits, RayScene, interpolate, interpolate_corners, vertex_normals

CELLS: Final = ((256, 64, 0.65), (96, 24, 0.35))
"""Cells of strands across and along the chart, and their part in a strand's length: hairs and tufts."""
SOFT: Final = 0.3
"""Over what share of the loose part a strand's end fades."""
THIN: Final = (5e-4, 3e-3)
"""Length of the loose part between which strands begin to count, EG3D units."""
EDGE_ON: Final = (0.35, 0.65)
"""Cosines between surface and view between which strands cease to part."""
LEAST_SEEN: Final = 0.004
"""What weighs less is not coloured."""
FAR: Final = 10.0
"""Distance that stands for that of what is missed, which weighs nothing."""
COLOUR, ALPHA, DEPTH, PLACE, HAIR, CARRIED = slice(0, 3), 3, 4, slice(5, 8), 8, slice(9, None)
"""Columns of a picture's rays, see `render`."""

Colours = Callable[[Float[Tensor, "sample 3"]], Float[Tensor, "sample 3"]]
"""The body's colours at plane coordinates."""


@lru_cache(maxsize=1)
def strand_table() -> Float[Tensor, "1 1 v u"]:
    """Lengths of strands over the chart, spread evenly over [0, 1]; `wrap`ped."""
    random = torch.Generator().manual_seed(0)
    across, along, _ = CELLS[0]
    total = torch.zeros(1, 1, along * 4, across * 4)
    for columns, rows, part in CELLS:
        noise = torch.rand(1, 1, rows, columns, generator=random)
        total += part * torch.nn.functional.interpolate(
            noise, total.shape[-2:], mode="bicubic", align_corners=False
        )
    rank = total.flatten().argsort().argsort().float() / (total.numel() - 1)
    return wrap(rank.view(total.shape))


def strand_length(uv: Float[Tensor, "point 2"]) -> Float[Tensor, " point"]:
    """Of the strand at a place of the chart, as a share of the loose part."""
    u = torch.remainder(uv[:, 0] + 1, 2) - 1
    return lookup(strand_table(), unwrapped(u, strand_table())[None], uv[None, :, 1])[0, :, 0]


def layer_alpha(uv: Float[Tensor, "point 2"], height: float) -> Float[Tensor, " point"]:
    """Of a layer at a share of the loose part, where all strands count."""
    return smoothstep((strand_length(uv) - height) / SOFT, -0.5, 0.5)


def strand_share(posed: PosedBeard, eye: Float[Tensor, "3"]) -> Float[np.ndarray, "vertex 1"]:
    """How far strands count at the layers' vertices, seen from a place."""
    outer = posed.layers[-1]
    view = torch.nn.functional.normalize(torch.from_numpy(outer) - eye, dim=1)
    cosine = (torch.from_numpy(vertex_normals(outer, posed.beard.faces)) * view).sum(1).abs()
    share = smoothstep(torch.from_numpy(posed.beard.length)[:, 0], *THIN)
    return (share * (1 - smoothstep(cosine.float(), *EDGE_ON)))[:, None].numpy()


def edge_on(posed: PosedBeard, share: Float[np.ndarray, "vertex 1"]) -> PosedBeard:
    """A beard with only the triangles where strands count."""
    beard = posed.beard
    some = (share[beard.faces, 0] > LEAST_SEEN).any(1)
    return replace(posed, beard=replace(beard, faces=beard.faces[some], corners=beard.corners[some]))


def layer_hits(
    posed: PosedBeard, camera: Camera, size: tuple[int, int], keep: Int[Tensor, " ray"]
) -> list[Hits]:
    """First hits of the layers, the outermost last, of the rays through some pixels of a picture."""
    faces = torch.from_numpy(posed.beard.faces).long()
    return [first_hits(torch.from_numpy(layer), faces, camera, *size, keep) for layer in posed.layers]


def layer_casts(posed: PosedBeard, origins: np.ndarray, directions: np.ndarray) -> list[Hits]:
    """`layer_hits` of any rays, by ray casting: the reference."""
    return [RayScene(layer, posed.beard.faces).cast(origins, directions) for layer in posed.layers]


def lay_beard(
    columns: Float[Tensor, "ray column"], hair: Float[Tensor, "ray 5"], body_depth: Float[Tensor, " ray"],
    posed: PosedBeard, hits: Sequence[Hits], share: Float[np.ndarray, "vertex 1"], colours: Colours,
) -> Float[Tensor, "ray column"]:  # fmt: skip
    """The rays of a picture with a beard's layers between body and hair (`march_shell`).

    Where the body is missed, the heaviest layer says what is seen there. Elsewhere places and distance stay
    those of the body: so the surface is smooth. `share`: see `strand_share`.
    """
    count, beard = len(columns), posed.beard
    left, weight, moment = torch.ones(count), torch.zeros(LAYERS, count), torch.zeros(count)
    places, colour = torch.zeros(LAYERS, count, 3), torch.zeros(count, 3)
    for k in range(LAYERS - 1, -1, -1):
        places[k] = torch.from_numpy(interpolate_corners(beard.corners, hits[k]))
        counts = torch.from_numpy(interpolate(share, beard.faces, hits[k])).float()[:, 0]
        distance = torch.from_numpy(hits[k].depth)
        alpha = layer_alpha(places[k, :, :2], (k + 1) / LAYERS) * counts * (distance < body_depth)
        weight[k] = left * alpha
        moment += weight[k] * distance.clamp(max=FAR)
        left *= 1 - alpha
    layer, ray = torch.nonzero(weight > LEAST_SEEN, as_tuple=True)
    colour.index_add_(0, ray, weight[layer, ray, None] * colours(places[layer, ray]))
    return _between(columns, hair, colour, weight, moment, places, posed, hits)


def _between(
    columns: Tensor, hair: Tensor, colour: Tensor, weight: Tensor, moment: Tensor, places: Tensor,
    posed: PosedBeard, hits: Sequence[Hits],
) -> Float[Tensor, "ray column"]:  # fmt: skip
    """Layers of which `weight` [layer, ray] is seen, with their colour and distance weighted by it."""
    out, covered = columns.clone(), weight.sum(0)
    through, left = 1 - hair[:, 3], 1 - covered
    body = (columns[:, ALPHA] - hair[:, 3]).clamp(min=0)
    out[:, COLOUR] = (
        hair[:, :3] + left[:, None] * (columns[:, COLOUR] - hair[:, :3]) + through[:, None] * colour
    )
    out[:, ALPHA] = hair[:, 3] + left * body + through * covered
    alone = torch.nonzero((body <= 0) & (covered > 0))[:, 0]
    out[alone, DEPTH] = (hair[:, 4] + through * moment)[alone] / out[alone, ALPHA].clamp(min=1e-6)
    heaviest = weight[:, alone].argmax(0)
    out[alone, PLACE] = places[heaviest, alone]
    for k, carried in enumerate(posed.carried or ()):
        some = alone[heaviest == k]
        found = interpolate(carried, posed.beard.faces, hits[k].of(some.numpy()))
        out[some, CARRIED] = torch.from_numpy(found).float()
    return out
