"""Second looks at a photo in which no face was found: enlarged, in tiles, and turned.

A view is a similarity transform of the photo. What the landmarker says about a view is carried back to the
photo: landmarks by the inverse transform, the pose by the camera that MediaPipe assumes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from mien.tracking._types import OtherRgb, Rgb

VERTICAL_FOV_RAD = np.deg2rad(63.0)
"""MediaPipe's assumed camera: pinhole, principal point in the middle, this field of view over the image's
height."""

SMALLEST_TILE_PX = 96
SWING_SHARE = 0.4
"""MediaPipe's head rotation follows the direction of sight only in part: a frontal head moved off the middle
by an angle is said to turn by 0.25 to 0.7 of that angle (measured on two faces, two distances, eight
directions)."""


@dataclass(frozen=True)
class View:
    """A picture made from the photo, and how its pixels follow from the photo's."""

    rgb: Rgb
    A_view_photo: np.ndarray
    """2x3 similarity: view pixels = A [x, y, 1]."""

    @property
    def scale(self) -> float:
        """View pixels per photo pixel."""
        return float(np.hypot(self.A_view_photo[0, 0], self.A_view_photo[1, 0]))

    @property
    def turn_rad(self) -> float:
        """By how much the view shows the photo's content turned counter-clockwise (as seen, y up)."""
        return float(-np.arctan2(self.A_view_photo[1, 0], self.A_view_photo[0, 0]))

    def to_photo(self, points_px: np.ndarray) -> np.ndarray:
        """Points [n, 2] of the view in the photo's pixels."""
        return (points_px - self.A_view_photo[:, 2]) @ np.linalg.inv(self.A_view_photo[:, :2]).T


def identity_view(rgb: Rgb) -> View:
    """The photo itself."""
    return View(rgb=rgb, A_view_photo=np.eye(2, 3))


def second_looks(rgb: Rgb) -> Iterator[list[View]]:
    """Groups of views, likely ones first; the search stops after the first group that shows a face."""
    yield [_turned(rgb, turn_deg=0.0, margin=1.5)]  # faces that fill the frame want space around them
    yield half_tiles(rgb)
    yield from turned_views(rgb)


def turned_views(rgb: Rgb) -> Iterator[list[View]]:
    """The photo turned by a quarter to either side and upside down; the detector bears 45 degrees by
    itself."""
    views = [_turned(rgb, turn_deg=turn_deg) for turn_deg in (90.0, -90.0, 180.0)]
    yield views
    yield [tile for view in views for tile in _tiles(view, side_px=round(max(view.rgb.shape[:2]) / 2))]


def half_tiles(rgb: Rgb) -> list[View]:
    """Overlapping tiles of half the photo's longer side."""
    return list(_tiles(identity_view(rgb), side_px=round(max(rgb.shape[:2]) / 2)))


def fine_tiles(rgb: Rgb) -> Iterator[list[View]]:
    """Ever smaller tiles, for faces that are small in a big photo: the detector misses less than a sixth of a
    side."""
    for share in (4, 8, 16):
        side_px = round(max(rgb.shape[:2]) / share)
        if side_px < SMALLEST_TILE_PX:
            return
        yield list(_tiles(identity_view(rgb), side_px=side_px))


def upright_closeup(rgb: Rgb, *, center_px: tuple[float, float], face_px: float, turn_deg: float) -> View:
    """The surroundings of one face (3.5 face sizes), turned counter-clockwise by `turn_deg`, 512 pixels
    wide."""
    scale = 512 / (3.5 * face_px)
    A_view_photo = cv2.getRotationMatrix2D(center_px, turn_deg, scale)
    A_view_photo[:, 2] += 256 - np.asarray(center_px)
    return View(rgb=_warp(rgb, A_view_photo, (512, 512)), A_view_photo=A_view_photo)


def _turned(rgb: Rgb, *, turn_deg: float, margin: float = 1.0) -> View:
    """The whole photo at a good size for the detector, turned counter-clockwise about its middle."""
    height_px, width_px = rgb.shape[:2]
    longest = max(height_px, width_px)
    scale = min(max(2 * longest, 512), 1280) / longest
    turn_rad = np.deg2rad(turn_deg)
    cosine, sine = abs(np.cos(turn_rad)), abs(np.sin(turn_rad))
    out_width = max(round(margin * scale * (width_px * cosine + height_px * sine)), 1)
    out_height = max(round(margin * scale * (width_px * sine + height_px * cosine)), 1)
    A_view_photo = cv2.getRotationMatrix2D((width_px / 2, height_px / 2), turn_deg, scale)
    A_view_photo[:, 2] += [(out_width - width_px) / 2, (out_height - height_px) / 2]
    return View(rgb=_warp(rgb, A_view_photo, (out_width, out_height)), A_view_photo=A_view_photo)


def _warp(rgb: Rgb, A_view_photo: np.ndarray, size: tuple[int, int]) -> OtherRgb:
    """The photo through a similarity, grey where it ends; shrunk by averaging first where it gets much
    smaller.

    The transform speaks of pixel corners, OpenCV's warp of pixel centres: hence the halves.
    """
    scale = float(np.hypot(A_view_photo[0, 0], A_view_photo[1, 0]))
    if scale < 0.5:
        small = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
        stretch = np.diag([rgb.shape[1] / small[0], rgb.shape[0] / small[1], 1])
        rgb = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
        A_view_photo = A_view_photo @ stretch
    A_centers = A_view_photo.copy()
    A_centers[:, 2] += A_view_photo[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(rgb, A_centers, size, flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))


def _tiles(view: View, *, side_px: int) -> Iterator[View]:
    """Square tiles of a view with half a tile of overlap, small ones enlarged."""
    height_px, width_px = view.rgb.shape[:2]
    side = max(side_px, 1)
    for y0 in _starts(height_px, side):
        for x0 in _starts(width_px, side):
            tile = view.rgb[y0 : y0 + side, x0 : x0 + side]
            scale = min(max(384 / max(tile.shape[:2]), 1.0), 4.0)
            size = (max(round(tile.shape[1] * scale), 1), max(round(tile.shape[0] * scale), 1))
            enlarged = cv2.resize(tile, size, interpolation=cv2.INTER_CUBIC) if scale > 1 else tile
            A_tile_photo = scale * (view.A_view_photo - [[0, 0, x0], [0, 0, y0]])
            yield View(rgb=np.ascontiguousarray(enlarged), A_view_photo=A_tile_photo)


def _starts(length_px: int, side_px: int) -> list[int]:
    """Evenly spread starts so that tiles of the given side cover the length with about half overlap."""
    if side_px >= length_px:
        return [0]
    count = int(np.ceil(2 * length_px / side_px)) - 1
    return [int(start) for start in np.linspace(0, length_px - side_px, count).round()]


def pose_in_photo(
    view: View, photo_shape: tuple[int, ...], R_view_head: np.ndarray, translation_cm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Head rotation and translation in the photo's camera from those in a view's camera.

    The view is untwisted, then swung with the ray to the head as far as MediaPipe would swing it, so that the
    answer is near to what a look at the whole photo would have given; the distance follows from the size in
    pixels.
    """
    cosine, sine = np.cos(-view.turn_rad), np.sin(-view.turn_rad)
    R_untwist = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    focal_view = _focal_px(view.rgb.shape)
    focal_photo = _focal_px(photo_shape)
    middle_view = np.array([view.rgb.shape[1], view.rgb.shape[0]]) / 2
    middle_photo = np.array([photo_shape[1], photo_shape[0]]) / 2
    depth_cm = -float(translation_cm[2])
    pixel_view = middle_view + focal_view * np.array([translation_cm[0], -translation_cm[1]]) / depth_cm
    pixel_photo = view.to_photo(pixel_view[None])[0]
    new_depth_cm = depth_cm * focal_photo * view.scale / focal_view
    offset = (pixel_photo - middle_photo) * [1, -1] / focal_photo
    new_translation_cm = np.array([*(offset * new_depth_cm), -new_depth_cm])
    seen_from = _unit(R_untwist @ translation_cm)
    swung_to = _unit((1 - SWING_SHARE) * seen_from + SWING_SHARE * _unit(new_translation_cm))
    R_swing = _rotation_between(seen_from, swung_to)
    return R_swing @ R_untwist @ R_view_head, new_translation_cm


def _focal_px(shape: tuple[int, ...]) -> float:
    return float(shape[0] / 2 / np.tan(VERTICAL_FOV_RAD / 2))


def _rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation of the unit vector `start` to the unit vector `end`, less than half a turn
    apart."""
    x, y, z = np.cross(start, end)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + K + K @ K / (1 + float(start @ end))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
