"""Times for people."""

from __future__ import annotations

from datetime import datetime

from daemon.adapters.clock import SystemClock


def now() -> datetime:
    """Give the present."""
    return SystemClock().now()


def local_time(text: str | None) -> str:
    """Give an ISO time as local date and minute, ``-`` if there is none."""
    if text is None:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def age(text: str | None, at: datetime) -> str:
    """Give how long ago an ISO time was, in the largest fitting unit.

    >>> from datetime import UTC
    >>> age("2024-01-01T00:00:00+00:00", datetime(2024, 1, 3, tzinfo=UTC))
    '2 days'
    """
    if text is None:
        return "-"
    seconds = max(0, int((at - datetime.fromisoformat(text)).total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} s"
