"""The hand: still at rest, fingers that bend to the palm and keep their length, both hands in the world."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError
from mien.morphable.model import MorphableModel
from mien.training.covers.hand import (
    BONES,
    FINGERS,
    KIND,
    PARENTS,
    HandModel,
    load_hand_model,
    read_hand_model,
)
from mien.training.covers.things import CM, draw_body, draw_hand, draw_things, with_things
from mien.training.procedural.glasses import glasses_mesh, glasses_of
from mien.training.procedural.person import draw_person

STILL = np.zeros((FINGERS, 3))


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand_model()


def test_without_bends_it_is_at_rest(hand: HandModel) -> None:
    np.testing.assert_allclose(hand.posed(STILL, np.zeros(FINGERS), np.zeros(3)), hand.vertices, atol=1e-9)


def test_parents_come_before_children() -> None:
    assert PARENTS[0] == -1
    assert all(parent < k for k, parent in enumerate(PARENTS))


@pytest.mark.parametrize("finger", range(1, FINGERS + 1))
def test_a_finger_bends_to_the_palm_alone_and_keeps_its_length(hand: HandModel, finger: int) -> None:
    bend = STILL.copy()
    bend[finger - 1] = 0.6
    moved = hand.posed(bend, np.zeros(FINGERS), np.zeros(3)) - hand.vertices
    own = hand.weights[:, [BONES.index(f"finger{finger}-{k}") for k in (1, 2, 3)]].sum(1)
    assert np.abs(moved[own == 0]).max() < 1e-9
    tip = hand.weights[:, BONES.index(f"finger{finger}-3")] > 0.95
    assert np.linalg.norm(moved[tip], axis=1).min() > CM
    if finger > 1:
        assert (moved[tip] @ hand.palm).mean() > CM
    solid = hand.vertices[tip]
    turned = solid + moved[tip]
    lengths = [np.linalg.norm(p[1:] - p[:-1], axis=1) for p in (solid, turned)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=0.15, atol=0.05 * CM)


def test_a_wrist_turns_all_but_the_forearm(hand: HandModel) -> None:
    moved = hand.posed(STILL, np.zeros(FINGERS), np.array([0.0, 0.0, 0.8])) - hand.vertices
    assert np.abs(moved[hand.weights[:, 0] > 0.999]).max() < 0.01 * CM
    assert np.linalg.norm(moved, axis=1).max() > 8 * CM


def test_a_file_that_is_no_hand_is_refused(tmp_path: Path, hand: HandModel) -> None:
    bones = torch.zeros(len(BONES), 3)
    tensors = {"vertices": torch.zeros(4, 3), "weights": torch.ones(4, len(BONES)), "joints": bones}
    write_safetensors(tmp_path / "a", tensors, {"kind": KIND})
    with pytest.raises(CheckpointError, match="missing: tips"):
        read_hand_model(tmp_path / "a")
    write_safetensors(tmp_path / "b", {**tensors, "tips": bones}, {"kind": KIND})
    with pytest.raises(CheckpointError, match="no triangles"):
        read_hand_model(tmp_path / "b")


def test_hands_reach_the_face_from_below_or_beside(model: MorphableModel) -> None:
    person = draw_person(model, np.random.default_rng(0))
    marks = model.landmarks(model.mean).double().numpy()
    lowest = []
    for seed in range(30):
        hand = draw_hand(np.random.default_rng(seed), person, marks)
        near = np.linalg.norm(hand.vertices[:, None] - marks[None, ::8], axis=2).min()
        assert near < 4 * CM
        assert ((hand.albedo > 0) & (hand.albedo < 1)).all()
        lowest.append(hand.vertices[:, 1].min())
    assert np.median(lowest) < marks[:, 1].min() - 5 * CM


def test_bodies_stand_before_their_point(model: MorphableModel) -> None:
    for seed in range(20):
        body = draw_body(np.random.default_rng(seed), np.array([0.1, 0.2, 0.3]))
        assert body.vertices[:, 2].max() > 0.3
        corners = body.vertices[body.faces]
        assert np.isfinite(corners).all()
        middle = body.vertices.mean(0)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outwards = (normal * (corners.mean(1) - middle)).sum(1)
        assert (outwards > -1e-12).mean() > 0.95


def test_things_join_the_glasses_in_one_mesh(model: MorphableModel) -> None:
    rng = np.random.default_rng(3)
    person = draw_person(model, rng)
    marks = model.landmarks(model.mean).double().numpy()
    glasses = glasses_mesh(model, model.mean.numpy(), glasses_of("round", rng))
    things = draw_things(rng, person, marks)
    mesh = with_things(glasses, things)
    assert len(mesh.vertices) == len(glasses.vertices) + sum(len(t.vertices) for t in things)
    assert mesh.is_lens.sum() == glasses.is_lens.sum()
    last = things[-1]
    np.testing.assert_allclose(
        mesh.vertices[mesh.faces[-len(last.faces) :]], last.vertices[last.faces], rtol=0, atol=1e-6
    )
