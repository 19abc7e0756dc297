"""Where everything of one daemon lies: ``DIR/config.toml``, ``inbox/``, ``quarantine/`` and ``state/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import argparse

IGNORED_SUFFIXES: Final = (".tmp", ".part", ".partial", ".crdownload", ".swp")
"""Names of files that another program is still writing; they are no part of the inbox."""

SCORECARDS: Final = "scorecards"
"""The artifact of a version that holds the scorecards of its ensemble and members."""

EXPLANATION: Final = "explanation"
"""The artifact that holds what its tree member looks at; absent if it has none."""

RELIABILITY: Final = "reliability"
"""The artifact that holds how far its probabilities can be believed; older versions lack it."""


REPLAYED: Final = "replay.json"
"""Lies in a directory whose days were replayed, and says which and from what."""


class Layout(NamedTuple):
    """The paths of a directory that ``regimed init`` laid out.

    >>> Layout(Path("trading")).journal.as_posix()
    'trading/state/journal.db'
    """

    root: Path

    @property
    def configuration(self) -> Path:
        """The settings file."""
        return self.root / "config.toml"

    @property
    def inbox(self) -> Path:
        """Where files are dropped."""
        return self.root / "inbox"

    @property
    def quarantine(self) -> Path:
        """Where refused files lie beside their reasons."""
        return self.root / "quarantine"

    @property
    def state(self) -> Path:
        """Everything that the daemon keeps; back up this folder."""
        return self.root / "state"

    @property
    def journal(self) -> Path:
        """The journal of messages, events, labels and runs."""
        return self.state / "journal.db"

    @property
    def lock(self) -> Path:
        """Held by the running daemon; says who it is."""
        return self.state / "daemon.lock"

    @property
    def files(self) -> Path:
        """Every file that was taken, by its sha256, as it came."""
        return self.state / "files"

    @property
    def bars(self) -> Path:
        """Bars as immutable parquet parts."""
        return self.state / "bars"

    @property
    def panel(self) -> Path:
        """A cache of all bars, which may be deleted while no daemon runs."""
        return self.state / "panel" / "bars"

    @property
    def sessions(self) -> Path:
        """Session tables by exchange calendar."""
        return self.state / "sessions"

    @property
    def registry(self) -> Path:
        """Model versions, aliases and artifacts."""
        return self.state / "registry"

    @property
    def archive(self) -> Path:
        """Samples of rare events, one parquet with its manifest each."""
        return self.state / "archive"

    @property
    def runs(self) -> Path:
        """Progress and scratch files of training runs."""
        return self.state / "runs"

    @property
    def fits(self) -> Path:
        """Fitted models of training runs: a cache, which may be deleted while no run works."""
        return self.state / "fits"

    def run(self, run_id: str) -> Path:
        """Give the folder of one training run."""
        return self.runs / run_id

    def create(self) -> None:
        """Make all folders."""
        for folder in (self.inbox, self.quarantine, self.files, self.bars, self.registry, self.runs):
            folder.mkdir(parents=True, exist_ok=True)


def layout_of(options: argparse.Namespace) -> Layout:
    """Give the layout of the directory that the option ``--dir`` names."""
    return Layout(Path(options.dir).resolve())
