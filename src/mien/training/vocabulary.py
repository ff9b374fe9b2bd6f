"""Names of procedural people, and which of a head's exact labels each stands for."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float32

from mien.generator.names.spec import Alias, Name, Part, Value, Vocabulary
from mien.training.procedural.factors import IRIS_KINDS
from mien.training.procedural.lighting import LIGHT_KINDS, LUMA
from mien.training.procedural.response import to_srgb
from mien.training.procedural.strands.beard import FAMILIES as BEARDS
from mien.training.procedural.strands.looks import FAMILIES as HAIRS
from mien.training.procedural.wardrobe import NECKLINES

Labels = Mapping[str, Any]
CM: Final = 0.019
"""EG3D units in a centimetre."""
LEAST_EUMELANIN, MOST_EUMELANIN = 0.02, 4.0
MOST_ASIDE: Final = 3**0.5
"""Greatest ratio of a first harmonic's coefficient to the mean's: of light from one point."""
SHADES: Final = (("light", 0.12), ("medium", 0.45), ("dark", 0.8))
AGES: Final = (("child", 11.0), ("teenage", 16.0), ("young", 25.0), ("middle_aged", 48.0), ("old", 72.0))
AMOUNTS: Final = (("none", 0.0), ("some", 0.45), ("much", 0.85))
LENGTHS: Final = (("short", 4.0), ("medium", 15.0), ("long", 30.0))

HAIR_COLOUR: Final = Alias("hair_colour", "usual colours of hair", (
    ("black", (("hair_darkness", 0.95), ("hair_redness", 0.05), ("grey", 0.0))),
    ("brown", (("hair_darkness", 0.65), ("hair_redness", 0.08), ("grey", 0.0))),
    ("blond", (("hair_darkness", 0.2), ("hair_redness", 0.06), ("grey", 0.0))),
    ("red", (("hair_darkness", 0.35), ("hair_redness", 0.65), ("grey", 0.0))),
    ("grey", (("grey", 0.7),)),
    ("white", (("grey", 1.0),)),
))  # fmt: skip


def _name(name: str, about: str, part: Part = "appearance", **more: Any) -> Name:
    return Name(name, about, moves=(part,), **more)


def _choice(name: str, about: str, choices: Any, part: Part = "appearance") -> Name:
    return Name(name, about, "choice", choices=tuple(choices), moves=(part,))


NAMES: Final[tuple[tuple[Name, str | Callable[[Labels], Value]], ...]] = (
    (Name("sex", "sex", "choice", choices=("female", "male"), moves=("appearance", "identity")), "sex"),
    (Name("age", "age", "number", "years", 10.0, 80.0, words=AGES, moves=("appearance", "identity"),
          curved=True), "age_years"),
    (_name("weight", "thin to heavy", "identity", words=(("thin", 0.1), ("heavy", 0.9))), "weight"),
    (_name("skin", "melanin of the skin, lightest to darkest", words=SHADES, curved=True), "skin.melanin"),
    (_name("redness", "blood in the skin, pale to flushed"), "skin.blood"),
    (_name("freckles", "freckles", words=AMOUNTS), "skin.freckles"),
    (_name("age_spots", "age spots", words=AMOUNTS), "skin.age_spots"),
    (_name("wrinkles", "depth of lines at rest", words=AMOUNTS), "skin.wrinkles"),
    (_name("eye_rings", "dark rings below the eyes", words=AMOUNTS), "skin.under_eye"),
    (_name("stubble", "shadow of a shaven beard", words=AMOUNTS), "skin.stubble"),
    (_choice("beard", "kind of beard", BEARDS), "beard.family"),
    (_choice("eyes", "colour of the iris", IRIS_KINDS), "eyes.iris"),
    (_name("brows", "thickness of the brows", words=(("thin", 0.2), ("thick", 0.9))), "brows.thickness"),
    (_name("lip_redness", "redness of bare lips"), "lips.blood"),
    (_name("lipstick", "how much lipstick", words=AMOUNTS), "makeup.lipstick"),
    (_name("eyeliner", "how much eyeliner", words=AMOUNTS), "makeup.eyeliner"),
    (_name("eye_shadow", "how much eye shadow", words=AMOUNTS), "makeup.eye_shadow"),
    (_name("blush", "how much blush", words=AMOUNTS), "makeup.blush"),
    (_choice("hair", "cut of the hair", HAIRS, "hair"), "hair.family"),
    (_name("hair_length", "length of strands from the top of the head", "hair", unit="cm", high=38.0,
           words=LENGTHS, curved=True), lambda x: x["hair.length"] / CM),
    (_name("curl", "straight to curly hair", "hair", words=AMOUNTS), "hair.curl"),
    (_name("volume", "volume of the hair", "hair"), "hair.volume"),
    (_choice("fringe", "kind of fringe", ("none", "straight", "side", "wispy"), "hair"), "hair.fringe"),
    (_name("receding", "how far the hair recedes at the temples", "hair", words=AMOUNTS), "hair.receding"),
    (_name("hair_darkness", "dark pigment of the hair, blond to black", "hair", curved=True),
     lambda x: darkness(float(x["hair.eumelanin"]))),
    (_name("hair_redness", "red pigment of the hair", "hair"), "hair.pheomelanin"),
    (_name("grey", "share of grey strands", "hair", words=AMOUNTS, curved=True), "hair.greyness"),
    (_choice("neckline", "what is worn", NECKLINES, "clothes"), "clothes.neckline"),
    (Name("clothes", "colour of the clothes", "colour", moves=("clothes",)), lambda x: worn_colour(x)),
    (_choice("light", "kind of light", LIGHT_KINDS, "light"), "light"),
    (_name("light_side", "where light comes from: the image's left or right", "light", low=-0.5, high=0.5,
           words=(("left", -0.3), ("right", 0.3))), lambda x: x["light.x"]),
    (_name("light_above", "where light comes from: below or above", "light", low=-0.5, high=0.5),
     lambda x: x["light.y"]),
    (_name("light_front", "where light comes from: behind or in front", "light", low=-0.5, high=0.5),
     lambda x: x["light.z"]),
    (_name("light_warmth", "blue to red light", "light", low=-0.5, high=0.5), lambda x: x["light.warmth"]),
)  # fmt: skip


def vocabulary() -> Vocabulary:
    """All names of procedural people."""
    return Vocabulary(tuple(name for name, _ in NAMES), (HAIR_COLOUR,))


def values_of(labels: Labels, light_sh: Float32[np.ndarray, "9 3"]) -> dict[str, Value]:
    """Values by name of a head, from its labels and the harmonics of its light."""
    known = {**labels, **light_labels(light_sh)}
    out: dict[str, Value] = {}
    for name, source in NAMES:
        value = known[source] if isinstance(source, str) else source(known)
        out[name.name] = min(max(value, name.low), name.high) if name.kind == "number" else value
    return out


def light_labels(sh: Float32[np.ndarray, "9 3"]) -> dict[str, float]:
    """Whence light comes (-1 to 1 along x, y and z, head frame) and how warm it is (log of red over blue)."""
    grey = sh @ LUMA
    y, z, x = (grey[1:4] / max(float(grey[0]), 1e-6) / MOST_ASIDE).tolist()
    return {
        "light.x": x, "light.y": y, "light.z": z,
        "light.warmth": math.log(max(float(sh[0, 0]), 1e-6) / max(float(sh[0, 2]), 1e-6)),
    }  # fmt: skip


def darkness(eumelanin: float) -> float:
    """Eumelanin in even steps of its logarithm, 0 to 1."""
    least, most = math.log(LEAST_EUMELANIN), math.log(MOST_EUMELANIN)
    return (math.log(max(eumelanin, LEAST_EUMELANIN)) - least) / (most - least)


def worn_colour(labels: Labels) -> str:
    """The cloth's colour as #rrggbb."""
    linear = np.array([labels[f"clothes.colour.{c}"] for c in "rgb"])
    return "#" + "".join(f"{round(255 * float(c)):02x}" for c in to_srgb(linear))
