"""When the slots of the schedule and of the feeds begin, as pure functions of the time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from daemon.settings import WEEKDAYS

if TYPE_CHECKING:
    from daemon.settings import FeedSettings, ScheduleSettings


def last_slot(settings: ScheduleSettings, now: datetime) -> datetime:
    """Give the latest retraining slot at or before ``now``, in the zone of the schedule.

    >>> from daemon.settings import ScheduleSettings
    >>> last_slot(ScheduleSettings(), datetime(2024, 1, 10, 12, tzinfo=UTC)).isoformat()
    '2024-01-06T21:00:00-05:00'
    """
    zone = ZoneInfo(settings.timezone)
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() - WEEKDAYS.index(settings.weekday)) % 7)
    slot = datetime.combine(day, time.fromisoformat(settings.time), tzinfo=zone)
    if slot > now:
        slot = datetime.combine(day - timedelta(days=7), time.fromisoformat(settings.time), tzinfo=zone)
    return slot


def next_slot(settings: ScheduleSettings, now: datetime) -> datetime:
    """Give the first retraining slot after ``now``, in the zone of the schedule."""
    zone = ZoneInfo(settings.timezone)
    day = last_slot(settings, now).date() + timedelta(days=7)
    return datetime.combine(day, time.fromisoformat(settings.time), tzinfo=zone)


def poll_slot(feed: FeedSettings, now: datetime) -> datetime:
    """Give the start of the polling interval that holds ``now``."""
    return datetime.fromtimestamp(now.timestamp() // feed.poll_every_s * feed.poll_every_s, UTC)
