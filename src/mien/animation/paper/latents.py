"""Latents over time: which frames are inverted, all of them found together, and those of frames between.

The cost of latents w_1 .. w_K at key frames is a sum of quadratics of each and of the steps between them,

    sum_k (w_k - p_k)^T P_k (w_k - p_k) + sum_k (w_k+1 - w_k)^T S (w_k+1 - w_k) / gap_k,

whose minimum is a block tridiagonal system (a Rauch-Tung-Striebel smoother in information form).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The cost of one key frame's latent: w^T A w - 2 b^T w."""

    normal: Float[Tensor, "w w"]
    right: Float[Tensor, " w"]


def choose_keys(expressions: NDArray[np.float32], count: int | None) -> list[int]:
    """Frames, in order, whose expressions [T, 52] are farthest from each other; all if `count` is None.

    Farthest-point sampling from the frame nearest to the mean (Gonzalez 1985). Equal frames are taken once.
    """
    if count is None or len(expressions) <= count:
        return list(range(len(expressions)))
    first = int(np.linalg.norm(expressions - expressions.mean(0), axis=1).argmin())
    chosen, away = [first], np.linalg.norm(expressions - expressions[first], axis=1)
    while len(chosen) < count and away.max() > 1e-6:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(expressions - expressions[chosen[-1]], axis=1))
    return sorted(chosen)


def solve_jointly(
    quadratics: list[Quadratic], gaps: NDArray[np.float64], step: Float[Tensor, "w w"]
) -> Float[Tensor, "key w"]:
    """The latents of least cost; `gaps` [K - 1] divide the cost `step` of a move from one to the next."""
    count = len(quadratics)
    links = [step / max(float(gap), 1e-6) for gap in gaps]
    diagonal: list[Tensor] = []
    right: list[Tensor] = []
    for k, own in enumerate(quadratics):  # eliminate forwards
        D, b = own.normal.clone(), own.right.clone()
        if k + 1 < count:
            D = D + links[k]
        if k > 0:
            D = D + links[k - 1]
            back = torch.linalg.solve(diagonal[-1], torch.cat([links[k - 1], right[-1][:, None]], 1))
            D = D - links[k - 1] @ back[:, :-1]
            b = b + links[k - 1] @ back[:, -1]
        diagonal.append(D)
        right.append(b)
    found = [torch.linalg.solve(diagonal[-1], right[-1])]
    for k in range(count - 2, -1, -1):  # substitute backwards
        found.append(torch.linalg.solve(diagonal[k], right[k] + links[k] @ found[-1]))
    return torch.stack(found[::-1])


def spread_latents(
    keys: NDArray[np.float32], latents: Float[Tensor, "key w"], expressions: NDArray[np.float32],
    *, width: float = 0.8, noise: float = 1e-3,
) -> Float[Tensor, "frame w"]:  # fmt: skip
    """Latents of all expressions [T, 52] from those of key ones [K, 52]: a Gaussian process with a linear and
    a smooth part (Rasmussen and Williams 2006, equation 2.23), about the mean of the key latents."""
    one, all_ = (torch.from_numpy(np.asarray(x, np.float32)).double() for x in (keys, expressions))
    centre, mean = one.mean(0), latents.double().mean(0)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a - centre) @ (b - centre).T + torch.exp(-torch.cdist(a, b).square() / (2 * width**2))

    K = kernel(one, one)
    scale = K.diagonal().mean().clamp(min=1e-9)
    weights = torch.linalg.solve(
        K + noise * scale * torch.eye(len(K), dtype=K.dtype), latents.double() - mean
    )
    return (mean + kernel(all_, one) @ weights).to(latents)
