"""What a tracker sees amiss is corrected by what it sees of drawn frames."""

import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.animation import feedback
from mien.animation.feedback import (
    BLOCK_ROWS,
    LIMIT_RAD,
    Feedback,
    correct_motion,
    row_products,
    soft_norm,
    turns_since_first,
)
from mien.animation.measures import MEASURES
from mien.animation.motion import MotionSource
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion, head_offset
from mien.animation.rotations import rotation_exp
from mien.animation.translate import Translation
from mien.core.arkit import ARKIT_INDEX

COUNT = 80
BLUR = 5 * Feedback().passes
"""Frames over which corrections are blurred in time, pass after pass."""
DISTANCE = 2.7
TILT = rotation_exp(np.array([[0.1, -0.4, 0.05]]))[0]


def moving(seed: int = 0) -> DrivenMotion:
    random = np.random.default_rng(seed)
    time_s = np.arange(COUNT) / 25
    waves = np.sin(time_s[:, None] * random.uniform(1, 4, 55) + random.uniform(0, 6, 55))
    return DrivenMotion(
        time_s=time_s,
        expression=(0.3 + 0.3 * waves[:, 3:]).astype(np.float32),
        R_camera_head=(rotation_exp(0.15 * waves[:, :3]) @ TILT).astype(np.float32),
        translation_offset=(0.05 * (waves[:, 9:12] - waves[:1, 9:12])).astype(np.float32),
        fps=Fraction(25),
        source=MotionSource("driver.mp4", ""),
    )


class BiasedTracker:
    """Sees turns compressed and as shifts, an expression as a nod; finds no face where it is told so."""

    blind: frozenset[int] = frozenset()

    def __init__(self, **_: object) -> None:
        pass

    def __enter__(self) -> "BiasedTracker":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, picture: SimpleNamespace, time_s: float) -> list[SimpleNamespace]:
        driven, k = picture.driven, picture.k
        assert time_s == driven.time_s[k]
        if k in self.blind:
            return []
        R0 = driven.R_camera_head[0]
        turn = turns_since_first(np.stack([R0, driven.R_camera_head[k]]))[1]
        leak = (driven.expression[k, 24] - driven.expression[0, 24]) * np.array([0.12, 0.0, -0.05])
        place = np.array([0.2, 0.1, -DISTANCE]) + driven.translation_offset[k]
        place = place + 0.06 * turn[[1, 0, 2]] * [1, -1, 0]  # as if it turned about another point
        return [
            SimpleNamespace(
                R_camera_head=rotation_exp((0.8 * turn + leak)[None])[0] @ TILT,
                place=place,
                coefficients=np.clip(0.75 * driven.expression[k] + 0.08 + 0.2 * turn[1], 0, 1),
            )
        ]


def draw(driven: DrivenMotion, frames: Iterable[int]) -> Iterable[Any]:
    return (drawn(driven, k) for k in frames)


def drawn(driven: DrivenMotion, k: int) -> SimpleNamespace:
    return SimpleNamespace(driven=driven, k=k, shape=(64, 64, 3))


@pytest.fixture(autouse=True)
def _biased(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "FaceTracker", BiasedTracker)
    monkeypatch.setattr(feedback, "place_of_head", lambda face, shape: face.place)
    monkeypatch.setattr(feedback, "observed_measures", lambda face: np.zeros(len(MEASURES)))


def seen(driven: DrivenMotion) -> tuple[np.ndarray, np.ndarray]:
    faces = [BiasedTracker().detect(drawn(driven, k), driven.time_s[k])[0] for k in range(COUNT)]
    place = np.stack([face.place for face in faces])
    return turns_since_first(np.stack([face.R_camera_head for face in faces])), head_offset(place, DISTANCE)


def error(driven: DrivenMotion, wanted: DrivenMotion) -> tuple[float, ...]:
    turns, shifts = seen(driven)
    turns = turns - turns_since_first(wanted.R_camera_head)
    return tuple(float(np.linalg.norm(e, axis=1).mean()) for e in (turns, shifts - wanted.translation_offset))


def test_what_is_seen_comes_near_to_what_is_wanted_on_all_frames() -> None:
    wanted = moving()
    corrected = correct_motion(wanted, draw)
    for after, before in zip(error(corrected, wanted), error(wanted, wanted), strict=True):
        assert after < 0.35 * before
    np.testing.assert_allclose(corrected.R_camera_head[0], wanted.R_camera_head[0], atol=1e-6)
    assert np.array_equal(corrected.expression, wanted.expression)


def test_what_is_seen_of_the_face_comes_near_to_what_is_wanted() -> None:
    """The response knows nothing of this tracker: it sees less of all, and more where the head is turned."""
    wanted = moving(5)
    translation = Translation(
        wanted,
        wanted.expression,
        ExpressionResponse.identity(),
        np.arange(52) == ARKIT_INDEX["noseSneerLeft"],
    )
    corrected = correct_motion(translation.motion(), draw, translation=translation, with_pose=False)
    np.testing.assert_array_equal(corrected.R_camera_head, wanted.R_camera_head)
    off = []
    for motion in (wanted, corrected):
        faces = [BiasedTracker().detect(drawn(motion, k), motion.time_s[k])[0] for k in range(COUNT)]
        off.append(np.abs(np.stack([face.coefficients for face in faces]) - wanted.expression).mean(0))
    gaze = [k for name, k in ARKIT_INDEX.items() if name.startswith("eyeLook")]  # here the eyes disagree
    free = np.setdiff1d(np.arange(52), [*gaze, ARKIT_INDEX["noseSneerLeft"], ARKIT_INDEX["mouthClose"]])
    assert off[1][free].mean() < 0.5 * off[0][free].mean()
    kept = ARKIT_INDEX["noseSneerLeft"]
    np.testing.assert_array_equal(corrected.expression[:, kept], wanted.expression[:, kept])


def test_equal_frames_keep_equal_faces() -> None:
    wanted = moving(6)
    for values in (wanted.expression, wanted.R_camera_head, wanted.translation_offset):
        values[40:] = values[:40]
    translation = Translation(wanted, wanted.expression, ExpressionResponse.identity(), np.zeros(52, bool))
    corrected = correct_motion(translation.motion(), draw, translation=translation)
    assert np.array_equal(corrected.expression[40 + BLUR : 80 - BLUR], corrected.expression[BLUR : 40 - BLUR])


def test_frames_without_a_face_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = moving(1)
    monkeypatch.setattr(BiasedTracker, "blind", frozenset(range(30, 50)))
    corrected = correct_motion(wanted, draw)
    monkeypatch.setattr(BiasedTracker, "blind", frozenset())
    for after, before in zip(error(corrected, wanted), error(wanted, wanted), strict=True):
        assert after < 0.5 * before


def test_without_the_first_frame_nothing_can_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = moving(2)
    monkeypatch.setattr(BiasedTracker, "blind", frozenset({0}))
    assert np.array_equal(correct_motion(wanted, draw).R_camera_head, wanted.R_camera_head)


def test_still_and_short_motions_are_returned_as_they_are() -> None:
    wanted = moving(3)
    still = replace(
        wanted,
        expression=np.repeat(wanted.expression[:1], COUNT, 0),
        R_camera_head=np.repeat(wanted.R_camera_head[:1], COUNT, 0),
        translation_offset=np.repeat(wanted.translation_offset[:1], COUNT, 0),
    )
    short = DrivenMotion(
        wanted.time_s[:9],
        wanted.expression[:9],
        wanted.R_camera_head[:9],
        wanted.translation_offset[:9],
        wanted.fps,
        wanted.source,
    )
    assert correct_motion(still, draw) is still
    assert correct_motion(short, draw) is short


def test_equal_frames_stay_equal() -> None:
    wanted = moving(4)
    for values in (wanted.expression, wanted.R_camera_head, wanted.translation_offset):
        values[40:] = values[:40]
    corrected = correct_motion(wanted, draw)
    for values in (corrected.R_camera_head, corrected.translation_offset):
        assert np.array_equal(values[40 + BLUR : 80 - BLUR], values[BLUR : 40 - BLUR])


def test_corrections_are_bounded() -> None:
    vectors = np.random.default_rng(0).normal(0, 1, (100, 3))
    assert (np.linalg.norm(soft_norm(vectors, LIMIT_RAD), axis=1) <= LIMIT_RAD).all()
    np.testing.assert_allclose(soft_norm(1e-3 * vectors, LIMIT_RAD), 1e-3 * vectors, rtol=1e-2)
    assert np.array_equal(soft_norm(np.zeros((2, 3)), LIMIT_RAD), np.zeros((2, 3)))


def test_rows_are_multiplied_each_alone_in_little_memory() -> None:
    random = np.random.default_rng(3)
    rows, weights = random.normal(size=(9 * BLOCK_ROWS + 5, 58)), random.normal(size=(58, 52))
    rows[-1] = rows[0]
    plain = (rows[:, :, None] * weights).sum(1)
    tracemalloc.start()
    product = row_products(rows, weights)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(product, plain)
    np.testing.assert_array_equal(product[-1], product[0])
    np.testing.assert_allclose(product, rows @ weights, rtol=1e-9, atol=1e-9)
    assert peak_bytes < product.nbytes + 3 * BLOCK_ROWS * 58 * 52 * 8
