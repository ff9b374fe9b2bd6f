"""`mien train parts`: heads drawn for the parts that random people are put together from.

They are the first heads of a training set of the same seed, painted over the chart under one soft light: the
light of a random person is its own. Skin is painted without hair, whose shadow would lie on other people's
faces.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from mien.core.checkpoint import read_header
from mien.core.errors import InputError
from mien.core.parallel import in_processes, one_thread
from mien.core.progress import progress
from mien.generator.names.spec import Value
from mien.generator.parts.store import ASSET, DrawnMaps, Parts, encoded, load_parts, save_parts
from mien.generator.texels import fill
from mien.morphable.model import load_head_model
from mien.training.blockstart import density_share
from mien.training.hairmaps import HairMaps
from mien.training.procedural.growth import grow_strands
from mien.training.procedural.lighting import portrait_light
from mien.training.procedural.maps import ChartMaps, chart_maps, hair_colours
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter
from mien.training.procedural.response import CLEAN
from mien.training.procedural.shards import as_bytes
from mien.training.vocabulary import values_of

SEEN: Final = 0.3
"""Opacity from which on hair has a colour of its own."""


DRAWN: Final = "heads"
"""Folder of single heads, so that a killed run goes on."""
FINE: Final = 2
"""Pieces of a strand per texel: with one, strands come out as beads."""


@dataclass(frozen=True)
class PartsPlan:
    """What is drawn."""

    heads: int = 80
    size: int = 512
    seed: int = 0


@dataclass(frozen=True)
class PartsDone:
    """What was made."""

    path: Path
    bytes: int
    heads: int


def train_parts(folder: Path, plan: PartsPlan, *, workers: int = 1, command: str = "") -> PartsDone:
    """Draw the heads and write them into `folder`; those that an earlier run has drawn are kept.

    InputError if those are of another plan.
    """
    (folder / DRAWN).mkdir(parents=True, exist_ok=True)
    found = in_processes(partial(kept_part, folder / DRAWN, plan), range(plan.heads), workers=workers)
    heads = [load_parts(path) for path in progress(found, desc="heads", total=plan.heads)]
    parts = Parts([head.files[0] for head in heads], [head.labels[0] for head in heads])
    header = {"command": command, **_facts(plan), "data": "procedural heads only"}
    save_parts(folder / ASSET, parts, header)
    return PartsDone(folder / ASSET, (folder / ASSET).stat().st_size, plan.heads)


def kept_part(folder: Path, plan: PartsPlan, index: int) -> Path:
    """The file of one head in a folder; drawn if it is not there."""
    path = folder / f"{index:03d}.safetensors"
    if path.is_file():
        header = read_header(path)
        if {name: header.get(name) for name in _facts(plan)} != _facts(plan):
            raise InputError(
                f"{path} is of seed {header.get('seed')} and {header.get('size')} texels, expected seed "
                f"{plan.seed} and {plan.size} texels; delete {folder} or give another --out."
            )
        return path
    maps, labels = drawn_part(plan, index)
    save_parts(path, Parts([encoded(maps)], [labels]), _facts(plan))
    return path


def _facts(plan: PartsPlan) -> dict[str, int]:
    return {"seed": plan.seed, "size": plan.size}


def drawn_part(plan: PartsPlan, index: int) -> tuple[DrawnMaps, dict[str, Value]]:
    """Maps and labels of a head: the same for the same settings and number."""
    model, rng = load_head_model(), np.random.default_rng([plan.seed, index])
    person = draw_person(model, rng)
    bald = replace(person, hair=replace(person.hair, family="bald"))
    with one_thread():
        light, sitter = portrait_light(), make_sitter(model, bald)
        skin = chart_maps(sitter, plan.size, light=light, response=CLEAN)
        haired = replace(sitter, person=person, strands=grow_strands(model, person, sitter.neutral))
        hair = hair_colours(haired, plan.size, light=light, fine=FINE)
    return _maps(skin, hair), values_of(person.labels(), person.light.total_sh)


def _maps(skin: ChartMaps, hair: HairMaps) -> DrawnMaps:
    half = len(hair.height) // 2
    height, opacity = (
        cv2.resize(layer, (half, half), interpolation=cv2.INTER_AREA) for layer in (hair.height, hair.opacity)
    )
    share = density_share(torch.from_numpy(opacity), torch.from_numpy(height)).numpy()
    colours = filled_hair(hair.rgb, hair.opacity)
    return DrawnMaps(as_bytes(skin.body), skin.clothed, as_bytes(colours), height, share)


def filled_hair(
    rgb: Float32[np.ndarray, "size size 3"], opacity: Float32[np.ndarray, "size size"]
) -> Float32[np.ndarray, "size size 3"]:
    """Colours of hair carried on to where there is none; black where a head has none at all."""
    seen = torch.from_numpy((opacity > SEEN).astype(np.float32))
    if seen.sum() == 0:
        return np.zeros_like(rgb)
    colours = torch.from_numpy(rgb).permute(2, 0, 1)
    mean = ((colours * seen).sum((1, 2)) / seen.sum())[:, None, None]
    around = mean + fill((colours - mean) * seen, seen)
    return np.asarray(torch.where(seen > 0, colours, around).permute(1, 2, 0).numpy())
