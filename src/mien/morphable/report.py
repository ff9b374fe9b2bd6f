"""A photo's fit as files: the overlay picture, and all numbers as JSON."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import torch

from mien.core.arkit import ARKIT_NAMES
from mien.core.atomic import atomic_path, check_output
from mien.io.images import PICTURE_SUFFIXES, Photo, read_photo, write_image
from mien.morphable.fit import FaceFit, FitConfig, fit_face
from mien.morphable.model import MorphableModel, load_head_model
from mien.morphable.overlay import OverlayConfig, draw_overlay
from mien.tracking.faces import choose_face, find_faces

FORMAT: Final = "mien-fit"
VERSION: Final = 1


def write_fit(
    photo_path: Path,
    output: Path,
    *,
    json_path: Path | None = None,
    face: str = "largest",
    model: MorphableModel | None = None,
    config: FitConfig | None = None,
    overlay: OverlayConfig | None = None,
) -> FaceFit:
    """Fit the head model to a face of the photo, write the overlay picture and, if asked for, the JSON.

    Raises InputError if the photo cannot be read or the files cannot be written, NoFaceError if the face is
    not found; then neither file is written.
    """
    _check_paths(photo_path, output, json_path)
    photo = read_photo(photo_path)
    model = model or load_head_model()
    observed = choose_face(find_faces(photo.rgb), face)
    height, width = photo.rgb.shape[:2]
    fit = fit_face(observed, (width, height), model=model, rgb=photo.rgb, config=config)
    picture = draw_overlay(photo.rgb, fit, model, detected_px=observed.landmarks_px, config=overlay)
    with ExitStack() as files:
        if json_path is not None:
            temporary = files.enter_context(atomic_path(json_path))
            temporary.write_text(json.dumps(fit_to_json(fit, photo), indent=1) + "\n", encoding="utf-8")
        write_image(output, picture)
    return fit


def fit_to_json(fit: FaceFit, photo: Photo) -> dict[str, Any]:
    """All numbers of a fit; lengths in EG3D units unless the name says otherwise."""
    height, width = photo.rgb.shape[:2]
    expression = dict(zip(ARKIT_NAMES, _rounded(fit.expression), strict=True))
    return {
        "format": FORMAT,
        "version": VERSION,
        "photo": {"name": photo.name, "sha256": photo.sha256, "width_px": width, "height_px": height},
        "residual": round(fit.residual, 6),
        "identity": _rounded(fit.identity),
        "expression": expression,
        "R_camera_head": _rounded(fit.R_camera_head),
        "T_world_camera": _rounded(fit.camera.T_world_camera),
        "crop_intrinsics": _rounded(fit.camera.intrinsics),
        "photo_intrinsics": _rounded(fit.crop.photo_intrinsics(width, height)),
        "crop": {
            "centre_x_px": round(fit.crop.centre_x_px, 3),
            "centre_y_px": round(fit.crop.centre_y_px, 3),
            "side_px": round(fit.crop.side_px, 3),
        },
        "landmarks_px": _rounded(fit.landmarks_px, digits=2),
    }


def _rounded(values: torch.Tensor, digits: int = 6) -> list[Any]:
    rounded: list[Any] = torch.round(values.double(), decimals=digits).tolist()
    return rounded


def _check_paths(photo: Path, output: Path, json_path: Path | None) -> None:
    check_output(output, suffixes=PICTURE_SUFFIXES, inputs=(photo,))
    if json_path is not None:
        check_output(json_path, suffixes=(".json",), inputs=(photo,))
