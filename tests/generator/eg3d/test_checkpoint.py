import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mien.core.checkpoint import read_header, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.eg3d.checkpoint import KIND, config_to_json, load_eg3d, save_eg3d, save_eg3d_state
from mien.generator.eg3d.generator import Eg3dGenerator


def test_a_generator_survives_its_file(tiny: Eg3dGenerator, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_eg3d(path, tiny, header={"source": "a test"})
    state = torch.get_rng_state()
    loaded = load_eg3d(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert loaded.config == tiny.config
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    expected = tiny.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(t, expected[name]) for name, t in loaded.state_dict().items())
    assert read_header(path)["source"] == "a test"
    again = tmp_path / "again.safetensors"
    save_eg3d(again, loaded, header={"source": "a test"})
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("decoder.net.0.bias", None, "missing: decoder.net.0.bias"),
        ("renderer.plane_axes", torch.zeros(3, 3, 3), "not expected: renderer.plane_axes"),
        ("decoder.net.0.bias", torch.zeros(63), r"decoder.net.0.bias \(63,\) instead of \(64,\)"),
        (
            "decoder.net.0.bias",
            torch.full((64,), torch.nan),
            "decoder.net.0.bias .* other numbers than finite",
        ),
        ("decoder.net.0.bias", torch.zeros(64, dtype=torch.int64), "other numbers than finite real"),
    ],
)
def test_other_tensors_are_refused(
    tiny: Eg3dGenerator, tmp_path: Path, name: str, tensor: torch.Tensor | None, says: str
) -> None:
    tensors = dict(tiny.state_dict())
    tensors.pop(name, None)
    if tensor is not None:
        tensors[name] = tensor
    path = tmp_path / "odd.safetensors"
    write_safetensors(path, tensors, {"kind": KIND, "config": config_to_json(tiny.config)})
    with pytest.raises(CheckpointError, match=says):
        load_eg3d(path)
    if says.startswith(("missing", "not", "decoder.net.0.bias \\(")):
        with pytest.raises(CheckpointError, match=says):
            save_eg3d_state(tmp_path / "not.safetensors", tiny.config, tensors)
        assert not (tmp_path / "not.safetensors").exists()


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("", None, "config is None; expected names and values"),
        ("superres.class", "Hybrid16X", "class is 'Hybrid16X'; mien knows"),
        ("superres", 3, "config.superres is 3"),
        ("rendering.coarse", "many", "config.rendering.coarse is 'many'"),
        ("rendering.coarse", 10**9, "number of coarse samples is 1000000000"),
        ("rendering.plane_axes", "xyz", "config.rendering.plane_axes is 'xyz'"),
        ("rendering.speed", 1, r"too much: \['speed'\]"),
        ("backbone.resolution", 100, "plane resolution is 100; expected a power of two"),
        ("backbone.mapping.w_dim", 64, "w size is 64; expected 512"),
        ("backbone.plane_channels", 16, r"decoder's size is \(32, 32\); expected \(16, 32\)"),
        ("camera_pivot", [0.0, 1.0], "config.camera_pivot is"),
    ],
)
def test_a_lying_header_is_refused(
    tiny: Eg3dGenerator, tmp_path: Path, where: str, value: Any, says: str
) -> None:
    config: Any = json.loads(json.dumps(config_to_json(tiny.config)))
    if where:
        *parents, last = where.split(".")
        inner = config
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    else:
        config = value
    path = tmp_path / "odd.safetensors"
    write_safetensors(path, tiny.state_dict(), {"kind": KIND, "config": config})
    with pytest.raises(CheckpointError, match=says):
        load_eg3d(path)


def test_whole_numbers_may_stand_for_others(tiny: Eg3dGenerator, tmp_path: Path) -> None:
    config = config_to_json(tiny.config)
    config["rendering"]["box_side"] = 1
    path = tmp_path / "tiny.safetensors"
    write_safetensors(path, tiny.state_dict(), {"kind": KIND, "config": config})
    assert load_eg3d(path).config == tiny.config
