"""A set of procedural heads on disk: a file for each head, with its maps over the chart and some views.

Every file depends on the settings and its number only, and is written whole or not at all: an interrupted
build goes on where it was, on any number of workers.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mien.core.atomic import atomic_path
from mien.core.errors import InputError
from mien.core.parallel import in_processes, one_thread
from mien.core.progress import progress
from mien.morphable.model import load_head_model
from mien.training.procedural.draws import draw_camera, draw_expression
from mien.training.procedural.maps import ChartMaps, chart_maps
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import Scene, Sitter, make_sitter, pose
from mien.training.procedural.render.view import ProceduralView, render_view
from mien.training.procedural.response import Response, draw_response
from mien.training.procedural.semantics import Semantic

CONFIG_FILE: Final = "config.json"
EMPTY, BODY, HAIR, OTHER = 0, 1, 2, 3
"""What a pixel shows: nothing, the body or cloth on it, hair, or what is neither."""
VIEWS_PER_EXPRESSION: Final = 2
UNIT: Final = 32767
"""Plane coordinates in [-1, 1] are kept as int16 times this."""
SMALL: Final = 128
"""Side of maps that are not needed sharp."""


@dataclass(frozen=True)
class ShardConfig:
    """What is rendered."""

    heads: int = 600
    views: int = 4
    size_px: int = 256
    map_size: int = 512
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HeadShard:
    """One head. P = size * size pixels."""

    arrays: dict[str, np.ndarray]
    """body, hair: uint8 [N, N, 3]; body_albedo, hair_albedo uint8 [128, 128, 3]; clothed uint8 [128, 128];
    opacity uint8, height float16 [N / 2, N / 2]; identity float32 [K]; light_sh float32 [9, 3]; per view rgb
    uint8 [V, P, 3] (premultiplied), alpha and kind uint8 [V, P], uv int16 [V, P, 2] over `UNIT`, camera
    float32 [V, 4, 4], expression float32 [V, 52]."""
    labels: dict[str, Any]
    """Exact factors by name."""


def build_shards(folder: Path, config: ShardConfig, *, workers: int = 1) -> None:
    """Render the set into a folder. Raises InputError if it holds a set with other settings."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(config), indent=1, sort_keys=True)
    settings = folder / CONFIG_FILE
    if settings.exists() and json.loads(settings.read_text()) | {"heads": 0} != asdict(config) | {"heads": 0}:
        raise InputError(
            f"{folder} holds a set of heads made with other settings; choose another folder or delete it."
        )
    settings.write_text(text)
    todo = [k for k in range(config.heads) if not shard_path(folder, k).exists()]
    drawn = in_processes(partial(_one, folder, config), todo, workers=workers)
    for _ in progress(drawn, desc="procedural heads", total=len(todo)):
        pass


def shard_path(folder: Path, index: int) -> Path:
    """File of a head."""
    return folder / f"{index:06d}.safetensors"


def shards_in(folder: Path) -> list[Path]:
    """Files of the heads that are there. Raises InputError if there is none."""
    found = sorted(folder.glob("[0-9]*.safetensors"))
    if not found:
        raise InputError(f"{folder} holds no procedural heads; make some with `mien train heads`.")
    return found


def read_shard(path: Path, names: tuple[str, ...] | None = None) -> HeadShard:
    """Read a head, or only some of its arrays. Raises InputError for a file that is none."""
    try:
        with safe_open(path, framework="np") as file:
            names = names or tuple(file.keys())
            arrays = {name: file.get_tensor(name) for name in names}
            return HeadShard(arrays, json.loads((file.metadata() or {})["labels"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no file of a procedural head ({error}); delete it and build again."
        ) from error


def draw_shard(config: ShardConfig, index: int) -> HeadShard:
    """Draw, paint and render a head: the same for the same settings and number."""
    model, rng = load_head_model(), np.random.default_rng([config.seed, index])
    person = draw_person(model, rng)
    sitter, response = make_sitter(model, person), draw_response(rng)
    arrays = _maps(chart_maps(sitter, config.map_size, response=response))
    views = list(_views(sitter, config, response, rng))
    arrays |= {name: np.stack([view[name] for view in views]) for name in views[0]}
    arrays |= {"identity": person.shape.identity.astype(np.float32), "light_sh": person.light.total_sh}
    return HeadShard(arrays, person.labels())


def _maps(maps: ChartMaps) -> dict[str, np.ndarray]:
    half = maps.body.shape[0] // 2

    def small(image: np.ndarray, side: int) -> np.ndarray:
        return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))

    return {
        "body": as_bytes(maps.body), "hair": as_bytes(maps.hair),
        "body_albedo": as_bytes(small(maps.body_albedo, SMALL)),
        "hair_albedo": as_bytes(small(maps.hair_albedo, SMALL)),
        "clothed": as_bytes(small(maps.clothed, SMALL)), "opacity": as_bytes(small(maps.opacity, half)),
        "height": small(maps.height, half).astype(np.float16),
    }  # fmt: skip


def _views(
    sitter: Sitter, config: ShardConfig, response: Response, rng: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    scene: Scene | None = None
    for k in range(config.views):
        if scene is None or k % VIEWS_PER_EXPRESSION == 0:
            scene = pose(sitter, draw_expression(rng))
            shadows = scene.shadows(sitter.person.light)
        view = render_view(
            scene, draw_camera(rng), config.size_px, shadows=shadows, response=response, rng=rng
        )
        yield _pixels(view) | {
            "camera": view.camera.T_world_camera.numpy().astype(np.float32), "expression": scene.expression
        }  # fmt: skip


def _pixels(view: ProceduralView) -> dict[str, np.ndarray]:
    hair, body = view.semantic == Semantic.HAIR, view.body_depth > 0
    kind = np.where(
        view.alpha < 0.5, EMPTY, np.where(hair & view.off_body, HAIR, np.where(body, BODY, OTHER))
    )
    kind[np.isin(view.semantic, (Semantic.GLASSES, Semantic.LENS))] = OTHER
    planes = np.where((kind == HAIR)[..., None], view.off_planes, view.body_planes)[..., :2]
    return {
        "rgb": as_bytes(view.rgb).reshape(-1, 3),
        "alpha": as_bytes(view.alpha).reshape(-1),
        "kind": kind.astype(np.uint8).reshape(-1),
        "uv": np.rint(np.clip(planes, -1, 1) * UNIT).astype(np.int16).reshape(-1, 2),
    }


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1], rounded to 255 levels."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _one(folder: Path, config: ShardConfig, index: int) -> int:
    with one_thread():
        shard = draw_shard(config, index)
    arrays = {name: np.ascontiguousarray(values) for name, values in shard.arrays.items()}
    with atomic_path(shard_path(folder, index)) as path:
        save_file(arrays, path, metadata={"labels": json.dumps(shard.labels, sort_keys=True)})
    return index
