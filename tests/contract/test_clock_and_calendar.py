"""Time and sessions: two clocks with one contract, and session tables that a child computes once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.calendar import EVERY_DAY, WEEKDAYS, SessionTables
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import ManualClock, SystemClock
from daemon.errors import ChildFailedError
from daemon.records import ChildEnd

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

    from daemon.ports import Clock
    from daemon.records import ChildJob

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
CHRISTMAS = np.datetime64("2023-12-25")


class SessionsChild:
    """Children that compute weekdays, and remember what they were asked."""

    def __init__(self, end: ChildEnd | None = None) -> None:
        self.asked: list[ChildJob] = []
        self._end = end

    def start(self, job: ChildJob, *, progress_file: Path | None) -> Never:
        raise NotImplementedError

    def run(self, job: ChildJob) -> ChildEnd:
        self.asked.append(job)
        first, last = str(job.job["first"]), str(job.job["last"])
        days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
        sessions = days[np.is_busday(days)].astype(str).tolist()
        return self._end or ChildEnd(result={"sessions": sessions}, reason=None)


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(NOON)], ids=["system", "manual"])
def test_a_clock_shows_utc_and_never_runs_backwards(clock: Clock) -> None:
    first, first_s = clock.now(), clock.monotonic_s()
    assert first.utcoffset() == timedelta()
    assert clock.monotonic_s() >= first_s


def test_a_manual_clock_moves_both_hands_or_is_set() -> None:
    clock = ManualClock(NOON)
    clock.advance(timedelta(minutes=1))
    clock.jump(-timedelta(hours=1))
    assert clock.now() == NOON - timedelta(minutes=59)
    assert clock.monotonic_s() == 60.0


def test_a_market_that_never_closes_has_no_table(tmp_path: Path) -> None:
    children = SessionsChild()
    assert SessionTables(tmp_path, children, ManualClock(NOON)).sessions(EVERY_DAY) is None
    assert children.asked == []


def test_weekdays_need_no_child_and_reach_half_a_year_ahead(tmp_path: Path) -> None:
    children = SessionsChild()
    days = SessionTables(tmp_path, children, ManualClock(NOON)).sessions(WEEKDAYS)
    assert days is not None
    assert str(days[0]) == "1960-01-01"
    assert str(days[-1]) == "2024-08-28"
    assert np.datetime64("2024-03-02") not in days
    assert children.asked == []


def test_an_exchange_calendar_is_computed_once_and_kept_for_later_daemons(tmp_path: Path) -> None:
    children, clock = SessionsChild(), ManualClock(NOON)
    first = SessionTables(tmp_path / "sessions", children, clock)
    table = first.sessions("XNYS")
    first.sessions("XNYS")
    again = SessionTables(tmp_path / "sessions", children, clock).sessions("XNYS")
    assert table is not None
    assert again is not None
    assert len(children.asked) == 1
    assert np.array_equal(table, again)
    assert [path.name for path in (tmp_path / "sessions").iterdir()] == ["XNYS.json"]


def test_a_table_is_computed_again_before_its_horizon_ends(tmp_path: Path) -> None:
    children, clock = SessionsChild(), ManualClock(NOON)
    tables = SessionTables(tmp_path, children, clock)
    tables.sessions("XNYS")
    clock.advance(timedelta(days=170))
    tables.sessions("XNYS")
    assert len(children.asked) == 1
    clock.advance(timedelta(days=20))
    later = tables.sessions("XNYS")
    assert len(children.asked) == 2
    assert later is not None
    assert later[-1] >= np.datetime64("2024-09-07") + 180


def test_a_calendar_that_cannot_be_computed_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    children = SessionsChild(ChildEnd(result=None, reason="it ended with exit code 1: no such calendar"))
    with pytest.raises(ChildFailedError, match=r"no such calendar; check markets\.\*\.calendar"):
        SessionTables(tmp_path, children, ManualClock(NOON)).sessions("XXXX")
    assert list(tmp_path.iterdir()) == []


def test_the_new_york_calendar_of_the_real_child_knows_its_holidays(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    table = SessionTables(tmp_path, SubprocessChildren(clock), clock).sessions("XNYS")
    assert table is not None
    assert CHRISTMAS not in table
    assert CHRISTMAS + 1 in table
    assert np.datetime64("2001-09-12") not in table  # shut after the attacks
    assert len(json.loads((tmp_path / "XNYS.json").read_text())) == len(table)
