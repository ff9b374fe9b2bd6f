"""The fit's energy: a list of small weighted cost functions of the state.

Every cost gives residuals; the energy is the sum of their squares. A unit residual is one standard
deviation of what is expected, so weights are near one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.camera import ORBIT_RADIUS
from mien.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from mien.morphable.landmarks import FACE_OVAL, OPENINGS, LandmarkModel

UNIT_FOCAL: Final = ORBIT_RADIUS
"""Focal length that makes image lengths equal head lengths (EG3D units) at the orbit's distance."""
DIFFERENCE: Final = 1e-6
"""Step of the numerical derivatives, in double precision."""


@dataclass(frozen=True, eq=False)
class FitState:
    """What is solved for. The photo's points are normalised: EG3D units at the orbit's distance, y down."""

    turn: Float[Tensor, "*batch 3"]
    """Axis-angle on the left of `FitProblem.R_camera_head`, rad."""
    log_scale: Float[Tensor, "*batch"]
    shift: Float[Tensor, "*batch 2"]
    expression: Float[Tensor, "*batch 52"]
    identity: Float[Tensor, "*batch component"]

    def pack(self) -> Float[Tensor, "*batch parameter"]:
        """All numbers in one vector, in the order of the fields."""
        parts = (self.turn, self.log_scale[..., None], self.shift, self.expression, self.identity)
        return torch.cat(parts, -1)

    @staticmethod
    def unpack(x: Float[Tensor, "*batch parameter"]) -> "FitState":
        """Inverse of `pack`."""
        return FitState(x[..., :3], x[..., 3], x[..., 4:6], x[..., 6:58], x[..., 58:])


@dataclass(frozen=True, eq=False)
class FitProblem:
    """What the state is measured against; refreshed between the steps of the solver."""

    landmarks: LandmarkModel
    target: Float[Tensor, "478 2"]
    """Detected points, normalised."""
    point_sd: Float[Tensor, "478"]
    """Expected error of each point, EG3D units."""
    precision: Float[Tensor, "478"]
    """Inverse of the expected error of each point, its robust weight and visibility included."""
    contour_normal: Float[Tensor, "36 2"]
    """Outward unit normal of the detected outline."""
    contour_precision: Float[Tensor, "36"]
    R_camera_head: Float[Tensor, "3 3"]
    """The rotation that the state's turn is applied to."""
    prior: "FacePrior"
    config: "CostConfig"


@dataclass(frozen=True, eq=False)
class FacePrior:
    """What is expected of a face before its points are fitted: a Gaussian."""

    R_camera_head: Float[Tensor, "3 3"]
    expression: Float[Tensor, "52"]
    identity: Float[Tensor, " component"]
    root: Float[Tensor, "deviation deviation"]
    """Square root of the precision of turn (axis-angle in head axes, rad), expression and identity."""


@dataclass(frozen=True)
class CostConfig:
    """Expected deviations; smaller means stronger."""

    landmark_sd: float = 0.003
    """Error of a detected point, EG3D units (1.6 mm); its spread on the mesh is added in quadrature."""
    contour_sd: float = 0.006
    """Error of the outline, along its normal."""
    opening_sd: float = 0.0015
    """Error of the gap between the lips or between the lids."""
    redundancy: float = 6.0
    """Neighbouring points err alike: that many count as one."""
    identity_sd: float = 1.0
    """Of the identity coefficients; they have unit variance in the model."""
    expression_sd: float = 0.3
    """Of an expression coefficient about MediaPipe's."""
    bound_sd: float = 0.02
    """Of an expression coefficient beyond [0, 1]."""
    turn_sd: float = 0.05
    """Of the pose about MediaPipe's, rad."""


@dataclass(frozen=True, eq=False)
class Projected:
    """The model's landmarks in the normalised image."""

    uv: Float[Tensor, "*batch 478 2"]


def project(state: FitState, problem: FitProblem) -> Projected:
    """All landmarks through the orbit camera and the similarity to the photo."""
    xyz = problem.landmarks.points(state.identity, state.expression)
    R = axis_angle_to_matrix(state.turn) @ problem.R_camera_head
    x, y, z = (xyz @ R.transpose(-1, -2)).unbind(-1)
    flat = torch.stack([x, -y], -1) * (UNIT_FOCAL / (ORBIT_RADIUS - z))[..., None]
    return Projected(uv=flat * state.log_scale.exp()[..., None, None] + state.shift[..., None, :])


Residual = Float[Tensor, "*batch residual"]
Cost = Callable[[FitState, Projected, FitProblem], Residual]


def landmark_cost(state: FitState, projected: Projected, problem: FitProblem) -> Residual:
    """Reprojection error of all points but the oval's, in expected errors."""
    error = projected.uv - problem.target
    return (error * problem.precision[:, None]).flatten(-2) / problem.config.redundancy**0.5


def contour_cost(state: FitState, projected: Projected, problem: FitProblem) -> Residual:
    """Distance of the outline from the detected one, across it: along it the points may slide."""
    error = (projected.uv - problem.target)[..., _index(FACE_OVAL), :]
    return (error * problem.contour_normal).sum(-1) * problem.contour_precision


def opening_cost(state: FitState, projected: Projected, problem: FitProblem) -> Residual:
    """Gaps between the lips and between the lids, as differences: closed must be closed."""
    upper, lower = _index([a for a, _ in OPENINGS]), _index([b for _, b in OPENINGS])
    gap = projected.uv[..., upper, :] - projected.uv[..., lower, :]
    seen = problem.target[upper] - problem.target[lower]
    weight = torch.minimum(problem.precision[upper], problem.precision[lower]) * problem.point_sd[upper]
    sd = problem.config.opening_sd * problem.config.redundancy**0.5
    return ((gap - seen) * weight.clamp(max=1)[:, None]).flatten(-2) / sd


def prior_cost(state: FitState, projected: Projected, problem: FitProblem) -> Residual:
    """Distance of pose, expression and identity from what was expected, in expected errors."""
    prior = problem.prior
    R = prior.R_camera_head.T @ axis_angle_to_matrix(state.turn) @ problem.R_camera_head
    turn = matrix_to_axis_angle(R)
    deviation = torch.cat([turn, state.expression - prior.expression, state.identity - prior.identity], -1)
    return deviation @ prior.root.T


def bound_cost(state: FitState, projected: Projected, problem: FitProblem) -> Residual:
    """Expression coefficients stay in [0, 1]."""
    e = state.expression
    return (torch.relu(-e) + torch.relu(e - 1)) / problem.config.bound_sd


COSTS: Final[tuple[Cost, ...]] = (
    landmark_cost,
    contour_cost,
    opening_cost,
    prior_cost,
    bound_cost,
)


def residuals(x: Float[Tensor, "*batch parameter"], problem: FitProblem) -> Residual:
    """All costs of the packed state, one after the other."""
    state = FitState.unpack(x)
    projected = project(state, problem)
    return torch.cat([cost(state, projected, problem) for cost in COSTS], -1)


def jacobian(
    x: Float[Tensor, " parameter"], problem: FitProblem, *, free: int
) -> tuple[Float[Tensor, " residual"], Float[Tensor, "residual free"]]:
    """Residuals, and their derivatives by the first `free` parameters.

    Forward differences in double precision, all in one batch: good to 1e-6 and, without the start-up time of
    `torch.func`, quicker than a whole fit with it.
    """
    probes = torch.cat([x[None], x + DIFFERENCE * torch.eye(len(x), dtype=x.dtype)[:free]])
    r = residuals(probes, problem)
    return r[0], ((r[1:] - r[0]) / DIFFERENCE).T


def _index(points: list[int] | tuple[int, ...]) -> Int[Tensor, " n"]:
    return torch.tensor(points)
