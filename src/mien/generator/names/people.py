"""Forms of heads that go with labels, and edits of people by name."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.names import coding
from mien.generator.names.model import Drawn, Names
from mien.generator.names.spec import Value
from mien.morphable.people import Sex, ancestry_of, identity_of, load_head_factors, mean_identity

LEAST_WEIGHT: Final = 1e-4
"""Training heads that fit worse do not count for the mean form."""


def draw_identities(
    names: Names, drawn: Drawn, *, truncation: float = 1.0, generator: torch.Generator | None = None
) -> Float[Tensor, "person component"]:
    """Forms of heads that go with their labels, see `mien.morphable.people`."""
    components = len(load_head_factors().spread)
    noise = torch.randn(len(drawn.table), components + 3, generator=generator).numpy()
    middle = _middle_form(names, drawn)
    out = []
    for row, own in zip(drawn.table, noise, strict=True):
        label = names.labels(row)
        form = identity_of(
            _sex(label["sex"]),
            float(label["age"]),
            weight=float(label["weight"]),
            ancestry=ancestry_of(float(label["skin"]), own[:3]),
            noise=own[3:],
        )
        out.append(torch.lerp(middle, torch.from_numpy(form), truncation))
    return torch.stack(out)


def edit(
    names: Names,
    w: Float[Tensor, " w"],
    identity: Float[Tensor, " component"],
    values: Mapping[str, Value],
) -> tuple[Float[Tensor, " w"], Float[Tensor, " component"]]:
    """Latent and form of a person with other values of some names.

    Blocks of W that a name does not move stay as they are. What the person has so far is read from both.
    Raises InputError for names or values that are not known.
    """
    values = names.vocabulary.check(values)
    before = {name: value for name, (value, _) in names.read(w, identity).items()}
    after = before | values
    old, new = (_row(names, labels) for labels in (before, after))
    change = (coding.to_features(names.vocabulary, new) - coding.to_features(names.vocabulary, old))[0]
    form = _form(after) - _form(before)
    return w + change @ names.edits, identity + torch.from_numpy(form)


def _row(names: Names, labels: Mapping[str, Value]) -> Float[Tensor, "1 slot"]:
    parts = [coding.to_slots(name, labels[name.name]) for name in names.vocabulary.names]
    return torch.tensor([[x for part in parts for x in part]])


def _form(labels: Mapping[str, Value]) -> np.ndarray:
    """The mean form of people with these labels, but for ancestry, float32 [K]."""
    mean = mean_identity(_sex(labels["sex"]), float(labels["age"]))
    weight = (float(labels["weight"]) - 0.5) * load_head_factors().along[0]
    return np.asarray(mean + weight, dtype=np.float32)


def _middle_form(names: Names, drawn: Drawn) -> Float[Tensor, " component"]:
    """Mean form of training heads that fit what was asked for."""
    fit = torch.nonzero(drawn.weights > LEAST_WEIGHT)[:, 0]
    weight = (drawn.weights[fit] / drawn.weights[fit].sum()).numpy()
    forms = np.stack([_form(names.labels(drawn.known[k])) for k in fit.tolist()])
    return torch.from_numpy(np.asarray(weight @ forms, dtype=np.float32))


def _sex(value: Value) -> Sex:
    return "female" if value == "female" else "male"
