"""What a person can be asked for by name: kinds of values, their ranges and words, and how they are read."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from PIL import ImageColor

from mien.core.errors import InputError

Kind = Literal["number", "choice", "colour"]
Value = float | str
"""A number, one of the choices, or a colour as #rrggbb."""
Part = Literal["appearance", "hair", "clothes", "light", "identity"]
"""A block of W, or the head's form."""
NEAR: Final = 0.4
"""Likeness from which on a misspelt word is taken for a known one."""


@dataclass(frozen=True)
class Name:
    """One name."""

    name: str
    about: str
    kind: Kind = "number"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()
    words: tuple[tuple[str, float], ...] = ()
    """Words for some numbers, such as dark for a skin of 0.8."""
    moves: tuple[Part, ...] = ("appearance",)
    """What an edit of it changes."""
    curved: bool = False
    """Whether the square of the number counts beside the number."""

    def parse(self, text: str) -> Value:
        """A value as a user writes it. Raises InputError."""
        if self.kind == "choice":
            return _one_of(text, self.choices, f"{self.name}=")
        if self.kind == "colour":
            return _colour(text, self.name)
        words = dict(self.words)
        try:
            value = float(text)
        except ValueError:
            if not words:
                raise InputError(f"{self.name}={text} is no number; give {self.range}.") from None
            return words[_one_of(text, tuple(words), f"{self.name}=", f", or {self.range}")]
        if not self.low <= value <= self.high:
            raise InputError(f"{self.name}={text} is out of range; give {self.range}.")
        return value

    @property
    def range(self) -> str:
        """Such as "10 to 80 years"."""
        return f"a number from {self.low:g} to {self.high:g} {self.unit}".rstrip()

    @property
    def values(self) -> str:
        """All that may be given, for a list of names."""
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind == "colour":
            return "a colour such as navy or #203050"
        words = ", ".join(word for word, _ in self.words)
        return self.range + (f", or {words}" if words else "")


@dataclass(frozen=True)
class Alias:
    """A name whose choices stand for values of other names."""

    name: str
    about: str
    choices: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    """Each choice with the numbers that it stands for."""

    def parse(self, text: str) -> dict[str, Value]:
        """The values that a choice stands for. Raises InputError."""
        known = dict(self.choices)
        return dict(known[_one_of(text, tuple(known), f"{self.name}=")])


@dataclass(frozen=True)
class Vocabulary:
    """All names of a generator."""

    names: tuple[Name, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def __getitem__(self, name: str) -> Name:
        return self.names[self.index(name)]

    def index(self, name: str) -> int:
        """Place of a name. Raises InputError for one that is not known."""
        known = [n.name for n in self.names]
        return known.index(_one_of(name, known, "The name "))

    def parse(self, wanted: Iterable[str]) -> dict[str, Value]:
        """Values by name from texts such as `age=70`. InputError for what is not known or given twice."""
        out: dict[str, Value] = {}
        aliases = {alias.name: alias for alias in self.aliases}
        for text in wanted:
            name, found, value = text.partition("=")
            name, value = _plain(name), value.strip()
            if not (found and name and value):
                raise InputError(f"{text!r} names nothing; write a name and a value, such as age=70.")
            known = (*(n.name for n in self.names), *aliases)
            name = _one_of(name, known, "The name ")
            more = aliases[name].parse(value) if name in aliases else {name: self[name].parse(value)}
            for twice in more.keys() & out.keys():
                raise InputError(f"{text} gives {twice} a second value; leave one of them out.")
            out |= more
        return out

    def check(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Values given in Python, checked as if a user had written them."""
        return self.parse(f"{name}={value}" for name, value in values.items())


def vocabulary_from(values: Mapping[str, Any]) -> Vocabulary:
    """Names as a file's header holds them (JSON knows no tuples)."""
    names = [Name(**{k: _tuples(v) for k, v in name.items()}) for name in values["names"]]
    aliases = [Alias(**{k: _tuples(v) for k, v in alias.items()}) for alias in values["aliases"]]
    return Vocabulary(tuple(names), tuple(aliases))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_")


def _one_of(word: str, known: Sequence[str], before: str, after: str = "") -> str:
    """The known word that was meant: exactly, but for case, blanks and dashes. Raises InputError."""
    plain = {_plain(k).replace(" ", "_"): k for k in known}
    wanted = _plain(word).replace(" ", "_")
    if wanted in plain:
        return plain[wanted]
    near = difflib.get_close_matches(wanted, plain, n=2, cutoff=NEAR)
    guess = f" Did you mean {' or '.join(plain[n] for n in near)}?" if near else ""
    raise InputError(f"{before}{word} is not known.{guess} Known are {', '.join(known)}{after}.")


def _colour(text: str, name: str) -> str:
    try:
        r, g, b = ImageColor.getrgb(text.strip())[:3]
    except ValueError:
        raise InputError(
            f"{name}={text} is no colour; give one such as navy, or hexadecimal red, green and blue such as "
            "#203050."
        ) from None
    return f"#{r:02x}{g:02x}{b:02x}"
