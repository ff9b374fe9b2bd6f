"""The morphable fit: identity, expression, pose, camera and aligned crop of one face in one photo.

Levenberg-Marquardt on the costs of `mien.morphable.costs`; robust weights, visibility and the face's outline
are refreshed before every step.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS, Camera, intrinsics_of
from mien.core.geometry import axis_angle_to_matrix, nearest_rotation
from mien.morphable.beard import Tips, solid_part
from mien.morphable.costs import (
    FitProblem,
    FitState,
    jacobian,
    project,
    residuals,
)
from mien.morphable.crop import CropRegion
from mien.morphable.encoder import EncodedFace
from mien.morphable.expect import FitConfig, encode_face
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    FACE_OVAL,
    IRISES,
    LIPS_INNER,
    LIPS_OUTER,
    LandmarkModel,
    landmark_model,
)
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation

__all__ = ["CropRegion", "FaceFit", "FitConfig", "fit_encoded", "fit_face"]


@dataclass(frozen=True, eq=False)
class FaceFit:
    """A head model laid over a photo."""

    identity: Float[Tensor, " component"]
    expression: Float[Tensor, "52"]
    """In [0, 1], in the order of `ARKIT_NAMES`."""
    R_camera_head: Float[Tensor, "3 3"]
    """Head axes to camera axes x right, y up, z to the viewer."""
    camera: Camera
    """Of the crop; world = head frame; on the orbit of radius 2.7, looking at the origin."""
    crop: CropRegion
    residual: float
    """Mean distance of the landmarks from the model's, as a share of the face's size."""
    landmarks_px: Float[Tensor, "478 2"]
    """The model's landmarks in photo pixels."""
    torso: Float[Tensor, "#vertex 3"] = field(default_factory=lambda: torch.zeros(1, 3))
    """Displacement of what expressions leave alone, in the head frame: of neck, shoulders and clothes, see
    `mien.morphable.torso`, and of ears, see `mien.inversion.ears`; zero elsewhere."""
    beard: Tips | None = None
    """Where the hairs of a beard that stands off the skin end; None if there is none."""

    def vertices(self, model: MorphableModel) -> Float[Tensor, "vertex 3"]:
        """Vertices in the head frame, EG3D units, with the solid part of a beard."""
        skin = model.vertices(self.identity, self.expression) + self.torso
        return skin if self.beard is None else skin + solid_part(self.beard)

    def neutral(self, model: MorphableModel) -> Float[Tensor, "vertex 3"]:
        """Vertices without expression and beard."""
        return model.vertices(self.identity, torch.zeros(52)) + self.torso

    def photo_camera(self, width_px: int, height_px: int) -> Camera:
        """The crop's camera with the intrinsics of the whole photo."""
        return replace(self.camera, intrinsics=self.crop.photo_intrinsics(width_px, height_px))


@dataclass(frozen=True)
class _Frame:
    """Normalised image points: (px - centre) / unit."""

    centre_px: Float[Tensor, "2"]
    unit_px: float


def fit_face(
    face: FaceObservation,
    image_size: tuple[int, int],
    *,
    model: MorphableModel,
    rgb: UInt8[np.ndarray, "height width 3"] | None = None,
    config: FitConfig | None = None,
    start: FaceFit | None = None,
) -> FaceFit:
    """Fit the head model to one observed face in an image of `image_size` (width_px, height_px).

    With the picture `rgb` the face is not only known by the tracker's points, see `encode_face`.
    With `start` (the same person's earlier fit) the identity is kept, and the rest starts from there: for
    further frames of a video. Deterministic.
    """
    config = config or FitConfig()
    return fit_encoded(
        encode_face(face, landmark_model(model), rgb, config), model=model, config=config, start=start
    )


def fit_encoded(
    seen: EncodedFace, *, model: MorphableModel, config: FitConfig | None = None, start: FaceFit | None = None
) -> FaceFit:
    """`fit_face` of a face of which something is expected already."""
    config = config or FitConfig()
    problem, state, frame = _set_up(seen, landmark_model(model), config, start)
    free = 58 if start is not None else 58 + model.component_count
    problem, state = _solve(problem, state, config, free)
    return _result(problem, state, frame)


def orbit_camera(R_camera_head: Float[Tensor, "3 3"]) -> Camera:
    """The camera at the orbit's distance that sees the head turned by `R_camera_head`."""
    T = torch.eye(4, dtype=R_camera_head.dtype)
    T[:3, :3] = R_camera_head.T * R_camera_head.new_tensor([1.0, -1.0, -1.0])
    T[:3, 3] = R_camera_head.T @ R_camera_head.new_tensor([0.0, 0.0, ORBIT_RADIUS])
    return Camera(T, intrinsics_of(FFHQ_FOCAL, dtype=R_camera_head.dtype))


def _set_up(
    seen: EncodedFace, landmarks: LandmarkModel, config: FitConfig, start: FaceFit | None
) -> tuple[FitProblem, FitState, _Frame]:
    prior, target_px = replace(seen.prior, root=config.prior_gain * seen.prior.root), seen.points_px
    identity = prior.identity if start is None else start.identity.double()
    R = prior.R_camera_head if start is None else start.R_camera_head.double()
    state = FitState(R.new_zeros(3), R.new_zeros(()), R.new_zeros(2), prior.expression, identity)
    problem = FitProblem(
        landmarks=landmarks,
        target=target_px,
        point_sd=seen.point_sd,
        precision=_base_precision(seen.point_sd, config),
        contour_normal=_outline_normals(target_px),
        contour_precision=R.new_ones(36),
        R_camera_head=R,
        prior=prior,
        config=config.costs,
    )
    frame = _similarity(project(state, problem).uv, target_px, problem.precision)
    return replace(problem, target=(target_px - frame.centre_px) / frame.unit_px), state, frame


def _similarity(uv: Tensor, px: Tensor, precision: Tensor) -> _Frame:
    """The scale and shift that lay uv [478, 2] on px [478, 2], weighted least squares (no rotation)."""
    w = (precision**2 / (precision**2).sum())[:, None]
    uv_mean, px_mean = (w * uv).sum(0), (w * px).sum(0)
    uv_centred, px_centred = uv - uv_mean, px - px_mean
    unit = ((w * uv_centred * px_centred).sum() / (w * uv_centred**2).sum()).clamp(min=1e-6)
    return _Frame(px_mean - unit * uv_mean, float(unit))


def _base_precision(point_sd: Float[Tensor, "478"], config: FitConfig) -> Float[Tensor, "478"]:
    gain = torch.ones(478, dtype=torch.float64)
    groups = (
        (LIPS_INNER + LIPS_OUTER, config.lips_gain),
        (EYELIDS_LEFT + EYELIDS_RIGHT, config.eyelids_gain),
        (IRISES, config.irises_gain),
        (BROW_LEFT + BROW_RIGHT, config.brows_gain),
        (FACE_OVAL, 0.0),
    )
    for points, value in groups:
        gain[torch.tensor(points)] = value
    return gain / point_sd


def _outline_normals(target: Float[Tensor, "478 2"]) -> Float[Tensor, "36 2"]:
    """Outward unit normals of the detected oval (y down; the oval runs clockwise as seen)."""
    p = target[torch.tensor(FACE_OVAL)]
    along = torch.nn.functional.normalize(p.roll(-1, 0) - p.roll(1, 0), dim=-1)
    normal = torch.stack([along[:, 1], -along[:, 0]], -1)
    outward = ((p - p.mean(0)) * normal).sum()
    return normal if outward >= 0 else -normal


def _refresh(problem: FitProblem, state: FitState, config: FitConfig) -> FitProblem:
    """Weights and outline for the present state; the state's turn goes into the problem's rotation."""
    landmarks, costs = problem.landmarks, config.costs
    R = axis_angle_to_matrix(state.turn) @ problem.R_camera_head
    xyz = landmarks.points(state.identity, state.expression) @ R.T
    view = torch.nn.functional.normalize(xyz.new_tensor([0.0, 0.0, ORBIT_RADIUS]) - xyz, dim=-1)
    normal = landmarks.normal @ R.T
    facing = (normal * view).sum(-1)
    uv = project(state, problem).uv

    base = _base_precision(problem.point_sd, config)
    error = (uv - problem.target).norm(dim=-1) / problem.point_sd
    robust = 1 / (1 + (error / config.outlier_sd) ** 2).sqrt()
    visible = ((facing + 0.3) / 0.5).clamp(0.25, 1)

    oval = torch.tensor(FACE_OVAL)
    error = ((uv - problem.target)[oval] * problem.contour_normal).sum(-1) / costs.contour_sd
    contour_gain = torch.where(problem.contour_normal[:, 1] < -0.3, config.forehead_gain, 1.0)
    contour_gain = contour_gain * _on_outline(facing[oval])
    return replace(
        problem,
        precision=base * robust * visible,
        contour_precision=contour_gain / (1 + (error / config.outlier_sd) ** 2).sqrt() / costs.contour_sd,
        R_camera_head=R,
    )


def _on_outline(facing: Float[Tensor, "36"]) -> Float[Tensor, "36"]:
    """Weight of oval points by the cosine between normal and view.

    On rendered heads the points lie on the mesh to 0.002 units across the outline while |cosine| < 0.35, and
    off by 0.004 to 0.009 where the surface faces the viewer or is hidden.
    """
    return ((0.6 - facing.abs()) / 0.25).clamp(0.2, 1)


def _solve(problem: FitProblem, state: FitState, config: FitConfig, free: int) -> tuple[FitProblem, FitState]:
    """Levenberg-Marquardt over the first `free` numbers of the packed state."""
    damping = config.damping
    for _ in range(config.steps):
        problem = _refresh(problem, state, config)
        state = replace(state, turn=torch.zeros_like(state.turn))
        x = state.pack()
        r, J = jacobian(x, problem, free=free)
        energy, H, g = r @ r, J.T @ J, J.T @ r
        improved = x
        for _ in range(6):
            step = torch.linalg.solve(H + damping * torch.diag(H.diagonal()), g)
            candidate = torch.cat([x[:free] - step, x[free:]])
            new = residuals(candidate, problem)
            if new @ new <= energy:
                improved, damping = candidate, max(damping / 4, 1e-7)
                break
            damping *= 8
        state = FitState.unpack(improved)
        if energy - new @ new < config.tolerance * energy:
            break
    return _refresh(problem, state, config), replace(state, turn=torch.zeros_like(state.turn))


def _result(problem: FitProblem, state: FitState, frame: _Frame) -> FaceFit:
    state = replace(state, expression=state.expression.clamp(0, 1))
    uv = project(state, problem).uv
    centre = frame.centre_px + frame.unit_px * state.shift
    side = frame.unit_px * float(state.log_scale.exp()) * ORBIT_RADIUS / FFHQ_FOCAL
    size = (problem.target.amax(0) - problem.target.amin(0)).max()
    R = nearest_rotation(problem.R_camera_head).float()
    return FaceFit(
        identity=state.identity.float(),
        expression=state.expression.float(),
        R_camera_head=R,
        camera=orbit_camera(R),
        crop=CropRegion(float(centre[0]), float(centre[1]), side),
        residual=float((uv - problem.target).norm(dim=-1).mean() / size),
        landmarks_px=(frame.centre_px + frame.unit_px * uv).float(),
    )
