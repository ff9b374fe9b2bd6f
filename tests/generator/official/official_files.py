"""Files like the official ones, pickled from stand-ins: the official code is not needed and not here."""

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.generator.eg3d.checkpoint import expected_shapes
from mien.generator.eg3d.config import Eg3dConfig

BUFFERS = ("resample_filter", "noise_const", "w_avg")
SOURCE = "raise SystemExit('the source inside a checkpoint must never run')\n" * 400


class EasyDict(dict[str, Any]):
    """As official code has it: a dict whose items are attributes too."""


class Plain:
    """A class that is pickled by reference."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class OSGDecoder(Plain):
    pass


class ImportanceRenderer(Plain):
    pass


class MipRayMarcher2(Plain):
    pass


class RaySampler(Plain):
    pass


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    raise AssertionError("called while reading")


class Persistent:
    """A class that is pickled with its source."""

    def __init__(self, class_name: str, **attributes: Any) -> None:
        self.class_name = class_name
        self.attributes = attributes
        self.source = SOURCE

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": self.class_name}
        meta["state"] = self.attributes
        return _reconstruct_persistent_obj, (meta,)


HOMES: dict[str, list[Any]] = {
    "torch_utils.persistence": [_reconstruct_persistent_obj],
    "dnnlib.util": [EasyDict],
    "training.triplane": [OSGDecoder],
    "training.volumetric_rendering.renderer": [ImportanceRenderer],
    "training.volumetric_rendering.ray_marcher": [MipRayMarcher2],
    "training.volumetric_rendering.ray_sampler": [RaySampler],
}


@contextmanager
def stand_ins() -> Iterator[None]:
    """The stand-ins under their official names, while pickling."""
    before = dict(sys.modules)
    homes = {thing: thing.__module__ for things in HOMES.values() for thing in things}
    for name, things in HOMES.items():
        for parent in (name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)):
            sys.modules.setdefault(parent, types.ModuleType(parent))
        for thing in things:
            setattr(sys.modules[name], thing.__name__, thing)
            thing.__module__ = name
    try:
        yield
    finally:
        for thing, home in homes.items():
            thing.__module__ = home
        for name in set(sys.modules) - set(before):
            if name.split(".")[0] in {home.split(".")[0] for home in HOMES}:
                del sys.modules[name]


class Pickler(pickle.Pickler):
    """Storages are said to live on a given device."""

    def __init__(self, file: Any, location: str) -> None:
        super().__init__(file)
        self.location = location.encode()

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, torch.storage.TypedStorage):
            return NotImplemented
        buffer = io.BytesIO()
        torch.save(value, buffer, _use_new_zipfile_serialization=False)
        was, to = b"X\x03\x00\x00\x00cpu", b"X" + len(self.location).to_bytes(4, "little") + self.location
        assert was in buffer.getvalue()
        return torch.storage._load_from_bytes, (buffer.getvalue().replace(was, to),)


def pickled(value: Any, location: str = "cpu") -> bytes:
    """The value as an official pickle."""
    buffer = io.BytesIO()
    with stand_ins():
        Pickler(buffer, location).dump(value)
    return buffer.getvalue()


@cache
def parameter(tensor: Tensor) -> nn.Parameter:
    """The parameter of a tensor: the same one where the tensor is the same, so that it is pickled once."""
    return nn.Parameter(tensor, requires_grad=False)


def module_state(
    tensors: dict[str, Tensor], kinds: dict[str, Callable[..., Any]], path: str = ""
) -> dict[str, Any]:
    """What a module of these tensors has in its `__dict__`; `kinds` makes the submodules of some paths."""
    parameters: dict[str, Any] = OrderedDict()
    buffers: dict[str, Any] = OrderedDict()
    inside: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        first, dot, rest = name.partition(".")
        if dot:
            inside.setdefault(first, {})[rest] = tensor
        elif first in BUFFERS:
            buffers[first] = tensor
        else:
            parameters[first] = parameter(tensor)
    modules: dict[str, Any] = OrderedDict()
    for name, held in inside.items():
        below = f"{path}{name}"
        make = kinds.get(below, lambda **state: Persistent("Layer", **state))
        modules[name] = make(**module_state(held, kinds, f"{below}."))
    if path == "decoder.net.":
        modules["1"] = nn.Softplus()
        modules = OrderedDict(sorted(modules.items()))
    return {
        "training": False,
        "_parameters": parameters,
        "_buffers": buffers,
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_forward_hooks": OrderedDict(),
        "_modules": modules,
        "weight_gain": np.float64(0.5),
    }


def sequential(**state: Any) -> nn.Sequential:
    """torch's own class, with our modules inside."""
    made = nn.Sequential()
    made.__dict__.update(state)
    return made


KINDS: dict[str, Callable[..., Any]] = {"decoder": OSGDecoder, "decoder.net": sequential}


def generator(
    tensors: dict[str, Tensor],
    init_kwargs: dict[str, Any],
    *,
    class_name: str = "TriPlaneGenerator",
    **attributes: Any,
) -> Persistent:
    """A generator object; `attributes` besides those of a module."""
    state = module_state(tensors, KINDS)
    state["_modules"]["renderer"] = ImportanceRenderer(
        training=False, _parameters=OrderedDict(), _buffers=OrderedDict(),
        _modules=OrderedDict(ray_marcher=MipRayMarcher2(_parameters=OrderedDict(), _modules=OrderedDict())),
    )  # fmt: skip
    state["_modules"]["ray_sampler"] = RaySampler(_parameters=OrderedDict(), _modules=OrderedDict())
    state["_init_args"] = ()
    state["_init_kwargs"] = EasyDict(init_kwargs)
    rendering = EasyDict(init_kwargs["rendering_kwargs"]) if "rendering_kwargs" in init_kwargs else None
    own = {
        "z_dim": init_kwargs.get("z_dim"),
        "neural_rendering_resolution": 64,
        "rendering_kwargs": rendering,
    }
    return Persistent(class_name, **{**state, **own, **attributes})


def checkpoint(g_ema: Any, **others: Any) -> dict[str, Any]:
    """The dict of an official file."""
    return {"training_set_kwargs": EasyDict(path="photos.zip"), "G": None, "D": None, "augment_pipe": None,
            "G_ema": g_ema, **others}  # fmt: skip


def tiny_kwargs() -> dict[str, Any]:
    """Constructor arguments of the smallest generator of 128 px."""
    return {
        "z_dim": 8, "c_dim": 25, "w_dim": 512, "img_resolution": 128, "img_channels": 3,
        "mapping_kwargs": {"num_layers": 1}, "channel_base": 32768, "channel_max": 2, "sr_num_fp16_res": 4,
        "rendering_kwargs": {
            "image_resolution": 128, "clamp_mode": "softplus", "c_scale": 1, "sr_antialias": True,
            "superresolution_module": "training.superresolution.SuperresolutionHybrid2X",
            "superresolution_noise_mode": "none", "depth_resolution": 12, "depth_resolution_importance": 12,
            "ray_start": np.float64(2.25), "ray_end": 3.3, "box_warp": 1, "avg_camera_radius": 2.7,
            "avg_camera_pivot": [0, 0, 0.2], "density_reg": 0.25,
        },
    }  # fmt: skip


def tiny_tensors(kwargs: dict[str, Any] | None = None, *, seed: int = 1) -> dict[str, Tensor]:
    """Random weights that fit the constructor arguments."""
    config = Eg3dConfig.from_official("TriPlaneGenerator", kwargs or tiny_kwargs(), {})
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) for name, shape in expected_shapes(config).items()}


@cache
def shared_tensors() -> dict[str, Tensor]:
    """Weights of a generator; those of one shape are one tensor, so that the files are read quickly."""
    first: dict[tuple[int, ...], Tensor] = {}
    return {name: first.setdefault(tuple(tensor.shape), tensor) for name, tensor in tiny_tensors().items()}


def write_checkpoint(path: Path, value: Any, location: str = "cpu") -> Path:
    """Write an official pickle."""
    path.write_bytes(pickled(value, location))
    return path
