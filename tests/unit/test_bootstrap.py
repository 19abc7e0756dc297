from __future__ import annotations

import numpy as np
import pytest

from regime.bootstrap import Interval, block_bootstrap_interval
from regime.errors import SettingInvalidError


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_constant_skill_has_an_interval_without_width() -> None:
    interval = block_bootstrap_interval(np.full(100, 0.75), np.ones(100), rng())
    assert interval == Interval(low=0.25, high=0.25, level=0.95)


def test_thirty_nine_days_have_no_interval_and_forty_have_one() -> None:
    assert block_bootstrap_interval(np.ones(39), np.ones(39), rng()) is None
    assert block_bootstrap_interval(np.ones(40), np.ones(40), rng()) is not None


def test_only_days_with_a_baseline_loss_are_counted() -> None:
    loss = np.zeros(1000)
    loss[:39] = 1.0
    assert block_bootstrap_interval(loss, loss, rng()) is None


def test_fewer_than_two_blocks_have_no_interval() -> None:
    assert block_bootstrap_interval(np.ones(119), np.ones(119), rng(), block_days=60) is None


def test_no_days_have_no_interval() -> None:
    assert block_bootstrap_interval(np.array([]), np.array([]), rng()) is None


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    baseline = rng(5).gamma(2.0, size=300)
    loss = baseline * rng(6).uniform(0.5, 1.2, size=300)
    first, same, other = (block_bootstrap_interval(loss, baseline, rng(seed)) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_draws_have_the_original_length_also_if_the_last_block_is_cut() -> None:
    # With 45 days of which one block of 20 is cut to 5, only whole series keep the mean of 45 ones.
    loss = np.ones(45)
    baseline = np.full(45, 2.0)
    interval = block_bootstrap_interval(loss, baseline, rng(), draws=50)
    assert interval == Interval(low=0.5, high=0.5, level=0.95)


def test_blocks_follow_the_calendar_so_that_dependence_widens_the_interval() -> None:
    noise = rng(3).normal(size=1000)
    slow = np.convolve(noise, np.ones(20) / 20, "same")
    loss, baseline = 1 + slow, np.ones(1000)
    by_day = block_bootstrap_interval(loss, baseline, rng(), block_days=1)
    by_block = block_bootstrap_interval(loss, baseline, rng(), block_days=20)
    assert by_day is not None
    assert by_block is not None
    assert by_block.high - by_block.low > 2 * (by_day.high - by_day.low)


def test_ninety_five_percent_intervals_hold_the_truth_about_as_often() -> None:
    source = rng(11)
    held = 0
    for _ in range(300):
        baseline = source.gamma(4.0, size=250)
        loss = baseline * 0.9 + source.normal(0, 0.5, size=250)
        interval = block_bootstrap_interval(loss, baseline, source, block_days=5, draws=300)
        assert interval is not None
        held += interval.low <= 0.1 <= interval.high
    assert 0.90 <= held / 300 <= 0.98


def test_a_higher_level_gives_a_wider_interval() -> None:
    baseline = rng(5).gamma(2.0, size=300)
    loss = baseline * rng(6).uniform(0.5, 1.2, size=300)
    narrow = block_bootstrap_interval(loss, baseline, rng(), level=0.5)
    wide = block_bootstrap_interval(loss, baseline, rng(), level=0.99)
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("setting", [{"block_days": 0}, {"draws": 0}, {"level": 0.0}, {"level": 1.0}])
def test_a_setting_out_of_range_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(SettingInvalidError, match=next(iter(setting))):
        block_bootstrap_interval(np.ones(50), np.ones(50), rng(), **setting)


def test_losses_of_different_lengths_are_refused() -> None:
    with pytest.raises(SettingInvalidError, match="shapes"):
        block_bootstrap_interval(np.ones(50), np.ones(51), rng())
