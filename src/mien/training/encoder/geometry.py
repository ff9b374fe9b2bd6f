"""Learning the geometry encoder: ridge regression on tracked renders; its error on heads left out."""

from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.core.arkit import ARKIT_NAMES
from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS
from mien.core.errors import InputError
from mien.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from mien.morphable.encoder import (
    FREE,
    Aligned,
    FaceEncoder,
    align,
    components,
    features,
    observed,
    upright,
    view_terms,
)
from mien.morphable.landmarks import FACE_OVAL, LandmarkModel, landmark_model
from mien.morphable.model import MorphableModel
from mien.training.encoder.examples import Examples

LEAST_HEADS: Final = 40
VIEW_PX: Final = 256.0
"""Side of the views that the examples' points are in."""
EYE_CORNERS: Final = (33, 263)
MM_PER_UNIT: Final = 533.0
"""A head unit in millimetres."""


@dataclass(frozen=True)
class GeometryConfig:
    """How the regression is regularised."""

    components: int = 100
    """Principal components of what is observed."""
    ridge: float = 30.0
    oval_weight: float = 0.3
    """Of the outline's points in the rigid motion: the face's edge slides over the head."""
    folds: int = 5
    """The error's covariance is that of heads left out, in so many parts."""
    least_sd: float = 0.02
    """Of an expression or identity coefficient."""
    limit_sd: float = 3.5
    """Components are cut off at so many standard deviations."""
    held_out_every: int = 8
    """One head of so many is kept for the scores."""


@dataclass(frozen=True)
class GeometryScores:
    """Mean errors on heads that were held out; `_mean`: what the mean of all heads would give."""

    heads: int
    faces: int
    rotation_deg: float
    points: float
    """Mean distance of the points in the picture from the head model's, as a share of the distance of the
    eyes' outer corners."""
    points_tracked: float
    """The same of MediaPipe's points."""
    landmarks_mm: float
    """RMS distance of the face at rest in the head frame."""
    landmarks_mm_mean: float
    expression: float
    expression_mean: float


@dataclass(frozen=True, eq=False)
class _Observed:
    aligned: Aligned
    coefficients: Float[Tensor, "n 52"]
    target: Float[Tensor, "n out"]
    shift: Float[Tensor, "n 956"]
    head: Float[Tensor, " n"]

    def __getitem__(self, rows: Bool[Tensor, " n"]) -> "_Observed":
        a = self.aligned
        return _Observed(
            Aligned(a.R_camera_head[rows], a.offset[rows], a.scale[rows]),
            self.coefficients[rows], self.target[rows], self.shift[rows], self.head[rows],
        )  # fmt: skip


def train_geometry_encoder(
    examples: Examples, model: MorphableModel, config: GeometryConfig | None = None
) -> tuple[FaceEncoder, GeometryScores]:
    """An encoder from examples, and its scores on every eighth head, which it has not seen.

    Raises InputError for too few heads.
    """
    config = config or GeometryConfig()
    heads = int(examples.head.unique().numel())
    if heads < LEAST_HEADS:
        raise InputError(f"{heads} heads are too few to learn from; give {LEAST_HEADS} or more.")
    landmarks = landmark_model(model)
    weight = torch.ones(478, dtype=torch.float64)
    weight[torch.tensor(FACE_OVAL)] = config.oval_weight
    weight = weight / weight.sum()
    held_out = examples.head % config.held_out_every == config.held_out_every - 1
    seen = _observe(with_mirrored(examples[~held_out], model), landmarks, weight)
    unseen = _observe(examples[held_out], landmarks, weight)
    encoder = _with_errors(_regress(seen, landmarks.mean, weight, config), seen, config)
    return encoder, _scores(encoder, unseen, seen.target.mean(0), model)


def with_mirrored(examples: Examples, model: MorphableModel) -> Examples:
    """The examples, and all of them as a mirror shows them (people count as symmetric)."""
    other = mirrored_points(model)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    sides = torch.tensor(mirrored_coefficients())
    points = torch.tensor([VIEW_PX, 0.0, 0.0]) + examples.points[:, other] * torch.tensor([-1.0, 1.0, 1.0])
    mirrored = replace(
        examples, points=points, coefficients=examples.coefficients[:, sides],
        R_tracked=flip @ examples.R_tracked @ flip, R_camera_head=flip @ examples.R_camera_head @ flip,
        expression=examples.expression[:, sides],
    )  # fmt: skip
    both = ([getattr(e, name) for e in (examples, mirrored)] for name in Examples.__dataclass_fields__)
    return Examples(*(torch.cat(pair) for pair in both))


def mirrored_points(model: MorphableModel) -> Tensor:
    """For each of the 478 points the one on the other side."""
    mean = landmark_model(model).mean
    return torch.cdist(mean * mean.new_tensor([-1.0, 1.0, 1.0]), mean).argmin(1)


def mirrored_coefficients() -> list[int]:
    """For each of `ARKIT_NAMES` the index of its other side."""
    sides = {"Left": "Right", "Right": "Left"}
    names = [next((n.removesuffix(a) + b for a, b in sides.items() if n.endswith(a)), n) for n in ARKIT_NAMES]
    return [ARKIT_NAMES.index(name) for name in names]


def true_points_px(examples: Examples, landmarks: LandmarkModel) -> Float[Tensor, "n 478 2"]:
    """Where the head model's points are in the views."""
    xyz = landmarks.points(examples.identity.double(), examples.expression.double())
    x, y, z = (xyz @ examples.R_camera_head.double().transpose(1, 2)).unbind(-1)
    flat = torch.stack([x, -y], -1) / (ORBIT_RADIUS - z)[..., None]
    return VIEW_PX * (0.5 + FFHQ_FOCAL * flat)


def _observe(examples: Examples, landmarks: LandmarkModel, weight: Tensor) -> _Observed:
    aligned = align(examples.points.double(), landmarks.mean, weight)
    turn = matrix_to_axis_angle(aligned.R_camera_head.transpose(1, 2) @ examples.R_camera_head.double())
    target = torch.cat([turn, examples.expression.double(), examples.identity.double()], 1)
    shift = upright(true_points_px(examples, landmarks) - examples.points[..., :2].double(), aligned)
    return _Observed(aligned, examples.coefficients.double(), target, shift.flatten(1), examples.head)


def _regress(seen: _Observed, reference: Tensor, weight: Tensor, config: GeometryConfig) -> FaceEncoder:
    """The encoder without its errors, which count as one."""
    x = observed(seen.aligned, seen.coefficients)
    mean = x.mean(0)
    # Eigenvectors of the smaller Gram matrix: quicker than the singular values of all examples.
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    largest = values.argsort(descending=True)[: config.components]
    basis, limit = vectors[:, largest], config.limit_sd * (values[largest].clamp(min=0) / len(x)).sqrt()
    z = components(x, mean, basis, limit)
    gain, bias = _ridge(features(z, seen.aligned), seen.target, config.ridge)
    shift_gain, shift_bias = _ridge(torch.cat([z, view_terms(seen.aligned)], 1), seen.shift, config.ridge)
    return FaceEncoder(
        reference=reference,
        weight=weight,
        observed_mean=mean,
        observed_basis=basis,
        limit=limit,
        gain=gain,
        bias=bias,
        root=torch.eye(len(bias), dtype=bias.dtype),
        shift_gain=shift_gain,
        shift_bias=shift_bias,
        point_sd=torch.ones(478, dtype=bias.dtype),
    )


def _ridge(x: Tensor, y: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Gain and bias of y from x: ridge regression."""
    A, b = x - x.mean(0), y - y.mean(0)
    gain = torch.linalg.solve(A.T @ A + weight * torch.eye(A.shape[1], dtype=A.dtype), A.T @ b)
    return gain, y.mean(0) - x.mean(0) @ gain


def _predict(encoder: FaceEncoder, at: _Observed) -> tuple[Float[Tensor, "n out"], Float[Tensor, "n 956"]]:
    seen = observed(at.aligned, at.coefficients)
    z = components(seen, encoder.observed_mean, encoder.observed_basis, encoder.limit)
    shift = torch.cat([z, view_terms(at.aligned)], 1) @ encoder.shift_gain + encoder.shift_bias
    return features(z, at.aligned) @ encoder.gain + encoder.bias, shift


def _with_errors(encoder: FaceEncoder, seen: _Observed, config: GeometryConfig) -> FaceEncoder:
    """With the root of the precision (upper triangular) and the points' error, on heads left out."""
    errors, shifts = [], []
    part = seen.head.long() % config.folds
    for k in range(config.folds):
        left_out = seen[part == k]
        if len(left_out.target):
            others = _regress(seen[part != k], encoder.reference, encoder.weight, config)
            y, shift = _predict(others, left_out)
            errors.append(y - left_out.target)
            shifts.append(shift - left_out.shift)
    error, off = torch.cat(errors), torch.cat(shifts).unflatten(1, (478, 2))
    least = torch.full((error.shape[1],), config.least_sd**2, dtype=error.dtype)
    least[:3] = 0
    covariance = error.T @ error / len(error) + torch.diag(least)
    root = torch.linalg.cholesky(torch.linalg.inv(covariance)).T
    return replace(encoder, root=root.contiguous(), point_sd=off.square().mean((0, 2)).sqrt())


def _scores(encoder: FaceEncoder, unseen: _Observed, mean: Tensor, model: MorphableModel) -> GeometryScores:
    basis = landmark_model(model).identity.flatten(1)
    (y, shift), truth = _predict(encoder, unseen), unseen.target
    eyes = (encoder.reference[EYE_CORNERS[0]] - encoder.reference[EYE_CORNERS[1]]).norm()

    def off(shift: Tensor) -> float:
        return round(float((shift - unseen.shift).unflatten(1, (478, 2)).norm(dim=2).mean() / eyes), 4)

    def landmarks_mm(y: Tensor) -> float:
        moved = ((y - truth)[:, FREE:] @ basis).unflatten(1, (478, 3))
        return float(moved.square().sum(-1).mean(1).sqrt().mean()) * MM_PER_UNIT

    R, R_true = axis_angle_to_matrix(y[:, :3]), axis_angle_to_matrix(truth[:, :3])
    angle = matrix_to_axis_angle(R.transpose(1, 2) @ R_true).norm(dim=1)
    return GeometryScores(
        heads=int(unseen.head.unique().numel()),
        faces=len(y),
        rotation_deg=round(float(torch.rad2deg(angle.mean())), 2),
        points=off(shift),
        points_tracked=off(0 * shift),
        landmarks_mm=round(landmarks_mm(y), 2),
        landmarks_mm_mean=round(landmarks_mm(mean.expand_as(truth)), 2),
        expression=round(float((y[:, 3:FREE].clamp(0, 1) - truth[:, 3:FREE]).abs().mean()), 4),
        expression_mean=round(float((mean[3:FREE] - truth[:, 3:FREE]).abs().mean()), 4),
    )
