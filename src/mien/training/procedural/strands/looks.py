"""The factors of a person's hair, each with its exact value, and how they are drawn."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.factors import Sex

Family = Literal["bald", "ring", "buzz", "short", "side_part", "slicked", "curly", "afro", "shag", "bob",
                 "long_straight", "long_wavy", "bun", "ponytail"]  # fmt: skip
FAMILIES: Final[tuple[Family, ...]] = ("bald", "ring", "buzz", "short", "side_part", "slicked", "curly",
    "afro", "shag", "bob", "long_straight", "long_wavy", "bun", "ponytail")  # fmt: skip
Fringe = Literal["none", "straight", "side", "wispy"]
ODDS_MALE: Final = (0.05, 0.05, 0.12, 0.26, 0.14, 0.09, 0.09, 0.04, 0.08, 0.01, 0.02, 0.03, 0.01, 0.01)
ODDS_FEMALE: Final = (0.01, 0.0, 0.02, 0.07, 0.05, 0.03, 0.10, 0.06, 0.07, 0.14, 0.16, 0.16, 0.06, 0.07)
LENGTHS: Final[dict[Family, tuple[float, float]]] = {
    "bald": (0.0, 0.0), "ring": (0.012, 0.035), "buzz": (0.006, 0.018), "short": (0.045, 0.09),
    "side_part": (0.08, 0.14), "slicked": (0.10, 0.16), "curly": (0.07, 0.18), "afro": (0.06, 0.17),
    "shag": (0.14, 0.24), "bob": (0.30, 0.40), "long_straight": (0.42, 0.72), "long_wavy": (0.40, 0.72),
    "bun": (0.30, 0.36), "ponytail": (0.35, 0.60),
}  # fmt: skip
"""Of strands from the top of the head, EG3D units (0.0019 are 1 mm)."""


@dataclass(frozen=True)
class HairLook:
    """Hair of the head. Unless said otherwise factors run from 0 to 1."""

    family: Family
    length: float
    """Of strands from the top of the head, EG3D units."""
    curl: float
    volume: float
    parting: float
    """Where the parting lies, EG3D units to the image's right; hair falls to both sides of it."""
    swept: float
    """How far side hair is swept back, off the face and behind the ears."""
    face_opening: float
    """Half the width of the face that long hair leaves free, EG3D units."""
    fringe: Fringe
    hairline: float
    """Height of the hairline above the average one at the middle of the forehead, EG3D units."""
    receding: float
    """Receded temples."""
    thinning: float
    """Thin hair at the crown."""
    density: float
    neatness: float
    """0 tousled to 1 combed."""
    sideburns: float
    eumelanin: float
    """Concentration, see `melanin.hair_albedo`."""
    pheomelanin: float
    greyness: float
    """Share of strands without pigment."""

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name."""
        return {f"hair.{k}": v for k, v in vars(self).items()}


def draw_hair(
    model: MorphableModel, *, sex: Sex, age: float, melanin: float, rng: np.random.Generator
) -> HairLook:
    """Hair of a person of this sex, age (years) and skin (melanin 0..1); all families occur in both sexes."""
    odds = np.array(ODDS_MALE if sex == "male" else ODDS_FEMALE)
    old = float(np.clip((age - 25) / 50, 0, 1))
    odds[:2] *= 0.1 if age < 25 else 0.6 + 2.0 * old
    odds[FAMILIES.index("afro")] *= 0.3 + 3.5 * melanin**2
    odds[FAMILIES.index("curly")] *= 0.7 + 1.2 * melanin
    family = FAMILIES[rng.choice(len(FAMILIES), p=odds / odds.sum())]
    losing = sex == "male" and rng.uniform() < 0.25 + 0.5 * old
    eumelanin, pheomelanin = draw_melanin(melanin, rng)
    return look_of(
        family,
        rng,
        receding=float(np.clip(rng.beta(2, 2) * (0.25 + 1.2 * old), 0, 1))
        if losing
        else float(rng.beta(1.2, 8)),
        thinning=float(np.clip(rng.beta(2, 2) * 1.6 * old, 0, 1)) if losing else 0.0,
        eumelanin=eumelanin,
        pheomelanin=pheomelanin,
        greyness=draw_greyness(age, rng),
    )


def look_of(
    family: Family,
    rng: np.random.Generator,
    *,
    receding: float = 0.0,
    thinning: float = 0.0,
    eumelanin: float = 1.0,
    pheomelanin: float = 0.05,
    greyness: float = 0.0,
) -> HairLook:
    """A look of one family, what is left open drawn at random."""
    curl = {"curly": rng.uniform(0.45, 0.9), "afro": rng.uniform(0.8, 1), "long_wavy": rng.uniform(0.3, 0.8),
            "shag": rng.uniform(0.1, 0.6), "short": rng.beta(1.2, 3)}  # fmt: skip
    side = (
        float(rng.choice([-1, 0, 1], p=[0.4, 0.25, 0.35]))
        if family != "side_part"
        else float(rng.choice([-1, 1]))
    )
    can_fringe = family in ("bob", "long_straight", "long_wavy", "shag", "bun", "ponytail")
    fringe = str(rng.choice(["none", "straight", "side", "wispy"], p=[0.55, 0.15, 0.15, 0.15]))
    return HairLook(
        family=family,
        length=float(rng.uniform(*LENGTHS[family])),
        curl=float(curl.get(family, rng.beta(1.2, 6))),
        volume=float(rng.uniform(0.15, 1)),
        parting=side * float(rng.uniform(0.025, 0.06)) + float(rng.normal(0, 0.004)),
        swept=float(rng.beta(1.3, 1.3)),
        face_opening=float(rng.uniform(0.088, 0.125)),
        fringe=fringe if can_fringe else "none",  # type: ignore[arg-type]
        hairline=float(rng.normal(0.004, 0.008)),
        receding=receding,
        thinning=thinning,
        density=float(rng.uniform(0.75, 1)) * (1 - 0.3 * thinning),
        neatness=float(rng.beta(2, 1.6)),
        sideburns=float(rng.uniform()),
        eumelanin=eumelanin,
        pheomelanin=pheomelanin,
        greyness=greyness,
    )


def draw_melanin(skin: float, rng: np.random.Generator) -> tuple[float, float]:
    """Eumelanin and pheomelanin of hair for skin's melanin 0..1: fair and red hair go with fair skin."""
    fair = max(1 - 2.2 * skin, 0.0)
    kind = rng.uniform()
    if kind < 0.07 * fair + 0.004:  # red
        return float(rng.uniform(0.03, 0.25)), float(rng.uniform(0.35, 0.9))
    if kind < 0.36 * fair + 0.012:  # blond, born or dyed
        return float(np.exp(rng.uniform(np.log(0.02), np.log(0.16)))), float(rng.uniform(0.02, 0.10))
    dark = 0.25 + 1.2 * skin
    return float(np.clip(dark * np.exp(rng.normal(0, 0.6)), 0.12, 4)), float(rng.uniform(0.0, 0.12))


def draw_greyness(age: float, rng: np.random.Generator) -> float:
    """Share of grey strands at an age in years; some people dye."""
    onset, pace = rng.normal(36, 7), rng.uniform(18, 40)
    dyed = rng.uniform() < 0.2
    return 0.0 if dyed else float(np.clip((age - onset) / pace, 0, 1) ** 1.4)
