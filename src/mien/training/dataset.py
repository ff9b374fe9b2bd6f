"""A cached set of procedural heads: views with exact correspondences, made once, read by memory map."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mien.core.errors import InputError
from mien.core.progress import progress
from mien.morphable.model import load_head_model
from mien.training.chartmaps import head_maps
from mien.training.heads import random_camera, random_expression, random_head, render_head

FIELDS: Final = {
    "rgb": (np.uint8, 3),
    "kind": (np.uint8, 1),
    "body_depth": (np.float16, 1),
    "body_planes": (np.float16, 3),
    "hair_planes": (np.float16, 3),
}
EMPTY, BODY, HAIR = 0, 1, 2
VIEWS_PER_EXPRESSION: Final = 3
CONFIG_FILE: Final = "config.json"


@dataclass(frozen=True)
class DatasetConfig:
    """What to render."""

    heads: int = 640
    views: int = 10
    size: int = 128
    map_size: int = 128
    """Side of the canonical maps (colour and hair) stored per head."""
    seed: int = 0

    @property
    def images(self) -> int:
        """Number of images."""
        return self.heads * self.views


@dataclass(frozen=True, eq=False)
class HeadDataset:
    """Memory-mapped arrays. P = size * size pixels; I = heads * views images, grouped by head."""

    config: DatasetConfig
    pixels: dict[str, np.ndarray]  # each [I, P, C]
    cameras: np.ndarray  # float32 [I, 4, 4]
    expressions: np.ndarray  # float32 [I, 52]
    identities: np.ndarray  # float32 [heads, K]
    maps: np.ndarray  # float16 [heads, 7, map_size, map_size]: shaded body RGB, shaded hair RGB, hair height


def build_dataset(folder: Path, config: DatasetConfig, *, workers: int = 1) -> None:
    """Render the set into a folder; a head that is already there is kept, so an interrupted build resumes.

    The bytes depend on `config` only. Raises InputError if the folder holds a set with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_config(folder, config)
    done_file = folder / "done.npy"
    done = np.load(done_file) if done_file.exists() else np.zeros(config.heads, bool)
    _open(folder, config, "r+" if done.any() else "w+")
    todo = np.flatnonzero(~done).tolist()
    for k in progress(_render_all(folder, config, todo, workers), desc="procedural heads", total=len(todo)):
        done[k] = True
        np.save(done_file, done)


def read_config(folder: Path) -> DatasetConfig | None:
    """Settings of the set in a folder, finished or not; None if there is none."""
    path = folder / CONFIG_FILE
    if not path.exists():
        return None
    try:
        return DatasetConfig(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} is not the settings of a set of heads ({error}); delete {folder}."
        ) from error


def open_dataset(folder: Path) -> HeadDataset:
    """Open a finished set read-only."""
    try:
        config = read_config(folder)
        complete = config is not None and bool(np.load(folder / "done.npy").all())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no set of procedural heads ({error}); build it first.") from error
    if config is None:
        raise InputError(f"{folder} holds no set of procedural heads; build it first.")
    if not complete:
        raise InputError(f"The set of heads in {folder} is not finished; build it again, it resumes.")
    return _open(folder, config, "r")


def _check_config(folder: Path, config: DatasetConfig) -> None:
    path = folder / CONFIG_FILE
    text = json.dumps(asdict(config), indent=1, sort_keys=True)
    if path.exists() and path.read_text() != text:
        raise InputError(
            f"{folder} holds a set made with other settings; choose another folder or delete it."
        )
    path.write_text(text)


def _open(folder: Path, config: DatasetConfig, mode: str) -> HeadDataset:
    p, components = config.size**2, load_head_model().component_count

    def array(name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        if mode == "w+":
            return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        return np.load(folder / f"{name}.npy", mmap_mode=mode)  # type: ignore[arg-type]

    return HeadDataset(
        config=config,
        pixels={n: array(n, t, (config.images, p, c)) for n, (t, c) in FIELDS.items()},
        cameras=array("cameras", np.float32, (config.images, 4, 4)),
        expressions=array("expressions", np.float32, (config.images, 52)),
        identities=array("identities", np.float32, (config.heads, components)),
        maps=array("maps", np.float16, (config.heads, 7, config.map_size, config.map_size)),
    )


def _render_all(folder: Path, config: DatasetConfig, todo: list[int], workers: int) -> Iterator[int]:
    render = partial(_render_one, folder, config)
    if workers <= 1:
        yield from map(render, todo)
        return
    # Fresh processes: a forked one would inherit the locks of PyTorch's threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(render, todo)


def _render_one(folder: Path, config: DatasetConfig, index: int) -> int:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    try:
        _render_views(folder, config, index)
    finally:
        torch.set_num_threads(threads)
    return index


def _render_views(folder: Path, config: DatasetConfig, index: int) -> None:
    model, rng = load_head_model(), np.random.default_rng([config.seed, index])
    data = _open(folder, config, "r+")
    head = random_head(model, rng)
    data.identities[index] = head.identity
    data.maps[index] = head_maps(model, head, config.map_size)
    for view in range(config.views):
        i = index * config.views + view
        if view % VIEWS_PER_EXPRESSION == 0:
            expression = random_expression(rng)
        camera = random_camera(rng)
        out = render_head(model, head, expression, camera, config.size)
        data.cameras[i], data.expressions[i] = camera.T_world_camera.numpy(), expression
        data.pixels["rgb"][i] = out.rgb
        data.pixels["kind"][i, :, 0] = np.where(out.is_hair, HAIR, np.where(out.alpha, BODY, EMPTY))
        data.pixels["body_depth"][i, :, 0] = out.body_depth
        data.pixels["body_planes"][i] = out.body_planes
        data.pixels["hair_planes"][i] = out.hair_planes
