"""Puts the daemon together: every dependency is named here, and nowhere else."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.adapters.inbox import Inbox
from daemon.adapters.journal import Journal
from daemon.adapters.lock import DaemonLock, Holder
from daemon.adapters.notify import SystemdNotifier
from daemon.adapters.quarantine import Quarantine
from daemon.adapters.schedule import Ticker
from daemon.adapters.watch import Watch
from daemon.configuration import read_configuration
from daemon.errors import SettingsInvalidError
from daemon.labelers import check_labeler
from daemon.logs import EventLog
from daemon.loop import Loop
from daemon.records import Event
from daemon.tools import Tools
from registry.store import Registry

if TYPE_CHECKING:
    from types import FrameType

    from daemon.adapters.ledger import Ledger
    from daemon.layout import Layout
    from daemon.ports import Children, Clock
    from daemon.settings import Settings

INSTALLED_AT: Final = "installed_at"
STARTS: Final = "starts"
AT_START_ONLY: Final = ("watch", "log")
"""Tables of the configuration that a reload leaves as they were; the event names those that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A daemon that is ready to run."""

    loop: Loop
    journal: Journal
    lock: DaemonLock
    watch: Watch
    ticker: Ticker
    layout: Layout
    settings: Settings
    tools: Tools


def run_daemon(layout: Layout, settings: Settings, version: str) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once.

    Raises
    ------
    AlreadyRunningError
        If another daemon runs on the directory.
    SettingsInvalidError
        If the labeler is one of the user's own and cannot be used.
    """
    check_labeler(settings.labels)
    layout.create()
    lock = DaemonLock.acquire(layout.lock)
    try:
        application = assemble(layout, settings, lock)
        _start(application, version)
        application.loop.run()
    finally:
        lock.release()
    application.ticker.stop()
    application.watch.stop()
    application.journal.close()


def assemble(layout: Layout, settings: Settings, lock: DaemonLock) -> Application:
    """Make every part and connect them."""
    clock = SystemClock()
    journal = Journal(layout.journal)
    tools = make_tools(layout, settings, clock, journal.ledger, SubprocessChildren(clock))
    inbox = Inbox(
        inbox=layout.inbox,
        archive=[layout.root / folder for folder in settings.watch.archive],
        staging=layout.files,
        clock=clock,
        settings=settings.watch,
        file_bytes_max=settings.ingest.file_bytes_max,
    )
    loop = Loop(
        journal=journal,
        inbox=inbox,
        tools=tools,
        log=EventLog(settings.log),
        notifier=SystemdNotifier(),
        installed_at=installed_at(journal, clock),
    )
    return Application(
        loop=loop,
        journal=journal,
        lock=lock,
        watch=Watch(inbox.roots, loop.files_may_have_come, ours=inbox.roots[:1]),
        ticker=Ticker(loop.minute_has_passed),
        layout=layout,
        settings=settings,
        tools=tools,
    )


def make_tools(layout: Layout, settings: Settings, clock: Clock, ledger: Ledger, children: Children) -> Tools:
    """Give handlers what they work with."""
    return Tools(
        settings=settings,
        layout=layout,
        clock=clock,
        ledger=ledger,
        bars=ParquetBarStore(layout.bars, layout.panel),
        calendar=SessionTables(layout.sessions, children, clock),
        children=children,
        quarantine=Quarantine(layout.quarantine),
        registry=Registry.open(layout.registry),
    )


def installed_at(journal: Journal, clock: Clock) -> datetime:
    """Give when this directory was first used, and remember it."""
    known = journal.ledger.fact(INSTALLED_AT)
    if known is None:
        known = clock.now().isoformat()
        journal.set_fact(INSTALLED_AT, known)
    return datetime.fromisoformat(known)


def _start(application: Application, version: str) -> None:
    clock, journal, loop = application.tools.clock, application.journal, application.loop
    _take_signals(application)  # first, so that a stop during the start is one in order
    restarts = int(journal.ledger.fact(STARTS) or 0)
    journal.set_fact(STARTS, str(restarts + 1))
    started_at = clock.now().isoformat()
    holder = Holder(pid=os.getpid(), version=version, started_at=started_at, restarts=restarts)
    application.lock.sign(holder)
    fields = {"version": version, "pid": os.getpid(), "restarts": restarts}
    events = (Event(name="daemon.started", fields=fields), *application.watch.start())
    loop.log_what_was_not()
    loop.note(events)
    application.ticker.start()
    SystemdNotifier().ready("ready")


def _take_signals(application: Application) -> None:
    loop = application.loop

    def end(number: int, _frame: FrameType | None) -> None:
        if loop.is_stopping:
            os._exit(128 + number)  # asked twice: at once, the journal is safe
        loop.stop(signal.Signals(number).name)

    def reload(_number: int, _frame: FrameType | None) -> None:
        loop.reload_with(lambda: _reloaded(application))

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, reload)


def _reloaded(application: Application) -> tuple[Settings | None, Event]:
    """Read the configuration again; refuse one with faults."""
    try:
        settings = read_configuration(application.layout.configuration, os.environ).settings
        check_labeler(settings.labels)
    except SettingsInvalidError as error:
        faults = "; ".join(error.faults)
        return None, Event(name="daemon.reload_refused", fields={"faults": faults})
    before = application.settings
    kept = [name for name in AT_START_ONLY if getattr(settings, name) != getattr(before, name)]
    return settings, Event(name="daemon.reloaded", fields={"restart_needed": kept})
