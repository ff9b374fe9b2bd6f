"""Ears that stand off as a photo shows them, on renders of heads with known ears."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.conftest import Portrait

from mien.inversion import ears
from mien.inversion.ears import SIDES, SkinBeside, ears_of, skin_beside, with_seen_ears
from mien.inversion.evidence import PhotoEvidence, gather_evidence
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene
from mien.morphable.regions import on_face, region_faces

PX = 320
SKIN, HAIR, WALL = (205, 150, 125), (60, 42, 32), (120, 130, 140)
STANDING_OFF = np.array([np.radians(24.0), 0.12, -0.015, 0.0])
"""Turned outwards, larger and lower than the average."""


def face_at(model: MorphableModel, yaw_deg: float = 0.0) -> FaceFit:
    a = np.radians(yaw_deg)
    R = torch.tensor([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]).float()
    camera, crop = orbit_camera(R), CropRegion(PX * 0.5, PX * 0.5, PX * 0.9)
    bare = FaceFit(torch.zeros(80), torch.zeros(52), R, camera, crop, 0.0, torch.zeros(478, 2))
    uv = bare.photo_camera(PX, PX).project(model.landmarks(bare.vertices(model))).uv
    return replace(bare, landmarks_px=uv * PX)


def shapes(fit: FaceFit, model: MorphableModel, *moved: np.ndarray) -> np.ndarray:
    """Displacement of the head's vertices by a shape of the left and of the right ear."""
    skin = fit.vertices(model).double().numpy()
    nothing = SkinBeside(fit.camera, np.zeros((PX, PX), np.float32), np.zeros((PX, PX), np.float32))
    pairs = zip(ears_of(model), SIDES, moved, strict=True)
    return np.asarray(
        sum(ears._Search(ear, side, skin, nothing, model).displacement(shape) for ear, side, shape in pairs)
    )


def seen(
    model: MorphableModel, fit: FaceFit, truth: np.ndarray, ear_rgb: tuple[int, int, int] | None = SKIN,
    *, only_right: bool = False,
) -> PhotoEvidence:  # fmt: skip
    """What the average fit sees of a photo of other ears; those of another colour on the left, or on both."""
    random = np.random.default_rng(0)
    rays = fit.photo_camera(PX, PX).rays(PX, PX)
    scalp = region_faces(model)["scalp"].numpy()
    top = np.unique(model.faces_np[scalp & (model.mean.numpy()[model.faces_np, 1] > 0.06).all(1)])
    vertices = (fit.vertices(model).numpy() + truth).astype(np.float32)
    vertices[top] *= 1.15  # hair is what the fitted head does not explain
    hits = RayScene(vertices, model.faces_np).cast(
        *(r.reshape(-1, 3).numpy() for r in (rays.origins, rays.directions))
    )
    colour = np.tile(np.array(SKIN, np.float64), (len(model.faces_np), 1))
    middle = model.mean.numpy()[model.faces_np].mean(1)
    colour[scalp | (middle[:, 1] > 0.1)] = HAIR
    for ear, side in zip(ears_of(model), SIDES, strict=True):
        if not (only_right and side < 0):
            colour[(ear.weight[model.faces_np] > 0).any(1)] = ear_rgb
    rgb = np.where(hits.hit[:, None], colour[np.maximum(hits.face, 0)], WALL).reshape(PX, PX, 3)
    rgb = (rgb + random.normal(0, 4, rgb.shape)).clip(0, 255).astype(np.uint8)
    return gather_evidence(rgb, hits.hit.reshape(PX, PX).astype(np.float32), fit, model)


def left_off(fit: FaceFit, found: FaceFit, truth: np.ndarray, model: MorphableModel) -> list[float]:
    """Mean distance of each ear from the true one, left and right, as a share of that of the average ear."""
    moved = (found.torso - fit.torso).numpy()
    at = [np.unique(ear.faces) for ear in ears_of(model)]
    return [
        float(np.linalg.norm((moved - truth)[a], axis=1).mean() / np.linalg.norm(truth[a], axis=1).mean())
        for a in at
    ]


def test_ears_are_two_pieces_of_the_sides_of_the_head(model: MorphableModel) -> None:
    left, right = ears_of(model)
    x = model.mean[:, 0].numpy()
    assert (x[left.faces] > 0.1).all()
    assert (x[right.faces] < -0.1).all()
    assert abs(len(left.faces) - len(right.faces)) < 10
    assert left.weight.min() >= 0
    assert left.weight.max() <= 1
    assert (left.weight > 0).sum() < 0.12 * len(x)
    assert not ((left.weight > 0) & (right.weight > 0)).any()


@pytest.mark.parametrize("yaw_deg", [0.0, 8.0])
def test_ears_that_stand_off_are_found(model: MorphableModel, yaw_deg: float) -> None:
    fit = face_at(model, yaw_deg)
    truth = shapes(fit, model, STANDING_OFF, STANDING_OFF)
    found = with_seen_ears(fit, seen(model, fit, truth), model)
    assert max(left_off(fit, found, truth, model)) < 0.5
    still = (ears_of(model)[0].weight == 0) & (ears_of(model)[1].weight == 0)
    assert not (found.torso.numpy()[still]).any()


def test_average_ears_stay_about_where_they_are(model: MorphableModel) -> None:
    fit = face_at(model)
    none = np.zeros((len(model.mean), 3))
    found = with_seen_ears(fit, seen(model, fit, none), model)
    assert float(found.torso.norm(dim=-1).max()) < 0.012  # 6 mm


@pytest.mark.parametrize("ear_rgb", [HAIR, (40, 60, 160)])
def test_what_is_not_skin_is_no_ear(model: MorphableModel, ear_rgb: tuple[int, int, int]) -> None:
    """Hair and scarves beside the face."""
    fit = face_at(model)
    truth = shapes(fit, model, STANDING_OFF, STANDING_OFF)
    assert with_seen_ears(fit, seen(model, fit, truth, ear_rgb), model) is fit


def test_an_ear_behind_hair_is_like_the_other(model: MorphableModel) -> None:
    fit = face_at(model)
    truth = shapes(fit, model, STANDING_OFF, STANDING_OFF)
    found = with_seen_ears(fit, seen(model, fit, truth, HAIR, only_right=True), model)
    assert max(left_off(fit, found, truth, model)) < 0.5


def test_red_and_shaded_ears_are_skin(model: MorphableModel) -> None:
    fit = face_at(model)
    truth = shapes(fit, model, STANDING_OFF, STANDING_OFF)
    for ear_rgb in ((150, 95, 78), (215, 135, 120)):
        found = with_seen_ears(fit, seen(model, fit, truth, ear_rgb), model)
        assert max(left_off(fit, found, truth, model)) < 0.5


def test_long_hair_has_no_ears(portrait: Portrait, evidence: PhotoEvidence, model: MorphableModel) -> None:
    """The procedural man whose hair covers them."""
    assert with_seen_ears(portrait.fit, evidence, model) is portrait.fit
    likely = skin_beside(evidence, portrait.fit).skin
    face = (evidence.colour_weight > 0.7) & (evidence.hair < 0.1) & on_face(evidence.body_planes[:, :2])
    assert likely.reshape(-1)[face.numpy()].mean() > 0.9
