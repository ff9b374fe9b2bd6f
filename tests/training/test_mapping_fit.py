from dataclasses import replace

import pytest
import torch

from mien.generator.mapping import Mapping, MappingConfig
from mien.training.mapping_fit import (
    MappingFitConfig,
    MappingReport,
    code_statistics,
    fit_mapping,
    sliced_distance,
)

CONFIG = MappingConfig(z_size=8, hidden=64, w_size=6)
FIT = MappingFitConfig(steps=600, projections=48, lr=5e-3)


def codes(count: int = 300) -> torch.Tensor:
    """Two clusters along the first dimension, unequal scales, shifted."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(count, 6, generator=random)
    x[:, 0] = torch.where(torch.rand(count, generator=random) < 0.5, -1.5, 1.5) + 0.2 * x[:, 0]
    return x * torch.tensor([1.0, 3.0, 0.2, 1.0, 1.0, 0.5]) + 2


def fit(config: MappingFitConfig = FIT) -> tuple[Mapping, MappingReport]:
    mapping = Mapping(CONFIG)
    return mapping, fit_mapping(mapping, codes(), torch.ones(6), config)


@pytest.fixture(scope="module")
def fitted() -> tuple[Mapping, MappingReport]:
    return fit()


def test_samples_are_distributed_like_codes(fitted: tuple[Mapping, MappingReport]) -> None:
    mapping, report = fitted
    with torch.no_grad():
        w = mapping(torch.randn(4000, 8, generator=torch.Generator().manual_seed(1)))
    mean, std = code_statistics(codes())
    assert ((w.mean(0) - mean).abs() < 0.2 * std).all()
    assert ((w.std(0) / std - 1).abs() < 0.2).all()
    first = (w[:, 0] - mean[0]) / std[0]
    assert (first.abs() < 0.4).float().mean() < 0.28  # two clusters: a normal distribution would have 0.31
    torch.testing.assert_close(mapping.w_avg, mean)
    assert report.distance < 2 * report.floor


def test_samples_are_no_copies(fitted: tuple[Mapping, MappingReport]) -> None:
    report = fitted[1]
    assert report.nearest_ratio > 0.7
    assert report.copies < 0.1


def test_the_fit_is_deterministic() -> None:
    first, second = (fit(replace(FIT, steps=20))[0] for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_sliced_distance_is_a_distance() -> None:
    random = torch.Generator().manual_seed(2)
    a, b = torch.randn(50, 6, generator=random), torch.randn(50, 6, generator=random) + 1
    along = torch.nn.functional.normalize(torch.randn(32, 6, generator=random), dim=1)
    assert sliced_distance(a, a[torch.randperm(50, generator=random)], along) == 0
    torch.testing.assert_close(sliced_distance(a, b, along), sliced_distance(b, a, along))
    shift = torch.tensor([1.0, 0, 0, 0, 0, 0])
    torch.testing.assert_close(sliced_distance(a, a + shift, torch.eye(6)), torch.tensor(1 / 6))
