from dataclasses import replace

import pytest

from mien.training.gan.config import GanConfig
from mien.training.gan.phases import Moment
from mien.training.gan.schedules import blur_deviation, ema_share, neural_resolution, swap_probability


@pytest.mark.parametrize(
    ("images", "expected"), [(0, 1.0), (500_000, 0.75), (1_000_000, 0.5), (9_000_000, 0.5)]
)
def test_the_swap_fades_to_its_probability(images: int, expected: float) -> None:
    assert swap_probability(images, last=0.5, over_kimg=1000.0) == pytest.approx(expected)


def test_the_resolution_grows_once_and_stays_between() -> None:
    sizes = [
        neural_resolution(n, first=64, last=128, from_kimg=1.0, over_kimg=2.0) for n in range(0, 4001, 50)
    ]
    assert sizes[:21] == [64] * 21
    assert sizes[60:] == [128] * 21
    assert sizes == sorted(sizes)
    assert sizes[40] == 96
    assert neural_resolution(5, first=64, last=128, from_kimg=0.0, over_kimg=0.0) == 128


def test_the_blur_ends() -> None:
    assert blur_deviation(0, first_px=10.0, over_kimg=200.0) == 10
    assert blur_deviation(100_000, first_px=10.0, over_kimg=200.0) == pytest.approx(5)
    assert blur_deviation(200_000, first_px=10.0, over_kimg=200.0) == 0


def test_the_memory_of_the_average_is_its_half_life() -> None:
    share = ema_share(10**9, batch=32, half_life_kimg=10.0, ramp_up=0.05)
    assert share ** (10_000 / 32) == pytest.approx(0.5)
    assert ema_share(0, batch=32, half_life_kimg=10.0, ramp_up=0.05) == 0
    assert ema_share(0, batch=32, half_life_kimg=10.0, ramp_up=None) == share
    early = [ema_share(n, batch=32, half_life_kimg=10.0, ramp_up=0.05) for n in range(0, 300_000, 10_000)]
    assert early == sorted(early)
    assert early[2] ** (1000 / 32) == pytest.approx(0.5)  # 5 % of 20,000 images
    assert early[-1] == share


def test_a_moment_reads_the_settings(tiny_config: GanConfig) -> None:
    assert Moment.at(tiny_config, 0) == Moment(1.0, 6, 1.0)
    assert Moment.at(tiny_config, 10**6) == Moment(0.5, 10, 0.0)
    record = replace(tiny_config.generator.training, pose_swap_probability=None)
    without = replace(tiny_config, generator=replace(tiny_config.generator, training=record))
    assert Moment.at(without, 10**6).swap == 0
