"""Files of the right kind that hold the wrong things: models, zips, streams, safetensors, and no
checkpoints."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tests.generator.official.hostile_pickles import (
    Hostile,
    call,
    dictionary,
    fixed,
    glob,
    pickle_of,
    real_stream,
    shell,
    stream_of,
    text,
)
from tests.generator.official.hostile_sizes import named
from tests.generator.official.official_files import (
    Persistent,
    checkpoint,
    generator,
    pickled,
    shared_tensors,
    tiny_kwargs,
)
from torch import Tensor

NAME = "backbone.synthesis.b8.conv1.weight"


def model(change: Callable[[Persistent], Any] = lambda g: None, **others: Any) -> Callable[[Path], bytes]:
    """An official pickle after a change of its generator."""

    def make(folder: Path) -> bytes:
        made = generator(shared_tensors(), tiny_kwargs())
        change(made)
        return pickled(checkpoint(made, **others))

    return make


def with_tensors(**changes: Tensor | None) -> Callable[[Path], bytes]:
    """An official pickle with other tensors under the dotted names; None leaves one out."""

    def make(folder: Path) -> bytes:
        changed = {name.replace("__", "."): value for name, value in changes.items()}
        kept = {name: value for name, value in (shared_tensors() | changed).items() if value is not None}
        return pickled(checkpoint(generator(kept, tiny_kwargs())))

    return make


def with_options(**options: Any) -> Callable[[Path], bytes]:
    """An official pickle with other rendering options; None leaves one out."""

    def change(made: Persistent) -> None:
        held = made.attributes["rendering_kwargs"]
        for name, value in options.items():
            held.pop(name, None)
            if value is not None:
                held[name] = value

    return model(change)


def with_arguments(**arguments: Any) -> Callable[[Path], bytes]:
    """An official pickle with other constructor arguments."""
    return model(lambda made: made.attributes["_init_kwargs"].update(arguments))


def with_state(**attributes: Any) -> Callable[[Path], bytes]:
    return model(lambda made: made.attributes.update(attributes))


def with_module(name: str, value: Any) -> Callable[[Path], bytes]:
    return model(lambda made: made.attributes["_modules"].update({name: value}))


def with_class(name: str) -> Callable[[Path], bytes]:
    return model(lambda made: setattr(made, "class_name", name))


def with_axes(axes: Tensor) -> Callable[[Path], bytes]:
    """An official pickle with plane axes as pre-release ones have them."""
    held = {"plane_axes": torch.nn.Parameter(axes)}
    return model(lambda made: made.attributes["_modules"]["renderer"]._parameters.update(held))


def poisoned(number: float) -> Tensor:
    """A tensor with one bad number."""
    made = shared_tensors()[NAME].clone()
    made.view(-1)[7] = number
    return made


def _models() -> list[Hostile]:
    key = NAME.replace(".", "__")
    axes = torch.eye(3).repeat(3, 1, 1)
    wrong = r"b8\.conv1\.weight \(2, 2, 3\) instead of \(2, 2, 3, 3\)"
    bad = r"the tensor backbone\.synthesis\.b8\.conv1\.weight holds numbers that are not finite"
    cases: list[tuple[str, str, Callable[[Path], bytes], str]] = [
        ("a wrong shape", "has a tensor of another shape", with_tensors(**{key: torch.zeros(2, 2, 3)}),
         wrong),
        ("a missing tensor", "lacks a tensor", with_tensors(**{key: None}), f"missing: {NAME}"),
        ("one tensor more", "has a tensor more", with_tensors(backbone__extra=torch.zeros(3)),
         "not expected: backbone.extra"),
        ("no superresolution", "lacks all of a module",
         model(lambda g: g.attributes["_modules"].pop("superresolution")),
         r"missing: superresolution\.block0"),
        ("not a number", "has a NaN among its weights", with_tensors(**{key: poisoned(float("nan"))}), bad),
        ("infinite", "has an infinite weight", with_tensors(**{key: poisoned(float("inf"))}), bad),
        ("too large for float32", "has a float64 of 1e300",
         with_tensors(**{key: poisoned(0).double() + 1e300}), bad),
        ("a tensor name with control characters", "writes to the terminal through a tensor's name",
         model(lambda g: g.attributes["_buffers"].update({"\x1b[2J": torch.zeros(1)})), r"\\x1b\[2J"),
        ("another class", "holds a StyleGAN generator", with_class("Generator"), "class 'Generator'"),
        ("no arguments", "has no constructor arguments", with_state(_init_kwargs={}),
         "init_kwargs has no 'img_resolution'"),
        ("arguments that are a list", "has a list as arguments", with_state(_init_kwargs=[1, 2]),
         "_init_kwargs"),
        ("nine arguments by position", "has nine arguments without names", with_state(_init_args=(1, ) * 9),
         "9 constructor"),
        ("an unknown argument", "has an argument that EG3D does not", with_arguments(evil=1), "evil"),
        ("a billion channels", "asks for 10^9 channels", with_arguments(channel_max=10**9),
         "number of channels is 1000000000"),
        ("a text as a size", "has a text as z_dim", with_arguments(z_dim="8"), "z_dim"),
        ("an object as an argument", "has an object as an argument",
         with_arguments(z_dim=Persistent("Layer")), "_init_kwargs.z_dim is a value of type Instance"),
        ("a tensor as an argument", "has a large tensor as an argument",
         with_arguments(z_dim=torch.zeros(100)), "_init_kwargs.z_dim is a value of type TensorView"),
        ("no rendering options", "has no rendering options", with_state(rendering_kwargs={}),
         "rendering_kwargs has no"),
        ("an unknown rendering option", "has an option that EG3D does not", with_options(evil=1), "evil"),
        ("no near end", "lacks ray_start", with_options(ray_start=None), "ray_start"),
        ("rays that end before they start", "has near beyond far", with_options(ray_end=1.0), "ray range"),
        ("NaN as an option", "has NaN as ray_start", with_options(ray_start=float("nan")),
         "ray_start is nan"),
        ("a million samples", "asks for 10^6 samples", with_options(depth_resolution=10**6),
         "samples is 1000000"),
        ("an unknown super-resolution", "names a class of its own",
         with_options(superresolution_module="os.system"), r"os\.system"),
        ("a dictionary of a dictionary", "nests options 40 deep", with_options(ray_start=_nested(40)),
         "cannot be kept"),
        ("a neural resolution of a million", "renders at 10^6 px",
         with_state(neural_rendering_resolution=10**6), "neural resolution is 1000000"),
        ("a module that is a number", "has a number as a module", with_module("decoder", 3),
         "'decoder' is a value of type int"),
        ("a parameter that is a text", "has a text as a parameter",
         model(lambda g: g.attributes["_parameters"].update(x="y")), "'x' is a value of type str"),
        ("modules that are a list", "has a list as its modules", with_state(_modules=[1]),
         "_modules of 'the generator'"),
        ("strange plane axes", "has plane axes of its own",
         with_axes(axes),
         "plane_axes"),
        ("plane axes of another shape", "has two plane axes",
         with_axes(axes[:2]),
         r"shape \(2, 3, 3\)"),
        ("no generator", "has neither G_ema nor G", model(G_ema=None), "neither G_ema nor G"),
        ("a discriminator as G", "has a DualDiscriminator as G_ema", with_class("DualDiscriminator"),
         "DualDiscriminator"),
        ("a tuple as state", "has an object whose state is a tuple",
         fixed(pickle_of(glob("training.triplane.OSGDecoder") + b")\x81)b")), "state of an object"),
    ]  # fmt: skip
    shares = (0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-7)
    cut = [(f"cut at {share:.0%}", "is cut off", cut_model(share), "cut off|lies") for share in shares]
    return [Hostile(*case) for case in [*cases, *cut]]


def cut_model(share: float) -> Callable[[Path], bytes]:
    """The first part of an official pickle."""
    return lambda folder: cut_at(model()(folder), share)


def cut_at(whole: bytes, share: float) -> bytes:
    return whole[: int(len(whole) * share)]


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else 1


# ---------------------------------------------------------------------------- torch's zips and streams


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def saved(value: Any, *, zip_format: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zip_format)
    return buffer.getvalue()


def one_tensor_zip(**changed: bytes) -> bytes:
    """A zip of torch with one tensor of six numbers, by hand."""
    tensor = call(
        glob("torch._utils._rebuild_tensor_v2"), named(), b"K\x00", b"K\x06\x85", b"K\x01\x85", b"\x89", b"}"
    )
    entries = {"data.pkl": pickle_of(dictionary(x=tensor)), "byteorder": b"little", "data/k": b"\0" * 24}
    return zipped({f"a/{name}": content for name, content in (entries | changed).items()})


def two_entries_of_one_name() -> bytes:
    return zipped({"a/data.pkl": b"x", "a/data.pkm": b"x"}).replace(b"data.pkm", b"data.pkl")


def _zips() -> list[Hostile]:
    evil = call(glob("os.system"), text("true"))
    bomb = zipped({"a/data.pkl": pickle_of(b"}"), "a/data/0": b"\0" * (1 << 24)}, zipfile.ZIP_DEFLATED)
    good = one_tensor_zip()
    end = good.rfind(b"PK\x05\x06")
    cases: list[tuple[str, str, Callable[[Path], bytes], str]] = [
        ("zip with a call", "calls `os.system` in a zip of torch",
         lambda f: zipped({"a/data.pkl": pickle_of(call(glob("os.system"), shell(f)))}), r"os\.system"),
        ("zip bomb", "holds compressed zeros", fixed(bomb), "is compressed"),
        ("zip with a compressed pickle", "compresses its pickle", fixed(zipped({"a/data.pkl": b"x" * 999},
         zipfile.ZIP_DEFLATED)), "data.pkl' of the zip is compressed"),
        ("zip without a pickle", "has no data.pkl", fixed(zipped({"a/x": b"y"})), "this one has 0"),
        ("zip with two pickles", "has two data.pkl", fixed(zipped({"a/data.pkl": b"", "b/data.pkl": b""})),
         "this one has 2"),
        ("zip with one name twice", "has two entries of one name", fixed(two_entries_of_one_name()),
         "two entries named"),
        ("zip with a pickle inside the data", "hides a pickle as the data of a tensor",
         fixed(one_tensor_zip(**{"data/k": pickle_of(evil)})), "claims 6 numbers"),
        ("zip with a short storage", "has fewer numbers than claimed",
         fixed(one_tensor_zip(**{"data/k": b"\0" * 20})), "claims 6 numbers .* has 20 bytes"),
        ("big-endian zip", "has numbers of another byte order", fixed(one_tensor_zip(byteorder=b"big")),
         "little-endian"),
        ("zip without its storage", "lacks the data of a tensor", fixed(one_tensor_zip().replace(b"data/k",
         b"data/z")), "has no entry"),
        ("cut zip", "is cut off", fixed(good[:-30]), "cut off"),
        ("zip directory outside", "places its directory outside",
         fixed(good[: end + 16] + b"\xff\xff\xff\x7f\0\0"), "outside the file"),
        ("zip entry outside", "places an entry outside", fixed(_entry_outside(good)),
         "not where its directory says"),
        ("zip entry of 2 GiB", "claims an entry of 2 GiB", fixed(_entry_size(good, (1 << 31) - 1)),
         "claims 2147483647 bytes"),
        ("zip of 65535 entries", "is of the kind for more than 65534 entries",
         fixed(good[: end + 8] + b"\xff\xff\xff\xff" + good[end + 12 :]), "more than 4 GiB or 65534"),
        ("zip of 30,000 entries", "has a long directory", fixed(good[: end + 8] + struct.pack("<HH", 30_000,
         30_000) + good[end + 12 :]), "zip of 30000 entries"),
        ("a document", "is a zip of something else", fixed(zipped({"word/document.xml": b"<x/>"})),
         "this one has 0"),
        ("stream with a call", "calls `os.system` in torch's older format",
         lambda f: stream_of(call(glob("os.system"), shell(f))), r"os\.system"),
        ("stream of a number", "holds a number", fixed(stream_of(b"K\x07")), "holds a value of type int"),
        ("a storage alone", "is one storage of torch", fixed(real_stream()), "holds a value of type Storage"),
        ("cut stream", "is cut off", lambda f: cut_at(saved(shared_tensors(), zip_format=False), 0.6),
         "lies about a length"),
        ("a list of tensors", "holds a list", lambda f: saved([torch.zeros(2)]), "value of type list"),
        ("an optimiser's state", "holds no tensors by name", lambda f: saved({"x": torch.zeros(2),
         "steps": 7}), "'steps', which is a value of type int"),
        ("a bare state dict alone", "does not say how it is rendered", lambda f: saved(shared_tensors()),
         "bare state dict.*--config"),
    ]  # fmt: skip
    return [Hostile(*case, suffix=".pt") for case in cases]


def _directory_at(data: bytes) -> int:
    return data.find(b"PK\x01\x02")


def _entry_outside(data: bytes) -> bytes:
    at = _directory_at(data)
    return data[: at + 42] + b"\xff\xff\xff\x7f" + data[at + 46 :]


def _entry_size(data: bytes, size: int) -> bytes:
    at = _directory_at(data)
    return data[: at + 20] + struct.pack("<LL", size, size) + data[at + 28 :]


MODELS: list[Hostile] = _models() + _zips()
