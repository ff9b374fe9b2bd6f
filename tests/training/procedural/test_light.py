import numpy as np

from mien.core.sphere import sphere_directions
from mien.training.procedural.light import Panel, irradiance_sh, plain_sh_basis, sh_basis
from mien.training.procedural.lighting import LIGHT_KINDS, draw_light, unit, warmth
from mien.training.procedural.render.shadow import cast_shadow, light_axes

NORMALS = sphere_directions(200)


def test_harmonics_are_orthonormal() -> None:
    basis = sh_basis(sphere_directions(20000))
    np.testing.assert_allclose(basis.T @ basis * (4 * np.pi / 20000), np.eye(9), atol=2e-3)


def test_a_white_sky_lights_every_side_alike() -> None:
    d = sphere_directions(2000)
    sh = irradiance_sh(d, np.ones((2000, 3), np.float32))
    np.testing.assert_allclose(sh_basis(NORMALS) @ sh, 1, atol=5e-3)


def test_irradiance_is_the_cosine_weighted_mean_of_radiance() -> None:
    d = sphere_directions(20000)
    radiance = (1 + 0.5 * d[:, 1:2] + 0.4 * d[:, :1] * d[:, 2:]) * np.array([1.0, 0.5, 0.2])
    sh = irradiance_sh(d, radiance)
    for n in NORMALS[:10]:
        exact = (np.clip(d @ n, 0, None)[:, None] * radiance).mean(0) * 4
        np.testing.assert_allclose(sh_basis(n) @ sh, exact, atol=2e-3)


def test_total_harmonics_take_in_the_key_light() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        light = draw_light(rng)
        facing, away = light.key.direction, -light.key.direction
        gain = (sh_basis(facing) - sh_basis(away)) @ (light.total_sh - light.sh)
        np.testing.assert_allclose(gain, light.key.colour, rtol=1e-3)  # order 2 is exact for odd parts


def test_lights_are_scaled_alike_and_all_kinds_come() -> None:
    rng = np.random.default_rng(1)
    lights = [draw_light(rng) for _ in range(60)]
    assert {light.kind for light in lights} == set(LIGHT_KINDS)
    front = np.array([[0, 0, 1.0]], np.float32)
    for light in lights:
        level = (light.irradiance(front) + light.direct(front)).mean()
        assert 0.3 < level < 2.0
        assert np.isclose(np.linalg.norm(light.key.direction), 1, atol=1e-5)
        assert (light.radiance(NORMALS) >= 0).all()
        np.testing.assert_allclose(
            light.scaled(2.0).irradiance(front), 2 * light.irradiance(front), rtol=1e-5
        )


def test_a_panel_is_seen_only_in_its_direction() -> None:
    panel = Panel(unit(1.0, 0.5, 1.0), (0.3, 0.2), np.array([2, 3, 4], np.float32), False)
    seen = panel.radiance(np.stack([panel.direction, -panel.direction, unit(-1.0, 0.0, 1.0)]))
    np.testing.assert_allclose(seen[0], panel.colour)
    assert (seen[1:] == 0).all()
    barred = Panel(panel.direction, (0.3, 0.2), panel.colour, True)
    assert (barred.radiance(panel.direction[None]) == 0).all()


def test_warmth_keeps_luminance() -> None:
    for t in (-0.8, 0.0, 0.9):
        assert np.isclose(warmth(t) @ [0.2126, 0.7152, 0.0722], 1)
    assert warmth(0.5)[0] > warmth(0.5)[2]


def test_light_axes_are_a_rotation() -> None:
    for d in (unit(0.0, 1.0, 0.0), unit(0.3, -0.2, 1.0), unit(-1.0, 0.0, 0.0)):
        axes = light_axes(d)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
        assert np.isclose(np.linalg.det(axes), 1, atol=1e-5)
        np.testing.assert_allclose(axes[2], -d, atol=1e-6)


def test_a_plate_shades_what_is_behind_it_and_softly_at_its_edge() -> None:
    key = draw_light(np.random.default_rng(2)).key
    axes = light_axes(key.direction)
    corners = np.array([[-0.15, -0.15], [0.15, -0.15], [0.15, 0.15], [-0.15, 0.15]])
    plate = (corners @ axes[:2] + 0.1 * key.direction - [0, 0.1, 0.05]).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    across = np.linspace(0, 0.3, 61)
    points = (across[:, None] * axes[0] - 0.1 * key.direction - [0, 0.1, 0.05]).astype(np.float32)
    normals = np.repeat(key.direction[None], len(points), 0).astype(np.float32)
    lit = cast_shadow(key, [(plate, faces)]).visibility(points, normals)
    assert lit[across < 0.06].max() == 0
    assert lit[across > 0.24].min() == 1
    assert ((lit > 0) & (lit < 1)).any()
    in_front = cast_shadow(key, [(plate, faces)]).visibility(points + 0.3 * key.direction, normals)
    assert (in_front == 1).all()


def test_the_compiled_basis_is_the_plain_one() -> None:
    directions = sphere_directions(5000).astype(np.float32)
    assert (sh_basis(directions) == plain_sh_basis(directions)).all()
