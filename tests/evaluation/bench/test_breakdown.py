"""Groups of persons and their means, worked by hand."""

import numpy as np
import pytest

from mien.evaluation.bench.breakdown import HAIR, breakdown, breakdown_lines, groups_of
from mien.morphable.model import load_head_model
from mien.training.procedural.person import draw_person
from mien.training.procedural.strands.looks import FAMILIES

OURS = "avatar"


def person(groups: dict[str, str] | None, *views: tuple[float, float, float | None]) -> dict:
    scores = [
        {"yaw_deg": yaw, "scores": {OURS: {"psnr_db": db, "identity_seen": distance}}}
        for yaw, db, distance in views
    ]
    return {"views": scores} | ({} if groups is None else {"groups": groups})


def test_means_are_over_persons_and_each_persons_views_count_once() -> None:
    found = breakdown(
        [
            person({"hair": "long"}, (0.0, 30.0, 0.1), (0.0, 34.0, None), (30.0, 20.0, None)),
            person({"hair": "long"}, (0.0, 20.0, 0.3), (30.0, 10.0, None)),
            person({"hair": "short"}, (0.0, 40.0, 0.2), (30.0, 25.0, 0.4)),
            person(None, (0.0, 0.0, 0.0)),
        ],
        OURS,
    )
    long, short = found["hair"]["long"], found["hair"]["short"]
    assert (long.persons, short.persons) == (2, 1)
    assert long.psnr_db == {"0": pytest.approx((32 + 20) / 2), "30": pytest.approx(15)}
    assert long.identity_seen == {"0": pytest.approx(0.2), "30": None}
    assert breakdown_lines(found)[-1] == "| hair: short | 1 | 40.0 | 25.0 | 0.200 | 0.400 |"


def test_files_without_groups_give_no_table() -> None:
    assert breakdown([person(None, (0.0, 1.0, None))], OURS) == {}
    assert breakdown_lines({}) == []


def test_every_procedural_person_has_its_groups() -> None:
    model = load_head_model()
    assert sorted(f for families in HAIR.values() for f in families) == sorted(FAMILIES)
    seen = [groups_of(draw_person(model, np.random.default_rng(k)).labels()) for k in range(12)]
    assert {len(groups) for groups in seen} == {6}
    assert len({groups["age"] for groups in seen}) == 3
    assert len({groups["skin"] for groups in seen}) == 3
