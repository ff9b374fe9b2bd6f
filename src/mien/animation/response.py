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
DEFAULT_KNOTS: Final = 5
INVERSION_STEPS: Final = 300


@dataclass(frozen=True, eq=False)
class ExpressionResponse:
    """`measured_i = curve_i(sent_i) + sum_j sent_j crosstalk_ji`, curves monotone and piecewise linear."""

    values: Array
    """[52, K] each curve at K even knots of [0, 1]; never falling along K."""
    crosstalk: Array
    """[52, 52] from sent (row) to measured (column); zero diagonal."""

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
        return curve + sent @ self.crosstalk

    def apply(self, wanted: NDArray[np.floating], *, anchor: float = 0.01) -> NDArray[np.float32]:
        """Coefficients to send, [N, 52] in [0, 1], so that [N, 52] `wanted` is measured.

        Minimises |predict(sent) - wanted|^2 + anchor |sent - wanted|^2 in the box by projected gradient; the
        anchor keeps coefficients that the avatar cannot show where they are. Equal rows give equal results.
        """
        rows, back = np.unique(np.asarray(wanted, np.float64), axis=0, return_inverse=True)
        steepest = np.diff(self.values, axis=1).max() * (self.values.shape[1] - 1)
        bound = (steepest + np.linalg.norm(self.crosstalk, 2)) ** 2 + anchor
        sent = np.clip(rows, 0.0, 1.0)
        ahead = sent
        for step in range(INVERSION_STEPS):  # accelerated: Beck, Teboulle, FISTA, 2009
            curve, slope = self._curve(ahead)
            error = curve + ahead @ self.crosstalk - rows
            gradient = slope * error + error @ self.crosstalk.T + anchor * (ahead - rows)
            moved = np.clip(ahead - gradient / bound, 0.0, 1.0)
            ahead = np.clip(moved + step / (step + 3) * (moved - sent), 0.0, 1.0)
            sent = moved
        return sent[back.reshape(-1)].astype(np.float32)

    def _curve(self, sent: Array) -> tuple[Array, Array]:
        """Values and slopes of the 52 curves at [N, 52]."""
        pieces = self.values.shape[1] - 1
        place = np.clip(sent, 0.0, 1.0) * pieces
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
    values = np.zeros((COUNT, knots))
    for _ in range(rounds):
        rest = measured - sent @ crosstalk
        for index in range(COUNT):
            values[index] = _fit_curve(sent[:, index], rest[:, index], knots, smoothness, prior)
        curves, _ = ExpressionResponse(values, crosstalk)._curve(sent)
        crosstalk = _fit_crosstalk(sent, measured - curves, crosstalk_ridge)
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
