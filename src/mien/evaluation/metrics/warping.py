"""Warping error: what changes between neighbouring frames beyond motion.

E = sum_p M(p) |V_t(p) - V_t+1(p + f(p))|^2 / sum_p M(p), with colours in [0, 1] summed over channels, f the
flow from t to t+1 and M its mask; the mean over pairs of frames. 0: every point keeps its colour; lower is
better; at most 3. M leaves out points that leave the picture or are hidden: where forward and backward flow
do not cancel, |f + b(f)|^2 > 0.01 (|f|^2 + |b(f)|^2) + 0.5 (Ruder et al. 2016), b(f) being the backward flow
at the target. Source: Lai et al. 2018. Flow is OpenCV's DIS (Kroeger et al. 2016) unless one is given: it is
found in the very pictures, so it can explain faults away; a true or a driver's flow does not.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from mien.core.errors import InputError
from mien.evaluation.metrics.shapes import same_picture

Rgb = UInt8[np.ndarray, "height width 3"]
Flow = Float[np.ndarray, "height width 2"]
"""Per pixel (x, y) the way to its place in the other frame, px."""


def dense_flow(rgb: Rgb, rgb_next: Rgb) -> Flow:
    """DIS optical flow from one frame to the next."""
    same_picture(rgb, rgb_next)
    dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey, grey_next = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (rgb, rgb_next))
    return np.asarray(dis.calc(grey, grey_next, None), np.float32)


def warp_back(values: Float[np.ndarray, "height width channel"], flow: Flow) -> np.ndarray:
    """Values of the next frame where the flow leads: float32 [H, W, C], bilinear."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    places = (x + flow[..., 0].astype(np.float32), y + flow[..., 1].astype(np.float32))
    return np.asarray(
        cv2.remap(
            values.astype(np.float32),
            *places,
            interpolation=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(values.shape)
    )


def not_hidden(flow: Flow, flow_back: Flow) -> Bool[np.ndarray, "height width"]:
    """Where a point of a frame is also seen in the next: the mask M above."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    x, y = x + flow[..., 0], y + flow[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    back = warp_back(flow_back, flow)
    apart = ((flow + back) ** 2).sum(-1)
    return inside & (apart <= 0.01 * ((flow**2).sum(-1) + (back**2).sum(-1)) + 0.5)


def pair_warping_error(rgb: Rgb, rgb_next: Rgb, flow: Flow, mask: Bool[np.ndarray, "height width"]) -> float:
    """E of one pair; nan if the mask is empty."""
    same_picture(rgb, rgb_next)
    if not mask.any():
        return float("nan")
    other = warp_back(rgb_next.astype(np.float32) / 255, flow)
    squared = ((rgb.astype(np.float64) / 255 - other) ** 2).sum(-1)
    return float(squared[mask].mean())


def warping_error(frames: Sequence[Rgb]) -> float:
    """Mean E of neighbouring frames, by their own flow. Raises InputError for less than two frames.

    A pair that repeats the one before, as in a still clip, repeats its E.
    """
    if len(frames) < 2:
        raise InputError(f"A warping error needs two frames, here are {len(frames)}; give a longer clip.")
    errors: list[float] = []
    still = False
    for rgb, rgb_next in pairwise(frames):
        was_still, still = still, np.array_equal(rgb, rgb_next)
        if still and was_still:
            errors.append(errors[-1])
            continue
        flow, back = dense_flow(rgb, rgb_next), dense_flow(rgb_next, rgb)
        errors.append(pair_warping_error(rgb, rgb_next, flow, not_hidden(flow, back)))
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")
