"""Light on strands."""

import numpy as np
import pytest

from mien.core.camera import Camera
from mien.training.procedural.light import KeyLight, Light
from mien.training.procedural.strands.base import Strands
from mien.training.procedural.strands.raster import StrandHits, rasterise_strands
from mien.training.procedural.strands.shade import outer_sides, plain_outer_sides, shade_strands

CAMERA = Camera.orbit(0.3, 0.0)


def light(key: float, around: float) -> Light:
    sh = np.zeros((9, 3), np.float32)
    sh[0] = around / 0.28209479
    grey = np.full(3, around, np.float32)
    direction = np.array([0.3, 0.5, 0.81], np.float32)
    lamp = KeyLight(direction / np.linalg.norm(direction), np.full(3, key, np.float32), 0.05)
    return Light("test", sh, lamp, grey, grey, grey, ())


@pytest.fixture(scope="module")
def hits(long_hair: Strands) -> StrandHits:
    return rasterise_strands(long_hair, CAMERA, 160, np.full((160, 160), 1e9, np.float32))


def shaded(hits: StrandHits, strands: Strands, key: float, around: float, lit: float) -> np.ndarray:
    n = len(hits.samples)
    rgb = shade_strands(hits, strands, light(key, around), CAMERA, np.full(n, lit, np.float32))
    assert (rgb[hits.index < 0] == 0).all()
    return rgb.reshape(-1, 3)[hits.samples]


def test_hair_reflects_no_more_than_it_gets(hits: StrandHits, long_hair: Strands) -> None:
    out = shaded(hits, long_hair, 0.0, 1.0, 1.0)
    assert np.isfinite(out).all()
    assert out.min() > 0
    assert out.max() < 1


def test_light_adds_up_and_scales(hits: StrandHits, long_hair: Strands) -> None:
    both = shaded(hits, long_hair, 1.0, 0.5, 1.0)
    parts = shaded(hits, long_hair, 1.0, 0.0, 1.0) + shaded(hits, long_hair, 0.0, 0.5, 1.0)
    np.testing.assert_allclose(both, parts, atol=1e-4)
    np.testing.assert_allclose(shaded(hits, long_hair, 2.0, 1.0, 1.0), 2 * both, rtol=1e-4)


def test_shade_darkens_and_full_shade_takes_all_the_key_light(hits: StrandHits, long_hair: Strands) -> None:
    full, half, none = (shaded(hits, long_hair, 1.0, 0.0, lit) for lit in (1.0, 0.5, 0.0))
    assert (half <= full + 1e-6).all()
    assert none.max() == 0
    assert full.mean() > 0.003


def test_compiled_outer_sides_are_the_plain_ones(hits: StrandHits, long_hair: Strands) -> None:
    xyz, tangent = hits.xyz(long_hair), hits.tangent.reshape(-1, 3)[hits.samples]
    out = np.empty_like(xyz)
    outer_sides(xyz, tangent, out)
    assert len(out) > 1000
    assert (out == plain_outer_sides(xyz, tangent)).all()


def test_highlights_are_bands_across_the_strands(hits: StrandHits, long_hair: Strands) -> None:
    out = shaded(hits, long_hair, 1.0, 0.0, 1.0).mean(1)
    assert np.quantile(out, 0.99) > 3 * np.median(out)
