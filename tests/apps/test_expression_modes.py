"""`mien animate --expression-mode`."""

import json
from pathlib import Path

import pytest

from mien.apps.cli import run
from mien.io.video import VideoReader


@pytest.fixture
def moves(tmp_path: Path) -> Path:
    path = tmp_path / "moves.json"
    path.write_text(json.dumps({
        "fps": 10, "keyframes": [{"time_s": 0}, {"time_s": 0.3, "yaw_deg": 10, "jawOpen": 0.6}],
    }))  # fmt: skip
    return path


def test_paper_mode_writes_a_video(
    avatar_file: Path, moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert run([
        "animate", str(avatar_file), "--drive", str(moves), "-o", str(out), "--expression-mode", "paper",
    ]) == 0  # fmt: skip
    with VideoReader(out) as reader:
        assert sum(1 for _ in reader) == 3
    assert "3 key frames of 3, " in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("photo", [True, False])
def test_a_mode_that_the_kind_lacks_is_refused_before_any_work(
    avatar_file: Path, portrait_file: Path, moves: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], photo: bool,
) -> None:  # fmt: skip
    source, out = (portrait_file if photo else avatar_file), tmp_path / "out.mp4"
    code = run([
        "animate", str(source), "--drive", str(moves), "-o", str(out), "--expression-mode", "deformed",
    ])  # fmt: skip
    assert code == 2
    said = capsys.readouterr().err
    assert "deformed is not for avatars of mien-base, which have native and paper" in said
    assert "Traceback" not in said
    assert not out.exists()
    assert not any(path.name.startswith(".out.mp4") for path in tmp_path.iterdir())


def test_an_unknown_preset_is_refused(avatar_file: Path, moves: Path, tmp_path: Path) -> None:
    assert run([
        "animate", str(avatar_file), "--drive", str(moves), "-o", str(tmp_path / "out.mp4"),
        "--expression-mode", "paper", "--paper-preset", "slow",
    ]) == 2  # fmt: skip


def test_paper_mode_is_not_pasted_back(
    portrait_file: Path, moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert run([
        "animate", str(portrait_file), "--drive", str(moves), "-o", str(out), "--expression-mode", "paper",
        "--paste-back",
    ]) == 2  # fmt: skip
    assert "give --expression-mode native" in capsys.readouterr().err.replace("Give", "give")
    assert not any(path.name.startswith((".out.mp4", "out.mp4")) for path in tmp_path.iterdir())
