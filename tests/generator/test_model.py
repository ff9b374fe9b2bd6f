from pathlib import Path

import pytest
import torch

from mien.core.checkpoint import read_header, read_safetensors, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.model import Generator, load_generator, save_generator


@pytest.fixture
def saved(generator: Generator, tmp_path: Path) -> Path:
    save_generator(tmp_path / "g.safetensors", generator, {"training": {"step": 3}})
    return tmp_path / "g.safetensors"


def test_round_trip(generator: Generator, saved: Path) -> None:
    loaded = load_generator(saved)
    assert loaded.config == generator.config
    assert not loaded.training
    for name, tensor in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float())
    assert read_header(saved)["training"] == {"step": 3}
    again = saved.with_name("again.safetensors")
    save_generator(again, loaded, {"training": {"step": 3}})
    assert again.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.update({"mapping.w_avg": torch.zeros(9)}), r"mapping\.w_avg \(9,\) instead of \(8,\)"),
        (lambda t: t.pop("decoder.layers.0.weight"), r"missing: decoder\.layers\.0\.weight"),
        (lambda t: t.update({"surplus": torch.zeros(1)}), "not expected: surplus"),
    ],
)
def test_other_tensors_are_refused(saved: Path, change, sentence: str) -> None:  # type: ignore[no-untyped-def]
    checkpoint = read_safetensors(saved, kind="generator")
    change(checkpoint.tensors)
    write_safetensors(saved, checkpoint.tensors, checkpoint.header)
    with pytest.raises(CheckpointError, match=sentence):
        load_generator(saved)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"backbone": "StyleConfig"}, "names the backbone 'StyleConfig'; this version knows"),
        ({"sizes": {}}, "lacks or misnames its sizes"),
        ({"kind": "avatar"}, "of kind 'avatar', but 'generator' is needed"),
    ],
)
def test_other_headers_are_refused(saved: Path, change: dict[str, object], sentence: str) -> None:
    checkpoint = read_safetensors(saved, kind="generator")
    write_safetensors(saved, checkpoint.tensors, {**checkpoint.header, **change})
    with pytest.raises(CheckpointError, match=sentence):
        load_generator(saved)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        load_generator(tmp_path / "nothing.safetensors")
