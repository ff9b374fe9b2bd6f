"""Long clips through the command line: killed and resumed, with times and sound of the driver."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from tests.animation.conftest import write_tone
from tests.io.test_video import packets_of

from mien.animation import performance
from mien.apps.cli import run
from mien.core.assets import sha256_of_file
from mien.io.video import VideoReader, VideoWriter

FRAMES = 13
TICKS = np.cumsum([0, 3003, 2970, 6000, 1500, 3003, 3003, 9000, 3000, 3000, 1501, 3003, 3003])
"""When the frames are shown, on a clock of 90 kHz."""
PROGRAM = """
from mien.animation import performance, track
from mien.apps.cli import main

performance.SEGMENT, track.CHUNK = 3, 4
main()
"""
"""The command, which keeps what it has very often."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut drifts at a varying frame rate, with a tone."""
    folder, photo = tmp_path_factory.mktemp("long"), skimage.data.astronaut()
    tone = write_tone(folder / "tone.mp4", seconds=float(TICKS[-1] / 90_000))
    with VideoWriter(folder / "d.mp4", 30, 256, 256, audio_from=tone, ticks_per_s=90_000) as writer:
        for k, tick in enumerate(TICKS.tolist()):
            shifted = np.ascontiguousarray(photo[:256, 90 + 4 * k : 346 + 4 * k])
            writer.write(shifted, time_s=tick / 90_000)
    return folder / "d.mp4"


def arguments(avatar: Path, driver: Path, output: Path, *more: str) -> list[str]:
    return ["animate", str(avatar), "--drive", str(driver), "-o", str(output), "--crop", "64", *more]


@pytest.fixture(scope="module")
def whole(avatar_file: Path, driver: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made without a break."""
    output = tmp_path_factory.mktemp("whole") / "a.mp4"
    subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM),
            *arguments(avatar_file, driver, output, "--manifest", str(output.with_suffix(".json"))),
        ],
        check=True,
    )
    return output


def test_times_are_the_drivers(whole: Path, driver: Path) -> None:
    with VideoReader(whole) as written, VideoReader(driver) as read:
        assert [f.time_s for f in written] == [f.time_s for f in read] == (TICKS / 90_000).tolist()


def test_sound_is_the_drivers(whole: Path, driver: Path) -> None:
    assert packets_of(whole) == packets_of(driver)


def test_the_manifest_names_inputs_and_output(whole: Path, driver: Path, portrait_file: Path) -> None:
    found = json.loads(whole.with_suffix(".json").read_text())
    assert found["output"] == {"name": "a.mp4", "sha256": sha256_of_file(whole)}
    assert found["frames"]["driver"] == {"name": "d.mp4", "sha256": sha256_of_file(driver)}
    assert found["frames"]["avatar"]["photo_sha256"] == sha256_of_file(portrait_file)
    assert found["frames"]["settings"]["crop_px"] == 64


def test_a_process_that_is_killed_twice_goes_on_to_the_same_bytes(
    whole: Path, avatar_file: Path, driver: Path, tmp_path: Path
) -> None:
    """SIGKILL, once while the driver is tracked and once while frames are drawn."""
    output = tmp_path / "a.mp4"
    command = [sys.executable, "-c", PROGRAM, *arguments(avatar_file, driver, output)]
    for reached in ("driver-d.mp4-largest/000001.npz", "frames/000001.mkv"):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not (tmp_path / ".a.mp4.resume" / reached).exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        if output.exists():  # it was quicker than the signal
            output.unlink()
            command = [part for part in command if part != "--resume"]
        elif "--resume" not in command:
            command.append("--resume")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert output.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def interrupted(arguments_: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a job, and press Ctrl-C after some frames."""
    write = VideoWriter.write

    def stopped(writer: VideoWriter, *rest: object, **more: object) -> None:
        if writer.frame_count == 7:
            raise KeyboardInterrupt
        write(writer, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(performance, "SEGMENT", 3)
        patch.setattr(VideoWriter, "write", stopped)
        assert run(arguments_) == 130


def test_changed_settings_and_inputs_are_noticed(
    avatar_file: Path, driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output, own = tmp_path / "a.mp4", tmp_path / "d.json"
    own.write_text('{"fps": 25, "keyframes": [{"time_s": 0}, {"time_s": 0.4, "jawOpen": 0.8}]}')
    interrupted(arguments(avatar_file, own, output), monkeypatch)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mkv")}
    assert kept
    capsys.readouterr()

    assert run(arguments(avatar_file, own, output, "--smoothing", "3", "--resume")) == 2
    err = capsys.readouterr().err
    assert "settings.smoothing.strength was 1.0 and is 3.0" in err
    assert err.count("\n") == 1
    own.write_text(own.read_text().replace("0.8", "0.7"))
    assert run(arguments(avatar_file, own, output, "--resume")) == 2
    assert "driver.sha256 was" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mkv")} == kept

    assert run(arguments(avatar_file, own, output)) == 0
    assert "is of another job and not used: driver.sha256 was" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "d.json"]


def test_no_resume_starts_anew(
    avatar_file: Path, driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output = tmp_path / "a.mp4"
    interrupted(arguments(avatar_file, driver, output), monkeypatch)
    for path in tmp_path.rglob("*.mkv"):  # would be noticed if it was read
        path.write_bytes(b"damaged")
    assert run(arguments(avatar_file, driver, output)) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run(arguments(avatar_file, driver, output, "--no-resume")) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_nothing_to_resume(
    avatar_file: Path, driver: Path, tmp_path: Path, capsys: Callable[..., None]
) -> None:
    assert run(arguments(avatar_file, driver, tmp_path / "a.mp4", "--resume")) == 2
    assert "Nothing of" in capsys.readouterr().err  # type: ignore[attr-defined]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("manifest", "words"),
    [("nowhere/a.json", "nowhere does not exist"), ("a.txt", "expected .json"), ("", "is a folder")],
)
def test_a_manifest_that_cannot_be_written(
    avatar_file: Path, driver: Path, tmp_path: Path, manifest: str, words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    more = ("--manifest", str(tmp_path / manifest))
    assert run(arguments(avatar_file, driver, tmp_path / "a.mp4", *more)) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
