"""The sound of one file, carried into a video that is being written."""

import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from mien.io.container import open_media

_LOG = logging.getLogger(__name__)

_COPIED: Final = {
    ".mp4": {"aac", "mp3", "ac3", "eac3", "alac", "opus"},
    ".m4v": {"aac", "ac3", "alac"},
    ".mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le"},
    ".mkv": {"aac", "mp3", "ac3", "eac3", "alac", "opus", "vorbis", "flac", "pcm_s16le"},
}
"""Codecs that each container takes as they are; others are encoded anew as AAC."""
_EDITED: Final = (".mp4", ".m4v", ".mov")
"""Containers whose edit lists hide packets before the start."""
_TAIL_S: Final = 1.0
"""Sound that ends so shortly after the pictures is written to its end."""


class AudioTrack:
    """Feeds the sound of `source` into `output`, up to the time asked for; times are from the first picture.

    Copied packets stay as they are, byte by byte, with what decoders need before the first sound (priming)
    where the container can hold that. Made before the first packet is written. Without sound in `source`
    every method does nothing. Sound that turns out to be damaged ends there, with a warning in the log: the
    pictures matter more.
    """

    def __init__(self, source: Path, output: OutputContainer, *, suffix: str) -> None:
        self._source = source
        self._output = output
        self._container: InputContainer = open_media(source)
        self._packets: Iterator[tuple[float, Packet]] = iter(())
        self._waiting: tuple[float, Packet] | None = None
        self._resampler: AudioResampler | None = None
        if not self._container.streams.audio:
            return
        stream = self._container.streams.audio[0]
        self._start_s = _start_of_pictures_s(self._container)
        self._keeps_priming = self._start_s <= 0 and suffix in _EDITED
        self._length_s = _length_s(stream) - self._start_s
        self._target: AudioStream = self._add_target(stream, suffix)
        self._packets = self._read(stream)

    def _add_target(self, stream: AudioStream, suffix: str) -> AudioStream:
        if stream.codec_context.codec.canonical_name in _COPIED.get(suffix, set()):
            return self._output.add_stream_from_template(stream)
        rate = stream.codec_context.sample_rate
        rate = rate if rate in (32000, 44100, 48000) else 48000
        target = self._output.add_stream("aac", rate=rate)
        target.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._resampler = AudioResampler(format="fltp", layout=target.layout, rate=rate, frame_size=1024)
        return target

    def _read(self, stream: AudioStream) -> Iterator[tuple[float, Packet]]:
        """Packets of the output, with their times in s from the first picture; none before it."""
        try:
            for packet in self._container.demux(stream):
                yield from self._encode(stream, packet) if self._resampler else self._copy(packet)
        except (FFmpegError, ValueError) as error:
            _LOG.warning("The sound of %s is damaged and ends early (%s).", self._source, error)

    def _copy(self, packet: Packet) -> Iterator[tuple[float, Packet]]:
        if packet.pts is None or packet.dts is None:
            return
        time_s = float(packet.pts * packet.time_base) - self._start_s
        if time_s < 0 and not self._keeps_priming:
            return
        offset = round(self._start_s / packet.time_base)
        packet.pts -= offset
        packet.dts -= offset
        packet.stream = self._target
        yield time_s, packet

    def _encode(self, stream: AudioStream, packet: Packet) -> Iterator[tuple[float, Packet]]:
        assert self._resampler is not None
        is_end = packet.dts is None
        for frame in stream.decode(packet):
            if frame.pts is None or frame.time_base is None:
                continue
            frame.pts -= round(self._start_s / frame.time_base)
            if frame.pts < 0:
                continue
            for piece in self._resampler.resample(frame):
                yield from self._encoded(piece)
        if is_end:
            for piece in self._resampler.resample(None):
                yield from self._encoded(piece)
            yield from self._encoded(None)

    def _encoded(self, frame: av.AudioFrame | None) -> Iterator[tuple[float, Packet]]:
        for packet in self._target.encode(frame):
            time_s = float((packet.pts or 0) * packet.time_base) if packet.time_base else 0.0
            yield time_s, packet

    def write_until(self, time_s: float) -> None:
        """Write all sound that begins before `time_s` and is not written yet."""
        while True:
            self._waiting = self._waiting or next(self._packets, None)
            if self._waiting is None or self._waiting[0] >= time_s:
                return
            self._output.mux(self._waiting[1])
            self._waiting = None

    def write_end(self, end_s: float) -> None:
        """Write what is left where the sound ends shortly after the pictures, whose end this is."""
        if self._waiting is not None and self._length_s <= end_s + _TAIL_S:
            self.write_until(math.inf)

    def close(self) -> None:
        """Close the source."""
        self._container.close()


def _length_s(stream: AudioStream) -> float:
    """End of a sound on the file's clock; infinite if the file does not say."""
    if stream.duration is None or stream.time_base is None:
        return math.inf
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def _start_of_pictures_s(container: InputContainer) -> float:
    """Time of the first picture on the file's clock; 0 if the file has no pictures."""
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * Fraction(stream.time_base))
    return 0.0
