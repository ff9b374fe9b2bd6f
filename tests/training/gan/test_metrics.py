import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.featuresets import frechet_distance, kernel_distance
from mien.training.gan.metrics import (
    FeatureDistance,
    SlicedWasserstein,
    pyramid,
    quantiles,
)


def images(seed: int, *, shift: int = 0, count: int = 12) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randint(20, 200, (count, 3, 8, 8), generator=random)
    return (coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) + shift).to(torch.uint8)


def test_frechet_distance_of_normal_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    shifted = x + np.array([3.0, 0, 0])
    assert frechet_distance(x, shifted) == pytest.approx(9)
    assert frechet_distance(x, 2 * rng.normal(size=(4000, 3))) == pytest.approx(3, rel=0.1)  # 3 (2 - 1)^2


def test_kernel_distance_against_loops_and_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 2)), rng.normal(size=(4, 2)) + 1

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 2 + 1) ** 3)

    within = [
        sum(k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / (len(s) * (len(s) - 1))
        for s in (a, b)
    ]
    between = sum(k(x, y) for x in a for y in b) / 20
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * between)
    same = [kernel_distance(rng.normal(size=(20, 2)), rng.normal(size=(20, 2))) for _ in range(400)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 20


def test_features_are_the_callers() -> None:
    reals = [images(0), images(1)]
    metric = FeatureDistance(lambda batch: batch.float().mean((2, 3)) / 255, reals, name="mean_")
    near, far = metric([images(2, count=24)]), metric([images(2, shift=50, count=24)])
    assert near.keys() == {"mean_fid", "mean_kid"}
    assert 0 <= near["mean_fid"] < far["mean_fid"]
    assert near["mean_kid"] < far["mean_kid"]
    assert metric(reals)["mean_fid"] == pytest.approx(0, abs=1e-9)


def test_sliced_wasserstein_sees_colour_and_blur() -> None:
    metric = SlicedWasserstein([images(0), images(1)])
    assert metric([images(0), images(1)])["swd"] == 0
    near, far = metric([images(2, count=24)]), metric([images(2, shift=50, count=24)])
    assert near["swd_2"] < far["swd_2"]
    assert near["swd_0"] == pytest.approx(far["swd_0"], rel=0.2)  # a shift leaves the fine levels
    soft = torch.nn.functional.avg_pool2d(images(2, count=24).float(), 5, 1, 2).to(torch.uint8)
    assert metric([soft])["swd_0"] > 1.5 * near["swd_0"]


def test_a_pyramid_adds_up() -> None:
    image = images(0).float()
    fine, middle, coarse = pyramid(image, 3)
    up = lambda x: torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")  # noqa: E731
    torch.testing.assert_close(fine + up(middle + up(coarse)), image)


def test_quantiles_of_sorted_values() -> None:
    values = torch.arange(101.0)[:, None]
    torch.testing.assert_close(quantiles(values, 4), torch.tensor([[12.5], [37.5], [62.5], [87.5]]))
