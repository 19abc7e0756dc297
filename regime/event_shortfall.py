"""What a known event has of what capture asks for: why it is found, or why it is not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regime.event_capture import qualifies
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regime.event_capture import CaptureSettings, MarketDay
    from regime.events import RareEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """How near a window of days came to being captured.

    ``fear_peak`` is ``None`` if no fear is known; ``crash_days_max`` is the most crash days of any window
    that ends on one of the days; ``run_max`` is the longest run of qualifying days.
    """

    sessions: int
    fear_peak: float | None
    fear_days: int
    crash_days_max: int
    qualifying_days: int
    run_max: int


@dataclass(slots=True)
class _Tally:
    fears: list[float] = field(default_factory=list)
    sessions: int = 0
    crash_days_max: int = 0
    qualifying_days: int = 0
    run_max: int = 0


def shortfall_of(event: RareEvent, settings: CaptureSettings, days: Iterable[MarketDay]) -> Shortfall:
    """Give what the days of an event have of what capture asks for; ``days`` begin before the event.

    >>> from datetime import date
    >>> from regime.event_capture import CaptureSettings, MarketDay
    >>> from regime.events import RareEvent
    >>> event = RareEvent(id="x", first_day=date(2018, 2, 5), last_day=date(2018, 2, 6),
    ...                   regime=Regime.CRASH, weight=0.1)
    >>> days = [MarketDay(date=date(2018, 2, day), fear=37.0, regime=Regime.CRASH) for day in (2, 5, 6)]
    >>> shortfall_of(event, CaptureSettings(), days).crash_days_max
    3
    """
    crashes: deque[bool] = deque(maxlen=settings.window_days)
    tally, run = _Tally(), 0
    for day in days:
        crashes.append(day.regime is Regime.CRASH)
        crash_days = sum(crashes)
        run = run + 1 if qualifies(settings, fear=day.fear, crash_days=crash_days) else 0
        if event.first_day <= day.date <= event.last_day:
            tally.sessions += 1
            tally.fears += [] if day.fear is None else [day.fear]
            tally.crash_days_max = max(tally.crash_days_max, crash_days)
            tally.qualifying_days += run > 0
            tally.run_max = max(tally.run_max, run)
    return Shortfall(
        sessions=tally.sessions,
        fear_peak=max(tally.fears, default=None),
        fear_days=sum(fear >= settings.fear_min for fear in tally.fears),
        crash_days_max=tally.crash_days_max,
        qualifying_days=tally.qualifying_days,
        run_max=tally.run_max,
    )
