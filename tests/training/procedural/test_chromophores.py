import numpy as np

from mien.training.procedural.chromophores import (
    NM,
    blood_share,
    linear_rgb,
    melanin_share,
    reflectance,
    skin_albedo,
    skin_table,
)

LUMA = np.array([0.2126, 0.7152, 0.0722])


def test_a_white_surface_is_white() -> None:
    np.testing.assert_allclose(linear_rgb(np.ones(len(NM))), 1, atol=1e-6)


def test_reflectance_is_a_share_and_falls_with_both_chromophores() -> None:
    share = np.geomspace(0.005, 0.5, 8)
    r = reflectance(share[:, None], share[None] / 5)
    assert ((r > 0) & (r < 1)).all()
    assert (np.diff(r, axis=0) < 0).all()
    assert (np.diff(r, axis=1) <= 0).all()


def test_blood_has_its_double_dip_in_the_green() -> None:
    r = reflectance(np.array(0.02), np.array(0.03), 0.95)
    at = {nm: r[int((nm - 400) / 10)] for nm in (520, 540, 560, 580, 620)}
    assert at[540] < at[560] < at[620]
    assert at[580] < at[560]


def test_melanin_runs_in_even_steps_of_lightness() -> None:
    unit = np.linspace(0, 1, 9)
    rgb = skin_albedo(unit, np.full(9, 0.45))
    lightness = 116 * np.cbrt(rgb @ LUMA) - 16
    steps = np.diff(lightness)
    assert (steps < 0).all()
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.08)
    assert lightness[0] > 68
    assert lightness[-1] < 28
    assert (np.diff(melanin_share(unit)) > 0).all()
    assert (np.diff(blood_share(unit)) > 0).all()


def test_skin_is_never_green_or_blue() -> None:
    table = skin_table()
    assert (table[..., 0] >= table[..., 1]).all()
    assert (table[..., 1] >= table[..., 2] - 1e-3).all()


def test_lookup_meets_the_table_and_lies_between() -> None:
    table = skin_table()
    n = len(table)
    grid = np.linspace(0, 1, n).astype(np.float32)
    np.testing.assert_allclose(skin_albedo(grid, grid), table[np.arange(n), np.arange(n)], atol=2e-4)
    between = skin_albedo(np.array([0.5 / (n - 1)]), np.zeros(1))[0]
    np.testing.assert_allclose(between, (table[0, 0] + table[1, 0]) / 2, atol=1e-5)
