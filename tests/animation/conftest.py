"""A puppet of the astronaut, and a clip of her with sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data

from mien.animation.drive import Puppet, make_puppet
from mien.generator.model import load_generator
from mien.inversion.avatar import load_avatar
from mien.io.video import VideoWriter
from mien.morphable.model import load_head_model

CLIP_FRAMES, CLIP_FPS = 6, Fraction(30)


@pytest.fixture(scope="session")
def puppet(avatar_file: Path) -> Puppet:
    return make_puppet(load_avatar(avatar_file), load_generator(), load_head_model())


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames in which the astronaut drifts to the left, with a tone."""
    folder = tmp_path_factory.mktemp("clip")
    tone = write_tone(folder / "tone.mp4")
    photo = skimage.data.astronaut()
    with VideoWriter(folder / "clip.mp4", CLIP_FPS, 256, 256, audio_from=tone) as writer:
        for index in range(CLIP_FRAMES):
            writer.write(np.ascontiguousarray(photo[:256, 90 + 4 * index : 346 + 4 * index]))
    return folder / "clip.mp4"


def write_tone(path: Path, seconds: float = 1.0, rate: int = 48000) -> Path:
    """440 Hz in AAC."""
    tone = 0.5 * np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 440 / rate).astype(np.float32)[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout = "mono"
        for start in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
