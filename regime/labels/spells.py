"""Spells: runs of days in one regime."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.types import Regime


class Spell(NamedTuple):
    """Consecutive days in one regime, as positions: the first day, and the one after the last."""

    regime: Regime
    first: int
    end: int

    @property
    def days(self) -> int:
        """Give how many days it has."""
        return self.end - self.first


def spells_of(regimes: Sequence[Regime]) -> tuple[Spell, ...]:
    """Give the spells of consecutive days in order; all but the last are closed.

    >>> from regime.types import Regime
    >>> [spell.days for spell in spells_of([Regime.CRASH, Regime.CRASH, Regime.NORMAL])]
    [2, 1]
    """
    spells: list[Spell] = []
    for regime, days in groupby(regimes):
        first = spells[-1].end if spells else 0
        spells.append(Spell(regime=regime, first=first, end=first + sum(1 for _ in days)))
    return tuple(spells)
