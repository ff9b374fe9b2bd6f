"""The pose of a photo's face for EG3D.

The rotation is that of the morphable fit in an upright close-up, averaged with the fit in the mirrored
close-up; the place follows from it by least squares over the landmarks.

What is frontal: our head's neutral frame. Official labels have the frontal of their face model, which may nod
against ours by a few degrees; without that model the difference cannot be measured here, and `corrected`
(`--pitch-deg`) is there for it.
"""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL
from mien.core.errors import NoFaceError
from mien.core.geometry import nearest_rotation
from mien.core.viewpoint import ViewAngles
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.alignment import WORLD_PER_HEAD, Eg3dAlignment, place
from mien.morphable.eg3d.crop import (
    MIRRORED_FIVE,
    Outside,
    eg3d_region,
    five_points,
    sample_crop,
    standard_head,
)
from mien.morphable.fit import FaceFit, FitConfig, fit_face
from mien.morphable.model import MorphableModel
from mien.tracking.closeup import Closeup, look_closer, mirrored
from mien.tracking.faces import FACES_PER_PHOTO, FaceObservation, FaceTracker, choose_face

MIRROR: Final = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
OPENCV: Final = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
MOST_PITCH_RAD: Final = math.radians(80)


@dataclass(frozen=True)
class AlignConfig:
    """How a photo is aligned."""

    outside: Outside = "reflect"
    fit: FitConfig = field(default_factory=partial(FitConfig, encoder=False))
    pitch_response: float = 0.85
    """By how much a nod of 1 shows in the fit. Photos' faces turned on their fitted meshes gave 0.88 (eight
    pictures, 0.84 to 0.98); procedural heads of unknown shape 0.76, of which the regression of the truth on
    the estimate takes back 1/0.85. The estimate is divided by it."""


@dataclass(frozen=True, eq=False)
class _Look:
    """One fit, in the photo's frame: points in photo pixels, the head's rotation against the photo's axes."""

    fit: FaceFit
    R_camera_head: Float[Tensor, "3 3"]
    landmarks_px: Float[np.ndarray, "478 2"]
    five_px: Float[np.ndarray, "5 2"]
    xyz_head: Float[Tensor, "478 3"]


class Aligner:
    """Aligns photos; a context manager, because the native landmarkers must be closed."""

    def __init__(self, model: MorphableModel, config: AlignConfig | None = None) -> None:
        self._model, self._config = model, config or AlignConfig()
        self._many, self._one = FaceTracker(num_faces=FACES_PER_PHOTO), FaceTracker()

    def __enter__(self) -> "Aligner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._many.close()
        self._one.close()

    def align(self, rgb: UInt8[np.ndarray, "height width 3"], face: str = "largest") -> Eg3dAlignment:
        """Find a face in the photo (see `choose_face`), its crop and its camera.

        Raises NoFaceError or InputError as `choose_face` does, and NoFaceError if the face is not found again
        in a close-up of it.
        """
        chosen = choose_face(self._many.detect(rgb), face)
        return align_face(rgb, chosen, self._one, model=self._model, config=self._config)


def align_photo(
    rgb: UInt8[np.ndarray, "height width 3"],
    *,
    model: MorphableModel,
    face: str = "largest",
    config: AlignConfig | None = None,
) -> Eg3dAlignment:
    """`Aligner.align` for one photo."""
    with Aligner(model, config) as aligner:
        return aligner.align(rgb, face)


def align_face(
    rgb: UInt8[np.ndarray, "height width 3"],
    face: FaceObservation,
    tracker: FaceTracker,
    *,
    model: MorphableModel,
    config: AlignConfig | None = None,
) -> Eg3dAlignment:
    """Crop and camera of one observed face; `tracker` (in image mode) looks at it once more, close up.

    Raises NoFaceError if the face is not found again in its close-up.
    """
    config = config or AlignConfig()
    closeup = look_closer(rgb, face, tracker)
    if closeup is None:
        x, y = (round((face.box_px[k] + face.box_px[k + 2]) / 2) for k in (0, 1))
        raise NoFaceError(
            f"What looked like a face about ({x}, {y}) was not found again in a close-up of it; "
            "give a photo in which the face is larger or clearer, or choose another face."
        )
    looks = _looks(closeup, mirrored(closeup, tracker), model, config.fit)
    region = eg3d_region(np.mean([look.five_px for look in looks], axis=0), model)
    R = nearest_rotation(torch.stack([look.R_camera_head for look in looks]).sum(0))
    angles = _unshrunk(ViewAngles.of(R.T @ OPENCV), config.pitch_response)
    origin = torch.from_numpy(standard_head(model).origin)
    face_camera = torch.stack([_face_in_camera(look, region, angles, origin) for look in looks]).mean(0)
    image = sample_crop(rgb, region, config.outside)
    return place(angles, face_camera, origin, image=image, crop=region, fit=looks[0].fit)


def _looks(
    closeup: Closeup, mirror: FaceObservation | None, model: MorphableModel, config: FitConfig
) -> list[_Look]:
    """The fit in the close-up and, carried back, the fit in the mirrored one."""
    height, width = closeup.rgb.shape[:2]
    c, s = math.cos(closeup.turn_rad), math.sin(closeup.turn_rad)
    R_photo_closeup = torch.tensor([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    looks = []
    for observed, is_mirrored in ((closeup.face, False), (mirror, True)):
        if observed is None:
            continue
        fit = fit_face(observed, (width, height), model=model, config=config)
        R, xyz = fit.R_camera_head.double(), model.landmarks(fit.vertices(model)).double()
        points, order = observed.landmarks_px.astype(np.float64), list(range(5))
        if is_mirrored:
            R, xyz, order = MIRROR @ R @ MIRROR, xyz @ MIRROR, list(MIRRORED_FIVE)
            points = np.array([width, 0.0]) + points * [-1, 1]
        points = closeup.view.to_photo(points)
        looks.append(_Look(fit, R_photo_closeup @ R, points, five_points(points)[order], xyz))
    return looks


def _unshrunk(angles: ViewAngles, response: float) -> ViewAngles:
    """Take back that the fit shows less pitch than there is."""
    pitch = max(-MOST_PITCH_RAD, min(MOST_PITCH_RAD, angles.pitch_rad / response))
    return replace(angles, pitch_rad=pitch)


def _face_in_camera(
    look: _Look, region: CropRegion, angles: ViewAngles, origin: Float[Tensor, "3"]
) -> Float[Tensor, "3"]:
    """Where the face's centroid lies in the crop's camera, in EG3D units, by least squares over landmarks.

    With X = R (x - origin): f (X + t_x) = (u - c) (Z + t_z), and the same for y, are linear in t.
    """
    X = (look.xyz_head - origin) * WORLD_PER_HEAD @ angles.rotation()
    uv = (torch.from_numpy(region.uv_from_px(look.landmarks_px)) - 0.5) / FFHQ_FOCAL
    one, zero = torch.ones(len(X), dtype=X.dtype), torch.zeros(len(X), dtype=X.dtype)
    rows = torch.cat([torch.stack([one, zero, -uv[:, 0]], 1), torch.stack([zero, one, -uv[:, 1]], 1)])
    values = (uv * X[:, 2:] - X[:, :2]).T.flatten()
    return torch.linalg.lstsq(rows, values[:, None]).solution[:, 0]
