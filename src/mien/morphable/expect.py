"""What is expected of a face before its points are fitted: by encoders, and by the tracker alone."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import UInt8

from mien.core.geometry import axis_angle_to_matrix, nearest_rotation
from mien.morphable.costs import CostConfig, FacePrior
from mien.morphable.encoder import EncodedFace, load_face_encoder
from mien.morphable.imageencoder import load_image_encoder
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    IRISES,
    LIPS_INNER,
    LIPS_OUTER,
    LandmarkModel,
)
from mien.tracking.faces import FaceObservation

__all__ = ["FitConfig", "encode_face", "with_seen_lines"]


@dataclass(frozen=True)
class FitConfig:
    """How a face is fitted."""

    costs: CostConfig = field(default_factory=CostConfig)
    steps: int = 14
    """Steps of the solver, at most."""
    tolerance: float = 1e-4
    """Stop when a step lowers the energy by less than this share."""
    damping: float = 1e-3
    """First damping of the solver, as a share of the curvature."""
    outlier_sd: float = 3.0
    """Points off by this many expected errors get half their weight (Cauchy)."""
    encoder: bool = True
    """Start from the geometry encoder's answer and hold on to it; else the tracker's is the prior."""
    image_encoder: bool = True
    """Where the picture is given and mien has an image encoder, it takes the geometry encoder's place."""
    line_sd: float = 0.0015
    """Beside the image encoder: error of the tracker's lips, lids and irises, EG3D units; infinite leaves
    these points to the encoder, as `brow_sd` does with the brows."""
    brow_sd: float = 0.003
    prior_gain: float = 1.0
    """Weight of the encoder's answer, as an inverse error."""
    tracker_pitch_deg: float = 3.5
    """How far MediaPipe sees our mean head nod; taken off its pose where it is the prior."""
    lips_gain: float = 1.6
    """Weight of the lips' points (as an inverse error), and of the groups below."""
    eyelids_gain: float = 1.6
    irises_gain: float = 2.0
    brows_gain: float = 1.2
    forehead_gain: float = 0.3


def encode_face(
    face: FaceObservation,
    landmarks: LandmarkModel,
    rgb: UInt8[np.ndarray, "height width 3"] | None,
    config: FitConfig,
) -> EncodedFace:
    """What is expected of a face before the fit, by an encoder or by the tracker alone."""
    if not config.encoder:
        return _tracked(face, landmarks, config)
    encoder = load_image_encoder() if config.image_encoder and rgb is not None else None
    if encoder is None or rgb is None:
        return load_face_encoder().encode(face)
    return with_seen_lines(encoder.encode(rgb, face), face, config)


def with_seen_lines(seen: EncodedFace, face: FaceObservation, config: FitConfig) -> EncodedFace:
    """The tracker's points where a photo shows a line (lips, lids, irises, brows), an encoder's elsewhere.

    MediaPipe has learned these lines from photos and follows them closely; encoders have only seen drawn
    heads, whose lips and lids are a little different, and shut people's mouths.
    """
    points_px, point_sd = seen.points_px.clone(), seen.point_sd.clone()
    tracked_px = torch.from_numpy(np.asarray(face.landmarks_px, dtype=np.float64))
    lines = LIPS_INNER + LIPS_OUTER + EYELIDS_LEFT + EYELIDS_RIGHT + IRISES
    for group, sd in ((lines, config.line_sd), (BROW_LEFT + BROW_RIGHT, config.brow_sd)):
        if np.isfinite(sd):
            points = torch.tensor(group)
            points_px[points], point_sd[points] = tracked_px[points], sd
    return replace(seen, points_px=points_px, point_sd=point_sd)


def _tracked(face: FaceObservation, landmarks: LandmarkModel, config: FitConfig) -> EncodedFace:
    """The tracker's own pose, coefficients and points, and a standard normal identity."""
    nod = torch.tensor([-np.radians(config.tracker_pitch_deg), 0.0, 0.0], dtype=torch.float64)
    R = torch.from_numpy(np.asarray(face.R_camera_head, dtype=np.float64)) @ axis_angle_to_matrix(nod)
    expression = torch.from_numpy(np.asarray(face.coefficients, dtype=np.float64)).clamp(0, 1)
    components, costs = len(landmarks.identity), config.costs
    sd = [costs.turn_sd] * 3 + [costs.expression_sd] * 52 + [costs.identity_sd] * components
    prior = FacePrior(
        R_camera_head=nearest_rotation(R),
        expression=expression,
        identity=R.new_zeros(components),
        root=torch.diag(1 / R.new_tensor(sd)),
    )
    points_px = torch.from_numpy(np.asarray(face.landmarks_px, dtype=np.float64))
    return EncodedFace(prior, points_px, (costs.landmark_sd**2 + landmarks.spread**2).sqrt())
