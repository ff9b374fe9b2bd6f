"""Ridge regression (Hoerl and Kennard 1970), with the pull that leave-one-out errors ask for."""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

PULLS: Final = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


def ridge(
    x: Float[Tensor, "row feature"], y: Float[Tensor, "row out"], pull: float
) -> Float[Tensor, "feature out"]:
    """Coefficients of least squares with `pull` rows' worth of a pull towards zero."""
    return torch.linalg.solve(x.T @ x + pull * torch.eye(x.shape[1]), x.T @ y)


def best_ridge(
    x: Float[Tensor, "row feature"], y: Float[Tensor, "row out"], pulls: Sequence[float] = PULLS
) -> Float[Tensor, "feature out"]:
    """`ridge` of each output with the one of some pulls whose leave-one-out errors are smallest.

    Those errors are known without leaving any row out (Allen 1974, PRESS).
    """
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    seen = u.T @ y
    shares = s.square()[:, None] / (s.square()[:, None] + torch.tensor(list(pulls)))
    errors = []
    for share in shares.T:
        own = (u.square() @ share).clamp(max=0.999)
        left = y - u @ (share[:, None] * seen)
        errors.append((left / (1 - own)[:, None]).square().sum(0))
    best = torch.stack(errors).argmin(0)
    return vt.T @ (shares[:, best] / s[:, None].clamp(min=1e-9) * seen)
