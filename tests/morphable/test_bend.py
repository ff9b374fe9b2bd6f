"""Points carried from one expression to another."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.compiled import has_numba
from mien.morphable.bend import ENGINES, Bend, BendConfig, make_bend
from mien.morphable.model import MorphableModel

EYE = torch.tensor([0.0, 0.0, 1.93])
"""Where EG3D's camera stands, in units of the head."""
LOWER_LIP, CHIN, UPPER_LIP, FOREHEAD = 17, 152, 0, 10


def face(model: MorphableModel, **expression: float) -> Tensor:
    e = torch.zeros(52)
    for name, value in expression.items():
        e[ARKIT_INDEX[name]] = value
    return model.vertices(torch.zeros(model.component_count), e)


def bend(model: MorphableModel, before: Tensor, after: Tensor) -> Bend:
    made = make_bend(model, before, after, seen_from=EYE)
    assert made is not None
    return made


def test_the_same_expression_bends_nothing(model: MorphableModel) -> None:
    assert make_bend(model, face(model, jawOpen=0.5), face(model, jawOpen=0.5)) is None


def test_an_open_jaw_is_carried_back_to_the_shut_one(model: MorphableModel) -> None:
    open_, shut = face(model, jawOpen=0.7), face(model)
    before, after = model.landmarks(open_), model.landmarks(shut)
    carried = bend(model, open_, shut).apply(before)
    for point in (LOWER_LIP, CHIN):
        assert (before - after)[point].norm() > 0.04
        assert (carried - after)[point].norm() < 0.002  # a millimetre
    assert (carried - before)[UPPER_LIP].norm() < 0.006
    assert torch.equal(carried[FOREHEAD], before[FOREHEAD])


def test_far_from_the_face_nothing_moves(model: MorphableModel) -> None:
    made = bend(model, face(model, jawOpen=0.7), face(model))
    far = torch.randn((200, 3), generator=torch.Generator().manual_seed(0))
    far = far / far.norm(dim=1, keepdim=True) * 0.6
    assert torch.equal(made.apply(far), far)
    reach = BendConfig().reach[1]
    before_lips = model.landmarks(face(model))[CHIN] + torch.tensor([0.0, 0.0, reach + 0.02])
    assert torch.equal(made.apply(before_lips), before_lips)


def test_there_and_back(model: MorphableModel) -> None:
    rest, smile = face(model), face(model, mouthSmileLeft=0.6, mouthSmileRight=0.6, browInnerUp=0.5)
    points = model.landmarks(smile)[:468]
    visible = points[:, 2] > 0.1
    back = bend(model, rest, smile).apply(bend(model, smile, rest).apply(points))
    error = (back - points)[visible].norm(dim=1)
    moved = (bend(model, smile, rest).apply(points) - points)[visible].norm(dim=1)
    assert moved.max() > 0.015
    assert error.mean() < 5e-4
    assert error.max() < 0.2 * moved.max()


def test_a_shut_lid_moves_and_the_hidden_eye_does_not_hold_it(model: MorphableModel) -> None:
    shut, open_ = face(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0), face(model)
    lid = [159, 386]  # middle of the upper lids' edges
    before, after = model.landmarks(shut), model.landmarks(open_)
    least = (before - after)[lid].norm(dim=1).max()
    carried = bend(model, shut, open_).apply(before)
    assert (carried - after)[lid].norm(dim=1).max() < 0.5 * least


def test_gradients_are_finite(model: MorphableModel) -> None:
    made = bend(model, face(model, jawOpen=0.7), face(model))
    points = model.landmarks(face(model, jawOpen=0.7)).requires_grad_(True)
    made.apply(points).square().sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3)])
def test_any_number_of_axes(model: MorphableModel, shape: tuple[int, ...]) -> None:
    assert bend(model, face(model, jawOpen=0.7), face(model)).apply(torch.zeros(shape)).shape == shape


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
def test_compiled_and_tree_find_the_same(model: MorphableModel) -> None:
    before = face(model, jawOpen=0.6, mouthSmileLeft=0.4, eyeBlinkRight=0.8)
    made = [
        make_bend(model, before, face(model), seen_from=EYE, config=BendConfig(engine=engine))
        for engine in ("tree", "compiled")
    ]
    assert made[0] is not None
    assert made[1] is not None
    assert len(made[0].fine) == len(made[1].fine) == 3
    for tree, compiled in zip((made[0].coarse, *made[0].fine), (made[1].coarse, *made[1].fine), strict=True):
        assert tree.displacement.abs().max() > 0.002
        assert torch.equal(tree.low, compiled.low)
        torch.testing.assert_close(compiled.displacement, tree.displacement, rtol=0, atol=5e-6)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
def test_few_points_are_enough_for_the_compiled_means() -> None:
    points, moves = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    points[1, 0] = 0.01
    for engine in ("tree", "compiled"):
        means = ENGINES[engine](points, moves, BendConfig())(np.full(3, -0.1), 0.01, np.full(3, 21))
        assert means.shape == (21, 21, 21, 3)
        np.testing.assert_allclose(means[10, 10, 10], 1, atol=1e-5)
        assert not means[0].any()  # farther than the reach
