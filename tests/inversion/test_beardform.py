"""How far beards stand off, on a head with painted ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.inversion.beardform import THICKNESS, beard_cover, beard_hang, formed_on_chart, with_beard_form
from mien.inversion.evidence import PhotoEvidence, gather_evidence
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import CHIN_LANDMARK, MorphableModel, load_head_model
from mien.morphable.raster import RayScene, interpolate_corners, vertex_normals
from mien.morphable.regions import azimuth_and_height, on_face, region_faces

PHOTO_PX = 420
SKIN, HAIR, SHIRT = np.array([200, 150, 120]), np.array([60, 45, 35]), np.array([40, 60, 160])
CHIN_AND_JAW = -0.09


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="module")
def fit(model: MorphableModel) -> FaceFit:
    identity, R = torch.zeros(model.component_count), torch.eye(3)
    crop = CropRegion(PHOTO_PX * 0.5, PHOTO_PX * 0.45, PHOTO_PX * 0.8)
    bare = FaceFit(identity, torch.zeros(52), R, orbit_camera(R), crop, 0.0, torch.zeros(478, 2))
    uv = bare.photo_camera(PHOTO_PX, PHOTO_PX).project(model.landmarks(bare.vertices(model))).uv
    return replace(bare, landmarks_px=uv * PHOTO_PX)


def photo(
    fit: FaceFit, model: MorphableModel, *, share: float, hang: float = 0.0, dark_side: float = 1.0
) -> PhotoEvidence:
    """A bald man over nothing; of the pixels of chin and jaw so many are hair, and, below the chin, of a
    patch that is `hang` high. The left half is lit less."""
    camera, random = fit.photo_camera(PHOTO_PX, PHOTO_PX), np.random.default_rng(0)
    rays = camera.rays(PHOTO_PX, PHOTO_PX)
    origins, directions = (part.reshape(-1, 3).numpy() for part in (rays.origins, rays.directions))
    hits = RayScene(fit.vertices(model).numpy(), model.faces_np).cast(origins, directions)
    uv = torch.from_numpy(interpolate_corners(model.canonical_corners.numpy(), hits)).float()[:, :2]
    _, height = azimuth_and_height(uv)
    point = origins + directions * hits.depth[:, None]
    chin = model.landmarks(fit.vertices(model))[CHIN_LANDMARK].numpy()
    grown = (on_face(uv) & (height < CHIN_AND_JAW)).numpy() & (point[:, 1] > chin[1] - 0.01)
    grown |= (point[:, 1] <= chin[1]) & (point[:, 1] > chin[1] - hang) & (np.abs(point[:, 0]) < 0.06)
    lips = region_faces(model)["lips"].numpy()[np.maximum(hits.face, 0)]
    hairs = grown & ~lips & (random.uniform(size=len(uv)) < share)
    rgb = np.where((point[:, 1] < -0.27)[:, None], SHIRT, SKIN) + random.normal(0, 2, (len(uv), 1))
    rgb = np.where(hairs[:, None], HAIR + random.normal(0, 18, (len(uv), 1)), rgb)
    rgb = rgb * np.where(point[:, :1] > 0, dark_side, 1.0)
    rgb = np.where(hits.hit[:, None], rgb, 128).clip(0, 255)
    picture = rgb.astype(np.uint8).reshape(PHOTO_PX, PHOTO_PX, 3)
    return gather_evidence(picture, hits.hit.reshape(PHOTO_PX, PHOTO_PX).astype(np.float32), fit, model)


def test_a_shaven_face_keeps_its_form(fit: FaceFit, model: MorphableModel) -> None:
    assert with_beard_form(fit, photo(fit, model, share=0.0), model) is fit


@pytest.mark.parametrize("dark_side", [1.0, 0.4])
def test_stubble_does_not_stand_off(fit: FaceFit, model: MorphableModel, dark_side: float) -> None:
    assert with_beard_form(fit, photo(fit, model, share=0.15, dark_side=dark_side), model) is fit


def test_a_full_beard_stands_off_where_it_grows(fit: FaceFit, model: MorphableModel) -> None:
    bearded = with_beard_form(fit, photo(fit, model, share=0.95), model)
    assert bearded.beard is not None
    skin = fit.vertices(model)
    length = bearded.beard.norm(dim=1)
    chin = (skin - model.landmarks(skin)[CHIN_LANDMARK]).norm(dim=1) < 0.02
    assert length[chin & model.exposure.gt(0.5)].median() > 0.7 * THICKNESS
    assert length[skin[:, 1] > -0.02].max() == 0
    lips = torch.unique(model.faces[region_faces(model)["lips"]])
    assert length[lips].max() < 0.2 * THICKNESS
    normal = torch.from_numpy(vertex_normals(skin.numpy(), model.faces_np)).float()
    assert ((bearded.beard * normal).sum(1)[length > 0.004] > 0).float().mean() > 0.95
    moved = (bearded.vertices(model) - skin).norm(dim=1)
    assert ((moved > 0) == (length > 0)).all()
    torch.testing.assert_close(bearded.neutral(model), fit.neutral(model))
    formed = formed_on_chart(model, bearded.beard, 128)
    assert formed.max() > 0.9
    assert formed.min() >= 0


def test_what_hangs_below_the_chin_makes_it_longer(fit: FaceFit, model: MorphableModel) -> None:
    hangs, lengths = [], []
    for hang in (0.0, 0.14):
        evidence = photo(fit, model, share=0.95, hang=hang)
        cover = beard_cover(evidence)
        assert cover is not None
        hangs.append(beard_hang(evidence, cover, fit))
        tips = with_beard_form(fit, evidence, model).beard
        assert tips is not None
        lengths.append(float(-tips[:, 1].min()))
    assert hangs[0] < 0.03
    assert hangs[1] == pytest.approx(0.14, abs=0.02)
    assert lengths[1] > lengths[0] + 0.02
