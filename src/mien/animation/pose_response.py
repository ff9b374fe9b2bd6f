"""The response of an avatar's pose: which turns a tracker measures on renders of the turns sent.

A tracker compresses yaw and pitch (a head turned by 10 degrees is seen turned by 7 to 9) and takes an open
jaw or a smile for a small turn. It sees the driver so, too: sending what makes the same be seen on the avatar
treats both errors at once, and the avatar really turns as far as the driver does.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.rotations import rotation_exp, rotation_log
from mien.core.errors import InputError

Array = NDArray[np.float64]

GAIN_LIMITS: Final = (0.7, 1.2)
"""What a tracker's gain may be; anything else is a poor measurement."""
GAIN_RIDGE_RAD2: Final = 1.5e-3
"""Halves what ten probed turns say of a gain: turns of a few degrees are compressed less than those."""
LEAK_RIDGE: Final = 0.12
LEAK_LIMIT_RAD: Final = float(np.radians(6.0))


@dataclass(frozen=True, eq=False)
class PoseResponse:
    """`measured turn = gain * sent turn + expression @ leak`: tangent vectors, camera axes."""

    gain: Array
    """[3] about the camera's x, y and z axis (pitch, yaw, roll)."""
    leak_rad: Array
    """[52, 3] turn that is seen per unit of each coefficient sent."""

    def __post_init__(self) -> None:
        if (self.gain.shape, self.leak_rad.shape) != ((3,), (52, 3)):
            raise InputError(
                f"A pose response has gains {self.gain.shape} and leaks {self.leak_rad.shape}, expected [3] "
                "and [52, 3]; measure it again."
            )

    @classmethod
    def identity(cls) -> "PoseResponse":
        """Of an avatar that is seen to turn exactly as sent."""
        return cls(np.ones(3), np.zeros((52, 3)))

    @classmethod
    def from_array(cls, rows: NDArray[np.floating]) -> "PoseResponse":
        """From [53, 3]: the gains, then the leaks."""
        exact: Array = np.asarray(rows, np.float64)
        return cls(exact[0], exact[1:])

    def to_array(self) -> Array:
        """[53, 3], the inverse of `from_array`."""
        return np.concatenate([self.gain[None], self.leak_rad])

    def predict(self, turn_rad: NDArray[np.floating], expression: NDArray[np.floating]) -> Array:
        """Turns measured, [N, 3], of turns [N, 3] and expressions [N, 52] sent."""
        return self.gain * turn_rad + self._leak(expression)

    def apply(
        self,
        R_camera_head: NDArray[np.floating],
        expression: NDArray[np.floating],
        R_camera_head_source: NDArray[np.floating],
    ) -> NDArray[np.float32]:
        """Rotations to send, [T, 3, 3], so that the turn since the first frame is measured as wanted.

        The first frame is kept; equal frames give equal results.
        """
        R_source = np.asarray(R_camera_head_source, np.float64)
        wanted = rotation_log(np.asarray(R_camera_head, np.float64) @ R_source.T)
        leak = self._leak(expression)
        leak = leak - leak[:1]
        size = np.linalg.norm(leak, axis=1, keepdims=True)
        leak = leak * LEAK_LIMIT_RAD * np.tanh(size / LEAK_LIMIT_RAD) / np.maximum(size, 1e-12)
        sent = wanted[:1] + (wanted - wanted[:1] - leak) / self.gain
        return (rotation_exp(sent) @ R_source).astype(np.float32)

    def _leak(self, expression: NDArray[np.floating]) -> Array:
        """[N, 3], summed row by row so that equal rows are exactly equal."""
        return (np.asarray(expression, np.float64)[:, :, None] * self.leak_rad).sum(1)


def fit_pose_response(
    turn_rad: NDArray[np.floating], expression: NDArray[np.floating], measured_rad: NDArray[np.floating]
) -> PoseResponse:
    """The response that explains N measured turns [N, 3] of turns [N, 3] and expressions [N, 52] sent.

    Ridge least squares with a free offset, gains towards 1 and leaks towards 0.
    """
    turn = np.asarray(turn_rad, np.float64)
    rest = np.asarray(measured_rad, np.float64) - turn
    gain, leak = np.ones(3), np.zeros((52, 3))
    for axis in range(3):
        columns = np.concatenate([turn[:, axis : axis + 1], np.asarray(expression, np.float64)], 1)
        columns = columns - columns.mean(0)
        ridge = np.diag(np.r_[GAIN_RIDGE_RAD2, np.full(52, LEAK_RIDGE)])
        right = columns.T @ (rest[:, axis] - rest[:, axis].mean()) / len(columns)
        solution = np.linalg.solve(columns.T @ columns / len(columns) + ridge, right)
        gain[axis], leak[:, axis] = np.clip(1.0 + solution[0], *GAIN_LIMITS), solution[1:]
    return PoseResponse(gain, leak)
