"""Whatever is changed behind the registry's back is found."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FOREST = b"the trees of a forest"
FOREST_SHA256 = hashlib.sha256(FOREST).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a registry with two versions, a report and a champion."""
    member = Member(status=MemberStatus.FITTED, format="skops", sha256=FOREST_SHA256)
    with Registry.open(tmp_path) as registry:
        for run in ("run-1", "run-2"):
            manifest = Manifest(
                run_id=run,
                recipe_hash="recipe",
                data_hash="data",
                data_version="17",
                feature_names=("return_1",),
                feature_hash="features",
                feature_catalogue="1",
                target={},
                classes=("sell", "hold", "buy"),
                settings={},
                settings_hash="settings",
                seed=1,
                trained_from=date(2004, 1, 2),
                trained_to=date(2024, 2, 29),
                trained_rows=5000,
                packages={},
                members={"forest": member},
                created_at=NOON,
            )
            registry.register(manifest, {"forest": FOREST}, {"rows": 5000}, key=run, at=NOON)
        registry.store_report("v1", '{"verdict": "BOOTSTRAP"}', actor="gate", at=NOON, key="judge")
        registry.promote("v1", expected_champion=None, reason="first", actor="gate", at=NOON, key="promote")
    return tmp_path


def findings_of(folder: Path) -> list[tuple[str, str]]:
    with Registry.open_read_only(folder) as registry:
        return [(finding.subject, finding.problem) for finding in registry.verify()]


def tamper(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "registry.db", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_nothing_is_found_in_a_registry_that_was_left_alone(folder: Path) -> None:
    assert findings_of(folder) == []


@pytest.mark.parametrize(
    ("statement", "subject", "problem"),
    [
        ("UPDATE events SET reason = 'other' WHERE sequence = 2", "event 2", "was changed"),
        ("UPDATE events SET at = '2020-01-01T00:00:00+00:00' WHERE sequence = 4", "event 4", "was changed"),
        ("DELETE FROM events WHERE sequence = 3", "event 4", "one is missing"),
        ("DELETE FROM events WHERE sequence = 4", "events", "4 were written, 3 are there"),
        (
            "UPDATE versions SET manifest = replace(manifest, 'run-1', 'run-9')",
            "v1",
            "its manifest was changed",
        ),
        (
            "UPDATE versions SET scorecard = '{\"rows\":9}' WHERE number = 2",
            "v2",
            "its scorecard was changed",
        ),
        ("DELETE FROM versions WHERE number = 2", "v2", "was registered and is not there"),
        (
            "UPDATE artifacts SET sha256 = replace(sha256, '1', '2')",
            "v1",
            "its list of artifacts was changed",
        ),
        ("UPDATE aliases SET version = 2", "champion", "is v2, by the events it is v1"),
        ("DELETE FROM aliases", "champion", "is nobody, by the events it is v1"),
        ("INSERT INTO aliases VALUES ('shadow', 2)", "shadow", "is v2, by the events it is nobody"),
        ("UPDATE reports SET body = '{}'", "report 1", "was changed after it was stored"),
        ("DELETE FROM reports", "v1", "the report of 'judge' was stored and is not there"),
        ("UPDATE events SET body = '[' WHERE sequence = 1", "registry.db", "cannot be read"),
        ("UPDATE events SET kind = 'imagined' WHERE sequence = 1", "registry.db", "cannot be read"),
    ],
)
def test_a_row_that_was_tampered_with_is_found(
    folder: Path, statement: str, subject: str, problem: str
) -> None:
    tamper(folder, statement)
    assert [found for found in findings_of(folder) if found[0] == subject and problem in found[1]]


def test_a_version_that_was_put_in_by_hand_is_found(folder: Path) -> None:
    tamper(
        folder,
        "INSERT INTO versions (key, manifest, manifest_sha256, scorecard, registered_at)"
        " SELECT 'other', manifest, manifest_sha256, scorecard, registered_at FROM versions LIMIT 1",
    )
    assert ("v3", "has no event that registered it") in findings_of(folder)


def test_a_report_that_was_put_in_by_hand_is_found(folder: Path) -> None:
    tamper(
        folder,
        "INSERT INTO reports (version, key, body, sha256, at)"
        " SELECT 2, 'other', body, sha256, at FROM reports",
    )
    assert ("report 2", "has no event that stored it") in findings_of(folder)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"the trees of a forexx", "has other bytes than its name says"),
        (b"the trees", "has 9 bytes instead of 21"),
        (b"", "has 0 bytes instead of 21"),
    ],
)
def test_a_blob_that_was_changed_is_found_once(folder: Path, content: bytes, problem: str) -> None:
    file = folder / "blobs" / FOREST_SHA256[:2] / FOREST_SHA256
    file.unlink()
    file.write_bytes(content)
    assert findings_of(folder) == [(f"blob {FOREST_SHA256}", problem)]


def test_a_blob_that_is_missing_is_found(folder: Path) -> None:
    (folder / "blobs" / FOREST_SHA256[:2] / FOREST_SHA256).unlink()
    ((subject, problem),) = findings_of(folder)
    assert subject == f"blob {FOREST_SHA256}"
    assert "is missing" in problem


def test_evidence_that_belongs_to_no_version_is_verified_too(folder: Path) -> None:
    with Registry.open(folder) as registry:
        stored = registry.put_blob(b"evidence")
    file = folder / "blobs" / stored.sha256[:2] / stored.sha256
    file.unlink()
    file.write_bytes(b"evidencf")
    assert findings_of(folder) == [(f"blob {stored.sha256}", "has other bytes than its name says")]


def test_what_an_interrupted_writer_left_is_no_fault(folder: Path) -> None:
    (folder / "blobs" / "incoming-1234").write_bytes(b"half a mo")
    assert findings_of(folder) == []


def test_a_damaged_page_is_found_and_not_raised(folder: Path) -> None:
    content = bytearray((folder / "registry.db").read_bytes())
    content[2 * 4096 : 2 * 4096 + 64] = b"\xff" * 64
    (folder / "registry.db").write_bytes(bytes(content))
    assert any(subject == "registry.db" for subject, _ in findings_of(folder))
