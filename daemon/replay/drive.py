"""Moves the clock from day to day, and lets the loop do at each time what is to be done then."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from daemon.adapters.clock import ManualClock
from daemon.adapters.journal import Journal
from daemon.adapters.ledger import REACHED
from daemon.adapters.lock import DaemonLock
from daemon.adapters.notify import SystemdNotifier
from daemon.app import installed_at, make_tools
from daemon.configuration import render_configuration, values_of
from daemon.errors import UsageError
from daemon.files import write_durably
from daemon.layout import REPLAYED
from daemon.logs import EventLog
from daemon.loop import Loop
from daemon.markets import first_of
from daemon.replay.children import ReplayChildren
from daemon.replay.history import known_at
from daemon.replay.source import OfferedFiles
from daemon.slots import next_slot
from registry.types import canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.adapters.ledger import StoredEvent
    from daemon.layout import Layout
    from daemon.replay.history import History
    from daemon.settings import Settings

DECIDING: Final = ("first", "last", "data", "settings", "fast")
"""What of a plan a directory must have in common to go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a replay is of; a directory holds the replay of one plan.

    ``data`` and ``settings`` are SHA-256 of both, ``fast`` says that the settings were cut down for a quick
    look, and ``notes`` is what a reader of the report must know of the data.
    """

    first: date
    last: date
    data: str
    settings: str
    fast: bool
    notes: tuple[str, ...]

    @classmethod
    def of(cls, history: History, settings: Settings, first: date, last: date, *, fast: bool = False) -> Self:
        """Give the plan of a history and settings."""
        return cls(
            first=first,
            last=last,
            data=history.fingerprint(),
            settings=sha256_of(canonical_json(values_of(settings))),
            fast=fast,
            notes=history.notes(first, last, index=first_of(settings.markets)[1].index),
        )

    def to_json(self) -> str:
        """Give the plan as JSON."""
        return canonical_json({**asdict(self), "first": str(self.first), "last": str(self.last)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a replay is: which day it has reached, the how manieth of how many."""

    day: date
    done: int
    total: int


def prepare(layout: Layout, plan: Plan, settings: Settings) -> bool:
    """Make the directory of a replay, or take up the one of the same plan; tell whether it had begun.

    Raises
    ------
    UsageError
        If the directory holds anything else.
    """
    marker = layout.root / REPLAYED
    if marker.exists():
        before = json.loads(marker.read_text(encoding="utf-8"))
        told = json.loads(plan.to_json())
        differs = [name for name in DECIDING if before.get(name) != told[name]]
        if differs:
            raise UsageError(
                f"{layout.root} holds a replay of other {' and '.join(differs)};"
                " name another folder with --into, or begin again with --again"
            )
        _lay_out(layout, plan, settings)
        return True
    if layout.root.is_file():
        raise UsageError(f"{layout.root} is a file; name a folder with --into")
    if layout.root.exists() and any(layout.root.iterdir()):
        raise UsageError(f"{layout.root} is not empty and holds no replay; name a new folder with --into")
    _lay_out(layout, plan, settings)
    return False


def _lay_out(layout: Layout, plan: Plan, settings: Settings) -> None:
    """Write down whose directory it is before anything else, so that one which was cut short is taken up."""
    layout.root.mkdir(parents=True, exist_ok=True)
    write_durably(layout.root / REPLAYED, plan.to_json().encode())
    layout.create()
    write_durably(layout.configuration, render_configuration(settings).encode())


class Replay:
    """A daemon whose clock stands until it is moved; see ``replaying``."""

    def __init__(
        self, *, loop: Loop, journal: Journal, source: OfferedFiles, clock: ManualClock, settings: Settings
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._source = source
        self._clock = clock
        self._settings = settings
        self._seen = 0
        self.calendar = first_of(settings.markets)[1].calendar

    def run(self, history: History, first: date, last: date) -> Iterator[Progress]:
        """Replay the days from ``first`` to ``last``, those that were done before left out.

        What was known before ``first`` arrives at once, a day before.
        """
        days = history.days(first, last)
        reached = self._clock.now()
        if reached <= self._known_at(first - timedelta(days=1)):
            self._source.offer(history.before(first))
        self._work()
        for done, day in enumerate(days, 1):
            closes = self._known_at(day)
            if closes < reached:
                continue
            self._keep_schedule(closes)
            self._move_to(closes)
            self._source.offer(history.of_day(day))
            self._work()
            yield Progress(day=day, done=done, total=len(days))

    def failed_training(self) -> str | None:
        """Tell of a training that failed since this was asked the last time, if one did."""
        ledger = self._journal.ledger
        failed = ledger.events(after_id=self._seen, name="retrain.failed", limit=1)
        self._seen = ledger.last_event_id()
        return failure_of(failed[0]) if failed else None

    def _known_at(self, day: date) -> datetime:
        return known_at(day, self.calendar, self._settings.schedule.timezone)

    def _keep_schedule(self, until: datetime) -> None:
        """Stop at every slot of the schedule before a time."""
        schedule = self._settings.schedule
        while schedule.enabled and (slot := next_slot(schedule, self._clock.now())) < until:
            self._move_to(slot)
            self._work()

    def _move_to(self, time: datetime) -> None:
        self._clock.advance(time - self._clock.now())
        self._journal.set_fact(REACHED, self._clock.now().isoformat())

    def _work(self) -> None:
        self._loop.files_may_have_come()
        self._loop.minute_has_passed()
        self._loop.drain()


def failure_of(event: StoredEvent) -> str:
    """Tell when a training failed and why, from its event."""
    return f"training {event.fields['run']} of {event.at.partition('T')[0]} failed: {event.fields['reason']}"


@contextmanager
def replaying(layout: Layout, settings: Settings, first: date) -> Iterator[Replay]:
    """Put a daemon together on a directory that ``prepare`` made; its clock shows how far it came before."""
    lock = DaemonLock.acquire(layout.lock)
    journal = Journal(layout.journal)
    try:
        with (layout.root / "replay.log").open("a", encoding="utf-8") as log:
            calendar = first_of(settings.markets)[1].calendar
            start = known_at(first - timedelta(days=1), calendar, settings.schedule.timezone)
            reached = journal.ledger.fact(REACHED)
            clock = ManualClock(start if reached is None else datetime.fromisoformat(reached))
            source = OfferedFiles(layout.files)
            tools = make_tools(layout, settings, clock, journal.ledger, ReplayChildren())
            loop = Loop(
                journal=journal,
                inbox=source,
                tools=tools,
                log=EventLog(settings.log, log),
                notifier=SystemdNotifier(),
                installed_at=installed_at(journal, clock),
            )
            loop.log_what_was_not()
            yield Replay(loop=loop, journal=journal, source=source, clock=clock, settings=settings)
    finally:
        journal.close()
        lock.release()
