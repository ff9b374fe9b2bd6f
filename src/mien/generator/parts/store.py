"""Parts of drawn heads in one file: what each looks like over the chart under one soft light, and its labels.

Pictures are kept as WebP in tensors of bytes; the format says exactly how they are decoded.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.names.spec import Value

KIND: Final = "people_parts"
ASSET: Final = "people_parts.safetensors"
PICTURES: Final = ("body", "hair", "layers")
CLOTHED: Final = "clothed"
COLOUR_QUALITY: Final = 93
LAYER_QUALITY: Final = 95
LOGIT_CLAMP: Final = 0.01
LOWEST, HIGHEST = -0.1, 0.28
"""Heights that can be kept, EG3D units."""


@dataclass(frozen=True, eq=False)
class Part:
    """One drawn head over the chart of N texels. Row 0 is v = -1; colours are logits."""

    body: Float[Tensor, "3 size size"]
    """Skin, brows, lashes, beard, eyes, mouth and clothes; without hair."""
    clothed: Float[Tensor, "size size"]
    """1 where cloth lies."""
    hair: Float[Tensor, "3 size size"]
    """Colours of the hair, filled outwards."""
    height: Float[Tensor, "small small"]
    """Outer surface of the hair above the smooth body, EG3D units."""
    share: Float[Tensor, "small small"]
    """Density of the hair, of the greatest that there is."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Drawn heads to choose from."""

    files: Sequence[Mapping[str, Tensor]]
    """Encoded pictures of each head."""
    labels: Sequence[Mapping[str, Value]]
    """What each head is, by name."""

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, index: int) -> Part:
        """The pictures of a head."""
        body, hair, layers, clothed = (_decoded(self.files[index][n]) for n in (*PICTURES, CLOTHED))
        height, share = np.split(layers[..., 0].astype(np.float32) / 255, 2)
        return Part(
            _logits(body), torch.from_numpy((clothed[..., 0] > 127).astype(np.float32)), _logits(hair),
            torch.from_numpy(height_of(height)), torch.from_numpy(share),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class DrawnMaps:
    """Maps of one head before they are encoded, see `Part`; colours uint8, the rest in its units."""

    body: UInt8[np.ndarray, "size size 3"]
    clothed: Float[np.ndarray, "size size"]
    hair: UInt8[np.ndarray, "size size 3"]
    height: Float[np.ndarray, "small small"]
    share: Float[np.ndarray, "small small"]


def encoded(maps: DrawnMaps) -> dict[str, Tensor]:
    """Files of one head."""
    layers = np.concatenate([level_of(maps.height), maps.share])
    return {
        "body": _webp(maps.body, COLOUR_QUALITY), "hair": _webp(maps.hair, COLOUR_QUALITY),
        "layers": _webp(_bytes(layers), LAYER_QUALITY), CLOTHED: _webp(_bytes(maps.clothed), None),
    }  # fmt: skip


def level_of(height: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """Heights as levels in [0, 1], finer near the skin."""
    low, high = (np.sign(x) * abs(x) ** 0.5 for x in (LOWEST, HIGHEST))
    root = np.sign(height) * np.abs(height.clip(LOWEST, HIGHEST)) ** 0.5
    return np.asarray((root - low) / (high - low), dtype=np.float32)


def height_of(level: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """Inverse of `level_of`."""
    low, high = (np.sign(x) * abs(x) ** 0.5 for x in (LOWEST, HIGHEST))
    root = low + level * (high - low)
    return np.asarray(np.sign(root) * root**2, dtype=np.float32)


def save_parts(path: Path, parts: Parts, header: Mapping[str, object]) -> None:
    """Write them."""
    tensors = {f"{k:03d}.{n}": t for k, files in enumerate(parts.files) for n, t in files.items()}
    labels = [{n: v if isinstance(v, str) else round(v, 4) for n, v in row.items()} for row in parts.labels]
    write_safetensors(path, tensors, {"kind": KIND, "labels": labels, **header})


def load_parts(explicit: Path | None = None) -> Parts:
    """The bundled parts, or a file of one's own. CheckpointError on anything unexpected."""
    return _loaded(asset_path(ASSET) if explicit is None else explicit)


@lru_cache(maxsize=2)
def _loaded(path: Path) -> Parts:
    checkpoint = read_safetensors(path, kind=KIND)
    labels = checkpoint.header.get("labels", [])
    names = (*PICTURES, CLOTHED)
    try:
        files = [{n: checkpoint.tensors[f"{k:03d}.{n}"] for n in names} for k in range(len(labels))]
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks the picture {error}; make it again by `mien train parts`."
        ) from error
    if not files:
        raise CheckpointError(f"{path} holds no heads; make it again by `mien train parts`.")
    return Parts(files, labels)


def _webp(image: UInt8[np.ndarray, "*shape"], quality: int | None) -> UInt8[Tensor, " byte"]:
    out = io.BytesIO()
    settings = {"lossless": True} if quality is None else {"quality": quality}
    Image.fromarray(image).convert("RGB").save(out, "WEBP", method=6, **settings)
    return torch.frombuffer(bytearray(out.getvalue()), dtype=torch.uint8)


def _decoded(file: UInt8[Tensor, " byte"]) -> UInt8[np.ndarray, "height width 3"]:
    with Image.open(io.BytesIO(file.numpy().tobytes()), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"))


def _bytes(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return np.asarray(np.rint(values.clip(0, 1) * 255), dtype=np.uint8)


def _logits(image: UInt8[np.ndarray, "size size 3"]) -> Float[Tensor, "3 size size"]:
    rgb = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)
    return torch.logit(rgb.clamp(LOGIT_CLAMP, 1 - LOGIT_CLAMP))
