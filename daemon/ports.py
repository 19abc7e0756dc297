"""What the runtime asks of the outside world, one Protocol a thing.

Each port has an adapter under ``daemon.adapters`` and, where tests or replay need one, a second that
keeps everything in memory; both pass the same contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from daemon.records import ChildEnd, ChildJob, Event
    from regime.types import Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file that was copied to ``staging/sha256``, or one too large to copy, known by a stand-in hash.

    The one that was not copied is not ``removable``: it would be lost.
    """

    path: Path
    name: str
    sha256: str
    size_bytes: int
    removable: bool
    look: tuple[int, int, int]
    """Size, modification time in ns, inode: what must stand still."""


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


class BarPanel(Protocol):
    """A snapshot of all bars of one data version, quick to read."""

    @property
    def data_version(self) -> int:
        """The data version whose bars these are."""

    @property
    def chain(self) -> str:
        """The name of the history of parts that led to the data version."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, sorted."""

    @property
    def days(self) -> NDArray[np.datetime64]:
        """All days on which any symbol has a bar, ascending."""

    def field(self, name: str, *, last: int | None = None) -> NDArray[np.float64]:
        """Give one field of all symbols, NaN where there is no bar; shape (n_symbols, n_days).

        With ``last``, only of the last so many of ``days``.
        """

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        last: int | None = None,
        since: np.datetime64 | None = None,
    ) -> Bars:
        """Give the bars of all or the named symbols, from a day on, and each symbol's own last bars."""


class Renewal(NamedTuple):
    """What brings a panel to a data version: parts, the symbols in them, and how many rows they have."""

    data_version: int
    chain: str
    parts: tuple[str, ...]
    symbols: tuple[str, ...]
    rows: int


class BarStore(Protocol):
    """Keeps bars as immutable parts; which parts make up a data version is the journal's to say."""

    def write_part(self, bars: Bars) -> str:
        """Store bars durably under a name made of their content, and give that name."""

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins.

        Raises
        ------
        PartMissingError
            If one is not there.
        """

    def has(self, part: str) -> bool:
        """Tell whether a part is there."""

    def remove(self, part: str) -> None:
        """Delete a part that the journal no longer lists; none is as good as one."""

    def panel(self) -> BarPanel | None:
        """Give the panel as it is now, ``None`` if there is none that can be believed."""

    def renew_panel(self, renewal: Renewal, *, onto: BarPanel | None) -> None:
        """Bring the panel ``onto`` to a data version by the parts since, or make one from all parts."""


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


class FileSource(Protocol):
    """Where files come from; each is staged under its sha256 before the journal hears of it."""

    def collect(self) -> tuple[tuple[FoundFile, ...], tuple[Event, ...]]:
        """Look once; give the files that are whole, at most a batch, and what could not be read."""

    def release(self, file: FoundFile) -> None:
        """Let go of a file that the journal has acknowledged."""

    def has_young(self) -> bool:
        """Tell whether a file was seen that is not yet whole, so that another look is due soon."""

    def patience_s(self) -> float:
        """Give how long to wait before young files are looked at again."""


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
