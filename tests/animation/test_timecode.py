"""Timecodes: rates found in them, dropped numbers, midnight."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.animation.timecode import (
    RATES,
    Timecode,
    format_timecode,
    frames_a_second,
    parse_timecode,
    rate_of_times,
    timecode_seconds,
)
from mien.core.errors import InputError


def codes_of(base: int, step: int, count: int, start: int = 0, rest: float = 0.0) -> list[Timecode]:
    frames = [start + k * step for k in range(count)]
    return [Timecode(frame // base, frame % base + rest, False) for frame in frames]


def test_a_recorded_timecode_is_read() -> None:
    code = parse_timecode("00:32:09:07.867", "take.csv, line 2")
    assert code == Timecode(32 * 60 + 9, 7.867, False)
    assert parse_timecode(" 1:02:03;04 ", "x").drop


@pytest.mark.parametrize("text", ["", "12:00:00", "00:61:00:00", "00:00:75:00", "aa:bb:cc:dd", "00:00:00:-1"])
def test_other_texts_are_named_with_their_place(text: str) -> None:
    with pytest.raises(InputError, match=r"take\.csv, line 7 has the timecode"):
        parse_timecode(text, "take.csv, line 7")


@pytest.mark.parametrize("base", RATES)
@pytest.mark.parametrize("step", [1, 2])
def test_the_rate_shows_where_seconds_change(base: int, step: int) -> None:
    codes = codes_of(base, step, 4 * base, start=3, rest=0.25)
    assert frames_a_second(codes) == base
    np.testing.assert_allclose(timecode_seconds(codes), np.arange(4 * base) * step / base, atol=1e-9)


def test_without_a_change_of_seconds_large_numbers_tell() -> None:
    assert frames_a_second(codes_of(60, 1, 20, start=25)) == 60
    assert frames_a_second(codes_of(60, 1, 20)) == 30  # as Unreal's importer has it
    assert frames_a_second([Timecode(5, 0.0, False)]) == 30


def test_lost_frames_leave_their_gap() -> None:
    codes = codes_of(60, 1, 200)
    kept = [code for k, code in enumerate(codes) if k % 17 and not 60 < k < 75]
    seconds = timecode_seconds(kept)
    expected = np.array([k / 60 for k in range(200) if k % 17 and not 60 < k < 75])
    np.testing.assert_allclose(seconds, expected - expected[0], atol=1e-9)


def test_dropped_numbers_keep_time_with_the_clock() -> None:
    """SMPTE 12M: at 29.97 frames a second, minutes but every tenth begin with frame 2."""
    count = 30 * 60 * 11
    codes = []
    for k in range(count):
        tens, rest = divmod(k, 17982)
        number = k + 18 * tens + (0 if rest < 2 else 2 * ((rest - 2) // 1798))
        codes.append(Timecode(number // 30, float(number % 30), True))
    np.testing.assert_allclose(timecode_seconds(codes), np.arange(count) * 1001 / 30000, atol=1e-6)


def test_midnight_is_no_step_back() -> None:
    codes = [Timecode(86399, 58.0, False), Timecode(86399, 59.0, False), Timecode(0, 0.0, False)]
    np.testing.assert_allclose(timecode_seconds(codes), np.arange(3) / 60)


@given(st.floats(0, 80000), st.sampled_from([30, 60]))
def test_written_timecodes_read_back(time_s: float, base: int) -> None:
    code = parse_timecode(format_timecode(time_s, base), "x")
    assert code.whole_s + code.frame / base == pytest.approx(time_s, abs=0.6e-3 / base)


@pytest.mark.parametrize(
    "rate", [Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(24000, 1001), Fraction(10)]
)
def test_rates_of_times_are_the_common_ones(rate: Fraction) -> None:
    assert rate_of_times(np.round(np.arange(50) / float(rate), 5)) == rate
    assert rate_of_times(np.zeros(1)) == 25
    assert float(rate_of_times(np.arange(9) / 17.0)) == pytest.approx(17, rel=1e-3)
