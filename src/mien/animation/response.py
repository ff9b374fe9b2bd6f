"""The response of an avatar: which coefficients a tracker measures on renders of the coefficients sent.

Render known coefficients, track the renders, `fit_response`, and `ExpressionResponse.apply` tells what to
send so that the wanted coefficients are measured: the loop between sent and seen is closed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from mien.core.arkit import ARKIT_NAMES
from mien.core.errors import InputError

Array = NDArray[np.float64]

COUNT: Final = len(ARKIT_NAMES)
DEFAULT_KNOTS: Final = 9
INVERSION_STEPS: Final = 150
BLOCK_ROWS: Final = 1024
"""Rows that are inverted at once: what is needed for them stays small however long a clip is."""
FLAT_RISE: Final = 0.1
"""Curves that rise less say nothing about their shape."""


@dataclass(frozen=True, eq=False)
class _Box:
    """What `ExpressionResponse.apply` minimises, per coefficient [52], and the bounds of what is sent."""

    weight: Array
    anchor: Array
    bound: Array
    """Of the curvature."""
    highest: NDArray[np.floating] | float


@dataclass(frozen=True, eq=False)
class ExpressionResponse:
    """`measured_i = curve_i(sent_i) + sum_j shape_j(sent_j) crosstalk_ji`, limited to [0, 1].

    Curves are monotone and piecewise linear; `shape_j` is curve j scaled from 0 to 1: a lid draws the skin
    around it along as far as it is seen to close, not as far as it was asked to. What is sent beyond 1, which
    was not measured, moves nothing else any further.
    """

    values: Array
    """[52, K] each curve at K even knots of [0, 1]; never falling along K."""
    crosstalk: Array
    """[52, 52] from the shape of what is sent (row) to what is measured (column); zero diagonal."""

    def __post_init__(self) -> None:
        shapes = (self.values.shape[:1], self.crosstalk.shape)
        if shapes != ((COUNT,), (COUNT, COUNT)) or self.values.ndim != 2 or self.values.shape[1] < 2:
            raise InputError(
                f"An expression response has values {self.values.shape} and cross-talk {self.crosstalk.shape}"
                f", expected [{COUNT}, knots] and [{COUNT}, {COUNT}]; measure it again."
            )

    @classmethod
    def identity(cls, knots: int = DEFAULT_KNOTS) -> "ExpressionResponse":
        """The response of an avatar that shows exactly what is sent."""
        return cls(np.tile(np.linspace(0.0, 1.0, knots), (COUNT, 1)), np.zeros((COUNT, COUNT)))

    @property
    def gain(self) -> Array:
        """Rise of every curve from 0 to 1, [52]."""
        return self.values[:, -1] - self.values[:, 0]

    @property
    def offset(self) -> Array:
        """What is measured where nothing is sent, [52]."""
        return self.values[:, 0]

    def predict(self, sent: NDArray[np.floating]) -> Array:
        """Measured coefficients [N, 52] of the sent ones [N, 52]."""
        curve, _ = self._curve(np.asarray(sent, np.float64))
        return np.clip(curve + self._shape(curve, sent) @ self.crosstalk, 0.0, 1.0)

    def apply(
        self,
        wanted: NDArray[np.floating],
        *,
        near: NDArray[np.floating] | None = None,
        anchor: NDArray[np.floating] | float = 0.01,
        weight: NDArray[np.floating] | float = 1.0,
        answers: NDArray[np.bool_] | None = None,
        highest: NDArray[np.floating] | float = 1.0,
    ) -> NDArray[np.float32]:
        """Coefficients to send, [N, 52] from 0 to `highest`, so that [N, 52] `wanted` is measured.

        Minimises weight |predict(sent) - wanted|^2 + anchor |sent - near|^2 in the box by projected gradient;
        `near` is `wanted` if None. The anchor keeps coefficients that the avatar cannot show where they are.
        `anchor`, `weight` and `highest` may be given per coefficient, [52]. `answers` [52, 52] tells for the
        sake of which measured coefficients (columns) each sent one (row) is changed; without it for all.
        Equal rows give equal results.
        """
        crosstalk = self.crosstalk if answers is None else self.crosstalk * answers
        both = np.concatenate([wanted, wanted if near is None else near], 1).astype(np.float64)
        rows, back = np.unique(both, axis=0, return_inverse=True)
        bound = self._curvature(np.broadcast_to(weight, COUNT), np.broadcast_to(anchor, COUNT), answers)
        box = _Box(np.broadcast_to(weight, COUNT), np.broadcast_to(anchor, COUNT), bound, highest)
        sent = np.empty((len(rows), COUNT), np.float32)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            sent[block] = self._descended(rows[block, :COUNT], rows[block, COUNT:], crosstalk, box)
        return sent[back.reshape(-1)]

    def _descended(self, wanted: Array, near: Array, crosstalk: Array, box: "_Box") -> Array:
        """What to send for some rows, see `apply`."""
        sent = ahead = near = np.clip(near, 0.0, np.maximum(box.highest, 1.0))
        for step in range(INVERSION_STEPS):  # accelerated: Beck, Teboulle, FISTA, 2009
            curve, slope = self._curve(ahead)
            shape = self._shape(curve, ahead)
            error = box.weight * (np.clip(curve + shape @ self.crosstalk, 0.0, 1.0) - wanted)
            bend = np.where(shape < 1, self._shape_slope(slope), 0.0)
            gradient = slope * error + bend * (error @ crosstalk.T)
            gradient += box.anchor * (ahead - near)
            moved = np.clip(ahead - gradient / box.bound, 0.0, box.highest)
            ahead = np.clip(moved + step / (step + 3) * (moved - sent), 0.0, box.highest)
            sent = moved
        return sent

    def _curvature(self, weight: Array, anchor: Array, answers: NDArray[np.bool_] | None) -> Array:
        """A bound of the curvature of what `apply` minimises, [52]: of those coefficients that answer for the
        same ones together."""
        steepest = np.diff(self.values, axis=1).max(1) * (self.values.shape[1] - 1)
        bend = np.maximum(self._shape_slope(steepest), 1.0)[:, None] * self.crosstalk
        groups = np.ones((COUNT, COUNT), bool) if answers is None else answers
        bound = np.empty(COUNT)
        for group in np.unique(groups, axis=0):
            members = (groups == group).all(1)
            jacobian = steepest[group].max() + np.linalg.norm(bend[np.ix_(group, group)], 2)
            bound[members] = weight[group].max() * jacobian**2 + anchor[members].max()
        return bound

    def _rise(self) -> tuple[NDArray[np.bool_], Array]:
        """Which curves rise enough to have a shape, and what divides them, [52]."""
        rises = self.gain >= FLAT_RISE
        return rises, np.where(rises, self.gain, 1.0)

    def _shape(self, curve: Array, sent: NDArray[np.floating]) -> Array:
        rises, rise = self._rise()
        return np.minimum(np.where(rises, (curve - self.offset) / rise, sent), 1.0)

    def _shape_slope(self, slope: Array) -> Array:
        rises, rise = self._rise()
        return np.where(rises, slope / rise, 1.0)

    def _curve(self, sent: Array) -> tuple[Array, Array]:
        """Values and slopes of the 52 curves at [N, 52]; beyond 1 they go on as steeply."""
        pieces = self.values.shape[1] - 1
        place = np.maximum(sent, 0.0) * pieces
        piece = np.minimum(place.astype(int), pieces - 1)
        column = np.arange(COUNT)
        low, high = self.values[column, piece], self.values[column, piece + 1]
        return low + (place - piece) * (high - low), (high - low) * pieces


def fit_response(
    sent: NDArray[np.floating],
    measured: NDArray[np.floating],
    *,
    knots: int = DEFAULT_KNOTS,
    smoothness: float = 1e-2,
    prior: float = 1e-3,
    crosstalk_ridge: float = 3e-3,
    rounds: int = 4,
) -> ExpressionResponse:
    """The response that explains [N, 52] measurements of [N, 52] sent coefficients.

    Alternates monotone curves (bounded least squares, drawn to equal rises and weakly to the identity) with a
    ridge fit of the cross-talk on what the curves leave. Weights are per sample, so N does not change them.
    Coefficients that were never varied keep the identity's rise. Frames without a face must be left out.
    """
    sent, measured = _checked(sent, measured)
    crosstalk = np.zeros((COUNT, COUNT))
    values, shape = np.zeros((COUNT, knots)), sent
    for _ in range(rounds):
        rest = measured - shape @ crosstalk
        for index in range(COUNT):
            values[index] = _fit_curve(sent[:, index], rest[:, index], knots, smoothness, prior)
        bare = ExpressionResponse(values, np.zeros((COUNT, COUNT)))
        curves, _ = bare._curve(sent)
        shape = bare._shape(curves, sent)
        crosstalk = _fit_crosstalk(shape, measured - curves, crosstalk_ridge)
    return ExpressionResponse(values.copy(), crosstalk)


def _fit_curve(sent: Array, measured: Array, knots: int, smoothness: float, prior: float) -> Array:
    """Values at the knots: a free offset and rises of at least 0."""
    pieces, count = knots - 1, len(sent)
    rises = np.clip(sent[:, None] * pieces - np.arange(pieces), 0.0, 1.0)
    design = np.concatenate([np.ones((count, 1)), rises], 1) / np.sqrt(count)
    smooth = np.zeros((pieces - 1, knots))
    smooth[:, 1:] = np.sqrt(smoothness) * np.diff(np.eye(pieces), axis=0)
    identity = np.zeros((pieces, knots))
    identity[:, 1:] = np.sqrt(prior) * np.eye(pieces)
    target = np.concatenate(
        [measured / np.sqrt(count), np.zeros(pieces - 1), np.full(pieces, np.sqrt(prior) / pieces)]
    )
    low = np.concatenate([[-np.inf], np.zeros(pieces)])
    solution = lsq_linear(np.concatenate([design, smooth, identity]), target, bounds=(low, np.inf)).x
    return solution[0] + np.concatenate([[0.0], np.cumsum(np.maximum(solution[1:], 0.0))])


def _fit_crosstalk(sent: Array, residual: Array, ridge: float) -> Array:
    """Ridge least squares of the residual on the other coefficients, [52, 52] with zero diagonal."""
    centred = sent - sent.mean(0)
    gram = centred.T @ centred / len(sent) + ridge * np.eye(COUNT)
    right = centred.T @ (residual - residual.mean(0)) / len(sent)
    crosstalk = np.zeros((COUNT, COUNT))
    for index in range(COUNT):
        others = np.arange(COUNT) != index
        crosstalk[others, index] = np.linalg.solve(gram[np.ix_(others, others)], right[others, index])
    return crosstalk


def _checked(sent: NDArray[np.floating], measured: NDArray[np.floating]) -> tuple[Array, Array]:
    one: Array = np.asarray(sent, np.float64)
    other: Array = np.asarray(measured, np.float64)
    if one.shape != other.shape or one.ndim != 2 or one.shape[1] != COUNT or len(one) < 2:
        raise InputError(
            f"The response needs sent and measured coefficients of one shape [N, {COUNT}] with N >= 2, found "
            f"{one.shape} and {other.shape}; give one measured row for every row sent."
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise InputError(
            "The response was given numbers that are not finite; leave out frames without a face."
        )
    return one, other
