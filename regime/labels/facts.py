"""What a history of labels says of the present: since when, for how long as a rule, and what comes next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from regime.labels.spells import spells_of
from regime.types import Regime

if TYPE_CHECKING:
    import numpy as np

    from regime.labels.spells import Spell
    from regime.types import RegimeSeries

LAST_SPELLS: Final = 10
"""Spells that the facts name one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell:
    """How long a regime lasts: the mean sessions of its closed spells, ``None`` without any.

    The first spell of a history counts from the first day, though it may have begun before.
    """

    regime: Regime
    closed_spells: int
    mean_days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """How often a day of one regime was followed by a day of another, or of the same.

    ``probability`` is the share of the days of ``before`` that have a next day; ``None`` without a count.
    """

    before: Regime
    after: Regime
    count: int
    probability: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSpell:
    """A spell with its days; the last of a history is open."""

    regime: Regime
    first_day: np.datetime64
    last_day: np.datetime64
    days: int
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeFacts:
    """The regime of the last day and what its history says; days are sessions of the market.

    ``days`` is the age of the open spell, ``expected_days`` the mean of closed spells of the same regime,
    ``None`` without any: no more than a mean, for spells of very different length. ``share`` is of all
    labelled days and names the regimes that occurred.
    """

    labeler: str
    regime: Regime
    since: np.datetime64
    last_day: np.datetime64
    days: int
    pending: Regime | None
    expected_days: float | None
    dwell: tuple[Dwell, ...]
    transitions: tuple[Transition, ...]
    share: dict[Regime, float]
    last_spells: tuple[PastSpell, ...]


def regime_facts(series: RegimeSeries) -> RegimeFacts | None:
    """Give the facts of a labelled history, ``None`` if it has no day.

    Causal labels are counted, those that were known on their days.

    >>> import numpy as np
    >>> from regime.types import RegimeSeries
    >>> calm, crash = Regime.NORMAL, Regime.CRASH
    >>> days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
    >>> series = RegimeSeries(
    ...     labeler="rules-1", date=days, regime=(calm, calm, crash, calm), reason=("",) * 4,
    ...     pending=(None,) * 4, provisional=np.array([False, False, False, True]),
    ... )
    >>> facts = regime_facts(series)
    >>> facts.regime.value, facts.days, facts.expected_days
    ('normal', 1, 2.0)
    """
    if not len(series):
        return None
    spells = spells_of(series.regime)
    dwell = tuple(_dwell(regime, spells[:-1]) for regime in Regime)
    counts = Counter(series.regime)
    last = spells[-1]
    return RegimeFacts(
        labeler=series.labeler,
        regime=last.regime,
        since=series.date[last.first],
        last_day=series.date[-1],
        days=last.days,
        pending=series.pending[-1],
        expected_days=next(each.mean_days for each in dwell if each.regime is last.regime),
        dwell=dwell,
        transitions=_transitions(series),
        share={regime: counts[regime] / len(series) for regime in Regime if regime in counts},
        last_spells=tuple(
            PastSpell(
                regime=spell.regime,
                first_day=series.date[spell.first],
                last_day=series.date[spell.end - 1],
                days=spell.days,
                is_closed=spell is not last,
            )
            for spell in spells[-LAST_SPELLS:]
        ),
    )


def _dwell(regime: Regime, closed: tuple[Spell, ...]) -> Dwell:
    lengths = [spell.days for spell in closed if spell.regime is regime]
    mean = sum(lengths) / len(lengths) if lengths else None
    return Dwell(regime=regime, closed_spells=len(lengths), mean_days=mean)


def _transitions(series: RegimeSeries) -> tuple[Transition, ...]:
    counts = Counter(pairwise(series.regime))
    followed = Counter(series.regime[:-1])
    return tuple(
        Transition(
            before=before,
            after=after,
            count=counts[before, after],
            probability=counts[before, after] / followed[before] if counts[before, after] else None,
        )
        for before in Regime
        for after in Regime
    )
