import math
import struct
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from jaxtyping import TypeCheckError
from PIL import Image

from mien.core.errors import InputError
from mien.io.images import write_image
from mien.io.video import VideoReader, VideoWriter, exact_ticks, is_video

HEIGHT, WIDTH = 48, 64
COLORS = np.array([(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)], dtype=np.uint8)


def frame(index: int) -> np.ndarray:
    """A plain colour with a white top left quarter, so that turns and mirrors show."""
    rgb = np.broadcast_to(COLORS[index % 4], (HEIGHT, WIDTH, 3)).copy()
    rgb[: HEIGHT // 2, : WIDTH // 2] = 255
    return rgb


def write_clip(
    path: Path, *, frames: int = 12, fps: Fraction | float = 25, audio_from: Path | None = None
) -> Path:
    with VideoWriter(path, fps, WIDTH, HEIGHT, audio_from=audio_from) as writer:
        for index in range(frames):
            writer.write(frame(index))
    return path


def write_sound(path: Path, *, seconds: float, codec: str = "aac", with_picture: bool = False) -> Path:
    """A file with a tone and, if asked for, black pictures."""
    rate = 48000
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25) if with_picture else None
        audio = cast(AudioStream, container.add_stream(codec, rate=rate))
        audio.layout = "stereo"
        if video is not None:
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
            for _ in range(max(1, round(seconds * 25))):
                container.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
            container.mux(video.encode(None))
        resampler = av.AudioResampler(format=audio.format, layout="stereo", rate=rate, frame_size=1024)
        tone = np.sin(np.arange(int(seconds * rate)) * 2 * math.pi * 440 / rate).astype(np.float32) * 0.5
        source = av.AudioFrame.from_ndarray(np.stack((tone, tone)), format="fltp", layout="stereo")
        source.sample_rate, source.pts = rate, 0
        for given in (source, None):
            for piece in resampler.resample(given):
                container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
    return path


def sound_of(path: Path) -> tuple[str, float] | None:
    """Codec and length in s of the decoded sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        samples = sum(piece.samples for piece in container.decode(stream))
        return stream.codec_context.name, samples / stream.codec_context.sample_rate


@pytest.mark.parametrize("fps", [25, 60, Fraction(30000, 1001), Fraction(24000, 1001), 12.5])
def test_round_trip_keeps_rate_count_size_and_colours(tmp_path: Path, fps: Fraction | float) -> None:
    with VideoReader(write_clip(tmp_path / "x.mp4", fps=fps)) as reader:
        assert reader.fps == Fraction(fps)
        assert reader.frame_count == 12
        assert reader.size == (WIDTH, HEIGHT)
        frames = list(reader)
    assert [f.index for f in frames] == list(range(12))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(12) / float(fps), atol=1e-4)
    for read in frames:
        difference = np.abs(read.rgb.astype(int) - frame(read.index))
        assert difference.mean() < 4
        assert difference[4:20, 40:60].max() < 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".MP4"])
def test_containers(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"x{suffix}")
    assert len(list(VideoReader(path))) == 12
    assert is_video(path)
    assert VideoReader(path).frame_count == pytest.approx(12, abs=1)


def test_a_reader_can_be_read_twice_and_left_half_way(tmp_path: Path) -> None:
    with VideoReader(write_clip(tmp_path / "x.mp4")) as reader:
        assert next(iter(reader)).index == 0
        first, second = list(reader), list(reader)
    assert all((a.rgb == b.rgb).all() for a, b in zip(first, second, strict=True))


def test_variable_frame_rate_keeps_the_times(tmp_path: Path) -> None:
    times = [0, 0.01, 0.05, 0.3, 0.31, 1.0]
    with VideoWriter(tmp_path / "x.mp4", 25, WIDTH, HEIGHT) as writer:
        for index, time_s in enumerate(times):
            writer.write(frame(index), time_s=time_s)
    read = [f.time_s for f in VideoReader(tmp_path / "x.mp4")]
    np.testing.assert_allclose(read, times, atol=1e-3)


def test_times_on_any_clock_are_exact(tmp_path: Path) -> None:
    """Of 90 kHz and of milliseconds, at a mean rate that knows of neither."""
    for clock, path in (
        (90_000, tmp_path / "a.mp4"),
        (1000, tmp_path / "b.mp4"),
        (15_360, tmp_path / "c.mov"),
    ):
        ticks = np.cumsum([0, 33, 34, 120, 7, 51, 33]) * (clock // 1000) + np.arange(7)
        time_s, fps = ticks / clock, Fraction(6000, 211)
        with VideoWriter(path, fps, WIDTH, HEIGHT, ticks_per_s=exact_ticks(time_s, fps)) as writer:
            for k, time in enumerate(time_s.tolist()):
                writer.write(frame(k), time_s=time)
        with VideoReader(path) as reader:
            assert [f.time_s for f in reader] == time_s.tolist()


def test_times_without_a_clock_are_near() -> None:
    time_s = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 40))
    assert exact_ticks(time_s, Fraction(25)) == 10_000


# (turn clockwise for display in degrees, mirrored): what a phone writes into the file.
MATRICES = {
    "upright": (1, 0, 0, 1),
    "clockwise": (0, 1, -1, 0),
    "half": (-1, 0, 0, -1),
    "anticlockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
}


@pytest.mark.parametrize("name", MATRICES)
def test_rotation_is_applied(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "x.mp4", frames=2)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version and flags, times, layer, volume: then the matrix
    a, b, c, d = (value << 16 for value in MATRICES[name])
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    reader = VideoReader(path)
    expected = {
        "upright": frame(0),
        "clockwise": np.rot90(frame(0), -1),
        "half": np.rot90(frame(0), 2),
        "anticlockwise": np.rot90(frame(0), 1),
        "mirrored": frame(0)[:, ::-1],
    }[name]
    assert reader.size == (expected.shape[1], expected.shape[0])
    assert np.abs(next(iter(reader)).rgb.astype(int) - expected).mean() < 4


def test_sound_is_copied_for_the_time_of_the_pictures(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "a.m4a", seconds=3)
    path = write_clip(tmp_path / "x.mp4", frames=25, audio_from=source)
    codec, seconds = sound_of(path) or ("", 0)
    assert codec == "aac"
    assert seconds == pytest.approx(1, abs=0.05)
    assert len(list(VideoReader(path))) == 25


def packets_of(path: Path) -> list[tuple[float, bytes]]:
    """Times and bytes of the sound's packets."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(float(p.pts * p.time_base), bytes(p)) for p in packets if p.pts is not None and p.time_base]


@pytest.mark.parametrize("codec", ["aac", "mp3"])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, codec: str) -> None:
    """With the priming before the start, and the end of the last packet, which is after the pictures'."""
    source = write_sound(tmp_path / "sound.mp4", seconds=1.02, codec=codec)
    found, expected = (
        packets_of(write_clip(tmp_path / "x.mp4", audio_from=source, frames=25)),
        packets_of(source),
    )
    assert expected[0][0] < 0
    assert expected[-1][0] > 1.0
    assert [data for _, data in found] == [data for _, data in expected]
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected], abs=1e-9)


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "flac"), (".mov", "pcm_s16le"), (".mkv", "libopus")])
def test_sound_that_cannot_be_copied_is_encoded_anew(tmp_path: Path, suffix: str, codec: str) -> None:
    source = write_sound(tmp_path / f"a{suffix}", seconds=1.5, codec=codec, with_picture=True)
    path = write_clip(tmp_path / "x.mp4", frames=50, audio_from=source)
    found, seconds = sound_of(path) or ("", 0)
    assert found == ("opus" if codec == "libopus" else "aac")
    assert seconds == pytest.approx(1.5, abs=0.06)


def test_a_source_without_sound_is_no_error(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4")
    assert sound_of(silent) is None
    assert sound_of(write_clip(tmp_path / "x.mp4", audio_from=silent)) is None


def test_failure_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "x.mp4", 25, WIDTH, HEIGHT) as writer:
            writer.write(frame(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with pytest.raises(InputError, match="No frame came"), VideoWriter(tmp_path / "x.mp4", 25, WIDTH, HEIGHT):
        pass
    with (
        pytest.raises(InputError, match="cannot be opened"),
        VideoWriter(tmp_path / "x.mp4", 25, WIDTH, HEIGHT, audio_from=tmp_path / "gone.mp4"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_wrong_sizes_times_and_suffixes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="both sides must be even"):
        VideoWriter(tmp_path / "x.mp4", 25, 63, 48)
    with pytest.raises(InputError, match=r"suffix '\.txt'; expected one of \.mp4"):
        VideoWriter(tmp_path / "x.txt", 25, 64, 48)
    with VideoWriter(tmp_path / "x.mp4", 25, WIDTH, HEIGHT) as writer:
        writer.write(frame(0), time_s=0.5)
        with pytest.raises(ValueError, match="does not come after"):
            writer.write(frame(0), time_s=0.5)
        with pytest.raises(ValueError, match="the video needs"):
            writer.write(frame(0)[:-2])
        with pytest.raises(TypeCheckError):
            writer.write(frame(0).astype(np.float32))


def test_no_video_stream(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.m4a", seconds=0.2)
    with pytest.raises(InputError, match=r"has no video stream \(only sound\); expected a video"):
        VideoReader(path)
    assert not is_video(path)


@pytest.mark.parametrize(
    "content",
    [
        b"just some text\n" * 99,
        b"#EXTM3U\n#EXTINF:1,\nx.ts\n",
        b"ffconcat version 1.0\nfile x.mp4\n",
        b"\0" * 5000,
    ],
)
@pytest.mark.parametrize("name", ["x.mp4", "x.txt", "x.m3u8"])
def test_another_kind_of_file(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a video"):
        VideoReader(tmp_path / name)
    assert not is_video(tmp_path / name)


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").touch()
    with pytest.raises(InputError, match=r"is empty \(0 bytes\); expected a video"):
        VideoReader(tmp_path / "x.mp4")
    with pytest.raises(InputError, match=r"cannot be opened \(No such file"):
        VideoReader(tmp_path / "gone.mp4")
    with pytest.raises(InputError, match="is a folder; expected a video"):
        VideoReader(tmp_path)
    assert not any(is_video(path) for path in (tmp_path, tmp_path / "x.mp4", tmp_path / "gone.mp4"))


def write_noise(path: Path, options: dict[str, str]) -> bytes:
    """A clip of 30 frames that fills some bytes, so that it can be cut."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(30):
            noise = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_truncated_before_the_index(tmp_path: Path) -> None:
    data = write_noise(tmp_path / "x.mp4", {})
    (tmp_path / "x.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be read as a video"):
        VideoReader(tmp_path / "x.mp4")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_after_the_index(tmp_path: Path, share: float) -> None:
    data = write_noise(tmp_path / "x.mp4", {"movflags": "faststart"})
    start = data.index(b"mdat")
    (tmp_path / "x.mp4").write_bytes(data[: start + int((len(data) - start) * share)])
    with pytest.raises(InputError, match="damaged or cut off"):
        VideoReader(tmp_path / "x.mp4")


def test_damaged_in_the_middle(tmp_path: Path) -> None:
    data = bytearray(write_noise(tmp_path / "x.mp4", {}))
    first, last = data.index(b"mdat"), data.index(b"moov")
    start, end = first + (last - first) // 3, first + (last - first) // 2
    data[start:end] = bytes(end - start)
    (tmp_path / "x.mp4").write_bytes(data)
    with pytest.raises(InputError, match=r"damaged or cut off: frame \d+ cannot be decoded"):
        list(VideoReader(tmp_path / "x.mp4"))


def test_a_picture_is_not_a_video_but_a_gif_is(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", frame(0))
    assert not is_video(tmp_path / "x.png")
    frames = [Image.fromarray(frame(index)) for index in range(3)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=100)
    assert is_video(tmp_path / "x.gif")
    reader = VideoReader(tmp_path / "x.gif")
    assert len(list(reader)) == 3
    assert reader.fps == 10


def test_huge_frames_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mkv", frames=1)
    import mien.io.video as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_MEGAPIXELS", 1e-3)
        with pytest.raises(InputError, match="frames of 64 x 48 pixels; expected at most"):
            VideoReader(path)
