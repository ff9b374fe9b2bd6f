"""A procedural head as maps over the chart: body, cloth and hair in colour, with and without the light."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from mien.core.camera import Camera
from mien.generator.samples import rest_expression
from mien.morphable import chart
from mien.morphable.model import PARTS, MorphableModel
from mien.training.hairmaps import LEAST_OPACITY, HairMaps, hair_maps
from mien.training.procedural.atlas import rasterise_chart
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import Layer
from mien.training.procedural.render.kernels import attributes
from mien.training.procedural.render.scene import Scene, Sitter, pose
from mien.training.procedural.render.shadow import Shadows
from mien.training.procedural.render.surfaces import look_up, shade_layer
from mien.training.procedural.response import Response, photograph
from mien.training.procedural.strands.base import StrandKind, Strands
from mien.training.procedural.strands.raster import StrandHits
from mien.training.procedural.strands.shade import shade_strands

WORN: Final = 0.5
"""Share of cloth from which on a texel shows it."""
FALL: Final = 1.5
LEAST_HEIGHT: Final = -0.08
"""Beyond its edge the hair's height falls by `FALL` per unit of way along the chart, to the least one."""
SEEN_IN_MOUTH: Final = {"teeth_upper": 0.55, "teeth_lower": 0.5, "tongue": 0.35, "mouth": 0.12}
"""Share of light in an open mouth, by part: at rest it would be dark there."""
SMOOTH: Final = 2.5
"""Standard deviation of the blur of hair's height and opacity, texels of 512."""
MOST_PIECES: Final = 1_500_000
LIT, WHITE = slice(0, 3), slice(3, 6)
FRONT: Final = Camera.orbit(0.0, 0.0)


@dataclass(frozen=True, eq=False)
class ChartMaps:
    """Maps of N x N texels; row 0 is v = -1. Colours are those of pictures, in [0, 1]."""

    body: np.ndarray
    """float32 [N, N, 3], body and what is worn on it, as lit."""
    body_albedo: np.ndarray
    """float32 [N, N, 3], under white light from everywhere."""
    clothed: np.ndarray
    """float32 [N, N], 1 where cloth lies."""
    hair: np.ndarray
    """float32 [N, N, 3], of the head, as lit; 0 where there is none."""
    hair_albedo: np.ndarray
    """float32 [N, N, 3]."""
    height: np.ndarray
    """float32 [N, N], outer surface of the hair above the smooth body, EG3D units."""
    opacity: np.ndarray
    """float32 [N, N], share of light that it keeps from the body."""


def chart_maps(
    sitter: Sitter, size: int, *, light: Light | None = None, response: Response | None = None, fine: int = 1
) -> ChartMaps:
    """Maps of a person at rest; the inside of the mouth is lit about as when the jaw opens.

    Brows, lashes and beard are on the body's colours. Lit as the person's light does, or `light`; pictured by
    the camera `response` without its blur and noise. Strands are cut into `fine` pieces a texel.
    """
    light, response = light or sitter.person.light, response or Response()
    response = Response(response.exposure, response.temperature, response.curve, response.contrast)
    scene = pose(sitter, rest_expression().numpy())
    shadows = scene.shadows(light)
    body = _surface_colours(scene, shadows, light, size)
    on_head = scene.strands.kind == StrandKind.HAIR
    hair, grown = (
        strand_maps(scene, scene.strands.of(which), light, shadows, size, fine=fine)
        for which in (on_head, ~on_head)
    )
    body = body + grown.opacity[..., None] * (grown.rgb - body)
    clothed = _worn(scene, size).reshape(size, size).astype(np.float32)
    pictures = [_picture(image[..., part], response) for image in (body, hair.rgb) for part in (LIT, WHITE)]
    height, opacity = smoothed(hair.height, hair.opacity)
    return ChartMaps(
        pictures[0], pictures[1], clothed, pictures[2], pictures[3], falling(height, opacity), opacity
    )


def face_colours(
    sitter: Sitter, expression: np.ndarray, size: int, *, response: Response | None = None
) -> np.ndarray:
    """Colours float32 [size, size, 3] of a person's body in an expression [52], as in `ChartMaps.body` but
    without strands."""
    light, response = sitter.person.light, response or Response()
    response = Response(response.exposure, response.temperature, response.curve, response.contrast)
    scene = pose(sitter, expression)
    body = _surface_colours(scene, scene.shadows(light), light, size)
    return _picture(body[..., LIT], response)


def hair_colours(sitter: Sitter, size: int, *, light: Light, fine: int = 1) -> HairMaps:
    """The hair alone of `chart_maps`, as a clean camera pictures it in a light."""
    scene = pose(sitter, rest_expression().numpy())
    on_head = scene.strands.of(scene.strands.kind == StrandKind.HAIR)
    hair = strand_maps(scene, on_head, light, scene.shadows(light), size, fine=fine)
    height, opacity = smoothed(hair.height, hair.opacity)
    return HairMaps(_picture(hair.rgb[..., LIT], Response()), falling(height, opacity), opacity)


def _surface_colours(scene: Scene, shadows: Shadows, light: Light, size: int) -> np.ndarray:
    """Linear radiance and albedo float32 [size, size, 6] of body and cloth."""
    layer = chart_layer(scene, size)
    lit = shadows.on_surfaces(layer.xyz, layer.normals).astype(np.float32)
    part = scene.part[layer.face]
    for name, share in SEEN_IN_MOUTH.items():
        inside = part == PARTS.index(name)
        layer.sky[inside], lit[inside] = share, share
        layer.normals[inside] = _forward(layer.normals[inside])
    radiance = shade_layer(scene, layer, light, FRONT, lit, size).radiance
    return np.concatenate([radiance, look_up(scene, layer)[0][:, :3]], 1).reshape(size, size, 6)


def _forward(normals: np.ndarray) -> np.ndarray:
    """Unit normals [N, 3] leaning to the front."""
    out = 0.5 * normals * np.sign(normals[:, 2:] + 1e-6) + np.array([0, 0, 0.8], np.float32)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), dtype=np.float32)


def chart_layer(scene: Scene, size: int) -> Layer:
    """The surface over the chart: cloth where it lies, the body elsewhere; every texel in row-major order."""
    face, bary = _texel_faces(scene.sitter.model, size)
    above = _cloth_above(scene)
    face = np.where(_worn(scene, size), above[face], face).astype(np.int32)
    pile, n = scene.pile, len(face)
    xyz, normals, uv = (np.empty((n, 3), np.float32) for _ in range(3))
    sky = np.empty(n, np.float32)
    attributes(
        face, bary, pile.faces, pile.vertices, pile.normals, pile.sky, scene.corners, xyz, normals, sky, uv
    )
    eye = FRONT.position.numpy().astype(np.float32)
    return Layer(np.arange(n), face, xyz, normals, sky, uv, np.linalg.norm(xyz - eye, axis=1))


def _cloth_above(scene: Scene) -> np.ndarray:
    """Triangle of the cloth over each of the body's, int32 [F]; -1 where there is none."""
    above = np.full(len(scene.body.faces), -1, np.int32)
    above[scene.sitter.cloth] = len(scene.body.faces) + np.arange(len(scene.sitter.cloth))
    return above


def _worn(scene: Scene, size: int) -> np.ndarray:
    """Texels under cloth, bool [size * size]."""
    mask = cv2.resize(scene.sitter.appearance.cloth, (size, size), interpolation=cv2.INTER_AREA).ravel()
    return np.asarray((mask > WORN) & (_cloth_above(scene)[_texel_faces(scene.sitter.model, size)[0]] >= 0))


def smoothed(height: np.ndarray, opacity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height and opacity float32 [N, N] without single strands: blurred, the height where there is hair."""
    n, sigma = len(height), SMOOTH * len(height) / 512
    wide = [np.concatenate([t] * 3, 1) for t in (opacity, opacity * height)]
    soft, weighted = (cv2.GaussianBlur(t, (0, 0), sigma)[:, n : 2 * n] for t in wide)
    return weighted / np.maximum(soft, 1e-4), np.where(soft > LEAST_OPACITY, soft, 0).astype(np.float32)


def falling(height: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """A height float32 [N, N] that goes on falling beyond the hair's edge instead of ending in a step."""
    n = len(height)
    there = opacity > LEAST_OPACITY
    if not there.any():
        return np.full_like(height, LEAST_HEIGHT)
    wide = np.concatenate([there] * 3, 1)
    away, (row, column) = distance_transform_edt(~wide, return_indices=True)
    middle = slice(n, 2 * n)
    edge = height[row[:, middle], column[:, middle] % n]
    texel = 2 * np.pi * chart.ARC_RADIUS / n
    fallen = np.minimum(edge, 0.01) - FALL * texel * away[:, middle]
    return np.where(there, height, np.maximum(fallen, LEAST_HEIGHT)).astype(np.float32)


@lru_cache(maxsize=2)
def _texel_faces(model: MorphableModel, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangle int32 [N * N] of every texel (the nearest one's where there is none), weights [N * N, 2]."""
    corner = np.eye(3, dtype=np.float32)[:, 1:]
    ids = np.arange(len(model.faces_np), dtype=np.float32)
    values = np.concatenate([
        np.repeat(ids[:, None, None], 3, 1), np.broadcast_to(corner, (len(ids), 3, 2)),
        np.ones((len(ids), 3, 1), np.float32),
    ], -1)  # fmt: skip
    image = rasterise_chart(model, np.ascontiguousarray(values), size)
    row, column = distance_transform_edt(image[..., 3] < 0.5, return_distances=False, return_indices=True)
    image = image[row, column].reshape(-1, 4)
    return np.rint(image[:, 0]).astype(np.int32), np.ascontiguousarray(image[:, 1:3])


def strand_maps(
    scene: Scene, strands: Strands, light: Light, shadows: Shadows, size: int, *, fine: int = 1
) -> HairMaps:
    """Strands of a scene over the chart; colours are linear: as lit, and the albedo."""
    pieces = cut_up(strands, 2 * np.pi * chart.ARC_RADIUS / (fine * size), MOST_PIECES * fine**2)
    hits = StrandHits(
        pieces.index[None],
        pieces.along[None],
        np.zeros((1, len(pieces.index)), np.float32),
        pieces.tangent[None],
    )
    seen = shadows.on_strands(pieces.xyz), scene.strand_sky.share(pieces.xyz)
    lit = shade_strands(hits, pieces.strands, light, FRONT, *seen)[0]
    planes = scene.sitter.carrier.to_planes(torch.from_numpy(pieces.xyz)).numpy()
    return hair_maps(planes, pieces.area, np.concatenate([lit, pieces.strands.albedo[pieces.index]], 1), size)


@dataclass(frozen=True, eq=False)
class Pieces:
    """M short pieces of strands."""

    strands: Strands
    index: np.ndarray
    """int32 [M], the strand."""
    along: np.ndarray
    """float32 [M], 0 at the root to 1 at the tip."""
    xyz: np.ndarray
    """float32 [M, 3], middles, head frame."""
    tangent: np.ndarray
    """float32 [M, 3], unit."""
    area: np.ndarray
    """float32 [M], square EG3D units."""


def cut_up(strands: Strands, piece: float, most: int = MOST_PIECES) -> Pieces:
    """Pieces about as long as `piece` (EG3D units); of many strands some, wider, for `most` pieces."""
    if len(strands) == 0:
        none = np.zeros((0, 3), np.float32)
        return Pieces(strands, np.zeros(0, np.int32), none[:, 0], none, none, none[:, 0])
    step = np.linalg.norm(np.diff(strands.points[::16], axis=1), axis=-1).mean()
    cuts = int(np.clip(np.ceil(step / piece), 1, 12))
    segments = strands.points_per_strand - 1
    every = int(max(np.ceil(len(strands) * segments * cuts / most), 1))
    some = strands.of(np.arange(0, len(strands), every))
    points = some.resampled(segments * cuts + 1).points
    way = points[:, 1:] - points[:, :-1]
    length = np.linalg.norm(way, axis=-1)
    count = segments * cuts
    return Pieces(
        some,
        np.repeat(np.arange(len(some), dtype=np.int32), count),
        np.tile((np.arange(count, dtype=np.float32) + 0.5) / count, len(some)),
        np.ascontiguousarray((points[:, 1:] + points[:, :-1]).reshape(-1, 3) / 2, dtype=np.float32),
        (way / np.maximum(length, 1e-9)[..., None]).reshape(-1, 3).astype(np.float32),
        (length * some.width[:, None] * every).ravel().astype(np.float32),
    )


def _picture(linear: np.ndarray, response: Response) -> np.ndarray:
    return np.asarray(photograph(np.ascontiguousarray(linear), response), dtype=np.float32)
