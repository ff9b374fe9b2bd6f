"""`mien evaluate bench` through the command line: bad input, and a small run with a made-up inversion."""

from pathlib import Path

import pytest

from mien.apps.cli import run
from mien.core.checkpoint import write_safetensors
from mien.evaluation.bench import model as bench_module
from mien.evaluation.bench.subject_files import PhotoPipeline, SittingError


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
