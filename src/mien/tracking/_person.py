"""Where is the person? A coarse probability per pixel from the selfie segmentation network.

The network looks at 256 x 256 pixels. We show it several windows around the chosen face, from the whole body
down to the head, each also mirrored, and let the finer windows win where they see enough of the surroundings.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from mien.core.assets import asset_path
from mien.tracking._quiet import quiet_native_stderr
from mien.tracking._types import Alpha, Rgb

NETWORK_PX = 256


@dataclass(frozen=True)
class PersonWindow:
    """One square window shown to the network, in units of the face size (longer side of the landmarks'
    box)."""

    size: float
    """Side of the window."""
    below: float
    """How far the window's centre lies below the face's centre."""
    weight: float
    """Weight of this window against the coarser ones where it is fully trusted."""


WINDOWS = (PersonWindow(11.0, 3.5, 1.0), PersonWindow(4.5, 0.6, 0.75), PersonWindow(2.8, 0.15, 0.6))
FEATHER = 0.12  # of the window's side: how fast trust grows from a window's border inwards


class PersonSegmenter:
    """MediaPipe's image segmenter with the bundled network; a context manager, closed explicitly."""

    def __init__(self) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        base = BaseOptions(model_asset_path=str(asset_path("selfie_segmentation.tflite")))
        options = vision.ImageSegmenterOptions(
            base_options=base, output_confidence_masks=True, output_category_mask=False
        )
        with quiet_native_stderr():
            self._segmenter: Any = vision.ImageSegmenter.create_from_options(options)

    def __enter__(self) -> "PersonSegmenter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._segmenter.close()

    def probability(self, rgb: Rgb) -> Alpha:
        """Probability of a person per pixel; mean over the picture and its mirror image."""
        height_px, width_px = rgb.shape[:2]
        shrink = max(height_px, width_px) > NETWORK_PX
        small = cv2.resize(
            rgb, (NETWORK_PX, NETWORK_PX), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        )
        mean = (self._run(small) + self._run(small[:, ::-1])[:, ::-1]) / 2
        full = cv2.resize(mean, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        return np.clip(full, 0, 1).astype(np.float32)

    def _run(self, small: Rgb) -> Alpha:
        import mediapipe as mp

        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(small))
        mask = self._segmenter.segment(image).confidence_masks[0].numpy_view()
        return np.array(mask, dtype=np.float32).reshape(small.shape[:2])


def person_probability(rgb: Rgb, *, center_px: tuple[float, float], face_px: float) -> Alpha:
    """Probability of a person per pixel, sharpest around the face of size `face_px` at `center_px` (x, y)."""
    result = np.zeros(rgb.shape[:2], dtype=np.float32)
    last_area = 0
    with PersonSegmenter() as segmenter:
        for window in WINDOWS:
            box = _window_box(rgb.shape[:2], window, center_px, face_px)
            area = (box[2] - box[0]) * (box[3] - box[1])
            if last_area and area > 0.9 * last_area:
                continue  # the picture ends before the coarser window does: this one would show the same
            x0, y0, x1, y1 = box
            probability = segmenter.probability(np.ascontiguousarray(rgb[y0:y1, x0:x1]))
            trust = window.weight * _trust(rgb.shape[:2], box) if last_area else np.float32(1)
            result[y0:y1, x0:x1] += trust * (probability - result[y0:y1, x0:x1])
            last_area = area
    return result


def _window_box(
    shape: tuple[int, ...], window: PersonWindow, center_px: tuple[float, float], face_px: float
) -> tuple[int, int, int, int]:
    """The window's part that lies inside the picture: x0, y0, x1, y1."""
    height_px, width_px = shape[:2]
    half = window.size * face_px / 2
    x, y = center_px[0], center_px[1] + window.below * face_px
    x0, x1 = max(0, int(x - half)), min(width_px, int(np.ceil(x + half)))
    y0, y1 = max(0, int(y - half)), min(height_px, int(np.ceil(y + half)))
    return x0, y0, x1, y1


def _trust(shape: tuple[int, ...], box: tuple[int, int, int, int]) -> Alpha:
    """1 inside the box, falling to 0 at those of its borders that do not lie on the picture's border."""
    height_px, width_px = shape[:2]
    x0, y0, x1, y1 = box
    feather_px = FEATHER * max(x1 - x0, y1 - y0)
    x, y = np.arange(x0, x1), np.arange(y0, y1)
    far = np.inf
    across = np.minimum(x - x0 if x0 > 0 else far, x1 - 1 - x if x1 < width_px else far)
    down = np.minimum(y - y0 if y0 > 0 else far, y1 - 1 - y if y1 < height_px else far)
    distance = np.minimum(np.broadcast_to(across, x.shape)[None], np.broadcast_to(down, y.shape)[:, None])
    return np.clip(distance / feather_px, 0, 1).astype(np.float32)
