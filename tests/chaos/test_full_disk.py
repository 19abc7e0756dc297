"""The disk of the state folder is full: work waits, and goes on by itself when there is room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Installation, SimulatedMarket

    Make = Callable[[Path], Installation]
    Snapshot = Callable[[Path], dict[str, object]]


@contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[Callable[[int], None]]:
    """Mount a small file system on a folder; gives what changes its size."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")

    def size(size_kib: int, how: str = "remount,") -> None:
        command = [mount, "-t", "tmpfs", "-o", f"{how}size={size_kib}k", "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True, text=True)

    try:
        size(size_kib, "")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr.strip()}")
    try:
        yield size
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def logged(place: Installation) -> list[str]:
    """Give the names of the events in the log, which has room where the journal has none."""
    lines = place.log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["event"] for line in lines if line.endswith("}")]


@pytest.fixture(scope="module")
def expected(
    installation_at: Make,
    snapshot: Snapshot,
    market: SimulatedMarket,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, object]:
    """Give what is there after a life with enough room."""
    place = installation_at(tmp_path_factory.mktemp("roomy") / "regimed")
    place.init()
    place.drop(*market.history)
    place.start()
    place.wait_until_idle()
    assert place.stop() == 0
    return snapshot(place.layout.root)


@pytest.fixture
def full(installation_at: Make, market: SimulatedMarket, tmp_path: Path) -> Iterator[Installation]:
    """Give a directory with files in its inbox that was not started yet."""
    place = installation_at(tmp_path / "full")
    place.init()
    place.drop(*market.history)
    yield place
    place.clean_up()


@pytest.mark.slow
@pytest.mark.parametrize("size_kib", [400, 700, 1000, 1400])
def test_work_waits_for_room_and_then_ends_as_it_would_have(
    size_kib: int, full: Installation, snapshot: Snapshot, expected: dict[str, object]
) -> None:
    with small_disk(full.layout.state, size_kib) as resize:
        full.begin()
        full.wait_until(lambda: "storage.full" in logged(full), "the disk to be full")
        assert full.regimed("status").returncode in {0, 1}
        resize(64 * 1024)
        full.wait_for("storage.recovered")
        full.wait_until_idle()
        assert full.stop() == 0
        assert logged(full).count("storage.full") >= 1
        assert full.events("message.") == ()
        assert snapshot(full.layout.root) == expected


@pytest.mark.slow
def test_a_daemon_on_a_full_disk_can_be_stopped_and_loses_nothing(
    full: Installation, snapshot: Snapshot, expected: dict[str, object]
) -> None:
    with small_disk(full.layout.state, 700) as resize:
        full.begin()
        full.wait_until(lambda: "storage.full" in logged(full), "the disk to be full")
        assert full.stop() == 0
        resize(64 * 1024)
        full.start()
        full.wait_until_idle()
        assert full.stop() == 0
        assert snapshot(full.layout.root) == expected
