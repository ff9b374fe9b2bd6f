"""Who fares worse: the figures by age, sex, skin, hair, beard and glasses."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

YAWS_DEG: Final = (0.0, 30.0)
HAIR: Final = {
    "none or cropped": ("bald", "ring", "buzz"),
    "short": ("short", "side_part", "slicked"),
    "curly": ("curly", "afro"),
    "half long": ("shag", "bob"),
    "long": ("long_straight", "long_wavy"),
    "tied": ("bun", "ponytail"),
}
"""Families of hair that are looked at together."""
AGES: Final = ((0.0, "under 30"), (30.0, "30 to 55"), (55.0, "over 55"))
SKIN: Final = ((0.0, "light"), (0.33, "medium"), (0.67, "dark"))
"""By the share of the human range of melanin."""


@dataclass(frozen=True)
class Group:
    """Persons who have something in common."""

    persons: int
    psnr_db: dict[str, float | None]
    """Of the foreground by yaw in degrees, mean over persons; None at yaws that were not measured."""
    identity_seen: dict[str, float | None]
    """Distance of dlib's numbers by yaw, mean over those persons in whom it finds faces."""


def groups_of(labels: dict[str, float | str]) -> dict[str, str]:
    """What a person is counted under, from a procedural person's labels."""
    family = str(labels["hair.family"])
    return {
        "sex": str(labels["sex"]),
        "age": _step(AGES, labels["age_years"]),
        "skin": _step(SKIN, labels["skin.melanin"]),
        "hair": next(name for name, families in HAIR.items() if family in families),
        "beard": "none" if labels["beard.family"] == "none" else "worn",
        "glasses": "none" if labels["glasses.shape"] == "none" else "worn",
    }


def breakdown(persons: list[dict[str, Any]], subject: str) -> dict[str, dict[str, Group]]:
    """By factor and value, of persons as in their files; without those whose files have no groups."""
    out: dict[str, dict[str, Group]] = {}
    known = [p for p in persons if p.get("groups")]
    for factor in known[0]["groups"] if known else ():
        values = sorted({p["groups"][factor] for p in known})
        out[factor] = {v: _group([p for p in known if p["groups"][factor] == v], subject) for v in values}
    return out


def breakdown_lines(found: dict[str, dict[str, Group]]) -> list[str]:
    """A table as Markdown."""
    if not found:
        return []
    yaws = [f"{yaw:g}" for yaw in YAWS_DEG]
    titles = [f"PSNR dB at {yaw}°" for yaw in yaws] + [f"identity at {yaw}°" for yaw in yaws]
    lines = ["| who | persons | " + " | ".join(titles) + " |", "| --- |" + " --- |" * (1 + len(titles))]
    for factor, values in found.items():
        for value, group in values.items():
            psnr = [_cell(group.psnr_db[yaw], 1) for yaw in yaws]
            identity = [_cell(group.identity_seen[yaw], 3) for yaw in yaws]
            lines.append(f"| {factor}: {value} | {group.persons} | " + " | ".join([*psnr, *identity]) + " |")
    return lines


def _group(persons: list[dict[str, Any]], subject: str) -> Group:
    return Group(
        len(persons),
        {f"{yaw:g}": _mean([_of(p, subject, yaw, "psnr_db") for p in persons]) for yaw in YAWS_DEG},
        {f"{yaw:g}": _mean([_of(p, subject, yaw, "identity_seen") for p in persons]) for yaw in YAWS_DEG},
    )


def _of(person: dict[str, Any], subject: str, yaw: float, key: str) -> float | None:
    """A person's mean over the views of a yaw."""
    return _mean([v["scores"][subject][key] for v in person["views"] if v["yaw_deg"] == yaw])


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _step(steps: tuple[tuple[float, str], ...], value: float | str) -> str:
    return [name for start, name in steps if float(value) >= start][-1]


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
