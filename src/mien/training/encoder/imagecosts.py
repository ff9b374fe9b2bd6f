"""What the image encoder is trained by, and how far off it is."""

from dataclasses import dataclass, fields
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from mien.morphable.encoder import FREE
from mien.morphable.facecrop import CROP_UNITS
from mien.morphable.imageencoder import POINTS, ImageAnswer, point_spread
from mien.morphable.landmarks import LandmarkModel
from mien.training.encoder.augment import CropExamples
from mien.training.encoder.geometry import EYE_CORNERS, MM_PER_UNIT

NEAR: Final = 0.01
"""A distance, EG3D units, up to which the costs of places grow with its square."""


@dataclass(frozen=True)
class CostWeights:
    """Of the means over a kind's numbers."""

    points: float = 1.0
    turn: float = 1.0
    expression: float = 1.0
    identity: float = 0.3
    reprojected: float = 0.5
    """Of the points that pose, expression and identity give together."""
    rest: float = 0.5
    """Of the face at rest."""
    beta: float = 0.5
    """How far errors that are said to be large are kept from counting less (Seitzer et al. 2022); 0 is plain
    likelihood."""


def on_device(landmarks: LandmarkModel, device: torch.device) -> LandmarkModel:
    """In single precision in a device's memory."""
    values = (getattr(landmarks, field.name).to(device) for field in fields(landmarks))
    return LandmarkModel(*(v.float() if v.is_floating_point() else v for v in values))


def image_costs(
    answer: ImageAnswer,
    true: CropExamples,
    landmarks: LandmarkModel,
    sd: Float[Tensor, " n"],
    weights: CostWeights,
) -> dict[str, Tensor]:
    """The weighted costs of a batch: negative log-likelihoods, and distances of places that follow.

    `sd` are the examples' own deviations, `ImageNetwork.sd`: likelihoods are in their units, so that all
    kinds pull alike.
    """
    off, log_sd = deviations(answer, true), answer.log_sd - sd[POINTS:].log()
    off_sd, b = off / sd[POINTS:], weights.beta
    spread = point_spread(sd)
    away = (answer.points - true.points).square().sum(-1) / spread.square()
    parts = [3, 52, off.shape[1] - FREE]
    turn, expression, identity = (
        _likelihood(e.square(), s, 1, b)
        for e, s in zip(off_sd.split(parts, 1), log_sd.split(parts, 1), strict=True)
    )
    shown = _laid_on(_projected(answer.turn, answer.shape, landmarks), true.points)
    rest = torch.tensordot(off[:, FREE:], landmarks.identity, 1)
    return {
        "points": weights.points * _likelihood(away, answer.point_log_sd - spread.log(), 2, b),
        "turn": weights.turn * turn,
        "expression": weights.expression * expression,
        "identity": weights.identity * identity,
        "reprojected": weights.reprojected * _length((shown - true.points) * CROP_UNITS),
        "rest": weights.rest * _length(rest),
    }


def deviations(answer: ImageAnswer, true: CropExamples) -> Float[Tensor, "n out"]:
    """From the answer to the truth, as in `FacePrior`: turn in head axes (rad), expression, identity."""
    R, R_true = axis_angle_to_matrix(answer.turn), axis_angle_to_matrix(true.turn)
    turn = matrix_to_axis_angle(R.transpose(1, 2) @ R_true)
    return torch.cat([turn, true.shape - answer.shape], 1)


@dataclass(frozen=True)
class ImageScores:
    """Mean errors of augmented crops."""

    rotation_deg: float
    points: float
    """Mean distance as a share of that of the eyes' outer corners at rest."""
    rest_mm: float
    """RMS distance of the face at rest in the head frame."""
    expression: float
    surprise: float
    """Mean square of errors of turn, expression and identity over the network's deviations; 1 is right."""
    point_surprise: float


def image_scores(answer: ImageAnswer, true: CropExamples, landmarks: LandmarkModel) -> Float[Tensor, "6"]:
    """Numbers of `ImageScores` in its order."""
    off = deviations(answer, true)
    away = (answer.points - true.points).norm(dim=-1)
    eyes = (landmarks.mean[EYE_CORNERS[0]] - landmarks.mean[EYE_CORNERS[1]]).norm()
    rest = torch.tensordot(off[:, FREE:], landmarks.identity, 1).square().sum(-1).mean(1).sqrt()
    return torch.stack([
        torch.rad2deg(off[:, :3].norm(dim=1)).mean(),
        away.mean() * CROP_UNITS / eyes,
        MM_PER_UNIT * rest.mean(),
        (answer.shape[:, :52].clamp(0, 1) - true.shape[:, :52]).abs().mean(),
        (off / answer.log_sd.exp()).square().mean(),
        (away / answer.point_log_sd.exp()).square().mean() / 2,
    ])  # fmt: skip


def _likelihood(squared: Tensor, log_sd: Tensor, axes: int, beta: float) -> Tensor:
    """Mean negative log-likelihood of errors along so many axes, up to a constant."""
    cost = 0.5 * squared * (-2 * log_sd).exp() + axes * log_sd
    return (cost * (2 * beta * log_sd.detach()).exp()).mean() if beta else cost.mean()


def _length(away: Float[Tensor, "n point axis"]) -> Tensor:
    """Mean of distances, smooth near zero (Charbonnier et al. 1994), in units of `NEAR`."""
    return ((away / NEAR).square().sum(-1) + 1).sqrt().mean() - 1


def _projected(
    turn: Float[Tensor, "n 3"], shape: Float[Tensor, "n deviation"], landmarks: LandmarkModel
) -> Float[Tensor, "n 478 2"]:
    xyz = landmarks.points(shape[:, 52:], shape[:, :52])
    x, y, z = (xyz @ axis_angle_to_matrix(turn).transpose(1, 2)).unbind(-1)
    return torch.stack([x, -y], -1) / (ORBIT_RADIUS - z)[..., None]


def _laid_on(points: Float[Tensor, "n 478 2"], target: Float[Tensor, "n 478 2"]) -> Float[Tensor, "n 478 2"]:
    """Points scaled and shifted onto others, least squares."""
    middle, centred = target.mean(1, keepdim=True), points - points.mean(1, keepdim=True)
    scale = (centred * (target - middle)).sum((1, 2)) / centred.square().sum((1, 2))
    return middle + scale[:, None, None] * centred
