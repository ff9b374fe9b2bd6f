"""A random person: all factors of appearance, drawn as they go together in people."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.chromophores import skin_albedo
from mien.training.procedural.factors import (
    IRIS_KINDS,
    ClothesLook,
    EyeLook,
    LipLook,
    MakeUp,
    MouthLook,
    Sex,
    Shape,
    SkinLook,
)
from mien.training.procedural.glasses import GlassesLook, draw_glasses
from mien.training.procedural.light import Light
from mien.training.procedural.lighting import LUMA, draw_light
from mien.training.procedural.shape import draw_shape
from mien.training.procedural.strands.beard import BeardLook, draw_beard
from mien.training.procedural.strands.brows import BrowLook, draw_brows
from mien.training.procedural.strands.lashes import LashLook, draw_lashes
from mien.training.procedural.strands.looks import HairLook, draw_hair
from mien.training.procedural.wardrobe import draw_clothes

AGES_YEARS: Final = (10.0, 80.0)


@dataclass(frozen=True, eq=False)
class Person:
    """One person. `labels` gives every factor by name."""

    sex: Sex
    age_years: float
    shape: Shape
    skin: SkinLook
    lips: LipLook
    makeup: MakeUp
    eyes: EyeLook
    mouth: MouthLook
    clothes: ClothesLook
    hair: HairLook
    beard: BeardLook
    brows: BrowLook
    lashes: LashLook
    glasses: GlassesLook | None
    light: Light
    seed: int
    """Of the spots, lines and threads that no factor names."""

    @property
    def skin_luminance(self) -> float:
        """Linear luminance of the bare skin's albedo."""
        rgb = skin_albedo(np.array([self.skin.melanin]), np.array([self.skin.blood]))[0]
        return float(rgb @ LUMA)

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name, such as `skin.melanin` or `clothes.neckline`."""
        out: dict[str, float | str] = {
            "sex": self.sex,
            "age_years": self.age_years,
            "weight": self.shape.weight,
            "light": self.light.kind,
        }
        for name in ("skin", "lips", "makeup", "eyes", "mouth", "clothes"):
            look = getattr(self, name)
            for field in fields(look):
                value = getattr(look, field.name)
                if isinstance(value, np.ndarray):
                    out |= {f"{name}.{field.name}.{c}": float(x) for c, x in zip("rgb", value, strict=True)}
                else:
                    out[f"{name}.{field.name}"] = value if isinstance(value, str) else float(value)
        worn = self.glasses.labels() if self.glasses else {"glasses.shape": "none"}
        strands = (self.hair, self.beard, self.brows, self.lashes)
        return out | {k: _plain(v) for look in strands for k, v in look.labels().items()} | worn


def _plain(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(value)


def draw_person(model: MorphableModel, rng: np.random.Generator) -> Person:
    """A person; sexes are equally frequent, ages and skin tones even over their whole range."""
    sex: Sex = "female" if rng.uniform() < 0.5 else "male"
    age = float(rng.uniform(*AGES_YEARS))
    skin = _draw_skin(sex, age, float(rng.uniform()), rng)
    shape = draw_shape(sex, age, skin.melanin, rng)
    assert len(shape.identity) == model.component_count
    hair = draw_hair(model, sex=sex, age=age, melanin=skin.melanin, rng=rng)
    return Person(
        sex=sex,
        age_years=age,
        shape=shape,
        skin=skin,
        lips=_draw_lips(age, rng),
        makeup=_draw_makeup(sex, age, rng),
        eyes=_draw_eyes(skin.melanin, age, rng),
        mouth=_draw_mouth(age, rng),
        clothes=draw_clothes(rng),
        hair=hair,
        beard=draw_beard(sex=sex, age=age, hair=hair, rng=rng),
        brows=draw_brows(
            sex=sex,
            age=age,
            eumelanin=hair.eumelanin,
            pheomelanin=hair.pheomelanin,
            greyness=hair.greyness,
            rng=rng,
        ),
        lashes=draw_lashes(sex=sex, age=age, eumelanin=hair.eumelanin, rng=rng),
        glasses=draw_glasses(rng, age=age),
        light=draw_light(rng),
        seed=int(rng.integers(2**31)),
    )


def _draw_skin(sex: Sex, age: float, melanin: float, rng: np.random.Generator) -> SkinLook:
    old = float(np.clip((age - 28) / 47, 0, 1))
    freckled = rng.uniform() < 0.35 * (1 - melanin) ** 2 + 0.03
    return SkinLook(
        melanin=melanin,
        blood=float(np.clip(rng.normal(0.44, 0.11), 0.22, 0.8)),
        cheeks=float(rng.beta(2, 2.5)),
        nose=float(rng.beta(2, 3)),
        mottling=float(np.clip(rng.beta(2, 3) + 0.3 * old, 0, 1)),
        under_eye=float(np.clip(rng.beta(1.8, 3) + 0.25 * old, 0, 1)),
        freckles=float(rng.uniform(0.3, 1)) if freckled and age < 65 else 0.0,
        age_spots=float(np.clip(rng.beta(2, 3) * 1.5 * max(old - 0.35, 0) / 0.65, 0, 1)),
        moles=int(rng.poisson(1.6)),
        pores=float(np.clip(rng.beta(2, 2.5) * (0.35 if age < 14 else 1.0), 0, 1)),
        wrinkles=float(np.clip(old * rng.uniform(0.6, 1.3) * (1 - 0.25 * melanin), 0, 1)),
        oil=float(rng.beta(2, 2) * (0.5 if age < 13 or age > 65 else 1.0)),
        creases=float(rng.uniform(0.15, 1)),
        stubble=float(rng.beta(1.3, 1.6)) if sex == "male" and age > 17 else 0.0,
    )


def _draw_lips(age: float, rng: np.random.Generator) -> LipLook:
    old = float(np.clip((age - 40) / 40, 0, 1))
    return LipLook(
        blood=float(np.clip(rng.normal(0.62 - 0.15 * old, 0.13), 0.2, 1)),
        pigment=float(rng.beta(2, 2)),
        dryness=float(np.clip(rng.beta(2, 2) + 0.2 * old, 0, 1)),
    )


LIPSTICKS: Final = np.array(
    [[0.42, 0.02, 0.03], [0.28, 0.015, 0.03], [0.40, 0.09, 0.11], [0.46, 0.16, 0.14],
     [0.22, 0.05, 0.05], [0.36, 0.04, 0.12], [0.52, 0.20, 0.20], [0.12, 0.02, 0.03]]
)  # fmt: skip
SHADOWS: Final = np.array(
    [[0.10, 0.06, 0.045], [0.03, 0.028, 0.03], [0.25, 0.12, 0.08], [0.12, 0.06, 0.11], [0.06, 0.09, 0.14],
     [0.30, 0.20, 0.13]]
)  # fmt: skip


def _draw_makeup(sex: Sex, age: float, rng: np.random.Generator) -> MakeUp:
    odds = 0.0 if age < 14 else 0.62 if sex == "female" else 0.02
    worn = rng.uniform(size=5) < odds * np.array([0.9, 0.6, 0.6, 0.7, 0.7])
    amount = rng.uniform(0.3, 1.0, 5) * worn
    lipstick = LIPSTICKS[rng.integers(len(LIPSTICKS))] * rng.uniform(0.7, 1.2)
    shadow = SHADOWS[rng.integers(len(SHADOWS))] * rng.uniform(0.7, 1.3)
    return MakeUp(
        lipstick=float(amount[0]),
        lipstick_colour=lipstick.astype(np.float32),
        lipstick_gloss=float(rng.beta(1.5, 2)),
        eye_shadow=float(amount[1] * 0.8),
        eye_shadow_colour=shadow.astype(np.float32),
        eyeliner=float(amount[2]),
        blush=float(amount[3]),
        foundation=float(amount[4]),
    )


def _draw_eyes(melanin: float, age: float, rng: np.random.Generator) -> EyeLook:
    light = np.clip(1 - 1.9 * melanin, 0, 1) ** 1.3  # share of eyes that are not brown
    odds = np.array([0.3 + 0.9 * melanin, 0.5, 0.22 * light + 0.03, 0.2 * light, 0.62 * light, 0.16 * light])
    kind = str(rng.choice(IRIS_KINDS, p=odds / odds.sum()))
    return EyeLook(
        iris=kind,
        shade=float(rng.uniform()),
        iris_rad=float(rng.normal(0.505, 0.012)),
        pupil_rad=float(np.clip(rng.normal(0.215, 0.04) - 0.0009 * (age - 30), 0.12, 0.3)),
        limbus=float(np.clip(rng.beta(2.5, 2) - 0.004 * max(age - 40, 0), 0, 1)),
        veins=float(rng.beta(1.6, 3)),
        yellowness=float(np.clip(rng.beta(1.5, 4) + 0.2 * melanin + 0.003 * max(age - 40, 0), 0, 1)),
    )


def _draw_mouth(age: float, rng: np.random.Generator) -> MouthLook:
    return MouthLook(
        teeth_shade=float(np.clip(rng.beta(2, 2.6) * 0.8 + 0.004 * (age - 25), 0, 1)),
        gap=float(rng.beta(1.6, 3)),
        crooked=float(rng.beta(1.5, 3)),
        gums=float(rng.uniform(0.3, 0.9)),
    )
