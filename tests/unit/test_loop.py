"""The loop: the way of a file through it, what it does when something fails, and how it ends."""

from __future__ import annotations

import errno
import io
import json
import sys
import threading
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.clock import ManualClock
from daemon.adapters.inbox import Inbox
from daemon.adapters.journal import Journal
from daemon.adapters.quarantine import Quarantine
from daemon.bell import Bell
from daemon.errors import DiskFullError
from daemon.formats import write_csv
from daemon.formats.writing import csv_text
from daemon.layout import Layout
from daemon.logs import EventLog
from daemon.loop import Loop
from daemon.messages import RetrainDue
from daemon.records import ChildEnd, ChildJob, Event
from daemon.replay.history import Arrival
from daemon.replay.source import OfferedFiles
from daemon.settings import (
    ArchiveSettings,
    DaemonSettings,
    IngestSettings,
    LogSettings,
    MarketSettings,
    Settings,
)
from daemon.tools import Tools
from regime.simulator import SimulationSettings, simulate
from regime.types import Bars
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

SUNDAY = datetime(2024, 3, 3, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=250)
SETTINGS = replace(
    Settings(),
    daemon=DaemonSettings(attempts_max=3, retry_wait_s=5, idle_wait_s=0.01),
    archive=ArchiveSettings(enabled=False),
    ingest=IngestSettings(file_bytes_max=100_000),
    markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")},
)


class BreakableBarStore(ParquetBarStore):
    """A bar store that raises what it was told to."""

    fault: Exception | None = None

    def write_part(self, bars: Bars) -> str:
        if self.fault is not None:
            raise self.fault
        return super().write_part(bars)


class ToldChild:
    """A child that runs until it is told how it ended."""

    def __init__(self, job: ChildJob, progress_file: Path | None) -> None:
        self.job = job
        self.progress_file = progress_file
        self.end: ChildEnd | None = None
        self.fault: Exception | None = None
        self.stopped_with_grace_s: float | None = None

    def poll(self) -> ChildEnd | None:
        if self.fault is not None:
            raise self.fault
        return self.end

    def stop(self, grace_s: float) -> None:
        self.stopped_with_grace_s = grace_s


class ToldChildren:
    """Children that end when they are told to."""

    def __init__(self) -> None:
        self.started: list[ToldChild] = []

    def start(self, job: ChildJob, *, progress_file: Path | None) -> ToldChild:
        self.started.append(ToldChild(job, progress_file))
        return self.started[-1]

    def run(self, job: ChildJob) -> ChildEnd:
        raise NotImplementedError(job.module)


class Script:
    """A notifier that does the next thing on a list after each turn, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.after_turns: list[Callable[[], object]] = []

    def ready(self, status: str) -> None:
        self.told.append(f"ready: {status}")

    def alive(self, status: str) -> None:
        self.told.append(f"alive: {status}")
        if self.after_turns:
            self.after_turns.pop(0)()

    def reloading(self) -> None:
        self.told.append("reloading")

    def stopping(self) -> None:
        self.told.append("stopping")


class Daemon:
    """A loop on a real directory, with a clock that stands and children that do as they are told."""

    def __init__(
        self, root: Path, *, clock: ManualClock | None = None, settings: Settings = SETTINGS
    ) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.clock = clock or ManualClock(SUNDAY)
        self.journal = Journal(self.layout.journal)
        self.ledger = self.journal.ledger
        self.bars = BreakableBarStore(self.layout.bars, self.layout.panel)
        self.children = ToldChildren()
        self.script = Script()
        self.stream = io.StringIO()
        self.registry = Registry.open(self.layout.registry)
        self.loop = Loop(
            journal=self.journal,
            inbox=self._inbox(settings),
            tools=self._tools(settings),
            log=EventLog(LogSettings(), self.stream),
            notifier=self.script,
            installed_at=SUNDAY,
        )

    def _inbox(self, settings: Settings) -> Inbox:
        return Inbox(
            inbox=self.layout.inbox,
            archive=[],
            staging=self.layout.files,
            clock=self.clock,
            settings=settings.watch,
            file_bytes_max=settings.ingest.file_bytes_max,
        )

    def _tools(self, settings: Settings) -> Tools:
        return Tools(
            settings=settings,
            layout=self.layout,
            clock=self.clock,
            ledger=self.ledger,
            bars=self.bars,
            calendar=SessionTables(self.layout.sessions, self.children, self.clock),
            children=self.children,
            quarantine=Quarantine(self.layout.quarantine),
            registry=self.registry,
        )

    def close(self) -> None:
        """End in order."""
        self.journal.close()
        self.registry.close()

    def crash(self) -> None:
        """End as a killed process does: nothing more is stored."""
        self.journal._connection.close()
        self.registry.close()

    def drop(self, bars: Bars, name: str) -> None:
        write_csv(bars, self.layout.inbox / name)
        self.loop.files_may_have_come()

    def work(self) -> None:
        """Turn until there is nothing to do now, while time passes only as far as files need it."""
        while self.loop.turn() or self.loop._inbox.has_young():
            self.clock.advance(TICK)

    def run(self, *after_turns: Callable[[], object]) -> None:
        """Run with something to do after each turn, and stop after the last."""
        self.script.after_turns = [*after_turns, lambda: self.loop.stop("SIGTERM")]
        self.loop.run()

    def names(self) -> list[str]:
        return [event.name for event in self.ledger.events()]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def state(self) -> tuple[object, ...]:
        """Give everything that matters of a directory, wall-clock stamps aside."""
        labeler = self.ledger.labeler_state("sim")
        assert labeler is not None
        return (
            self.ledger.parts(),
            labeler,
            self.ledger.labels("sim", labeler.labeler),
            sorted((file.sha256, file.name, file.status, file.rows) for file in self.ledger.files()),
            [(event.name, event.fields) for event in self.ledger.events()],
            sorted(path.name for path in self.layout.files.iterdir()),
            sorted(path.name for path in self.layout.bars.iterdir()),
            list(self.layout.inbox.iterdir()),
        )


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with closing(Daemon(tmp_path)) as made:
        yield made


@pytest.fixture(scope="module")
def market() -> Bars:
    """Give a year of a simulated index with its fear index and a stock."""
    settings = SimulationSettings(symbols=1, days=250, start=date(2023, 3, 1))
    return simulate(settings, np.random.default_rng(5)).bars


@pytest.fixture
def index(market: Bars) -> Bars:
    return market.of_symbol("^SIM")


def test_a_dropped_file_becomes_bars_and_labels_and_is_removed(daemon: Daemon, market: Bars) -> None:
    daemon.drop(market, "market.csv")
    daemon.work()
    assert daemon.names() == ["ingest.accepted", "labels.stored", "features.computed"]
    assert daemon.ledger.data_version() == 1
    state = daemon.ledger.labeler_state("sim")
    assert state is not None
    assert len(daemon.ledger.labels("sim", state.labeler)) == 250
    assert list(daemon.layout.inbox.iterdir()) == []
    assert [file.name for file in daemon.ledger.files()] == ["market.csv"]
    assert daemon.ledger.pending_counts() == {}


def test_every_stored_event_is_logged_once_with_its_number(daemon: Daemon, market: Bars) -> None:
    daemon.drop(market, "market.csv")
    daemon.work()
    assert [(line["event"], line["seq"]) for line in daemon.lines()] == [
        ("ingest.accepted", 1),
        ("labels.stored", 2),
        ("features.computed", 3),
    ]


def test_the_same_bytes_twice_are_taken_once_and_said(daemon: Daemon, index: Bars) -> None:
    daemon.drop(index, "a.csv")
    daemon.drop(index, "b.csv")
    daemon.work()
    daemon.drop(index, "c.csv")
    daemon.work()
    duplicates = [event.fields["name"] for event in daemon.ledger.events(name="ingest.duplicate")]
    assert duplicates == ["b.csv", "c.csv"]
    assert daemon.ledger.data_version() == 1
    assert list(daemon.layout.inbox.iterdir()) == []


def test_a_bad_file_is_quarantined_and_the_next_one_taken(daemon: Daemon, index: Bars) -> None:
    (daemon.layout.inbox / "bad.csv").write_text("<html>not found</html>")
    daemon.drop(index, "good.csv")
    daemon.work()
    assert daemon.names()[:2] == ["ingest.quarantined", "ingest.accepted"]
    assert (daemon.layout.quarantine / "bad.csv").read_text() == "<html>not found</html>"


def _accept_weekends(daemon: Daemon) -> None:
    market = MarketSettings(index="^SIM", fear="^SIMVIX", calendar="24/7")
    settings = replace(SETTINGS, markets={"sim": market})
    daemon.loop.reload_with(lambda: (settings, Event(name="daemon.reloaded", fields={"restart_needed": []})))


def test_refused_bytes_that_are_dropped_again_are_judged_again_by_the_settings_of_now(
    daemon: Daemon,
) -> None:
    saturday = Bars.of("^SIM", ["2024-03-02"], [10.0], [12.0], [9.0], [11.0], [1000.0])
    daemon.drop(saturday, "a.csv")
    daemon.work()
    assert daemon.ledger.events()[-1].fields["code"] == "non_session_day"
    _accept_weekends(daemon)
    daemon.drop(saturday, "a.csv")
    daemon.work()
    assert "ingest.accepted" in daemon.names()
    assert "ingest.duplicate" not in daemon.names()
    assert list(daemon.layout.quarantine.iterdir()) == []


def test_a_released_file_is_taken_in_from_the_bytes_that_were_kept(daemon: Daemon) -> None:
    saturday = Bars.of("^SIM", ["2024-03-02"], [10.0], [12.0], [9.0], [11.0], [1000.0])
    daemon.drop(saturday, "a.csv")
    daemon.work()
    (refused,) = Quarantine(daemon.layout.quarantine).entries()
    _accept_weekends(daemon)
    assert daemon.journal.readmit(refused.sha256, now=daemon.clock.now())
    assert not daemon.journal.readmit(refused.sha256, now=daemon.clock.now())
    daemon.work()
    assert "ingest.accepted" in daemon.names()
    assert list(daemon.layout.quarantine.iterdir()) == []


def test_a_file_that_is_too_large_is_said_once_and_stays_where_it_is(daemon: Daemon, tmp_path: Path) -> None:
    (daemon.layout.inbox / "big.csv").write_bytes(b"x" * 100_001)
    daemon.work()
    daemon.loop.files_may_have_come()
    daemon.work()
    assert daemon.names() == ["ingest.quarantined"]
    with closing(Daemon(tmp_path)) as restarted:
        restarted.work()
        assert restarted.names() == ["ingest.quarantined"]
    assert (daemon.layout.inbox / "big.csv").stat().st_size == 100_001


def test_what_cannot_be_read_is_said(daemon: Daemon, tmp_path: Path) -> None:
    (daemon.layout.inbox / "link.csv").symlink_to(tmp_path / "elsewhere")
    daemon.work()
    (event,) = daemon.ledger.events()
    assert (event.name, event.fields["reason"]) == ("watch.unreadable", "it is not a regular file")


def test_a_message_that_fails_is_tried_again_after_waits_that_double_and_then_set_aside(
    daemon: Daemon, index: Bars
) -> None:
    daemon.bars.fault = RuntimeError("the store is broken")
    daemon.drop(index, "index.csv")
    daemon.work()
    assert daemon.names() == ["message.retried"]
    daemon.clock.advance(timedelta(seconds=4.5))
    assert not daemon.loop.turn()
    daemon.clock.advance(timedelta(seconds=0.6))
    daemon.work()
    assert daemon.names() == ["message.retried"] * 2
    daemon.clock.advance(timedelta(seconds=9.5))
    assert not daemon.loop.turn()
    daemon.clock.advance(timedelta(seconds=0.6))
    daemon.work()
    assert daemon.names() == ["message.retried", "message.retried", "message.dead"]
    (letter,) = daemon.ledger.dead_letters()
    assert (letter.kind, letter.error) == ("file_arrived", "RuntimeError: the store is broken")
    assert [event.fields.get("attempt") for event in daemon.ledger.events()] == [1, 2, None]
    assert daemon.ledger.data_version() == 0


def test_other_messages_go_on_while_one_waits_for_its_next_attempt(daemon: Daemon, market: Bars) -> None:
    daemon.bars.fault = RuntimeError("the store is broken")
    daemon.drop(market.of_symbol("^SIM"), "index.csv")
    daemon.work()
    daemon.bars.fault = None
    daemon.drop(market.of_symbol("^SIMVIX"), "fear.csv")
    daemon.work()
    assert daemon.names() == ["message.retried", "ingest.accepted"]
    daemon.clock.advance(timedelta(seconds=5))
    daemon.work()
    assert daemon.names()[2:] == ["ingest.accepted", "labels.stored", "features.computed"]


def test_a_dead_letter_can_be_revived_when_its_cause_is_gone(daemon: Daemon, index: Bars) -> None:
    daemon.bars.fault = RuntimeError("the store is broken")
    daemon.drop(index, "index.csv")
    for _ in range(3):
        daemon.work()
        daemon.clock.advance(timedelta(seconds=60))
    (letter,) = daemon.ledger.dead_letters()
    daemon.bars.fault = None
    assert daemon.journal.revive(letter.id, now=daemon.clock.now())
    daemon.work()
    assert daemon.ledger.dead_letters() == ()
    assert daemon.ledger.data_version() == 1


def test_an_outcome_that_cannot_be_applied_is_a_failed_attempt_and_no_end_of_the_daemon(
    daemon: Daemon, index: Bars
) -> None:
    daemon.drop(index, "index.csv")
    daemon.work()
    daemon.journal.append([RetrainDue(trigger="manual", period="now")], now=SUNDAY)
    for attempt in range(3):
        daemon.work()
        result = {"version": "v1", "members": object(), "failed": []}
        daemon.children.started[attempt].end = ChildEnd(result=result, reason=None)
        daemon.work()
        daemon.clock.advance(timedelta(seconds=60))
    assert daemon.names()[-4:] == ["message.retried", "message.retried", "message.dead", "retrain.failed"]
    assert [run.outcome for run in daemon.ledger.runs()] == ["failed"]


def test_a_full_disk_is_said_once_costs_no_attempt_and_work_goes_on_when_there_is_room(
    daemon: Daemon, index: Bars
) -> None:
    daemon.bars.fault = OSError(errno.ENOSPC, "No space left on device")
    daemon.drop(index, "index.csv")
    daemon.loop.turn()
    daemon.clock.advance(TICK)

    def make_room() -> None:
        daemon.bars.fault = None
        daemon.loop.files_may_have_come()

    daemon.run(*[daemon.loop.files_may_have_come] * 3, make_room, *[daemon.loop.files_may_have_come] * 3)
    logged = [line["event"] for line in daemon.lines()]
    assert logged[:3] == ["storage.full", "ingest.accepted", "storage.recovered"]
    assert logged.count("storage.full") == logged.count("storage.recovered") == 1
    assert "message.retried" not in logged
    assert daemon.ledger.data_version() == 1


def test_a_journal_without_room_is_said_once_however_often_the_loop_turns(daemon: Daemon) -> None:
    turn = daemon.loop.files_may_have_come
    recovered = Event(name="storage.recovered")
    fill_up(daemon.journal, recovered)
    daemon.loop.reload_with(lambda: (None, recovered))  # an event for which there is no room

    def make_room() -> None:
        limit_pages(daemon.journal, 100_000)
        turn()

    daemon.run(turn, turn, turn, make_room, turn)
    logged = [line["event"] for line in daemon.lines()]
    assert logged == ["storage.full", "storage.recovered", "daemon.stopped"]


def test_a_child_whose_progress_has_no_room_goes_on_working(daemon: Daemon, index: Bars) -> None:
    daemon.drop(index, "index.csv")
    daemon.work()
    daemon.journal.append([RetrainDue(trigger="manual", period="now")], now=SUNDAY)
    daemon.work()
    (child,) = daemon.children.started
    child.fault = OSError(errno.ENOSPC, "No space left on device", "progress.json")

    def make_room() -> None:
        child.fault = None
        daemon.loop.files_may_have_come()

    daemon.run(make_room, daemon.loop.files_may_have_come)
    assert [run.outcome for run in daemon.ledger.runs()] == ["running"]
    assert daemon.names()[-2:] == ["storage.recovered", "daemon.stopped"]


def limit_pages(journal: Journal, count: int) -> None:
    journal._connection.execute(f"PRAGMA max_page_count = {count}")


def fill_up(journal: Journal, event: Event) -> None:
    """Leave no room in a journal for one more such event."""
    limit_pages(journal, 1)  # which is as many as there are
    with suppress(DiskFullError):
        while True:
            journal.note([event], now=SUNDAY)


def test_after_a_crash_what_may_not_have_been_logged_is_logged_again_with_the_same_number(
    tmp_path: Path, market: Bars
) -> None:
    first = Daemon(tmp_path)
    first.drop(market, "market.csv")
    first.work()
    first.crash()
    with closing(Daemon(tmp_path)) as second:
        second.loop.log_what_was_not()
        (again,) = second.lines()
    assert again == first.lines()[-1]
    assert again["seq"] == 3


def test_after_an_orderly_end_nothing_is_logged_again(tmp_path: Path, market: Bars) -> None:
    first = Daemon(tmp_path)
    first.drop(market, "market.csv")
    first.work()
    first.run()
    first.close()
    assert first.lines()[-1]["event"] == "daemon.stopped"
    with closing(Daemon(tmp_path)) as second:
        second.loop.log_what_was_not()
        assert second.lines() == []


def test_a_daemon_that_is_killed_after_every_turn_ends_in_the_same_state(
    tmp_path: Path, market: Bars
) -> None:
    parts = [market.of_symbol(symbol) for symbol in market.symbols()]
    with closing(Daemon(tmp_path / "unharmed")) as unharmed:
        for number, part in enumerate(parts):
            unharmed.drop(part, f"{number}.csv")
        unharmed.work()
        expected = unharmed.state()

    clock = ManualClock(SUNDAY)
    for number, part in enumerate(parts):
        (tmp_path / "killed" / "inbox").mkdir(parents=True, exist_ok=True)
        write_csv(part, tmp_path / "killed" / "inbox" / f"{number}.csv")
    busy = True
    while busy:
        killed = Daemon(tmp_path / "killed", clock=clock)
        killed.loop.turn()  # sees the files for the first time
        clock.advance(TICK)
        busy = killed.loop.turn() or bool(killed.ledger.pending_counts())
        killed.crash()
    with closing(Daemon(tmp_path / "killed", clock=clock)) as survivor:
        assert survivor.state() == expected


def test_stopping_leaves_messages_pending_and_says_why(daemon: Daemon, tmp_path: Path, market: Bars) -> None:
    for symbol in market.symbols():
        daemon.drop(market.of_symbol(symbol), f"{symbol}.csv")
    daemon.loop.turn()
    daemon.clock.advance(TICK)
    daemon.run()
    assert daemon.script.told[-1] == "stopping"
    assert daemon.names()[-1] == "daemon.stopped"
    assert daemon.ledger.events()[-1].fields == {"reason": "SIGTERM"}
    assert daemon.ledger.pending_counts()["file_arrived"] == 2
    with closing(Daemon(tmp_path)) as later:
        later.work()
        assert later.ledger.pending_counts() == {}
        assert later.ledger.data_version() == 3


def test_a_training_child_runs_beside_the_loop_and_its_run_is_closed_when_it_ends(
    daemon: Daemon, market: Bars
) -> None:
    daemon.drop(market.of_symbol("^SIM"), "index.csv")
    daemon.work()
    daemon.journal.append([RetrainDue(trigger="manual", period="now")], now=SUNDAY)
    daemon.work()
    (child,) = daemon.children.started
    assert child.job.module == "daemon.children.train"
    assert child.progress_file == daemon.layout.run("r1") / "progress.json"
    daemon.drop(market.of_symbol("S001"), "stock.csv")
    daemon.work()
    assert daemon.ledger.data_version() == 2
    assert [run.outcome for run in daemon.ledger.runs()] == ["running"]
    child.end = ChildEnd(result=None, reason="it was killed by signal 9 (Killed)")
    daemon.work()
    assert [(run.outcome, run.reason) for run in daemon.ledger.runs()] == [("failed", child.end.reason)]
    assert len(daemon.children.started) == 1


def test_stopping_stops_the_children_whose_work_begins_anew_next_time(
    daemon: Daemon, tmp_path: Path, index: Bars
) -> None:
    daemon.drop(index, "index.csv")
    daemon.work()
    daemon.journal.append([RetrainDue(trigger="manual", period="now")], now=SUNDAY)
    daemon.work()
    daemon.run()
    (child,) = daemon.children.started
    assert child.stopped_with_grace_s == 5.0
    assert daemon.script.told[-2:] == ["alive: data version 1; TrainingDue", "stopping"]
    with closing(Daemon(tmp_path)) as later:
        later.work()
        assert [again.job for again in later.children.started] == [child.job]


def test_a_valid_configuration_is_in_force_after_a_reload(daemon: Daemon, index: Bars) -> None:
    renamed = replace(SETTINGS, ingest=replace(SETTINGS.ingest, symbols={"^SIM": "^RENAMED"}))
    daemon.loop.reload_with(lambda: (renamed, Event(name="daemon.reloaded")))
    daemon.drop(index, "index.csv")
    daemon.work()
    assert daemon.names() == ["daemon.reloaded", "ingest.accepted"]
    assert daemon.ledger.events()[-1].fields["symbols"] == ["^RENAMED"]
    assert daemon.script.told == ["reloading", "ready: data version 0; idle"]


def test_an_invalid_configuration_is_refused_and_the_old_one_stays(daemon: Daemon, index: Bars) -> None:
    refused = Event(name="daemon.reload_refused", fields={"faults": "log.colour: unknown setting"})
    daemon.loop.reload_with(lambda: (None, refused))
    daemon.drop(index, "index.csv")
    daemon.work()
    assert daemon.names()[:2] == ["daemon.reload_refused", "ingest.accepted"]
    assert daemon.ledger.events()[1].fields["symbols"] == ["^SIM"]


def test_a_slot_of_the_schedule_is_due_once_however_often_the_clock_ticks(daemon: Daemon) -> None:
    daemon.work()
    daemon.clock.advance(timedelta(days=7))
    for _ in range(5):
        daemon.loop.minute_has_passed()
        daemon.work()
    assert daemon.names() == ["retrain.started", "retrain.failed"]
    assert daemon.ledger.events()[0].fields["period"] == "2024-03-09T21:00:00-05:00"


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_was_set_is_said_and_the_schedule_looked_at(daemon: Daemon, hours: int) -> None:
    daemon.work()
    daemon.clock.jump(timedelta(hours=hours))
    daemon.work()
    (event,) = daemon.ledger.events()
    assert (event.name, event.fields) == ("clock.jump", {"seconds": hours * 3600.0})
    daemon.work()
    assert daemon.names() == ["clock.jump"]


def test_files_that_came_before_the_clock_was_set_back_do_not_wait_for_it(
    daemon: Daemon, index: Bars
) -> None:
    daemon.clock.jump(timedelta(days=365))
    daemon.drop(index, "index.csv")
    daemon.loop.turn()
    daemon.clock.advance(TICK)
    daemon.loop._take_files()
    daemon.clock.jump(timedelta(days=-365))
    daemon.work()
    assert "ingest.accepted" in daemon.names()


def test_a_ring_is_heard_by_the_next_who_waits_and_only_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(0)
    assert not bell.wait(0)


def test_another_thread_wakes_a_waiting_loop() -> None:
    bell = Bell()
    ringer = threading.Thread(target=bell.ring)
    ringer.start()
    assert bell.wait(30)
    ringer.join()


@pytest.mark.timeout(30)
def test_a_signal_handler_may_ring_between_any_two_lines_of_waiting() -> None:
    bell, rings = Bell(), 0

    def ring(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal rings
        rings += 1
        bell.ring()
        return ring

    before = sys.gettrace()
    sys.settrace(ring)  # called at each line, in the thread that waits, as signal handlers are
    bell.wait(0.01)
    sys.settrace(before)
    assert rings > 3
    assert bell.wait(0)


def _offering(daemon: Daemon) -> OfferedFiles:
    """Let the files of a daemon come from memory, so that none is too young to be taken."""
    source = OfferedFiles(daemon.layout.files)
    daemon.loop._inbox = source
    return source


def test_draining_does_all_that_is_to_be_done_at_the_time_of_the_clock(daemon: Daemon, market: Bars) -> None:
    early = market.take(market.date < market.date[-1])
    late = market.take(market.date == market.date[-1])
    source = _offering(daemon)
    source.offer(
        Arrival(name=f"{at}.csv", content=csv_text(bars).encode()) for at, bars in enumerate((early, late))
    )
    daemon.loop.files_may_have_come()
    daemon.loop.drain()
    assert daemon.ledger.pending_counts() == {}
    assert [file.name for file in daemon.ledger.files()] == ["0.csv", "1.csv"]
    assert daemon.names()[-1] == "features.computed"
    state = daemon.state()
    daemon.loop.drain()
    assert daemon.state() == state


def test_draining_leaves_what_waits_for_a_later_time(daemon: Daemon, index: Bars) -> None:
    daemon.bars.fault = OSError("the disk is busy")
    _offering(daemon).offer([Arrival(name="index.csv", content=csv_text(index).encode())])
    daemon.loop.files_may_have_come()
    daemon.loop.drain()
    assert daemon.names() == ["message.retried"]
    daemon.bars.fault = None
    daemon.loop.drain()
    assert daemon.names() == ["message.retried"]
    daemon.clock.advance(timedelta(seconds=SETTINGS.daemon.retry_wait_s))
    daemon.loop.drain()
    assert daemon.names()[:2] == ["message.retried", "ingest.accepted"]


def test_draining_on_a_full_disk_says_so_and_loses_nothing(daemon: Daemon, index: Bars) -> None:
    daemon.bars.fault = OSError(errno.ENOSPC, "No space left on device")
    _offering(daemon).offer([Arrival(name="index.csv", content=csv_text(index).encode())])
    daemon.loop.files_may_have_come()
    with pytest.raises(DiskFullError):
        daemon.loop.drain()
    daemon.bars.fault = None
    daemon.loop.drain()
    assert daemon.names()[0] == "ingest.accepted"
