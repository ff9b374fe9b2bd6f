"""The folder of imported models in the user's cache. Nothing is ever fetched into it; files come by
import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core.assets import cache_dir
from mien.core.checkpoint import read_header, read_safetensors
from mien.core.errors import CheckpointError, InputError
from mien.generator.eg3d.checkpoint import KIND, config_from_json, generator_of
from mien.generator.official.importing import SUFFIX, weights_sha256


@dataclass(frozen=True)
class ModelEntry:
    """One file of the folder."""

    name: str
    path: Path
    bytes: int
    header: Mapping[str, Any] | None
    """None if the file is damaged."""


def models_dir() -> Path:
    """The folder; it is made when the first model comes."""
    return cache_dir() / "models"


def new_model_path(source: Path) -> Path:
    """Where a file is imported to if no other place is given: its own name in the folder. InputError if
    taken."""
    path = models_dir() / f"{source.stem}{SUFFIX}"
    if path.exists():
        raise InputError(
            f"There is a model {source.stem!r} in {models_dir()} already; remove it with 'mien models remove "
            f"{source.stem}', or choose another place with -o."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def list_models() -> list[ModelEntry]:
    """All models of the folder by name, damaged ones too."""
    paths = sorted(models_dir().glob(f"*{SUFFIX}"))
    return [ModelEntry(p.stem, p, p.stat().st_size, _header(p)) for p in paths if p.name[0] != "."]


def find_model(name: str | Path) -> Path:
    """The file of a name in the folder, or of a path; InputError if there is neither."""
    path = Path(name)
    if path.is_file():
        return path
    if (
        path.name == str(name)
        and (kept := models_dir() / f"{path.name.removesuffix(SUFFIX)}{SUFFIX}").is_file()
    ):
        return kept
    names = ", ".join(entry.name for entry in list_models()) or "none yet"
    raise InputError(
        f"{name} is neither a file nor a model in {models_dir()} (there: {names}); import one with 'mien "
        "models import'."
    )


def remove_model(name: str) -> Path:
    """Delete a model of the folder, never a file elsewhere; gives its path."""
    kept = {entry.name: entry.path for entry in list_models()}
    if name not in kept:
        raise InputError(
            f"There is no model {name!r} in {models_dir()}; it holds {', '.join(kept) or 'none'}."
        )
    kept[name].unlink()
    return kept[name]


def model_facts(path: Path) -> dict[str, Any]:
    """What the header of a model says, by lines: where it comes from, how it is built and rendered."""
    header = read_header(path)
    if header.get("kind") != KIND:
        raise CheckpointError(
            f"{path} is a mien file of kind {header.get('kind')!r} and no EG3D generator ({KIND!r}); give "
            "one."
        )
    facts: dict[str, Any] = {"size": f"{path.stat().st_size / 2**20:.1f} MiB"}
    for group in ("provenance", "config"):
        _flatten(header.get(group), "" if group == "provenance" else group, facts)
    return facts


def _flatten(value: Any, prefix: str, facts: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        facts[prefix] = value
        return
    for name, part in value.items():
        _flatten(part, f"{prefix}.{name}" if prefix else str(name), facts)


@dataclass(frozen=True)
class Verified:
    """What was checked."""

    tensors: int
    parameters: int
    hashed: bool
    """Whether the header had a hash of the weights: files that were trained here have none."""


def verify_model(path: Path) -> Verified:
    """Read a model whole: hash, names, shapes, finite numbers. CheckpointError with what is wrong."""
    checkpoint = read_safetensors(path, kind=KIND)
    expected = checkpoint.header.get("weights_sha256")
    config = config_from_json(checkpoint.header.get("config"), source=str(path))
    generator_of(config, checkpoint.tensors, source=str(path))
    if expected is not None and (found := weights_sha256(checkpoint.tensors)) != expected:
        raise CheckpointError(
            f"The weights in {path} have SHA-256 {found[:12]}..., but {str(expected)[:12]}... was written "
            "at import: they were changed or damaged. Import the checkpoint again."
        )
    count = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    return Verified(len(checkpoint.tensors), count, expected is not None)


def _header(path: Path) -> Mapping[str, Any] | None:
    try:
        return read_header(path)
    except CheckpointError:
        return None
