"""The lock: one daemon a directory, whose holder anybody may ask for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.lock import DaemonLock, Holder, holder_of
from daemon.errors import AlreadyRunningError

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = Holder(pid=4711, version="0.1.0", started_at="2024-03-01T12:00:00+00:00", restarts=3)
HOLD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from daemon.adapters.lock import DaemonLock
lock = DaemonLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""
ASK_UNTIL_KILLED = """
import sys
from pathlib import Path
from daemon.adapters.lock import holder_of
print("asking", flush=True)
while True:
    holder_of(Path(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.lock"


def test_nobody_holds_a_lock_that_was_never_taken(path: Path) -> None:
    assert holder_of(path) is None
    assert not path.exists()


def test_the_holder_can_be_asked_for_until_it_lets_go(path: Path) -> None:
    lock = DaemonLock.acquire(path)
    lock.sign(HOLDER)
    assert holder_of(path) == HOLDER
    lock.release()
    assert holder_of(path) is None


def test_a_second_daemon_is_refused_and_told_who_runs(path: Path) -> None:
    lock = DaemonLock.acquire(path)
    lock.sign(HOLDER)
    with pytest.raises(AlreadyRunningError, match="process 4711 already runs the daemon of"):
        DaemonLock.acquire(path)
    lock.release()
    DaemonLock.acquire(path).release()


def test_a_second_daemon_is_refused_before_the_first_has_signed(path: Path) -> None:
    lock = DaemonLock.acquire(path)
    with pytest.raises(AlreadyRunningError, match="another process already runs"):
        DaemonLock.acquire(path)
    lock.release()


def test_a_shorter_signature_leaves_nothing_of_the_longer_one(path: Path) -> None:
    lock = DaemonLock.acquire(path)
    lock.sign(Holder(pid=4_000_000, version="0.1.0" * 9, started_at="long ago", restarts=12))
    lock.sign(HOLDER)
    assert holder_of(path) == HOLDER
    lock.release()


def test_the_kernel_releases_the_lock_of_a_holder_that_was_killed(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunningError):
            DaemonLock.acquire(path)
        process.kill()
        process.wait()
    DaemonLock.acquire(path).release()


def test_asking_for_the_holder_never_keeps_a_daemon_from_starting(path: Path) -> None:
    path.touch()
    command = [sys.executable, "-c", ASK_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == b"asking\n"
        try:
            for _ in range(10_000):
                DaemonLock.acquire(path).release()
            assert asker.poll() is None
        finally:
            asker.kill()
