from dataclasses import replace

import numpy as np
import torch

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.model import MorphableModel
from mien.morphable.people import load_head_factors, mean_identity
from mien.training.procedural.draws import draw_camera, draw_expression
from mien.training.procedural.person import AGES_YEARS, Person, draw_person


def people(model: MorphableModel, count: int) -> list[Person]:
    rng = np.random.default_rng(3)
    return [draw_person(model, rng) for _ in range(count)]


def test_a_person_depends_on_the_seed_only(model: MorphableModel) -> None:
    a, b, c = (draw_person(model, np.random.default_rng(k)) for k in (1, 1, 2))
    assert a.labels() == b.labels()
    assert np.array_equal(a.shape.identity, b.shape.identity)
    assert np.array_equal(a.light.sh, b.light.sh)
    assert a.labels() != c.labels()


def test_sexes_ages_and_tones_are_even(model: MorphableModel) -> None:
    drawn = people(model, 400)
    assert 160 < sum(p.sex == "female" for p in drawn) < 240
    for values, (low, high) in (
        ([p.age_years for p in drawn], AGES_YEARS),
        ([p.skin.melanin for p in drawn], (0, 1)),
    ):
        counts = np.histogram(values, 5, (low, high))[0]
        assert counts.sum() == 400
        assert counts.min() > 50


def test_factors_go_together_as_in_people(model: MorphableModel) -> None:
    drawn = people(model, 400)
    old = [p.skin.wrinkles for p in drawn if p.age_years > 65]
    young = [p.skin.wrinkles for p in drawn if p.age_years < 25]
    assert np.mean(old) > 0.5
    assert np.mean(young) < 0.02
    blue = [p.skin.melanin for p in drawn if p.eyes.iris == "blue"]
    assert len(blue) > 10
    assert max(blue) < 0.6
    assert not any(p.makeup.lipstick for p in drawn if p.age_years < 14)
    assert len({p.clothes.neckline for p in drawn}) == 6


def test_labels_name_every_factor_with_its_value(person: Person) -> None:
    labels = person.labels()
    assert labels["skin.melanin"] == person.skin.melanin
    assert labels["clothes.colour.g"] == float(person.clothes.colour[1])
    assert labels["sex"] in ("female", "male")
    assert all(isinstance(v, float | str) for v in labels.values())
    changed = replace(person, skin=replace(person.skin, oil=0.123))
    assert changed.labels()["skin.oil"] == 0.123


def test_form_follows_sex_and_age(model: MorphableModel) -> None:
    """Children's heads are smaller, and a man's jaw and nose are larger than a woman's."""

    def size(sex: str, age: float) -> float:
        v = model.vertices(torch.from_numpy(mean_identity(sex, age)), torch.zeros(52))  # type: ignore[arg-type]
        face = model.landmarks(v)
        return float((face[10] - face[152]).norm())

    assert size("male", 10.0) < size("male", 25.0)
    assert size("female", 25.0) < size("male", 25.0)
    factors = load_head_factors()
    assert factors.mean.shape[2] == model.component_count
    middle = mean_identity("female", float(factors.age_years[2]))
    np.testing.assert_allclose(middle, factors.mean[1, 2], atol=1e-6)


def test_expressions_and_cameras_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    open_jaws = 0
    for _ in range(200):
        e = draw_expression(rng)
        assert e.dtype == np.float32
        assert ((e >= 0) & (e <= 1)).all()
        assert e[ARKIT_INDEX["tongueOut"]] == 0
        both_ways = [e[ARKIT_INDEX[f"eyeLook{d}Left"]] for d in ("In", "Out")]
        assert min(both_ways) == 0
        open_jaws += e[ARKIT_INDEX["jawOpen"]] > 0.1
        assert abs(float(draw_camera(rng).position.norm()) - 2.7) < 1e-4
    assert 15 < open_jaws < 120
