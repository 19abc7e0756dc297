"""The schedule: each slot once, through clock changes, outages and clocks that are set."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.adapters.journal import Journal
from daemon.messages import FeedPollDue, RetrainDue
from daemon.periods import due_messages
from daemon.settings import WEEKDAYS, FeedSettings, ScheduleSettings, Settings
from daemon.slots import last_slot, next_slot, poll_slot
from tests.examples import examples

NEW_YORK = ZoneInfo("America/New_York")
SATURDAY_EVENING = ScheduleSettings()
WEEK = timedelta(days=7)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
YEAR_START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTES_OF_YEAR = 366 * 24 * 60

schedules = st.builds(
    ScheduleSettings,
    weekday=st.sampled_from(WEEKDAYS),
    time=st.times().map(lambda time: f"{time:%H:%M}"),
    timezone=st.sampled_from(
        ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata", "UTC"]
    ),
)


def retrain_only(schedule: ScheduleSettings = SATURDAY_EVENING) -> Settings:
    return replace(Settings(), schedule=schedule)


def periods_after(
    moments: list[datetime], installed_at: datetime, schedule: ScheduleSettings = SATURDAY_EVENING
) -> list[str]:
    """Ask what is due at each of the moments, and give the slots that a journal would have let through."""
    found = []
    with closing(Journal(":memory:")) as journal:
        for now in moments:
            due = due_messages(retrain_only(schedule), installed_at=installed_at, now=now)
            for message, is_new in zip(due, journal.append(due, now=now), strict=True):
                assert isinstance(message, RetrainDue)
                found += [message.period] if is_new else []
    return found


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2024-01-07T01:59:59+00:00", "2023-12-30T21:00:00-05:00"),
        ("2024-01-07T02:00:00+00:00", "2024-01-06T21:00:00-05:00"),
        ("2024-01-13T23:00:00+00:00", "2024-01-06T21:00:00-05:00"),
        ("2024-07-14T01:00:00+00:00", "2024-07-13T21:00:00-04:00"),
    ],
)
def test_the_last_slot_is_a_saturday_evening_in_new_york(now: str, slot: str) -> None:
    assert last_slot(SATURDAY_EVENING, datetime.fromisoformat(now)).isoformat() == slot


def test_the_next_slot_is_the_same_wall_time_after_the_clocks_change() -> None:
    before = datetime(2024, 3, 9, 22, tzinfo=NEW_YORK)  # Saturday; the clocks change on Sunday the 10th
    assert next_slot(SATURDAY_EVENING, before).isoformat() == "2024-03-16T21:00:00-04:00"
    assert last_slot(SATURDAY_EVENING, before).isoformat() == "2024-03-09T21:00:00-05:00"


@pytest.mark.parametrize(
    ("time", "sunday", "utc"),
    [
        ("02:30", "2024-03-10", "2024-03-10T07:30:00+00:00"),  # does not exist: an hour after 01:30
        ("01:30", "2024-11-03", "2024-11-03T05:30:00+00:00"),  # exists twice: the first of them
    ],
)
def test_a_slot_in_the_hour_in_which_the_clocks_change_still_comes(time: str, sunday: str, utc: str) -> None:
    schedule = ScheduleSettings(weekday="sunday", time=time)
    slot = last_slot(schedule, datetime.fromisoformat(sunday + "T23:00:00+00:00"))
    assert slot.astimezone(UTC).isoformat() == utc


@examples(200)
@given(schedule=schedules, minute=st.integers(0, MINUTES_OF_YEAR))
def test_now_lies_between_the_last_and_the_next_slot(schedule: ScheduleSettings, minute: int) -> None:
    now = YEAR_START + timedelta(minutes=minute)
    last, following = last_slot(schedule, now), next_slot(schedule, now)
    assert last <= now < following
    assert last_slot(schedule, following) == following
    assert last_slot(schedule, following - timedelta(seconds=1)).isoformat() == last.isoformat()
    assert WEEKDAYS[last.weekday()] == schedule.weekday


@examples(12)
@given(schedule=schedules, data=st.data())
def test_in_a_year_of_irregular_ticks_each_week_is_due_once(
    schedule: ScheduleSettings, data: st.DataObject
) -> None:
    steps = data.draw(st.lists(st.integers(1, 6 * 24 * 60), min_size=60, max_size=100))
    moments = [YEAR_START]
    for step in steps:
        moments.append(min(moments[-1] + timedelta(minutes=step), YEAR_START + timedelta(days=366)))
    periods = periods_after(moments, YEAR_START, schedule)
    slots = {
        last_slot(schedule, YEAR_START + timedelta(hours=hour)).isoformat() for hour in range(366 * 24 + 1)
    }
    expected = [
        slot
        for slot in sorted(slots, key=datetime.fromisoformat)
        if YEAR_START < datetime.fromisoformat(slot) <= moments[-1]
    ]
    assert periods == expected


def test_slots_that_were_missed_in_an_outage_are_caught_up_once() -> None:
    before = datetime(2024, 1, 7, 3, tzinfo=UTC)
    after = before + 5 * WEEK
    assert periods_after([before, after, after + timedelta(minutes=1)], LONG_AGO) == [
        "2024-01-06T21:00:00-05:00",
        "2024-02-10T21:00:00-05:00",
    ]


def test_a_clock_that_is_set_back_repeats_nothing() -> None:
    now = datetime(2024, 1, 14, 3, tzinfo=UTC)
    moments = [now - WEEK, now, now - timedelta(hours=2), now - WEEK, now, now + timedelta(minutes=1)]
    assert periods_after(moments, LONG_AGO) == ["2024-01-06T21:00:00-05:00", "2024-01-13T21:00:00-05:00"]


def test_a_new_directory_has_missed_nothing() -> None:
    wednesday = datetime(2024, 1, 10, tzinfo=UTC)
    assert periods_after([wednesday, wednesday + timedelta(days=2)], wednesday) == []
    assert periods_after([wednesday + timedelta(days=5)], wednesday) == ["2024-01-13T21:00:00-05:00"]


def test_a_schedule_that_is_off_makes_nothing_due() -> None:
    off = retrain_only(ScheduleSettings(enabled=False))
    assert due_messages(off, installed_at=LONG_AGO, now=YEAR_START) == ()


def test_a_feed_is_due_once_in_each_interval_if_it_is_on() -> None:
    feed = FeedSettings(enabled=True, poll_every_s=6 * 3600)
    configured = replace(
        retrain_only(ScheduleSettings(enabled=False)),
        feeds={"cboe_vix": feed, "yahoo_chart": FeedSettings(enabled=False)},
    )
    slots = set()
    for minute in range(24 * 60):
        now = YEAR_START + timedelta(minutes=minute)
        (due,) = due_messages(configured, installed_at=LONG_AGO, now=now)
        assert isinstance(due, FeedPollDue)
        slots.add(due.slot)
    assert sorted(slots) == [f"2024-01-01T{hour:02d}:00:00+00:00" for hour in (0, 6, 12, 18)]


@examples(100)
@given(
    every_s=st.floats(1, 1e6, allow_nan=False),
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - hypothesis wants them so
)
def test_a_polling_interval_holds_the_moment_that_asked(every_s: float, now: datetime) -> None:
    moment = now.replace(tzinfo=UTC)
    slot = poll_slot(FeedSettings(poll_every_s=every_s), moment)
    assert slot <= moment + timedelta(microseconds=1)
    assert (moment - slot).total_seconds() < every_s + 1e-3
