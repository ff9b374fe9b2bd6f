"""Neck and shoulders follow the outline, stay with the prior where there is none, and the face stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene
from mien.morphable.torso import TorsoModel, load_torso_model
from mien.morphable.torso_fit import fit_torso, open_vertices, signed_distance

PHOTO_PX = 256


@pytest.fixture(scope="module")
def torso(model: MorphableModel) -> TorsoModel:
    return load_torso_model(model)


@pytest.fixture(scope="module")
def face(model: MorphableModel) -> FaceFit:
    identity = torch.from_numpy(np.random.default_rng(3).normal(0, 0.6, model.component_count)).float()
    R = torch.eye(3)
    crop = CropRegion(PHOTO_PX * 0.5, PHOTO_PX * 0.4, PHOTO_PX * 0.6)
    fit = FaceFit(identity, torch.zeros(52), R, orbit_camera(R), crop, 0.0, torch.zeros(478, 2))
    uv = fit.photo_camera(PHOTO_PX, PHOTO_PX).project(model.landmarks(fit.vertices(model))).uv
    return replace(fit, landmarks_px=uv * PHOTO_PX)


def matte_of(fit: FaceFit, model: MorphableModel) -> np.ndarray:
    camera = fit.photo_camera(PHOTO_PX, PHOTO_PX)
    directions = camera.rays(PHOTO_PX, PHOTO_PX).directions.reshape(-1, 3).numpy()
    hits = RayScene(fit.vertices(model).numpy(), model.faces_np).cast(camera.position.numpy(), directions)
    return hits.hit.reshape(PHOTO_PX, PHOTO_PX).astype(np.float32)


def drawn(torso: TorsoModel, face: FaceFit, model: MorphableModel, seed: int) -> FaceFit:
    """The same face on a random torso."""
    factors = torch.randn(torso.spread.shape[1], generator=torch.Generator().manual_seed(seed))
    coefficients = torso.expected(face.identity) + torso.spread @ factors.clamp(-1.5, 1.5)
    return replace(face, torso=torso.displacement(coefficients, len(model.mean)))


def expected(torso: TorsoModel, face: FaceFit, model: MorphableModel) -> Tensor:
    return torso.displacement(torso.expected(face.identity), len(model.mean))


def overlap(one: np.ndarray, other: np.ndarray, rows: slice) -> float:
    """Intersection over union."""
    a, b = one[rows] > 0.5, other[rows] > 0.5
    return float((a & b).sum() / (a | b).sum())


def test_a_known_torso_is_found_from_its_outline(
    model: MorphableModel, torso: TorsoModel, face: FaceFit
) -> None:
    rows = slice(int(face.landmarks_px[152, 1]) + 2, None)
    shoulders = (model.mean[:, 1] < -0.25) & (model.mean[:, 1] > -0.45) & (model.mean[:, 2] > -0.1)
    overlaps: list[float] = []
    before: list[torch.Tensor] = []
    after: list[torch.Tensor] = []
    for seed in range(6):
        true = drawn(torso, face, model, seed)
        matte = matte_of(true, model)
        found = fit_torso(face, matte, model)
        overlaps.append(overlap(matte_of(found, model), matte, rows))
        for errors, moved in ((before, expected(torso, face, model)), (after, found.torso)):
            errors.append((moved - true.torso)[shoulders].norm(dim=-1).mean())
    assert min(overlaps) > 0.88
    assert np.mean(overlaps) > 0.93
    assert torch.stack(after).mean() < 0.75 * torch.stack(before).mean()


@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_without_an_outline_it_is_what_the_prior_expects(
    model: MorphableModel, torso: TorsoModel, face: FaceFit, covered: float
) -> None:
    alpha = np.full((PHOTO_PX, PHOTO_PX), covered, np.float32)
    torch.testing.assert_close(fit_torso(face, alpha, model).torso, expected(torso, face, model))


def test_a_photo_that_ends_at_the_chin_gives_the_prior(
    model: MorphableModel, torso: TorsoModel, face: FaceFit
) -> None:
    matte = matte_of(drawn(torso, face, model, 1), model)[: int(face.landmarks_px[152, 1])]
    torch.testing.assert_close(fit_torso(face, matte, model).torso, expected(torso, face, model))


def test_the_face_stays_as_it_is(model: MorphableModel, torso: TorsoModel, face: FaceFit) -> None:
    found = fit_torso(face, matte_of(drawn(torso, face, model, 2), model), model)
    assert float(found.torso.abs().max()) > 0.005
    assert torch.equal(found.torso[model.mean[:, 1] > -0.12], torch.zeros(()).expand_as(
        found.torso[model.mean[:, 1] > -0.12]
    ))  # fmt: skip
    torch.testing.assert_close(
        model.landmarks(found.vertices(model)), model.landmarks(face.vertices(model)), atol=1e-6, rtol=0
    )
    assert torch.equal(found.identity, face.identity)
    assert torch.equal(found.R_camera_head, face.R_camera_head)


def test_the_torso_is_the_same_in_every_expression(
    model: MorphableModel, torso: TorsoModel, face: FaceFit
) -> None:
    fit = drawn(torso, face, model, 4)
    torch.testing.assert_close(fit.neutral(model), fit.vertices(model))
    smiling = replace(fit, expression=torch.full((52,), 0.2))
    torch.testing.assert_close(smiling.neutral(model), fit.neutral(model))
    assert not torch.equal(smiling.vertices(model), smiling.neutral(model))


def test_hair_over_a_shoulder_moves_it_little(
    model: MorphableModel, torso: TorsoModel, face: FaceFit
) -> None:
    true = replace(face, torso=expected(torso, face, model))
    bare = matte_of(true, model)
    veiled = bare.copy()
    chin = int(face.landmarks_px[152, 1])
    veiled[chin - 60 : chin + 45, 60:196] = 1.0  # a curtain from the ears down to the shoulders
    moved = fit_torso(face, veiled, model).torso - fit_torso(face, bare, model).torso
    assert float(moved.norm(dim=-1).mean()) < 0.012


def test_signed_distance_of_a_half_plane() -> None:
    mask = np.zeros((6, 8), bool)
    mask[:, :3] = True
    np.testing.assert_allclose(signed_distance(mask, 9.0)[2], np.arange(8) - 2.5)
    assert (signed_distance(~mask & mask, 9.0) == 9.0).all()
    assert (signed_distance(mask | ~mask, 9.0) == -9.0).all()


def test_only_the_low_end_of_the_mesh_is_open(model: MorphableModel) -> None:
    rim = open_vertices(model)
    assert 0 < int(rim.sum()) < 700
    assert float(model.mean[rim, 1].max()) < -0.3
