"""Values of names as numbers: slots (as they are kept) and features (what regressions read)."""

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.names.spec import Name, Value, Vocabulary


def slot_count(name: Name) -> int:
    """Numbers that a value is kept in: three for a colour."""
    return 3 if name.kind == "colour" else 1


def slots(vocabulary: Vocabulary) -> dict[str, slice]:
    """Where each name's slots lie."""
    return _places(vocabulary, slot_count)


def to_slots(name: Name, value: Value) -> list[float]:
    """A value in its slots: a number itself, a choice's place, a colour's sRGB in [0, 1]."""
    if name.kind == "choice":
        return [float(name.choices.index(str(value)))]
    if name.kind == "colour":
        text = str(value).removeprefix("#")
        return [int(text[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    return [float(value)]


def from_slots(name: Name, values: Float[Tensor, " slot"]) -> Value:
    """The value in its slots, within its range."""
    if name.kind == "choice":
        return name.choices[min(max(round(float(values[0])), 0), len(name.choices) - 1)]
    if name.kind == "colour":
        return "#" + "".join(f"{round(255 * min(max(float(c), 0.0), 1.0)):02x}" for c in values)
    return min(max(float(values[0]), name.low), name.high)


def feature_count(name: Name) -> int:
    """Features of a value: one of a number, or two; one of each choice; three of a colour."""
    if name.kind == "choice":
        return len(name.choices)
    return 3 if name.kind == "colour" else 1 + name.curved


def features(vocabulary: Vocabulary) -> dict[str, slice]:
    """Where each name's features lie."""
    return _places(vocabulary, feature_count)


def to_features(vocabulary: Vocabulary, table: Float[Tensor, "row slot"]) -> Float[Tensor, "row feature"]:
    """Features of rows of slots: numbers go to [-1, 1] over their range."""
    parts = []
    for name, place in zip(vocabulary.names, slots(vocabulary).values(), strict=True):
        x = table[:, place]
        if name.kind == "choice":
            parts.append(torch.nn.functional.one_hot(x[:, 0].round().long(), len(name.choices)).to(x.dtype))
            continue
        low, high = (0.0, 1.0) if name.kind == "colour" else (name.low, name.high)
        t = (2 * x - low - high) / (high - low)
        parts.append(torch.cat([t, t.square()], 1) if name.curved else t)
    return torch.cat(parts, 1)


def from_features(vocabulary: Vocabulary, found: Float[Tensor, " feature"]) -> dict[str, tuple[Value, float]]:
    """Nearest values of features that were estimated, and how far the best choice leads (0 for numbers)."""
    out: dict[str, tuple[Value, float]] = {}
    for name, place in zip(vocabulary.names, features(vocabulary).values(), strict=True):
        f = found[place]
        if name.kind == "choice":
            best = f.sort(descending=True).values
            out[name.name] = (name.choices[int(f.argmax())], float(best[0] - best[1]))
        elif name.kind == "colour":
            out[name.name] = (from_slots(name, (f + 1) / 2), 0.0)
        else:
            number = (f[:1] * (name.high - name.low) + name.low + name.high) / 2
            out[name.name] = (from_slots(name, number), 0.0)
    return out


def _places(vocabulary: Vocabulary, count) -> dict[str, slice]:  # type: ignore[no-untyped-def]
    out, first = {}, 0
    for name in vocabulary.names:
        out[name.name] = slice(first, first + count(name))
        first = out[name.name].stop
    return out
