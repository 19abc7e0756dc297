"""One daemon a directory: a lock that the kernel releases however its holder ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.errors import AlreadyRunningError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

LOOK_S: Final = 0.01
LOOKS_OUTLASTED: Final = 20
"""``is_held`` holds the lock for a moment, which is not to be taken for another daemon."""


class Holder(NamedTuple):
    """Who holds the lock; ``started_at`` is ISO UTC."""

    pid: int
    version: str
    started_at: str
    restarts: int


class DaemonLock:
    """Holds the lock file while it is open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Self:
        """Take the lock, or say who has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for _ in range(LOOKS_OUTLASTED):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, 0)  # what an earlier holder wrote says nothing of this one
                return cls(descriptor)
            time.sleep(LOOK_S)
        os.close(descriptor)
        holder = _read(path)
        who = f"process {holder.pid}" if holder else "another process"
        raise AlreadyRunningError(
            f"{who} already runs the daemon of {path.parent.parent}; stop it first, or use another directory"
        )

    def sign(self, holder: Holder) -> None:
        """Write down who holds the lock."""
        text = json.dumps(holder._asdict()).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)


def holder_of(path: Path) -> Holder | None:
    """Give who runs the daemon, or ``None`` if nobody does or a replay goes on; see ``is_held``."""
    return _read(path) if is_held(path) else None


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock; never blocks or disturbs the holder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None  # taken a moment ago and not signed yet, or by a replay, which does not sign
