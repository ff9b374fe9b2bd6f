"""A set of training pictures with a file for each procedural head.

Each file depends on the settings and its number only and is written whole or not at all; an interrupted build
goes on where it was.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load_file, save_file

from mien.core.atomic import atomic_path
from mien.core.errors import InputError
from mien.core.parallel import in_processes, one_thread
from mien.core.progress import progress

CONFIG_FILE: Final = "config.json"
Pictures = dict[str, np.ndarray]


def build_per_head(
    folder: Path, settings: dict[str, Any], draw: Callable[[int], Pictures], *, workers: int = 1, desc: str
) -> None:
    """Draw the pictures of `settings["heads"]` heads into a folder, with a function that can be pickled.

    Raises InputError if the folder holds a set with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / CONFIG_FILE
    if kept.exists() and json.loads(kept.read_text()) | {"heads": 0} != settings | {"heads": 0}:
        raise InputError(
            f"{folder} holds pictures made with other settings; choose another folder or delete it."
        )
    kept.write_text(json.dumps(settings, indent=1, sort_keys=True))
    todo = [k for k in range(settings["heads"]) if not _path(folder, k).exists()]
    drawn = in_processes(partial(_one, folder, draw), todo, workers=workers)
    for _ in progress(drawn, desc=desc, total=len(todo)):
        pass


def read_per_head(folder: Path, heads: int, *, what: str) -> list[Pictures]:
    """The first heads of a set. Raises InputError if there are none."""
    found = [_path(folder, k) for k in range(heads) if _path(folder, k).exists()]
    if not found:
        raise InputError(f"{folder} holds no {what}; make them first.")
    return [load_file(path) for path in found]


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.safetensors"


def _one(folder: Path, draw: Callable[[int], Pictures], index: int) -> int:
    with one_thread():
        pictures = draw(index)
    with atomic_path(_path(folder, index)) as path:
        save_file({name: np.ascontiguousarray(values) for name, values in pictures.items()}, path)
    return index
