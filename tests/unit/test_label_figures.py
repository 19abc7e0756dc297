"""The figures that labelers are compared by, on sequences short enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.label_figures import (
    Episode,
    calm_figures,
    changed_share,
    covers,
    delay_of,
    episodes_of,
    explained,
    forward_log_volatility,
    recovery_share,
)
from benchmarks.label_peers import run_peer
from regime.types import Regime

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NORMAL, CRASH, HIGH = Regime.NORMAL, Regime.CRASH, Regime.HIGH_VOLATILITY
DAYS = np.arange("2020-03-20", "2020-03-30", dtype="datetime64[D]")
EPISODE = Episode(name="spring", first_day=date(2020, 3, 22), last_day=date(2020, 3, 27))


def test_a_spell_of_three_days_is_short_and_one_of_four_is_not() -> None:
    figures = calm_figures([NORMAL] * 245 + [CRASH] * 3 + [NORMAL] * 4)
    assert figures == {"switches_a_year": 2.0, "spell_median_days": 4.0, "spells_short_share": 1 / 3}


def test_a_delay_counts_from_the_first_session_of_the_episode() -> None:
    regimes = [CRASH] + [NORMAL] * 4 + [CRASH] * 5
    assert delay_of(EPISODE, DAYS, regimes, CRASH) == 3


def test_an_episode_without_an_alarm_has_no_delay() -> None:
    assert delay_of(EPISODE, DAYS, [CRASH] + [NORMAL] * 8 + [CRASH], CRASH) is None


def test_an_episode_that_began_before_the_days_is_not_covered() -> None:
    assert covers(EPISODE, DAYS)
    assert not covers(EPISODE, DAYS[3:])


def test_the_recovery_is_counted_within_its_days_only() -> None:
    regimes = [Regime.RECOVERY] * 4 + [NORMAL] * 3 + [Regime.RECOVERY] * 3
    assert recovery_share(DAYS, regimes) == 0.5


def test_forward_volatility_uses_the_next_ten_returns_and_none_of_the_past() -> None:
    closes = np.array([1.0, 9.0, *np.exp(0.01 * (np.arange(12) % 2)).tolist()])
    found = forward_log_volatility(closes)
    assert found[2] == pytest.approx(np.log(0.01), rel=1e-9)
    assert np.isnan(found[4:]).all()
    assert not np.isnan(found[:4]).any()


def test_labels_that_tell_everything_explain_all_and_constant_ones_nothing() -> None:
    target = np.array([1.0, 1.0, 3.0, 3.0, np.nan])
    every = np.ones(5, dtype=bool)
    assert explained(target, [NORMAL, NORMAL, HIGH, HIGH, HIGH], every) == 1.0
    assert explained(target, [NORMAL] * 5, every) == 0.0
    assert explained(target, [NORMAL, HIGH, NORMAL, HIGH, HIGH], every) == 0.0


def test_the_share_of_changed_days() -> None:
    assert changed_share([NORMAL, CRASH, HIGH, HIGH], [NORMAL, CRASH, NORMAL, HIGH]) == 0.25


def test_periods_of_the_folder_stand_beside_the_catalogue_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "market_periods.csv").write_text("kind,start,end\nbear,2000-03-24,2002-10-09\n")
    names = [episode.name for episode in episodes_of(tmp_path)]
    assert names[0] == "bear 2000-03"
    assert len(names) == 8
    assert "2020_covid_recovery" not in names


class Flipping:
    """A peer that calls every day by the number of closes that it was fitted to."""

    def fit(self, closes: NDArray[np.float64]) -> None:
        self._regime = HIGH if len(closes) > 400 else NORMAL

    def online(self, closes: NDArray[np.float64]) -> tuple[Regime, ...]:
        return (self._regime,) * len(closes)

    history = online


def test_a_peer_is_judged_by_what_it_said_first_and_its_second_thoughts_are_counted() -> None:
    days = np.arange("2001-01-01", "2004-01-01", dtype="datetime64[D]")
    said, revised = run_peer(Flipping(), days, np.ones(len(days)), np.datetime64("2002-01-01"))
    assert said == (NORMAL,) * 365 + (HIGH,) * 365
    assert revised == [1.0]
