"""File events as a hint to look sooner; what they miss, the regular scan finds."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from daemon.records import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

PROBE_WAIT_S: Final = 2.0
QUIET_KINDS: Final = frozenset({"opened", "closed_no_write"})
"""Events that our own looking causes; waking for them would never end."""


class Watch:
    """Calls ``wake`` when something changes under the folders.

    Those that are ``ours`` to write to are probed at the start; the others are never touched.
    """

    def __init__(
        self, folders: Sequence[Path], wake: Callable[[], None], *, ours: Collection[Path] = ()
    ) -> None:
        self._folders = folders
        self._ours = ours
        self._wake = wake
        self._observer = Observer()
        self._overflow = _Overflow(wake)

    def start(self) -> tuple[Event, ...]:
        """Begin to watch; give an event for each folder whose events do not arrive."""
        logging.getLogger("watchdog.observers.inotify_c").addHandler(self._overflow)
        handler = _Hint(self._wake)
        blind = []
        self._observer.start()  # first, so that a folder that cannot be watched spoils only itself
        for folder in self._folders:
            try:
                self._observer.schedule(handler, str(folder), recursive=True)
            except OSError as error:
                blind.append((folder, error.strerror or str(error)))
        blind += [
            (folder, "a probe file caused no event")
            for folder in self._ours
            if folder not in dict(blind) and not _sees(folder, handler)
        ]
        return tuple(
            Event(name="watch.blind", fields={"folder": str(folder), "reason": reason})
            for folder, reason in blind
        )

    def stop(self) -> None:
        """Stop watching."""
        logging.getLogger("watchdog.observers.inotify_c").removeHandler(self._overflow)
        self._observer.stop()
        self._observer.join(timeout=PROBE_WAIT_S)


class _Hint(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.probe: Path | None = None
        self.seen = threading.Event()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if Path(os.fsdecode(event.src_path)) == self.probe:
            self.seen.set()
        if event.event_type not in QUIET_KINDS:
            self._wake()


class _Overflow(logging.Handler):
    """The kernel's queue overflowing is only a line in that library's log; it means: look at everything."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(level=logging.WARNING)
        self._wake = wake

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self._wake()


def _sees(folder: Path, handler: _Hint) -> bool:
    handler.seen.clear()
    handler.probe = probe = folder / f".regimed-probe-{os.getpid()}"
    try:
        probe.touch()
        return handler.seen.wait(PROBE_WAIT_S)
    finally:
        probe.unlink(missing_ok=True)
