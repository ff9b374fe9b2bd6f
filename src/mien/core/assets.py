"""Finding model files: an explicit path, then the user's cache, then the files that ship with the package.

Every file is checked against the size and SHA-256 in `assets/manifest.json` before it is used.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from mien.core.atomic import atomic_path
from mien.core.errors import AssetError

BUNDLED_DIR = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class AssetEntry:
    """What the manifest says about one file."""

    sha256: str
    """Hash of the whole file, lower-case hexadecimal."""
    bytes: int
    """Size of the file."""
    licence: str
    """SPDX identifier."""
    origin: str
    """Where the file comes from, in words."""


def cache_dir() -> Path:
    """The user's folder for further model files: $MIEN_CACHE, or `mien` in the platform's cache folder."""
    chosen = os.environ.get("MIEN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "mien"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mien"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mien"


def read_manifest(folder: Path = BUNDLED_DIR) -> dict[str, AssetEntry]:
    """All entries of `manifest.json` in `folder`, by asset name."""
    path = folder / "manifest.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {name: AssetEntry(**entry) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AssetError(f"The asset manifest {path} cannot be read ({error}); reinstall mien.") from error


def asset_path(name: str, *, explicit: Path | None = None) -> Path:
    """The path of the asset `name`, its hash checked.

    `explicit` wins over the cache folder, which wins over the bundled file. Raises AssetError if the name is
    unknown, no file is found, or the file found is not the one in the manifest.
    """
    manifest = read_manifest()
    if name not in manifest:
        known = ", ".join(sorted(manifest))
        raise AssetError(f"There is no asset named {name!r}; the manifest knows {known}.")
    path = _locate(name, explicit)
    entry = manifest[name]
    size = path.stat().st_size
    found = sha256_of_file(path) if size == entry.bytes else f"a file of {size} bytes"
    if found != entry.sha256:
        raise AssetError(
            f"{path} is not the asset {name}: found {found}, expected {entry.sha256} ({entry.bytes} bytes); "
            + ("give the right file." if explicit else "delete it or reinstall mien.")
        )
    return path


def _locate(name: str, explicit: Path | None) -> Path:
    if explicit is not None:
        if not explicit.is_file():
            raise AssetError(f"{explicit} was given for the asset {name}, but there is no such file.")
        return explicit
    places = (cache_dir() / name, BUNDLED_DIR / name)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place.parent) for place in places)
    raise AssetError(f"The asset {name} was not found in {looked}; reinstall mien or put the file there.")


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hexadecimal; remembered while size and time stay the same."""
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # they are only part of the cache's key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_asset(name: str, *, licence: str, origin: str, folder: Path = BUNDLED_DIR) -> AssetEntry:
    """Write the hash and size of `folder/name` into the manifest; for the scripts that build assets."""
    path = folder / name
    if not path.is_file():
        raise AssetError(f"{path} does not exist; build the asset before recording it.")
    has_manifest = (folder / "manifest.json").exists()
    manifest = read_manifest(folder) if has_manifest else {}
    entry = AssetEntry(sha256_of_file(path), path.stat().st_size, licence, origin)
    manifest[name] = entry
    text = json.dumps({key: asdict(manifest[key]) for key in sorted(manifest)}, indent=2, ensure_ascii=False)
    with atomic_path(folder / "manifest.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return entry
