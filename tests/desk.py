"""A desk: the tools of the handlers without a loop, for tests that hand messages over one by one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from daemon.adapters.bar_store import MemoryBarStore, ParquetBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import ManualClock
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.quarantine import Quarantine
from daemon.formats import write_csv
from daemon.handlers import COMPLETIONS, HANDLERS
from daemon.layout import Layout
from daemon.logs import catalogue
from daemon.messages import BarsArrived, FileArrived
from daemon.records import ChildJob, Outcome
from daemon.tools import Tools
from regime.types import Bars
from registry.store import Registry

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from daemon.messages import Message
    from daemon.records import ChildEnd
    from daemon.settings import Settings


class Desk:
    """The tools of the handlers, and a journal that their outcomes go into."""

    def __init__(self, root: Path, settings: Settings, now: datetime, *, is_stored: bool = False) -> None:
        """Lay a desk; ``is_stored`` keeps journal and bars in files, for commands and children to read."""
        layout = Layout(root)
        layout.create()
        self.clock = ManualClock(now)
        self.journal = Journal(layout.journal if is_stored else ":memory:")
        children = SubprocessChildren(self.clock)
        self.tools = Tools(
            settings=settings,
            layout=layout,
            clock=self.clock,
            ledger=self.journal.ledger,
            bars=ParquetBarStore(layout.bars, layout.panel) if is_stored else MemoryBarStore(),
            calendar=SessionTables(layout.sessions, children, self.clock),
            children=children,
            quarantine=Quarantine(layout.quarantine),
            registry=Registry.open(layout.registry),
        )

    def configure(self, **parts: Any) -> None:
        self.tools = replace(self.tools, settings=replace(self.tools.settings, **parts))

    def do(self, message: Message) -> Outcome:
        outcome = HANDLERS[type(message)](message, self.tools)
        assert isinstance(outcome, Outcome)
        return self.apply(message, outcome)

    def start(self, message: Message) -> ChildJob:
        job = HANDLERS[type(message)](message, self.tools)
        assert isinstance(job, ChildJob)
        return job

    def complete(self, message: Message, end: ChildEnd) -> Outcome:
        return self.apply(message, COMPLETIONS[type(message)](message, end, self.tools))

    def apply(self, message: Message, outcome: Outcome) -> Outcome:
        for event in outcome.events:
            assert set(event.fields) == set(catalogue()[event.name].fields), event.name
        self.journal.append([message], now=self.clock.now())
        found = self.journal._connection.execute("SELECT id FROM messages WHERE key = ?", (message.key,))
        pending = Pending(id=found.fetchone()[0], message=message, attempts=0)
        self.journal.finish(pending, outcome, now=self.clock.now())
        return outcome

    def take_in(self, *bars: Bars) -> Outcome:
        path = self.tools.layout.root / "written.csv"
        write_csv(Bars.concat(bars), path)
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        (self.tools.layout.files / sha256).write_bytes(content)
        return self.do(FileArrived(sha256=sha256, name="bars.csv", size_bytes=len(content)))

    def deliver(self, *bars: Bars) -> Outcome:
        """Let bars arrive as one file, and give what relabelling makes of them."""
        (arrived,) = [one for one in self.take_in(*bars).follow_ups if isinstance(one, BarsArrived)]
        return self.do(arrived)
