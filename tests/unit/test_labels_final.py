"""Final labels on hand-written spells, and what real crashes look like once they are over."""

from __future__ import annotations

import numpy as np
import pytest
from arch.data import sp500, vix

from regime.labels import final_regimes, label_days, labeler_named
from regime.types import Bars, Regime

LETTERS = {
    "c": Regime.CRASH,
    "r": Regime.RECOVERY,
    "h": Regime.HIGH_VOLATILITY,
    "n": Regime.NORMAL,
    "l": Regime.LOW_VOLATILITY,
    "u": Regime.UNKNOWN,
}


def finals(closes: list[int], regimes: str) -> str:
    """Give final regimes by their first letters; a point is a day that is not decided."""
    letters = {regime: letter for letter, regime in LETTERS.items()}
    found = final_regimes([float(close) for close in closes], [LETTERS[letter] for letter in regimes])
    return "".join(letters[regime] for regime in found).ljust(len(regimes), ".")


def test_no_days_have_no_finals() -> None:
    assert finals([], "") == ""


def test_a_closed_crash_goes_back_to_its_local_high() -> None:
    assert finals([7, 9, 8, 6, 4, 5, 5], "nnhhcnn")[:5] == "ncccc"


def test_an_open_crash_leaves_the_days_since_its_high_open() -> None:
    assert finals([7, 9, 8, 6, 4, 5, 5], "nnhhccc") == "n......"


def test_the_last_of_equal_highs_is_the_local_one() -> None:
    assert finals([9, 9, 8, 4, 5, 5], "nnncnn")[:4] == "nccc"


def test_a_crash_is_not_dated_back_by_more_than_a_month() -> None:
    closes = [*range(60, 20, -1), 10, 10]
    assert finals(closes, "n" * 40 + "cn")[:41] == "n" * 19 + "c" * 22


def test_a_crash_of_fear_alone_at_a_new_high_is_not_dated_back() -> None:
    assert finals([5, 6, 9, 6, 6], "nncnn")[:3] == "nnc"


def test_a_second_crash_goes_back_to_the_end_of_the_first_at_most() -> None:
    assert finals([9, 4, 5, 3, 3, 3], "ccncnn")[:4] == "cccc"
    assert finals([9, 4, 5, 6, 3, 3, 3], "ccnncnn")[:5] == "ccncc"


def test_days_without_a_regime_stop_the_dating_back_and_stay_unknown() -> None:
    assert finals([9, 8, 7, 4, 5, 5], "nuncnn")[:4] == "nucc"


def test_a_closed_recovery_begins_on_the_day_after_the_trough() -> None:
    assert finals([9, 4, 3, 4, 6, 7, 7, 7], "ncccrrnn")[1:6] == "ccrrr"


def test_the_days_after_the_trough_wait_for_the_recovery_to_close() -> None:
    assert finals([9, 4, 3, 4, 6, 7], "ncccrr") == "ccc..."


def test_the_last_of_equal_lows_is_the_trough() -> None:
    assert finals([9, 3, 3, 4, 6, 7, 7], "ncccrrn")[1:5] == "ccrr"


def test_a_relapse_has_the_trough_of_its_own_crash() -> None:
    assert finals([9, 3, 5, 6, 4, 5, 6, 6], "nccrcrrn")[1:6] == "crccr"


def test_a_recovery_that_followed_no_crash_keeps_its_days() -> None:
    assert finals([9, 3, 4, 6, 6], "nnrrn")[2:4] == ".."
    assert finals([9, 3, 4, 6, 9], "nnrrn")[:4] == "nnrr"


def test_in_a_rising_market_a_closed_spell_is_final_at_once() -> None:
    assert finals([5, 6, 7, 8], "nnnl") == "nnn."


def test_in_a_falling_market_it_waits_until_no_crash_could_reach_it() -> None:
    falling = list(range(60, 20, -1))
    assert finals(falling, "n" * 10 + "h" * 30) == "n" * 10 + "." * 30
    assert finals(falling[:25], "n" * 10 + "h" * 15) == "n" * 4 + "." * 21


def closes_of(symbol: str, closes: object) -> Bars:
    known = closes.dropna()  # type: ignore[attr-defined]  # a pandas series
    return Bars.of_closes(symbol, known.index.to_numpy(), known.tolist())


@pytest.mark.parametrize(
    ("crash_seen", "crash_began"), [("2015-08-24", "2015-07-30"), ("2018-02-05", "2018-01-26")]
)
def test_a_real_crash_began_at_the_high_before_it_was_seen(crash_seen: str, crash_began: str) -> None:
    index, fear = closes_of("^GSPC", sp500.load()["Close"]), closes_of("^VIX", vix.load()["vix"])
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    found = final_regimes(index.close.tolist(), labels.regime)
    entry = int(np.searchsorted(labels.date, np.datetime64(crash_seen)))
    begun = int(np.searchsorted(labels.date, np.datetime64(crash_began)))
    assert labels.regime[entry] is Regime.CRASH
    assert set(found[begun : entry + 1]) == {Regime.CRASH}
    assert found[begun - 1] is not Regime.CRASH
