"""What is sent to an avatar: gaze, and which coefficients answer for which."""

import numpy as np
import pytest
from tests.animation.test_retarget import make_motion

from mien.animation.openings import own_gaze, paired_lids, resting_gaze
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import Retargeting, retarget
from mien.animation.translate import (
    ALSO_CLOSES,
    ANSWERS,
    HIGHEST,
    LIDS,
    LIPS_SHUT,
    Translation,
    calmed,
    conjugate,
    parted,
    sealed,
)
from mien.core.arkit import ARKIT_INDEX

COUNT = 12
UP, DOWN, OUT, IN = (
    [ARKIT_INDEX[f"eyeLook{way}{side}"] for side in ("Left", "Right")] for way in ("Up", "Down", "Out", "In")
)
BLINK, JAW, BROW = (ARKIT_INDEX[n] for n in ("eyeBlinkLeft", "jawOpen", "browInnerUp"))


def still_head(coefficients: np.ndarray):  # type: ignore[no-untyped-def]
    count = len(coefficients)
    return make_motion(coefficients, np.tile(np.eye(3), (count, 1, 1)), np.tile([0.0, 0.0, -1.0], (count, 1)))


def test_both_eyes_turn_alike() -> None:
    random = np.random.default_rng(0)
    sent, shown = (random.uniform(0.2, 0.5, (COUNT, 52)).astype(np.float32) for _ in range(2))
    result = conjugate(sent, shown)

    def leftwards(c: np.ndarray) -> np.ndarray:
        return np.stack([c[:, OUT[0]] - c[:, IN[0]], c[:, IN[1]] - c[:, OUT[1]]], 1)

    turn = leftwards(result) - leftwards(shown)
    np.testing.assert_allclose(turn[:, 0], turn[:, 1], atol=1e-6)
    np.testing.assert_allclose(turn[:, 0], (leftwards(sent) - leftwards(shown)).mean(1), atol=1e-6)
    np.testing.assert_allclose(conjugate(result, shown), result, atol=1e-6)
    np.testing.assert_allclose(conjugate(shown, shown), shown, atol=1e-6)
    others = np.setdiff1d(np.arange(52), [*UP, *DOWN, *OUT, *IN])
    np.testing.assert_array_equal(result[:, others], sent[:, others])


def test_a_driver_who_looks_down_at_the_camera_looks_into_the_sources() -> None:
    coefficients = np.zeros((COUNT, 52))
    coefficients[:, DOWN] = 0.4
    coefficients[3, DOWN], coefficients[3, UP] = 0.0, 0.2
    source = np.zeros(52)
    source[UP] = 0.1
    assert resting_gaze(still_head(coefficients)) == pytest.approx(-0.4)
    turned = own_gaze(coefficients, -0.4, source)
    np.testing.assert_allclose(turned[0, UP], 0.1, atol=1e-9)
    np.testing.assert_allclose(turned[0, DOWN], 0, atol=1e-9)
    np.testing.assert_allclose(turned[3, UP], 0.7, atol=1e-9)


@pytest.mark.parametrize(
    ("pose_mode", "own", "down"), [("relative", True, 0), ("relative", False, 0.4), ("absolute", True, 0.4)]
)
def test_gaze_is_counted_from_rest_where_the_head_is(pose_mode: str, own: bool, down: float) -> None:
    coefficients = np.zeros((COUNT, 52))
    coefficients[:, DOWN] = 0.4
    options = Retargeting(pose_mode=pose_mode, own_gaze=own)  # type: ignore[arg-type]
    driven = retarget(
        still_head(coefficients),
        R_camera_head_source=np.eye(3),
        expression_source=np.zeros(52),
        options=options,
    )
    np.testing.assert_allclose(driven.expression[:, DOWN], down, atol=1e-6)


def test_no_eye_is_shut_for_the_sake_of_another_number() -> None:
    """A shut eye is also measured as looking less to the side, of which this avatar shows too much."""
    crosstalk = np.zeros((52, 52))
    crosstalk[BLINK, OUT[0]] = -0.8
    values = ExpressionResponse.identity().values.copy()
    values[OUT[0]] = 0.7 + 0.1 * values[OUT[0]]
    response = ExpressionResponse(values, crosstalk)
    wanted = np.zeros((1, 52), np.float32)
    free, held = (
        response.apply(wanted, anchor=0.1, weight=1.0, answers=answers)[0, BLINK]
        for answers in (None, ANSWERS)
    )
    assert free > 0.2
    assert held == pytest.approx(0, abs=1e-3)


def test_groups_are_symmetric_and_hold_every_coefficient_itself() -> None:
    assert np.array_equal(ANSWERS, ANSWERS.T)
    assert ANSWERS.diagonal().all()
    assert not ANSWERS[BLINK, JAW]
    assert not ANSWERS[BROW, JAW]


def test_brows_that_show_little_are_sent_beyond_one_but_no_farther_than_allowed() -> None:
    values = ExpressionResponse.identity().values.copy()
    values[[BROW, JAW]] *= 0.4
    response = ExpressionResponse(values, np.zeros((52, 52)))
    shown = np.zeros((COUNT, 52))
    shown[:, [BROW, JAW]] = 0.9
    driven = retarget(still_head(shown), R_camera_head_source=np.eye(3), expression_source=np.zeros(52))
    sent = Translation(driven, driven.expression, response, np.zeros(52, bool)).sent()
    assert 1.2 < sent[0, BROW] <= HIGHEST[BROW]
    assert 1 < sent[:, JAW].max() <= HIGHEST[JAW]


def test_a_full_pucker_reaches_as_far_as_peoples_and_a_little_one_stays() -> None:
    pucker = ARKIT_INDEX["mouthPucker"]
    values = ExpressionResponse.identity().values.copy()
    values[pucker] *= 0.05  # a tracker hardly sees the model's
    response = ExpressionResponse(values, np.zeros((52, 52)))
    shown = np.zeros((COUNT, 52))
    shown[:, pucker] = np.where(np.arange(COUNT) < COUNT // 2, 0.95, 0.3)
    driven = retarget(still_head(shown), R_camera_head_source=np.eye(3), expression_source=np.zeros(52))
    sent = Translation(driven, driven.expression, response, np.zeros(52, bool)).sent()
    assert 1.5 < sent[0, pucker] <= HIGHEST[pucker]
    assert 0.28 < sent[-1, pucker] < 0.4


def test_pursed_lips_are_open_as_far_as_the_drivers_own() -> None:
    pucker, funnel = ARKIT_INDEX["mouthPucker"], ARKIT_INDEX["mouthFunnel"]
    values = ExpressionResponse.identity().values.copy()
    values[[JAW, funnel]] *= 0.5
    response = ExpressionResponse(values, np.zeros((52, 52)))
    shown = np.zeros((COUNT, 52))
    shown[:, [JAW, funnel]] = 0.3
    shown[:, pucker] = np.where(np.arange(COUNT) < COUNT // 2, 1.0, 0.0)
    driven = retarget(still_head(shown), R_camera_head_source=np.eye(3), expression_source=np.zeros(52))
    sent = Translation(driven, driven.expression, response, np.zeros(52, bool)).sent()
    np.testing.assert_allclose(sent[0, [JAW, funnel]], 0.3, atol=1e-5)
    assert (sent[-1, [JAW, funnel]] > 0.4).all()


def test_what_is_changed_moves_no_quicker_than_what_is_shown() -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(120) / 30
    shown = np.clip(0.4 + 0.2 * np.sin(time_s)[:, None] * rng.uniform(0.5, 1, 52), 0, 1).astype(np.float32)
    sent = (shown + rng.uniform(0, 0.2, shown.shape)).astype(np.float32)
    result = calmed(sent, shown, time_s)
    others = ~LIDS
    speed = np.abs(np.diff(result - shown, axis=0))[:, others].mean()
    assert speed < 0.25 * np.abs(np.diff(sent - shown, axis=0))[:, others].mean()
    np.testing.assert_allclose(result.mean(0), sent.mean(0), atol=0.01)
    np.testing.assert_array_equal(result[:, LIDS], sent[:, LIDS])
    still = np.tile(sent[:1], (120, 1))
    calm = calmed(still, 0.5 * still, time_s)
    assert (calm == calm[:1]).all()
    np.testing.assert_allclose(calm, still, atol=1e-6)


def test_lips_are_shut_where_nothing_of_the_drivers_opens_them() -> None:
    close, lower, upper = (ARKIT_INDEX[n] for n in ("mouthClose", "mouthRollLower", "mouthUpperUpLeft"))
    shown = np.zeros((COUNT, 52), np.float32)
    shown[1, [JAW, close, lower]] = (0.4, 0.3, 0.6)  # shut over a dropped jaw
    shown[2, JAW] = 0.5
    shown[3, [upper, ARKIT_INDEX["mouthUpperUpRight"]]] = 0.3
    np.testing.assert_allclose(parted(shown)[:4], [0, 0, 1, 1])
    sent = shown.copy()
    sent[:, JAW] += 0.1
    shut = sealed(sent, shown)[:, close]
    folded = np.array([0, ALSO_CLOSES * 0.6])
    np.testing.assert_allclose(shut[:2], LIPS_SHUT + sent[:2, JAW] - folded, rtol=1e-5)
    assert (shut[2:4] == 0).all()


def test_lids_close_alike_unless_one_eye_winks() -> None:
    coefficients = np.zeros((4, 52))
    left, right = (ARKIT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right"))
    coefficients[:, left] = [0.7, 0.9, 0.1, 0.5]
    coefficients[:, right] = [0.4, 0.1, 0.9, 0.5]
    found = paired_lids(coefficients)
    np.testing.assert_allclose(found[:, [left, right]].mean(1), coefficients[:, [left, right]].mean(1))
    assert abs(found[0, left] - found[0, right]) < 0.1
    np.testing.assert_array_equal(found[1:], coefficients[1:])
    rising = np.zeros((50, 52))
    rising[:, left] = np.linspace(0, 1, 50)
    assert (np.diff(paired_lids(rising)[:, left]) > 0).all()
