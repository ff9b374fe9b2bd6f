"""How well faces of known heads are fitted after several encoders: the table of docs/encoder.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS
from mien.core.geometry import geodesic_angle, matrix_to_axis_angle, nearest_rotation
from mien.core.progress import progress
from mien.morphable.encoder import EncodedFace
from mien.morphable.fit import FaceFit, FitConfig, fit_encoded
from mien.morphable.landmarks import LandmarkModel, landmark_model
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation, FaceTracker
from mien.training.encoder.examples import true_rotation
from mien.training.encoder.geometry import EYE_CORNERS, MM_PER_UNIT
from mien.training.encoder.pictures import draw_picture
from mien.training.procedural.shards import read_shard

SHOWN: Final = ("browInnerUp", "jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "eyeSquintLeft")
NAMES: Final = ("rgb", "alpha", "camera", "expression", "identity")

Encode = Callable[[UInt8[np.ndarray, "height width 3"], FaceObservation], EncodedFace]


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A picture of a head, what the tracker sees of it, and the truth."""

    rgb: UInt8[np.ndarray, "height width 3"]
    face: FaceObservation
    R_camera_head: Float[Tensor, "3 3"]
    """In the picture, for a camera that looks at the head's origin."""
    points_px: Float[Tensor, "478 2"]
    expression: Float[Tensor, "52"]
    identity: Float[Tensor, " component"]


@dataclass(frozen=True)
class FitScores:
    """Mean errors over faces; `encoded_`: before the fit."""

    faces: int
    encoded_rotation_deg: float
    encoded_points: float
    """Share of the distance of the eyes' outer corners, as `points`."""
    encoded_rest_mm: float
    encoded_expression: float
    rotation_deg: float
    nod_deg: float
    """Mean of the turn about the head's axis to its left from the truth."""
    pose_deg: float
    """As in the bench: of the landmarks with their expression, laid on each other in camera axes."""
    rest_mm: float
    """RMS distance of the landmarks at rest, in the head frame."""
    rest_laid_mm: float
    """The same, best laid on each other by rotation, scale and shift."""
    identity_size: float
    points: float
    expression: float
    shown: tuple[float, ...]
    """Of the coefficients in `SHOWN`."""


def known_faces(
    paths: Sequence[Path], model: MorphableModel, *, seed: int = 0, most_turn_deg: float = 65.0
) -> list[KnownFace]:
    """Each view of heads in files as one random photo, where the tracker finds the face in it."""
    landmarks, found = landmark_model(model), []
    with FaceTracker() as tracker:
        for path in progress(paths, desc="tracked heads"):
            arrays = read_shard(path, NAMES).arrays
            for view, T in enumerate(arrays["camera"]):
                R = true_rotation(T)
                if R[2, 2] < np.cos(np.radians(most_turn_deg)):
                    continue
                rng = np.random.default_rng([seed, int(path.stem), view])
                face = _known(arrays, view, R, rng, tracker, landmarks)
                found += [] if face is None else [face]
    return found


def compare(
    faces: Sequence[KnownFace], ways: Mapping[str, tuple[Encode, FitConfig]], model: MorphableModel
) -> dict[str, FitScores]:
    """Scores of each way to know a face before the fit, by its name."""
    scores = {}
    for name, (encode, config) in ways.items():
        rows = [_row(face, encode, config, model) for face in progress(faces, desc=name)]
        means = np.mean(rows, 0).tolist()
        single = len(fields(FitScores)) - 2
        values = (len(faces), *means[:single], tuple(means[single:]))
        scores[name] = FitScores(*values)
    return scores


def _known(
    arrays: dict[str, np.ndarray], view: int, R: np.ndarray, rng: np.random.Generator, tracker: FaceTracker,
    landmarks: LandmarkModel,
) -> KnownFace | None:  # fmt: skip
    side = round(arrays["alpha"].shape[1] ** 0.5)
    picture = draw_picture(
        arrays["rgb"][view].reshape(side, side, 3), arrays["alpha"][view].reshape(side, side), rng
    )
    seen = tracker.detect(picture.rgb)
    if not seen:
        return None
    identity, expression = (
        torch.from_numpy(a).double() for a in (arrays["identity"], arrays["expression"][view])
    )
    xyz = landmarks.points(identity, expression) @ torch.from_numpy(R.T).double()
    flat = torch.stack([xyz[:, 0], -xyz[:, 1]], 1) / (ORBIT_RADIUS - xyz[:, 2:])
    in_view = side * (0.5 + FFHQ_FOCAL * flat).numpy()
    to_view = picture.to_view.astype(np.float64)
    points_px = np.linalg.solve(to_view[:, :2], (in_view - to_view[:, 2]).T).T
    cos, sin = np.cos(picture.roll_rad), np.sin(picture.roll_rad)
    roll = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return KnownFace(
        picture.rgb, seen[0], torch.from_numpy(roll @ R), torch.from_numpy(points_px), expression, identity
    )


def _row(face: KnownFace, encode: Encode, config: FitConfig, model: MorphableModel) -> list[float]:
    """Numbers of `FitScores` from the second on."""
    landmarks = landmark_model(model)
    seen = encode(face.rgb, face.face)
    fit = fit_encoded(seen, model=model, config=config)
    corners = torch.tensor(EYE_CORNERS)
    true = landmarks.points(face.identity, torch.zeros(52).double())

    eyes = float((true[corners[0]] - true[corners[1]]).norm()) * _px_per_unit(face, landmarks)
    prior, rest = seen.prior, landmarks.points(fit.identity.double(), torch.zeros(52).double())
    prior_rest = landmarks.points(prior.identity, torch.zeros(52).double())
    R = fit.R_camera_head.double()
    turn = torch.rad2deg(matrix_to_axis_angle(R.T @ face.R_camera_head))
    off = (fit.expression.double() - face.expression).abs()
    return [
        float(torch.rad2deg(geodesic_angle(prior.R_camera_head, face.R_camera_head))),
        float((seen.points_px - face.points_px).norm(dim=1).mean()) / eyes,
        MM_PER_UNIT * _rms(prior_rest - true),
        float((prior.expression - face.expression).abs().mean()),
        float(turn.norm()),
        float(turn[0]),
        _pose_error_deg(fit, face, landmarks),
        MM_PER_UNIT * _rms(rest - true),
        MM_PER_UNIT * _rms(_laid(rest, true) - true),
        float(fit.identity.norm()),
        float((fit.landmarks_px.double() - face.points_px).norm(dim=1).mean()) / eyes,
        float(off.mean()),
        *(float(off[ARKIT_INDEX[name]]) for name in SHOWN),
    ]


def _px_per_unit(face: KnownFace, landmarks: LandmarkModel) -> float:
    xyz = landmarks.points(face.identity, face.expression) @ face.R_camera_head.T
    flat = torch.stack([xyz[:, 0], -xyz[:, 1]], 1)
    centred, seen = flat - flat.mean(0), face.points_px - face.points_px.mean(0)
    return float((centred * seen).sum() / centred.square().sum())


def _pose_error_deg(fit: FaceFit, face: KnownFace, landmarks: LandmarkModel) -> float:
    mine = landmarks.points(fit.identity.double(), fit.expression.double()) @ fit.R_camera_head.double().T
    true = landmarks.points(face.identity, face.expression) @ face.R_camera_head.T
    R = _rotation_onto(mine, true)
    return float(torch.rad2deg(geodesic_angle(R, torch.eye(3, dtype=R.dtype))))


def _rotation_onto(points: Float[Tensor, "n 3"], target: Float[Tensor, "n 3"]) -> Float[Tensor, "3 3"]:
    """R with R @ (points - mean) near (target - mean), up to scale (orthogonal Procrustes)."""
    return nearest_rotation((target - target.mean(0)).T @ (points - points.mean(0)))


def _laid(points: Float[Tensor, "n 3"], target: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    turned = (points - points.mean(0)) @ _rotation_onto(points, target).T
    scale = (turned * (target - target.mean(0))).sum() / turned.square().sum()
    return target.mean(0) + scale * turned


def _rms(away: Float[Tensor, "n 3"]) -> float:
    return float(away.square().sum(-1).mean().sqrt())
