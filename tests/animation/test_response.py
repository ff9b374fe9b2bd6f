"""The response of an avatar: fitting a known one and inverting it."""

import numpy as np
import pytest

from mien.animation.response import ExpressionResponse, fit_response
from mien.core.errors import InputError

RNG = np.random.default_rng(0)


def samples(count: int = 400) -> np.ndarray:
    """Sparse expressions as faces make them: a quarter of the coefficients are on."""
    return RNG.uniform(0, 1, (count, 52)) * (RNG.uniform(size=(count, 52)) < 0.25)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gain, offset = RNG.uniform(0.5, 0.95, 52), RNG.uniform(0, 0.05, 52)
    crosstalk = RNG.normal(0, 0.05, (52, 52)) * (RNG.uniform(size=(52, 52)) < 0.05)
    np.fill_diagonal(crosstalk, 0)
    return gain, offset, crosstalk


def measure(sent: np.ndarray, truth: tuple[np.ndarray, ...], noise: float = 0.0) -> np.ndarray:
    gain, offset, crosstalk = truth
    return offset + gain * sent + sent @ crosstalk + noise * RNG.normal(size=sent.shape)


def test_known_gain_offset_and_crosstalk_are_recovered(truth: tuple[np.ndarray, ...]) -> None:
    sent = samples()
    response = fit_response(sent, measure(sent, truth, noise=0.01))
    assert np.abs(response.gain - truth[0]).mean() < 0.04
    assert np.abs(response.offset - truth[1]).mean() < 0.01
    assert np.abs(response.crosstalk - truth[2]).mean() < 0.01
    new = samples()
    assert np.abs(response.predict(new) - measure(new, truth)).mean() < 0.01


def test_applying_the_response_closes_the_loop(truth: tuple[np.ndarray, ...]) -> None:
    sent = samples()
    response = fit_response(sent, measure(sent, truth, noise=0.01))
    wanted = 0.45 * samples(50)
    wanted[wanted < truth[1]] = np.broadcast_to(truth[1], wanted.shape)[wanted < truth[1]]
    before = np.abs(measure(wanted, truth) - wanted).mean()
    after = np.abs(measure(response.apply(wanted), truth) - wanted).mean()
    assert after < 0.35 * before


def test_curves_follow_a_bend_and_never_fall() -> None:
    sent = samples(600)
    measured = np.clip(1.6 * sent - 0.3, 0, 1) + RNG.normal(0, 0.02, sent.shape)
    response = fit_response(sent, measured, knots=8, smoothness=1e-3)
    assert np.diff(response.values, axis=1).min() >= 0
    new = np.diag(np.full(52, 0.8))
    assert np.abs(np.diag(response.predict(new)) - 0.98).max() < 0.12
    assert np.abs(np.diag(response.predict(new * 0.15)) - 0.0).max() < 0.12


def test_unseen_coefficients_keep_the_identity() -> None:
    sent = samples(100)
    sent[:, 7] = 0.0
    response = fit_response(sent, 0.5 * sent)
    assert response.gain[7] == pytest.approx(1.0, abs=1e-6)


def test_identity_changes_nothing() -> None:
    wanted = RNG.uniform(0, 1, (9, 52))
    response = ExpressionResponse.identity()
    np.testing.assert_allclose(response.predict(wanted), wanted, atol=1e-12)
    np.testing.assert_allclose(response.apply(wanted), wanted, atol=1e-6)


def test_result_is_in_range_and_equal_rows_are_equal(truth: tuple[np.ndarray, ...]) -> None:
    sent = samples()
    response = fit_response(sent, measure(sent, truth))
    result = response.apply(np.concatenate([np.tile(samples(1), (17, 1)), RNG.uniform(0, 1, (3, 52))]))
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_array_equal(result[:17], np.tile(result[:1], (17, 1)))


def test_what_cannot_be_shown_stays_as_wanted() -> None:
    values = np.tile(np.linspace(0, 1, 5), (52, 1))
    values[3] = 0.0
    wanted = np.full((1, 52), 0.4)
    sent = ExpressionResponse(values, np.zeros((52, 52))).apply(wanted)
    np.testing.assert_allclose(sent, wanted, atol=1e-3)


def test_bad_measurements_are_named() -> None:
    with pytest.raises(InputError, match="one shape"):
        fit_response(np.zeros((4, 52)), np.zeros((3, 52)))
    with pytest.raises(InputError, match="finite"):
        fit_response(np.zeros((4, 52)), np.full((4, 52), np.nan))
    with pytest.raises(InputError, match="measure it again"):
        ExpressionResponse(np.zeros((52, 5)), np.zeros((5, 5)))


def test_the_skin_follows_a_lid_as_far_as_it_is_seen_to_close() -> None:
    rng = np.random.default_rng(0)
    sent = rng.uniform(0, 1, (400, 52)) * (rng.uniform(size=(400, 52)) < 0.3)
    closed = 0.7 / (1 + np.exp(-14 * (sent[:, 0] - 0.5)))  # a lid: nothing is seen at first
    measured = 0.8 * sent
    measured[:, 0], measured[:, 1] = closed, 0.2 + 0.3 * sent[:, 1] + 0.5 * closed
    response = fit_response(sent, measured + rng.normal(0, 0.005, sent.shape))
    probe = np.zeros((5, 52))
    probe[:, 0] = np.linspace(0, 1, 5)
    expected = 0.7 / (1 + np.exp(-14 * (probe[:, 0] - 0.5)))
    np.testing.assert_allclose(response.predict(probe)[:, 0], expected, atol=0.06)
    np.testing.assert_allclose(response.predict(probe)[:, 1], 0.2 + 0.5 * expected, atol=0.06)


def test_what_is_weighted_is_not_traded_for_the_rest(truth: tuple[np.ndarray, ...]) -> None:
    values = np.tile(np.linspace(0, 1, 5), (52, 1))
    values[1] *= 0.1  # hardly seen itself, but raised by the lid
    crosstalk = np.zeros((52, 52))
    crosstalk[0, 1] = 1.0
    response = ExpressionResponse(values, crosstalk)
    wanted = np.zeros((1, 52))
    wanted[0, 1] = 0.8
    weight = np.ones(52)
    weight[0] = 9.0
    lid = [response.apply(wanted, anchor=0.1, weight=w)[0, 0] for w in (np.ones(52), weight)]
    assert lid[1] < 0.5 * lid[0]
    bound = response.apply(wanted, near=np.ones((1, 52)), anchor=1e6)
    np.testing.assert_allclose(bound, 1.0, atol=1e-3)


def test_a_long_clip_is_inverted_in_blocks_as_one(
    truth: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = samples()
    made = fit_response(sent, measure(sent, truth))
    wanted = RNG.uniform(0, 1, (41, 52))
    whole = made.apply(wanted)
    monkeypatch.setattr("mien.animation.response.BLOCK_ROWS", 7)
    np.testing.assert_allclose(made.apply(wanted), whole, atol=1e-6)


def test_what_is_sent_beyond_1_is_not_held_back_for_what_it_no_longer_moves() -> None:
    values = np.tile(np.linspace(0, 1, 5), (52, 1))
    values[0] *= 0.5
    crosstalk = np.zeros((52, 52))
    crosstalk[0, 1] = 0.5
    wanted, near = np.zeros((1, 52)), np.zeros((1, 52))
    wanted[0, :2], near[0, 0] = (0.65, 0.3), 1.2  # coefficient 0 raises the other one to 0.5 at 1, no further
    sent = ExpressionResponse(values, crosstalk).apply(wanted, near=near, anchor=1e-4, highest=1.4)
    assert abs(float(sent[0, 0]) - 1.3) < 0.01
