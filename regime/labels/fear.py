"""Fear: the fear index of a market where there is one, and a stand-in in VIX points where there is none."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.errors import BarsInvalidError
from regime.labels.saving import json_of, reading_state
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

KIND: Final = "fear_proxy"
DECAY: Final = 0.90
HISTORY_MIN: Final = 504
"""Volatilities, two years of sessions, before a rank among them says anything."""
PROXY_CLOSES_MIN: Final = HISTORY_MIN + 1
"""Closes with the first of which the proxy speaks: a volatility needs two."""
BY_PROXY: Final = "fear by proxy"
"""The note on a day whose fear is that of the proxy."""
CARRIED_MAX: Final = 5
"""Sessions for which the last known fear stands in for a missing one."""
FEAR_MEDIAN_MIN: Final = 2.0
"""No equity fear index has had a median near this; one below it is written as a fraction (0.18 for 18)."""

# fmt: off
VIX_QUANTILES: Final = (
    (0, 9.14), (0.001, 9.41), (0.005, 9.84), (0.01, 10.13), (0.02, 10.61), (0.03, 10.97),
    (0.04, 11.21), (0.05, 11.37), (0.075, 11.74), (0.1, 12.08), (0.125, 12.38), (0.15, 12.66),
    (0.175, 12.92), (0.2, 13.21), (0.225, 13.49), (0.25, 13.80), (0.275, 14.16), (0.3, 14.53),
    (0.325, 14.89), (0.35, 15.31), (0.375, 15.68), (0.4, 16.06), (0.425, 16.41), (0.45, 16.78),
    (0.475, 17.19), (0.5, 17.63), (0.525, 18.11), (0.55, 18.60), (0.575, 19.10), (0.6, 19.58),
    (0.625, 20.08), (0.65, 20.63), (0.675, 21.15), (0.7, 21.67), (0.725, 22.29), (0.75, 22.88),
    (0.775, 23.62), (0.8, 24.36), (0.825, 25.17), (0.85, 26.10), (0.875, 27.45), (0.9, 28.75),
    (0.925, 30.67), (0.95, 33.29), (0.96, 34.87), (0.97, 37.33), (0.975, 39.25), (0.98, 41.25),
    (0.985, 43.66), (0.99, 47.27), (0.9925, 52.89), (0.995, 58.16), (0.9975, 66.35), (0.999, 72.20),
    (0.9995, 76.26), (1, 82.69),
)
# fmt: on
"""Share of days and VIX points: sample quantiles of the 8,702 CBOE VIX daily closes from 1990-01-02 to
2024-06-28, to two decimals. Frozen: a newer table would be another proxy, and relabel history."""

_SHARES: Final = tuple(share for share, _ in VIX_QUANTILES)
_POINTS: Final = tuple(points for _, points in VIX_QUANTILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyState:
    """What the proxy remembers of an index: its last close, and every variance so far in rising order.

    ``variance`` is that of the last day, in squared log returns a session.
    """

    close: float | None = None
    variance: float | None = None
    ordered_variances: tuple[float, ...] = ()

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""
        return json_of(KIND, self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote.

        Raises
        ------
        StateInvalidError
            If the text is not a state of the proxy.
        """
        with reading_state(KIND, text) as fields:
            return cls(ordered_variances=tuple(fields.pop("ordered_variances")), **fields)


def continue_proxy(state: ProxyState, closes: Iterable[float]) -> tuple[ProxyState, tuple[float | None, ...]]:
    """Give the state after ``closes``, one a session, and the proxy's fear of each in VIX points.

    The fear is ``None`` as long as fewer than 504 variances are known. Causal: a value uses closes up to
    its own day. Volatility is exponentially weighted (RiskMetrics, 1996; lambda .90, chosen by the
    authors of regimed; the first variance is the first squared return). Its share among all volatilities
    so far, today's included, is read off the frozen quantiles of the VIX by linear interpolation.

    >>> state, fears = continue_proxy(ProxyState(), [100.0, 101.0, 99.0])
    >>> fears, len(state.ordered_variances)
    ((None, None, None), 2)
    """
    last, variance, ordered = state.close, state.variance, list(state.ordered_variances)
    fears: list[float | None] = []
    for close in closes:
        if last is not None:
            square = log(close / last) ** 2
            variance = square if variance is None else DECAY * variance + (1.0 - DECAY) * square
            insort(ordered, variance)
        last = close
        fears.append(None if variance is None else _points_of(variance, ordered))
    return ProxyState(close=last, variance=variance, ordered_variances=tuple(ordered)), tuple(fears)


def _points_of(variance: float, ordered: list[float]) -> float | None:
    """Give the VIX points at the share of ``ordered`` that is at or below ``variance``.

    Equal variances share their mean rank: a market that never moves is ordinary, not at its peak.
    """
    if len(ordered) < HISTORY_MIN:
        return None
    rank = (bisect_left(ordered, variance) + 1 + bisect_right(ordered, variance)) / 2
    share = rank / len(ordered)
    above = bisect_right(_SHARES, share)
    if above == len(_SHARES):
        return _POINTS[-1]
    left, right = _SHARES[above - 1], _SHARES[above]
    low, high = _POINTS[above - 1], _POINTS[above]
    return low + (high - low) * (share - left) / (right - left)


def fear_proxy(index: Bars) -> Bars:
    """Give a stand-in for a fear index: closes in VIX points, on the days for which it is defined.

    The first is on the 505th day of ``index``, which holds one symbol. Causal; see ``continue_proxy``.

    >>> days = np.arange("2020-01-01", "2021-07-15", dtype="datetime64[D]")
    >>> closes = 100.0 + np.arange(len(days)) % 7
    >>> len(days), len(fear_proxy(Bars.of_closes("^IDX", days, closes)))
    (561, 57)
    """
    check_one_symbol(index, "index")
    _, fears = continue_proxy(ProxyState(), index.close.tolist())
    points = np.array(fears, dtype=np.float64)
    defined = ~np.isnan(points)
    return Bars.of_closes("proxy", index.date[defined], points[defined])


def effective_fear(index: Bars, fear: Bars | None, *, start: int = 0) -> Bars:
    """Give the fear that labels are made from, on every day of ``index`` that has one, from row ``start`` on.

    That is the day's own close of ``fear``, else the last one carried forward for at most 5 sessions,
    else the proxy, else nothing. Fear on days without a bar of the index is ignored. Causal.

    Raises
    ------
    BarsInvalidError
        If either holds several symbols, or the median of ``fear`` is below 2: a fraction, not VIX points.

    >>> index = Bars.of_closes("^IDX", ["2024-01-02", "2024-01-03"], [100.0, 101.0])
    >>> effective_fear(index, Bars.of_closes("^VIX", ["2024-01-02"], [13.5])).close.tolist()
    [13.5, 13.5]
    """
    points = np.array(fear_since(index, fear, start)[0], dtype=np.float64)
    known = ~np.isnan(points)
    symbol = "proxy" if fear is None or not len(fear) else str(fear.symbol[0])
    return Bars.of_closes(symbol, index.date[start:][known], points[known])


def fear_by_day(index: Bars, fear: Bars | None) -> tuple[list[float | None], list[str]]:
    """Give fear in VIX points for every day of ``index``, ``None`` where unknown, and a note on each.

    A note is empty where the fear is the day's own; else it says where it came from, or why there is
    none. See ``effective_fear``.

    >>> fear_by_day(Bars.of_closes("^IDX", ["2024-01-02"], [100.0]), None)
    ([None], ['no fear index, and the proxy needs 505 closes, has 1'])
    """
    check_one_symbol(index, "index")
    own = _own_fear(index, fear)
    if not np.isnan(own).any():
        return list(own.tolist()), [""] * len(own)
    carried, ages = _carry(own)
    _, proxies = continue_proxy(ProxyState(), index.close.tolist())
    fears = [
        value if age <= CARRIED_MAX else proxy
        for value, age, proxy in zip(carried.tolist(), ages, proxies, strict=True)
    ]
    return fears, [_note(age, day, fears[day]) for day, age in enumerate(ages)]


def fear_since(index: Bars, fear: Bars | None, start: int) -> tuple[list[float | None], list[str]]:
    """Give what ``fear_by_day`` gives for row ``start`` of ``index`` and later ones.

    Only the rows that may be carried over are looked at, unless one of the days needs the proxy, which
    ranks within all of history.

    >>> index = Bars.of_closes("^IDX", ["2024-01-02", "2024-01-03"], [100.0, 101.0])
    >>> fear_since(index, Bars.of_closes("^VIX", ["2024-01-02"], [13.5]), 1)
    ([13.5], ['fear is 1 session old'])
    """
    check_one_symbol(index, "index")
    first = max(0, start - CARRIED_MAX)
    own = _own_fear(index.take(np.arange(len(index)) >= first), fear)
    carried, ages = _carry(own)
    if max(ages[start - first :], default=0) > CARRIED_MAX:
        fears, notes = fear_by_day(index, fear)
        return fears[start:], notes[start:]
    known = carried[start - first :].tolist()
    return known, [_note(age, 0, 0.0) for age in ages[start - first :]]


def check_one_symbol(bars: Bars, what: str) -> None:
    """Refuse bars of more than one symbol as ``what``.

    Raises
    ------
    BarsInvalidError
        If there are several.
    """
    symbols = bars.symbols()
    if len(symbols) > 1:
        raise BarsInvalidError(
            "several_symbols",
            f"the {what} is one symbol, not {len(symbols)} ({', '.join(symbols[:3])}); choose",
        )


def _own_fear(index: Bars, fear: Bars | None) -> NDArray[np.float64]:
    """Give the close of ``fear`` on each day of ``index``, NaN where it has none."""
    own = np.full(len(index), np.nan)
    if fear is None or not len(fear):
        return own
    check_one_symbol(fear, "fear index")
    median = float(np.median(fear.close))
    if median < FEAR_MEDIAN_MIN:
        raise BarsInvalidError(
            "fear_unit",
            f"{fear.symbol[0]} has a median of {median:g}: fear is given in VIX points (18, not 0.18);"
            " multiply it by 100",
        )
    _, at_index, at_fear = np.intersect1d(index.date, fear.date, assume_unique=True, return_indices=True)
    own[at_index] = fear.close[at_fear]
    return own


def _carry(own: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    """Give fear carried over at most 5 sessions, and how many sessions old each value is."""
    days = np.arange(len(own))
    latest = np.maximum.accumulate(np.where(np.isnan(own), -len(own) - CARRIED_MAX, days))
    ages = days - latest
    return np.where(ages <= CARRIED_MAX, own[np.maximum(latest, 0)], np.nan), list(ages.tolist())


def _note(age: int, day: int, fear: float | None) -> str:
    if age == 0:
        return ""
    if age <= CARRIED_MAX:
        return f"fear is {age} session{'s' if age > 1 else ''} old"
    if fear is not None:
        return BY_PROXY
    return f"no fear index, and the proxy needs {PROXY_CLOSES_MIN} closes, has {day + 1}"
