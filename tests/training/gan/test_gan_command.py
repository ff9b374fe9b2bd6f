"""`mien train gan` with bad input: exit code 2, one sentence, nothing written."""

from pathlib import Path

import pytest

from mien.apps.cli import run


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "have 64 px, but these settings make images of 512 px"),
        (["--preset", "toy", "--batch", "6", "--chunk", "4"], "a batch of 6 in chunks of 4"),
        (["--preset", "toy", "--held-out", "nowhere"], "nowhere is not a folder"),
        (["--preset", "huge"], "'huge' is not one of"),
        (["--preset", "toy", "--kimg", "0"], "--kimg"),
    ],
)
def test_options_that_do_not_fit(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    output = tmp_path / "run"
    assert run(["train", "gan", str(pictures), "-o", str(output), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.startswith("mien: ")
    assert err.count("\n") == 1
    assert not output.exists()


def test_a_folder_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    assert run(["train", "gan", str(tmp_path / "photos"), "-o", str(tmp_path / "run")]) == 2
    assert "no readable dataset.json" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_training_writes_a_run(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    options = ["--preset", "toy", "--kimg", "0.002", "--batch", "2", "--log-every", "1", "--threads", "1"]
    assert run(["train", "gan", str(pictures), "-o", str(output), *options]) == 0
    out, err = capsys.readouterr()
    assert "generator.safetensors: 1 steps, 2 images" in out
    assert "loss_generator" in err
    names = {path.name for path in output.iterdir()}
    assert names == {
        "generator.safetensors", "log.jsonl", "run.json", "samples_00000000.png", "samples_00000001.png",
        "state.safetensors",
    }  # fmt: skip
