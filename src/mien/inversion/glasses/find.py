"""Whether a photo shows glasses, and what they are: `find_glasses`."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from mien.inversion.glasses.colours import coloured
from mien.inversion.glasses.profile import THIN, profiles_of, rim_colours, rim_thickness
from mien.inversion.glasses.shape import METAL, FittedFrame, Strip, fit_frame
from mien.morphable.eyecrop import STRIP_PX, cut_strip, eye_crop, seen_points, strip_from_photo
from mien.morphable.fit import FaceFit
from mien.morphable.glasses import glasses_geometry
from mien.morphable.glassesnet import ARM, CLEAR, DARK, RIM, load_glasses_net
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import MorphableModel
from mien.morphable.partsnet import PartsNet
from mien.morphable.worn import WornGlasses

WORN: Final = 0.9
"""Least probability of glasses being worn."""
LEAST_FRONT: Final = 0.7
"""Least overlap of the fitted front with what was seen, and of the rims."""
LEAST_RIM: Final = 0.25
HIDING: Final = 0.5
"""Share of the lenses' pixels that must be dark for lenses that hide the eyes."""


@dataclass(frozen=True, eq=False)
class SeenGlasses:
    """The network's answer to a photo."""

    strip: Strip
    parts: Float[Tensor, "class rows columns"]
    """Probabilities on the strip."""
    worn: float
    """Probability in [0, 1]."""

    @property
    def front(self) -> Float32[np.ndarray, "rows columns"]:
        """Of lenses and rims."""
        return self.parts[[RIM, CLEAR, DARK]].sum(0).numpy()

    @property
    def frame(self) -> Float32[np.ndarray, "rows columns"]:
        """Of rims and arms."""
        return self.parts[[RIM, ARM]].sum(0).numpy()

    @property
    def dark(self) -> bool:
        """Whether the lenses hide the eyes."""
        clear, dark = self.parts[CLEAR].sum(), self.parts[DARK].sum()
        return bool(dark > HIDING * (dark + clear))


def find_glasses(
    rgb: UInt8[np.ndarray, "height width 3"], fit: FaceFit, model: MorphableModel,
    network: PartsNet | None = None,
) -> WornGlasses | None:  # fmt: skip
    """The glasses of the fitted person in a photo; None if none are seen for certain.

    The bundled network unless another is given. Deterministic.
    """
    network = network or load_glasses_net()
    if network is None:
        return None
    seen = look_for_glasses(rgb, fit, model, network)
    fitted = fitted_glasses(seen, fit, model)
    return None if fitted is None else coloured_glasses(rgb, seen, fitted, fit, model)


def look_for_glasses(
    rgb: UInt8[np.ndarray, "height width 3"], fit: FaceFit, model: MorphableModel, network: PartsNet
) -> SeenGlasses:
    """Mean answer to the strip and its mirror image."""
    size = (rgb.shape[1], rgb.shape[0])
    camera = fit.photo_camera(*size)
    points = seen_points(camera, model.landmarks(fit.vertices(model)), size)
    crop = eye_crop(points, landmark_model(model))
    strip = cut_strip(rgb, crop)
    with torch.no_grad():
        answer = network(torch.stack([strip, strip.flip(2)]))
    parts = answer.parts.softmax(1)
    parts = (parts[0] + parts[1].flip(2)) / 2
    return SeenGlasses(Strip(camera, size, crop), parts, float(torch.sigmoid(answer.worn).mean()))


def fitted_glasses(seen: SeenGlasses, fit: FaceFit, model: MorphableModel) -> FittedFrame | None:
    """The frame that explains what was seen; None if that is not worn, or no glasses explain it."""
    if seen.worn < WORN:
        return None
    marks = model.landmarks(fit.neutral(model))
    fitted = fit_frame(seen.front, seen.parts[RIM].numpy(), marks, seen.strip)
    if fitted is None or fitted.front < LEAST_FRONT or fitted.rim < LEAST_RIM:
        return None
    return fitted


def coloured_glasses(
    rgb: UInt8[np.ndarray, "height width 3"], seen: SeenGlasses, fitted: FittedFrame, fit: FaceFit,
    model: MorphableModel,
) -> WornGlasses:  # fmt: skip
    """The frame as triangles in the photo's colours, and what it hides."""
    neutral = fit.neutral(model)
    marks = model.landmarks(neutral).double().numpy()
    shape, camera = fitted.frame, seen.strip.camera
    profiles = profiles_of(rgb, shape, camera)
    measured = None if seen.dark else rim_thickness(profiles)
    if measured is not None and measured < shape.thickness:
        shape = replace(shape, thickness=measured, metal=measured < METAL)
    thin = rim_colours(profiles, shape.thickness) if shape.thickness < THIN else None
    geometry = glasses_geometry(model, neutral.double().numpy(), marks, shape)
    frame = in_photo(seen.frame, seen.strip)
    hidden = frame if not seen.dark else np.maximum(frame, in_photo(seen.front, seen.strip))
    look = coloured(rgb, geometry, frame, camera, dark=seen.dark, thin=thin)
    return WornGlasses(*look, torch.from_numpy(hiding(hidden, seen.strip)))


def in_photo(
    values: Float32[np.ndarray, "rows columns"], strip: Strip
) -> Float32[np.ndarray, "height width"]:
    """Values of the strip where they lie in the photo; 0 elsewhere."""
    width, height = strip.size
    y, x = np.mgrid[:height, :width] + 0.5
    at = strip_from_photo(torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1)), strip.crop).numpy() - 0.5
    at = at.reshape(height, width, 2).astype(np.float32)
    return np.asarray(cv2.remap(values, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=0.0))


def hiding(share: Float32[np.ndarray, "height width"], strip: Strip) -> UInt8[np.ndarray, "height width"]:
    """The mask of pixels that show no face: what is probably frame, and a rim around it."""
    px = float(strip.crop.side_px[0]) / STRIP_PX[1]  # of the photo, for one of the strip
    reach = 2 * max(round(1.0 * px), 1) + 1
    solid = (share > 0.3).astype(np.float32)
    wide = cv2.dilate(solid, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    soft = cv2.GaussianBlur(wide, (0, 0), 0.5 * max(px, 1.0))
    return (np.maximum(soft, wide * 0.9) * 255 + 0.5).astype(np.uint8)
