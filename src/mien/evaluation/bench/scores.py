"""One view of one subject against the truth.

Pictures are compared as 8-bit RGB before the same grey, at `VIEW_PX`; "foreground" is where the true alpha is
at least one half. Figures whose name ends in `_seen` are an estimator's, of output and truth alike.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.viewer import Seen
from mien.core.camera import Camera
from mien.evaluation.bench.eyes import Glance
from mien.evaluation.bench.frames import rotation_between, to_camera
from mien.evaluation.bench.regions import (
    SOLID,
    RegionScore,
    eyes_apart,
    hull_mask,
    median_known,
    region_scores,
    relative_depth_mm,
)
from mien.evaluation.bench.subjects import Pose
from mien.evaluation.identity import identity_distance
from mien.evaluation.metrics.expression import expression_distance
from mien.evaluation.metrics.landmarks import normalised_mean_error
from mien.evaluation.metrics.perceptual import Features, PerceptualDistance
from mien.evaluation.metrics.pose import rotation_angles_deg
from mien.evaluation.metrics.psnr import MOST_DB, psnr_db
from mien.evaluation.metrics.sharpness import sharpness_ratio
from mien.evaluation.metrics.ssim import ssim

Rgb = UInt8[np.ndarray, "height width 3"]

PAPER: Final = 0.5


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a view."""

    rgb: Rgb
    """Before grey."""
    rgb_neutral: Rgb
    """The same camera, the neutral face."""
    alpha: Float[Tensor, "height width"]
    camera: Camera
    landmarks: Float[Tensor, "478 3"]
    landmarks_neutral: Float[Tensor, "478 3"]
    depth: Float[Tensor, "height width"]
    """Along the rays."""
    regions: UInt8[Tensor, "height width"]
    features: Features | None
    """For the perceptual distance, if there is one."""
    unit_px: float
    """Distance of the outer corners of the true eyes in the photo's view, in pixels of the compared size."""
    glance: Glance | None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a subject shows for a view."""

    rgb: Rgb
    rgb_neutral: Rgb
    """For the same turn with the neutral face."""
    alpha: Float[Tensor, "height width"]
    distance: Float[Tensor, "height width"] | None
    """Along the rays; None if it is not known."""
    pose: Pose
    landmarks_neutral: Float[Tensor, "478 3"]
    glance: Glance | None


@dataclass(frozen=True)
class ViewScore:
    """All figures of a view; None where one has no meaning or could not be measured."""

    psnr_db: float
    """Foreground, at most 60."""
    psnr_face_db: float | None
    """Foreground within the hull of the true landmarks: without hair, neck and clothes."""
    ssim: float
    """Foreground."""
    perceptual: float | None
    """Whole picture; see `metrics.perceptual` for the network."""
    sharpness: float
    """Foreground, 1 is as sharp as the truth."""
    alpha_error: float
    """Mean absolute difference over the whole picture."""
    pose_error_deg: float
    """Angle between the true rigid landmarks and the subject's own, in 3D in camera axes."""
    landmark_error: float
    """Projected landmarks against the projected true ones, in shares of the eyes' distance in the photo."""
    expression_error: float | None
    """Way of the landmarks from the neutral face, in 3D without pose: |way - true way| / |true way|."""
    expression_picture_error: float | None
    """Change of the picture from the neutral face: |change - true change| / |true change|, foreground."""
    expression_change: float | None
    """That true change, mean over the whole picture in grey levels: the weight of the error above in means,
    which become sums of errors over sums of changes. Brows under a fringe change next to nothing."""
    pose_error_seen_deg: float | None
    aed_seen: float | None
    identity_seen: float | None
    """dlib's distance to the true picture of the same view."""
    depth_error_mm: float | None
    """Median over the foreground that both show; see `_depth_error_mm`."""
    regions: dict[str, RegionScore]
    """By the name of a `Region`."""


def over_grey(seen: Seen) -> Rgb:
    """Before the grey of the benchmark, 8 bit."""
    rgb = seen.rgb + (1 - seen.alpha[..., None]) * PAPER
    return np.asarray((rgb.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy())


def score_view(
    shown: Shown, truth: Truth, *, is_neutral: bool, perceptual: PerceptualDistance | None = None
) -> ViewScore:
    """Every figure of a view."""
    mask = (truth.alpha >= SOLID).double().numpy()
    size_px = len(mask)
    points, points_true = (
        camera.project(landmarks).uv.double().numpy() * size_px
        for camera, landmarks in (
            (shown.pose.camera, shown.pose.landmarks), (truth.camera, truth.landmarks),
        )
    )  # fmt: skip
    seen = seen_errors(shown.glance, truth.glance)
    apart_mm = _depth_error_mm(shown, truth)
    return ViewScore(
        psnr_db=min(psnr_db(shown.rgb, truth.rgb, weight=mask), MOST_DB),
        psnr_face_db=_face_psnr(shown, truth, mask, points_true),
        ssim=ssim(shown.rgb, truth.rgb, weight=mask),
        perceptual=_perceptual(shown, truth, perceptual),
        sharpness=sharpness_ratio(shown.rgb, truth.rgb, weight=mask),
        alpha_error=float((shown.alpha - truth.alpha).abs().mean()),
        pose_error_deg=float(rotation_angles_deg(_rotation(shown, truth))),
        landmark_error=normalised_mean_error(points[None], points_true[None], unit_px=truth.unit_px),
        expression_error=None if is_neutral else _expression_error(shown, truth),
        expression_picture_error=None if is_neutral else _picture_change_error(shown, truth, mask),
        expression_change=None if is_neutral else float(np.abs(_change(truth, mask)).mean()),
        pose_error_seen_deg=seen[0],
        aed_seen=seen[1],
        identity_seen=seen[2],
        depth_error_mm=None if apart_mm is None else median_known(apart_mm[mask > 0]),
        regions=region_scores(
            ((shown.rgb.astype(np.float64) - truth.rgb) ** 2).mean(-1),
            (shown.alpha >= SOLID).numpy(),
            truth.regions.numpy(),
            apart_mm,
        ),
    )


def _depth_error_mm(shown: Shown, truth: Truth) -> Float[np.ndarray, "height width"] | None:
    """Between the surfaces in a pixel, both measured from between the eyes along the camera's axis, after the
    subject is scaled so that its eyes are as far apart as the true ones; NaN where one of both is missing."""
    if shown.distance is None:
        return None
    scale = eyes_apart(truth.landmarks_neutral) / eyes_apart(shown.landmarks_neutral)
    distance = shown.distance * (shown.alpha >= SOLID)
    mine = relative_depth_mm(distance, shown.pose.camera, shown.pose.landmarks, scale=scale)
    return np.abs(mine - relative_depth_mm(truth.depth, truth.camera, truth.landmarks))


def _face_psnr(shown: Shown, truth: Truth, mask: np.ndarray, points_px: np.ndarray) -> float | None:
    weight = mask * hull_mask(points_px, len(mask))
    return min(psnr_db(shown.rgb, truth.rgb, weight=weight), MOST_DB) if weight.any() else None


def _perceptual(shown: Shown, truth: Truth, distance: PerceptualDistance | None) -> float | None:
    if distance is None or truth.features is None:
        return None
    return distance.between(distance.features(shown.rgb), truth.features)


def _rotation(shown: Shown, truth: Truth) -> np.ndarray:
    return rotation_between(
        to_camera(shown.pose.camera, shown.pose.landmarks), to_camera(truth.camera, truth.landmarks)
    )


def _expression_error(shown: Shown, truth: Truth) -> float:
    """In each one's own head frame: there the pose and the place are left out."""
    way = shown.pose.landmarks - shown.landmarks_neutral
    way_true = truth.landmarks - truth.landmarks_neutral
    return float((way - way_true).norm(dim=-1).mean() / way_true.norm(dim=-1).mean())


def _picture_change_error(shown: Shown, truth: Truth, mask: np.ndarray) -> float:
    change, change_true = _change(shown, mask), _change(truth, mask)
    return float(np.abs(change - change_true).sum() / max(np.abs(change_true).sum(), 1e-9))


def _change(view: Shown | Truth, mask: np.ndarray) -> np.ndarray:
    """Of the picture from the neutral face, in grey levels."""
    return (view.rgb.astype(np.float64) - view.rgb_neutral.astype(np.float64)) * mask[..., None]


def seen_errors(mine: Glance | None, true: Glance | None) -> tuple[float | None, float | None, float | None]:
    """Pose in degrees, AED and identity, of what a tracker and dlib see in both pictures."""
    if mine is None or true is None:
        return None, None, None
    apart = float(rotation_angles_deg(true.R_camera_head.T.astype(np.float64) @ mine.R_camera_head))
    aed = expression_distance(mine.coefficients[None], true.coefficients[None])
    if mine.identity is None or true.identity is None:
        return apart, aed, None
    return apart, aed, identity_distance(mine.identity, true.identity)
