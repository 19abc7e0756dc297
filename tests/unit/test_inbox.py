"""The inbox: a file is taken once it is whole, whatever it is called, and removed once that is known."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.adapters.clock import ManualClock
from daemon.adapters.inbox import Inbox, printable
from daemon.settings import WatchSettings
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.ports import FoundFile
    from daemon.records import Event

STILL = timedelta(milliseconds=250)
"""Long enough for a text whose last line has no end."""
NOBODY = 65534
LEASES_UNDER_WRITERS = """
import os, sys
from contextlib import suppress
from daemon.adapters.inbox import _is_being_written
from daemon.children.speech import die_with_parent
path = sys.argv[1]
if (writer := os.fork()) == 0:
    die_with_parent()
    while True:
        with suppress(BlockingIOError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
descriptor = os.open(path, os.O_RDONLY)
seen = sum(_is_being_written(descriptor) for _ in range(30_000))
os.kill(writer, 9)
print("survived", seen > 0)
"""


class Place:
    """An inbox, an archive folder and a staging folder, with a clock that stands."""

    def __init__(self, root: Path, *, batch_max: int = 256, file_bytes_max: int = 1000) -> None:
        self.inbox = root / "inbox"
        self.archive = root / "archive"
        self.staging = root / "files"
        for folder in (self.inbox, self.archive):
            folder.mkdir(exist_ok=True)
        self.clock = ManualClock(datetime(2024, 3, 1, tzinfo=UTC))
        self.watched = Inbox(
            inbox=self.inbox,
            archive=[self.archive],
            staging=self.staging,
            clock=self.clock,
            settings=WatchSettings(batch_max=batch_max),
            file_bytes_max=file_bytes_max,
        )

    def look(self) -> tuple[FoundFile, ...]:
        found, _ = self.watched.collect()
        return found

    def look_twice(self) -> tuple[FoundFile, ...]:
        """Look, wait until files are still, and look again."""
        self.look()
        self.clock.advance(2 * STILL)
        return self.look()

    def complaints(self) -> list[tuple[str, str]]:
        _, events = self.watched.collect()
        assert {event.name for event in events} <= {"watch.unreadable"}
        return [self._said(event) for event in events]

    @staticmethod
    def _said(event: Event) -> tuple[str, str]:
        return Path(str(event.fields["path"])).name, str(event.fields["reason"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Give a folder to work in as a user whom the kernel can refuse something."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o777)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    yield root
    if is_root:
        os.seteuid(0)
    for folder in root.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o700)
    shutil.rmtree(root)


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """Give everything that a change of a folder would change."""
    facts = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        content = path.read_text() if path.is_file() else ""
        facts[path.name] = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, content)
    return facts


@pytest.mark.parametrize(("content", "still_ms"), [("whole\n", 5), ("whole", 250)])
def test_a_file_is_taken_once_it_stood_still_longer_if_its_last_line_has_no_end(
    place: Place, content: str, still_ms: int
) -> None:
    (place.inbox / "spy.csv").write_text(content)
    assert place.look() == ()
    assert place.watched.has_young()
    place.clock.advance(timedelta(milliseconds=still_ms - 1))
    assert place.look() == ()
    place.clock.advance(timedelta(milliseconds=1))
    (found,) = place.look()
    assert (found.name, found.size_bytes, found.removable) == ("spy.csv", len(content), True)
    assert found.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert (place.staging / found.sha256).read_text() == content


def test_the_next_look_at_young_files_is_soon_while_one_may_become_whole(place: Place) -> None:
    (place.inbox / "spy.csv").write_text("whole")
    place.look()
    assert place.watched.patience_s() == pytest.approx(0.005)
    place.clock.advance(timedelta(milliseconds=5))
    assert place.watched.patience_s() == pytest.approx(0.05)


def test_a_file_that_grew_has_to_stand_still_anew(place: Place) -> None:
    file = place.inbox / "spy.csv"
    file.write_text("half")
    place.look()
    place.clock.advance(STILL)
    file.write_text("half and half")
    assert place.look() == ()
    place.clock.advance(STILL)
    assert [found.size_bytes for found in place.look()] == [13]


def test_a_file_that_somebody_has_open_for_writing_is_not_taken(place: Place) -> None:
    with (place.inbox / "spy.csv").open("w") as file:
        file.write("half")
        file.flush()
        assert place.look_twice() == ()
        assert place.watched.has_young()
        file.write(" and half")
    assert [found.size_bytes for found in place.look_twice()] == [13]


def test_asking_whether_a_file_is_written_survives_whoever_opens_it_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "busy").write_text("content")
    command = [sys.executable, "-c", LEASES_UNDER_WRITERS, str(tmp_path / "busy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "survived True\n")


def test_a_parquet_file_without_its_end_is_waited_for_and_then_taken_as_it_is(place: Place) -> None:
    (place.inbox / "half.parquet").write_bytes(b"PAR1 and no end")
    (place.inbox / "whole.parquet").write_bytes(b"PAR1 and PAR1")
    (place.inbox / "other.parquet").write_bytes(b"no parquet")
    assert [found.name for found in place.look_twice()] == ["other.parquet", "whole.parquet"]
    place.clock.advance(timedelta(seconds=4.4))
    assert "half.parquet" not in [found.name for found in place.look()]
    place.clock.advance(timedelta(seconds=0.1))
    assert "half.parquet" in [found.name for found in place.look()]


def test_a_file_that_vanished_is_forgotten(place: Place) -> None:
    (place.inbox / "spy.csv").write_text("whole")
    place.look()
    (place.inbox / "spy.csv").unlink()
    place.clock.advance(STILL)
    assert place.look() == ()
    assert not place.watched.has_young()


def test_an_empty_file_is_taken_like_any_other(place: Place) -> None:
    (place.inbox / "empty.csv").touch()
    assert [found.size_bytes for found in place.look_twice()] == [0]


def test_files_in_folders_are_found(place: Place) -> None:
    (place.inbox / "a" / "b").mkdir(parents=True)
    (place.inbox / "a" / "b" / "spy.csv").write_text("whole")
    assert [found.name for found in place.look_twice()] == ["spy.csv"]


@pytest.mark.parametrize(
    "name",
    [".hidden.csv", "spy.csv.tmp", "spy.part", "spy.CRDOWNLOAD", "spy.partial", ".spy.csv.swp", ".d/spy.csv"],
)
def test_hidden_and_unfinished_names_are_left_alone(place: Place, name: str) -> None:
    (place.inbox / name).parent.mkdir(exist_ok=True)
    (place.inbox / name).write_text("whole")
    assert place.look_twice() == ()
    assert not place.watched.has_young()
    assert (place.inbox / name).exists()


def test_what_is_no_regular_file_is_said_once_and_left_alone(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.csv").write_text("secret")
    (place.inbox / "link.csv").symlink_to(secret / "key.csv")
    (place.inbox / "nowhere.csv").symlink_to(tmp_path / "nothing")
    (place.inbox / "folder").symlink_to(secret)
    os.mkfifo(place.inbox / "fifo.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place.inbox / "socket.csv"))
        said = place.complaints()
    assert said == [
        ("folder", "it is a link to a folder, which is not followed"),
        ("fifo.csv", "it is not a regular file"),
        ("link.csv", "it is not a regular file"),
        ("nowhere.csv", "it is not a regular file"),
        ("socket.csv", "it is not a regular file"),
    ]
    assert place.look_twice() == ()
    assert place.complaints() == []
    assert len(list(place.inbox.iterdir())) == 5
    assert list(place.staging.iterdir()) == []


def test_a_link_that_became_a_file_is_taken(place: Place, tmp_path: Path) -> None:
    (place.inbox / "spy.csv").symlink_to(tmp_path / "nothing")
    place.look()
    (place.inbox / "spy.csv").unlink()
    (place.inbox / "spy.csv").write_text("whole")
    assert [found.name for found in place.look_twice()] == ["spy.csv"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"two\nlines.csv", "two\\nlines.csv"),
        (b"\x1b[2Jspy.csv", "\\x1b[2Jspy.csv"),
        (b"\xff\xfe.csv", "\\xff\\xfe.csv"),
        ("gr\u00fc\u00dfe.csv".encode(), "gr\u00fc\u00dfe.csv"),
        ("\u202ecsv.exe".encode(), "\\u202ecsv.exe"),
        (b"-rf --no-preserve-root", "-rf --no-preserve-root"),
    ],
)
def test_any_name_is_taken_shown_harmlessly_and_removed(place: Place, raw: bytes, shown: str) -> None:
    path = os.path.join(os.fsencode(place.inbox), raw)  # noqa: PTH118 - a Path cannot be made of bytes
    with open(path, "wb") as file:  # noqa: PTH123 - a Path cannot be made of bytes
        file.write(b"whole")
    (found,) = place.look_twice()
    assert found.name == shown
    place.watched.release(found)
    assert list(place.inbox.iterdir()) == []


@examples(200)
@given(raw=st.binary(min_size=1, max_size=80))
def test_a_shown_name_is_printable_and_can_be_encoded(raw: bytes) -> None:
    shown = printable(os.fsdecode(raw))
    assert shown.isprintable()
    assert shown.encode()


def test_a_file_stays_until_it_is_released(place: Place) -> None:
    (place.inbox / "spy.csv").write_text("whole")
    (found,) = place.look_twice()
    assert [again.sha256 for again in place.look()] == [found.sha256]
    place.watched.release(found)
    assert not (place.inbox / "spy.csv").exists()
    assert place.look_twice() == ()


def test_a_file_that_changed_since_it_was_taken_is_not_removed(place: Place) -> None:
    file = place.inbox / "spy.csv"
    file.write_text("old")
    (old,) = place.look_twice()
    file.write_text("newer")
    place.watched.release(old)
    (new,) = place.look_twice()
    assert (place.staging / new.sha256).read_text() == "newer"
    assert (place.staging / old.sha256).read_text() == "old"


def test_a_file_that_somebody_else_removed_is_released_all_the_same(place: Place) -> None:
    (place.inbox / "spy.csv").write_text("whole")
    (found,) = place.look_twice()
    (place.inbox / "spy.csv").unlink()
    place.watched.release(found)
    assert place.complaints() == []


def test_the_same_bytes_under_two_names_are_staged_once(place: Place) -> None:
    (place.inbox / "a.csv").write_text("same")
    (place.inbox / "b.csv").write_text("same")
    first, second = place.look_twice()
    assert first.sha256 == second.sha256
    assert [path.name for path in place.staging.iterdir()] == [first.sha256]


def test_an_archive_folder_is_read_once_and_never_changed(place: Place) -> None:
    (place.archive / "sub").mkdir()
    for name in ("a.csv", "sub/b.csv"):
        (place.archive / name).write_text(name)
    before = snapshot(place.archive)
    found = place.look_twice()
    assert [(file.name, file.removable) for file in found] == [("a.csv", False), ("b.csv", False)]
    for file in found:
        place.watched.release(file)
    place.clock.advance(timedelta(hours=1))
    assert place.look_twice() == ()
    assert not place.watched.has_young()
    assert snapshot(place.archive) == before


def test_an_archived_file_that_changed_is_taken_again(place: Place) -> None:
    file = place.archive / "a.csv"
    file.write_text("old")
    place.watched.release(place.look_twice()[0])
    file.write_text("newer")
    assert [found.size_bytes for found in place.look_twice()] == [5]


def test_a_file_that_is_too_large_is_neither_copied_nor_lost(place: Place) -> None:
    (place.inbox / "big.csv").write_bytes(b"x" * 1001)
    (found,) = place.look_twice()
    assert (found.size_bytes, found.removable) == (1001, False)
    assert list(place.staging.iterdir()) == []
    place.watched.release(found)
    assert (place.inbox / "big.csv").stat().st_size == 1001
    assert place.look_twice() == ()
    assert not place.watched.has_young()
    (place.inbox / "big.csv").write_bytes(b"x" * 1002)
    (bigger,) = place.look_twice()
    assert bigger.sha256 != found.sha256


def test_a_root_behind_a_symbolic_link_is_resolved_because_links_deliver_no_events(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "inbox").symlink_to(tmp_path / "real")
    place = Place(tmp_path)
    assert place.watched.roots[0] == (tmp_path / "real").resolve()
    (tmp_path / "real" / "spy.csv").write_text("whole")
    assert len(place.look_twice()) == 1


def test_a_missing_archive_folder_is_said_once_and_found_when_it_comes(place: Place) -> None:
    place.archive.rmdir()
    assert place.complaints() == [("archive", "No such file or directory")]
    assert place.complaints() == []
    place.archive.mkdir()
    (place.archive / "spy.csv").write_text("whole")
    assert len(place.look_twice()) == 1


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_burst_comes_in_batches_and_each_file_once(tmp_path: Path, count: int) -> None:
    place = Place(tmp_path, batch_max=100)
    for number in range(count):
        (place.inbox / f"{number:04d}.csv").write_text(f"file {number}")
    place.look()
    place.clock.advance(STILL)
    sizes, names = [], []
    while found := place.look():
        sizes.append(len(found))
        names += [file.name for file in found]
        for file in found:
            place.watched.release(file)
    assert sizes == [100] * (count // 100)
    assert names == [f"{number:04d}.csv" for number in range(count)]
    assert len(list(place.staging.iterdir())) == count
    assert list(place.inbox.iterdir()) == []


def test_an_unreadable_file_is_said_once_waited_for_calmly_and_taken_when_it_may_be(
    unprivileged: Path,
) -> None:
    place = Place(unprivileged)
    file = place.inbox / "spy.csv"
    file.write_text("whole")
    file.chmod(0)
    place.look()
    place.clock.advance(STILL)
    assert place.complaints() == [("spy.csv", "Permission denied")]
    assert place.complaints() == []
    assert not place.watched.has_young()
    file.chmod(0o600)
    assert [found.name for found in place.look()] == ["spy.csv"]


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_folder_that_may_not_be_entered_is_said_and_the_others_are_read(
    unprivileged: Path, mode: int
) -> None:
    place = Place(unprivileged)
    for name in ("closed", "open"):
        (place.inbox / name).mkdir()
        (place.inbox / name / "spy.csv").write_text(name)
    (place.inbox / "closed").chmod(mode)
    assert [reason for _, reason in place.complaints()] == ["Permission denied"]
    assert [found.size_bytes for found in place.look_twice()] == [4]


def test_a_file_that_cannot_be_removed_is_said_once_and_not_taken_again(unprivileged: Path) -> None:
    place = Place(unprivileged)
    (place.inbox / "theirs").mkdir()
    (place.inbox / "theirs" / "spy.csv").write_text("whole")
    (place.inbox / "theirs").chmod(0o500)
    (found,) = place.look_twice()
    place.watched.release(found)
    assert place.complaints() == [("spy.csv", "it cannot be removed: Permission denied")]
    assert place.look_twice() == ()
    assert not place.watched.has_young()
