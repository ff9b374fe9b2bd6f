from mien.generator.names.spec import Value
from mien.generator.parts.choice import WEIGHTS, choose

from .conftest import LABELS, WORDS

SEEDS = range(30)


def test_the_nearest_head_lends_its_parts() -> None:
    for k in (1, 2):
        for seed in SEEDS:
            chosen = choose(WORDS, LABELS, LABELS[k], seed=seed)
            assert chosen.heads["face"] == k
            assert chosen.heads["hair"] == k
            assert chosen.heads["colour"] == k


def test_another_cut_leaves_the_face_as_it_is() -> None:
    person: dict[str, Value] = {**LABELS[0], "age": 45.0, "sex": "male"}
    for seed in SEEDS:
        before = choose(WORDS, LABELS, person, seed=seed)
        after = choose(WORDS, LABELS, {**person, "hair": "bob"}, seed=seed)
        kept = [kind for kind in WEIGHTS if "hair" not in WEIGHTS[kind]]
        assert {k: before.heads[k] for k in kept} == {k: after.heads[k] for k in kept}
        assert before.mirrored == after.mirrored
        assert after.heads["hair"] == 1


def test_no_bald_head_lends_a_colour() -> None:
    assert all(choose(WORDS, LABELS, LABELS[0], seed=s).heads["colour"] != 0 for s in SEEDS)


def test_no_beard_hangs_over_lent_clothes() -> None:
    bearded: list[dict[str, Value]] = [{**row, "beard": "long_full"} for row in LABELS[:2]]
    for seed in SEEDS:
        assert choose(WORDS, [*bearded, LABELS[2]], LABELS[1], seed=seed).heads["clothes"] == 2


def test_chance_decides_among_like_heads() -> None:
    twins = [LABELS[1]] * 4
    found = [choose(WORDS, twins, LABELS[1], seed=s) for s in SEEDS]
    assert {c.heads["face"] for c in found} == {0, 1, 2, 3}
    assert {c.mirrored["face"] for c in found} == {True, False}
    assert found == [choose(WORDS, twins, LABELS[1], seed=s) for s in SEEDS]
