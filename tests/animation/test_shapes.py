"""The driver's shape: what is measured of it, and coefficients that go as far."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.animation.test_translate import still_head

from mien.animation.calibrate import translation_of
from mien.animation.feedback import REACH_LIMITS, Seen, ShapeReach
from mien.animation.filling import fill_gaps
from mien.animation.measures import (
    LEVELLED,
    MEASURE_INDEX,
    MEASURES,
    SEEN,
    measures_of,
    model_measures,
    observed_measures,
)
from mien.animation.motion import Motion
from mien.animation.resample import resampled
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import Retargeting
from mien.animation.shapes import REACH, beyond_coefficients, shaped, shaped_motion
from mien.animation.smoothing import smooth_motion
from mien.animation.translate import Translation
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError
from mien.morphable.model import load_head_model
from mien.tracking.observation import FaceObservation

COUNT = 40
WIDTH, OPEN, BROW = (MEASURE_INDEX[name] for name in ("width", "open", "left brow, outside"))
SMILES = [ARKIT_INDEX[f"mouthSmile{side}"] for side in ("Left", "Right")]
BLINK, OUTER, JAW = (ARKIT_INDEX[name] for name in ("eyeBlinkLeft", "browOuterUpLeft", "jawOpen"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def measures_in(motion: Motion) -> np.ndarray:
    assert motion.measures is not None
    return motion.measures


def mesh_landmarks(coefficients: np.ndarray) -> np.ndarray:
    model = load_head_model()
    offsets = torch.tensordot(torch.from_numpy(np.asarray(coefficients, np.float32)), model.expression, 1)
    return model.landmarks(model.mean + offsets).numpy()


def measured(coefficients: np.ndarray, extra: np.ndarray | float = 0.0) -> Motion:
    """A motion whose landmarks show the head model at the coefficients, and `extra` [T, M] beyond."""
    model = model_measures()
    true = model.rest + model.changes(coefficients) + extra
    return replace(still_head(coefficients), measures=(SEEN * true).astype(np.float32))


def smiling() -> np.ndarray:
    """Rest, then a smile that comes and goes."""
    coefficients = np.zeros((COUNT, 52))
    coefficients[COUNT // 2 :, SMILES] = 0.6 * np.sin(np.linspace(0, np.pi, COUNT // 2))[:, None]
    return coefficients


def test_measures_of_the_model_are_those_of_its_mesh(rng: np.random.Generator) -> None:
    coefficients = rng.uniform(0, 0.6, (5, 52)).astype(np.float32)
    model = model_measures()
    found = measures_of(mesh_landmarks(coefficients))
    np.testing.assert_allclose(found, model.rest + model.changes(coefficients), atol=0.02)
    np.testing.assert_allclose(measures_of(3.0 * mesh_landmarks(coefficients)), found, atol=1e-5)


def test_a_turned_face_measures_the_same(rng: np.random.Generator) -> None:
    points = mesh_landmarks(rng.uniform(0, 0.5, 52))
    yaw = np.radians(30)
    R = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)

    def seen(R: np.ndarray) -> np.ndarray:
        turned = 200 * points @ R.T
        face = FaceObservation(
            landmarks_px=(turned[:, :2] * [1, -1]).astype(np.float32),
            landmarks_depth=(-turned[:, 2]).astype(np.float32),
            coefficients=np.zeros(52, np.float32),
            R_camera_head=R,
            translation_cm=np.zeros(3, np.float32),
            box_px=(0.0, 0.0, 1.0, 1.0),
        )
        return observed_measures(face)

    np.testing.assert_allclose(seen(R), seen(np.eye(3, dtype=np.float32)), atol=1e-5)
    np.testing.assert_allclose(seen(R), measures_of(points), atol=1e-5)


def test_a_face_that_goes_as_far_as_its_coefficients_keeps_them() -> None:
    coefficients = smiling()
    motion = measured(coefficients)
    assert np.abs(np.delete(beyond_coefficients(motion), OPEN, 1)).max() < 1e-6
    found = shaped_motion(motion)
    np.testing.assert_allclose(found.coefficients, coefficients, atol=0.05)
    assert shaped_motion(still_head(coefficients)).coefficients.max() <= 1


def test_a_wider_smile_is_widened_and_rest_is_not() -> None:
    coefficients, extra = smiling(), np.zeros((COUNT, len(MEASURES)))
    extra[:, WIDTH] = 0.15 * coefficients[:, SMILES[0]]
    found = shaped_motion(measured(coefficients, extra))
    model = model_measures()
    wanted = model.changes(coefficients)[:, WIDTH] + extra[:, WIDTH]
    widths = model.changes(found.coefficients)[:, WIDTH]
    at = int(np.argmax(wanted))
    assert abs(widths[at] - wanted[at]) < 0.25 * extra[at, WIDTH]
    np.testing.assert_allclose(widths[: COUNT // 2 - 1], 0, atol=0.01)


def test_raised_brows_of_a_tracker_that_says_always_raised() -> None:
    coefficients, extra = np.zeros((COUNT, 52)), np.zeros((COUNT, len(MEASURES)))
    coefficients[:, [OUTER, ARKIT_INDEX["browOuterUpRight"]]] = 0.95
    extra[-8:, [BROW, MEASURE_INDEX["right brow, outside"]]] = 0.1
    found = shaped_motion(measured(coefficients, extra)).coefficients[:, OUTER]
    assert found[-1] > found[0] + 0.15
    assert found[-1] <= REACH[OUTER]


def test_faces_turned_away_and_shut_eyes_are_left_to_the_coefficients() -> None:
    coefficients, extra = smiling(), np.zeros((COUNT, len(MEASURES)))
    coefficients[:, [BLINK, ARKIT_INDEX["eyeBlinkRight"]]] = 0.9
    extra[COUNT // 2 :] = 0.05
    motion = measured(coefficients, extra)
    lids = [MEASURE_INDEX[f"{side} lids"] for side in ("left", "right")]
    assert not beyond_coefficients(motion)[:, lids].any()
    yaw = np.radians(60)
    R = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)
    away = replace(motion, R_camera_head=np.tile(R, (COUNT, 1, 1)))
    assert not beyond_coefficients(away).any()


def test_solving_reaches_what_can_be_reached_in_the_box(rng: np.random.Generator) -> None:
    start, true = np.zeros((6, 52)), np.zeros((6, 52))
    true[:, [*SMILES, JAW, OUTER]] = rng.uniform(0.1, 0.8, (6, 4))
    model = model_measures()
    goal = model.changes(true)
    found = shaped(start, goal)
    assert found.min() >= 0
    assert (found <= REACH + 1e-9).all()
    before, after = np.abs(goal).mean(), np.abs(model.changes(found) - goal).mean()
    assert after < 0.2 * before
    kept = np.zeros(52, bool)
    kept[JAW] = True
    assert not shaped(start, goal, kept=kept)[:, JAW].any()
    again = shaped(np.repeat(start[:1], 9, 0), np.repeat(goal[:1], 9, 0))
    assert (again == again[0]).all()
    assert (again[0] == found[0]).all()


def test_what_a_tracker_would_notice_is_changed_less() -> None:
    goal = np.zeros((1, len(MEASURES)))
    goal[0, WIDTH] = 0.1
    noticed = np.zeros((52, 52))
    noticed[SMILES, SMILES] = 1.0
    free, careful = (shaped(np.zeros((1, 52)), goal, noticed=n)[0] for n in (None, noticed))
    stretch = ARKIT_INDEX["mouthStretchLeft"]
    assert careful[SMILES[0]] < 0.5 * free[SMILES[0]]
    assert careful[stretch] > free[stretch]


def test_measures_are_filled_smoothed_and_resampled(rng: np.random.Generator) -> None:
    motion = measured(smiling())
    frames = [None if k in (7, 8) else frame for k, frame in enumerate(motion)]
    filled = fill_gaps(frames, motion.time_s)
    again = Motion.from_frames(filled, motion.fps, motion.source)
    np.testing.assert_allclose(measures_in(again), measures_in(motion), atol=1e-5)
    noise = rng.normal(0, 0.004, measures_in(motion).shape).astype(np.float32)
    noisy = replace(motion, measures=measures_in(motion) + noise)
    trembling, smooth = (
        np.abs(np.diff(measures_in(m), axis=0)).mean() for m in (noisy, smooth_motion(noisy))
    )
    assert smooth < 0.6 * trembling
    between = resampled(motion, motion.time_s[:-1] - motion.time_s[0] + 1e-4, motion.fps)
    assert measures_in(between).shape == (COUNT - 1, len(MEASURES))


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_measures_are_kept_in_motion_files(suffix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    motion = measured(smiling())
    motion.save(tmp_path / f"m{suffix}")
    again = Motion.load(tmp_path / f"m{suffix}")
    np.testing.assert_allclose(measures_in(again), measures_in(motion), atol=1e-7)
    bare = replace(motion, measures=None)
    bare.save(tmp_path / f"b{suffix}")
    assert Motion.load(tmp_path / f"b{suffix}").measures is None


def test_broken_measures_of_a_motion_file_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    motion = measured(smiling())
    wrong = measures_in(motion).copy()
    wrong[3, 2] = np.nan
    for values in (wrong, wrong[:, :-1]):
        replace(motion, measures=values).save(tmp_path / "m.npz")
        with pytest.raises(InputError, match="measures of shape"):
            Motion.load(tmp_path / "m.npz")
    nowhere = replace(motion, found=np.zeros(COUNT, bool))
    assert np.isfinite(shaped_motion(nowhere).coefficients).all()


def test_what_is_sent_goes_as_far_as_the_driver() -> None:
    """A tracker that sees nothing of the avatar's smile would ask for none; the shape asks for it."""
    coefficients, extra = smiling(), np.zeros((COUNT, len(MEASURES)))
    extra[:, WIDTH] = 0.1 * coefficients[:, SMILES[0]]
    identity = ExpressionResponse.identity()
    twice = ExpressionResponse(2 * identity.values, identity.crosstalk)
    kwargs = {
        "R_camera_head_source": np.eye(3), "expression_source": np.zeros(52), "options": Retargeting(),
    }  # fmt: skip
    with_shape = translation_of(measured(coefficients, extra), twice, **kwargs)  # type: ignore[arg-type]
    without = translation_of(still_head(coefficients), twice, **kwargs)  # type: ignore[arg-type]
    assert isinstance(with_shape, Translation)
    assert isinstance(without, Translation)
    model = model_measures()
    wide, narrow = (model.changes(t.sent())[:, WIDTH].max() for t in (with_shape, without))
    wanted = (model.changes(coefficients)[:, WIDTH] + extra[:, WIDTH]).max()
    assert narrow < 0.7 * wanted
    assert abs(wide - wanted) < abs(narrow - wanted)
    still = translation_of(measured(np.tile(coefficients[-8], (6, 1))), twice, **kwargs)  # type: ignore[arg-type]
    assert isinstance(still, Translation)
    assert (still.sent() == still.sent()[0]).all()


def test_levels_of_brows_and_lids_count_from_the_whole_clip() -> None:
    names = [measure.name for measure, levelled in zip(MEASURES, LEVELLED, strict=True) if levelled]
    assert len(names) == 6
    assert all(name.split()[1].startswith(("brow", "lids")) for name in names)


def test_a_mouth_that_is_seen_to_go_half_as_far_is_sent_further() -> None:
    """Until it is seen to go as far as the driver's, within limits; what hardly moves is left alone."""
    coefficients = smiling()
    carried = translation_of(
        measured(coefficients), ExpressionResponse.identity(), R_camera_head_source=np.eye(3),
        expression_source=np.zeros(52), options=Retargeting(),
    )  # fmt: skip
    assert isinstance(carried, Translation)
    frames = np.arange(0, COUNT, 2)
    reach = ShapeReach()
    wanted = SEEN * model_measures().changes(carried.plain.expression[frames])

    def seen(measures: np.ndarray) -> Seen:
        R = np.tile(np.eye(3), (len(frames), 1, 1))
        return Seen(frames, R, np.zeros((len(frames), 3)), np.zeros((len(frames), 52)), measures)

    reach.learn(carried, seen(wanted + 0.3))
    np.testing.assert_allclose(reach.gain, 1.0, atol=1e-9)
    reach.learn(carried, seen(0.75 * wanted))
    assert reach.gain[WIDTH] == pytest.approx(1.3, abs=0.05)
    assert reach.gain[BROW] == pytest.approx(1.0, abs=0.01)
    for _ in range(9):
        reach.learn(carried, seen(0.3 * wanted))
    assert reach.gain.max() <= REACH_LIMITS[1]
    widths = [model_measures().changes(carried.sent(gain=gain))[:, WIDTH].max() for gain in (1.0, reach.gain)]
    assert widths[1] > 1.1 * widths[0]
    bare = replace(carried, is_shaped=False)
    untouched = ShapeReach()
    untouched.learn(bare, seen(0.5 * wanted))
    assert (untouched.gain == 1).all()
