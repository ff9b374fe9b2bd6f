"""A camera that goes around a person: video, and depth and normal maps as files."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image

from mien.animation.drive import Canvas, Puppet, render_orbit, turned_camera
from mien.animation.solid import avatar_mesh
from mien.core.parallel import ordered
from mien.core.progress import progress
from mien.generator.samples import PAPER, SHEET_YAWS_DEG, StillHead, join_pictures, to_uint8
from mien.generator.view import MeshConfig, Sitter, View, normal_colours, view_of, viewer_normals
from mien.io.maps import check_folder, write_depth, write_normals
from mien.io.mesh import Mesh
from mien.io.video import VideoWriter
from mien.morphable.meshview import MeshViewer

SHEET_PX: Final = 256


@dataclass(frozen=True)
class TurnConfig:
    """How the camera goes."""

    yaw_deg: float = 45.0
    """How far to either side of the front."""
    seconds: float = 4.0
    fps: int = 25

    def yaws_rad(self) -> np.ndarray:
        """Yaw of each frame: -yaw, +yaw, -yaw, at an even pace."""
        count = max(round(self.seconds * self.fps), 2)
        share = 1 - np.abs(np.linspace(-1, 1, count))
        return np.radians(-self.yaw_deg + 2 * self.yaw_deg * share)


@dataclass(frozen=True)
class MapFolders:
    """Where maps of the frames go, as 0000.png and so on; None leaves them out."""

    depth: Path | None = None
    normals: Path | None = None

    def check(self) -> None:
        """Refuse, before any work, folders that cannot be made: InputError."""
        for folder in (self.depth, self.normals):
            if folder is not None:
                check_folder(folder)

    def write(self, index: int, view: View) -> None:
        """The maps of a frame; see `mien.io.maps` for what is in the files."""
        for folder, write, image in (
            (self.depth, write_depth, view.depth),
            (self.normals, write_normals, view.normals),
        ):
            if folder is not None:
                write(folder / f"{index:04d}.png", image)


@dataclass(frozen=True, eq=False)
class AvatarSitter:
    """The person of an avatar, with the photo's expression."""

    puppet: Puppet
    canvas: Canvas

    def look(self, yaw_rad: float) -> View:
        """The person from this yaw: 0 is the head's front, whichever way it is turned in the photo."""
        rgb, out = render_orbit(self.puppet, self.canvas, yaw_rad)
        camera = turned_camera(self.puppet.avatar.fit, self.canvas, yaw_rad)
        return view_of(rgb, out.depth, out.alpha, camera)

    def mesh(self, config: MeshConfig | None = None) -> Mesh:
        """Body and hair, see `avatar_mesh`."""
        return avatar_mesh(self.puppet, config)


def write_turn(
    sitter: Sitter,
    output: Path,
    config: TurnConfig | None = None,
    *,
    maps: MapFolders | None = None,
    show_progress: bool = True,
) -> int:
    """Write a video of the camera going around the person; returns the number of frames."""
    config, maps = config or TurnConfig(), maps or MapFolders()
    yaws = config.yaws_rad()
    views: Iterable[View] = _views(sitter, yaws)
    if show_progress:
        views = progress(views, desc="rendering", total=len(yaws))
    views = iter(views)
    first = next(views)
    height, width = first.rgb.shape[:2]
    with VideoWriter(output, config.fps, width, height) as writer:
        for index, view in enumerate(chain([first], views)):
            writer.write(view.rgb)
            maps.write(index, view)
    return len(yaws)


def mesh_sheet(sitter: Sitter, mesh: Mesh, side_px: int = SHEET_PX) -> np.ndarray:
    """A picture: a person from five yaws, the mesh from the same cameras, and its normals as colours."""
    viewer = MeshViewer(mesh)
    columns = []
    for yaw in SHEET_YAWS_DEG:
        view = sitter.look(math.radians(yaw))
        drawn = viewer.draw(view.camera, side_px)
        colours = drawn.rgb + (1 - drawn.alpha[..., None]) * PAPER
        normals = normal_colours(viewer_normals(torch.from_numpy(drawn.normals), view.camera))
        person = np.asarray(Image.fromarray(view.rgb).resize((side_px, side_px), Image.Resampling.LANCZOS))
        columns.append([person, to_uint8(torch.from_numpy(colours)), to_uint8(normals)])
    return join_pictures([list(row) for row in zip(*columns, strict=True)])


def _views(sitter: Sitter, yaws: np.ndarray) -> Iterable[View]:
    """Several at a time where a frame is small work; a frame of EG3D keeps all cores busy by itself."""
    if isinstance(sitter, AvatarSitter | StillHead):
        return ordered(lambda yaw: sitter.look(float(yaw)), yaws)
    return (sitter.look(float(yaw)) for yaw in yaws)
