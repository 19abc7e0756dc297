"""One loop: it looks for files, asks what is due, listens to its children, and works on the oldest message.

All effects go through the journal: a message is finished together with everything that follows from it,
so the loop may be killed between any two lines and started again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.adapters.journal import LOGGED_THROUGH
from daemon.adapters.ledger import IN_FORCE, InForce
from daemon.adapters.memory import give_back_memory
from daemon.bell import Bell
from daemon.compaction import removal_due
from daemon.day_features import remember_bars
from daemon.disk import disk_full_is_told
from daemon.errors import DiskFullError
from daemon.handlers import ABANDONMENTS, COMPLETIONS, HANDLERS
from daemon.keep_archive import PROGRESS
from daemon.messages import ArchiveDue, FileArrived, Lane, Message, TrainingDue
from daemon.mirror_registry import mirror_due
from daemon.periods import due_messages
from daemon.records import ChildJob, Event, Outcome
from daemon.slots import next_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from daemon.adapters.journal import Journal, Pending
    from daemon.adapters.ledger import StoredEvent
    from daemon.logs import EventLog
    from daemon.ports import Child, FileSource, Notifier
    from daemon.records import ChildEnd
    from daemon.settings import Settings
    from daemon.tools import Tools

CHILD_WAIT_S: Final = 0.05
"""Longest sleep while a child works."""
DISK_FULL_WAIT_S: Final = 2.0
CLOCK_JUMP_S: Final = 60.0
RELOGGED_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """A message and the child that works on it."""

    pending: Pending
    child: Child


class Loop:
    """Runs until it is told to stop.

    Parameters
    ----------
    journal
        Where messages wait and effects are applied; nobody else in this process writes to it.
    inbox
        Where files come from.
    tools
        What handlers work with.
    log
        Where events are written after they are stored.
    notifier
        Told after every turn that the loop is alive.
    installed_at
        When this directory was first used; no earlier slot of the schedule is caught up.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        inbox: FileSource,
        tools: Tools,
        log: EventLog,
        notifier: Notifier,
        installed_at: datetime,
    ) -> None:
        self._journal = journal
        self._inbox = inbox
        self._tools = tools
        self._log = log
        self._notifier = notifier
        self._installed_at = installed_at
        self._working: dict[Lane, Working] = {}
        self._bell = Bell()
        self._look_for_files = True
        self._look_at_schedule = True
        self._reload: Callable[[], tuple[Settings | None, Event]] | None = None
        self._stop_reason: str | None = None
        self._scan_due_s = 0.0
        self._clocks = (tools.clock.now(), tools.clock.monotonic_s())
        self._disk_is_full = False
        self._has_worked = True

    # What other threads and signal handlers may call: each only leaves a note and wakes the loop.

    def files_may_have_come(self) -> None:
        """Note that a file event was seen."""
        self._look_for_files = True
        self._bell.ring()

    def minute_has_passed(self) -> None:
        """Note that it is time to look at the schedule."""
        self._look_at_schedule = True
        self._bell.ring()

    def reload_with(self, reload: Callable[[], tuple[Settings | None, Event]]) -> None:
        """Note that the configuration is to be read again."""
        self._reload = reload
        self._bell.ring()

    def stop(self, reason: str) -> None:
        """Note that the loop is to end after the present turn."""
        self._stop_reason = reason
        self._bell.ring()

    @property
    def is_stopping(self) -> bool:
        """Tell whether the loop was asked to end."""
        return self._stop_reason is not None

    def note(self, events: Sequence[Event]) -> None:
        """Store and log events that follow from no message; for the loop's own thread."""
        self._write(self._journal.note(events, now=self._now()))

    def run(self) -> None:
        """Work until stopped; then stop the children, whose messages stay pending."""
        while self._stop_reason is None:
            try:
                busy = self.turn()
                self._has_worked |= busy
                if not busy:
                    self._tidy_up()
                self._say_room_again()
            except DiskFullError as error:
                busy = False
                self._say_disk_full(error)
            self._notifier.alive(self._status())
            if not busy:
                self._bell.wait(self._patience_s())
        self._notifier.stopping()
        for working in self._working.values():
            working.child.stop(self._tools.settings.daemon.stop_grace_s)
        try:
            self.note([Event(name="daemon.stopped", fields={"reason": self._stop_reason})])
        except DiskFullError as error:
            self._say_disk_full(error)

    def drain(self) -> None:
        """Do all that is to be done at the time of the clock; for whoever moves the clock.

        Raises
        ------
        DiskFullError
            If there is no room; what waits is still pending.
        """
        while self.turn():
            self._has_worked = True
        self._tidy_up()

    def _tidy_up(self) -> None:
        """At the start and after work, do what nobody waits for."""
        if self._has_worked:
            self._has_worked = False
            with disk_full_is_told():
                self._tools.bring_up_panel()
            remember_bars(self._tools)
            give_back_memory()

    def turn(self) -> bool:
        """Do what is to be done now, at most one message; tell whether anything was done."""
        self._watch_clock()
        self._take_reload()
        self._take_schedule()
        return any([self._take_files(), self._reap(), self._work()])

    def _now(self) -> datetime:
        return self._tools.clock.now()

    def _patience_s(self) -> float:
        if self._disk_is_full:
            return DISK_FULL_WAIT_S
        idle_s = self._tools.settings.daemon.idle_wait_s
        if self._inbox.has_young():
            return min(idle_s, self._inbox.patience_s())
        return min(idle_s, CHILD_WAIT_S) if self._working else idle_s

    def _status(self) -> str:
        working = ", ".join(type(working.pending.message).__name__ for working in self._working.values())
        return f"data version {self._tools.ledger.data_version()}; {working or 'idle'}"

    def _watch_clock(self) -> None:
        wall, steady_s = self._clocks
        self._clocks = (self._now(), self._tools.clock.monotonic_s())
        jump_s = (self._clocks[0] - wall).total_seconds() - (self._clocks[1] - steady_s)
        if abs(jump_s) > CLOCK_JUMP_S:
            self._look_at_schedule = True
            self.note([Event(name="clock.jump", fields={"seconds": round(jump_s, 1)})])

    def _take_reload(self) -> None:
        if self._reload is None:
            return
        reload, self._reload = self._reload, None
        self._notifier.reloading()
        settings, event = reload()
        if settings is not None:
            self._tools = replace(self._tools, settings=settings)
            self._look_at_schedule = True
        self.note([event])
        self._notifier.ready(self._status())

    def _take_schedule(self) -> None:
        if self._look_at_schedule:
            self._look_at_schedule = False
            now = self._now()
            due = (
                *due_messages(self._tools.settings, installed_at=self._installed_at, now=now),
                *removal_due(self._tools),
                *mirror_due(self._tools),
            )
            if due:
                self._journal.append(due, now=now)
            self._tell_what_is_in_force(now)

    def _tell_what_is_in_force(self, now: datetime) -> None:
        settings = self._tools.settings
        upcoming = next_slot(settings.schedule, now) if settings.schedule.enabled else None
        fact = InForce(
            markets=list(settings.markets),
            feeds=[name for name, feed in settings.feeds.items() if feed.enabled],
            next_run=None if upcoming is None else upcoming.astimezone(UTC).isoformat(),
            mirror=settings.mirror.mlflow_uri or None,
            claims={
                name: (market.index, market.fear, list(market.symbols))
                for name, market in settings.markets.items()
            },
        ).to_json()
        if fact != self._tools.ledger.fact(IN_FORCE):
            self._journal.set_fact(IN_FORCE, fact)

    def _take_files(self) -> bool:
        steady_s = self._tools.clock.monotonic_s()
        scan_is_due = steady_s >= self._scan_due_s
        if not (self._look_for_files or scan_is_due or self._inbox.has_young()):
            return False
        self._look_for_files = False
        if scan_is_due:
            self._scan_due_s = steady_s + self._tools.settings.watch.scan_s
        with disk_full_is_told():
            found, complaints = self._inbox.collect()
        if complaints:
            self.note(complaints)
        messages = [
            FileArrived(sha256=file.sha256, name=file.name, size_bytes=file.size_bytes) for file in found
        ]
        new = self._journal.append(messages, now=self._now()) if messages else ()
        duplicates = [
            Event(name="ingest.duplicate", fields={"name": file.name, "sha256": file.sha256})
            for file, is_new in zip(found, new, strict=True)
            if not is_new and file.removable and not self._journal.readmit(file.sha256, now=self._now())
        ]
        if duplicates:
            self.note(duplicates)
        for file in found:
            self._inbox.release(file)
        if found:
            self._look_for_files = True  # there may be more than a batch
        return bool(found)

    def _reap(self) -> bool:
        """Finish the messages whose children have ended."""
        ended = False
        for lane, working in list(self._working.items()):
            with disk_full_is_told():
                end = working.child.poll()
            if end is not None:
                del self._working[lane]
                self._conclude(working.pending, partial(self._complete, working.pending, end))
                ended = True
        return ended

    def _complete(self, pending: Pending, end: ChildEnd) -> Outcome:
        return COMPLETIONS[type(pending.message)](pending.message, end, self._tools)

    def _handle(self, pending: Pending) -> Outcome | ChildJob:
        return HANDLERS[type(pending.message)](pending.message, self._tools)

    def _work(self) -> bool:
        """Handle the oldest message of a free lane."""
        free = [lane for lane in Lane if lane not in self._working]
        pending = self._journal.next(free, now=self._now()) if free else None
        if pending is None:
            return False
        self._conclude(pending, partial(self._handle, pending))
        return True

    def _conclude(self, pending: Pending, work: Callable[[], Outcome | ChildJob]) -> None:
        try:
            with disk_full_is_told():
                outcome = work()
                if isinstance(outcome, ChildJob):
                    child = self._tools.children.start(outcome, progress_file=self._progress_file(pending))
                    self._working[pending.message.lane] = Working(pending=pending, child=child)
                    return
            events = self._journal.finish(pending, outcome, now=self._now())
        except DiskFullError:
            raise  # waits for room; no attempt is used up, and the message is still pending
        except Exception as error:  # noqa: BLE001 - this is where anything that fails is retried or set aside
            self._fail(pending, f"{type(error).__name__}: {error}")
            return
        self._write(events)

    def _progress_file(self, pending: Pending) -> Path | None:
        if isinstance(pending.message, TrainingDue):
            return self._tools.layout.run(pending.message.run_id) / "progress.json"
        if isinstance(pending.message, ArchiveDue):
            return self._tools.layout.run(PROGRESS) / "progress.json"
        return None

    def _fail(self, pending: Pending, error: str) -> None:
        settings, now, attempt = self._tools.settings.daemon, self._now(), pending.attempts + 1
        key = pending.message.key
        if attempt >= settings.attempts_max:
            dead = Event(name="message.dead", fields={"key": key, "attempts": attempt, "error": error})
            left = ABANDONMENTS.get(type(pending.message), _nothing)(pending.message, error)
            left = replace(left, events=(dead, *left.events))
            self._write(self._journal.bury(pending, error, left, now=now))
            return
        until = now + timedelta(seconds=settings.retry_wait_s * 2 ** (attempt - 1))
        self._journal.postpone(pending, error, until=until, counted=True)
        self.note([Event(name="message.retried", fields={"key": key, "attempt": attempt, "error": error})])

    def _write(self, events: tuple[StoredEvent, ...]) -> None:
        for event in events:
            self._log.write(event)
        if events:
            self._journal.logged_through(events[-1].id)

    def log_what_was_not(self) -> None:
        """Write what an earlier daemon stored but may not have written before it was killed."""
        through = int(self._tools.ledger.fact(LOGGED_THROUGH) or 0)
        self._write(self._tools.ledger.events(after_id=through, limit=RELOGGED_MAX))

    def _say_disk_full(self, error: DiskFullError) -> None:
        """Tell it once, and only in the log: there may be no room for it in the journal."""
        if not self._disk_is_full:
            self._disk_is_full = True
            self._log.write_unstored("storage.full", at=self._now().isoformat(), error=str(error))

    def _say_room_again(self) -> None:
        if self._disk_is_full:
            self.note([Event(name="storage.recovered")])
            self._disk_is_full = False


def _nothing(_message: Message, _error: str) -> Outcome:
    return Outcome()
