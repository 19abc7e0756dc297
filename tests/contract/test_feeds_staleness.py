"""When a feed is stale: counted in sessions that it missed."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.feeds import is_stale, sessions_missed

SESSIONS = np.array(["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"], dtype="M8[D]")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


@pytest.mark.parametrize(
    ("last", "today", "missed"),
    [
        ("2024-07-03", "2024-07-03", 0),
        ("2024-07-03", "2024-07-05", 0),
        ("2024-07-03", "2024-07-07", 1),
        ("2024-07-01", "2024-07-08", 3),
        ("2024-07-05", "2024-07-04", 0),
        ("2024-07-08", "2024-07-13", 4),
    ],
)
def test_sessions_after_the_last_bar_and_before_today_are_missed(last: str, today: str, missed: int) -> None:
    assert sessions_missed(day(last), today=day(today), sessions=SESSIONS) == missed


def test_without_sessions_every_day_counts() -> None:
    assert sessions_missed(day("2024-07-05"), today=day("2024-07-08"), sessions=None) == 2


def test_a_feed_is_stale_from_the_limit_on() -> None:
    monday = day("2024-07-08")
    assert not is_stale(day("2024-07-03"), today=monday, sessions=SESSIONS, sessions_max=2)
    assert is_stale(day("2024-07-02"), today=monday, sessions=SESSIONS, sessions_max=2)


def test_a_feed_that_never_brought_a_bar_is_stale() -> None:
    assert is_stale(None, today=day("2024-07-08"), sessions=SESSIONS, sessions_max=2)
