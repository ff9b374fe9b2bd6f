"""People by name: labels drawn as they go together, W and the head's form given labels, and labels read back.

W given the labels is linear: W = mapping(z) + features(labels) @ to_w, where the mapping network has learned
what the labels leave open. Labels are drawn from those of the training heads (a smoothed bootstrap, Silverman
and Young 1987), so that random people have the hair, skin and clothes that go with their age and sex.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.errors import InputError
from mien.generator.names import coding
from mien.generator.names.spec import Value, Vocabulary, vocabulary_from

NEAR: Final = 0.06
"""How alike a number must be to count as the one asked for, in shares of its range."""
NEAR_COLOUR: Final = 0.15
OTHER_CHOICE: Final = 4.0
"""Distance between two choices, in those units."""
LEAST_ROWS: Final = 8.0
"""Training heads among which a person's open labels are drawn, at least."""
JITTER: Final = 0.04
"""Of drawn numbers, in shares of their range; a number at the end of its range stays there."""


@dataclass(frozen=True)
class NamesConfig:
    """The names, and sizes of what is known of them."""

    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    rows: int = 0
    """Training heads whose labels are kept."""
    w_size: int = 0
    identity_size: int = 0
    held_out: tuple[tuple[str, float], ...] = ()
    """How well each name is read from heads that were held out: R2 of numbers and colours, share of right
    choices."""


def names_config_from(values: Mapping[str, Any]) -> NamesConfig:
    """A config as a file's header holds it. Raises KeyError, TypeError or ValueError for what is none."""
    scores = tuple((str(name), float(score)) for name, score in values["held_out"])
    rows, w, identity = (int(values[k]) for k in ("rows", "w_size", "identity_size"))
    return NamesConfig(vocabulary_from(values["vocabulary"]), rows, w, identity, scores)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Labels of random people."""

    table: Float[Tensor, "person slot"]
    features: Float[Tensor, "person feature"]
    """About their mean, after truncation."""
    known: Float[Tensor, "row slot"]
    """Labels of the training heads, but for what was asked for."""
    weights: Float[Tensor, " row"]
    """How well each training head fits what was asked for, of sum 1."""


class Names(nn.Module):
    """Labels, and linear maps from them to W and back."""

    table: Tensor
    mean: Tensor
    to_w: Tensor
    edits: Tensor
    read_w: Tensor
    read_identity: Tensor
    read_mean: Tensor

    def __init__(self, config: NamesConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = v = config.vocabulary
        self.slots, self.features = coding.slots(v), coding.features(v)
        count = sum(coding.feature_count(n) for n in v.names)
        self.register_buffer("table", torch.zeros(config.rows, sum(coding.slot_count(n) for n in v.names)))
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("to_w", torch.zeros(count, config.w_size))
        self.register_buffer("edits", torch.zeros(count, config.w_size))
        self.register_buffer("read_w", torch.zeros(config.w_size, count))
        self.register_buffer("read_identity", torch.zeros(config.identity_size, count))
        self.register_buffer("read_mean", torch.zeros(count))

    def labels(self, row: Float[Tensor, " slot"]) -> dict[str, Value]:
        """Values by name of a row of the table."""
        return {n.name: coding.from_slots(n, row[self.slots[n.name]]) for n in self.vocabulary.names}

    def draw(
        self,
        count: int,
        given: Mapping[str, Value],
        *,
        truncation: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Drawn:
        """Labels of people of whom some are `given`; truncation pulls the others to their mean."""
        weights = self._fitting(given)
        rows = torch.multinomial(weights, count, replacement=True, generator=generator)
        table = self._jittered(self.table[rows], generator)
        given_slots = self._overwrite(table, given)
        known = self._overwrite(self.table.clone(), given)
        middle = (weights @ coding.to_features(self.vocabulary, known)) - self.mean
        drawn = coding.to_features(self.vocabulary, given_slots) - self.mean
        return Drawn(given_slots, middle + truncation * (drawn - middle), known, weights)

    def offset(self, drawn: Drawn) -> Float[Tensor, "person w"]:
        """What the labels add to W."""
        return drawn.features @ self.to_w

    def read(
        self, w: Float[Tensor, " w"], identity: Float[Tensor, " component"]
    ) -> dict[str, tuple[Value, float]]:
        """Labels of a head, as far as they can be read from it, and the lead of the best choice."""
        found = self.read_mean + w @ self.read_w + identity @ self.read_identity
        return coding.from_features(self.vocabulary, found)

    def _fitting(self, given: Mapping[str, Value]) -> Float[Tensor, " row"]:
        """Weights of training heads; wider the fewer there are that fit."""
        distance = torch.zeros(len(self.table))
        for name in given:
            spec, place = self.vocabulary[name], self.slots[name]
            off = self.table[:, place] - torch.tensor(coding.to_slots(spec, given[name]))
            if spec.kind == "choice":
                distance = distance + (off[:, 0].abs() > 0.5) * OTHER_CHOICE**2
            elif spec.kind == "colour":
                distance = distance + (off / NEAR_COLOUR).square().sum(1)
            else:
                distance = distance + (off[:, 0] / (NEAR * (spec.high - spec.low))).square()
        least, width = min(LEAST_ROWS, len(self.table) / 2), 1.0
        while True:
            weights = torch.softmax(-distance / (2 * width**2), 0)
            if 1 / weights.square().sum() >= least:
                return weights
            width *= 1.5

    def _jittered(
        self, table: Float[Tensor, "person slot"], generator: torch.Generator | None
    ) -> Float[Tensor, "person slot"]:
        noise = torch.randn(table.shape, generator=generator)
        table = table.clone()
        for name in self.vocabulary.names:
            x = table[:, self.slots[name.name]]
            if name.kind == "choice":
                continue
            low, high = (0.0, 1.0) if name.kind == "colour" else (name.low, name.high)
            moved = x + JITTER * (high - low) * noise[:, self.slots[name.name]]
            inside = (x > low + 1e-3 * (high - low)) & (x < high - 1e-3 * (high - low))
            table[:, self.slots[name.name]] = torch.where(inside, moved.clamp(low, high), x)
        return table

    def _overwrite(self, table: Tensor, given: Mapping[str, Value]) -> Tensor:
        for name, value in given.items():
            table[:, self.slots[name]] = torch.tensor(coding.to_slots(self.vocabulary[name], value))
        return table


def parse_values(names: Names | None, wanted: Sequence[str]) -> dict[str, Value]:
    """Values from texts such as `age=70`; InputError if the generator knows no names."""
    if not wanted:
        return {}
    return names_of(names).vocabulary.parse(wanted)


def names_of(names: Names | None) -> Names:
    """The names of a generator. Raises InputError if it has none."""
    if names is None:
        raise InputError(
            "This generator knows no names of people's features; use one made by `mien train prior`, or "
            "leave out --with and --edit."
        )
    return names
