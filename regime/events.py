"""Rare market events as data: the eight of the catalogue, and what a captured one has in common with them.

An event is a window of days with a nominal regime. The nominal regime is what the event is remembered for;
what the labeler says of its days is another thing, often differs, and stands beside it in every sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from regime.errors import RegimeError
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CATALOGUED: Final = "catalogued"
DYNAMIC: Final = "dynamic"
ORIGINS: Final = (CATALOGUED, DYNAMIC)


class EventUnknownError(RegimeError):
    """There is no event of that id; the sentence names the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RareEvent:
    """A window of days that a model must not forget.

    ``first_day`` and ``last_day`` belong to it and need not be sessions. ``weight`` is its share among the
    events when a training set draws from the archive, relative to the weights of the others. ``origin`` is
    ``catalogued`` for events that people named, ``dynamic`` for those that ``regime.event_capture`` found.

    Raises
    ------
    ValueError
        If it ends before it begins, or its weight is not positive: a fault of the program.
    """

    id: str
    first_day: date
    last_day: date
    regime: Regime
    weight: float
    origin: str = CATALOGUED

    def __post_init__(self) -> None:
        if self.last_day < self.first_day or not self.weight > 0 or self.origin not in ORIGINS:
            raise ValueError(f"{self.id} is no event: {self.first_day} to {self.last_day}, {self.weight}")

    @property
    def days(self) -> int:
        """Calendar days from the first to the last, both counted."""
        return (self.last_day - self.first_day).days + 1


def _event(id_: str, first: date, last: date, regime: Regime, weight: float) -> RareEvent:
    return RareEvent(id=id_, first_day=first, last_day=last, regime=regime, weight=weight)


RARE_EVENTS: Final = (
    _event("2008_financial_crisis", date(2008, 9, 1), date(2009, 3, 31), Regime.CRASH, 0.20),
    _event("2011_debt_ceiling", date(2011, 7, 1), date(2011, 8, 31), Regime.HIGH_VOLATILITY, 0.05),
    _event("2015_china_devaluation", date(2015, 8, 1), date(2015, 9, 30), Regime.HIGH_VOLATILITY, 0.05),
    _event("2018_volmageddon", date(2018, 2, 1), date(2018, 2, 28), Regime.CRASH, 0.10),
    _event("2020_covid_crash", date(2020, 2, 20), date(2020, 3, 23), Regime.CRASH, 0.15),
    _event("2020_covid_recovery", date(2020, 3, 24), date(2020, 6, 30), Regime.RECOVERY, 0.15),
    _event("2022_inflation_bear_market", date(2022, 1, 1), date(2022, 12, 31), Regime.HIGH_VOLATILITY, 0.20),
    _event("2023_banking_mini_crisis", date(2023, 3, 1), date(2023, 4, 30), Regime.HIGH_VOLATILITY, 0.10),
)
"""The eight events of the mission, in order of time; windows, regimes and weights are the mission's."""


def event_named(id_: str, events: Iterable[RareEvent] = RARE_EVENTS) -> RareEvent:
    """Give the event of that id.

    Raises
    ------
    EventUnknownError
        If there is none.

    >>> event_named("2020_covid_crash").days
    33
    """
    known = {event.id: event for event in events}
    if id_ not in known:
        near = get_close_matches(id_, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
        raise EventUnknownError(f"there is no event {id_!r}; {hint}")
    return known[id_]


def overlap_days(one: RareEvent, other: RareEvent) -> int:
    """Give how many calendar days two events have in common.

    >>> overlap_days(event_named("2020_covid_crash"), event_named("2020_covid_recovery"))
    0
    """
    first, last = max(one.first_day, other.first_day), min(one.last_day, other.last_day)
    return max(0, (last - first).days + 1)


def same_as(event: RareEvent, known: Sequence[RareEvent], *, share_min: float) -> tuple[str, ...]:
    """Give the ids of the known events that ``event`` repeats, the one with the largest overlap first.

    It repeats them if they cover together at least ``share_min`` of its calendar days: one episode of a
    market may have been catalogued as a crash and its recovery. Otherwise it is new, and nothing is given.

    >>> from datetime import date
    >>> found = RareEvent(id="x", first_day=date(2020, 3, 6), last_day=date(2020, 4, 16),
    ...                   regime=Regime.CRASH, weight=0.1, origin=DYNAMIC)
    >>> same_as(found, RARE_EVENTS, share_min=0.5)
    ('2020_covid_recovery', '2020_covid_crash')
    >>> len(same_as(found, RARE_EVENTS[:5], share_min=0.5))
    0
    """
    common = {other.id: shared for other in known if (shared := overlap_days(event, other))}
    covered = {
        day
        for other in known
        for day in range(
            max(event.first_day, other.first_day).toordinal(),
            min(event.last_day, other.last_day).toordinal() + 1,
        )
    }
    if len(covered) < share_min * event.days:
        return ()
    return tuple(sorted(common, key=lambda id_: (-common[id_], id_)))
