"""Measures on inputs whose answer is known."""

import math

import numpy as np
import pytest

from mien.animation.measures import MEASURES
from mien.animation.rotations import rotation_exp
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError
from mien.evaluation.metrics.expression import expression_distance, static_expression_distance
from mien.evaluation.metrics.jitter import landmark_jerk
from mien.evaluation.metrics.pose import pose_errors_deg, relative_rotations, rotation_angles_deg
from mien.evaluation.metrics.psnr import psnr_db
from mien.evaluation.video_metrics import (
    SHAPE_PARTS,
    correlation,
    expression_correlations,
    group_signal,
    largest_change,
    same_person_share,
    shape_ratios,
)

COUNT = 60


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("angle_deg", [0.0, 1e-5, 0.3, 45.0, 179.9, 180.0])
def test_known_rotation_gives_its_angle(rng: np.random.Generator, angle_deg: float) -> None:
    axes = rng.normal(size=(20, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    found = rotation_angles_deg(rotation_exp(np.radians(angle_deg) * axes))
    np.testing.assert_allclose(found, angle_deg, atol=1e-6)


def test_pose_error_ignores_the_start_and_sees_the_rest(rng: np.random.Generator) -> None:
    R_driver = rotation_exp(rng.normal(0, 0.3, (COUNT, 3)))
    other_start = rotation_exp(np.array([0.2, -0.5, 0.1]))
    np.testing.assert_allclose(pose_errors_deg(R_driver, R_driver), 0, atol=1e-6)
    turned = relative_rotations(R_driver) @ other_start
    np.testing.assert_allclose(pose_errors_deg(turned, R_driver), 0, atol=1e-6)
    turned[30:] = rotation_exp(np.radians([0.0, 5.0, 0.0])) @ turned[30:]
    np.testing.assert_allclose(pose_errors_deg(turned, R_driver)[30:], 5, atol=1e-6)


def test_expression_distances(rng: np.random.Generator) -> None:
    driver = rng.uniform(0, 1, (COUNT, 52))
    assert expression_distance(driver, driver) == 0
    assert expression_distance(driver + 0.1, driver) == pytest.approx(0.1)
    assert static_expression_distance(driver[0], np.tile(driver[0], (COUNT, 1))) == 0
    assert static_expression_distance(np.zeros(52), driver) == pytest.approx(driver.mean())


def test_gaze_is_signed() -> None:
    """To the person's left is out for the left eye and in for the right one; up and down are opposites."""
    coefficients = np.zeros((3, 52))
    for frame, names in enumerate(
        (("OutLeft", "InRight"), ("InLeft", "OutRight"), ("DownLeft", "DownRight"))
    ):
        coefficients[frame, [ARKIT_INDEX[f"eyeLook{name}"] for name in names]] = 0.6
    np.testing.assert_allclose(group_signal(coefficients, "gazeLeft"), [0.6, -0.6, 0])
    np.testing.assert_allclose(group_signal(coefficients, "gazeUp"), [0, 0, -0.6])
    np.testing.assert_allclose(group_signal(coefficients, "jawOpen"), 0)


def test_correlation(rng: np.random.Generator) -> None:
    driver = rng.uniform(0, 1, COUNT)
    assert correlation(0.3 * driver + 0.2, driver) == pytest.approx(1)
    assert correlation(-driver, driver) == pytest.approx(-1)
    assert correlation(np.ones(COUNT), driver) == 0
    assert correlation(driver, 0.01 * driver) is None


def test_groups_are_means_of_their_coefficients(rng: np.random.Generator) -> None:
    driver, output = np.zeros((COUNT, 52)), np.zeros((COUNT, 52))
    blink = rng.uniform(0, 1, COUNT)
    driver[:, ARKIT_INDEX["eyeBlinkLeft"]] = driver[:, ARKIT_INDEX["eyeBlinkRight"]] = blink
    output[:, ARKIT_INDEX["eyeBlinkLeft"]] = blink  # one eye alone still follows
    found = expression_correlations(output, driver)
    assert found["blink"] == pytest.approx(1)
    assert found["jawOpen"] is None
    assert found["smile"] is None


def test_same_person_share() -> None:
    assert same_person_share(np.array([0.1, 0.59, 0.6, 0.9])) == 0.5


def test_psnr(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 200, (8, 8, 3)).astype(np.uint8)
    assert math.isinf(psnr_db(picture, picture))
    assert psnr_db(picture + np.uint8(10), picture) == pytest.approx(20 * math.log10(25.5))
    with pytest.raises(InputError, match="cannot be compared"):
        psnr_db(picture, picture[:4])


def test_jerk_is_zero_for_smooth_motion_and_independent_of_size(rng: np.random.Generator) -> None:
    shape = rng.normal(0, 50, (1, 20, 2))
    time = np.arange(COUNT)[:, None, None]
    assert landmark_jerk(shape + 0.5 * time**2, 25.0) == pytest.approx(0, abs=1e-6)
    noise = rng.normal(0, 1, (COUNT, 20, 2))
    base = landmark_jerk(shape + noise, 25.0)
    assert base > 0
    assert landmark_jerk(3 * (shape + noise), 25.0) == pytest.approx(base)
    assert landmark_jerk(shape + noise, 50.0) == pytest.approx(8 * base)
    assert landmark_jerk(shape, 25.0) == 0


def test_largest_change(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 200, (8, 8, 3)).astype(np.uint8)
    assert largest_change([]) == 0
    assert largest_change(iter([picture, picture.copy(), picture])) == 0
    assert largest_change([picture, picture + np.uint8(3), picture]) == 3
    assert largest_change([picture + np.uint8(3), picture]) == 3


def test_unequal_lengths_are_named(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="same shape"):
        expression_distance(np.zeros((3, 52)), np.zeros((4, 52)))
    with pytest.raises(InputError, match="same shape"):
        correlation(np.zeros(0), np.zeros(0))


def test_shape_ratio_of_a_still_face_is_one_and_of_the_driver_zero(rng: np.random.Generator) -> None:
    driver = 0.1 * rng.normal(size=(COUNT, len(MEASURES)))
    assert shape_ratios(driver + 0.3, driver) == pytest.approx(dict.fromkeys(SHAPE_PARTS, 0.0), abs=1e-9)
    assert shape_ratios(np.zeros_like(driver), driver) == pytest.approx(
        dict.fromkeys(SHAPE_PARTS, 1.0), abs=0.05
    )
    half = shape_ratios(0.5 * driver, driver)
    assert half == pytest.approx(dict.fromkeys(SHAPE_PARTS, 0.5), abs=0.03)
    still = driver.copy()
    still[:, SHAPE_PARTS["brows"]] *= 1e-3
    assert shape_ratios(driver, still)["brows"] is None
    assert sorted(k for columns in SHAPE_PARTS.values() for k in columns) == list(range(len(MEASURES)))
