"""The watch: file events wake the loop sooner, and it says where they do not arrive."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 10.0


class Woken:
    """Counts how often it was called, from whichever thread."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def __call__(self) -> None:
        self._called.set()

    def forget(self) -> None:
        self._called.clear()

    def comes(self, within_s: float = WAIT_S) -> bool:
        return self._called.wait(within_s)


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def watched(inbox: Path, woken: Woken) -> Iterator[Path]:
    """Give an inbox whose events arrive."""
    watch = Watch([inbox], woken, ours=[inbox])
    assert watch.start() == ()
    woken.forget()
    yield inbox
    watch.stop()


def test_the_self_test_leaves_nothing_behind(watched: Path) -> None:
    assert list(watched.iterdir()) == []


def test_a_written_file_wakes(watched: Path, woken: Woken) -> None:
    (watched / "spy.csv").write_text("whole")
    assert woken.comes()


def test_a_renamed_file_wakes(watched: Path, woken: Woken, tmp_path: Path) -> None:
    (tmp_path / "spy.csv").write_text("whole")
    os.replace(tmp_path / "spy.csv", watched / "spy.csv")  # noqa: PTH105 - as mv does
    assert woken.comes()


def test_a_file_in_a_new_folder_wakes(watched: Path, woken: Woken) -> None:
    (watched / "new").mkdir()
    assert woken.comes()
    woken.forget()
    (watched / "new" / "spy.csv").write_text("whole")
    assert woken.comes()


def test_our_own_reading_does_not_wake(watched: Path, woken: Woken) -> None:
    (watched / "spy.csv").write_text("whole")
    assert woken.comes()
    while woken.comes(0.3):  # the rest of what writing caused
        woken.forget()
    (watched / "spy.csv").read_text()
    assert not woken.comes(0.3)


def test_a_folder_that_cannot_be_watched_is_said_and_spoils_only_itself(
    inbox: Path, tmp_path: Path, woken: Woken
) -> None:
    watch = Watch([inbox, tmp_path / "missing"], woken, ours=[inbox])
    (blind,) = watch.start()
    assert blind.name == "watch.blind"
    assert blind.fields == {"folder": str(tmp_path / "missing"), "reason": "No such file or directory"}
    woken.forget()
    (inbox / "spy.csv").write_text("whole")
    assert woken.comes()
    watch.stop()


def test_a_folder_whose_probe_causes_no_event_is_blind_however_busy_the_others_are(
    inbox: Path, tmp_path: Path, woken: Woken
) -> None:
    (tmp_path / "link").symlink_to(inbox)  # events of a link arrive under another path, if at all
    watch = Watch([inbox], woken, ours=[tmp_path / "link"])
    (blind,) = watch.start()
    assert blind.fields == {"folder": str(tmp_path / "link"), "reason": "a probe file caused no event"}
    watch.stop()


def test_an_archive_folder_is_watched_and_never_touched(inbox: Path, tmp_path: Path, woken: Woken) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    before = archive.stat()
    watch = Watch([inbox, archive], woken, ours=[inbox])
    assert watch.start() == ()
    after = archive.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    woken.forget()
    (archive / "spy.csv").write_text("whole")
    assert woken.comes()
    watch.stop()


def test_an_overflow_of_the_kernels_queue_wakes_because_everything_is_to_be_looked_at(
    watched: Path, woken: Woken
) -> None:
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed in %s", watched)
    assert woken.comes(0)


def test_after_stopping_nothing_wakes(inbox: Path, woken: Woken) -> None:
    watch = Watch([inbox], woken, ours=[inbox])
    watch.start()
    watch.stop()
    woken.forget()
    (inbox / "spy.csv").write_text("whole")
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
    assert not woken.comes(0.3)
