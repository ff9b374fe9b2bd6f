"""All of a person's painted surface, and how expressions wrinkle it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.model import MorphableModel
from mien.training.procedural.atlas import ATLAS, STRIP_HEIGHT, STRIP_WIDTH, atlas_guide, slopes
from mien.training.procedural.paint.canvas import MM, Canvas, Patch
from mien.training.procedural.paint.cloth import paint_cloth, place_cloth
from mien.training.procedural.paint.eyes import paint_eyes
from mien.training.procedural.paint.lines import LineGroup, line_groups
from mien.training.procedural.paint.makeup import paint_lid_rims, paint_makeup
from mien.training.procedural.paint.mouth import paint_mouth
from mien.training.procedural.paint.skin import paint_skin
from mien.training.procedural.person import Person
from mien.training.procedural.render.shading import ALBEDO, SPECULAR
from mien.training.procedural.strands.melanin import hair_albedo
from mien.training.procedural.strands.scalp import scalp_shade

WRINKLED_BY: Final[dict[str, dict[str, float]]] = {
    "forehead": {"browInnerUp": 0.8, "browOuterUpLeft": 0.4, "browOuterUpRight": 0.4},
    "crows_feet": {"eyeSquintLeft": 0.35, "eyeSquintRight": 0.35, "mouthSmileLeft": 0.3,
                   "mouthSmileRight": 0.3, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "glabella": {"browDownLeft": 0.6, "browDownRight": 0.6},
    "nasolabial": {"mouthSmileLeft": 0.45, "mouthSmileRight": 0.45, "noseSneerLeft": 0.4,
                   "noseSneerRight": 0.4,
                   "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25},
    "marionette": {"mouthFrownLeft": 0.5, "mouthFrownRight": 0.5},
    "lower_lid": {"cheekSquintLeft": 0.5, "cheekSquintRight": 0.5, "eyeSquintLeft": 0.4,
                  "eyeSquintRight": 0.4},
}  # fmt: skip
"""How much each coefficient deepens a group of lines."""
SCALP_COVER, ROOTS = 0.75, 0.7
"""How far roots cover the scalp at most, and their colour relative to the hair's."""
YOUNG_SHARE: Final = 0.35
"""Depth of an expression's lines in smooth skin, relative to old skin's."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Slopes of a group of lines within a rectangle of the atlas."""

    name: str
    rows: slice
    columns: slice
    slopes: np.ndarray
    """float32 [h, w, 2], at full depth."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """Painted maps of the body's atlas and of the strip of islands."""

    maps: np.ndarray
    """float32 [ATLAS, ATLAS, CHANNELS]."""
    slopes: np.ndarray
    """float32 [ATLAS, ATLAS, 2], change of the relief per unit of u and v, at rest."""
    material: np.ndarray
    """uint8 [ATLAS, ATLAS], a `Semantic`."""
    strip_maps: np.ndarray
    strip_slopes: np.ndarray
    strip_material: np.ndarray
    cloth: np.ndarray
    """float32 [ATLAS, ATLAS], 1 where cloth lies."""
    cloth_below: np.ndarray
    """float32 [ATLAS, ATLAS], distance below the neckline, EG3D units."""
    folds: tuple[Fold, ...]
    wrinkles: float

    def relief(self, expression: np.ndarray) -> np.ndarray:
        """Slopes float32 [ATLAS, ATLAS, 2] in an expression [52]."""
        out = self.slopes.copy()
        for fold in self.folds:
            amount = sum(expression[ARKIT_INDEX[n]] * w for n, w in WRINKLED_BY[fold.name].items())
            if amount > 0.02:
                depth = min(float(amount), 1.2) * (YOUNG_SHARE + (1 - YOUNG_SHARE) * self.wrinkles)
                out[fold.rows, fold.columns] += fold.slopes * np.float32(depth)
        return out


def paint_person(model: MorphableModel, person: Person) -> Appearance:
    """Paint a person; the same person is always painted alike."""
    rng = np.random.default_rng(person.seed)
    guide = atlas_guide(model)
    groups = line_groups(guide, rng)
    lines = {g.name: g.drawn() for g in groups}
    body = paint_skin(guide, person.skin, person.lips, lines, groups, rng)
    paint_lid_rims(body, guide)
    paint_makeup(body, guide, person.makeup, rng)
    _dye_scalp(body, model, person, rng)
    place = place_cloth(guide, person.clothes)
    paint_cloth(body, guide, person.clothes, place, rng)
    strip = Canvas.blank(STRIP_HEIGHT, STRIP_WIDTH)
    paint_eyes(strip, person.eyes, rng)
    paint_mouth(strip, model, person.mouth, rng)
    folds = tuple(_fold(g, lines[g.name]) for g in groups if g.name in WRINKLED_BY)
    np.clip(body.maps[..., :3], 0.003, 0.92, out=body.maps[..., :3])
    return Appearance(
        maps=body.maps,
        slopes=slopes(body.height, ATLAS),
        material=body.material,
        strip_maps=strip.maps,
        strip_slopes=slopes(strip.height, STRIP_WIDTH),
        strip_material=strip.material,
        cloth=place.mask,
        cloth_below=place.below,
        folds=folds,
        wrinkles=person.skin.wrinkles,
    )


def _dye_scalp(body: Canvas, model: MorphableModel, person: Person, rng: np.random.Generator) -> None:
    """Skin between the roots of hair is dark with them."""
    shade = scalp_shade(model, person.hair, rng)
    melanin = np.array([person.hair.eumelanin]), np.array([person.hair.pheomelanin])
    dye = np.minimum(ROOTS * hair_albedo(*melanin)[0], body.maps[..., ALBEDO : ALBEDO + 3])
    body.blend(dye, SCALP_COVER * shade)
    body.mix(SPECULAR, 0.4, shade)


def _fold(group: LineGroup, patch: Patch) -> Fold:
    return Fold(group.name, *patch.box, slopes(group.depth_mm * MM * patch.groove(), ATLAS))
