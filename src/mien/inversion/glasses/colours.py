"""Colours of glasses from the photo that shows them: where it does, from there, else from the other side."""

from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.morphable.glasses import PARTS, TUBE_SIDES, GlassesGeometry
from mien.morphable.raster import vertex_normals

SEEN: Final = 0.4
"""Share of frame in the pixels around a point from which on its colour is the frame's."""
INSIDE: Final = 0.5
"""How far from a tube's middle its colours are looked up, of its radius."""
LENS_INSIDE: Final = 0.85
"""How far from a lens' middle its colours are looked up, of the way: at its edge the photo may show skin."""
BLUR_PX: Final = 0.6
AVERTED: Final = 0.75
"""Brightness of what the photo sees from behind."""
SHARP: Final = 2.0
"""Exponent of the share of frame as a pixel's weight."""


def coloured(
    rgb: UInt8[np.ndarray, "height width 3"], geometry: GlassesGeometry,
    frame: Float32[np.ndarray, "height width"], camera: Camera, *, dark: bool,
    thin: np.ndarray | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Vertices [V, 3], faces [F, 3] and colours with alpha [V, 4] of frame and, if they are dark, lenses.

    `frame` is the share of rims and arms in the photo's pixels. Thin frames have the colours `thin` [2, K, 3]
    along their rims, and their median elsewhere.
    """
    faces = geometry.faces if dark else geometry.faces[~geometry.is_lens]
    used, number = np.unique(faces, return_inverse=True)
    vertices = geometry.vertices
    part = np.zeros(len(vertices), np.uint8)
    part[geometry.faces] = geometry.part[:, None]
    towards = camera.position.double().numpy() - vertices
    facing = (vertex_normals(vertices, geometry.faces) * towards).sum(1) > 0
    colour = np.zeros((len(vertices), 3))
    runs = _runs(part)
    tubes = [(s, name) for s, name in runs if name != "lens"]
    names = [name for _, name in tubes]
    if thin is None:
        found = [_tube_colours(rgb, frame, camera, vertices[s], facing[s]) for s, _ in tubes]
        _exchange(found, names)
    else:
        found = _thin_colours(thin, [(s.stop - s.start) // TUBE_SIDES for s, _ in tubes], names)
    for (s, _), own in zip(tubes, found, strict=True):
        colour[s] = own
    for s, name in runs:
        if name == "lens":
            middle = vertices[s].mean(0)
            inner = middle + LENS_INSIDE * (vertices[s] - middle)
            colour[s] = _at(rgb.astype(np.float32), _pixels(camera, inner, rgb.shape)) / 255
    rgba = np.concatenate([np.clip(colour, 0, 1), np.ones((len(colour), 1))], 1)
    return (
        torch.from_numpy(vertices[used]).float(), torch.from_numpy(number.reshape(-1, 3)).long(),
        torch.from_numpy(rgba[used]).float(),
    )  # fmt: skip


def _runs(part: np.ndarray) -> list[tuple[slice, str]]:
    """Consecutive vertices of a part. Two tubes never follow each other but for the arms, which are split."""
    edges = np.flatnonzero(np.diff(part.astype(int))) + 1
    runs = []
    for begin, end in zip([0, *edges], [*edges, len(part)], strict=True):
        name = PARTS[part[begin]]
        halves = 2 if name == "arm" else 1
        step = (end - begin) // halves
        runs += [(slice(begin + k * step, begin + (k + 1) * step), name) for k in range(halves)]
    return runs


def _tube_colours(
    rgb: np.ndarray, frame: np.ndarray, camera: Camera, vertices: np.ndarray, facing: np.ndarray
) -> np.ndarray:
    """Colours [V, 3] of a tube in [0, 1]; not a number where the photo does not show its ring."""
    rings = vertices.reshape(-1, TUBE_SIDES, 3)
    inner = rings.mean(1, keepdims=True) * (1 - INSIDE) + rings * INSIDE
    weight = np.asarray(frame, np.float32) ** SHARP
    near = cv2.GaussianBlur(weight, (0, 0), BLUR_PX)
    mean = cv2.GaussianBlur(rgb.astype(np.float32) * weight[..., None], (0, 0), BLUR_PX)
    px = _pixels(camera, inner.reshape(-1, 3), rgb.shape)
    share, sums = _at(near[..., None], px)[:, 0], _at(mean, px)
    seen = (share > SEEN**SHARP) & facing
    found = np.where(seen[:, None], sums / np.maximum(share, 1e-3)[:, None] / 255, np.nan)
    found = found.reshape(-1, TUBE_SIDES, 3)
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(found[..., :1])
        ring = np.where(known, found, 0).sum(1) / known.sum(1)
    return np.where(known, found, AVERTED * ring[:, None]).reshape(-1, 3)


def _thin_colours(thin: np.ndarray, rings: list[int], names: list[str]) -> list[np.ndarray]:
    """Colours [V, 3] of each tube, given its number of rings."""
    rims = iter(thin)
    median = np.median(thin.reshape(-1, 3), 0)
    own = [
        next(rims)[:count] if name == "rim" else np.tile(median, (count, 1))
        for count, name in zip(rings, names, strict=True)
    ]
    return [np.repeat(colours, TUBE_SIDES, 0) for colours in own]


def _exchange(tubes: list[np.ndarray], names: list[str]) -> None:
    """Fill in place what a tube does not know: from its mirror image, from along it, from the whole frame."""
    for name in ("rim", "arm"):
        one, other = (k for k, own in enumerate(names) if own == name)
        first, second = tubes[one].copy(), tubes[other].copy()
        tubes[one] = np.where(np.isnan(first), second, first)
        tubes[other] = np.where(np.isnan(second), first, second)
    known = np.concatenate([t for t, name in zip(tubes, names, strict=True) if name != "arm"])
    known = known[~np.isnan(known[:, 0])]
    mean = np.median(known, 0) if len(known) else np.full(3, 0.1)
    for k, tube in enumerate(tubes):
        tubes[k] = _along(tube, mean)


def _along(tube: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Rings that are not known take the colours of the nearest that are, or the mean."""
    rings = tube.reshape(-1, TUBE_SIDES, 3)
    known = np.flatnonzero(~np.isnan(rings[:, 0, 0]))
    if len(known) < 2:
        return np.broadcast_to(mean, tube.shape).copy()
    at = np.arange(len(rings))
    nearest = known[np.abs(at[:, None] - known).argmin(1)]
    return rings[nearest].reshape(-1, 3)


def _pixels(camera: Camera, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    uv = camera.project(torch.from_numpy(points).float()).uv.numpy()
    return uv * [shape[1], shape[0]] - 0.5


def _at(image: np.ndarray, px: np.ndarray) -> np.ndarray:
    """Values [N, C] of an image [H, W, C] at pixels [N, 2] (the first one's centre is 0, 0)."""
    x, y = px.astype(np.float32).T
    found = cv2.remap(np.asarray(image, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(len(px), -1)
