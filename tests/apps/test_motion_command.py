"""`mien motion`."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from mien.animation.motion import Motion
from mien.apps.cli import run
from mien.io.video import VideoWriter


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "clip.mp4"
    with VideoWriter(path, Fraction(25), 256, 256) as writer:
        for index in range(5):
            writer.write(np.ascontiguousarray(data.astronaut()[:256, 90 + 4 * index : 346 + 4 * index]))
    return path


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_clip_becomes_a_motion(
    clip: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"m{suffix}"
    assert run(["motion", str(clip), "-o", str(output)]) == 0
    assert "5 frames at 25 frames/s, a face in 100.0 %" in capsys.readouterr().out
    motion = Motion.load(output)
    assert len(motion) == 5
    assert motion.source.name == "clip.mp4"


def test_smoothing_can_be_turned_off(clip: Path, tmp_path: Path) -> None:
    for name, options in (("smooth", []), ("raw", ["--no-smooth"]), ("zero", ["--smoothing", "0"])):
        assert run(["motion", str(clip), "-o", str(tmp_path / f"{name}.npz"), *options]) == 0
    smooth, raw, zero = (
        Motion.load(tmp_path / f"{name}.npz").coefficients for name in ("smooth", "raw", "zero")
    )
    np.testing.assert_array_equal(raw, zero)
    assert np.abs(np.diff(smooth, axis=0)).sum() < np.abs(np.diff(raw, axis=0)).sum()


@pytest.mark.parametrize("content", [None, b"", b"no video"])
def test_bad_input_is_one_sentence(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    assert run(["motion", str(path), "-o", str(tmp_path / "m.json")]) == 2
    error = capsys.readouterr().err
    assert "clip.mp4" in error
    assert "Traceback" not in error
    assert not list(tmp_path.glob("*m.json*"))


def test_no_face_and_no_such_face_are_named(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = tmp_path / "grey.mp4"
    with VideoWriter(grey, Fraction(25), 64, 64) as writer:
        writer.write(np.full((64, 64, 3), 80, np.uint8))
    assert run(["motion", str(grey), "-o", str(tmp_path / "m.json")]) == 2
    assert "No face was found in any of the 1 frames of grey.mp4" in capsys.readouterr().err
    assert run(["motion", str(clip), "-o", str(tmp_path / "m.json"), "--face", "7"]) == 2
    assert "Face number 7 was asked for" in capsys.readouterr().err
    assert run(["motion", str(clip), "-o", str(tmp_path / "m.json"), "--face", "top"]) == 2
    assert "largest, left, right" in capsys.readouterr().err
    assert run(["motion", str(clip), "-o", str(tmp_path / "m.txt")]) == 2
    assert "suffix" in capsys.readouterr().err
    assert not list(tmp_path.glob("*m.*.part*"))
    assert not (tmp_path / "m.json").exists()
