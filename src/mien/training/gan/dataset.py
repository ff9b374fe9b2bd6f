"""Training pictures: a folder with dataset.json, as EG3D's tools and `mien align FOLDER` write it."""

import hashlib
import json
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from mien.core.camera import Camera
from mien.core.errors import InputError
from mien.io.images import FORMATS, is_image, read_photo

LABELS_FILE: Final = "dataset.json"
LABEL_DIM: Final = 25
MIRRORED: Final = (1, 2, 3, 4, 8, 17)
"""Entries of a label that change sign in a mirror: pose [0,1], [0,2], [0,3], [1,0], [2,0] and the skew."""
CENTRE_X: Final = 18
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
KEPT_BYTES: Final = 1 << 29
"""A set is kept in memory if its pixels are no more than this."""


@dataclass(frozen=True, eq=False)
class Reals:
    """Real images with their cameras."""

    images: Float[Tensor, "batch 3 height width"]
    """RGB in [-1, 1]."""
    labels: Float[Tensor, "batch 25"]


class GanDataset:
    """Pictures and labels. With `mirror` item k + n is item k of n, seen in a mirror."""

    def __init__(self, folder: Path, *, mirror: bool = False, threads: int = 2) -> None:
        """Checks labels and sizes of all pictures. Raises InputError with the file at fault."""
        self.folder, self.mirror = folder, mirror
        text = _read_labels(folder)
        entries = _entries(folder, text)
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        """Of dataset.json."""
        self.names = [name for name, _ in entries]
        _check_files(folder, self.names)
        self.image_px = _common_side([folder / name for name in self.names])
        labels = torch.tensor([numbers for _, numbers in entries], dtype=torch.float32)
        self.labels = torch.cat([labels, mirrored_label(labels)]) if mirror else labels
        self._pool = ThreadPoolExecutor(threads)  # decoding PNG leaves the interpreter free
        self._kept: dict[int, np.ndarray] | None = {}
        if len(self.names) * 3 * self.image_px**2 > KEPT_BYTES:
            self._kept = None

    def __len__(self) -> int:
        return len(self.labels)

    def prepare(self, indices: list[int]) -> "Future[Reals]":
        """Begin to read items in the background."""
        return self._pool.submit(self.read, indices)

    def read(self, indices: list[int]) -> Reals:
        """Items by index. Raises InputError for a damaged picture."""
        pixels = torch.from_numpy(np.stack([self._pixels(i) for i in indices]))
        return Reals(pixels.permute(0, 3, 1, 2) / 127.5 - 1, self.labels[indices])

    def _pixels(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        item = index % len(self.names)
        rgb = None if self._kept is None else self._kept.get(item)
        if rgb is None:
            rgb = read_photo(self.folder / self.names[item]).rgb
            if self._kept is not None:
                self._kept[item] = rgb
        return rgb if index < len(self.names) else rgb[:, ::-1]


def mirrored_label(label: Float[Tensor, "*batch 25"]) -> Float[Tensor, "*batch 25"]:
    """The camera of the mirrored picture (x -> -x in the world and in the image); its own inverse."""
    sign = torch.ones(LABEL_DIM, dtype=label.dtype, device=label.device)
    sign[[*MIRRORED, CENTRE_X]] = -1
    shift = torch.zeros_like(sign)
    shift[CENTRE_X] = 1  # the principal point c becomes 1 - c
    return label * sign + shift


def _read_labels(folder: Path) -> str:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one with {LABELS_FILE} and pictures.")
    try:
        return (folder / LABELS_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder} has no readable {LABELS_FILE} ({type(error).__name__}); make crops and labels of your "
            "photos with `mien align`."
        ) from error


def _entries(folder: Path, text: str) -> list[tuple[str, list[float]]]:
    try:
        found = json.loads(text)
        pairs = found["labels"] if isinstance(found, dict) else None
    except (ValueError, KeyError, RecursionError):
        pairs = None
    if not isinstance(pairs, list):
        raise InputError(
            f'{folder / LABELS_FILE} does not hold {{"labels": [[file, 25 numbers], ...]}}; make it anew.'
        )
    if not pairs:
        raise InputError(f"{folder / LABELS_FILE} lists no pictures; expected at least one.")
    return [_entry(folder, pair) for pair in pairs]


def _entry(folder: Path, pair: Any) -> tuple[str, list[float]]:
    whole = isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
    name = pair[0] if whole else None
    if name is None or not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(
            f"{folder / LABELS_FILE} has the entry {str(pair)[:80]}; expected a file inside the folder and "
            f"its {LABEL_DIM} numbers."
        )
    numbers = pair[1]
    numeric = isinstance(numbers, list) and all(type(n) in (int, float) for n in numbers)
    if not numeric or len(numbers) != LABEL_DIM:
        found = f"{len(numbers)} numbers" if numeric else f"{str(numbers)[:40]}"
        raise InputError(
            f"The label of {name} in {folder / LABELS_FILE} is {found}; expected {LABEL_DIM} numbers, "
            "a camera. Make the labels anew."
        )
    try:
        Camera.from_label(torch.tensor(numbers, dtype=torch.float64))
    except InputError as error:
        raise InputError(
            f"The label of {name} in {folder / LABELS_FILE} is no camera; expected 16 numbers of a rigid "
            "camera-to-world matrix and 9 of normalised intrinsics. Make the labels anew."
        ) from error
    return name, numbers


def _check_files(folder: Path, names: list[str]) -> None:
    """Every label has its picture and every picture its label, once."""
    listed = set(names)
    if len(listed) < len(names):
        (twice, _), *_ = Counter(names).most_common(1)
        raise InputError(f"{folder / LABELS_FILE} lists {twice} twice; expected each picture once.")
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
    }
    missing, unlabelled = sorted(listed - there), sorted(there - listed)
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(names)} pictures in {folder / LABELS_FILE} are not in the folder, "
            f"such as {missing[0]}; copy them there or take them off the list."
        )
    if unlabelled:
        raise InputError(
            f"{len(unlabelled)} pictures in {folder} have no label in {LABELS_FILE}, such as "
            f"{unlabelled[0]}; add their labels or move them away."
        )


def _common_side(paths: list[Path]) -> int:
    """Side of the square pictures, from their headers."""
    side = 0
    for path in paths:
        if not is_image(path):
            raise InputError(f"{path} is not a readable picture; make it anew or take it off the list.")
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
        side = side or width
        if width != height or width != side:
            raise InputError(
                f"{path} has {width} x {height} pixels; expected squares of one size, as the first picture's "
                f"{side} x {side}. Crop the photos with `mien align`."
            )
    return side
