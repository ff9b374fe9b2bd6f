"""Regions, sides, rest and openings of a driver: synthetic motions with known answers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.animation.test_retarget import make_motion

from mien.animation.face_regions import (
    FACE_REGIONS,
    OTHER_SIDE,
    REGION_COLUMNS,
    FaceRegion,
    RegionGains,
    Side,
    sided,
    symmetric_coefficients,
)
from mien.animation.motion import Motion
from mien.animation.neutral import neutral_coefficients, neutral_pose, quiet_frames
from mien.animation.openings import lip_range, matched_lids, matched_lips, shut_lids
from mien.animation.retarget import DrivenMotion, PoseLimits, Retargeting, retarget
from mien.animation.rotations import head_angles, head_rotation, rotation_angle
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

COUNT = 60
RNG = np.random.default_rng(1)
SOURCE = RNG.uniform(0.02, 0.1, 52)
R_SOURCE = head_rotation(np.radians([10.0, -4.0, 2.0]))
JAW, CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
BLINK = ARKIT_INDEX["eyeBlinkLeft"]


def make(coefficients: np.ndarray, R: np.ndarray | None = None) -> Motion:
    count = len(coefficients)
    turns = np.tile(np.eye(3), (count, 1, 1)) if R is None else R
    return make_motion(coefficients, turns, np.tile([0.02, -0.01, -1.0], (count, 1)))


def lively() -> Motion:
    rng = np.random.default_rng(2)
    return make(rng.uniform(0, 0.5, (COUNT, 52)), head_rotation(rng.normal(0.1, 0.1, (COUNT, 3))))


def carry(motion: Motion, **options: object) -> DrivenMotion:
    return retarget(
        motion, R_camera_head_source=R_SOURCE, expression_source=SOURCE,
        options=Retargeting(**options),  # type: ignore[arg-type]
    )  # fmt: skip


def test_every_coefficient_is_in_one_region() -> None:
    together = np.concatenate([REGION_COLUMNS[region] for region in FACE_REGIONS])
    assert sorted(together.tolist()) == list(range(52))
    of = {ARKIT_NAMES[k]: region for region, columns in REGION_COLUMNS.items() for k in columns}
    assert of["eyeLookInLeft"] == "gaze"
    assert of["eyeSquintRight"] == "eyes"
    assert of["browInnerUp"] == "brows"
    assert of["mouthClose"] == of["jawOpen"] == "jaw"
    assert of["cheekPuff"] == of["tongueOut"] == of["mouthPucker"] == "mouth"


@pytest.mark.parametrize("region", FACE_REGIONS)
@pytest.mark.parametrize("mode", ["absolute", "relative"])
def test_a_region_is_kept_and_scaled_alone(region: FaceRegion, mode: str) -> None:
    motion, columns = lively(), REGION_COLUMNS[region]
    plain = carry(motion, expression_mode=mode, own_lids=False, own_gaze=False)
    off = carry(
        motion, expression_mode=mode, own_lids=False, own_gaze=False, gains=RegionGains(**{region: None})
    )
    half = carry(
        motion, expression_mode=mode, own_lids=False, own_gaze=False, gains=RegionGains(**{region: 0.5})
    )
    np.testing.assert_allclose(off.expression[:, columns], np.tile(SOURCE[columns], (COUNT, 1)), atol=1e-7)
    if mode == "absolute":
        expected = 0.5 * motion.coefficients[:, columns]
    else:
        change = motion.coefficients - neutral_coefficients(motion, "clip")
        expected = np.clip(SOURCE + 0.5 * change, 0, 1)[:, columns]
    np.testing.assert_allclose(half.expression[:, columns], expected, atol=1e-6)
    for other in (off, half):
        rest = np.setdiff1d(np.arange(52), columns)
        np.testing.assert_array_equal(other.expression[:, rest], plain.expression[:, rest])
        np.testing.assert_array_equal(other.R_camera_head, plain.R_camera_head)


@pytest.mark.parametrize("gain", [-0.1, 3.5, float("nan")])
def test_gains_out_of_range_are_named(gain: float) -> None:
    with pytest.raises(InputError, match="gain of brows"):
        RegionGains(brows=gain)


def test_mirrored_exchanges_left_and_right() -> None:
    motion = lively()
    mirrored = sided(motion, "mirrored")
    pairs = [(f"{part}Left", f"{part}Right") for part in ("eyeBlink", "jaw", "mouth", "eyeLookIn")]
    for one, other in (*pairs, ("browInnerUp", "browInnerUp")):
        np.testing.assert_array_equal(
            mirrored.coefficients[:, ARKIT_INDEX[one]], motion.coefficients[:, ARKIT_INDEX[other]]
        )
    angles = head_angles(motion.R_camera_head) * [-1, 1, -1]
    np.testing.assert_allclose(head_angles(mirrored.R_camera_head), angles, atol=1e-6)
    np.testing.assert_allclose(mirrored.translation_head, motion.translation_head * [-1, 1, 1])
    again = sided(mirrored, "mirrored")
    np.testing.assert_allclose(again.coefficients, motion.coefficients)
    np.testing.assert_allclose(again.R_camera_head, motion.R_camera_head)
    assert sided(motion, "same") is motion


def test_mirrored_turns_the_source_the_other_way() -> None:
    turn = head_rotation(
        np.stack([np.linspace(0, 0.4, COUNT), np.zeros(COUNT), np.linspace(0, 0.2, COUNT)], -1)
    )
    motion = make(np.zeros((COUNT, 52)), turn)
    plain, mirrored = (
        retarget(
            motion, R_camera_head_source=np.eye(3), expression_source=SOURCE, options=Retargeting(side=side)
        )
        for side in ("same", "mirrored")
    )
    expected = head_angles(plain.R_camera_head) * [-1, 1, -1]
    np.testing.assert_allclose(head_angles(mirrored.R_camera_head), expected, atol=1e-6)


def test_symmetric_is_the_mean_of_both_sides() -> None:
    motion = lively()
    before = motion.coefficients.astype(np.float64)
    after = symmetric_coefficients(before)
    face = np.setdiff1d(np.arange(52), REGION_COLUMNS["gaze"])
    np.testing.assert_allclose(after[:, OTHER_SIDE][:, face], after[:, face])
    smile = [ARKIT_INDEX[f"mouthSmile{side}"] for side in ("Left", "Right")]
    np.testing.assert_allclose(after[:, smile[0]], before[:, smile].mean(1))
    np.testing.assert_array_equal(after[:, ARKIT_INDEX["jawLeft"]], 0)
    np.testing.assert_allclose(symmetric_coefficients(after), after)
    np.testing.assert_array_equal(sided(motion, "symmetric").R_camera_head, motion.R_camera_head)


def test_symmetric_eyes_look_the_same_way() -> None:
    row = np.zeros((1, 52))
    row[0, ARKIT_INDEX["eyeLookOutLeft"]], row[0, ARKIT_INDEX["eyeLookInRight"]] = 0.6, 0.2
    after = symmetric_coefficients(row)
    assert (
        after[0, ARKIT_INDEX["eyeLookOutLeft"]]
        == after[0, ARKIT_INDEX["eyeLookInRight"]]
        == pytest.approx(0.4)
    )
    assert after.sum() == pytest.approx(0.8)


def acted(seed: int = 0) -> tuple[Motion, np.ndarray]:
    """A clip that starts in the middle of a word, is at rest three tenths of the time, smiles a quarter,
    speaks else, blinks, and has a frame that was tracked wrongly; and its neutral face."""
    rng = np.random.default_rng(seed)
    neutral = rng.uniform(0.0, 0.15, 52)
    clip = np.tile(neutral, (200, 1))
    talk = np.r_[0:60, 120:150]
    clip[talk, JAW] += 0.3 + 0.25 * np.sin(talk * 0.9)
    clip[np.ix_(talk, REGION_COLUMNS["mouth"])] += 0.2 + 0.15 * np.sin(talk * 0.7)[:, None]
    smile = np.array([ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]])
    clip[np.ix_(np.arange(60, 110), smile)] += 0.6
    for start in (15, 80, 165):
        clip[start : start + 4, [BLINK, ARKIT_INDEX["eyeBlinkRight"]]] += 0.5
    clip[:, REGION_COLUMNS["gaze"]] = rng.uniform(0, 0.5, (200, len(REGION_COLUMNS["gaze"])))
    clip[130] = 0.0
    return make(np.clip(clip + rng.normal(0, 0.005, clip.shape), 0, 1)), neutral


@pytest.mark.parametrize("seed", range(4))
def test_the_neutral_face_is_found_over_the_clip(seed: int) -> None:
    motion, neutral = acted(seed)
    face = np.setdiff1d(np.arange(52), REGION_COLUMNS["gaze"])
    found = neutral_coefficients(motion, "clip")
    np.testing.assert_allclose(found[face], neutral[face], atol=0.02)
    first = neutral_coefficients(motion, "first")
    assert np.abs(first[face] - neutral[face]).max() > 0.2
    assert not quiet_frames(motion)[:60].any()


def test_frames_without_a_face_say_nothing_of_the_rest() -> None:
    motion, neutral = acted()
    found, wrong = motion.found.copy(), motion.coefficients.copy()
    found[110:120], wrong[110:120] = False, 0.0
    face = np.setdiff1d(np.arange(52), REGION_COLUMNS["gaze"])
    result = neutral_coefficients(replace(motion, coefficients=wrong, found=found), "clip")
    np.testing.assert_allclose(result[face], neutral[face], atol=0.02)


def test_the_neutral_head_is_where_it_usually_is() -> None:
    rest = np.radians([15.0, -5.0, 2.0])
    angles = np.tile(rest, (COUNT, 1)) + RNG.normal(0, 0.01, (COUNT, 3))
    angles[:15] = np.radians([-40.0, 10.0, 0.0])
    motion = make(np.zeros((COUNT, 52)), head_rotation(angles))
    R, _ = neutral_pose(motion, "clip")
    assert np.degrees(rotation_angle(R.T @ head_rotation(rest))) < 1.0
    np.testing.assert_array_equal(neutral_pose(motion, "first")[0], motion.R_camera_head[0])
    result = carry(motion, pose_neutral="clip")
    at_rest = rotation_angle(R_SOURCE.T @ result.R_camera_head[20:])
    assert np.degrees(at_rest).max() < 4


def test_both_neutrals_turn_alike() -> None:
    motion = lively()
    wide = PoseLimits(yaw_deg=90.0, pitch_deg=90.0, roll_deg=90.0)
    first, clip = (
        carry(motion, pose_neutral=neutral, limits=wide).R_camera_head for neutral in ("first", "clip")
    )
    for R, S in zip(pairwise(first), pairwise(clip), strict=True):
        np.testing.assert_allclose(R[1] @ R[0].T, S[1] @ S[0].T, atol=2e-5)


def test_matched_eyes_close_however_little_is_seen() -> None:
    """A driver whose open eyes give 0.1 and whose blinks give 0.4 closes the source's from 0.05 to 1."""
    coefficients = np.zeros((COUNT, 52))
    coefficients[:, [BLINK, ARKIT_INDEX["eyeBlinkRight"]]] = 0.1
    coefficients[20:24, [BLINK, ARKIT_INDEX["eyeBlinkRight"]]] = 0.4
    coefficients[22, [BLINK]] = 0.25
    source = SOURCE.copy()
    source[BLINK] = 0.05
    result = retarget(
        make(coefficients), R_camera_head_source=R_SOURCE, expression_source=source,
        options=Retargeting(match_eyes=True),
    ).expression[:, BLINK]  # fmt: skip
    np.testing.assert_allclose(result[[0, 20, 22]], [0.05, 1.0, 0.525], atol=1e-6)
    assert shut_lids(make(coefficients)) == pytest.approx([0.4, 0.4])


def test_who_never_blinks_is_not_stretched() -> None:
    coefficients = np.full((COUNT, 52), 0.1)
    coefficients[10:20, BLINK] = 0.15
    assert shut_lids(make(coefficients)) == pytest.approx([1, 1])
    lids = matched_lids(coefficients, make(coefficients), np.array([0.1, 0.1]))
    np.testing.assert_allclose(lids[:, BLINK], coefficients[:, BLINK], atol=1e-6)


def test_matched_lips_close_where_the_drivers_do() -> None:
    """A driver whose closed mouth gives 0.12 and whose widest 0.6."""
    coefficients = np.zeros((100, 52))
    coefficients[:, JAW] = 0.12
    coefficients[40:60, JAW] = np.linspace(0.12, 0.6, 20)
    coefficients[56:60, JAW] = 0.6
    coefficients[:, CLOSE] = 0.5 * coefficients[:, JAW]
    motion = make(coefficients)
    assert lip_range(motion) == pytest.approx((0.12, 0.6), abs=1e-6)
    for jaw_source, closed in ((0.04, 0.04), (0.7, 0.0)):  # a photo with an open mouth tells no closed one
        source = SOURCE.copy()
        source[JAW] = jaw_source
        result = retarget(
            motion,
            R_camera_head_source=R_SOURCE,
            expression_source=source,
            options=Retargeting(match_lips=True),
        ).expression
        np.testing.assert_allclose(result[[0, 58], JAW], [closed, 0.6], atol=1e-6)
        np.testing.assert_allclose(result[:, CLOSE], 0.5 * result[:, JAW], atol=1e-6)
        assert (np.diff(result[40:60, JAW]) >= -1e-6).all()
    wider = matched_lips(coefficients, motion, 0.0, widest=0.9)
    assert wider[58, JAW] == pytest.approx(0.9)


def test_limits_are_given_in_degrees_for_each_axis() -> None:
    angles = np.radians(np.array([[0.0, 0, 0], [80, 0, 0], [-80, 0, 0], [0, 60, 0], [0, 0, 70], [10, 5, 3]]))
    motion = make(np.zeros((6, 52)), head_rotation(angles))
    result = carry(
        motion, pose_mode="absolute", limits=PoseLimits(yaw_deg=30.0, pitch_deg=15.0, roll_deg=10.0)
    )
    found = np.degrees(head_angles(result.R_camera_head))
    assert (np.abs(found) <= [30.01, 15.01, 10.01]).all()
    np.testing.assert_allclose(found[[0, 5]], np.degrees(angles[[0, 5]]), atol=1e-4)
    np.testing.assert_allclose(found[1], -found[2], atol=1e-4)


@pytest.mark.parametrize(
    "limits", [{"yaw_deg": 120.0}, {"pitch_deg": -1.0}, {"zoom": 2.0}, {"roll_deg": float("nan")}]
)
def test_limits_out_of_range_are_named(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match="limit of"):
        PoseLimits(**limits)


@pytest.mark.parametrize("side", ["same", "mirrored", "symmetric"])
def test_a_still_driver_stays_still_with_everything_on(side: Side) -> None:
    motion = lively()
    still = make(
        np.tile(motion.coefficients[:1], (COUNT, 1)), np.tile(motion.R_camera_head[:1], (COUNT, 1, 1))
    )
    for mode in ("absolute", "relative"):
        result = carry(
            still, side=side, expression_mode=mode, match_eyes=True, match_lips=True, pose_neutral="clip",
            gains=RegionGains(mouth=1.4, brows=None), pose_strength=0.7,
        )  # fmt: skip
        for values in (result.expression, result.R_camera_head, result.translation_offset):
            np.testing.assert_array_equal(values, np.broadcast_to(values[:1], values.shape))


def test_head_gain_scales_an_absolute_pose_too() -> None:
    motion = lively()
    result = carry(motion, pose_mode="absolute", pose_strength=0.5)
    np.testing.assert_allclose(
        rotation_angle(result.R_camera_head), 0.5 * rotation_angle(motion.R_camera_head), atol=1e-5
    )
