"""Second looks: every view knows its way back to the photo."""

import numpy as np
import pytest

from mien.tracking._views import (
    View,
    fine_tiles,
    half_tiles,
    identity_view,
    pose_in_photo,
    second_looks,
    turned_views,
    upright_closeup,
)


def marked_photo() -> np.ndarray:
    """Dark, with one bright spot around (x, y) = (130.5, 60.5)."""
    photo = np.zeros((150, 200, 3), dtype=np.uint8)
    photo[57:64, 127:134] = 255
    return photo


def all_views(photo: np.ndarray) -> list[View]:
    groups = [*second_looks(photo), *turned_views(photo), half_tiles(photo), *fine_tiles(photo)]
    closeup = upright_closeup(photo, center_px=(120.0, 70.0), face_px=30.0, turn_deg=33.0)
    return [identity_view(photo), closeup, *(view for group in groups for view in group)]


def test_spot_is_found_again_from_every_view() -> None:
    seen = 0
    for view in all_views(marked_photo()):
        rows, columns = np.nonzero(view.rgb[..., 0] > 200)
        if len(rows) < 40 * view.scale**2:
            continue  # the spot is cut or outside of this view
        seen += 1
        center = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
        np.testing.assert_allclose(view.to_photo(center), [[130.5, 60.5]], atol=0.5)
    assert seen > 10


def test_tiles_cover_the_photo() -> None:
    photo = np.zeros((450, 1000, 3), dtype=np.uint8)
    for tiles in fine_tiles(photo):
        covered = np.zeros(photo.shape[:2], dtype=bool)
        for view in tiles:
            height_px, width_px = view.rgb.shape[:2]
            (x0, y0), (x1, y1) = np.round(view.to_photo(np.array([[0, 0], [width_px, height_px]]))).astype(
                int
            )
            covered[y0:y1, x0:x1] = True
        assert covered.all()


def test_pose_of_the_photo_itself_is_unchanged() -> None:
    photo = marked_photo()
    R, t = np.eye(3), np.array([5.0, -3.0, -60.0])
    R_photo, t_photo = pose_in_photo(identity_view(photo), photo.shape, R, t)
    np.testing.assert_allclose(R_photo, R, atol=1e-12)
    np.testing.assert_allclose(t_photo, t, atol=1e-9)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_pose_of_a_turned_view_is_untwisted(index: int) -> None:
    photo = np.zeros((300, 300, 3), dtype=np.uint8)
    view = next(turned_views(photo))[index]
    angle = view.turn_rad
    assert np.rad2deg(angle) == pytest.approx([90, -90, 180][index]) or abs(angle) == pytest.approx(np.pi)
    R_twist = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    t = np.array([7.0, 12.0, -50.0])
    R_photo, t_photo = pose_in_photo(view, photo.shape, R_twist, R_twist @ t)
    np.testing.assert_allclose(R_photo, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(t_photo, t, atol=1e-6)
