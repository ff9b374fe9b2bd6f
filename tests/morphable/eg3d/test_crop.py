"""EG3D's crop from five points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.core.camera import FFHQ_FOCAL
from mien.core.viewpoint import ViewAngles
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.crop import (
    CROP_PX,
    eg3d_region,
    fit_pos,
    sample_crop,
    similarity,
    standard_head,
)
from mien.morphable.model import MorphableModel

angles = st.floats(-1.0, 1.0)


@given(angles, angles, angles, st.floats(1, 900), st.floats(-300, 900), st.floats(-300, 900))
def test_pos_gives_back_a_weak_perspective_view(
    yaw: float, pitch: float, roll: float, scale: float, x: float, y: float
) -> None:
    five = np.array(
        [[-0.3, 0.2, 0.1], [0.3, 0.2, 0.1], [0, -0.1, 0.4], [-0.25, -0.4, 0.2], [0.25, -0.4, 0.2]]
    )
    R = ViewAngles(yaw, pitch, roll).rotation().numpy()
    found, origin = fit_pos(five @ R[:, :2] * scale + [x, y], five)
    assert found == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(origin, [x, y], atol=1e-5 * scale)


def test_the_standard_head_is_metric_and_symmetric(model: MorphableModel) -> None:
    standard = standard_head(model)
    assert np.linalg.norm(standard.five[1] - standard.five[0]) == pytest.approx(0.62, abs=0.03)  # of 100 mm
    np.testing.assert_allclose(standard.five[0], standard.five[1] * [-1, 1, 1])
    np.testing.assert_allclose(standard.five[3], standard.five[4] * [-1, 1, 1])
    assert standard.five[3, 1] < standard.five[2, 1] < 0 < standard.five[0, 1]


def test_the_crop_fits_the_camera(model: MorphableModel) -> None:
    """0.27 EG3D units per standard unit at 2.7 look as large through the focal length as the crop says."""
    standard = standard_head(model)
    region = eg3d_region(standard.five[:, :2] * [100, -100] + [300, 200], model)
    assert (region.centre_x_px, region.centre_y_px) == pytest.approx((300, 200))
    assert 100 / region.side_px == pytest.approx(0.27 * FFHQ_FOCAL / 2.7, rel=0.01)


@given(st.floats(0.1, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_scaled_and_shifted_points_give_the_same_crop(
    model: MorphableModel, scale: float, x: float, y: float
) -> None:
    five_px = np.array([[100.0, 100], [160, 104], [131, 140], [105, 170], [152, 173]])
    a, b = eg3d_region(five_px, model), eg3d_region(five_px * scale + [x, y], model)
    assert b.side_px == pytest.approx(a.side_px * scale)
    assert b.centre_x_px == pytest.approx(a.centre_x_px * scale + x, abs=1e-6 * scale + 1e-6)
    assert b.centre_y_px == pytest.approx(a.centre_y_px * scale + y, abs=1e-6 * scale + 1e-6)


@given(st.floats(-300, 900), st.floats(-300, 900), st.floats(20, 1500))
def test_the_similarity_is_the_regions(x: float, y: float, side: float) -> None:
    region = CropRegion(x, y, side)
    px = np.array([[0.0, 0.0], [13.5, -4.0], [700.0, 300.0]])
    A = similarity(region)
    np.testing.assert_allclose(px @ A[:, :2].T + A[:, 2], region.uv_from_px(px) * CROP_PX, atol=1e-6)


def test_a_crop_of_its_own_size_is_a_plain_cut() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    for outside in ("black", "reflect"):
        crop = sample_crop(rgb, CropRegion(356.0, 306.0, 512.0), outside)
        np.testing.assert_array_equal(crop, rgb[50:562, 100:612])


def test_outside_is_black_or_mirrored() -> None:
    rgb = np.full((512, 512, 3), 200, np.uint8)
    rgb[:, :64] = 90
    region = CropRegion(128.0, 256.0, 512.0)  # the left quarter lies outside
    black = sample_crop(rgb, region, "black")
    assert not black[:, :128].any()
    soft = sample_crop(rgb, region, "reflect")
    np.testing.assert_array_equal(soft[:, 128:], black[:, 128:])
    assert (np.abs(soft[:, 126].astype(int) - 90) <= 2).all()
    assert abs(int(soft[256, 0, 0]) - 200) < 25  # mirrored, on the way to the photo's middle colour


def test_a_crop_far_outside_is_still_a_picture() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    for outside in ("black", "reflect"):
        assert sample_crop(rgb, CropRegion(-400.0, 900.0, 100.0), outside).shape == (512, 512, 3)
