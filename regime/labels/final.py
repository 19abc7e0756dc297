"""Final labels: what a day's regime was, once the spells around it are over.

The causal label of a day is late by nature: a crash is only seen after it has begun. Its final label is
back-dated, decided once, and beside the causal one; models are trained, served and judged on causal labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from regime.labels.spells import spells_of
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCAL_HIGH_DAYS: Final = 21
"""Sessions, a month, before its entry among which the high that a crash fell from is looked for; chosen by
the authors of regimed, twice the ten sessions over which a drop is measured."""


def final_regimes(closes: Sequence[float], regimes: Sequence[Regime]) -> tuple[Regime, ...]:
    """Give the final regimes of the first days, as far as they are decided; the rest is open.

    A closed crash begins on the day of its local high: the last highest close from 21 sessions before its
    entry through the entry, not before the end of the last crash or of days without a regime. A closed
    recovery that followed a crash begins on the day after that crash's last lowest close. All other days
    keep their causal regime.

    A day is decided when its causal spell and the spell that it may be counted to are closed, and no crash
    that is still to come can reach back to it. So the decided days are the first ones, and a later day
    decides more of them and changes none: the finals of the first days of a history are the first finals
    of all of it. Only other bars, or another labeler, change a final label.

    Parameters
    ----------
    closes
        The closes of the index, shape (n_days,).
    regimes
        The causal regimes of the same days, shape (n_days,).

    >>> high, crash, calm = Regime.HIGH_VOLATILITY, Regime.CRASH, Regime.NORMAL
    >>> closes = [98.0, 100.0, 90.0, 80.0, 85.0, 90.0]
    >>> finals = final_regimes(closes, [high, high, high, crash, calm, calm])
    >>> [regime.value for regime in finals], len(closes) - len(finals)
    (['high_volatility', 'crash', 'crash', 'crash'], 2)
    """
    final = list(regimes)
    spells = spells_of(regimes)
    reach = begins = 0
    for at, spell in enumerate(spells):
        begins = spell.first
        if spell.regime is Regime.CRASH:
            begins = _local_high(closes, reach, spell.first)
        elif spell.regime is Regime.RECOVERY and at > 0 and spells[at - 1].regime is Regime.CRASH:
            begins = _trough(closes, spells[at - 1].first, spell.first) + 1
        final[begins : spell.first] = [spell.regime] * (spell.first - begins)
        if spell.regime in {Regime.CRASH, Regime.UNKNOWN}:
            reach = spell.end
    return tuple(final[: min(begins, _local_high(closes, reach, len(regimes)))])


def _local_high(closes: Sequence[float], reach: int, entry: int) -> int:
    """Give the day from which a crash entered at ``entry`` is dated, no earlier than ``reach``.

    Asked for the day after the last, it gives the earliest day that a later crash could be dated back to.
    """
    window = range(max(reach, entry - LOCAL_HIGH_DAYS), min(entry + 1, len(closes)))
    return max(window, key=lambda day: (closes[day], day), default=entry)


def _trough(closes: Sequence[float], first: int, end: int) -> int:
    """Give the last day of the lowest close in a crash."""
    return min(range(first, end), key=lambda day: (closes[day], -day))
