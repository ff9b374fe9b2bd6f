"""Fit what a generator knows of names: heads' exact labels against their latents and forms.

Ridge regressions, both ways. For drawing people, every block of W is explained by
all names that may go with it. An edit must do what the name says and no more: each name's own direction
is regressed beside the names that it does not cause, so that age brings its wrinkles, but wrinkles no age.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.backbones.blocks import Block
from mien.generator.names import coding
from mien.generator.names.model import Names, NamesConfig
from mien.generator.names.spec import Name, Value, Vocabulary
from mien.training.ridge import best_ridge, ridge

PULL: Final = 1.0
"""Heads' worth of pull towards no effect of a name. Little: of few heads with a rare beard, their mean is
wanted, and what such a fit overdoes the rest of the codes lacks."""
LEAST_SPREAD: Final = 1e-3
ROOTS: Final = ("sex", "age", "weight", "skin")
"""Causes of the other names: their edits bring along what usually goes with them."""
GOES_WITH: Final[dict[Block, tuple[str, ...]]] = {
    "appearance": ("identity", "appearance", "hair", "light"), "hair": ("hair", "light"),
    "clothes": ("clothes",), "light": ("light",),
}  # fmt: skip
"""For each block, what names move that may explain it: brows go with the hair, shadows with
light."""


@dataclass(frozen=True, eq=False)
class LabelledHeads:
    """Training heads, then held-out ones."""

    values: Sequence[Mapping[str, Value]]
    codes: Float[Tensor, "head w"]
    identity: Float[Tensor, "head component"]
    held_out: int


def fit_names(vocabulary: Vocabulary, heads: LabelledHeads, blocks: Mapping[Block, slice]) -> Names:
    """Names of a generator whose W has these blocks, with figures from the held-out heads."""
    table = torch.tensor(
        [[x for n in vocabulary.names for x in coding.to_slots(n, v[n.name])] for v in heads.values]
    )
    known = len(table) - heads.held_out
    f = coding.to_features(vocabulary, table)
    config = NamesConfig(vocabulary, known, heads.codes.shape[1], heads.identity.shape[1])
    names = Names(config)
    mean = f[:known].mean(0)
    x, codes = f[:known] - mean, heads.codes[:known] - heads.codes[:known].mean(0)
    names.table.copy_(table[:known])
    names.mean.copy_(mean)
    for block, place in blocks.items():
        used = _columns(vocabulary, [n for n in vocabulary.names if set(n.moves) & set(GOES_WITH[block])])
        names.to_w[used, place] = ridge(x[:, used], codes[:, place], PULL)
        for name in vocabulary.names:
            if block in name.moves:
                names.edits[names.features[name.name], place] = _direction(
                    name, vocabulary, x, codes[:, place]
                )
    _fit_reading(names, f[:known], heads.codes[:known], heads.identity[:known])
    scores = _scores(names, table[known:], heads.codes[known:], heads.identity[known:])
    names.config = NamesConfig(vocabulary, known, config.w_size, config.identity_size, scores)
    return names


def unnamed(names: Names, codes: Float[Tensor, "head w"]) -> Float[Tensor, "head w"]:
    """What the names leave open of training heads' codes: what the mapping network is to draw."""
    f = coding.to_features(names.vocabulary, names.table) - names.mean
    return codes - f @ names.to_w


def _direction(
    name: Name, vocabulary: Vocabulary, x: Float[Tensor, "head feature"], y: Float[Tensor, "head w"]
) -> Float[Tensor, "own w"]:
    """A name's own effect, beside the names that it does not cause."""
    others = ROOTS if name.name in ROOTS else tuple(n.name for n in vocabulary.names)
    same = [n for n in vocabulary.names if n.name == name.name]
    beside = [n for n in vocabulary.names if n.name in others and n.name != name.name]
    used = _columns(vocabulary, same + beside)
    return ridge(x[:, used], y, PULL)[: coding.feature_count(name)]


def _columns(vocabulary: Vocabulary, names: Sequence[Name]) -> list[int]:
    places = coding.features(vocabulary)
    return [k for n in names for k in range(places[n.name].start, places[n.name].stop)]


def _fit_reading(
    names: Names, f: Tensor, codes: Float[Tensor, "head w"], identity: Float[Tensor, "head component"]
) -> None:
    seen = torch.cat([codes, identity], 1)
    middle, spread = seen.mean(0), seen.std(0).clamp(min=LEAST_SPREAD)
    x, y = (seen - middle) / spread, f - f.mean(0)
    parts = [best_ridge(x, y[:, place]) for place in names.features.values()]
    slope = torch.cat(parts, 1) / spread[:, None]
    names.read_w.copy_(slope[: codes.shape[1]])
    names.read_identity.copy_(slope[codes.shape[1] :])
    names.read_mean.copy_(f.mean(0) - middle @ slope)


def _scores(
    names: Names, table: Float[Tensor, "head slot"], codes: Tensor, identity: Tensor
) -> tuple[tuple[str, float], ...]:
    """R2 (against the training heads' mean), or the share of right choices, of what is read from heads."""
    read = [names.read(w, form) for w, form in zip(codes, identity, strict=True)]
    out = []
    for name in names.vocabulary.names:
        true = table[:, names.slots[name.name]]
        found = torch.tensor([coding.to_slots(name, labels[name.name][0]) for labels in read])
        if name.kind == "choice":
            score = (true == found).float().mean()
        else:
            usual = names.table[:, names.slots[name.name]].mean(0)
            rest, all_ = (true - found).square().sum(), (true - usual).square().sum()
            score = 1 - rest / all_.clamp(min=1e-9)
        out.append((name.name, round(float(score), 3)))
    return tuple(out)
