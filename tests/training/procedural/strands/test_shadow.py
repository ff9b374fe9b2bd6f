"""Light between strands."""

from itertools import pairwise

import numpy as np
import pytest

from mien.training.procedural.strands.base import Roots, Strands, no_strands
from mien.training.procedural.strands.kernels import covered, covered_plainly
from mien.training.procedural.strands.shadow import BOUNDS, EXTINCTION, StrandShadow, StrandSky

DOWN_FROM = np.array([0.0, 1.0, 0.0])


def sheet(rng: np.random.Generator, cover: float) -> Strands:
    """A level layer of strands at y 0 to 0.02 that covers a square of side 0.4 `cover` times."""
    n, width = 4000, 0.001
    length = cover * 0.16 / (n * width * 0.8166)  # the kernel's mean taper over 8 points
    at, turn = rng.uniform(-0.2, 0.2, (n, 3)), rng.uniform(0, 2 * np.pi, n)
    at[:, 1] = rng.uniform(0, 0.02, n)
    way = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], 1)
    t = np.linspace(-0.5, 0.5, 8)[None, :, None] * length
    roots = Roots(np.zeros(n, np.int32), np.zeros((n, 3), np.float32))
    xyz = (at[:, None] + t * way[:, None]).astype(np.float32)
    return Strands(
        xyz, np.full(n, width, np.float32), np.ones((n, 3), np.float32), np.zeros(n, np.uint8), roots
    )


@pytest.mark.parametrize("cover", [0.5, 2.0])
def test_light_below_a_layer_falls_as_its_cover_says(cover: float) -> None:
    shadow = StrandShadow(sheet(np.random.default_rng(0), cover), DOWN_FROM)
    x, z = np.meshgrid(np.linspace(-0.12, 0.12, 20), np.linspace(-0.12, 0.12, 20))
    below = np.stack([x.ravel(), np.full(400, -0.05), z.ravel()], 1)
    depth = -np.log(shadow.transmittance(below)).mean() / EXTINCTION
    assert depth == pytest.approx(cover, rel=0.15)


def test_nothing_above_the_strands_is_shaded_and_it_gets_darker_inwards() -> None:
    shadow = StrandShadow(sheet(np.random.default_rng(1), 2.0), DOWN_FROM)
    heights = [0.1, 0.02, 0.01, 0.0, -0.1]
    points = np.random.default_rng(2).uniform(-0.1, 0.1, (300, 3))
    light = []
    for h in heights:
        points[:, 1] = h
        light.append(shadow.transmittance(points).mean())
    assert light[0] == 1
    assert all(a > b - 1e-6 for a, b in pairwise(light))
    assert 0 < light[-1] < 0.5


def test_cover_is_the_same_to_the_last_bit_as_by_the_plain_search(long_hair: Strands) -> None:
    shadow = StrandShadow(long_hair, DOWN_FROM)
    random = np.random.default_rng(4)
    near = long_hair.points[::3].reshape(-1, 3)
    far = random.uniform(-2, 2, (1000, 3)).astype(np.float32)
    xyz = np.concatenate([near + random.normal(0, 0.02, near.shape).astype(np.float32), far])
    maps = (shadow._axes, shadow._origin, shadow._scale, shadow._depth, BOUNDS, shadow._layers)
    fast, plain = (np.full(len(xyz), -1, np.float32) for _ in range(2))
    covered(xyz, *maps, fast)
    covered_plainly(xyz, *maps, plain)
    assert (plain > 0).mean() > 0.2
    assert (fast == plain).all()


def test_without_strands_all_light_passes() -> None:
    points = np.random.default_rng(3).normal(size=(10, 3))
    assert (StrandShadow(no_strands(), DOWN_FROM).transmittance(points) == 1).all()
    assert (StrandSky(no_strands()).share(points) == 1).all()


def test_the_sky_is_hidden_inside_hair_and_free_outside(long_hair: Strands) -> None:
    sky = StrandSky(long_hair)
    assert sky.share(np.array([[0.0, 0.8, 0.0]]))[0] > 0.9
    roots = long_hair.points[:, 0][long_hair.points[:, 0, 1] > 0.1]
    assert sky.share(roots).mean() < 0.6
    along = sky.on_strands(long_hair)
    assert along.shape == (len(long_hair), 9, 1)
    assert (along >= 0).all()
    assert (along <= 1).all()
