"""What a service manager hears of a daemon, over the socket that systemd gives it."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.notify import SystemdNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Installation

LIMIT_S = 60.0


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(LIMIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def _hear_until(manager: socket.socket, wanted: str) -> list[str]:
    heard: list[str] = []
    while not heard or wanted not in heard[-1].splitlines():
        heard.append(manager.recv(4096).decode())
    return heard


def test_a_daemon_says_that_it_is_ready_that_it_lives_that_it_reloads_and_that_it_stops(
    manager: socket.socket, installation: Installation
) -> None:
    installation.begin()
    _hear_until(manager, "READY=1")
    alive = _hear_until(manager, "WATCHDOG=1")[-1]
    assert alive == "WATCHDOG=1\nSTATUS=data version 0; idle"
    installation.signal(signal.SIGHUP)
    reloading = _hear_until(manager, "RELOADING=1")[-1]
    assert reloading.splitlines()[1].startswith("MONOTONIC_USEC=")
    _hear_until(manager, "READY=1")
    installation.signal(signal.SIGTERM)
    _hear_until(manager, "STOPPING=1")
    assert installation.ended(LIMIT_S) == 0


def test_without_a_service_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    SystemdNotifier().ready("ready")


def test_a_service_manager_that_is_gone_is_no_fault_of_the_daemon(
    manager: socket.socket, tmp_path: Path
) -> None:
    notifier = SystemdNotifier()
    manager.close()
    (tmp_path / "notify").unlink()
    notifier.alive("idle")


def test_an_abstract_socket_is_spoken_to_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0regimed-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@regimed-test-notify")
        SystemdNotifier().stopping()
        assert listener.recv(64) == b"STOPPING=1"
