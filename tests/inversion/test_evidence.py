from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.conftest import PHOTO_PX, Portrait, make_portrait

from mien.core.camera import Camera
from mien.inversion.evidence import (
    PhotoEvidence,
    hair_coloured,
    hair_share,
    polygon_mask,
    region_camera,
    region_of_interest,
    worn_below,
)
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import BROW_LEFT, BROW_RIGHT, LIPS_INNER, LIPS_OUTER
from mien.morphable.model import CHIN_LANDMARK, PARTS, MorphableModel
from mien.morphable.raster import RayScene
from mien.training.procedural.semantics import Semantic


def test_hair_is_a_share_of_the_person(evidence: PhotoEvidence) -> None:
    assert evidence.hair.min() >= 0
    assert (evidence.hair <= evidence.alpha + 1e-6).all()
    assert (evidence.hair[evidence.alpha == 0] == 0).all()


def test_hair_is_found_where_it_is(
    portrait: Portrait, evidence: PhotoEvidence, model: MorphableModel
) -> None:
    x0, y0, x1, y1 = evidence.box_px
    seen = portrait.view
    semantic, solid = (t[y0:y1, x0:x1].reshape(-1) for t in (seen.semantic, seen.alpha > 0.5))
    is_hair = solid & (semantic == Semantic.HAIR)
    is_skin = solid & (semantic == Semantic.SKIN)
    face = is_skin & (evidence.body_planes[:, 1] > -0.2).numpy()
    assert is_hair.sum() > 300
    assert evidence.hair[is_hair].mean() > 0.7
    assert evidence.hair[face].mean() < 0.25


def test_clothes_off_the_body_are_told_from_hanging_hair(portrait: Portrait) -> None:
    """Left of the head hair hangs below the chin, on the right there is cloth of another colour."""
    size = PHOTO_PX
    chin = int(portrait.fit.landmarks_px[CHIN_LANDMARK, 1])
    rgb = np.full((size, size, 3), 90, np.uint8)
    hair = np.zeros((size, size), np.float32)
    hair[10 : chin + 30, 10:30] = 1
    hair[10:40, 10 : size - 20] = 1
    hair[chin + 5 : chin + 35, size - 40 : size - 20] = 1
    rgb[hair > 0] = (60, 40, 20)
    rgb[chin + 5 :, size - 40 :] = (40, 60, 200)
    alpha, part = (hair > 0).astype(np.float32), np.full((size, size), -1)
    worn = worn_below(rgb, alpha, part, hair, portrait.fit.landmarks_px.numpy())
    assert worn[chin + 10 : chin + 30, size - 38 : size - 22].mean() > 0.9
    assert worn[: chin + 25, 14:26].mean() < 0.05
    assert worn[:chin].max() == 0
    nothing = np.where(np.arange(size)[:, None] > chin, hair, 0).astype(np.float32)
    bald = worn_below(rgb, alpha, part, nothing, portrait.fit.landmarks_px.numpy())
    assert np.array_equal(bald > 0, nothing > 0)


def test_an_ear_beyond_the_fitted_one_has_not_the_colour_of_hair(portrait: Portrait) -> None:
    size = PHOTO_PX
    landmarks = portrait.fit.landmarks_px.numpy()
    rgb = np.full((size, size, 3), (200, 150, 120), np.uint8)
    brows = int(np.median(landmarks[[*BROW_LEFT, *BROW_RIGHT], 1])) + 1
    hair = np.zeros((size, size), np.float32)
    hair[:brows] = 1
    hair[brows : brows + 30, :20] = 1  # on the left hair goes on, on the right something skin-coloured
    hair[brows : brows + 30, size - 20 :] = 1
    rgb[:brows] = rgb[: brows + 30, :20] = (40, 35, 30)
    alpha, part = np.ones((size, size), np.float32), np.full((size, size), -1)
    locks = hair_coloured(rgb, alpha, part, hair, landmarks)
    assert locks[:brows].min() == 1
    assert locks[brows + 4 : brows + 26, 2:18].mean() > 0.95
    assert locks[brows + 4 : brows + 26, size - 18 : size - 2].max() == 0
    bald = np.where(np.arange(size)[:, None] < brows, 0, hair).astype(np.float32)
    assert hair_coloured(rgb, alpha, part, bald, landmarks).min() == 1


def test_colours_of_the_open_mouth_are_not_trusted(model: MorphableModel) -> None:
    portrait = make_portrait(model, jawOpen=0.8)
    evidence = portrait.evidence(model)
    hits = RayScene(portrait.fit.vertices(model).numpy(), model.faces_np).cast(
        evidence.origins.numpy(), evidence.directions.numpy()
    )
    part = np.where(hits.hit, model.part_of_face.numpy()[np.maximum(hits.face, 0)], -1)
    inside = np.isin(part, [PARTS.index("tongue"), PARTS.index("mouth")])
    assert inside.sum() > 10
    assert (evidence.colour_weight[inside] == 0).all()
    assert (evidence.colour_weight[part < 0] == 0).all()
    assert evidence.colour_weight[part == PARTS.index("body")].max() > 0.9


def test_lips_are_not_taken_for_teeth(model: MorphableModel) -> None:
    """Of a smile with painted teeth those count that are light and no redder than the face."""
    portrait = make_portrait(
        model,
        mouthSmileLeft=0.9,
        mouthSmileRight=0.9,
        mouthUpperUpLeft=0.9,
        mouthUpperUpRight=0.9,
        jawOpen=0.1,
    )
    evidence = portrait.evidence(model)
    hits = RayScene(portrait.fit.vertices(model).numpy(), model.faces_np).cast(
        evidence.origins.numpy(), evidence.directions.numpy()
    )
    part = np.where(hits.hit, model.part_of_face.numpy()[np.maximum(hits.face, 0)], -1)
    x0, y0, x1, y1 = evidence.box_px
    teeth = np.zeros((PHOTO_PX, PHOTO_PX), bool)
    teeth[y0:y1, x0:x1] = (part == PARTS.index("teeth_upper")).reshape(y1 - y0, x1 - x0)
    trusted = []
    for colour in ((225, 218, 205), (220, 120, 120)):
        portrait.rgb[teeth] = colour
        weight = portrait.evidence(model).colour_weight.view(y1 - y0, x1 - x0).numpy()
        trusted.append(float(weight[teeth[y0:y1, x0:x1]].sum()))
    assert trusted[0] > 3
    assert trusted[1] == 0


def flat_face(rgb: np.ndarray) -> np.ndarray:
    """A picture of one reddish colour all over."""
    return np.full_like(rgb, (180, 130, 110))


def test_teeth_are_not_painted_on_lips(portrait: Portrait, model: MorphableModel) -> None:
    """Light and pale pixels on the fitted lips are teeth beside them; pale pixels on the cheek are skin."""
    plain = flat_face(portrait.rgb)
    outside, inside = (
        polygon_mask(plain.shape[:2], portrait.fit.landmarks_px[list(points)].numpy())
        for points in (LIPS_OUTER, LIPS_INNER)
    )
    lips = outside & ~inside
    x, y = portrait.fit.landmarks_px[50].round().int().tolist()
    cheek = np.zeros_like(lips)
    cheek[y - 2 : y + 3, x - 2 : x + 3] = True
    for area, kept in ((lips, False), (cheek, True)):
        pale = plain.copy()
        pale[area] = 235
        trust = []
        for rgb in (plain, pale):
            evidence = replace(portrait, rgb=rgb).evidence(model)
            x0, y0, x1, y1 = evidence.box_px
            trust.append(evidence.colour_weight.view(y1 - y0, x1 - x0).numpy()[area[y0:y1, x0:x1]])
        assert trust[0].sum() > 5
        assert trust[1].sum() > 0.9 * trust[0].sum() if kept else trust[1].sum() < 0.05 * trust[0].sum()


def test_colour_trust_falls_with_the_angle(evidence: PhotoEvidence) -> None:
    assert (evidence.colour_weight <= evidence.facing + 1e-6).all()
    assert evidence.facing.max() <= 1 + 1e-5


@pytest.mark.parametrize("centre", [(0.0, 0.0), (100.0, 80.0), (50.0, 79.0)])
def test_region_is_clipped_to_the_photo(portrait: Portrait, centre: tuple[float, float]) -> None:
    from dataclasses import replace

    fit: FaceFit = replace(portrait.fit, crop=CropRegion(*centre, 70.0))
    x0, y0, x1, y1 = region_of_interest(fit, 100, 80)
    assert 0 <= x0 < x1 <= 100
    assert 0 <= y0 < y1 <= 80


def test_region_camera_sees_the_same_pixels(portrait: Portrait) -> None:
    camera: Camera = portrait.fit.photo_camera(PHOTO_PX, PHOTO_PX)
    box = (10, 20, 90, 110)
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) * 0.1
    whole = camera.project(points).uv * PHOTO_PX
    part = region_camera(camera, (PHOTO_PX, PHOTO_PX), box).project(points).uv
    torch.testing.assert_close(part * torch.tensor([80.0, 90.0]) + torch.tensor([10.0, 20.0]), whole)


def test_bald_heads_have_no_hair_inside_them(portrait: Portrait) -> None:
    """Where everything but a fringe is explained by the mesh, only that fringe counts."""
    part = np.zeros((60, 60), int)
    alpha = np.zeros((60, 60), np.float32)
    alpha[5:, 5:55] = 1
    landmarks = portrait.fit.landmarks_px.numpy() * 60 / PHOTO_PX
    share = hair_share(np.full((60, 60, 3), 128, np.uint8), alpha, part, np.ones((60, 60), bool), landmarks)
    assert share.max() == 0
