"""What the tracker sees of rendered heads, beside the truth: the geometry encoder's examples.

A file for each head, that depends on the head's file, the settings and its number only; written whole or not
at all, so an interrupted build goes on where it was.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError
from mien.core.progress import progress
from mien.tracking.faces import FaceTracker
from mien.training.encoder.pictures import PictureConfig, draw_picture
from mien.training.procedural.shards import read_shard

KIND: Final = "encoder_examples"
NAMES: Final = ("points", "coefficients", "R_tracked", "R_camera_head", "expression", "identity")
_SHARD_NAMES: Final = ("rgb", "alpha", "camera", "expression", "identity")


@dataclass(frozen=True)
class ExampleConfig:
    """What is looked at."""

    pictures: int = 2
    """Of each view."""
    most_yaw_deg: float = 65.0
    """Views turned further are left out."""
    seed: int = 0
    picture: PictureConfig = field(default_factory=PictureConfig)


@dataclass(frozen=True, eq=False)
class Examples:
    """Observed faces and what they really are; rows of a head follow one another."""

    points: Float[Tensor, "n 478 3"]
    """MediaPipe's points, x right and y down in pixels of the view, its depth in the same unit."""
    coefficients: Float[Tensor, "n 52"]
    R_tracked: Float[Tensor, "n 3 3"]
    """MediaPipe's R_camera_head."""
    R_camera_head: Float[Tensor, "n 3 3"]
    """The true one, for a camera that looks at the head's origin."""
    expression: Float[Tensor, "n 52"]
    identity: Float[Tensor, "n component"]
    head: Float[Tensor, " n"]
    """Number of the head's file."""

    def __getitem__(self, rows: Tensor) -> "Examples":
        return Examples(*(getattr(self, name)[rows] for name in (*NAMES, "head")))


def build_examples(paths: Sequence[Path], folder: Path, config: ExampleConfig | None = None) -> Examples:
    """Track pictures of all heads in `paths`; what `folder` holds already is read."""
    config = config or ExampleConfig()
    found = []
    with FaceTracker() as tracker:
        for number, path in enumerate(progress(paths, desc="tracked heads")):
            done = _read(folder / path.name, config)
            if done is None:
                done = _look_at(path, number, tracker, config)
                write_safetensors(folder / path.name, done, {"kind": KIND, "config": _plain(config)})
            found.append(done | {"head": torch.full((len(done["points"]),), float(number))})
    return Examples(*(torch.cat([part[name] for part in found]) for name in (*NAMES, "head")))


def true_rotation(T_world_camera: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "3 3"]:
    """R_camera_head, camera axes x right, y up, z to the viewer; inverse of `fit.orbit_camera`."""
    return np.diag([1.0, -1.0, -1.0]) @ T_world_camera[:3, :3].T


def _look_at(path: Path, number: int, tracker: FaceTracker, config: ExampleConfig) -> dict[str, Tensor]:
    arrays = read_shard(path, _SHARD_NAMES).arrays
    rows: list[dict[str, np.ndarray]] = []
    for view, T_world_camera in enumerate(arrays["camera"]):
        R = true_rotation(T_world_camera)
        if np.degrees(np.arccos(np.clip(R[2, 2], -1, 1))) > config.most_yaw_deg:
            continue
        side = round(arrays["alpha"].shape[1] ** 0.5)
        rgb, alpha = arrays["rgb"][view].reshape(side, side, 3), arrays["alpha"][view].reshape(side, side)
        for repeat in range(config.pictures):
            rng = np.random.default_rng([config.seed, number, view, repeat])
            picture = draw_picture(rgb, alpha, rng, config.picture)
            faces = tracker.detect(picture.rgb)
            if not faces:
                continue
            unit = np.linalg.norm(picture.to_view[0, :2])
            flat = faces[0].landmarks_px @ picture.to_view[:, :2].T + picture.to_view[:, 2]
            points = np.concatenate([flat, faces[0].landmarks_depth[:, None] * unit], 1)
            rows.append({
                "points": points, "coefficients": faces[0].coefficients,
                "R_tracked": _roll(-picture.roll_rad) @ faces[0].R_camera_head, "R_camera_head": R,
                "expression": arrays["expression"][view], "identity": arrays["identity"],
            })  # fmt: skip
    shapes = {"points": (478, 3), "coefficients": (52,), "R_tracked": (3, 3), "R_camera_head": (3, 3),
              "expression": (52,), "identity": arrays["identity"].shape}  # fmt: skip
    return {
        name: torch.from_numpy(np.array([row[name] for row in rows], np.float32).reshape(-1, *shape))
        for name, shape in shapes.items()
    }


def _roll(angle_rad: float) -> np.ndarray:
    """Rotation about the axis to the viewer, counter-clockwise as seen."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _read(path: Path, config: ExampleConfig) -> dict[str, Tensor] | None:
    if not path.exists():
        return None
    checkpoint = read_safetensors(path, kind=KIND)
    if checkpoint.header.get("config") != _plain(config):
        raise CheckpointError(
            f"{path} was made with other settings; choose another folder for the examples or delete it."
        )
    return checkpoint.tensors


def _plain(config: ExampleConfig) -> dict[str, object]:
    """As JSON keeps it: tuples become lists."""
    return dict(json.loads(json.dumps(asdict(config))))
