"""What stays when the head moves: clothes told from hair, and a chest that is not drawn along."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from tests.animation.test_detail import plain_head, turned

from mien.animation import detail
from mien.animation.chest import stained, without_crumbs
from mien.animation.detail import LOW, body_share, moving_share, places_of
from mien.animation.drive import STILL_WEIGHT, Puppet, make_puppet, photo_canvas, render_moving
from mien.animation.plate import shown_weight
from mien.animation.plates import behind_neck
from mien.core.camera import Camera
from mien.inversion.clothes import clothes_of
from mien.inversion.evidence import PhotoEvidence
from mien.morphable.chart import AXIS_Z

SIDE = 200
BROWN, BLUE, SKIN = (90, 60, 40), (40, 60, 160), (205, 160, 140)
ABOVE_CHIN = np.repeat(np.linspace(0.4, -0.2, SIDE, dtype=np.float32)[:, None], SIDE, 1)
"""The chin is at two thirds of the picture's height."""
AWAY = np.full((SIDE, SIDE), 0.3, np.float32)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def drawn(
    parts: list[tuple[np.ndarray, tuple[int, int, int]]], hair: np.ndarray, worn: np.ndarray, skin: np.ndarray
) -> PhotoEvidence:
    """A picture of coloured parts with some noise; what counts as hair, clothes below the chin and body."""
    rgb = np.full((SIDE, SIDE, 3), 128.0)
    for mask, colour in parts:
        rgb[mask] = colour
    rgb += np.random.default_rng(0).normal(0, 6, rgb.shape)
    flat = lambda a: torch.from_numpy(np.ascontiguousarray(a)).view(SIDE * SIDE)  # noqa: E731
    nothing = torch.zeros(SIDE * SIDE)
    return PhotoEvidence(
        box_px=(0, 0, SIDE, SIDE), camera=Camera(torch.eye(4), torch.eye(3)),
        origins=torch.zeros(SIDE * SIDE, 3), directions=torch.zeros(SIDE * SIDE, 3),
        rgb=torch.from_numpy(rgb.clip(0, 255).astype(np.float32) / 255).view(-1, 3),
        alpha=flat((hair | skin).astype(np.float32)), body_hit=flat(skin), body_depth=nothing,
        body_planes=torch.zeros(SIDE * SIDE, 3), facing=nothing, folded=nothing,
        hair=flat(hair.astype(np.float32)), worn=flat(worn.astype(np.float32)), locks=nothing,
        colour_weight=nothing, interior=nothing,
    )  # fmt: skip


FACE = rectangle(70, 40, 130, 140)
TOP = rectangle(60, 10, 140, 40)
SHOULDERS = rectangle(10, 150, 190, 200) & ~FACE


def test_clothes_beside_the_chin_are_found_by_their_colour() -> None:
    collar = rectangle(135, 110, 190, 150)  # higher than the chin, where it is not yet known to be worn
    hair = TOP | SHOULDERS | collar
    evidence = drawn([(FACE, SKIN), (TOP, BROWN), (SHOULDERS | collar, BLUE)], hair, SHOULDERS, FACE)
    found = clothes_of(evidence, ABOVE_CHIN, AWAY) > 0.5
    assert found[SHOULDERS | collar].mean() > 0.97
    assert not found[TOP | FACE].any()


def test_hair_that_hangs_over_the_shoulder_is_none_of_them() -> None:
    lock = rectangle(40, 10, 62, 200)
    clothes = SHOULDERS & ~lock
    worn = SHOULDERS  # as if the lock had been taken for clothes
    evidence = drawn([(FACE, SKIN), (TOP | lock, BROWN), (clothes, BLUE)], TOP | lock | clothes, worn, FACE)
    found = clothes_of(evidence, ABOVE_CHIN, AWAY) > 0.5
    assert found[clothes].mean() > 0.95
    assert found[lock].mean() < 0.1


@pytest.mark.parametrize(("line_px", "clothes"), [(3, True), (16, False)])
def test_a_suit_as_dark_as_the_hair_hangs_together_with_it_by_a_thin_line(
    line_px: int, *, clothes: bool
) -> None:
    rim = rectangle(132, 30, 132 + line_px, 160)
    hair = TOP | rim | SHOULDERS
    evidence = drawn([(FACE, SKIN), (hair, BROWN)], hair, np.zeros_like(hair), FACE)
    found = clothes_of(evidence, ABOVE_CHIN, AWAY) > 0.5
    assert (found[SHOULDERS].mean() > 0.9) == clothes
    assert not found[TOP].any()


def test_skin_beside_the_neck_is_none_of_them() -> None:
    neck = rectangle(130, 120, 140, 150)
    hair = TOP | SHOULDERS | neck
    parts = [(FACE | neck, SKIN), (TOP, BROWN), (SHOULDERS, BLUE)]
    found = clothes_of(drawn(parts, hair, SHOULDERS | neck, FACE), ABOVE_CHIN, AWAY) > 0.5
    assert found[neck].mean() < 0.1
    assert found[SHOULDERS].mean() > 0.97


def test_what_is_wide_is_clothes_whatever_its_colour() -> None:
    far = rectangle(0, 150, 40, 200)
    hair = TOP | far
    evidence = drawn([(FACE, SKIN), (hair, BROWN)], hair, np.zeros_like(hair), FACE)
    assert (clothes_of(evidence, ABOVE_CHIN, np.where(far, np.float32(0.5), AWAY)) > 0.5)[far].mean() > 0.9


def test_the_rim_of_the_neck_on_a_collar_is_none_of_the_collar() -> None:
    neck, collar = rectangle(80, 140, 120, 200), rectangle(30, 140, 170, 200)
    collar &= ~neck
    rim = collar & rectangle(78, 140, 122, 200)  # coloured like the neck, but not met by the body
    evidence = drawn(
        [(FACE | neck | rim, SKIN), (collar & ~rim, BLUE)], collar, np.zeros_like(collar), FACE | neck
    )
    found = stained(evidence, collar)
    assert found[rim].mean() > 0.97
    assert not found[~rim].any()


def test_crumbs_of_a_collar_go_with_the_neck_and_borders_stay() -> None:
    share = (rectangle(0, 120, 80, 200) * np.float32(0.9)).astype(np.float32)
    even = without_crumbs(share)
    crumbs = rectangle(100, 140, 103, 143) | rectangle(120, 80, 121, 200)
    holes = rectangle(30, 150, 33, 153)
    ragged = np.where(crumbs, np.float32(1), np.where(holes, np.float32(0), share))
    assert np.abs(without_crumbs(ragged) - even)[crumbs].max() == 0
    assert (without_crumbs(ragged)[holes] == 1).all()
    away = ~(rectangle(76, 116, 84, 124) | holes)
    np.testing.assert_array_equal(even[away], share[away])


def test_a_collar_goes_on_behind_the_neck() -> None:
    left, right = rectangle(20, 120, 80, 200), rectangle(120, 140, 180, 200)
    neck = rectangle(80, 40, 120, 200)
    behind = behind_neck(left | right, neck, np.ones_like(neck), neck_px=100.0)
    assert not behind[:120].any()
    rows = np.nonzero(behind)[0]
    assert abs(rows[np.nonzero(behind)[1] == 79].min() - 120) <= 1
    assert abs(rows[np.nonzero(behind)[1] == 120].min() - 140) <= 1
    assert abs(rows[np.nonzero(behind)[1] == 100].min() - 130) <= 1


@pytest.mark.parametrize("stays", [rectangle(20, 120, 80, 200), np.zeros((SIDE, SIDE), bool)])
def test_behind_a_neck_with_clothes_on_one_side_or_none_there_is_the_room(stays: np.ndarray) -> None:
    neck = rectangle(80, 40, 120, 200)
    assert not behind_neck(stays, neck, np.ones_like(neck), neck_px=100.0).any()


def test_what_meets_the_face_higher_up_is_no_collar() -> None:
    hands, neck = rectangle(20, 40, 80, 200) | rectangle(120, 40, 180, 200), rectangle(80, 40, 120, 200)
    low = np.arange(SIDE)[:, None] > np.full((SIDE, SIDE), 150)
    behind = behind_neck(hands, neck, low, neck_px=100.0)
    assert behind.any()
    assert not behind[:150].any()


def test_what_the_photo_shows_of_the_chest_is_not_drawn_along(puppet: Puppet) -> None:
    """With a chest everywhere nothing of the head is drawn; with none it is."""
    avatar, motion = puppet.avatar, turned(puppet, 0.2)
    assert avatar.chest is not None
    frames = []
    for value in (0, 255):
        other = replace(avatar, chest=torch.full_like(avatar.chest, value))
        still = make_puppet(other, puppet.generator, puppet.model)
        frames.append(render_moving(still, photo_canvas(other), avatar.fit.expression, motion))
    plate = avatar.plate.numpy()
    assert (np.abs(frames[0].astype(int) - plate).max(-1) > 8).mean() > 0.05
    assert (
        np.abs(frames[1].astype(int) - plate).max(-1) > 8
    ).mean() < 0.002  # what the photo hides of the neck


def test_a_hidden_neck_may_come_out_of_clothes_but_shoulders_may_not(puppet: Puppet) -> None:
    avatar, motion = puppet.avatar, turned(puppet, 0.5)
    assert avatar.chest is not None
    clothed = replace(avatar, chest=torch.full_like(avatar.chest, 255))
    puppet = make_puppet(clothed, puppet.generator, puppet.model)
    _, out = plain_head(puppet, avatar.fit.expression, motion)
    assert puppet.detail is not None
    camera = avatar.fit.camera
    places = places_of(puppet.detail.camera, out, camera, motion)
    # All of it is behind what the photo shows, and moved before it.
    places = replace(
        places, distance=places.distance + 1, distance_moved=torch.zeros_like(places.distance_moved)
    )
    share = moving_share(puppet.detail, out, places, camera, motion.chin_y, STILL_WEIGHT)
    low = (body_share(out) > 0.99) & (places.rest[..., 1] < motion.chin_y + LOW[0])
    weight = shown_weight(places.rest, out, motion.chin_y)
    away = torch.hypot(places.rest[..., 0], places.rest[..., 2] - AXIS_Z)
    neck = low & (weight > STILL_WEIGHT[1]) & (away < detail.SHOULDERS[0])
    shoulders = low & (weight > STILL_WEIGHT[0] + 0.03) & (away > detail.SHOULDERS[1])
    assert neck.sum() > 20
    assert shoulders.sum() > 5
    assert share[neck].mean() > 0.9
    assert share[shoulders].max() == 0


def test_a_photos_chest_is_not_its_face(puppet: Puppet) -> None:
    avatar = puppet.avatar
    assert avatar.chest is not None
    chest, person = avatar.chest.numpy(), avatar.alpha.numpy() > 200
    points = avatar.fit.landmarks_px.numpy()
    face = np.zeros_like(chest)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    assert not chest[cv2.erode(face, np.ones((9, 9), np.uint8)) > 0].any()
    rows = slice(int(points[152, 1]) + 25, None)  # the collar and what is below
    assert person[rows].sum() > 1000
    assert (chest[rows] > 250)[person[rows]].mean() > 0.5
    kept = avatar.plate.numpy()[rows] == avatar.photo.numpy()[rows]
    assert kept.all(-1)[person[rows]].mean() > 0.9
