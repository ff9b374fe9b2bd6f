"""Videos in and out by streaming: one frame in memory at a time, however long the clip."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import SideData
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from jaxtyping import UInt8
from numpy.typing import NDArray

from mien.core.atomic import atomic_path
from mien.core.errors import InputError, MienError
from mien.io.audio import AudioTrack
from mien.io.container import check_whole, frame_rate, open_media, picture_stream
from mien.io.images import MAX_MEGAPIXELS, is_image

_WRITTEN_SUFFIXES: Final = (".mp4", ".m4v", ".mov", ".mkv")
_MIN_TICKS_PER_S: Final = 10_000
_MAX_TICKS_PER_S: Final = 1_000_000
_REPEATABLE: Final = "mbtree=0"
"""x264's macroblock tree reads memory that nobody wrote, for example at a width of 64, 480 or 910 pixels:
the same pictures then give other bytes in every process."""
_BT709: Final = 1  # the number of BT.709 in the standard's tables of primaries and of transfer curves


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One upright frame of a video."""

    rgb: UInt8[np.ndarray, "height width 3"]
    time_s: float
    """Time from the first frame; strictly increasing."""
    index: int
    """0, 1, 2, ... in the order of display."""


class VideoReader:
    """A video on disk. Each iteration starts anew at the first frame and holds one frame at a time.

    Frames are upright (the file's rotation is applied). Raises InputError when made if the file has no video
    stream or not a single frame can be decoded, and during iteration where the file turns out to be damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._open_files = ExitStack()
        with open_media(self.path) as container:
            stream = picture_stream(container, self.path)
            _check_size(self.path, stream)
            check_whole(stream, self.path)
            self.fps: Fraction = frame_rate(stream)
            """Mean frames per second."""
            self.frame_count: int = max(1, _count(stream, self.fps, container.duration))
            """Number of frames; for some formats an estimate."""
        first = next(iter(self), None)
        if first is None:
            raise InputError(
                f"{self.path} has a video stream without a single frame; expected a video. Check the file."
            )
        height, width = first.rgb.shape[:2]
        self.size: tuple[int, int] = (width, height)
        """(width, height) in pixels, after rotation."""

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, also under iterations that were left half-way."""
        self._open_files.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self.frames()

    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """The frames from the index `start` on; those before it are decoded, as others depend on them."""
        with open_media(self.path) as container:
            self._open_files.callback(container.close)
            stream = picture_stream(container, self.path)
            stream.thread_type = "AUTO"
            frames = container.decode(stream)
            start_s, last_s, index = 0.0, -1.0, 0
            while (frame := self._next(frames, index)) is not None:
                time_s = index / float(self.fps) if frame.time is None else frame.time
                start_s = time_s if index == 0 else start_s
                time_s -= start_s
                if time_s <= last_s:  # doubled or falling time stamps
                    time_s = last_s + 1 / float(self.fps)
                if index >= start:
                    yield VideoFrame(rgb=_upright_rgb(frame), time_s=time_s, index=index)
                last_s, index = time_s, index + 1

    def _next(self, frames: Iterator[av.VideoFrame], index: int) -> av.VideoFrame | None:
        try:
            return next(frames, None)
        except (FFmpegError, ValueError) as error:
            raise InputError(
                f"{self.path} is damaged or cut off: frame {index} cannot be decoded ({error}). "
                "Copy or download it again, or re-encode it."
            ) from error


def is_video(path: str | Path) -> bool:
    """Whether the file holds moving pictures, by its content; True for a GIF too, False if unreadable."""
    path = Path(path)
    try:
        with open_media(path) as container:
            picture_stream(container, path)
            return container.format.name == "gif" or not is_image(path)
    except InputError:
        return False


def _count(stream: VideoStream, fps: Fraction, duration_us: int | None) -> int:
    if stream.frames:
        return stream.frames
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * stream.time_base * fps)
    return round(Fraction(duration_us or 0, av.time_base) * fps)


def _check_size(path: Path, stream: VideoStream) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise InputError(
            f"{path} has frames of {width} x {height} pixels; expected at most {MAX_MEGAPIXELS:g} "
            "megapixels. Scale the video down first."
        )


def _upright_rgb(frame: av.VideoFrame) -> np.ndarray:
    """Decoded pixels with the frame's display matrix applied (quarter turns and mirrors).

    The matrix takes a pixel (p, q) to (a p + c q, b p + d q), with q downwards.
    """
    rgb = frame.to_ndarray(format="rgb24")
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return rgb
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5]
    if abs(b) > abs(a):
        rgb, a, d = rgb.swapaxes(0, 1), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def exact_ticks(time_s: NDArray[np.float64], fps: Fraction) -> int:
    """Ticks a second of which frames at `fps` and every one of the times [T] take a whole number, as far as
    that needs no more than a million; those of the frame rate if not."""
    ticks = fps.limit_denominator(65535).numerator
    for time in time_s.tolist():
        ticks = math.lcm(ticks, Fraction(time).limit_denominator(_MAX_TICKS_PER_S).denominator)
        if ticks > _MAX_TICKS_PER_S:
            return _whole_ticks(fps.limit_denominator(65535).numerator)
    return _whole_ticks(ticks)


def _whole_ticks(least: int) -> int:
    """A multiple that is fine enough."""
    return least * -(-_MIN_TICKS_PER_S // least)


class VideoWriter:
    """Writes H.264 video with the sound of another file; the file appears when the `with` block succeeds.

    `fps` frames per second, sizes even, `quality` is x264's CRF (lower is better; 18 is nearly lossless to
    the eye). If `audio_from` has sound, it is copied for as long as there are pictures. Frames are shown at
    multiples of 1/`ticks_per_s`, see `exact_ticks`; by default fine ones, of which a frame takes a whole
    number.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction | float | int,
        width_px: int,
        height_px: int,
        *,
        audio_from: Path | None = None,
        quality: int = 18,
        ticks_per_s: int | None = None,
    ) -> None:
        if width_px % 2 or height_px % 2:
            raise ValueError(f"The video's size is {width_px} x {height_px}; both sides must be even.")
        self.path = Path(path)
        if self.path.suffix.lower() not in _WRITTEN_SUFFIXES:
            raise InputError(
                f"{self.path} has the suffix {self.path.suffix!r}; expected one of "
                f"{', '.join(_WRITTEN_SUFFIXES)}. Choose another output name."
            )
        self.fps = Fraction(fps).limit_denominator(65535)
        self.frame_count = 0
        self._size = (width_px, height_px)
        self._audio_from = audio_from
        self._quality = quality
        self._ticks_per_s = ticks_per_s or _whole_ticks(self.fps.numerator)
        self._last_tick = -1

    def __enter__(self) -> "VideoWriter":
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._container = stack.enter_context(av.open(str(temporary), "w"))
            self._stream = self._add_stream()
            self._audio = None
            if self._audio_from is not None:
                suffix = self.path.suffix.lower()
                self._audio = AudioTrack(self._audio_from, self._container, suffix=suffix)
                stack.callback(self._audio.close)
            self._stack = stack.pop_all()
        return self

    def _add_stream(self) -> VideoStream:
        options = {"crf": str(self._quality), "preset": "veryfast", "x264-params": _REPEATABLE}
        stream = self._container.add_stream("libx264", rate=self.fps, options=options)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, self._ticks_per_s)
        context = stream.codec_context
        context.time_base = Fraction(1, self._ticks_per_s)
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries = context.color_trc = _BT709
        return stream

    def write(self, rgb: UInt8[np.ndarray, "height width 3"], *, time_s: float | int | None = None) -> None:
        """Append a frame, shown at `time_s` from the start, or at its place at a constant rate.

        Times must increase. Raises ValueError for a frame of another size or a time that does not increase.
        """
        width, height = self._size
        if rgb.shape != (height, width, 3):
            raise ValueError(f"The frame has shape {rgb.shape}; the video needs {(height, width, 3)}.")
        at_s = Fraction(self.frame_count) / self.fps if time_s is None else Fraction(time_s)
        tick = round(at_s * self._ticks_per_s)
        if tick <= self._last_tick:
            raise ValueError(f"The frame's time {float(at_s)} s does not come after the frame before it.")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = tick, Fraction(1, self._ticks_per_s)
        frame.duration = round(self._ticks_per_s / self.fps)
        self._last_tick = tick
        self._encode(frame)
        self.frame_count += 1
        self._end_s = float(at_s + 1 / self.fps)
        if self._audio is not None:
            self._audio.write_until(self._end_s)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except FFmpegError as error:
            raise MienError(
                f"{self.path} cannot be written ({error}); check the space on the disk."
            ) from error

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:  # handed on to atomic_path, which removes the temporary file
            self._stack.__exit__(exc_type, exc, traceback)
            return
        with self._stack:
            if self.frame_count == 0:
                raise InputError(f"No frame came for {self.path}; expected at least one. Check the input.")
            self._encode(None)
            if self._audio is not None:
                self._audio.write_end(self._end_s)
            self._finish()

    def _finish(self) -> None:
        try:
            self._container.close()
        except FFmpegError as error:
            raise MienError(
                f"{self.path} cannot be written ({error}); check the space on the disk."
            ) from error
