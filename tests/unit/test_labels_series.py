"""Labels of whole histories, the labelers by name, and real data with literal spells."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from arch.data import sp500, vix

from regime.errors import SettingInvalidError
from regime.labels import (
    LABELERS,
    RulesConstants,
    RulesLabeler,
    continue_labels,
    days_of,
    label_days,
    labeler_named,
)
from regime.types import Bars, Regime, RegimeSeries

if TYPE_CHECKING:
    import pandas as pd


def closes_of(symbol: str, closes: pd.Series[float]) -> Bars:
    known = closes.dropna()
    return Bars.of_closes(symbol, known.index.to_numpy(), known.tolist())


@pytest.fixture(scope="module")
def index() -> Bars:
    return closes_of("^GSPC", sp500.load()["Close"])


@pytest.fixture(scope="module")
def fear() -> Bars:
    return closes_of("^VIX", vix.load()["vix"])


def spells_of(labels: RegimeSeries, first_day: str) -> list[tuple[str, str]]:
    """Give the first day and regime of every spell that begins on ``first_day`` or later."""
    starts = [0, *(at for at in range(1, len(labels)) if labels.regime[at] != labels.regime[at - 1])]
    spells = [(str(labels.date[at]), labels.regime[at].value) for at in starts]
    return [spell for spell in spells if spell[0] >= first_day]


def test_the_rules_find_the_crashes_of_2015_and_2018_with_the_vix(index: Bars, fear: Bars) -> None:
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    spells = spells_of(labels, "2015-07-15")
    assert spells[:5] == [
        ("2015-07-15", "low_volatility"),
        ("2015-08-24", "crash"),
        ("2015-09-08", "high_volatility"),
        ("2015-10-06", "normal"),
        ("2016-01-20", "high_volatility"),
    ]
    assert spells[-8:] == [
        ("2018-02-05", "crash"),
        ("2018-02-16", "normal"),
        ("2018-05-11", "low_volatility"),
        ("2018-06-29", "normal"),
        ("2018-07-10", "low_volatility"),
        ("2018-10-12", "normal"),
        ("2018-12-20", "high_volatility"),
        ("2018-12-24", "crash"),
    ]


def test_the_rules_find_the_great_crashes_without_a_fear_index(index: Bars) -> None:
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    crashes = [day for day, regime in spells_of(labels, "1999") if regime == "crash"]
    assert crashes == [
        "2001-01-03",
        "2001-03-28",
        "2001-09-17",
        "2002-07-10",
        "2002-10-07",
        "2008-03-18",
        "2008-09-15",
        "2009-02-23",
        "2011-08-08",
        "2015-08-24",
        "2018-12-24",
    ]
    assert labels.regime.count(Regime.UNKNOWN) == 504


def test_the_rules_are_calmer_than_the_reference(index: Bars, fear: Bars) -> None:
    recent = index.take(index.date >= fear.date[0])
    changes = {
        name: sum(
            before != after
            for before, after in pairwise(label_days(recent, fear, labeler_named(name, has_fear=True)).regime)
        )
        for name in LABELERS
    }
    assert changes == {"rules": 35, "reference": 135, "jump": 6}


def test_a_day_without_fear_is_loudly_unknown(index: Bars) -> None:
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    assert labels.regime[0] is Regime.UNKNOWN
    assert labels.reason[0] == (
        "UNKNOWN: no fear value is known for this day (no fear index, and the proxy needs 505 closes, has 1)"
    )
    assert labels.regime[504] is not Regime.UNKNOWN


def test_a_reason_tells_when_fear_is_carried_or_by_proxy(index: Bars, fear: Bars) -> None:
    ended = fear.take(fear.date <= np.datetime64("2018-12-03"))
    labels = label_days(index, ended, labeler_named("rules", has_fear=True))
    reason = dict(zip([str(day) for day in labels.date], labels.reason, strict=True))
    assert reason["2018-12-03"] == "fear 16.44 from 14 to 25"
    assert reason["2018-12-04"] == "fear 16.44 from 14 to 25 (fear is 1 session old)"
    assert reason["2018-12-11"].endswith("(fear is 5 sessions old)")
    assert reason["2018-12-12"].endswith("(fear by proxy)")


def test_only_the_last_spell_is_provisional(index: Bars, fear: Bars) -> None:
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    assert labels.date[labels.provisional].astype(str).tolist() == [
        "2018-12-24",
        "2018-12-26",
        "2018-12-27",
        "2018-12-28",
        "2018-12-31",
    ]


def test_every_pending_change_is_confirmed_or_dropped_and_never_the_regime_held(
    index: Bars, fear: Bars
) -> None:
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    pending = [held for held in labels.pending if held is not None]
    assert len(pending) > 100
    assert Regime.CRASH not in pending
    assert all(held is not after for held, after in zip(labels.regime, labels.pending, strict=True))


def test_labels_carry_the_version_of_their_labeler(index: Bars, fear: Bars) -> None:
    labeler = labeler_named("rules", has_fear=True)
    labels = label_days(index, fear, labeler)
    assert labels.labeler == labeler.version
    assert labels.labeler.startswith("rules-")


def test_any_other_constant_is_another_version() -> None:
    versions = {
        labeler_named("rules", has_fear=True).version,
        labeler_named("rules", has_fear=False).version,
        labeler_named("reference", has_fear=True).version,
        RulesLabeler(constants=RulesConstants(crash_in=36.0)).version,
    }
    assert len(versions) == 4
    assert RulesLabeler().version == labeler_named("rules", has_fear=True).version


def test_a_tail_from_a_saved_state_has_the_labels_of_the_whole(index: Bars, fear: Bars) -> None:
    labeler = labeler_named("rules", has_fear=True)
    days = days_of(index, fear)
    in_mid_crash = next(at for at, day in enumerate(days) if str(day.date) == "2015-08-28")
    state, _ = continue_labels(labeler, labeler.start(), days[:in_mid_crash])
    _, tail = continue_labels(labeler, labeler.restore(state.to_json()), days[in_mid_crash:])
    whole = label_days(index, fear, labeler)
    assert tail.regime[0] is Regime.CRASH
    assert tail.regime == whole.regime[in_mid_crash:]
    assert tail.reason == whole.reason[in_mid_crash:]
    assert tail.pending == whole.pending[in_mid_crash:]
    assert tail.provisional.tolist() == whole.provisional[in_mid_crash:].tolist()


def test_no_bars_have_no_labels() -> None:
    labels = label_days(Bars.empty(), None, labeler_named("rules", has_fear=False))
    assert len(labels) == 0
    assert labels.regime == ()


def test_an_unknown_labeler_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingInvalidError, match="no labeler 'rule'; did you mean 'rules'"):
        labeler_named("rule", has_fear=True)
    with pytest.raises(SettingInvalidError, match="Known: rules, reference"):
        labeler_named("zzz", has_fear=True)
