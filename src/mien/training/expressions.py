"""What expressions do to the colours of a face: wrinkles, and how folded and turned skin is lit.

Some procedural people are painted at rest and in expressions over the same chart. The change of their
colours (in logits) is regressed on the 52 coefficients, and its few principal directions go to the
generator: code = linear in the coefficients, and one plane for each number of the code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32
from safetensors.numpy import load_file, save_file
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.atomic import atomic_path
from mien.core.progress import progress
from mien.generator.backbones.blocks import BlocksBackbone, wrinkle_zone
from mien.generator.samples import rest_expression
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.maps import face_colours
from mien.training.procedural.paint.appearance import paint_person
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.cloth_shell import cloth_faces
from mien.training.procedural.render.scene import Sitter
from mien.training.procedural.response import draw_response
from mien.training.procedural.strands.base import no_strands
from mien.training.ridge import ridge

FOLDER: Final = "expressions"
SIDES: Final = ("Left", "Right")
STILL: Final = ("eyeLook", "tongueOut", "mouthClose")
"""Starts of names that move no skin worth the name."""


@dataclass(frozen=True)
class ExpressionConfig:
    """How many people are painted, in how many expressions, and the regression."""

    people: int = 48
    each: int = 8
    """Expressions of each: half of them single actions, half as they go together."""
    size: int = 256
    """Side of the maps."""
    pull: float = 2.0
    """Pull towards no change, in expressions with the whole action."""
    seed: int = 0


@dataclass(frozen=True)
class ExpressionReport:
    """How much of the change of colours the generator has."""

    explained: float
    """Share of the variance in expressions of people who were held out."""
    most: float
    """The same with as many planes as coefficients."""


def actions() -> list[list[int]]:
    """Indices of coefficients that move skin; both sides of an action together."""
    names = [n for n in ARKIT_NAMES if n != "_neutral" and not n.startswith(STILL)]
    stems = dict.fromkeys(n.removesuffix("Left").removesuffix("Right") for n in names)
    return [[ARKIT_INDEX[s + side] for side in ("", *SIDES) if s + side in ARKIT_INDEX] for s in stems]


def build_expressions(folder: Path, config: ExpressionConfig) -> list[Path]:
    """A file for each person, as far as it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{config.seed}_{config.size}_{k:04d}.safetensors" for k in range(config.people)]
    todo = [k for k, path in enumerate(paths) if not path.exists()]
    model = load_head_model()
    for k in progress(todo, desc="expressions"):
        with atomic_path(paths[k]) as path:
            save_file(_painted(model, config, k), path)
    return paths


def _painted(model: MorphableModel, config: ExpressionConfig, index: int) -> dict[str, np.ndarray]:
    """Expressions [N, 52] less rest, and float16 change [N, 3, V, U] of logits in the zone of wrinkles."""
    rng = np.random.default_rng([config.seed, index, 52])
    person = replace(draw_person(model, rng), glasses=None)
    neutral = model.vertices(torch.from_numpy(person.shape.identity), torch.zeros(52)).numpy()
    sitter = Sitter(
        model, person, paint_person(model, person), neutral.astype(np.float32),
        cloth_faces(model, person.clothes), no_strands(), None,
    )  # fmt: skip
    response, rest = draw_response(rng), rest_expression().numpy()
    expressions = [rest, *drawn_expressions(config, index, rng)]
    colours = [_zone(face_colours(sitter, e, config.size, response=response)) for e in expressions]
    change = np.stack([c - colours[0] for c in colours[1:]])
    return {
        "expression": np.stack(expressions[1:]).astype(np.float32) - rest,
        "change": np.ascontiguousarray(change, dtype=np.float16),
    }


def drawn_expressions(
    config: ExpressionConfig, index: int, rng: np.random.Generator
) -> list[Float32[np.ndarray, "52"]]:
    """Single actions in turn, then moods."""
    out, groups, single = [], actions(), config.each // 2
    for k in range(config.each):
        if k >= single:
            out.append(draw_expression(rng))
            continue
        e = rest_expression().numpy()
        e[groups[(index * single + k) % len(groups)]] += rng.uniform(0.6, 1.0)
        out.append(np.clip(e, 0, 1))
    return out


def _zone(rgb: Float32[np.ndarray, "size size 3"]) -> Float32[np.ndarray, "3 v u"]:
    rows, columns = wrinkle_zone(len(rgb))
    image = rgb[rows, columns].transpose(2, 0, 1)
    return np.asarray(torch.logit(torch.from_numpy(image).clamp(0.015, 0.985)).numpy())


def fit_expressions(backbone: BlocksBackbone, paths: Sequence[Path], pull: float) -> ExpressionReport:
    """Set the expression's code and planes of a backbone; scores are of a fit without every sixth person."""
    x, y, person = _mirrored(paths)
    held = person % 6 == 5
    rank = backbone.config.expression_codes
    report = ExpressionReport(0.0, 0.0)
    if held.any():
        least = ridge(x[~held], y[~held], pull)
        code, basis = _principal(least, x[~held], rank)
        shares = [_explained(y[held], x[held] @ slope) for slope in (code @ basis, least)]
        report = ExpressionReport(*(round(s, 4) for s in shares))
    code, basis = _principal(ridge(x, y, pull), x, rank)
    shape = backbone.expression_uv.shape
    with torch.no_grad():
        backbone.expression_code.weight.copy_(code.T)
        backbone.expression_uv.copy_(basis.view(shape))
    return report


def _mirrored(paths: Sequence[Path]) -> tuple[Tensor, Tensor, Tensor]:
    """Expressions [N, 52], changes [N, 3 V U], people [N]; each also as in a mirror."""
    swap = [ARKIT_INDEX[_other_side(n)] for n in ARKIT_NAMES]
    x, y, person = [], [], []
    for k, path in enumerate(paths):
        found = load_file(path)
        e, change = torch.from_numpy(found["expression"]), torch.from_numpy(found["change"]).float()
        x += [e, e[:, swap]]
        y += [change.flatten(1), change.flip(-1).flatten(1)]
        person += [k] * (2 * len(e))
    return torch.cat(x), torch.cat(y), torch.tensor(person)


def _other_side(name: str) -> str:
    for one, other in (SIDES, SIDES[::-1]):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def _principal(slope: Tensor, x: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Code [52, rank] and planes [rank, P] nearest to a slope, for expressions as frequent as in `x`."""
    often = torch.linalg.cholesky(x.T @ x / len(x) + 1e-4 * torch.eye(x.shape[1]))
    u, s, vt = torch.linalg.svd(often.T @ slope, full_matrices=False)
    code = torch.linalg.solve_triangular(often.T, u[:, :rank], upper=True)
    return code, s[:rank, None] * vt[:rank]


def _explained(y: Tensor, found: Tensor) -> float:
    return 1 - float((y - found).square().sum() / y.square().sum())
