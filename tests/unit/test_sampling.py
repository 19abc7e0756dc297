from __future__ import annotations

import numpy as np
import pytest

from regime.codes import RegimeNameUnknownError
from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.sampling import (
    PRESETS,
    SHARES,
    RegimeDraw,
    SamplingInputInvalidError,
    allot,
    sample,
    thin,
)
from regime.types import REGIMES, Regime


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def regimes(**rows: int) -> np.ndarray:
    """Give a column with so many rows of each regime."""
    return np.repeat(list(rows), list(rows.values()))


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def test_the_reference_shares_are_those_of_the_mission() -> None:
    assert SHARES["reference"] == {
        Regime.LOW_VOLATILITY: 0.20,
        Regime.NORMAL: 0.40,
        Regime.HIGH_VOLATILITY: 0.20,
        Regime.CRASH: 0.10,
        Regime.RECOVERY: 0.10,
    }
    assert PRESETS == ("natural", "reference", "uniform")


def test_natural_is_every_row_once() -> None:
    drawn = sample(regimes(normal=5, crash=2, recovery=3), "natural", rng=rng())
    assert drawn.rows.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert drawn.account.rows_effective == 10.0
    assert drawn.account.share_unfilled == {}


def test_natural_with_fewer_rows_keeps_the_proportions_without_repeats() -> None:
    drawn = sample(regimes(normal=80, crash=20), "natural", rows=10, rng=rng())
    assert drawn.account.by_regime[Regime.NORMAL].rows_out == 8
    assert drawn.account.by_regime[Regime.CRASH].rows_out == 2
    assert drawn.account.rows_distinct == 10


def test_the_reference_preset_gives_the_shares_of_the_mission_and_keeps_the_number_of_rows() -> None:
    column = regimes(normal=60, crash=5, recovery=5, high_volatility=10, low_volatility=20)
    drawn = sample(column, "reference", rng=rng())
    assert [drawn.account.by_regime[each].rows_out for each in REGIMES] == [10, 10, 20, 40, 20]
    assert len(drawn.rows) == 100
    assert np.bincount(drawn.rows)[60:65].tolist() == [2, 2, 2, 2, 2]


def test_over_sampling_gives_whole_copies_and_some_rows_once_more() -> None:
    drawn = sample(regimes(crash=4, normal=16), "uniform", rng=rng())
    times = np.bincount(drawn.rows, minlength=20)
    assert sorted(times[:4].tolist()) == [2, 2, 3, 3]
    assert sorted(times[4:].tolist()) == [0] * 6 + [1] * 10
    assert drawn.account.by_regime[Regime.CRASH] == RegimeDraw(
        rows_in=4, rows_out=10, share_asked=0.2, share_got=0.5, replication=3
    )


def test_the_effective_sample_size_is_that_of_the_multiplicities() -> None:
    # Two crash rows three times each among four normal ones: (6 + 4)^2 / (2 x 9 + 4) = 100 / 22 ...
    drawn = sample(regimes(crash=2, normal=6), "uniform", rows=10, replication_max=3, rng=rng())
    assert drawn.account.by_regime[Regime.CRASH].rows_out == 5
    # ... of which one copy is cut by the share: 3, 2 and five ones.
    assert drawn.account.rows_distinct == 7
    assert drawn.account.rows_effective == pytest.approx(100 / 18)


def test_a_row_is_never_drawn_more_often_than_allowed_and_the_rest_is_redistributed_visibly() -> None:
    column = regimes(crash=2, recovery=30, high_volatility=30, normal=30, low_volatility=8)
    drawn = sample(column, "uniform", replication_max=5, rng=rng())
    crash = drawn.account.by_regime[Regime.CRASH]
    assert (crash.rows_out, crash.replication) == (10, 5)
    assert drawn.account.share_unfilled == {Regime.CRASH: pytest.approx(0.1)}
    assert [drawn.account.by_regime[each].rows_out for each in REGIMES] == [10, 23, 23, 22, 22]


def test_a_regime_without_rows_is_named_and_its_share_goes_to_the_others_by_their_shares() -> None:
    column = regimes(normal=40, high_volatility=20, low_volatility=20, recovery=20)
    drawn = sample(column, "reference", rng=rng())
    assert drawn.account.regimes_absent() == (Regime.CRASH,)
    assert drawn.account.by_regime[Regime.CRASH].replication is None
    assert drawn.account.share_unfilled == {Regime.CRASH: pytest.approx(0.1)}
    assert [drawn.account.by_regime[each].rows_out for each in REGIMES] == [0, 11, 22, 45, 22]


def test_the_account_is_told_in_a_sentence() -> None:
    column = regimes(normal=50, high_volatility=20, low_volatility=20, recovery=10)
    assert sample(column, "reference", rng=rng()).account.said() == (
        "sampling reference: 100 of 100 rows (95 distinct, 90.9 effective); no rows of crash;"
        " shares that the other regimes filled: crash 10.0%"
    )


def test_more_rows_than_copies_allow_are_not_given_and_that_is_said() -> None:
    drawn = sample(regimes(crash=2, normal=2), "uniform", rows=100, replication_max=3, rng=rng())
    assert (drawn.account.rows_out, drawn.account.rows_asked) == (12, 100)
    assert drawn.account.said().endswith("100 rows were asked for")


def test_the_same_seed_draws_the_same_rows_and_another_one_others() -> None:
    column = regimes(normal=500, crash=30)
    first, same, other = (sample(column, "reference", rng=rng(seed)).rows.tolist() for seed in (1, 1, 2))
    assert first == same
    assert first != other


@pytest.mark.parametrize("numbers", [{"rows": 0}, {"replication_max": 0}, {"rows": -3}])
def test_a_number_below_one_is_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(SettingInvalidError, match="give 1 or more"):
        sample(regimes(normal=3), "natural", rng=rng(), **numbers)


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingInvalidError, match="one of natural, reference, uniform"):
        sample(regimes(normal=3), "balanced", rng=rng())


def test_rows_that_cannot_be_sampled_are_refused() -> None:
    with pytest.raises(HistoryTooShortError, match="load more history"):
        sample(np.array([], dtype=np.str_), "natural", rng=rng())
    with pytest.raises(SamplingInputInvalidError, match=r"row 1 .* unknown \(2 such rows\)"):
        sample(np.array(["crash", "unknown", "unknown"]), "uniform", rng=rng())
    with pytest.raises(RegimeNameUnknownError, match="krach"):
        sample(np.array(["krach"]), "uniform", rng=rng())


def test_things_are_allotted_by_largest_remainder() -> None:
    room = np.full(3, 100)
    assert allot(10, np.array([1.0, 1.0, 1.0]), room).tolist() == [4, 3, 3]
    assert allot(7, np.array([0.5, 0.3, 0.2]), room).tolist() == [4, 2, 1]
    assert allot(0, np.array([0.5, 0.3, 0.2]), room).tolist() == [0, 0, 0]


def test_what_is_full_passes_on_until_all_is_given_or_all_are_full() -> None:
    share = np.array([0.6, 0.3, 0.1])
    assert allot(20, share, np.array([3, 10, 100])).tolist() == [3, 10, 7]
    assert allot(20, share, np.array([3, 10, 2])).tolist() == [3, 10, 2]
    assert allot(5, np.array([0.0, 0.0, 1.0]), np.array([9, 9, 2])).tolist() == [0, 0, 2]


def test_every_fifth_weekday_is_the_same_weekday_and_keeps_all_symbols() -> None:
    date = np.repeat(np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]"), 2)
    assert date[thin(date, 5)].astype(str).tolist() == ["2024-01-03"] * 2 + ["2024-01-10"] * 2


def test_every_third_weekday_counts_over_weekends() -> None:
    date = days("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09")
    chosen = date[thin(date, 3)].astype(str).tolist()
    assert chosen == ["2024-01-03", "2024-01-08"]


def test_history_before_or_after_moves_no_chosen_day() -> None:
    long = np.arange("1990-01-01", "2024-12-31", dtype="datetime64[D]")
    short = long[long >= np.datetime64("2020-02-13")]
    chosen = long[thin(long, 7)]
    assert len(short[thin(short, 7)]) > 150
    assert short[thin(short, 7)].tolist() == chosen[chosen >= short[0]].tolist()


def test_every_day_keeps_all_rows_weekends_and_days_before_1970_too() -> None:
    assert thin(days("2024-01-06", "2024-01-07", "1960-01-01"), 1).tolist() == [0, 1, 2]
    with pytest.raises(SettingInvalidError, match="every_days = 0"):
        thin(days("2024-01-06"), 0)
