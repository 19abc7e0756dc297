"""The registry's tables only go forward, a whole migration at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from registry import schema
from registry.errors import RegistryTooOldError, RegistryUnreadableError
from registry.store import Registry

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SCHEMAS = range(1, len(schema.MIGRATIONS) + 1)
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


def restored(folder: Path, number: int) -> Path:
    """Give a registry as a schema's own regimed wrote it: two versions, one of them champion, two reports."""
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / "registry.db")
    connection.executescript((FIXTURES / f"registry_schema_{number}.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


def tables_of(folder: Path) -> dict[str, str]:
    connection = sqlite3.connect(folder / "registry.db")
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in rows}


@pytest.mark.parametrize("number", SCHEMAS)
def test_a_registry_of_every_schema_is_migrated_without_loss(tmp_path: Path, number: int) -> None:
    with Registry.open(restored(tmp_path / "old", number)) as registry:
        registry.put_blob(b"the trees of a forest")
        assert registry.verify() == []
        assert [version.name for version in registry.versions()] == ["v1", "v2"]
        assert registry.report("v2") == {"verdict": "REJECT", "champion": "v1"}
        assert [event.kind.value for event in registry.events()] == [
            "registered", "registered", "reported", "promoted", "reported",
        ]  # fmt: skip
        assert {alias.value: name for alias, name in registry.aliases().items()} == {"champion": "v1"}
    Registry.open(tmp_path / "new").close()
    assert tables_of(tmp_path / "old") == tables_of(tmp_path / "new")


@pytest.mark.parametrize("number", SCHEMAS)
def test_a_migration_is_what_it_was_when_its_schema_was_frozen(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:number])
    Registry.open(tmp_path / "new").close()
    assert tables_of(tmp_path / "new") == tables_of(restored(tmp_path / "frozen", number))


def test_a_migrated_chain_goes_on_where_it_ended(tmp_path: Path) -> None:
    with Registry.open(restored(tmp_path, 1)) as registry:
        registry.put_blob(b"the trees of a forest")
        last = registry.events()[-1]
        event = registry.store_report("v2", "{}", actor="gate", at=last.at, key="again")
        assert (event.sequence, event.previous_hash) == (6, last.hash)
        assert registry.verify() == []
