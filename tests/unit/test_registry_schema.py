"""The registry's tables only go forward, a whole migration at a time."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from registry import schema
from registry.errors import RegistryTooOldError, RegistryUnreadableError
from registry.store import Registry

if TYPE_CHECKING:
    from pathlib import Path

LATER = ("CREATE TABLE later (day TEXT) STRICT", "CREATE INDEX later_by_day ON later (day)")
BROKEN = ("CREATE TABLE later (day TEXT) STRICT", "CREATE TABLE later (day TEXT) STRICT")


def state_of(folder: Path) -> tuple[int, bool]:
    connection = sqlite3.connect(folder / "registry.db")
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (later,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone()
    connection.close()
    return number, bool(later)


def test_a_new_registry_has_every_migration(tmp_path: Path) -> None:
    Registry.open(tmp_path).close()
    assert state_of(tmp_path) == (len(schema.MIGRATIONS), False)


def test_an_older_registry_is_migrated_by_its_writer_and_refused_to_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry.open(tmp_path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, LATER))
    with pytest.raises(RegistryTooOldError, match="start the daemon once"):
        Registry.open_read_only(tmp_path)
    Registry.open(tmp_path).close()
    Registry.open_read_only(tmp_path).close()
    assert state_of(tmp_path) == (len(schema.MIGRATIONS), True)


def test_a_migration_that_fails_leaves_the_registry_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry.open(tmp_path).close()
    before = state_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, BROKEN))
        with pytest.raises(RegistryUnreadableError, match="already exists"):
            Registry.open(tmp_path)
    assert state_of(tmp_path) == before
    Registry.open(tmp_path).close()
