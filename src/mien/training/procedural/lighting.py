"""Drawing light: open sky, sun, rooms with windows, studios, evenings with lamps."""

from dataclasses import replace
from typing import Final

import numpy as np

from mien.core.sphere import sphere_directions
from mien.training.procedural.light import (
    PICTURE_SAMPLES,
    KeyLight,
    Light,
    Panel,
    irradiance_sh,
)

LIGHT_KINDS: Final = {
    "overcast": 0.2,
    "sun": 0.17,
    "window": 0.23,
    "studio": 0.22,
    "lamps": 0.1,
    "office": 0.08,
}
"""Kinds of light and how often each is drawn."""
ADAPTED: Final = 0.55
"""Share of a light's tint that the camera's white balance takes away."""
LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)


def unit(x: float, y: float, z: float) -> np.ndarray:
    """Unit vector float32 [3]."""
    v = np.array([x, y, z], np.float32)
    return np.asarray(v / np.linalg.norm(v))


def warmth(temperature: float) -> np.ndarray:
    """Linear tint float32 [3] of luminance 1: -1 open shade's blue, 0 neutral, 1 a bulb's orange."""
    rgb = np.exp(temperature * np.array([0.33, 0.0, -0.62], np.float32))
    return np.asarray(rgb / (rgb @ LUMA))


def draw_light(rng: np.random.Generator) -> Light:
    """A random light, scaled so that a face turned to the front is lit by about 1."""
    kind = str(rng.choice(list(LIGHT_KINDS), p=list(LIGHT_KINDS.values())))
    return _metered(_with_sh(_MAKERS[kind](rng)))


def portrait_light() -> Light:
    """One soft colourless light from the front and above: it shows form and hardly throws shadows."""
    key = KeyLight(unit(0.0, 0.45, 1.0), np.full(3, 0.45, np.float32), 0.5)
    wall = np.full(3, 0.6, np.float32)
    return _metered(
        _with_sh(_light("studio", key, _panel_of(key, (0.45, 0.6)), (1.1 * wall, wall, 0.6 * wall)))
    )


def _metered(light: Light) -> Light:
    """Scaled so that a face turned to the front is lit by about 1."""
    n = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8]], np.float32)
    colour = (light.irradiance(n) + light.direct(n)).mean(0)
    tint = colour / (colour @ LUMA)
    return light.scaled(1 / ((colour @ LUMA) * tint**ADAPTED))


def _with_sh(light: Light) -> Light:
    """The same light with the harmonics of its surroundings; its first panel is the key's and is left out."""
    d = sphere_directions(PICTURE_SAMPLES)
    radiance = light.backdrop(d)
    for panel in light.panels[1:]:
        radiance = radiance + panel.radiance(d)
    return replace(light, sh=irradiance_sh(d, radiance))


def _light(
    kind: str,
    key: KeyLight,
    key_panel: Panel,
    backdrop: tuple[np.ndarray, np.ndarray, np.ndarray],
    panels: tuple[Panel, ...] = (),
) -> Light:
    sky, horizon, ground = (np.asarray(c, np.float32) for c in backdrop)
    return Light(kind, np.zeros((9, 3), np.float32), key, sky, horizon, ground, (key_panel, *panels))


def _panel_of(key: KeyLight, half_size: tuple[float, float], *, bars: bool = False) -> Panel:
    """The bright rectangle that gives the key's irradiance."""
    area = 4 * half_size[0] * half_size[1]
    return Panel(key.direction, half_size, (key.colour * np.pi / max(area, 0.02)).astype(np.float32), bars)


def _front(rng: np.random.Generator, side: float, up: tuple[float, float]) -> np.ndarray:
    """A direction mostly in front of the face."""
    turn = float(np.clip(rng.normal(0, side), -2.0, 2.0))
    rise = rng.uniform(*up)
    return unit(np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise))


def _overcast(rng: np.random.Generator) -> Light:
    tint = warmth(rng.normal(-0.15, 0.15))
    key = KeyLight(_front(rng, 0.6, (0.5, 1.1)), tint * rng.uniform(0.15, 0.45), 0.55)
    ground = warmth(0.3) * np.array([1.0, 1.0 + rng.uniform(0, 0.06), 1.0]) * rng.uniform(0.12, 0.4)
    sky = (tint * 1.1, tint * rng.uniform(0.45, 0.8), ground)
    return _light("overcast", key, _panel_of(key, (0.5, 0.3)), sky)


def _sun(rng: np.random.Generator) -> Light:
    low = rng.uniform(0.15, 1.0)
    key = KeyLight(
        _front(rng, 0.9, (low, low + 0.05)), warmth(0.75 - 0.6 * low) * rng.uniform(0.8, 1.9), 0.012
    )
    blue = warmth(rng.uniform(-0.7, -0.3)) * rng.uniform(0.35, 0.6)
    ground = warmth(0.3) * np.array([1.0, 1.0 + rng.uniform(0, 0.08), 1.0]) * rng.uniform(0.2, 0.55)
    return _light("sun", key, _panel_of(key, (0.07, 0.07)), (blue, blue * 0.8 + 0.1, ground))


def _window(rng: np.random.Generator) -> Light:
    size = (rng.uniform(0.16, 0.4), rng.uniform(0.22, 0.5))
    key = KeyLight(
        _front(rng, 0.85, (0.0, 0.45)), warmth(rng.normal(-0.25, 0.15)) * rng.uniform(0.6, 1.1), 0.4
    )
    wall = warmth(rng.normal(0.3, 0.2)) * rng.uniform(0.14, 0.42)
    panels: tuple[Panel, ...] = ()
    if rng.uniform() < 0.4:
        colour = warmth(-0.1) * rng.uniform(0.5, 2.0)
        panels = (Panel(_front(rng, 1.4, (0.0, 0.4)), (0.3, 0.4), colour.astype(np.float32), True),)
    backdrop = (wall * 1.1, wall, wall * warmth(0.3) * 0.6)
    return _light("window", key, _panel_of(key, size, bars=rng.uniform() < 0.6), backdrop, panels)


def _studio(rng: np.random.Generator) -> Light:
    tint = warmth(rng.normal(0.0, 0.08))
    box = rng.uniform(0.15, 0.45)
    key = KeyLight(_front(rng, 0.6, (0.1, 0.7)), tint * rng.uniform(0.6, 1.0), 0.25 + 0.4 * box)
    away = key.direction * np.array([-1, 0.4, 1])
    fill = Panel(
        unit(*away),
        (0.4, 0.4),
        (warmth(rng.normal(0, 0.1)) * rng.uniform(0.2, 1.3)).astype(np.float32),
        False,
    )
    rim = Panel(
        unit(rng.choice([-1.0, 1.0]), 0.3, -0.7),
        (0.3, 0.6),
        (tint * rng.uniform(0, 4)).astype(np.float32),
        False,
    )
    wall = tint * rng.uniform(0.06, 0.4)
    return _light(
        "studio",
        key,
        _panel_of(key, (box, box * rng.uniform(0.8, 1.6))),
        (wall, wall, wall * 0.6),
        (fill, rim),
    )


def _lamps(rng: np.random.Generator) -> Light:
    warm = rng.uniform(0.3, 0.8)
    key = KeyLight(_front(rng, 0.8, (0.1, 0.9)), warmth(warm) * rng.uniform(0.6, 1.0), 0.12)
    other = warmth(rng.uniform(-0.4, 0.9)) * rng.uniform(0.5, 3)
    panel = Panel(_front(rng, 1.5, (-0.1, 0.6)), (0.2, 0.25), other.astype(np.float32), False)
    wall = warmth(warm * 0.9) * rng.uniform(0.1, 0.3)
    return _light("lamps", key, _panel_of(key, (0.12, 0.12)), (wall, wall, wall * 0.5), (panel,))


def _office(rng: np.random.Generator) -> Light:
    tint = warmth(rng.normal(0.1, 0.15)) * np.array([1.0, 1.02, 1.0])
    key = KeyLight(unit(rng.normal(0, 0.3), 1.0, rng.uniform(0.5, 1.1)), tint * rng.uniform(0.4, 0.8), 0.45)
    rows = tuple(
        Panel(unit(x, 1.0, z), (0.15, 0.3), (tint * 2.5).astype(np.float32), False)
        for x, z in ((-0.9, 0.6), (0.9, 0.6), (0.2, -0.8))
    )
    wall = tint * rng.uniform(0.25, 0.5)
    return _light("office", key, _panel_of(key, (0.25, 0.4)), (wall * 1.1, wall, wall * 0.55), rows)


_MAKERS: Final = {
    "overcast": _overcast, "sun": _sun, "window": _window, "studio": _studio, "lamps": _lamps,
    "office": _office,
}  # fmt: skip
