"""The background behind the person: nothing of the person, everything else untouched."""

import numpy as np

from mien.tracking._patches import PatchConfig, PatchFiller
from mien.tracking.background import inpaint_background, smooth_fill


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.clip(radius - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1).astype(np.float32)


def with_person(background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    red = np.array([250.0, 10.0, 10.0])
    return np.round(alpha[..., None] * red + (1 - alpha[..., None]) * background).astype(np.uint8)


def gradient(size: int) -> np.ndarray:
    ramp = np.linspace(60, 160, size)
    return np.stack(np.broadcast_arrays(ramp[None] * 0.4, ramp[:, None], ramp[None]), axis=-1)


def test_plain_background_is_continued() -> None:
    alpha = disc(256, 60)
    background = gradient(256)
    filled = inpaint_background(with_person(background, alpha), alpha)
    assert np.abs(filled - background)[alpha > 0].mean() < 6
    assert filled[..., 0].max() < 90  # no red is left anywhere


def test_textured_background_gets_texture() -> None:
    stripes = np.where((np.arange(256) // 6) % 2, 200.0, 60.0)
    background = np.repeat(np.broadcast_to(stripes, (256, 256))[..., None], 3, axis=2) * [0.2, 1, 0.6]
    alpha = disc(256, 45)
    filled = inpaint_background(with_person(background, alpha), alpha)
    inside = alpha > 0
    assert filled[..., 0].max() < 60
    assert filled[inside].std(axis=0)[1] > 0.6 * background[inside].std(axis=0)[1]


def test_far_pixels_are_unchanged() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (200, 150, 3), dtype=np.uint8)
    alpha = np.zeros((200, 150), dtype=np.float32)
    alpha[80:120, 50:90] = 1
    filled = inpaint_background(picture, alpha)
    far = np.ones_like(alpha, dtype=bool)
    far[70:130, 40:100] = False
    np.testing.assert_array_equal(filled[far], picture[far])


def test_same_input_same_background() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    alpha = np.zeros((90, 120), dtype=np.float32)
    alpha[30:, 40:80] = 1
    np.testing.assert_array_equal(inpaint_background(picture, alpha), inpaint_background(picture, alpha))


def test_nobody_and_nothing_else() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(inpaint_background(picture, np.zeros((40, 30), np.float32)), picture)


def test_where_only_the_person_is_seen_the_border_goes_on() -> None:
    picture = np.full((60, 80, 3), (30, 60, 200), np.uint8)
    picture[:, :4] = picture[:, -4:] = picture[:4] = picture[-4:] = (90, 70, 50)
    filled = inpaint_background(picture, np.ones((60, 80), np.float32))
    assert np.abs(filled.astype(int) - (90, 70, 50)).max() <= 2


def test_odd_shapes() -> None:
    for height, width in ((7, 5), (3, 200), (33, 1)):
        picture = np.full((height, width, 3), 77, dtype=np.uint8)
        alpha = np.zeros((height, width), dtype=np.float32)
        alpha[0, 0] = 1
        assert inpaint_background(picture, alpha).shape == picture.shape


def test_smooth_fill_stays_within_the_rim() -> None:
    picture = np.full((50, 61, 3), 0.25, dtype=np.float32)
    picture[:, 30:] = 0.75
    hidden = np.zeros((50, 61), dtype=bool)
    hidden[10:40, 12:50] = True
    filled = smooth_fill(np.where(hidden[..., None], 9.0, picture).astype(np.float32), hidden)
    np.testing.assert_array_equal(filled[~hidden], picture[~hidden])
    assert filled[hidden].min() >= 0.25 - 1e-5
    assert filled[hidden].max() <= 0.75 + 1e-5


def test_sweeps_only_improve_and_matches_are_visible() -> None:
    random = np.random.default_rng(0)
    picture = np.tile(random.random((8, 8, 3), dtype=np.float32), (6, 6, 1))
    hidden = np.zeros((48, 48), dtype=bool)
    hidden[18:30, 18:30] = True
    filler = PatchFiller(picture, hidden, config=PatchConfig(), random=random)
    filler.start(None)
    before = filler.cost.copy()
    for _ in range(4):
        filler.sweep(propagate=(4, 1))
    assert np.all(filler.cost <= before)
    assert filler.cost.mean() < 0.3 * before.mean()
    rows, columns = filler.matches()[hidden].T
    assert not hidden[rows, columns].any()
