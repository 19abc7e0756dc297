from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from regime.codes import RegimeNameUnknownError
from regime.error_replay import (
    Replay,
    ReplayCounts,
    ReplayInputInvalidError,
    ReplaySettings,
    choose_replay,
)
from regime.errors import SettingInvalidError
from regime.types import Regime

BEFORE = np.datetime64("2024-12-31")


@dataclass(frozen=True)
class Rows:
    """A hundred rows of one symbol whose loss grows from day to day, on which the members are right."""

    symbol: np.ndarray
    date: np.ndarray
    horizon_end: np.ndarray
    regime: np.ndarray
    truth: np.ndarray
    log_loss: np.ndarray
    member_class: np.ndarray
    replays: np.ndarray

    @classmethod
    def of(cls, rows: int = 100, regime: str = "crash", first: str = "2024-03-01") -> Rows:
        date = np.datetime64(first) + np.arange(rows)
        return cls(
            symbol=np.full(rows, "SPY"),
            date=date,
            horizon_end=date + 20,
            regime=np.full(rows, regime),
            truth=np.zeros(rows, dtype=np.int64),
            log_loss=np.arange(rows) / 10,
            member_class=np.zeros((4, rows), dtype=np.int64),
            replays=np.zeros(rows, dtype=np.int64),
        )

    def __add__(self, other: Rows) -> Rows:
        joined = {
            name: np.concatenate((getattr(self, name), getattr(other, name)), axis=-1)
            for name in self.__dataclass_fields__
        }
        return Rows(**joined)

    def replay(self, **settings: Any) -> Replay:
        given = {"before": BEFORE, "training_rows": 10_000, **settings}
        return choose_replay(**{name: getattr(self, name) for name in self.__dataclass_fields__}, **given)


def test_the_worst_twentieth_is_replayed_by_key_with_a_bounded_weight() -> None:
    replay = Rows.of().replay()
    assert replay.row.tolist() == [95, 96, 97, 98, 99]
    assert replay.symbol.tolist() == ["SPY"] * 5
    assert [str(day) for day in replay.date[[0, -1]]] == ["2024-06-04", "2024-06-08"]
    assert replay.extra_weight.tolist() == [1.0] * 5
    assert replay.account.said() == (
        "replay: 5 rows of the worst 5 among 100 (0 are noise, 0 used up, 0 over the cap)"
    )


def test_each_regime_gives_its_own_worst_though_a_crash_is_worse_throughout() -> None:
    calm = replace(Rows.of(60, "normal"), symbol=np.full(60, "AAA"), log_loss=np.arange(60) / 1e4)
    replay = (Rows.of(40) + calm).replay()
    counts = {each: counts.replayed for each, counts in replay.account.by_regime.items() if counts.replayed}
    assert counts == {Regime.CRASH: 2, Regime.NORMAL: 3}


def test_rows_on_which_most_members_agree_against_the_label_are_noise() -> None:
    rows = Rows.of()
    rows.member_class[:3, 99] = 2
    rows.member_class[:2, 98] = 2
    rows.member_class[:, 97] = [1, 1, 2, 2]
    replay = rows.replay()
    assert replay.row.tolist() == [95, 96, 97, 98]
    assert replay.account.total.noise == 1


def test_a_row_that_may_not_be_replayed_leaves_a_gap_that_the_next_worst_does_not_fill() -> None:
    rows = Rows.of()
    rows.replays[[97, 98]] = [3, 2]
    replay = rows.replay()
    assert replay.row.tolist() == [95, 96, 98, 99]
    assert replay.account.by_regime[Regime.CRASH] == ReplayCounts(
        candidates=100, worst=5, used_up=1, noise=0, over_cap=0, replayed=4
    )


def test_a_mistake_ages_out_after_a_year() -> None:
    rows = Rows.of(40, first="2023-12-22")
    replay = rows.replay(before=np.datetime64("2024-12-31"))
    # 31 December 2023 is 366 days before; 1 January 2024 is 365.
    assert replay.account.aged_out == 10
    assert replay.account.total.candidates == 30
    assert replay.row.tolist() == [39]


def test_rows_of_the_evaluation_and_rows_whose_horizon_reaches_into_it_are_never_replayed() -> None:
    replay = Rows.of().replay(before=np.datetime64("2024-06-01"))
    # Horizons of twenty days that are over before 1 June began by 11 May: 72 rows.
    assert replay.account.in_evaluation == 28
    assert replay.date.max() == np.datetime64("2024-05-11")
    assert len(replay) == 3


def test_a_horizon_that_is_not_over_counts_as_evaluation() -> None:
    rows = Rows.of()
    rows.horizon_end[99] = np.datetime64("NaT")
    replay = rows.replay()
    assert replay.account.in_evaluation == 1
    assert 99 not in replay.row
    assert len(replay) == 4


def test_a_key_that_was_predicted_twice_counts_once_with_its_larger_loss() -> None:
    again = replace(Rows.of(), log_loss=np.full(100, 0.05))
    again.log_loss[0] = 50.0
    replay = (Rows.of() + again).replay()
    assert replay.account.duplicates == 100
    assert replay.row.tolist() == [100, 96, 97, 98, 99]


def test_no_more_than_a_tenth_of_the_training_set_is_replayed_and_every_regime_gives_way() -> None:
    calm = replace(Rows.of(60, "normal"), symbol=np.full(60, "AAA"))
    replay = (Rows.of(40) + calm).replay(training_rows=49, settings=ReplaySettings(worst_share=0.5))
    assert len(replay) == 4
    crash, normal = (replay.account.by_regime[each] for each in (Regime.CRASH, Regime.NORMAL))
    assert (crash.replayed, crash.over_cap) == (2, 18)
    assert (normal.replayed, normal.over_cap) == (2, 28)
    assert set(replay.row.tolist()) == {38, 39, 98, 99}


def test_rows_without_a_regime_cannot_train_and_are_counted() -> None:
    replay = (Rows.of() + Rows.of(10, "unknown", first="2024-09-01")).replay()
    assert replay.account.regime_unknown == 10
    assert replay.account.rows_in == 110
    assert len(replay) == 5


def test_fewer_than_twenty_rows_have_no_worst_twentieth() -> None:
    replay = Rows.of(19).replay()
    assert len(replay) == 0
    assert replay.account.total == ReplayCounts(
        candidates=19, worst=0, used_up=0, noise=0, over_cap=0, replayed=0
    )


def test_no_rows_replay_nothing() -> None:
    assert len(Rows.of(0).replay()) == 0


def test_the_extra_weight_is_a_setting() -> None:
    replay = Rows.of().replay(settings=ReplaySettings(extra_weight=0.5))
    assert replay.extra_weight.tolist() == [0.5] * 5


@pytest.mark.parametrize(
    "setting",
    [
        {"worst_share": 0.0},
        {"train_share_max": 1.5},
        {"extra_weight": 3.1},
        {"days_max": 0},
        {"replays_max": 0},
        {"agreement_noise": float("nan")},
    ],
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingInvalidError, match=next(iter(setting))):
        ReplaySettings(**setting)


def test_rows_that_contradict_themselves_are_refused() -> None:
    rows = Rows.of()
    with pytest.raises(ReplayInputInvalidError, match="give every row all of them"):
        replace(rows, truth=rows.truth[1:]).replay()
    with pytest.raises(ReplayInputInvalidError, match="give every row all of them"):
        replace(rows, member_class=rows.member_class[:, 1:]).replay()
    with pytest.raises(ReplayInputInvalidError, match="at least one member"):
        replace(rows, member_class=rows.member_class[:0]).replay()
    with pytest.raises(RegimeNameUnknownError, match="krach"):
        replace(rows, regime=np.full(100, "krach")).replay()


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -0.1])
def test_a_loss_that_is_no_number_from_zero_is_refused(loss: float) -> None:
    rows = Rows.of()
    rows.log_loss[3] = loss
    with pytest.raises(ReplayInputInvalidError, match="SPY 2024-03-04 has log-loss"):
        rows.replay()
