"""Things before faces: found where they are, none where there are none, and the sheet on which they lie."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.conftest import PHOTO_PX, Portrait, look, make_portrait, rgba_of

from mien.inversion.cover import (
    BEFORE,
    SeenCover,
    cover_mask,
    in_photo,
    level,
    make_cover,
    sure_things,
    uncovered,
)
from mien.inversion.evidence import gather_evidence
from mien.morphable.covercrop import COVER_PX, cover_crop
from mien.morphable.covernet import load_cover_net
from mien.morphable.eyecrop import seen_points
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import MorphableModel
from mien.training.covers.things import draw_hand, with_things
from mien.training.procedural.render.scene import pose
from mien.training.procedural.render.spectacles import draw_glasses_part


@pytest.fixture(scope="module")
def bare(model: MorphableModel) -> Portrait:
    return make_portrait(model)


@pytest.fixture(scope="module")
def points(model: MorphableModel, bare: Portrait) -> torch.Tensor:
    camera = bare.fit.photo_camera(PHOTO_PX, PHOTO_PX)
    return seen_points(camera, model.landmarks(bare.fit.vertices(model)), (PHOTO_PX, PHOTO_PX))


def disc(points: torch.Tensor, landmark: int, radius_px: float) -> np.ndarray:
    y, x = np.mgrid[:PHOTO_PX, :PHOTO_PX] + 0.5
    return np.asarray(np.hypot(x - float(points[landmark, 0]), y - float(points[landmark, 1])) < radius_px)


def seen_disc(model: MorphableModel, points: torch.Tensor, *, at: float, held: float = 0.9) -> SeenCover:
    crop = cover_crop(points, landmark_model(model))
    y, x = np.mgrid[:COVER_PX, :COVER_PX]
    found = np.where(np.hypot(x - at, y - 90.0) < 12, 0.95, 0.02).astype(np.float32)
    return SeenCover(crop, found, held)


def test_what_hides_the_face_is_kept_what_is_beside_it_is_not(
    model: MorphableModel, points: torch.Tensor
) -> None:
    kept = sure_things(seen_disc(model, points, at=80.0), points)
    assert kept is not None
    assert kept[90, 80]
    assert not kept[90, 120]
    assert sure_things(seen_disc(model, points, at=12.0), points) is None
    assert sure_things(seen_disc(model, points, at=80.0, held=0.1), points) is None
    faint = seen_disc(model, points, at=80.0)
    assert sure_things(replace(faint, probability=faint.probability * 0.55), points) is None


def test_what_was_found_lies_where_it_was_in_the_photo(
    model: MorphableModel, bare: Portrait, points: torch.Tensor
) -> None:
    seen = seen_disc(model, points, at=80.0)
    mask = in_photo(bare.rgb, seen.probability, seen.crop)
    place = seen.crop.to_photo(torch.tensor([[[80.5 / COVER_PX - 0.5, 90.5 / COVER_PX - 0.5]]]).double())[
        0, 0
    ]
    ys, xs = np.nonzero(mask > 127)
    assert np.hypot(xs.mean() + 0.5 - float(place[0]), ys.mean() + 0.5 - float(place[1])) < 1.5
    radius = 12 * float(seen.crop.side_px[0]) / COVER_PX
    assert 0.5 < (mask > 127).sum() / (np.pi * radius**2) < 1.6


def test_a_thing_that_goes_on_beyond_the_square_fades(
    model: MorphableModel, bare: Portrait, points: torch.Tensor
) -> None:
    crop = cover_crop(points, landmark_model(model))
    mask = in_photo(bare.rgb, np.ones((COVER_PX, COVER_PX), np.float32), crop)
    assert np.abs(np.diff(mask.astype(int), axis=0)).max() < 100
    middle = crop.centre_px[0].long()
    assert mask[int(middle[1]), int(middle[0])] == 255


def test_the_sheet_lies_on_the_photos_pixels_just_before_the_face(
    model: MorphableModel, bare: Portrait, points: torch.Tensor
) -> None:
    mask = (disc(points, 50, 14) * 255).astype(np.uint8)
    cover = make_cover(mask, points, bare.fit, model)
    camera = bare.fit.photo_camera(PHOTO_PX, PHOTO_PX)
    torch.testing.assert_close(camera.project(cover.vertices).uv, cover.uv, atol=2e-3, rtol=0)
    marks = model.landmarks(bare.fit.vertices(model))
    near = (cover.vertices - marks[50]).norm(dim=1).argmin()
    ahead = (marks[50] - camera.position).norm() - (cover.vertices[near] - camera.position).norm()
    assert BEFORE / 2 < float(ahead) < 0.04
    corners = cover.uv[cover.faces.flatten()] * PHOTO_PX
    assert float((corners - points[50, :2].float()).norm(dim=1).max()) < 30


def test_a_sheet_is_before_all_near_it_and_smooth() -> None:
    depth = np.full((60, 60), np.inf)
    depth[:, :40] = 2.5
    depth[25:30, 15:20] = 2.4  # a nose
    flat = level(depth, 3.0, 2.0)
    assert np.isfinite(flat).all()
    assert flat[27, 17] < 2.43
    assert abs(flat[50, 30] - 2.5) < 0.01
    assert abs(flat[27, 58] - 2.5) < 0.05
    assert np.abs(np.diff(flat, axis=0)).max() < 0.03


def test_around_is_carried_into_what_is_hidden(bare: Portrait, points: torch.Tensor) -> None:
    hidden = disc(points, 50, 10)
    picture = bare.rgb.copy()
    picture[hidden] = (0, 255, 0)
    mask = (hidden * 255).astype(np.uint8)
    photo, alpha = uncovered(picture, bare.alpha, mask)
    assert photo[hidden][:, 1].max() < 200
    np.testing.assert_array_equal(
        photo[~hidden & (np.roll(hidden, 3) == 0)][:50], picture[~hidden & (np.roll(hidden, 3) == 0)][:50]
    )
    assert alpha[hidden].mean() > 0.9


def test_hidden_pixels_say_nothing_of_the_face(
    model: MorphableModel, bare: Portrait, points: torch.Tensor
) -> None:
    mask = (disc(points, 50, 10) * 255).astype(np.uint8)
    evidence = gather_evidence(bare.rgb, bare.alpha, bare.fit, model, mask)
    x0, y0, x1, y1 = evidence.box_px
    weight = evidence.colour_weight.view(*evidence.shape).numpy()
    assert weight[mask[y0:y1, x0:x1] == 255].max() == 0
    assert weight.max() > 0.5


def test_a_drawn_hand_is_found_and_a_bare_face_is_let_alone(
    model: MorphableModel, bare: Portrait, points: torch.Tensor
) -> None:
    if load_cover_net() is None:
        pytest.skip("this mien comes without the network")
    assert cover_mask(bare.rgb, points, model) is None
    sitter, marks = bare.scene.sitter, model.landmarks(bare.fit.vertices(model)).double().numpy()
    camera = bare.fit.photo_camera(PHOTO_PX, PHOTO_PX)
    overlaps = []
    for seed in range(6):
        hand = draw_hand(np.random.default_rng(seed), sitter.person, marks)
        scene = pose(replace(sitter, glasses=with_things(None, [hand])), bare.scene.expression)
        rgba = rgba_of(look(scene, camera, PHOTO_PX))
        rgb = ((rgba[..., :3] + 0.5 * (1 - rgba[..., 3:])).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        shown = draw_glasses_part(with_things(None, [hand]), camera, PHOTO_PX, lenses=False)
        true = np.zeros(PHOTO_PX * PHOTO_PX, bool)
        true[shown.sample] = True
        found = cover_mask(rgb, points, model)
        if found is not None:
            overlaps.append((found > 127)[true.reshape(PHOTO_PX, PHOTO_PX)].mean())
    assert len(overlaps) >= 2  # some only touch the face's rim
    assert np.mean(overlaps) > 0.5
