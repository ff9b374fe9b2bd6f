"""A folder of photos to a folder of EG3D crops with their cameras, in the official label format."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.core.assets import sha256_of_file
from mien.core.atomic import atomic_path
from mien.core.errors import InputError, MienError
from mien.core.progress import progress
from mien.io.images import read_photo, write_image
from mien.morphable.eg3d.estimate import AlignConfig, Aligner
from mien.morphable.model import load_head_model

LABELS: Final = "dataset.json"
JOURNAL: Final = "align.jsonl"
"""One line per photo that is done, so that an interrupted run goes on where it was."""
PHOTO_SUFFIXES: Final = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm", ".jp2")
)


@dataclass(frozen=True)
class DatasetOptions:
    """What is made of every photo."""

    face: str = "largest"
    mirror: bool = False
    """Add every crop mirrored, with the mirrored camera."""
    align: AlignConfig = field(default_factory=AlignConfig)


@dataclass(frozen=True)
class DatasetResult:
    """What became of a folder."""

    written: int
    """Photos with a crop in the set, those of earlier runs included."""
    skipped: tuple[tuple[str, str], ...]
    """Photos without: name and reason."""


@dataclass(frozen=True)
class _Entry:
    """One photo: its crops and labels, or why there is none."""

    photo: str
    sha256: str
    labels: dict[str, list[float]]
    reason: str = ""


def align_folder(
    folder: Path,
    output: Path,
    options: DatasetOptions | None = None,
    *,
    report: Callable[[str, str], None] = lambda photo, reason: None,
) -> DatasetResult:
    """Write a crop (PNG) for every photo under `folder`, and `dataset.json` with all labels.

    A photo that cannot be used is reported (name and reason) and left out. A run that was interrupted goes on
    where it was. Raises InputError if there are no photos, none can be used, or `output` is no place for
    them.
    """
    options = options or DatasetOptions()
    photos = _photos(folder)
    _check_places(folder, output)
    journal = _Journal(output, options)
    names = _crop_names(photos)
    entries: list[_Entry] = []
    with Aligner(load_head_model(), options.align) as aligner:
        for photo in progress(photos, desc="aligning"):
            entry = journal.done(photo, _hash(folder / photo))
            if entry is None:
                entry = _aligned(folder, photo, output, names[photo], aligner, options)
                journal.add(entry)
            if entry.reason:
                report(photo, entry.reason)
            entries.append(entry)
    skipped = tuple((entry.photo, entry.reason) for entry in entries if entry.reason)
    if len(skipped) == len(entries):
        journal.discard()
        raise InputError(
            f"None of the {len(entries)} photos in {folder} could be used; the first: {skipped[0][1]}"
        )
    _write_labels(output / LABELS, [label for entry in entries for label in entry.labels.items()])
    return DatasetResult(len(entries) - len(skipped), skipped)


def _photos(folder: Path) -> list[str]:
    """Photos under the folder, by their path in it, sorted."""
    files = (p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file())
    parts = (p.relative_to(folder) for p in files)
    found = sorted(p.as_posix() for p in parts if not any(name.startswith(".") for name in p.parts))
    if not found:
        raise InputError(f"The folder {folder} holds no photos; expected files such as .jpg or .png.")
    return found


def _check_places(folder: Path, output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; expected a folder for the crops. Choose another output.")
    inside = output.resolve().is_relative_to(folder.resolve())
    if inside or folder.resolve().is_relative_to(output.resolve()):
        raise InputError(
            f"{output} and the photos' folder {folder} lie in each other; choose an output beside it."
        )
    if not output.parent.is_dir():
        raise InputError(f"The folder {output.parent} does not exist; make it first or choose another.")
    if output.is_dir() and any(output.iterdir()) and not (output / JOURNAL).is_file():
        raise InputError(f"{output} is not empty and not of an earlier run; choose a new folder.")


def _crop_names(photos: list[str]) -> dict[str, str]:
    """A PNG's name for every photo: its own where that is unique, else with the old suffix kept."""
    plain = {photo: Path(photo).with_suffix(".png").as_posix() for photo in photos}
    count = Counter(name.casefold() for name in plain.values())
    return {photo: name if count[name.casefold()] == 1 else f"{photo}.png" for photo, name in plain.items()}


def _aligned(
    folder: Path, photo: str, output: Path, crop: str, aligner: Aligner, options: DatasetOptions
) -> _Entry:
    """Align one photo and write its crops."""
    try:
        read = read_photo(folder / photo)
        alignment = aligner.align(read.rgb, options.face)
    except MienError as error:
        return _Entry(photo, _hash(folder / photo), {}, str(error))
    cameras = {crop: (alignment.image, alignment.camera)}
    if options.mirror:
        mirror = Path(crop).with_name(f"{Path(crop).stem}.mirror.png").as_posix()
        cameras[mirror] = (np.ascontiguousarray(alignment.image[:, ::-1]), alignment.camera.mirrored())
    labels = {}
    for name, (image, camera) in cameras.items():
        write_image(output / name, image)
        labels[name] = [round(x, 7) for x in camera.to_label().double().tolist()]
    return _Entry(photo, read.sha256, labels)


def _hash(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError:
        return ""  # it cannot be read: next time it is tried again


class _Journal:
    """The lines of an earlier run that are still true, and those of this one."""

    def __init__(self, output: Path, options: DatasetOptions) -> None:
        self._output, self._path = output, output / JOURNAL
        self._head: dict[str, Any] = json.loads(json.dumps({"options": asdict(options)}))
        lines = list(self._lines()) if self._path.is_file() else [self._head]
        if lines[:1] != [self._head]:
            raise InputError(f"{output} was begun with other options; give the same or choose a new folder.")
        try:
            self._done = {entry.photo: entry for entry in (_Entry(**line) for line in lines[1:])}
        except TypeError as error:
            raise InputError(f"{self._path} is not a journal of mien; choose a new folder.") from error
        self._is_open = False

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Whole lines; the last may be cut off where a run was killed."""
        for line in self._path.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return

    def done(self, photo: str, sha256: str) -> _Entry | None:
        """What an earlier run made of this photo, if the photo and the crops are still there."""
        entry = self._done.get(photo)
        if entry is None or entry.sha256 != sha256 or not sha256:
            return None
        return entry if all((self._output / name).is_file() for name in entry.labels) else None

    def add(self, entry: _Entry) -> None:
        """Append a line; before the first one, drop what an earlier run left unfinished."""
        if not self._is_open:
            lines = [self._head, *(asdict(old) for old in self._done.values())]
            with atomic_path(self._path) as temporary:
                temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            self._is_open = True
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")

    def discard(self) -> None:
        """Remove it, and the folder if nothing else is in it."""
        self._path.unlink(missing_ok=True)
        if self._output.is_dir() and not any(self._output.iterdir()):
            self._output.rmdir()


def _write_labels(path: Path, labels: list[tuple[str, list[float]]]) -> None:
    """`{"labels": [[file, [25 numbers]], ...]}`."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"labels": labels}) + "\n", encoding="utf-8")
