"""The folder of models, through the command line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.generator.official.official_files import (
    checkpoint,
    generator,
    shared_tensors,
    tiny_kwargs,
    write_checkpoint,
)

from mien.apps.cli import run
from mien.apps.commands.models import PRESET_NAMES
from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.generator.official.library import find_model, models_dir
from mien.generator.official.presets import PRESETS


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = checkpoint(generator(shared_tensors(), tiny_kwargs()))
    return write_checkpoint(tmp_path_factory.mktemp("source") / "ffhq.pkl", made)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints that must succeed."""
    capsys.readouterr()
    assert run(["models", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that must fail."""
    capsys.readouterr()
    assert run(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mien: ")
    assert err.count("\n") == 1
    return err


def test_a_model_comes_is_looked_at_and_goes(
    source: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "No models in" in done(capsys, "list")
    assert not cache.exists()
    said = done(capsys, "import", str(source))
    assert "G_ema of class TriPlaneGenerator" in said
    assert "128 px from 64 px" in said
    assert "research use only" in said
    path = cache / "models" / "ffhq.safetensors"
    assert path == find_model("ffhq") == find_model(path)
    assert [file.name for file in models_dir().iterdir()] == ["ffhq.safetensors"]
    assert "TriPlaneGenerator of ffhq.pkl" in done(capsys, "list")
    assert "as imported" in done(capsys, "verify", "ffhq")
    facts = json.loads(done(capsys, "info", "ffhq", "--json"))
    assert facts["file"] == "ffhq.pkl"
    assert facts["bytes"] == source.stat().st_size
    assert facts["config.rendering.coarse"] == 12
    assert "config.rendering.coarse" in done(capsys, "info", str(path))
    assert "ffhq' in" in refused(capsys, "import", str(source))
    assert "removed" in done(capsys, "remove", "ffhq")
    assert not path.exists()
    assert "no model 'ffhq'" in refused(capsys, "remove", "ffhq")


def test_remove_stays_in_the_folder(source: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "import", str(source))
    other = cache / "other.safetensors"
    other.write_bytes(b"mine")
    for name in ("../other", str(other), "..", "", "ffhq.safetensors"):
        assert "no model" in refused(capsys, "remove", name)
    assert other.exists()
    assert find_model("ffhq").exists()


def test_damaged_models(source: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "import", str(source))
    path = find_model("ffhq")
    whole = read_safetensors(path, kind="eg3d")
    name = "backbone.mapping.w_avg"

    def changed(value: torch.Tensor) -> None:
        write_safetensors(path, whole.tensors | {name: value}, whole.header)

    changed(whole.tensors[name] + 1)
    assert "they were changed or damaged" in refused(capsys, "verify", "ffhq")
    changed(whole.tensors[name] * torch.nan)
    assert name in refused(capsys, "verify", "ffhq")
    changed(torch.zeros(3))
    assert f"{name} (3,) instead of (512,)" in refused(capsys, "verify", "ffhq")
    path.write_bytes(path.read_bytes()[:100])
    assert "not a readable safetensors" in refused(capsys, "verify", "ffhq")
    assert "damaged" in done(capsys, "list")
    assert "removed" in done(capsys, "remove", "ffhq")


def test_what_is_no_model(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "neither a file nor a model" in refused(capsys, "info", "gone")
    write_safetensors(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"kind": "avatar"})
    assert "of kind 'avatar'" in refused(capsys, "info", str(tmp_path / "a.safetensors"))
    assert "of kind 'avatar'" in refused(capsys, "verify", str(tmp_path / "a.safetensors"))


def test_output_is_checked_before_the_file_is_read(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has the suffix '.pkl'" in refused(capsys, "import", str(source), "-o", str(tmp_path / "a.pkl"))
    assert "does not exist" in refused(
        capsys, "import", str(source), "-o", str(tmp_path / "no" / "a.safetensors")
    )
    (tmp_path / "a.safetensors").mkdir()
    assert "is a folder" in refused(capsys, "import", str(source), "-o", str(tmp_path / "a.safetensors"))


def test_the_same_file_gives_the_same_weights(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(["models", "import", str(source), "-o", str(tmp_path / f"{name}.safetensors")]) == 0
    first, second = (read_safetensors(tmp_path / f"{name}.safetensors", kind="eg3d") for name in "ab")
    assert first.header["weights_sha256"] == second.header["weights_sha256"]
    assert load_file(tmp_path / "a.safetensors").keys() == second.tensors.keys()


def test_presets_of_the_command_line_are_those_there_are() -> None:
    assert tuple(PRESETS) == PRESET_NAMES
