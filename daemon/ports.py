"""What the runtime asks of the outside world, one Protocol a thing.

Each port has an adapter under ``daemon.adapters`` and, where tests or replay need one, a second that
keeps everything in memory; both pass the same contract tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from daemon.records import ChildEnd, ChildJob
    from regime.types import Bars


class Clock(Protocol):
    """Tells the time; the only source of it."""

    def now(self) -> datetime:
        """Give the present as an aware UTC time."""

    def monotonic_s(self) -> float:
        """Give seconds that only ever grow, for measuring waits."""


class Calendar(Protocol):
    """Knows the trading sessions of a market."""

    def sessions(self, name: str) -> NDArray[np.datetime64] | None:
        """Give all known session days of a calendar, ascending; ``None`` if every day is one."""


class BarStore(Protocol):
    """Keeps bars as immutable parts; which parts make up a data version is the journal's to say."""

    def write_part(self, bars: Bars) -> str:
        """Store bars durably under a name made of their content, and give that name."""

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins."""


class Child(Protocol):
    """A running child process."""

    def poll(self) -> ChildEnd | None:
        """Give how it ended, or ``None`` while it runs; never blocks."""

    def stop(self, grace_s: float) -> None:
        """End it: asked first, killed after ``grace_s``; returns when it is gone."""


class Children(Protocol):
    """Starts child processes."""

    def start(self, job: ChildJob, *, progress_file: Path | None) -> Child:
        """Start a child that works on ``job``; its latest progress is kept in ``progress_file``."""

    def run(self, job: ChildJob) -> ChildEnd:
        """Start a short child and wait for its end, at most its time limit."""


class Notifier(Protocol):
    """Tells the service manager how the daemon is."""

    def ready(self, status: str) -> None:
        """Say that the daemon serves."""

    def alive(self, status: str) -> None:
        """Say that the loop made a turn, and what it is doing."""

    def reloading(self) -> None:
        """Say that the configuration is being read again."""

    def stopping(self) -> None:
        """Say that the daemon is on its way out."""
