"""A registry can be read while its writer runs, is stopped or was killed, also by other users."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry.errors import RegistryMissingError, RegistryUnreadableError
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534
ROWS = 5000
FILL = (
    "INSERT INTO days WITH RECURSIVE counted (day) AS"
    " (SELECT 0 UNION ALL SELECT day + 1 FROM counted WHERE day + 1 < 5000) SELECT day FROM counted"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user may read; those of pytest are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="registry-read-only-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def write(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("CREATE TABLE days (day INTEGER)")
    connection.execute(FILL)
    return connection


def running(path: Path) -> sqlite3.Connection:
    return write(path)


def stopped(path: Path) -> None:
    write(path).close()


def killed(path: Path) -> None:
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA journal_mode = WAL').fetchone(); c.execute('CREATE TABLE days (day INTEGER)');"
        "c.execute(sys.argv[2]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), FILL], check=True)


def killed_without_shared_memory(path: Path) -> None:
    killed(path)
    path.with_name(path.name + "-shm").unlink()


def cut_with_an_empty_log(path: Path) -> None:
    stopped(path)
    path.with_name(path.name + "-wal").touch()


def cut_with_shared_memory_only(path: Path) -> None:
    stopped(path)
    path.with_name(path.name + "-shm").write_bytes(bytes(32768))


STATES = (
    running,
    stopped,
    killed,
    killed_without_shared_memory,
    cut_with_an_empty_log,
    cut_with_shared_memory_only,
)


def count(path: Path) -> int:
    connection = open_read_only(path)
    try:
        return int(connection.execute("SELECT count(*) FROM days").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("state", STATES)
def test_every_row_that_was_written_is_read(
    folder: Path, state: Callable[[Path], sqlite3.Connection | None]
) -> None:
    writer = state(folder / "a.db")
    assert count(folder / "a.db") == ROWS
    if writer is not None:
        writer.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can read as another user")
@pytest.mark.parametrize("state", STATES)
def test_a_user_who_may_only_read_the_folder_reads_every_row(
    folder: Path, state: Callable[[Path], sqlite3.Connection | None]
) -> None:
    writer = state(folder / "a.db")
    before = sorted(file.name for file in folder.iterdir())
    child = os.fork()
    if child == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            os._exit(0 if count(folder / "a.db") == ROWS else 1)
        except BaseException:  # noqa: BLE001 - a child of fork must not return into pytest
            os._exit(2)
    _, status = os.waitpid(child, 0)
    if writer is not None:
        writer.close()
    else:
        assert sorted(file.name for file in folder.iterdir()) == before
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("state", STATES)
def test_a_reader_writes_nothing(folder: Path, state: Callable[[Path], sqlite3.Connection | None]) -> None:
    writer = state(folder / "a.db")
    reader = open_read_only(folder / "a.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM days")
    reader.close()
    if writer is not None:
        writer.close()


def test_a_reader_leaves_no_file_behind_in_a_stopped_folder(folder: Path) -> None:
    stopped(folder / "a.db")
    count(folder / "a.db")
    assert [file.name for file in folder.iterdir()] == ["a.db"]


def test_a_private_copy_is_gone_once_it_is_open(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed_without_shared_memory(folder / "a.db")
    reader = open_read_only(folder / "a.db")
    assert list(tmp_path.iterdir()) == []
    assert reader.execute("SELECT sum(day) FROM days").fetchone() == (ROWS * (ROWS - 1) // 2,)
    reader.close()


def test_a_name_with_a_question_mark_is_a_name(folder: Path) -> None:
    stopped(folder / "a?mode=rwc#%20.db")
    assert count(folder / "a?mode=rwc#%20.db") == ROWS


def test_a_file_that_is_not_there_is_not_made(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_read_only(folder / "a.db")
    assert list(folder.iterdir()) == []


def test_a_registry_that_is_not_there_is_a_sentence(folder: Path) -> None:
    with pytest.raises(RegistryMissingError, match="sets it up"):
        Registry.open_read_only(folder)


def test_an_empty_file_is_a_registry_that_is_not_there_yet(folder: Path) -> None:
    (folder / "registry.db").touch()
    with pytest.raises(RegistryMissingError):
        Registry.open_read_only(folder)


def test_a_damaged_registry_is_a_sentence(folder: Path) -> None:
    Registry.open(folder).close()
    file = folder / "registry.db"
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(RegistryUnreadableError, match="restore it from a backup"):
        Registry.open_read_only(folder)
