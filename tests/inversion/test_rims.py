"""Light from behind, and what is left of the background, is not the colour of what it surrounds."""

import numpy as np

from mien.inversion.rims import outline_distance, rim_weight

SIDE = 200
ROUND = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) < 80
AWAY = outline_distance(ROUND.astype(np.float32))


def coloured(rim_px: int, rim: tuple[int, int, int]) -> np.ndarray:
    """A disc of skin with a rim of another colour."""
    rgb = np.full((SIDE, SIDE, 3), (190, 140, 110), np.float32)
    rgb[rim_px >= AWAY] = rim
    return rgb


def test_distance_counts_from_the_outline() -> None:
    assert AWAY[0, 0] == 0
    assert abs(AWAY[SIDE // 2, SIDE // 2] - 80) < 2


def test_a_bright_rim_hardly_counts_and_the_inside_does() -> None:
    weight = rim_weight(coloured(5, (255, 255, 255)), AWAY, (ROUND,), float(SIDE))
    assert weight[ROUND & (AWAY < 4)].max() < 0.1
    assert weight[AWAY > 10].min() == 1


def test_an_outline_of_the_inner_colour_counts_in_full() -> None:
    weight = rim_weight(coloured(5, (190, 140, 110)), AWAY, (ROUND,), float(SIDE))
    assert weight[ROUND].min() > 0.99


def test_kinds_are_compared_with_themselves() -> None:
    """Black hair beside skin is no rim, though it is unlike the skin next to it."""
    hair = ROUND & (np.arange(SIDE)[:, None] < SIDE / 2)
    rgb = coloured(0, (0, 0, 0))
    rgb[hair] = (20, 15, 10)
    assert rim_weight(rgb, AWAY, (hair, ROUND & ~hair), float(SIDE))[ROUND].min() > 0.9
    assert rim_weight(rgb, AWAY, (ROUND,), float(SIDE))[ROUND].min() < 0.5


def test_what_is_nowhere_deep_is_left_alone() -> None:
    thin = ROUND & (AWAY < 4)
    assert rim_weight(coloured(4, (255, 255, 255)), AWAY, (thin,), float(SIDE)).min() == 1
