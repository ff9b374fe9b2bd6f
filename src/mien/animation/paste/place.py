"""Where an avatar's working picture lies in the photo that it was made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from mien.animation.kinds import AnyAvatar
from mien.animation.layer import Layer
from mien.core.errors import InputError
from mien.inversion.avatar import Avatar
from mien.io.images import Photo
from mien.tracking.faces import FaceObservation


@dataclass(frozen=True)
class Placed:
    """A part of a photo, and how much smaller the working picture of it is."""

    box_px: tuple[int, int, int, int]
    """x0, y0, x1, y1 in the photo."""
    shape: tuple[int, int]
    """Height and width of the working picture."""

    @property
    def enlargement(self) -> tuple[float, float]:
        """Photo pixels a working pixel, along x and y; at least 1."""
        x0, y0, x1, y1 = self.box_px
        return (x1 - x0) / self.shape[1], (y1 - y0) / self.shape[0]

    @property
    def size_px(self) -> int:
        """Longer side in the photo."""
        x0, y0, x1, y1 = self.box_px
        return max(x1 - x0, y1 - y0)

    def point_in_photo(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the working picture lies in the photo."""
        ratio_x, ratio_y = self.enlargement
        return self.box_px[0] + x * ratio_x, self.box_px[1] + y * ratio_y

    def in_photo(self, layer: Layer) -> Layer:
        """A layer on the working picture's grid on that of the photo: itself if nothing was made smaller,
        cubic otherwise."""
        (left, top), (height, width) = layer.corner_px, layer.cover.shape
        ratio_x, ratio_y = self.enlargement
        x0, y0 = self.box_px[0] + left * ratio_x, self.box_px[1] + top * ratio_y
        if ratio_x == ratio_y == 1:
            return Layer((self.box_px[0] + left, self.box_px[1] + top), layer.rgb, layer.cover)
        corner = (int(np.floor(x0)), int(np.floor(y0)))
        size = (
            int(np.ceil(x0 + width * ratio_x)) - corner[0],
            int(np.ceil(y0 + height * ratio_y)) - corner[1],
        )
        shift_x, shift_y = x0 - corner[0], y0 - corner[1]
        # Pixel centres: photo + 0.5 = shift + ratio (layer + 0.5); the map of the photo to the layer.
        to_layer = np.array(
            [
                [1 / ratio_x, 0, (0.5 - shift_x) / ratio_x - 0.5],
                [0, 1 / ratio_y, (0.5 - shift_y) / ratio_y - 0.5],
            ]
        )
        both = np.concatenate([layer.rgb, layer.cover[..., None]], -1)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        large = cv2.warpAffine(both, to_layer, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
        cover = large[..., 3].clip(0, 1)
        return Layer(corner, large[..., :3].clip(0, cover[..., None]), cover)


def own_face(avatar: AnyAvatar, placed: Placed, faces: Sequence[FaceObservation]) -> FaceObservation | None:
    """The avatar's own among the faces of its photo: the nearest to the middle of its crop, if that is within
    half of the crop's side; None if none is."""
    crop = avatar.fit.crop if isinstance(avatar, Avatar) else avatar.placement.crop
    x, y = placed.point_in_photo(crop.centre_x_px, crop.centre_y_px)

    def away(face: FaceObservation) -> float:
        x0, y0, x1, y1 = face.box_px
        return math.hypot((x0 + x1) / 2 - x, (y0 + y1) / 2 - y)

    nearest = min(faces, key=away, default=None)
    reach = crop.side_px * placed.enlargement[0] / 2
    return nearest if nearest is not None and away(nearest) < reach else None


def place_in_photo(avatar: AnyAvatar, photo: Photo) -> Placed:
    """Where an avatar lies in a photo. InputError if it was not made of it."""
    facts = avatar.provenance
    if facts.get("photo_sha256") != photo.sha256:
        raise InputError(
            f"{photo.name} is not the photo of the avatar, which was made of {facts.get('photo')} "
            f"({str(facts.get('photo_sha256'))[:12]}); give that one."
        )
    shape = (int(avatar.photo.shape[0]), int(avatar.photo.shape[1]))
    box = facts.get("photo_box_px")
    if box is None and not facts.get("head_only"):
        box = [0, 0, photo.rgb.shape[1], photo.rgb.shape[0]]
    if not _is_box(box, photo.rgb.shape):
        raise InputError(
            f"The avatar of {photo.name} does not say where in the photo its head is, as this version's do; "
            "invert the photo again."
        )
    assert isinstance(box, list)
    return Placed((box[0], box[1], box[2], box[3]), shape)


def _is_box(box: object, shape: tuple[int, ...]) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(x, int) for x in box):
        return False
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]


def matte_in_photo(avatar: AnyAvatar, placed: Placed) -> Float32[np.ndarray, "photo_height photo_width"]:
    """The person's matte at the size of the avatar's part of the photo."""
    return hidden_share(avatar.alpha.numpy().astype(np.float32) / 255, placed)


def hidden_share(
    removed: Float32[np.ndarray, "height width"], placed: Placed
) -> Float32[np.ndarray, "photo_height photo_width"]:
    """A map of the working picture at the size of its part of the photo."""
    x0, y0, x1, y1 = placed.box_px
    return cv2.resize(removed, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR).clip(0, 1)
