"""The skin of lids that a photo of open eyes keeps folded, in the colours of what is seen around.

What such a photo shows of it is a narrow strip in the fold's shadow, with the lashes before it. Drawn out
over the shut lid, it would be dark streaks.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.core.curves import smoothstep
from mien.generator.decoder import BODY_RGB
from mien.inversion.evidence import PhotoEvidence, polygon_mask
from mien.inversion.hidden import Observations, face_points, logit
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    landmark_model,
)
from mien.morphable.lids import folded_lids, with_shut_eyes
from mien.morphable.model import MorphableModel

ABOVE: Final = (0.35, 0.8)
"""From the upper lid to the brow's lower line, the part of the way on which skin is looked at."""
TRUSTED: Final = 0.3
LEAST_PIXELS: Final = 12
IN_SHADOW: Final = (0.2, 0.85)
"""Share of what is seen of the lid in the colours of the shut lid's top and of its edge; the rest is of the
skin above."""
LIGHTER_ABOVE: Final = 0.5
"""Quantile of lightness from which on pixels above the eye are taken for skin, not for the brow's hairs."""
LIGHTER_LID: Final = 0.25
"""The same of the lid's pixels and its lashes."""
DARK_LASHES: Final = 0.3
"""Quantile of lightness up to which what is seen of the lid is taken for lashes."""
LASHES: Final = (0.06, 0.2)
"""Shares of a shut lid's height over its edge between which lashes end."""
LEAST_LIT: Final = 0.4
"""Least share of the light of the skin above in that of the lid: what is darker are lashes."""
COLUMNS: Final = 5
"""Parts of the eye's width that have a colour each above; between their middles it goes over."""
PARTS: Final = 16
"""Parts of the eye's width for each of which the lid's top and edge are found."""
OPAQUE: Final = 0.9
INNER: Final = 8
"""The eye's inner corner among its lids' landmarks, which begin with the outer one and go below the eye."""


def lid_guess(evidence: PhotoEvidence, fit: FaceFit, model: MorphableModel) -> Observations:
    """Points all over the folded skin of the lids (see `folded_lids`), weighted by how far it is.

    Their colours go from that of the skin above the eye towards that of what is seen of the lid. No points of
    an eye above which too little skin is seen.
    """
    share = folded_lids(model, fit.identity, fit.expression)
    shut_y = model.vertices(fit.identity, with_shut_eyes(fit.expression))[:, 1]
    h, w = evidence.shape
    px = evidence.camera.project(fit.vertices(model)).uv * torch.tensor([w, h])
    corners = model.canonical_corners
    values = torch.cat([share[:, None], shut_y[:, None], px], 1)[model.faces]
    left = landmark_model(model).mean[EYELIDS_LEFT[0], 0]
    is_left = model.mean[model.faces].mean(1)[:, 0] * left > 0
    folded = (values[..., 0].amax(1) > 0) & model.part_faces("body")
    points, targets, weights = [torch.zeros(0, 3)], [torch.zeros(0, 3)], [torch.zeros(0)]
    eyes = ((EYELIDS_LEFT, BROW_LEFT, is_left), (EYELIDS_RIGHT, BROW_RIGHT, ~is_left))
    for lids, brow, side in eyes:
        line, faces = EyeLine(evidence, fit, lids, brow), folded & side
        colours = line.colours()
        if colours is None or not bool(faces.any()):
            continue
        here = face_points(faces, values, corners)
        along = line.along(here[:, 2:])
        top, edge, lashes = (_between(colour, along * COLUMNS - 0.5) for colour in colours)
        height = _height(along, here[:, 1])[:, None]
        skin = torch.lerp(edge, top, height)
        points.append(face_points(faces, corners))
        targets.append(logit(torch.lerp(lashes, skin, smoothstep(height, *LASHES))))
        weights.append(here[:, 0])
    return Observations(torch.cat(points), BODY_RGB, torch.cat(targets), torch.cat(weights))


class EyeLine:
    """An eye of a photo, along the line from its outer to its inner corner."""

    def __init__(
        self, evidence: PhotoEvidence, fit: FaceFit, lids: tuple[int, ...], brow: tuple[int, ...]
    ) -> None:
        self.evidence = evidence
        landmarks = fit.landmarks_px.numpy() - np.array(evidence.box_px[:2])
        self.outer, self.inner = landmarks[lids[0]], landmarks[lids[INNER]]
        self.upper = np.stack([self.outer, *landmarks[list(lids[:INNER:-1])], self.inner])
        lower_brow = landmarks[list(brow[: len(brow) // 2 - 1 : -1])]
        places = torch.linspace(0, len(lower_brow) - 1, len(self.upper)).double()
        self.brow = _between(torch.from_numpy(lower_brow), places).numpy()

    def along(self, px: Float[Tensor, "point 2"]) -> Float[Tensor, " point"]:
        """Share of the way from the outer to the inner corner, in [0, 1]."""
        start, way = (torch.from_numpy(v).float() for v in (self.outer, self.inner - self.outer))
        return ((px - start) @ way / way.square().sum()).clamp(0, 1)

    def colours(self) -> tuple[Float[Tensor, "column 3"], ...] | None:
        """Of a shut lid's top and edge and of its lashes, in `COLUMNS`; None if too little skin is seen above
        it."""
        evidence = self.evidence
        low, high = (self.upper + share * (self.brow - self.upper) for share in ABOVE)
        unhidden = evidence.hair < TRUSTED
        skin = self._inside(low, high) & (evidence.colour_weight > TRUSTED) & unhidden
        if int(skin.sum()) < LEAST_PIXELS:
            return None
        above = self._by_column(skin, LIGHTER_ABOVE)
        lid = self._inside(self.upper, self.brow) & (evidence.folded > 0.5) & unhidden
        lid &= evidence.alpha > OPAQUE
        if int(lid.sum()) < LEAST_PIXELS:
            return above, above, above
        seen = self._by_column(lid, LIGHTER_LID).clamp(LEAST_LIT * above, above)
        top, edge = (torch.lerp(above, seen, share) for share in IN_SHADOW)
        lashes = torch.minimum(self._by_column(lid, DARK_LASHES, darker=True), edge)
        return top, edge, lashes

    def _inside(self, low: np.ndarray, high: np.ndarray) -> Bool[Tensor, " pixel"]:
        outline = np.concatenate([low, high[::-1]])
        return torch.from_numpy(polygon_mask(self.evidence.shape, outline)).view(-1)

    def _by_column(
        self, pixels: Bool[Tensor, " pixel"], quantile: float, *, darker: bool = False
    ) -> Float[Tensor, "column 3"]:
        index = torch.nonzero(pixels)[:, 0]
        width = self.evidence.shape[1]
        px = torch.stack([index % width, index // width], 1) + 0.5
        column = (self.along(px) * COLUMNS).long().clamp(max=COLUMNS - 1)
        rgb = self.evidence.rgb[index]
        rows = [rgb[column == k] for k in range(COLUMNS)]
        return torch.stack(
            [_beyond(row if len(row) >= LEAST_PIXELS else rgb, quantile, darker=darker) for row in rows]
        )


def _between(rows: Float[Tensor, "row column"], at: Float[Tensor, " point"]) -> Float[Tensor, "point column"]:
    """Rows at places between their indices, linearly; the first and last go on beyond."""
    at = at.clamp(0, len(rows) - 1)
    low = at.long().clamp(max=len(rows) - 2)
    return torch.lerp(rows[low], rows[low + 1], (at - low)[:, None])


def _height(along: Float[Tensor, " point"], y: Float[Tensor, " point"]) -> Float[Tensor, " point"]:
    """0 at the lowest points of each part of a line, 1 at the highest."""
    part = (along * PARTS).long().clamp(max=PARTS - 1)
    low = torch.full((PARTS,), torch.inf).scatter_reduce(0, part, y, "amin")
    high = torch.full((PARTS,), -torch.inf).scatter_reduce(0, part, y, "amax")
    return (y - low[part]) / (high - low)[part].clamp(min=1e-6)


def _beyond(rgb: Float[Tensor, "pixel 3"], quantile: float, *, darker: bool = False) -> Float[Tensor, "3"]:
    """Mean of the pixels that are lighter than a quantile of lightness, or darker."""
    light = rgb.mean(1)
    limit = torch.quantile(light, quantile)
    return rgb[light <= limit if darker else light >= limit].mean(0)
