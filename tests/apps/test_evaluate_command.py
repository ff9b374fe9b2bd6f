"""`mien evaluate bench` through the command line: bad input, and a small run with a made-up inversion."""

import shutil
from pathlib import Path

import pytest
import torch

from mien.apps.cli import run
from mien.core.checkpoint import write_safetensors
from mien.evaluation.bench import model as bench_module
from mien.evaluation.bench import run as bench_run
from mien.evaluation.bench import subject_files
from mien.evaluation.bench.frames import bench_camera, head_pose, turn_between
from mien.evaluation.bench.heads import bench_head
from mien.evaluation.bench.plan import expression_of
from mien.evaluation.bench.subject_files import COPY, OURS, RERENDER, PhotoPipeline, SittingError
from mien.evaluation.metrics.pose import rotation_angles_deg
from mien.evaluation.process import RunCost


def sentence(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capfd.readouterr()
    assert run(["evaluate", "bench", *map(str, arguments)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("mien: ")
    assert err.count("\n") == 1, err
    return err


def test_bad_input_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, file = tmp_path / "out", tmp_path / "file"
    file.write_text("no model")
    write_safetensors(tmp_path / "other.safetensors", {}, {"kind": "motion"})
    assert "--out" in sentence(capfd)
    assert "I/N" in sentence(capfd, "--out", out, "--shard", "3/3")
    assert "I/N" in sentence(capfd, "--out", out, "--shard", "all")
    assert "--identities" in sentence(capfd, "--out", out, "--identities", "0")
    assert "is a file" in sentence(capfd, "--out", file)
    assert "missing.safetensors" in sentence(capfd, "--out", out, "--model", tmp_path / "missing.safetensors")
    sentence(capfd, "--out", out, "--model", file)
    sentence(capfd, "--out", out, "--model", tmp_path / "other.safetensors")
    assert "choose one" in sentence(capfd, "--out", out, "--perceptual", file, "--lpips", file, file)
    sentence(capfd, "--out", out, "--perceptual", tmp_path / "missing.whl")
    sentence(capfd, "--out", out, "--lpips", file, file)
    assert not out.exists()


def test_when_nobody_can_be_inverted_the_reason_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: PhotoPipeline, photo: Path) -> None:
        raise SittingError("No face was found.")

    monkeypatch.setattr(bench_module.PhotoPipeline, "__call__", fail)
    monkeypatch.setattr(
        bench_run, "bench_head", lambda model, index: bench_head(model, 5)
    )  # bald: no hair grows
    capfd.readouterr()
    assert (
        run(["evaluate", "bench", "--out", str(tmp_path / "out"), "--views", "quick", "--identities", "1"])
        == 2
    )
    err = capfd.readouterr().err
    assert "0: failed: No face was found." in err
    assert "None of the 1 persons" in err
    assert "No face was found." in (tmp_path / "out" / "persons" / "000.json").read_text()
    assert "--resume" in sentence(capfd, "--out", tmp_path / "out", "--views", "quick", "--identities", "1")


def test_a_failing_inversion_is_reported_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(SittingError, match=r"^mien: .*no\.png"):
        PhotoPipeline()(tmp_path / "no.png")


@pytest.mark.parametrize("with_baselines", [True, False])
def test_an_inverted_photo_becomes_subjects(
    avatar_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_baselines: bool
) -> None:
    """All but the inversion itself, in whose place her finished avatar is put."""
    commands = []

    def inverted(command: list[str], *, check: bool) -> RunCost:
        commands.append(command)
        shutil.copy(avatar_file, command[command.index("-o") + 1])
        return RunCost(12.0, 20.0, 2**30, 0, "")

    monkeypatch.setattr(subject_files, "run_measured", inverted)
    sat = PhotoPipeline(with_baselines=with_baselines, seed=3)(tmp_path / "p.png")
    assert commands[0][1:5] == ["-m", "mien", "invert", str(tmp_path / "p.png")]
    assert commands[0][-2:] == ["--seed", "3"]
    assert (sat.cost.seconds, sat.cost.peak_gib) == (12, 1)
    assert list(sat.subjects) == [OURS, COPY, RERENDER][: 3 if with_baselines else 1]
    assert not list(tmp_path.iterdir())
    turn, neutral = turn_between(bench_camera(0.0, 0.0), bench_camera(20.0, 0.0)), expression_of("neutral")
    landmarks = [subject.pose(turn, neutral) for subject in sat.subjects.values()]
    for subject, pose in zip(sat.subjects.values(), landmarks, strict=True):
        seen = subject.see(turn, neutral, 64)
        assert seen.rgb.shape == (64, 64, 3)
        assert 0.1 < seen.alpha.mean() < 0.95
        assert (seen.rgb <= seen.alpha[..., None] + 1e-3).all()
        assert bool(pose.landmarks.isfinite().all())
    if with_baselines:
        ours, copied, rerendered = (head_pose(pose.camera)[0] for pose in landmarks)
        torch.testing.assert_close(ours, rerendered)
        assert rotation_angles_deg((ours @ copied.T).numpy()) == pytest.approx(20, abs=0.01)
