"""Why a day has its label: the numbers behind the rule, and what another regime would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from regime.labels.protocol import Labeler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regime.labels.drop import DropGauge
    from regime.labels.protocol import Day, State
    from regime.types import DayLabel, Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the next session would have to bring for another regime.

    Any one of ``ways``, and what ``waits`` says besides; without a way the regime cannot come next.
    """

    regime: Regime
    ways: tuple[str, ...]
    waits: str = ""

    @property
    def sentence(self) -> str:
        """Give it in words."""
        return "; ".join(part for part in (" or ".join(self.ways), self.waits) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A day's label with everything that it was made from, known at that day's close.

    ``fired`` tells what happened: ``entered``, ``holds``, ``waits`` for a pending change, ``unknown``.
    ``ten_day_return`` and ``drop_threshold`` are fractions, ``None`` while there is no drop rule. ``bands``
    are the edges of fear that were in force, in VIX points. Counters are those after the day: sessions since
    the regime was entered, and sessions on which the pending one was asked for; what they must reach is
    ``None`` for a labeler without memory. ``crash`` has the numbers of a crash and its recovery.
    """

    label: DayLabel
    fired: str
    ten_day_return: float | None
    drop_threshold: float | None
    bands: Mapping[str, float]
    age_days: int | None
    dwell_days: int | None
    pending_days: int
    confirm_days: int | None
    crash: Mapping[str, float] | None
    others: tuple[Need, ...]


@runtime_checkable
class ExplainingLabeler(Labeler, Protocol):
    """A labeler that can say why."""

    def explain(self, state: State, day: Day) -> Explanation:
        """Explain the label of a day, given the state before it; changes nothing."""


def now_fear(fear: float | None) -> str:
    """Give the fear of now as part of a sentence.

    >>> now_fear(22.3)
    'now 22.30'
    """
    return "now unknown" if fear is None else f"now {fear:.2f}"


def ways_to_drop(gauge: DropGauge) -> tuple[str, ...]:
    """Give the ten-day return that is a crash, or nothing while there is no drop rule.

    >>> from regime.labels.drop import DropGauge, FixedDrop, GaugeState
    >>> gauge = DropGauge(FixedDrop(), GaugeState(closes=(100.0,) * 10))
    >>> gauge.observe(95.0)
    >>> ways_to_drop(gauge)
    ('10-day return at or below -15.00% (now -5.00%)',)
    """
    if not gauge.is_known:
        return ()
    return (f"10-day return at or below {gauge.threshold:.2%} (now {gauge.ten_day_return:.2%})",)
