"""Opening media files safely: local files of usual video formats only."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from mien.core.errors import InputError

# Without this list ffmpeg opens text as a picture, and playlists that point to other files or to the network.
_FORMATS: Final = "mov,matroska,avi,flv,mpegts,mpeg,asf,ogg,mxf,nut,gif,h264,hevc,mpegvideo,m4v,ivf,obu"
_FALLBACK_FPS: Final = Fraction(25)
_PLAUSIBLE_FPS: Final = (Fraction(1, 2), Fraction(1000))


def open_media(path: Path) -> InputContainer:
    """Open a local media file; raises InputError if it is missing, empty or of an unknown kind."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a video. Give the path of one file.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the path.") from error
    if size == 0:
        raise InputError(f"{path} is empty (0 bytes); expected a video. Copy or download it again.")
    try:
        return av.open(
            f"file:{path}", options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"}, mode="r"
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a video ({_reason(error)}); expected a whole file such as MP4, MOV or "
            "WebM. Check the file, or convert it to MP4."
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The main video stream, cover pictures left out; raises InputError if there is none."""
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        has_audio = bool(container.streams.audio)
        raise InputError(
            f"{path} has no video stream{' (only sound)' if has_audio else ''}; expected a video. "
            "Give a file with moving pictures."
        )
    return streams[0]


def check_whole(stream: VideoStream, path: Path) -> None:
    """Raise InputError if the file's index speaks of frames beyond its end, as after a broken download.

    ffmpeg itself would end there as if the clip were shorter. Formats without an index cannot be checked.
    """
    end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    size = path.stat().st_size
    if end > size:
        raise InputError(
            f"{path} is damaged or cut off: it has {size} bytes, but its pictures need {end}. "
            "Copy or download it again."
        )


def _is_cover(stream: VideoStream) -> bool:
    return bool(getattr(stream, "disposition", 0) & av.stream.Disposition.attached_pic)


def frame_rate(stream: VideoStream) -> Fraction:
    """Mean frames per second; the declared rate, or 25, where the file's mean is missing or absurd."""
    low, high = _PLAUSIBLE_FPS
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and low <= rate <= high:
            return Fraction(rate.numerator, rate.denominator)
    return _FALLBACK_FPS
