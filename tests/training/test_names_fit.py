"""Names of people whose latents are known functions of their labels."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from mien.core.errors import InputError
from mien.generator.backbones.blocks import Block
from mien.generator.names.model import Names, names_of, parse_values
from mien.generator.names.people import draw_identities, edit
from mien.generator.names.spec import Name, Value, Vocabulary
from mien.morphable.people import Sex, ancestry_of, identity_of, mean_identity
from mien.training.names_fit import LabelledHeads, fit_names, unnamed

WORDS = Vocabulary(
    (
        Name("sex", "", "choice", choices=("female", "male"), moves=("appearance", "identity")),
        Name("age", "", low=10.0, high=80.0, moves=("appearance", "identity")),
        Name("weight", "", moves=("identity",)),
        Name("skin", ""),
        Name("wrinkles", ""),
        Name("hair", "", "choice", choices=("short", "bob"), moves=("hair",)),
        Name("grey", "", moves=("hair",)),
        Name("clothes", "", "colour", moves=("clothes",)),
    )
)
BLOCKS: dict[Block, slice] = {
    "appearance": slice(0, 6),
    "hair": slice(6, 10),
    "clothes": slice(10, 13),
    "light": slice(13, 15),
}
HEADS, HELD_OUT = 400, 60


def draw_values(rng: np.random.Generator) -> dict[str, Value]:
    """Grey hair and wrinkles come with age; bobs are worn by women."""
    sex, age = ("female", "male")[rng.integers(2)], float(rng.uniform(10, 80))
    old = (age - 10) / 70
    return {
        "sex": sex,
        "age": age,
        "weight": float(rng.uniform()),
        "skin": float(rng.uniform()),
        "wrinkles": float(np.clip(old + rng.normal(0, 0.1), 0, 1)),
        "hair": "bob" if sex == "female" and rng.uniform() < 0.7 else "short",
        "grey": float(np.clip(old + rng.normal(0, 0.1), 0, 1)),
        "clothes": "#" + "".join(f"{c:02x}" for c in rng.integers(0, 256, 3)),
    }


def latent(v: Mapping[str, Value], rng: np.random.Generator) -> np.ndarray:
    w = 0.1 * rng.normal(size=15)
    w[:3] += [2 * float(v["skin"]), float(v["sex"] == "male"), 3 * float(v["wrinkles"])]
    w[6:8] += [2.0 * (v["hair"] == "bob"), float(v["grey"])]
    w[10:13] += [int(str(v["clothes"])[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return w


def form(v: Mapping[str, Value], rng: np.random.Generator) -> np.ndarray:
    ancestry = ancestry_of(float(v["skin"]), rng.normal(size=3))
    sex: Sex = "female" if v["sex"] == "female" else "male"
    noise = rng.normal(size=80)
    return identity_of(sex, float(v["age"]), weight=float(v["weight"]), ancestry=ancestry, noise=noise)


@pytest.fixture(scope="module")
def heads() -> LabelledHeads:
    rng = np.random.default_rng(0)
    values = [draw_values(rng) for _ in range(HEADS)]
    codes = torch.from_numpy(np.stack([latent(v, rng) for v in values])).float()
    return LabelledHeads(values, codes, torch.from_numpy(np.stack([form(v, rng) for v in values])), HELD_OUT)


@pytest.fixture(scope="module")
def names(heads: LabelledHeads) -> Names:
    return fit_names(WORDS, heads, BLOCKS)


def test_labels_are_read_from_held_out_heads(names: Names, heads: LabelledHeads) -> None:
    scores = dict(names.config.held_out)
    assert scores["sex"] > 0.95
    assert scores["hair"] > 0.95
    assert min(scores[n] for n in ("age", "skin", "wrinkles", "grey", "clothes")) > 0.8
    first = names.read(heads.codes[-1], heads.identity[-1])
    assert first["skin"][0] == pytest.approx(heads.values[-1]["skin"], abs=0.2)


def test_people_have_what_goes_together(names: Names) -> None:
    drawn = names.draw(600, {}, generator=torch.Generator().manual_seed(0))
    people = [names.labels(row) for row in drawn.table]
    ages, grey = (np.array([p[n] for p in people], dtype=float) for n in ("age", "grey"))
    assert np.corrcoef(ages, grey)[0, 1] > 0.85
    assert not any(p["hair"] == "bob" and p["sex"] == "male" for p in people)
    w = names.offset(drawn)
    assert np.corrcoef(w[:, 7], ages)[0, 1] > 0.8


def test_people_are_what_was_asked_for(names: Names) -> None:
    given: dict[str, Value] = {"age": 75.0, "skin": 0.9}
    drawn = names.draw(100, given, truncation=0.7, generator=torch.Generator().manual_seed(1))
    people = [names.labels(row) for row in drawn.table]
    assert all(p["age"] == 75.0 and p["skin"] == pytest.approx(0.9) for p in people)
    assert np.mean([float(p["grey"]) for p in people]) > 0.75
    assert (names.offset(drawn)[:, 0] > 0.5).all()  # 2 * (0.9 - 0.5), whatever the truncation
    forms = draw_identities(names, drawn, truncation=0.0)
    old = mean_identity("female", 75.0) + mean_identity("male", 75.0)
    young = mean_identity("female", 20.0) + mean_identity("male", 20.0)
    near, far = (np.abs(forms[0].numpy() - form / 2).mean() for form in (old, young))
    assert near < 0.5 * far
    torch.testing.assert_close(forms, forms[:1].expand_as(forms))


def test_even_an_unheard_of_person_can_be_drawn(names: Names) -> None:
    given: dict[str, Value] = {"age": 12.0, "grey": 1.0, "sex": "male", "hair": "bob"}
    drawn = names.draw(5, given, generator=torch.Generator().manual_seed(2))
    assert torch.isfinite(names.offset(drawn)).all()
    assert all(names.labels(row)["hair"] == "bob" for row in drawn.table)


def test_no_truncation_left_is_the_average(names: Names) -> None:
    drawn = names.draw(3, {}, truncation=0.0, generator=torch.Generator().manual_seed(3))
    assert names.offset(drawn).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("values", "block"),
    [({"grey": 1.0}, "hair"), ({"skin": 0.9}, "appearance"), ({"clothes": "#c01010"}, "clothes")],
)
def test_an_edit_moves_its_own_block(
    names: Names, heads: LabelledHeads, values: dict[str, Value], block: Block
) -> None:
    w, identity = heads.codes[-1], heads.identity[-1]
    after, same = edit(names, w, identity, values)
    assert torch.equal(same, identity)
    inside = torch.zeros(15, dtype=torch.bool)
    inside[BLOCKS[block]] = True
    assert torch.equal(after[~inside], w[~inside])
    (name,) = values
    if name != "clothes":
        before, now = (float(names.read(x, identity)[name][0]) for x in (w, after))
        assert abs(now - float(values[name])) < 0.6 * abs(before - float(values[name]))


def test_age_brings_its_wrinkles_and_wrinkles_no_age(names: Names, heads: LabelledHeads) -> None:
    young = min(range(HEADS - HELD_OUT, HEADS), key=lambda k: float(heads.values[k]["age"]))
    w, identity = heads.codes[young], heads.identity[young]
    older, form = edit(names, w, identity, {"age": 70.0})
    assert older[2] - w[2] > 1.5
    assert (form - identity).abs().max() > 0.1
    lined, same = edit(names, w, identity, {"wrinkles": 0.9})
    assert lined[2] - w[2] > 1.5
    assert torch.equal(same, identity)


def test_what_names_leave_open_knows_nothing_of_them(names: Names, heads: LabelledHeads) -> None:
    rest = unnamed(names, heads.codes[: HEADS - HELD_OUT])
    skin = torch.tensor([float(v["skin"]) for v in heads.values[: HEADS - HELD_OUT]])
    assert abs(float(torch.corrcoef(torch.stack([skin, rest[:, 0]]))[0, 1])) < 0.1
    assert rest[:, 0].std() < 0.12


def test_a_generator_without_names_says_so() -> None:
    assert parse_values(None, ()) == {}
    with pytest.raises(InputError, match="knows no names"):
        parse_values(None, ["age=3"])
    with pytest.raises(InputError, match="mien train prior"):
        names_of(None)
