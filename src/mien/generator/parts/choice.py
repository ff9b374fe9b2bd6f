"""Which drawn heads lend a random person their parts: those whose labels are nearest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.names.spec import Value, Vocabulary

Kind = Literal["face", "eyes", "hair", "colour", "clothes"]
WEIGHTS: Final[dict[Kind, dict[str, float]]] = {
    "face": {
        "sex": 2.0, "age": 6.0, "skin": 5.0, "beard": 6.0, "freckles": 2.0, "grey": 1.5, "hair_darkness": 1.0,
        "wrinkles": 1.0, "stubble": 1.0, "lipstick": 1.0, "age_spots": 1.0, "brows": 0.7, "eyeliner": 0.7,
        "eye_shadow": 0.7, "redness": 0.7, "eye_rings": 0.5, "blush": 0.5, "lip_redness": 0.5,
    },
    "eyes": {"eyes": 3.0, "age": 1.75},
    "hair": {
        "hair": 2.5, "hair_length": 6.0, "curl": 1.5, "fringe": 1.0, "receding": 1.0, "volume": 0.7,
        "sex": 0.7, "grey": 0.7, "hair_darkness": 0.7,
    },
    "colour": {"hair_darkness": 5.0, "hair_redness": 4.0, "grey": 4.0},
    "clothes": {"neckline": 2.0},
}  # fmt: skip
"""How much a name counts: per range of a number, or between two choices."""
SHAVEN: Final = ("none", "stubble")
"""Beards that lie on no collar."""
FAR: Final = 1e6
CHANCE: Final = 0.5
"""Mean of what is added to squared distances at random, so that people of like labels differ."""


@dataclass(frozen=True)
class Chosen:
    """Numbers of the heads that lend each part, and whether it is mirrored."""

    heads: Mapping[Kind, int]
    mirrored: Mapping[Kind, bool]


def choose(
    vocabulary: Vocabulary, known: Sequence[Mapping[str, Value]], wanted: Mapping[str, Value], *, seed: int
) -> Chosen:
    """Heads with labels `known` that come near to what is `wanted`. Deterministic for a seed.

    What a part does not depend on never changes its choice: another cut leaves the face as it is.
    """
    heads: dict[Kind, int] = {}
    mirrored: dict[Kind, bool] = {}
    for number, (kind, weights) in enumerate(WEIGHTS.items()):
        random = torch.Generator().manual_seed(seed * len(WEIGHTS) + number)
        chance = CHANCE * torch.empty(len(known)).exponential_(generator=random)
        distance = _distances(vocabulary, known, wanted, weights)
        distance[[not can_lend(kind, row) for row in known]] = FAR
        heads[kind] = int((distance + chance).argmin())
        mirrored[kind] = bool(torch.rand(1, generator=random) < 0.5)
    return Chosen(heads, mirrored)


def can_lend(kind: Kind, labels: Mapping[str, Value]) -> bool:
    """Whether a head has such a part: no bald one has a colour of hair, and beards hang over clothes."""
    if kind == "colour":
        return labels.get("hair") != "bald"
    return kind != "clothes" or labels.get("beard", "none") in SHAVEN


def _distances(
    vocabulary: Vocabulary, known: Sequence[Mapping[str, Value]], wanted: Mapping[str, Value],
    weights: Mapping[str, float],
) -> Float[Tensor, " head"]:  # fmt: skip
    """Squared distances of all labels that have a weight."""
    specs = {name.name: name for name in vocabulary.names}
    total = torch.zeros(len(known))
    for name, weight in weights.items():
        if name not in specs or name not in wanted or any(name not in row for row in known):
            continue
        if specs[name].kind == "choice":
            off = torch.tensor([float(row[name] != wanted[name]) for row in known])
        else:
            spread = specs[name].high - specs[name].low
            off = torch.tensor([float(row[name]) - float(wanted[name]) for row in known]) / spread
        total += (weight * off).square()
    return total
