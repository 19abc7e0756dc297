"""The slots of the schedule: evenly apart on the calendar, whatever the clocks of the zone do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.settings import WEEKDAYS, ScheduleSettings
from daemon.slots import last_slot, next_slot

SCHEDULES = st.builds(
    ScheduleSettings,
    timezone=st.sampled_from(["America/New_York", "Europe/Zurich", "Australia/Lord_Howe", "UTC"]),
    weekday=st.sampled_from(WEEKDAYS),
    time=st.times().map(lambda at: f"{at:%H:%M}"),
    every_weeks=st.integers(1, 60),
)
NOWS = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
NIGHT_IN_MARCH = ScheduleSettings(weekday="sunday", time="02:30", every_weeks=1)
"""02:30 does not exist on the Sunday on which summer time begins, and is there twice when it ends."""


@given(settings=SCHEDULES, now=NOWS)
@example(settings=NIGHT_IN_MARCH, now=datetime(2024, 3, 10, 7, 15, tzinfo=UTC))
@example(settings=NIGHT_IN_MARCH, now=datetime(2024, 11, 3, 6, 30, tzinfo=UTC))
def test_now_lies_between_its_last_slot_and_the_next(settings: ScheduleSettings, now: datetime) -> None:
    last, following = last_slot(settings, now), next_slot(settings, now)
    assert last <= now < following
    assert following.date() - last.date() == timedelta(weeks=settings.every_weeks)


@given(settings=SCHEDULES, now=NOWS)
@example(settings=NIGHT_IN_MARCH, now=datetime(2024, 3, 9, tzinfo=UTC))
def test_a_slot_is_on_its_weekday_at_its_time_and_is_found_again(
    settings: ScheduleSettings, now: datetime
) -> None:
    slot = next_slot(settings, now)
    assert WEEKDAYS[slot.weekday()] == settings.weekday
    assert slot.time() == time.fromisoformat(settings.time)
    assert slot.tzinfo == ZoneInfo(settings.timezone)
    there = slot.astimezone(UTC)
    assert last_slot(settings, there) == slot
    assert last_slot(settings, there - timedelta(seconds=1)) < slot
    assert next_slot(settings, there - timedelta(seconds=1)) == slot


@given(settings=SCHEDULES, now=NOWS, later=NOWS)
def test_the_slots_do_not_depend_on_when_they_are_asked_for(
    settings: ScheduleSettings, now: datetime, later: datetime
) -> None:
    days = (last_slot(settings, later).date() - last_slot(settings, now).date()).days
    assert days % (7 * settings.every_weeks) == 0


@pytest.mark.parametrize(("month", "hour"), [(1, 2), (7, 1)])
def test_a_slot_keeps_the_hour_of_its_zone_in_winter_and_in_summer(month: int, hour: int) -> None:
    slot = next_slot(ScheduleSettings(every_weeks=1), datetime(2024, month, 3, tzinfo=UTC))
    assert slot.astimezone(UTC).hour == hour
