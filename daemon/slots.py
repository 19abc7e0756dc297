"""When the slots of the schedule and of the feeds begin, as pure functions of the time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from daemon.settings import WEEKDAYS

if TYPE_CHECKING:
    from datetime import date

    from daemon.settings import FeedSettings, ScheduleSettings


DAYS_OF_WEEK: Final = 7


def last_slot(settings: ScheduleSettings, now: datetime) -> datetime:
    """Give the latest retraining slot at or before ``now``, in the zone of the schedule.

    >>> from daemon.settings import ScheduleSettings
    >>> last_slot(ScheduleSettings(), datetime(2024, 1, 10, 12, tzinfo=UTC)).isoformat()
    '2024-01-06T21:00:00-05:00'
    >>> last_slot(ScheduleSettings(every_weeks=4), datetime(2024, 1, 10, 12, tzinfo=UTC)).isoformat()
    '2023-12-16T21:00:00-05:00'
    """
    local = now.astimezone(ZoneInfo(settings.timezone))
    day = local.date() - timedelta(days=(local.weekday() - WEEKDAYS.index(settings.weekday)) % 7)
    day -= timedelta(weeks=day.toordinal() // DAYS_OF_WEEK % settings.every_weeks)
    slot = _slot_of(day, settings)
    return slot if slot <= now else _slot_of(day - timedelta(weeks=settings.every_weeks), settings)


def next_slot(settings: ScheduleSettings, now: datetime) -> datetime:
    """Give the first retraining slot after ``now``, in the zone of the schedule."""
    return _slot_of(last_slot(settings, now).date() + timedelta(weeks=settings.every_weeks), settings)


def _slot_of(day: date, settings: ScheduleSettings) -> datetime:
    return datetime.combine(day, time.fromisoformat(settings.time), tzinfo=ZoneInfo(settings.timezone))


def poll_slot(feed: FeedSettings, now: datetime) -> datetime:
    """Give the start of the polling interval that holds ``now``."""
    return datetime.fromtimestamp(now.timestamp() // feed.poll_every_s * feed.poll_every_s, UTC)
