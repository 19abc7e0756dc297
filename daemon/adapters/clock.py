"""Clocks: the system's, and one that stands until it is told to move."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's wall clock and its steady clock."""

    def now(self) -> datetime:
        """Give the present as an aware UTC time."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that asks the machine

    def monotonic_s(self) -> float:
        """Give seconds that only ever grow."""
        return time.monotonic()


class ManualClock:
    """A clock for tests and replays: it shows what it was set to.

    >>> clock = ManualClock(datetime(2024, 1, 5, tzinfo=UTC))
    >>> clock.advance(timedelta(days=1))
    >>> clock.now().day
    6
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._elapsed = timedelta()

    def now(self) -> datetime:
        """Give the time that the clock shows."""
        return self._now

    def monotonic_s(self) -> float:
        """Give the seconds by which it was advanced."""
        return self._elapsed.total_seconds()

    def advance(self, by: timedelta) -> None:
        """Move both clocks."""
        self._now += by
        self._elapsed += by

    def jump(self, by: timedelta) -> None:
        """Move only the wall clock, as when an operator sets it."""
        self._now += by
