"""PSNR, SSIM, sharpness and warping error on pictures worked out by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest

from mien.core.errors import InputError
from mien.evaluation.metrics.psnr import mean_squared_error, psnr_db
from mien.evaluation.metrics.sharpness import laplacian_variance, sharpness_ratio
from mien.evaluation.metrics.ssim import ssim, structure
from mien.evaluation.metrics.warping import (
    dense_flow,
    not_hidden,
    pair_warping_error,
    warp_back,
    warping_error,
)


def flat(level: int, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def texture(side: int = 96, seed: int = 0) -> np.ndarray:
    """Soft blotches, so that flow has something to follow."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 255, (side // 8, side // 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def test_psnr_by_hand() -> None:
    assert math.isinf(psnr_db(flat(10), flat(10)))
    assert psnr_db(flat(0), flat(255)) == 0
    assert mean_squared_error(flat(10), flat(15)) == 25
    assert psnr_db(flat(10), flat(15)) == pytest.approx(34.1514, abs=1e-4)  # 48.1308 - 10 log10 25


def test_psnr_in_a_mask() -> None:
    picture = flat(100)
    picture[:8] = 130
    mask = np.zeros((16, 16))
    mask[8:] = 1
    assert math.isinf(psnr_db(picture, flat(100), weight=mask))
    mask[7] = 0.5  # 8 rows of 0 and half a row of 900
    assert mean_squared_error(picture, flat(100), weight=mask) == pytest.approx(900 * 0.5 / 8.5)
    with pytest.raises(InputError, match="mask"):
        psnr_db(picture, picture, weight=np.zeros((16, 16)))
    with pytest.raises(InputError, match="cannot be compared"):
        psnr_db(picture, picture[:4])


def test_ssim_in_a_mask_is_that_of_whole_pictures_there() -> None:
    one, other = texture(), texture(seed=1)
    for rows, columns in ((slice(30, 50), slice(40, 47)), (slice(0, 3), slice(90, 96)), (slice(70, 71),) * 2):
        mask = np.zeros((96, 96))
        mask[rows, columns] = 1
        everywhere = structure(one, other)[1].mean(-1)
        assert ssim(one, other, weight=mask) == float((everywhere * mask).sum() / mask.sum())


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    # no variance: (2 mx my + C1) / (mx^2 + my^2 + C1) with C1 = (0.01 * 255)^2 = 6.5025
    assert ssim(flat(100), flat(100)) == pytest.approx(1)
    assert ssim(flat(100), flat(120)) == pytest.approx((24000 + 6.5025) / (24400 + 6.5025), abs=1e-6)
    assert ssim(flat(0), flat(255)) == pytest.approx(6.5025 / (65025 + 6.5025), abs=1e-6)


def test_ssim_of_an_inverted_pattern_is_negative() -> None:
    board = (np.indices((32, 32)).sum(0) % 2 * 100 + 50).astype(np.uint8)[..., None].repeat(3, 2)
    # equal means m, equal variances s, covariance -s: (-2 s + C2) / (2 s + C2) of the means' term 1
    middle = ssim(board, (200 - board).astype(np.uint8), weight=np.pad(np.ones((10, 10)), 11))
    s, C2 = 2500.0, 58.5225
    assert middle == pytest.approx((-2 * s + C2) / (2 * s + C2), abs=2e-3)


def test_ssim_in_a_mask_and_bad_input() -> None:
    picture = texture(64)
    other = picture.copy()
    other[:, :20] = 255 - other[:, :20]
    mask = np.zeros((64, 64))
    mask[:, 40:] = 1
    assert ssim(picture, other, weight=mask) == pytest.approx(1)
    assert ssim(picture, other) < 0.9
    with pytest.raises(InputError, match="11 px"):
        ssim(flat(0, 8), flat(0, 8))
    with pytest.raises(InputError, match="empty"):
        ssim(picture, other, weight=np.zeros((64, 64)))


def test_laplacian_of_one_point_by_hand() -> None:
    picture = np.zeros((9, 9, 3), np.uint8)
    picture[4, 4] = 10
    # -40 at the point and 10 at its four neighbours: the mean is 0, squares sum to 2000
    assert laplacian_variance(picture) == pytest.approx(2000 / 81)
    assert sharpness_ratio(2 * picture, picture) == pytest.approx(4)
    assert laplacian_variance(picture, weight=np.pad(np.ones((1, 1)), 4)) == 0
    with pytest.raises(InputError, match="flat"):
        sharpness_ratio(picture, np.zeros_like(picture))


def test_warping_follows_a_given_flow() -> None:
    picture = texture()
    flow = np.zeros((96, 96, 2), np.float32)
    flow[..., 0] = 3  # what is at x is found at x + 3 in the next frame
    following = np.roll(picture, 3, axis=1)
    np.testing.assert_array_equal(
        warp_back(following.astype(np.float32), flow)[:, :-3], picture[:, :-3].astype(np.float32)
    )
    mask = not_hidden(flow, -flow)
    assert not mask[:, -3:].any()
    assert mask[:, :-3].all()
    assert pair_warping_error(picture, following, flow, mask) < 1e-12
    brighter = (following // 2 + 51).astype(np.uint8)
    even = np.full_like(picture, 100)
    assert pair_warping_error(even, even + np.uint8(51), flow, mask) == pytest.approx(3 * 0.2**2)
    assert pair_warping_error(picture, brighter, flow, mask) > 0
    assert np.isnan(pair_warping_error(picture, following, flow, np.zeros((96, 96), bool)))


def test_what_moves_against_its_flow_back_is_hidden() -> None:
    flow, back = np.zeros((8, 8, 2)), np.zeros((8, 8, 2))
    back[2, 3] = (1.0, 0.0)  # 1 > 0.01 * 1 + 0.5
    back[5, 5] = (0.7, 0.0)  # 0.49 < 0.01 * 0.49 + 0.5
    mask = not_hidden(flow, back)
    assert not mask[2, 3]
    assert mask.sum() == 63


def test_warping_error_of_a_clip_that_stands_still_in_between() -> None:
    picture, other = texture(), texture(seed=1)
    frames = [picture, picture, picture, other, other, other]
    pairs = []
    for a, b in pairwise(frames):
        flow, back = dense_flow(a, b), dense_flow(b, a)
        pairs.append(pair_warping_error(a, b, flow, not_hidden(flow, back)))
    assert pairs[2] > 0
    assert warping_error(frames) == float(np.nanmean(pairs))


def test_warping_error_of_a_moving_picture_is_far_below_that_of_a_flickering_one() -> None:
    big = texture(128)
    moving = [np.ascontiguousarray(big[16:112, 10 + k : 106 + k]) for k in range(4)]
    flow = dense_flow(moving[0], moving[1])
    np.testing.assert_allclose(np.median(flow.reshape(-1, 2), 0), [-1, 0], atol=0.15)
    flicker = [
        np.clip(f.astype(int) + (20 if k % 2 else 0), 0, 255).astype(np.uint8) for k, f in enumerate(moving)
    ]
    assert warping_error(moving) < 1e-4
    assert warping_error(flicker) > 20 * warping_error(moving)
    assert warping_error(moving[:1] * 3) < 1e-12
    with pytest.raises(InputError, match="two frames"):
        warping_error(moving[:1])
