"""How high brows stand is the person's own."""

from dataclasses import replace

import numpy as np
import pytest
from tests.animation.test_translate import COUNT, still_head

from mien.animation.brows import LOWERED, RAISED, brow_level, highest_level, levelled_brows
from mien.animation.calibrate import calibrated_motion, translation_of
from mien.animation.edits import parse_edits
from mien.animation.measures import SEEN, model_measures
from mien.animation.motion import Motion
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion, Retargeting

LOW_BROWS = np.zeros(52)
LOW_BROWS[list(LOWERED)] = 0.8


def raised(level: float, swing: float = 0.1, *, is_seen: bool = True) -> Motion:
    """A driver whose brows are high all along, and move a little; seen by a tracker, or made by hand."""
    coefficients = np.zeros((COUNT, 52))
    wave = swing * np.sin(np.linspace(0, 6 * np.pi, COUNT))
    coefficients[:, list(RAISED)] = np.clip(level + wave, 0, 1)[:, None]
    motion = still_head(coefficients)
    if not is_seen:
        return motion
    measures = SEEN * (model_measures().rest + model_measures().changes(coefficients))
    return replace(motion, measures=measures.astype(np.float32))


def insensitive() -> ExpressionResponse:
    """Of an avatar on whose brows a tracker sees half of what is sent."""
    values = ExpressionResponse.identity().values.copy()
    values[list(RAISED)] *= 0.5
    return replace(ExpressionResponse.identity(), values=values)


def sent(motion: Motion, source: np.ndarray, **options: object) -> DrivenMotion:
    return calibrated_motion(
        motion,
        insensitive(),
        R_camera_head_source=np.eye(3),
        expression_source=source,
        options=Retargeting(**options),  # type: ignore[arg-type]
    )


def test_brows_go_as_far_from_their_own_rest_as_brows_go() -> None:
    np.testing.assert_allclose(highest_level(np.zeros(52)), 1)
    np.testing.assert_allclose(highest_level(LOW_BROWS), 0.2, atol=1e-12)
    one_low, high = np.zeros(52), np.zeros(52)
    one_low[LOWERED[0]] = 0.8
    np.testing.assert_allclose(highest_level(one_low), [0.6, 0.2, 1])
    high[list(RAISED)] = 0.3
    np.testing.assert_allclose(highest_level(high), 1.3)
    both = high + 2 * LOW_BROWS  # no lower than in the photo, whatever else is fitted
    np.testing.assert_allclose(highest_level(both), 0.3)


def test_what_is_above_is_taken_off_alike() -> None:
    rows = np.random.default_rng(0).uniform(0.5, 0.9, (101, 52))
    level = levelled_brows(rows, np.array([0.4, 0.9, 0.0]))
    np.testing.assert_allclose(brow_level(level), [0.4, brow_level(rows)[1], 0], atol=1e-12)
    np.testing.assert_allclose(np.diff(level[:, RAISED[0]]), np.diff(rows[:, RAISED[0]]), atol=1e-12)
    np.testing.assert_array_equal(level[:, RAISED[1]], rows[:, RAISED[1]])
    assert level.min() >= 0
    others = np.setdiff1d(np.arange(52), RAISED)
    np.testing.assert_array_equal(level[:, others], rows[:, others])


@pytest.mark.parametrize(("source", "level"), [(np.zeros(52), 1.0), (LOW_BROWS, 0.2)])
def test_a_response_that_sees_little_does_not_send_brows_beyond(source: np.ndarray, level: float) -> None:
    motion = raised(0.9)
    free = sent(motion, source, own_brows=False).expression
    assert brow_level(free).min() > level + 0.1
    held = sent(motion, source).expression
    assert brow_level(held).max() <= level + 1e-6
    assert np.ptp(held[:, RAISED[1]]) > 0.05  # they still move


def test_brows_that_somebody_asks_for_are_shown() -> None:
    options = Retargeting(edits=parse_edits(["browInnerUp=0.9"]))
    plain = translation_of(
        raised(0.0, 0.0),
        None,
        R_camera_head_source=np.eye(3),
        expression_source=LOW_BROWS,
        options=options,
    )
    assert isinstance(plain, DrivenMotion)
    np.testing.assert_allclose(plain.expression[:, RAISED[0]], 0.9, atol=1e-6)
    held = sent(raised(0.0, 0.0), LOW_BROWS, edits=options.edits).expression
    assert held[:, RAISED[0]].min() > 0.85


def test_brows_made_by_hand_stand_where_they_are_asked_to() -> None:
    by_hand = raised(0.9, 0.0, is_seen=False)
    plain = translation_of(
        by_hand, None, R_camera_head_source=np.eye(3), expression_source=LOW_BROWS, options=Retargeting()
    )
    assert isinstance(plain, DrivenMotion)
    np.testing.assert_allclose(brow_level(plain.expression), 0.9, atol=1e-6)
    assert brow_level(sent(by_hand, LOW_BROWS).expression).min() > 0.85


def test_relative_expressions_count_from_the_person_anyway() -> None:
    moved = sent(raised(0.9), LOW_BROWS, expression_mode="relative").expression
    assert brow_level(moved).max() < 0.3
