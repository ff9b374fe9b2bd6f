"""A camera's rotation as three angles, and back."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class ViewAngles:
    """From where a camera looks at the head, and how it is tilted; all zero is the frontal view.

    Yaw and pitch are those of `Camera.orbit`: the camera stands towards the picture's right (it sees more of
    the head's side at +x) for positive yaw, above the face for positive pitch. Positive roll shows the head
    tilted counter-clockwise. A mirrored picture has the opposite yaw and roll.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float

    @classmethod
    def of(cls, R_world_camera: Float[Tensor, "3 3"]) -> "ViewAngles":
        """Inverse of `rotation`: yaw and roll in (-pi, pi], pitch in [-pi/2, pi/2]."""
        right, _, forward = R_world_camera.double().T
        yaw, pitch = math.atan2(-forward[0], -forward[2]), math.asin(max(-1.0, min(1.0, float(-forward[1]))))
        upright = cls(yaw, pitch, 0.0).rotation()
        return cls(yaw, pitch, math.atan2(float(right @ upright[:, 1]), float(right @ upright[:, 0])))

    def rotation(self) -> Float[Tensor, "3 3"]:
        """R_world_camera (OpenCV axes): that of `Camera.orbit`, then a turn about the optical axis."""
        sy, cy, sp, cp, sr, cr = (
            f(a) for a in (self.yaw_rad, self.pitch_rad, self.roll_rad) for f in (math.sin, math.cos)
        )
        upright = [[cy, sy * sp, -sy * cp], [0.0, -cp, -sp], [-sy, cy * sp, -cy * cp]]
        turn = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]]
        return torch.tensor(upright, dtype=torch.float64) @ torch.tensor(turn, dtype=torch.float64)
