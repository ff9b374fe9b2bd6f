"""The aligned crop and its inverse."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.morphable.crop import CropRegion
from mien.morphable.fit import orbit_camera

places = st.floats(-300, 900)
sides = st.floats(20, 1500)


@given(places, places, sides)
def test_pixels_and_crop_coordinates_are_inverse(x: float, y: float, side: float) -> None:
    crop = CropRegion(x, y, side)
    uv = np.array([[0.0, 0.0], [1.0, 0.5], [0.3, 0.9]])
    np.testing.assert_allclose(crop.uv_from_px(crop.px_from_uv(uv)), uv, atol=1e-9)
    np.testing.assert_allclose(crop.px_from_uv(np.array([0.5, 0.5])), [x, y], atol=1e-9)


@given(places, places, sides)
def test_photo_and_crop_are_one_camera(x: float, y: float, side: float) -> None:
    crop = CropRegion(x, y, side)
    camera = orbit_camera(torch.eye(3, dtype=torch.float64))
    points = torch.tensor([[0.1, 0.2, 0.05], [-0.3, 0.0, -0.2]], dtype=torch.float64)
    in_crop = crop.px_from_uv(camera.project(points).uv.numpy())
    photo = type(camera)(camera.T_world_camera, crop.photo_intrinsics(640, 480).double())
    in_photo = photo.project(points).uv.numpy() * [640, 480]
    np.testing.assert_allclose(in_crop, in_photo, atol=2e-3)


def ramp(height: int, width: int) -> np.ndarray:
    """A float picture whose value is the pixel centre's x + 1000 y."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return (x + 1000 * y).astype(np.float32)


def test_samples_sit_at_their_pixels() -> None:
    picture = ramp(300, 400)
    for crop, size in ((CropRegion(200.3, 150.2, 120.7), 31), (CropRegion(180.1, 140.9, 40.3), 64)):
        uv = (np.arange(size) + 0.5) / size
        px = crop.px_from_uv(np.stack(np.meshgrid(uv, uv), -1))
        expected = px[..., 0] + 1000 * px[..., 1]
        np.testing.assert_allclose(crop.sample(picture, size), expected, rtol=0, atol=60)


def test_same_size_and_aligned_is_a_plain_cut() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(CropRegion(30.0, 25.0, 20.0).sample(rgb, 20), rgb[15:35, 20:40])


def test_shrinking_averages_and_the_outside_repeats_the_edge() -> None:
    checks = (np.indices((200, 200)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, -1)
    small = CropRegion(100.0, 100.0, 160.0).sample(checks, 16)
    assert np.abs(small.astype(int) - 127).max() <= 3
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, 39] = 200
    assert (CropRegion(60.0, 20.0, 40.0).sample(halves, 20)[:, 5:] == 200).all()
