"""Frames of a long job, kept without loss, so that a killed job goes on where it was."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from jaxtyping import UInt8

from mien.core.atomic import atomic_path
from mien.core.errors import MienError

SEGMENT: Final = 48
"""Frames per file: what a killed job does again at most."""

Frame = UInt8[np.ndarray, "height width 3"]


class FrameStore:
    """Frames in the files of a folder, `segment` in each; a file is there whole or not at all.

    Lossless RGB (x264 at quality 0). One frame is held at a time, besides what the encoder holds.
    """

    def __init__(self, folder: Path, *, segment: int = SEGMENT) -> None:
        self.folder = folder
        self._segment = segment
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
        segment: _Segment | None = None
        try:
            for frame in frames:
                segment = segment or _Segment(self._path(self._files), frame.shape[:2])
                segment.write(frame)
                if segment.count == self._segment:
                    segment.finish()
                    segment, self._files = None, self._files + 1
                yield frame
        finally:
            if segment is not None:
                segment.discard()

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.mkv"


class _Segment:
    """A file that frames are written to one by one, there once it is finished."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.count, self._path = 0, path
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(path))
            self._container = stack.enter_context(av.open(str(temporary), "w"))
            self._stream: VideoStream = self._container.add_stream(
                "libx264rgb", rate=25, options={"preset": "ultrafast", "qp": "0"}
            )
            self._stream.height, self._stream.width = shape
            self._stream.pix_fmt = "rgb24"
            self._stack = stack.pop_all()

    def write(self, frame: Frame) -> None:
        """Append a frame."""
        self._encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
        self.count += 1

    def finish(self) -> None:
        """Give the file its name."""
        self._encode(None)
        self._stack.close()

    def discard(self) -> None:
        """Remove what was written."""
        unfinished = MienError(f"{self.count} frames are no segment.")
        self._stack.__exit__(type(unfinished), unfinished, None)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except FFmpegError as error:
            raise MienError(
                f"{self._path} cannot be written ({error}); free space on the disk and give the same command "
                "again, it goes on."
            ) from error
