"""Edited renders against the truth: the same painted head rendered with the other expression."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.animation.paper.conftest import SIZE, KnownHead, expression

from mien.animation.paper.edited import EditedRender, edited_render
from mien.animation.paper.front import front_of
from mien.animation.paper.layers import first_hits, layers_of
from mien.animation.paper.regions import face_parts

Known = Callable[[float, float], KnownHead]
OPEN = {"jawOpen": 0.7}
EDITS = {
    "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "browInnerUp": 0.7},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "open": OPEN,
}


def errors(edited: EditedRender, truth: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute difference, in the range of colours."""
    return float(np.abs(edited.rgb - truth / 255.0)[where].mean())


def test_the_own_expression_gives_the_photo(known: Known) -> None:
    head = known(10.0, -5.0)
    own = expression(jawOpen=0.4, mouthSmileLeft=0.3)
    layers = layers_of(head.source(own))
    edited = edited_render(layers, head.vertices(own))
    assert np.abs(edited.rgb - layers.photo).max() < 1e-3


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_the_mesh_rendered_with_that_expression(known: Known, name: str) -> None:
    head, target = known(8.0, 0.0), expression(**EDITS[name])
    layers = layers_of(head.source(expression()))
    edited = edited_render(layers, head.vertices(target))
    truth = head.paint(target)
    mask = edited.face > 0.99
    moved = np.abs(truth.rgb.astype(int) - head.paint(expression()).rgb).max(2) > 8
    still = errors(EditedRender(layers.photo, *[edited.face] * 5), truth.rgb, mask & moved)
    assert (mask & moved).sum() > 50
    assert errors(edited, truth.rgb, mask & moved) < 0.35 * still
    assert errors(edited, truth.rgb, mask) < 0.012


def test_the_mask_has_a_hole_where_the_mouth_opens(known: Known) -> None:
    head = known(0.0, 0.0)
    layers, inside = layers_of(head.source(expression())), face_parts(head.model).inside
    for coefficients, is_open in ((expression(**OPEN), True), (expression(), False)):
        edited = edited_render(layers, head.vertices(coefficients))
        seen = head.paint(coefficients).face
        truth = (seen >= 0) & inside[np.maximum(seen, 0)]
        hole = edited.opening > 0.5
        if is_open:
            assert (hole & truth).sum() / (hole | truth).sum() > 0.9
            assert edited.face[hole].max() < 0.55
        else:
            assert hole.sum() <= truth.sum() + 3 < 20


def test_a_closing_jaw_leaves_no_second_chin(known: Known) -> None:
    """Where the open jaw was, the neck or the wall shows."""
    head = known(0.0, 12.0)
    layers = layers_of(head.source(expression(**OPEN)))
    edited = edited_render(layers, head.vertices(expression()))
    truth, photo = head.paint(expression()), head.paint(expression(**OPEN))
    face = face_parts(head.model).face
    was = (photo.face >= 0) & face[np.maximum(photo.face, 0)]
    now = (truth.face >= 0) & face[np.maximum(truth.face, 0)]
    uncovered = cv2.erode((was & ~now).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert uncovered.sum() > 30
    before = float(np.abs(photo.rgb / 255.0 - truth.rgb / 255.0)[uncovered].mean())
    assert errors(edited, truth.rgb, uncovered) < 0.6 * before


def with_glasses(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dark rims around the eyes, and where they are."""
    mask = np.zeros(rgb.shape[:2], np.uint8)
    for outer, inner in ((33, 133), (362, 263)):
        centre, width = (points[outer] + points[inner]) / 2, np.linalg.norm(points[outer] - points[inner])
        axes = (round(0.85 * width), round(0.75 * width))
        cv2.ellipse(mask, (round(centre[0]), round(centre[1] + 0.1 * width)), axes, 0, 0, 360, 1, 3)
    return np.where(mask[..., None] > 0, np.uint8(20), rgb), mask > 0


def test_glasses_lie_in_front_and_do_not_slide(known: Known) -> None:
    head = known(0.0, 0.0)
    plain = head.source(expression())
    worn, rims = with_glasses(plain.rgb, plain.landmarks_px)
    source = head.source(expression(), worn)
    cheeks = rims & (np.arange(SIZE)[:, None] > plain.landmarks_px[159, 1])  # above them are brows
    front = front_of(source, first_hits(source, source.vertices)) > 0.5
    assert front[cheeks].mean() > 0.8
    assert front.sum() < 3 * rims.sum()
    raised = expression(browInnerUp=1.0, cheekSquintLeft=1.0, cheekSquintRight=1.0, mouthSmileLeft=1.0,
                        mouthSmileRight=1.0)  # fmt: skip
    edited = edited_render(layers_of(source), head.vertices(raised))
    dark = edited.rgb.mean(2) < 0.3
    below = np.arange(SIZE)[:, None] > plain.landmarks_px[159, 1]
    lips = np.arange(SIZE)[:, None] < plain.landmarks_px[2, 1]
    assert dark[cheeks].mean() > 0.8
    assert (dark & ~cv2.dilate(rims.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & below & lips
            & (edited.face + front > 0.5)).sum() < 0.1 * cheeks.sum()  # fmt: skip


def test_painted_skin_has_nothing_in_front(known: Known) -> None:
    source = known(0.0, 0.0).source(expression())
    front = front_of(source, first_hits(source, source.vertices))
    assert float((front > 0.5).mean()) < 0.01


def test_a_hand_of_the_skins_own_colour_stays_where_it_is(known: Known) -> None:
    head = known(0.0, 0.0)
    plain = head.source(expression())
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    mouth, width = plain.landmarks_px[13], plain.face_width_px
    hand = np.hypot(x - mouth[0] - 0.12 * width, y - mouth[1]) < 0.14 * width
    stripes = (8 * np.sin(0.9 * x)).astype(int)[..., None]
    picture = np.where(hand[..., None], np.clip(plain.rgb[60, SIZE // 2] + stripes, 0, 255), plain.rgb)
    picture = picture.astype(np.uint8)
    source = replace(head.source(expression(), picture), held=hand.astype(np.float32))
    spoken = head.vertices(expression(jawOpen=0.8, mouthSmileLeft=0.8, mouthSmileRight=0.8))
    kept, slid = (
        np.abs(edited_render(layers_of(s), spoken).rgb - picture / 255.0)[hand].max(-1)
        for s in (source, replace(source, held=None))
    )
    assert float(kept.max()) < 0.01
    assert float((slid > 0.02).mean()) > 0.4
