"""Official checkpoints, as their stand-ins are pickled, come out with exactly their tensors."""

import json
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.generator.official.official_files import (
    Persistent,
    checkpoint,
    generator,
    pickled,
    stand_ins,
    tiny_kwargs,
    tiny_tensors,
    write_checkpoint,
)
from torch import Tensor

from mien.core.checkpoint import read_header
from mien.core.errors import CheckpointError, InputError
from mien.generator.eg3d.checkpoint import expected_shapes, load_eg3d
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.official.importing import LICENCE, Imported, import_checkpoint
from mien.generator.official.presets import PRESETS, described

PARITY = Path(__file__).parents[4] / "shared" / "parity"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return tiny_tensors()


def imported(source: Path, **options: Any) -> Imported:
    return import_checkpoint(source, source.with_name("out.safetensors"), **options)


def assert_same(path: Path, expected: dict[str, Tensor]) -> None:
    """The written file has exactly these tensors, and opens as a generator that has them."""
    found = load_file(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor.float()), name
    state = load_eg3d(path).state_dict()
    assert all(torch.equal(state[name], tensor.float()) for name, tensor in expected.items())


def test_official_pickle(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    kwargs = tiny_kwargs()
    edited = {**kwargs["rendering_kwargs"], "depth_resolution": 20}
    g_ema = generator(tensors, kwargs, neural_rendering_resolution=48, rendering_kwargs=edited)
    other = generator({name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, kwargs)
    path = write_checkpoint(tmp_path / "a.pkl", checkpoint(g_ema, G=other, D=Persistent("Layer")), "cuda:0")
    done = imported(path)
    assert_same(done.path, tensors)
    assert (done.config.neural_resolution, done.config.rendering.coarse, done.config.rendering.fine) == (
        48,
        20,
        12,
    )
    assert done.config.rendering.near == 2.25
    assert done.config.rendering.plane_axes == "official"
    header = read_header(done.path)
    assert header["provenance"]["class"] == "TriPlaneGenerator"
    assert header["provenance"]["licence"] == LICENCE
    assert header["provenance"]["file"] == "a.pkl"
    assert header["provenance"]["bytes"] == path.stat().st_size


def test_the_embedded_source_is_not_run(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    made = generator(tensors, tiny_kwargs())
    made.source = f"open({str(tmp_path / 'marker')!r}, 'w')"
    imported(write_checkpoint(tmp_path / "a.pkl", checkpoint(made)))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("others", [{}, {"G_ema": None}])
def test_g_is_taken_where_there_is_no_g_ema(
    others: dict[str, Any], tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    value = checkpoint(generator(tensors, tiny_kwargs()))
    value["G"] = value.pop("G_ema")
    done = imported(write_checkpoint(tmp_path / "a.pkl", value | others))
    assert_same(done.path, tensors)
    assert done.provenance["network"] == "G"


def test_parity_generator(tmp_path: Path) -> None:
    if not PARITY.is_dir():
        pytest.skip("the reference numbers of the official code are not here")
    described = json.loads((PARITY / "small_config.json").read_text())
    tensors = load_file(PARITY / "small_state.safetensors")
    made = generator(tensors, described["init_kwargs"], **described["attributes"])
    done = imported(write_checkpoint(tmp_path / "a.pkl", checkpoint(made)))
    assert_same(done.path, tensors)
    assert done.config.neural_resolution == 32
    assert done.config.rendering.coarse == 16


def axes(*, last: tuple[int, int, int]) -> Tensor:
    """Plane axes as three permutation matrices; the rows of the last one are given."""
    return torch.eye(3)[torch.tensor([[0, 1, 2], [0, 2, 1], last])]


@pytest.mark.parametrize(("last", "name"), [((2, 0, 1), "official"), ((2, 1, 0), "corrected")])
def test_pre_release_class(
    last: tuple[int, int, int], name: str, tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    kwargs = tiny_kwargs()
    for key in ("c_scale", "sr_antialias"):
        del kwargs["rendering_kwargs"][key]
    made = generator(tensors, kwargs, class_name="SRPosedGenerator")
    made.attributes["_modules"]["renderer"]._parameters["plane_axes"] = torch.nn.Parameter(axes(last=last))
    done = imported(write_checkpoint(tmp_path / "a.pkl", checkpoint(made), "cuda:0"))
    assert_same(done.path, tensors)
    assert done.config.decoder.lr_multiplier == 0.3
    assert done.config.c_scale == 1.0
    assert done.config.rendering.plane_axes == name


def test_positional_constructor_arguments(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    kwargs = tiny_kwargs()
    made = generator(tensors, kwargs)
    names = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
    made.attributes["_init_args"] = tuple(kwargs[name] for name in names)
    made.attributes["_init_kwargs"] = {k: v for k, v in kwargs.items() if k not in names}
    assert_same(imported(write_checkpoint(tmp_path / "a.pkl", checkpoint(made))).path, tensors)


def test_a_module_saved_whole_by_torch(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    with stand_ins():
        torch.save(generator(tensors, tiny_kwargs()), tmp_path / "model.pt")
    assert_same(imported(tmp_path / "model.pt").path, tensors)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_state_dicts_of_torch(zipped: bool, nested: bool, tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    state = OrderedDict(tensors)
    state._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]  # as torch's modules write it
    torch.save(
        {"G_ema": state} if nested else state, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(InputError, match=r"bare state dict.*--config ffhq512-128"):
        imported(tmp_path / "a.pt")
    options = ("depth_resolution=12", "avg_camera_pivot=[0,0,-0.1]", "neural_rendering_resolution=48")
    done = imported(tmp_path / "a.pt", preset="ffhq512-128", options=options)
    assert_same(done.path, tensors)
    assert done.config.image_px == 128
    assert done.config.rendering.coarse == 12
    assert done.config.camera_pivot == (0.0, 0.0, -0.1)
    assert done.config.neural_resolution == 48


def test_safetensors(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, tmp_path / "a.safetensors")
    assert_same(imported(tmp_path / "a.safetensors", preset="ffhq512-64").path, tensors)
    with pytest.raises(CheckpointError, match="file of mien already"):
        import_checkpoint(tmp_path / "out.safetensors", tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("way", "dtype"),
    [
        ("pickle", torch.float16),
        ("zip", torch.bfloat16),
        ("stream", torch.float64),
        ("safetensors", torch.float16),
        ("safetensors", torch.bfloat16),
    ],
)
def test_other_number_types_become_float32(
    way: str, dtype: torch.dtype, tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    state = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    if way == "pickle":
        path = write_checkpoint(tmp_path / "a.pkl", checkpoint(generator(state, tiny_kwargs())))
        assert_same(imported(path).path, state)
        return
    path = tmp_path / "a.pt"
    if way == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=way == "zip")
    assert_same(imported(path, preset="ffhq512-128").path, state)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_and_shared_storages(zipped: bool, tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    """Transposed, offset and shared tensors: read as torch itself reads them."""
    state = dict(tensors)
    base = torch.randn(2000, generator=torch.Generator().manual_seed(3))
    names = [f"backbone.synthesis.b{r}.conv1.affine.weight" for r in (8, 16)]
    for start, name in enumerate(names):
        state[name] = base[100 * start : 100 * start + 1024].view(512, 2).t()
    assert not state[names[0]].is_contiguous()
    torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    expected = torch.load(tmp_path / "a.pt", weights_only=True)
    assert_same(imported(tmp_path / "a.pt", preset="ffhq512-128").path, expected)


def test_options_are_for_state_dicts_only(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = write_checkpoint(tmp_path / "a.pkl", checkpoint(generator(tensors, tiny_kwargs())))
    with pytest.raises(InputError, match="leave out --config and --option"):
        imported(path, preset="ffhq512-128")
    torch.save(tensors, path)
    with pytest.raises(InputError, match="is not NAME=VALUE"):
        imported(path, preset="ffhq512-128", options=["ray_start:2"])


@pytest.mark.parametrize("superres", ["2X", "4X", "8X", "8XDC"])
def test_sizes_are_read_off_the_shapes(superres: str) -> None:
    kwargs = tiny_kwargs() | {"channel_max": 3, "z_dim": 9, "mapping_kwargs": {"num_layers": 2}}
    side = {"2X": 128, "4X": 256}.get(superres, 512)
    kwargs["img_resolution"] = kwargs["rendering_kwargs"]["image_resolution"] = side
    kwargs["rendering_kwargs"]["superresolution_module"] = f"SuperresolutionHybrid{superres}"
    official = Eg3dConfig.from_official("TriPlaneGenerator", kwargs, {})
    preset = described(expected_shapes(official), "ffhq512-128")
    bare = Eg3dConfig.from_official(*preset)
    for part in ("backbone", "superres", "image_px"):
        assert getattr(bare, part) == getattr(official, part)


def test_a_full_size_config_is_that_of_ffhq() -> None:
    """The published FFHQ arguments give the library's default configuration."""
    assert PRESETS["ffhq512-128"].rendering["ray_end"] == 3.3
    kwargs = tiny_kwargs() | {
        "z_dim": 512,
        "channel_max": 512,
        "img_resolution": 512,
        "mapping_kwargs": {"num_layers": 2},
    }
    rendering = {
        **PRESETS["ffhq512-128"].rendering, "image_resolution": 512,
        "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
    }  # fmt: skip
    made = Eg3dConfig.from_official(
        "TriPlaneGenerator", kwargs, {"rendering_kwargs": rendering, "neural_rendering_resolution": 128}
    )
    assert made.rendering == Eg3dConfig().rendering
    assert (made.backbone, made.superres) == (Eg3dConfig().backbone, Eg3dConfig().superres)


def test_numpy_scalars_of_every_protocol(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    """Protocol 2 writes their bytes as text, which torch.save uses."""
    kwargs = tiny_kwargs()
    kwargs["rendering_kwargs"] |= {"ray_start": np.float32(2.25), "depth_resolution": np.int64(7)}
    with stand_ins():
        torch.save({"G_ema": generator(tensors, kwargs)}, tmp_path / "a.pt")
    rendering = imported(tmp_path / "a.pt").config.rendering
    assert (rendering.near, rendering.coarse) == (2.25, 7)


def test_stand_ins_are_gone_after_pickling() -> None:
    assert pickled(Persistent("A")).startswith(b"\x80")
    assert not {"training", "dnnlib", "torch_utils"} & set(sys.modules)
