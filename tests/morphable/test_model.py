"""The linear head model."""

import pytest
import torch

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.landmarks import OPENINGS, landmark_model
from mien.morphable.model import PARTS, THROAT, MorphableModel

LIP_GAP, EYE_GAP_LEFT, EYE_GAP_RIGHT = (13, 14), (386, 374), (159, 145)


def only(name: str, value: float = 1.0) -> torch.Tensor:
    expression = torch.zeros(52)
    expression[ARKIT_INDEX[name]] = value
    return expression


def gap(model: MorphableModel, expression: torch.Tensor, pair: tuple[int, int]) -> float:
    points = model.landmarks(model.vertices(torch.zeros(model.component_count), expression))
    return float((points[pair[0]] - points[pair[1]]).norm())


def test_neutral_is_the_mean(model: MorphableModel) -> None:
    neutral = model.vertices(torch.zeros(model.component_count), torch.zeros(52))
    torch.testing.assert_close(neutral, model.mean)


def test_batches_agree_with_single_heads(model: MorphableModel) -> None:
    generator = torch.Generator().manual_seed(0)
    identity = torch.randn(3, model.component_count, generator=generator)
    expression = torch.rand(3, 52, generator=generator)
    together = model.vertices(identity, expression)
    for k in range(3):
        torch.testing.assert_close(together[k], model.vertices(identity[k], expression[k]))


def test_a_wrong_shape_is_refused(model: MorphableModel) -> None:
    with pytest.raises(Exception, match="expression"):
        model.vertices(torch.zeros(model.component_count), torch.zeros(51))


def test_jaw_and_lids_move_what_they_should(model: MorphableModel) -> None:
    rest = torch.zeros(52)
    assert gap(model, only("jawOpen"), LIP_GAP) > gap(model, rest, LIP_GAP) + 0.03
    assert gap(model, only("eyeBlinkLeft"), EYE_GAP_LEFT) < 0.3 * gap(model, rest, EYE_GAP_LEFT)
    assert gap(model, only("eyeBlinkLeft"), EYE_GAP_RIGHT) > 0.95 * gap(model, rest, EYE_GAP_RIGHT)


def test_eyeballs_turn_rigidly_and_the_right_way(model: MorphableModel) -> None:
    before = model.mean[model.eyeball_vertices[0]]
    looked = model.vertices(torch.zeros(model.component_count), only("eyeLookOutLeft"))
    after = looked[model.eyeball_vertices[0]]
    torch.testing.assert_close(torch.cdist(after[::9], after[::9]), torch.cdist(before[::9], before[::9]))
    pupil = 473  # the left eye is on the image's right, so outwards is to the right
    assert model.landmarks(looked)[pupil, 0] > model.landmarks(model.mean)[pupil, 0] + 0.005


def test_landmarks_lie_on_the_mesh_and_are_symmetric(model: MorphableModel) -> None:
    assert torch.allclose(model.landmark_barycentric.sum(-1), torch.ones(478), atol=1e-5)
    assert (model.landmark_barycentric >= 0).all()
    points = model.landmarks(model.mean)
    for right, left in ((33, 263), (61, 291), (133, 362), (468, 473)):
        mirrored = points[left] * torch.tensor([-1.0, 1.0, 1.0])
        assert float((points[right] - mirrored).norm()) < 0.006


def test_lips_and_lids_are_above_each_other(model: MorphableModel) -> None:
    points = model.landmarks(model.vertices(torch.zeros(model.component_count), only("jawOpen", 0.5)))
    for upper, lower in OPENINGS:
        assert points[upper, 1] > points[lower, 1]


def test_restriction_agrees_with_the_whole_model(model: MorphableModel) -> None:
    generator = torch.Generator().manual_seed(1)
    identity = 0.7 * torch.randn(4, model.component_count, generator=generator)
    expression = torch.rand(4, 52, generator=generator)
    whole = model.landmarks(model.vertices(identity, expression))
    restricted = landmark_model(model).points(identity.double(), expression.double())
    # The eyeball's centre is linear in the restriction; the whole model takes the moved ball's box.
    torch.testing.assert_close(restricted[:, :468].float(), whole[:, :468], atol=1e-5, rtol=0)
    torch.testing.assert_close(restricted[:, 468:].float(), whole[:, 468:], atol=5e-4, rtol=0)


def test_no_skin_lies_in_the_throat(model: MorphableModel) -> None:
    """There are triangles, but they are of the mouth and take the colour of its back wall."""
    low, high = torch.tensor(THROAT)
    inside = ((model.mean[model.faces] > low) & (model.mean[model.faces] < high)).flatten(1).all(1)
    assert inside.sum() > 50
    assert (model.part_of_face[inside] != PARTS.index("body")).all()
    joined = inside & (model.canonical_corners.flatten(1).std(1) < 1)
    single = joined & (model.canonical_corners[:, 0] == model.canonical_corners[:, 1]).all(1)
    wall = model.canonical_corners[model.part_faces("mouth")].flatten(0, 1)
    assert single.sum() > 40
    assert (model.canonical_corners[single][:, 0] >= wall.amin(0)).all()
    assert (model.canonical_corners[single][:, 0] <= wall.amax(0)).all()
