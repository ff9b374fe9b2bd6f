from dataclasses import replace

import pytest
import torch
from tests.inversion.conftest import Portrait
from torch import Tensor

from mien.inversion.evidence import PhotoEvidence
from mien.inversion.hair import (
    HairConfig,
    Silhouette,
    fit_height,
    level_crown,
    sample_silhouette,
    smooth_height,
    sphere_interval,
)
from mien.morphable import chart
from mien.morphable.carry import chart_grid, make_carrier, sample_chart
from mien.morphable.model import MorphableModel

CONFIG = HairConfig(rays=3000, steps=80, batch=1500, samples=24)


@pytest.fixture(scope="module")
def silhouette(evidence: PhotoEvidence, portrait: Portrait, model: MorphableModel) -> Silhouette:
    carrier = make_carrier(model, model.vertices(portrait.fit.identity, torch.zeros(52)))
    return sample_silhouette(evidence, carrier, CONFIG, torch.Generator().manual_seed(0))


def shows_hair(height: Tensor, s: Silhouette) -> Tensor:
    """Whether each ray passes below a height field."""
    outer = sample_chart(height[None], s.uv)[..., 0]
    return (torch.where(s.valid, outer - s.height, -1.0) > 0).any(1)


def elevations(size: int) -> Tensor:
    v = chart_grid(size)[:, 0, 1]
    return chart.unchart_uv(torch.stack([torch.zeros_like(v), v], 1))[:, 1] / chart.ARC_RADIUS


def test_a_known_height_fields_silhouette_is_recovered(silhouette: Silhouette) -> None:
    prior = torch.full((128, 128), -0.03)
    uv = chart_grid(128)
    known = prior + 0.12 * torch.exp(-((uv[..., 1] - 0.7) ** 2 / 0.1 + (uv[..., 0].abs() - 0.4) ** 2 / 0.08))
    target = shows_hair(known, silhouette)
    fitted = fit_height(
        prior, replace(silhouette, target=target.float()), CONFIG, torch.Generator().manual_seed(0)
    )
    before = (shows_hair(prior, silhouette) == target).float().mean()
    after = (shows_hair(fitted, silhouette) == target).float().mean()
    assert target.float().mean() > 0.03
    assert after > 0.97
    assert (1 - after) < 0.4 * (1 - before)


def test_the_fitted_height_is_smooth_at_the_seam(silhouette: Silhouette) -> None:
    fitted = fit_height(torch.zeros(128, 128), silhouette, CONFIG, torch.Generator().manual_seed(0))
    assert fitted.isfinite().all()
    steps = (fitted - fitted.roll(1, 1)).abs()
    assert steps[:, 0].max() < 2 * steps.max()
    assert steps.max() < 0.02


def test_samples_lie_between_the_eye_and_the_body(silhouette: Silhouette) -> None:
    assert silhouette.valid.any()
    assert (silhouette.weight > 0).all()
    low, high = chart.HEIGHT_RANGE
    inside = silhouette.height[silhouette.valid]
    assert inside.min() >= low
    assert inside.max() <= high


def test_the_crown_is_one_height() -> None:
    height = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    level, elevation = level_crown(height), elevations(128)
    top = level[elevation > 1.36]
    assert len(top) > 1
    torch.testing.assert_close(top, top[0, 0].expand_as(top))
    assert torch.equal(level[elevation < 0.75], height[elevation < 0.75])


def test_smoothing_keeps_constants_and_wraps() -> None:
    torch.testing.assert_close(smooth_height(torch.full((128, 128), 0.3)), torch.full((128, 128), 0.3))
    spike = torch.zeros(128, 128)
    spike[64, 0] = 1
    smooth = smooth_height(spike)
    torch.testing.assert_close(smooth[64, 1], smooth[64, 127])
    torch.testing.assert_close(smooth.sum(), torch.tensor(1.0))


def test_rays_enter_and_leave_the_sphere() -> None:
    origins = torch.tensor([[0.0, -0.05, 2.7], [0.0, 3.0, 2.7]])
    directions = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0]])
    near, far = sphere_interval(origins, directions)
    torch.testing.assert_close(far[0] - near[0], torch.tensor(1.12), atol=1e-4, rtol=0)
    assert near[1] == far[1]
