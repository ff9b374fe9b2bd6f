from pathlib import Path

import pytest
import torch

from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.loading import load_model, model_kind, require_base
from mien.generator.model import Generator, save_generator


def test_the_header_decides_what_is_loaded(generator: Generator, ball_file: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.safetensors"
    save_generator(base, generator)
    assert isinstance(load_model(base), Generator)
    assert isinstance(load_model(ball_file), Eg3dGenerator)
    assert isinstance(load_model(), Generator)
    assert [model_kind(path) for path in (None, base, ball_file)] == ["generator", "generator", "eg3d"]


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "face.mien"
    write_safetensors(path, {"x": torch.zeros(1)}, {"kind": "avatar"})
    sentence = r"of kind 'avatar', but a model is needed here: of kind 'generator' .* or 'eg3d'"
    for read in (load_model, model_kind):
        with pytest.raises(CheckpointError, match=sentence):
            read(path)
    with pytest.raises(CheckpointError, match="does not exist"):
        load_model(tmp_path / "missing.safetensors")


def test_what_eg3d_cannot_do_yet(generator: Generator, ball_file: Path, tmp_path: Path) -> None:
    save_generator(tmp_path / "base.safetensors", generator)
    require_base(tmp_path / "base.safetensors", "Flying")
    require_base(None, "Flying")
    with pytest.raises(CheckpointError, match=r"^Flying does not work with EG3D models such as .* yet"):
        require_base(ball_file, "Flying")
