"""Glasses."""

import numpy as np
import pytest

from mien.morphable.model import MorphableModel
from mien.training.procedural.glasses import SHAPES, GlassesShape, draw_glasses, glasses_mesh, glasses_of


@pytest.mark.parametrize("shape", SHAPES)
def test_glasses_sit_before_the_eyes_and_on_the_ears(model: MorphableModel, shape: GlassesShape) -> None:
    mesh = glasses_mesh(model, model.mean.numpy(), glasses_of(shape, np.random.default_rng(1)))
    marks = model.landmarks(model.mean).numpy()
    assert mesh.faces.min() == 0
    assert mesh.faces.max() == len(mesh.vertices) - 1
    for name in ("albedo", "roughness", "reflectance", "alpha", "transmission", "is_lens"):
        assert len(getattr(mesh, name)) == len(mesh.faces)
    lens = mesh.vertices[np.unique(mesh.faces[mesh.is_lens])]
    for iris in (marks[[159, 145]].mean(0), marks[[386, 374]].mean(0)):
        side = lens[np.sign(lens[:, 0]) == np.sign(iris[0])]
        assert (side[:, :2].min(0) < iris[:2]).all()
        assert (side[:, :2].max(0) > iris[:2]).all()
        assert side[:, 2].mean() > iris[2]
    assert mesh.vertices[:, 2].min() < marks[234, 2] - 0.04  # behind the ear's root
    assert np.abs(mesh.vertices[:, 0]).max() < 0.16
    size = np.ptp(mesh.vertices[np.unique(mesh.faces[mesh.is_lens]), 0])
    assert 0.19 < size < 0.28  # 100 to 147 mm
    assert (mesh.alpha[~mesh.is_lens] == 1).all()


def test_older_people_wear_glasses_more_often() -> None:
    rng = np.random.default_rng(0)
    worn = [sum(draw_glasses(rng, age=age) is not None for _ in range(400)) for age in (15.0, 70.0)]
    assert worn[1] > 1.8 * worn[0] > 0
    assert draw_glasses(rng, odds=0.0) is None
    glasses = draw_glasses(rng, odds=1.0)
    assert glasses is not None
    assert "glasses.shape" in glasses.labels()
