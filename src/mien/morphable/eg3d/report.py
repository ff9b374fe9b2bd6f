"""A photo's EG3D camera as files: the crop, a picture by which a wrong estimate is seen, all numbers."""

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.atomic import atomic_path, check_output
from mien.core.errors import InputError
from mien.io.images import PICTURE_SUFFIXES, Photo, read_photo, write_image
from mien.morphable.eg3d.alignment import Eg3dAlignment
from mien.morphable.eg3d.crop import CROP_PX
from mien.morphable.eg3d.estimate import AlignConfig, align_photo
from mien.morphable.model import MorphableModel, load_head_model
from mien.morphable.overlay import OUTLINE_RGB, draw_lines, shade

FORMAT: Final = "mien-eg3d-camera"
VERSION: Final = 1
MESH_OPACITY: Final = 0.5
GRID_RGB: Final = (235, 235, 235)
AXES_RGB: Final = ((255, 70, 70), (90, 230, 90), (80, 150, 255))
GRID_REACH: Final = 0.4
GRID_STEP: Final = 0.1
AXIS_LENGTH: Final = 0.4


@dataclass(frozen=True)
class Correction:
    """The user's angles in degrees; None keeps the estimate."""

    yaw_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("yaw", self.yaw_deg), ("pitch", self.pitch_deg), ("roll", self.roll_deg)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"The {name} is {value} degrees; expected a number such as 12.5.")

    def apply(self, alignment: Eg3dAlignment) -> Eg3dAlignment:
        """The alignment with these angles."""
        given = (self.yaw_deg, self.pitch_deg, self.roll_deg)
        yaw, pitch, roll = (None if value is None else math.radians(value) for value in given)
        return alignment.corrected(yaw_rad=yaw, pitch_rad=pitch, roll_rad=roll)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is corrected."""
        return self == Correction()


def beside(output: Path) -> tuple[Path, Path]:
    """Names of the JSON and of the picture of the estimate that go with a crop."""
    return output.with_suffix(".json"), output.with_name(f"{output.stem}_camera{output.suffix}")


def write_alignment(
    photo_path: Path,
    output: Path,
    *,
    face: str = "largest",
    correction: Correction | None = None,
    config: AlignConfig | None = None,
    model: MorphableModel | None = None,
) -> Eg3dAlignment:
    """Write the crop to `output`, and the JSON and the picture of the estimate `beside` it.

    Raises InputError if the photo cannot be read or a file cannot be written, NoFaceError if the face is not
    found; then nothing is written.
    """
    json_path, picture_path = beside(output)
    for path, suffixes in (
        (output, PICTURE_SUFFIXES),
        (picture_path, PICTURE_SUFFIXES),
        (json_path, (".json",)),
    ):
        check_output(path, suffixes=suffixes, inputs=(photo_path,))
    photo = read_photo(photo_path)
    model, config = model or load_head_model(), config or AlignConfig()
    estimate = align_photo(photo.rgb, model=model, face=face, config=config)
    alignment = (correction or Correction()).apply(estimate)
    facts = alignment_to_json(alignment, photo, estimate=estimate, config=config)
    with ExitStack() as files:  # the three appear together
        crop, picture = (files.enter_context(atomic_path(path)) for path in (output, picture_path))
        numbers = files.enter_context(atomic_path(json_path))
        write_image(crop, alignment.image)
        write_image(picture, camera_picture(alignment, model))
        numbers.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return alignment


def alignment_to_json(
    alignment: Eg3dAlignment, photo: Photo, *, estimate: Eg3dAlignment, config: AlignConfig
) -> dict[str, Any]:
    """All numbers; `estimate` is the alignment before the user's correction."""
    height, width = photo.rgb.shape[:2]
    A = alignment.A_crop_photo
    return {
        "format": FORMAT,
        "version": VERSION,
        "photo": {"name": photo.name, "sha256": photo.sha256, "width_px": width, "height_px": height},
        "label": [round(x, 7) for x in alignment.camera.to_label().double().tolist()],
        **_degrees(alignment),
        "estimated": _degrees(estimate),
        "A_crop_photo": A.tolist(),
        "A_photo_crop": np.linalg.inv(np.vstack([A, [0, 0, 1]]))[:2].tolist(),
        "outside": config.outside,
        "head_in_world": {"scale": alignment.world_scale, "shift": alignment.world_shift.tolist()},
        "residual": round(alignment.fit.residual, 6),
    }


def camera_picture(alignment: Eg3dAlignment, model: MorphableModel) -> UInt8[np.ndarray, "height width 3"]:
    """Three crops side by side: plain; the fitted head seen by the EG3D camera; its axes and frontal grid.

    The outline, eyes and mouth of the head lie on the photo's where yaw, pitch and roll are right; the blue
    axis goes where the nose points.
    """
    shaded, is_hit = shade(alignment.fit, model, alignment.head_camera, (CROP_PX, CROP_PX))
    blend = MESH_OPACITY * is_hit[..., None]
    meshed = (alignment.image * (1 - blend) + shaded * blend + 0.5).astype(np.uint8)
    edges, _ = cv2.findContours(is_hit.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(meshed, edges, -1, OUTLINE_RGB, 1, cv2.LINE_AA)
    points = alignment.to_world(model.landmarks(alignment.fit.vertices(model)))
    draw_lines(meshed, alignment.camera.project(points).uv.double().numpy() * CROP_PX)
    axes = alignment.image.copy()
    _draw_frame(axes, alignment)
    return np.hstack([alignment.image, meshed, axes])


def _draw_frame(picture: UInt8[np.ndarray, "512 512 3"], alignment: Eg3dAlignment) -> None:
    """The grid of the world's xy plane through the face, the axes from there, and the angles in words."""
    face = alignment.face_world
    for t in torch.arange(-GRID_REACH, GRID_REACH + 1e-6, GRID_STEP).tolist():
        for ends in (((t, -GRID_REACH), (t, GRID_REACH)), ((-GRID_REACH, t), (GRID_REACH, t))):
            _draw_line(picture, alignment, face + torch.tensor([[x, y, 0.0] for x, y in ends]), GRID_RGB, 1)
    for axis, rgb in zip(torch.eye(3), AXES_RGB, strict=True):
        _draw_line(picture, alignment, torch.stack([face, face + AXIS_LENGTH * axis]), rgb, 3)
    words = ", ".join(f"{name[:-4]} {value:.0f}" for name, value in _degrees(alignment).items())
    for shift, rgb in ((1, (0, 0, 0)), (0, (255, 255, 255))):  # with a shadow, for any background
        place = (12 + shift, 496 + shift)
        cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, rgb, 1, cv2.LINE_AA)


def _draw_line(
    picture: UInt8[np.ndarray, "512 512 3"],
    alignment: Eg3dAlignment,
    ends: Float[Tensor, "2 3"],
    rgb: tuple[int, int, int],
    thickness: int,
) -> None:
    (x0, y0), (x1, y1) = (alignment.camera.project(ends).uv * CROP_PX - 0.5).mul(16).round().int().tolist()
    cv2.line(picture, (x0, y0), (x1, y1), rgb, thickness, cv2.LINE_AA, shift=4)


def _degrees(alignment: Eg3dAlignment) -> dict[str, float]:
    angles = alignment.angles
    named = {"yaw_deg": angles.yaw_rad, "pitch_deg": angles.pitch_rad, "roll_deg": angles.roll_rad}
    return {name: round(math.degrees(value), 4) for name, value in named.items()}
