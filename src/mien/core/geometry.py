"""Rotations as matrices, axis-angle vectors and quaternions: pure functions, their inverses beside them.

All take and give tensors with any leading batch axes, keep dtype and device, and have finite gradients at
the identity.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation by |v| rad about v/|v| (Rodrigues): R = I + a [v]x + b [v]x^2.

    a = sin(x)/x and b = (1 - cos x)/x^2 = 2 sin^2(x/2)/x^2 with x = |v|; near 0 by their Taylor series.
    """
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    is_small = squared < 1e-6
    angle = torch.where(is_small, torch.ones_like(squared), squared).sqrt()
    a = torch.where(is_small, 1 - squared / 6, angle.sin() / angle)
    b = torch.where(is_small, 0.5 - squared / 24, 2 * ((angle / 2).sin() / angle) ** 2)
    K = cross_matrix(axis_angle)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + a * K + b * (K @ K)


def matrix_to_axis_angle(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Inverse of `axis_angle_to_matrix`, with an angle in [0, pi]; at pi either of the two axes."""
    quaternion = matrix_to_quaternion(R)
    cosine, vector = quaternion[..., :1], quaternion[..., 1:]
    squared = (vector * vector).sum(-1, keepdim=True)
    is_small = squared < 1e-8
    sine = torch.where(is_small, torch.ones_like(squared), squared).sqrt()
    scale = torch.where(is_small, 2 + squared / 3, 2 * torch.atan2(sine, cosine) / sine)
    return vector * scale


def cross_matrix(v: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """[v]x with [v]x u = v x u."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1)
    return rows.unflatten(-1, (3, 3))


def quaternion_to_matrix(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation of a unit quaternion (w, x, y, z)."""
    w, vector = quaternion[..., 0, None, None], quaternion[..., 1:]
    K = cross_matrix(vector)
    eye = torch.eye(3, dtype=quaternion.dtype, device=quaternion.device)
    return eye + 2 * w * K + 2 * (K @ K)


def matrix_to_quaternion(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z) with w >= 0, by Shepperd's method: divide by the largest component."""
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = R.flatten(-2).unbind(-1)
    four_squares = torch.stack(
        (1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22), dim=-1
    )
    # Row i holds 4 q_i (w, x, y, z); its diagonal is 4 q_i^2.
    wx, wy, wz = m21 - m12, m02 - m20, m10 - m01
    xy, xz, yz = m01 + m10, m02 + m20, m12 + m21
    rows = torch.stack((wx, wy, wz, wx, xy, xz, wy, xy, yz, wz, xz, yz), dim=-1).unflatten(-1, (4, 3))
    candidates = torch.stack([_insert(rows[..., i, :], four_squares[..., i], i) for i in range(4)], dim=-2)
    best = four_squares.argmax(-1)[..., None, None].expand(*four_squares.shape[:-1], 1, 4)
    chosen = candidates.gather(-2, best).squeeze(-2)
    chosen = torch.nn.functional.normalize(chosen, dim=-1)
    return torch.where(chosen[..., :1] < 0, -chosen, chosen)


def _insert(others: Float[Tensor, "*batch 3"], value: Float[Tensor, "*batch"], at: int) -> Tensor:
    return torch.cat((others[..., :at], value[..., None], others[..., at:]), dim=-1)


def geodesic_angle(
    R_a: Float[Tensor, "*batch 3 3"], R_b: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch"]:
    """Angle in rad, in [0, pi], of the rotation that takes R_a to R_b; exact near 0 and near pi alike."""
    R = R_a.transpose(-1, -2) @ R_b
    twice_sine_axis = torch.stack(
        (R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]), dim=-1
    )
    twice_cosine = R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1
    return torch.atan2(torch.linalg.vector_norm(twice_sine_axis, dim=-1), twice_cosine)


def slerp_rotations(
    R_0: Float[Tensor, "*batch 3 3"], R_1: Float[Tensor, "*batch 3 3"], t: float | Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Point at fraction t on the shortest arc from R_0 (t = 0) to R_1 (t = 1): R_0 exp(t log(R_0^T R_1))."""
    step = matrix_to_axis_angle(R_0.transpose(-1, -2) @ R_1)
    fraction = t[..., None] if isinstance(t, Tensor) else t
    return R_0 @ axis_angle_to_matrix(step * fraction)


def nearest_rotation(M: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation nearest to M in the Frobenius norm (orthogonal Procrustes): U diag(1, 1, det UV^T) V^T."""
    U, _, Vh = torch.linalg.svd(M)
    sign = torch.det(U @ Vh).sign()
    flip = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), dim=-1)
    return (U * flip[..., None, :]) @ Vh
