"""The skin of lids that a photo of open eyes keeps folded: in one colour for each eye.

What such a photo shows of it is a narrow strip in the fold's shadow, with the lashes before it. Drawn out
over the shut lid, it would be dark streaks.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

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
from mien.morphable.lids import folded_lids
from mien.morphable.model import MorphableModel

ABOVE: Final = (0.35, 0.8)
"""From the upper lid to the brow's lower line, the part of the way on which skin is looked at."""
TRUSTED: Final = 0.3
LEAST_PIXELS: Final = 12
IN_SHADOW: Final = 0.45
"""Share of what is seen of the lid in the colour of the shut lid; the rest is of the skin above."""
LIGHTER_ABOVE: Final = 0.5
"""Quantile of lightness from which on pixels above the eye are taken for skin, not for the brow's hairs."""
LIGHTER_LID: Final = 0.25
"""The same of the lid's pixels and its lashes."""
INNER: Final = 8
"""The eye's inner corner among its lids' landmarks, which begin with the outer one and go below the eye."""


def lid_guess(evidence: PhotoEvidence, fit: FaceFit, model: MorphableModel) -> Observations:
    """Points all over the folded skin of the lids (see `folded_lids`), weighted by how far it is.

    Their colour lies between those of the skin above the eye and of what is seen of the lid. No points of an
    eye above which too little skin is seen.
    """
    share = folded_lids(model, fit.identity, fit.expression)
    corners, values = model.canonical_corners, share[model.faces][..., None]
    left = landmark_model(model).mean[EYELIDS_LEFT[0], 0]
    is_left = model.mean[model.faces].mean(1)[:, 0] * left > 0
    folded = (values[..., 0].amax(1) > 0) & model.part_faces("body")
    points, targets, weights = [torch.zeros(0, 3)], [torch.zeros(0, 3)], [torch.zeros(0)]
    eyes = ((EYELIDS_LEFT, BROW_LEFT, is_left), (EYELIDS_RIGHT, BROW_RIGHT, ~is_left))
    for lids, brow, side in eyes:
        colour, faces = _lid_colour(evidence, fit, lids, brow), folded & side
        if colour is None or not bool(faces.any()):
            continue
        points.append(face_points(faces, corners))
        targets.append(logit(colour).expand(len(points[-1]), -1))
        weights.append(face_points(faces, values, corners)[:, 0])
    return Observations(torch.cat(points), BODY_RGB, torch.cat(targets), torch.cat(weights))


def _lid_colour(
    evidence: PhotoEvidence, fit: FaceFit, lids: tuple[int, ...], brow: tuple[int, ...]
) -> Float[Tensor, "3"] | None:
    """Of a shut lid; None if too little skin is seen above it."""
    h, w = evidence.shape
    landmarks = fit.landmarks_px.numpy() - np.array(evidence.box_px[:2])
    outer, inner = landmarks[lids[0]], landmarks[lids[INNER]]
    upper = np.stack([outer, *landmarks[list(lids[:INNER:-1])], inner])
    lower_brow = _resampled(landmarks[list(brow[: len(brow) // 2 - 1 : -1])], len(upper))
    low, high = (upper + share * (lower_brow - upper) for share in ABOVE)
    between, near = (
        torch.from_numpy(polygon_mask((h, w), np.concatenate([one, other[::-1]]))).view(-1)
        for one, other in ((low, high), (upper, lower_brow))
    )
    skin = between & (evidence.colour_weight > TRUSTED) & (evidence.hair < TRUSTED)
    if int(skin.sum()) < LEAST_PIXELS:
        return None
    above = _lighter(evidence.rgb[skin], LIGHTER_ABOVE)
    lid = near & (evidence.folded > 0.5) & (evidence.hair < TRUSTED) & (evidence.alpha > 0.9)
    if int(lid.sum()) < LEAST_PIXELS:
        return above
    seen = torch.minimum(_lighter(evidence.rgb[lid], LIGHTER_LID), above)
    return torch.lerp(above, seen, IN_SHADOW)


def _lighter(rgb: Float[Tensor, "pixel 3"], quantile: float) -> Float[Tensor, "3"]:
    """Mean of the lighter pixels."""
    light = rgb.mean(1)
    return rgb[light >= torch.quantile(light, quantile)].mean(0)


def _resampled(line: Float[np.ndarray, "point 2"], count: int) -> Float[np.ndarray, "_ 2"]:
    at = np.linspace(0, len(line) - 1, count)
    return np.stack([np.interp(at, np.arange(len(line)), line[:, axis]) for axis in (0, 1)], 1)
