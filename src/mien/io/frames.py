"""Frames of a long job, kept without loss beside its output, so that a killed job goes on where it was."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8

from mien.core.atomic import atomic_path
from mien.core.errors import MienError

SEGMENT: Final = 48
"""Frames per file: what a killed job does again at most."""
KEY_FILE: Final = "key.txt"

Frame = UInt8[np.ndarray, "height width 3"]


class FrameStore:
    """Frames in a hidden folder beside `output`; only those of a job with the same `key` are used.

    Frames are written in files of `segment`, each whole or not at all. Lossless RGB (x264 at quality 0).
    """

    def __init__(self, output: Path, key: str, *, segment: int = SEGMENT) -> None:
        self.folder = output.with_name(f".{output.name}.resume")
        self._segment = segment
        self._waiting: list[Frame] = []
        key_file = self.folder / KEY_FILE
        if self.folder.is_dir():  # a job was killed, and left the output that it was writing
            for stale in output.parent.glob(f".{escape(output.stem[:80])}.*.part{output.suffix}"):
                stale.unlink(missing_ok=True)
        if self.folder.is_dir() and (not key_file.is_file() or key_file.read_text() != key):
            self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(key_file) as temporary:
            temporary.write_text(key)
        self._files = 0
        while self._path(self._files).is_file():
            self._files += 1

    @property
    def count(self) -> int:
        """Frames that are kept."""
        return self._files * self._segment

    def kept(self) -> Iterator[Frame]:
        """The kept frames, in order. MienError if they cannot be read."""
        for index in range(self._files):
            try:
                with av.open(str(self._path(index))) as container:
                    for frame in container.decode(video=0):
                        yield frame.to_ndarray(format="rgb24")
            except FFmpegError as error:
                raise MienError(
                    f"{self._path(index)} cannot be read ({error}); delete {self.folder} and start again."
                ) from error

    def keep(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, and keep every whole segment of them."""
        for frame in frames:
            self._waiting.append(frame)
            if len(self._waiting) == self._segment:
                self._write(self._waiting)
                self._waiting = []
            yield frame

    def remove(self) -> None:
        """Delete all that is kept."""
        with suppress(OSError):
            shutil.rmtree(self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.mkv"

    def _write(self, frames: list[Frame]) -> None:
        height, width = frames[0].shape[:2]
        with atomic_path(self._path(self._files)) as temporary, av.open(str(temporary), "w") as container:
            stream = container.add_stream("libx264rgb", rate=25, options={"preset": "ultrafast", "qp": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        self._files += 1
