"""Contact sheets: pictures in rows, small enough to commit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import InputError
from mien.io.video import VideoReader

Rgb = NDArray[np.uint8]

CELL_PX: Final = 144
GAP_PX: Final = 4
PAPER: Final = 255


def fit_square(rgb: Rgb, side_px: int = CELL_PX) -> Rgb:
    """The picture scaled to fit into a white square, its shape kept."""
    height_px, width_px = rgb.shape[:2]
    scale = side_px / max(height_px, width_px)
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    square = np.full((side_px, side_px, 3), PAPER, np.uint8)
    top, left = (side_px - size[1]) // 2, (side_px - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def contact_sheet(rows: Sequence[Sequence[Rgb | None]], *, side_px: int = CELL_PX) -> Rgb:
    """Rows of pictures with white gaps; None leaves a cell empty, short rows end early."""
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise InputError("A contact sheet was asked for without pictures; give at least one.")
    pitch = side_px + GAP_PX
    sheet = np.full((len(rows) * pitch - GAP_PX, columns * pitch - GAP_PX, 3), PAPER, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            if picture is not None:
                cell = fit_square(picture, side_px)
                sheet[y * pitch : y * pitch + side_px, x * pitch : x * pitch + side_px] = cell
    return sheet


def frames_at(path: str | Path, indices: Sequence[int]) -> list[Rgb]:
    """The frames of a clip at the rising `indices`; those beyond its end are the last frame. Streams."""
    wanted, found = list(indices), list[Rgb]()
    last: Rgb | None = None
    with VideoReader(path) as reader:
        for frame in reader:
            last = frame.rgb
            while len(found) < len(wanted) and wanted[len(found)] <= frame.index:
                found.append(frame.rgb)
            if len(found) == len(wanted):
                break
    if last is not None:
        found += [last] * (len(wanted) - len(found))
    return found


def spread_indices(count: int, picked: int) -> list[int]:
    """`picked` indices spread evenly over `count` frames, the first and last included."""
    return [round(float(index)) for index in np.linspace(0, max(count - 1, 0), picked)]
