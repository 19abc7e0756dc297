"""A prune deletes what nothing needs, says so, and leaves a whole registry wherever it is killed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from registry.errors import KeyReusedError, VersionNeededError, VersionUnknownError
from registry.pruning import PRUNE_STEPS
from registry.retention import Retention, plan_of
from registry.store import Registry
from registry.types import Alias, Deed, EventKind, Manifest, Member, MemberStatus, Tenure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SHARED = b"the same evidence for all"
NOTHING_KEPT = Retention(last=0, served_days=0)
KILLED = 137


def manifest_of(run: str) -> Manifest:
    digest = hashlib.sha256(run.encode()).hexdigest()
    return Manifest(
        run_id=run, recipe_hash="recipe", data_hash="data", data_version="17", feature_names=("return_1",),
        feature_hash="features", feature_catalogue="1", target={}, classes=("sell", "hold", "buy"),
        settings={}, settings_hash="settings", seed=1, trained_from=date(2004, 1, 2),
        trained_to=date(2024, 2, 29), trained_rows=5000, packages={},
        members={"forest": Member(status=MemberStatus.FITTED, format="skops", sha256=digest)},
        created_at=NOON,
    )  # fmt: skip


def register(registry: Registry, run: str) -> str:
    artifacts = {"forest": run.encode(), "evidence": SHARED}
    return registry.register(manifest_of(run), artifacts, {"rows": 5000}, key=f"train:{run}", at=NOON).name


def judge(registry: Registry, version: str, champion: str | None) -> None:
    text = json.dumps({"verdict": "REJECT", "champion": champion, "kind": "change"})
    registry.store_report(version, text, actor="gate", at=NOON, key=f"judge:{version}:{champion}")


def promote(registry: Registry, version: str, expected: str | None, at: datetime) -> None:
    registry.promote(
        version, expected_champion=expected, reason="better", actor="gate", at=at, key=f"promote:{version}"
    )


def deed_of(version: str) -> Deed:
    return Deed(key=f"prune:{version}", at=NOON, actor="me", reason="old")


def delete(registry: Registry, version: str) -> None:
    registry.pruner().delete(version, deed_of(version))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry in which v3 serves, v2 did before it and v1 before that; v4 to v6 never did."""
    with Registry.open(tmp_path / "registry") as opened:
        for run in range(1, 7):
            register(opened, f"run-{run}")
        promote(opened, "v1", None, NOON)
        promote(opened, "v2", "v1", NOON + 10 * DAY)
        promote(opened, "v3", "v2", NOON + 20 * DAY)
        yield opened


# What is kept, and why


def test_a_policy_keeps_the_last_those_that_served_lately_and_those_with_a_role(registry: Registry) -> None:
    plan = registry.pruner().plan(Retention(last=1, served_days=25), NOON + 30 * DAY)
    assert plan.kept == {
        "v1": "was champion within 25 days",
        "v2": "is previous",
        "v3": "is champion",
        "v6": "is one of the last 1",
    }
    assert plan.deleted == ("v5", "v4")


def test_a_version_that_served_too_long_ago_goes(registry: Registry) -> None:
    plan = registry.pruner().plan(Retention(last=3, served_days=5), NOON + 30 * DAY)
    assert plan.deleted == ("v1",)


def test_what_a_standing_report_was_judged_against_is_kept(registry: Registry) -> None:
    judge(registry, "v6", "v1")
    plan = registry.pruner().plan(Retention(last=1, served_days=0), NOON + 30 * DAY)
    assert plan.kept["v1"] == "is evidence: the report on v6 was judged against it"
    assert plan.deleted == ("v5", "v4")


def test_evidence_goes_after_all_that_it_was_evidence_for(registry: Registry) -> None:
    judge(registry, "v4", "v1")
    judge(registry, "v5", "v4")
    plan = registry.pruner().plan(NOTHING_KEPT, NOON + 300 * DAY)
    assert plan.deleted == ("v6", "v5", "v4", "v1")
    for version in plan.deleted:
        delete(registry, version)
    assert [version.name for version in registry.versions()] == ["v2", "v3"]


def test_two_versions_that_are_evidence_for_each_other_stay() -> None:
    judged = {"v1": {"v2"}, "v2": {"v1"}}
    assert plan_of(["v1", "v2", "v3"], {}, (), judged, NOTHING_KEPT, NOON).deleted == ("v3",)


def test_a_report_of_a_version_on_itself_keeps_nothing() -> None:
    assert plan_of(["v1"], {}, (), {"v1": {"v1"}}, NOTHING_KEPT, NOON).deleted == ("v1",)


def test_the_version_that_serves_is_kept_though_its_time_began_long_ago() -> None:
    tenure = Tenure(
        version="v1", since=NOON, until=None, kind=EventKind.PROMOTED, actor="gate", reason="first"
    )
    plan = plan_of(["v1"], {Alias.CHAMPION: "v1"}, (tenure,), {}, NOTHING_KEPT, NOON + 9000 * DAY)
    assert plan.kept == {"v1": "is champion"}


# What a deletion does and refuses


def test_a_deleted_version_is_gone_and_its_history_stays(registry: Registry) -> None:
    judge(registry, "v4", "v3")
    delete(registry, "v4")
    delete(registry, "v1")
    with pytest.raises(VersionUnknownError):
        registry.version("v4")
    served = registry.history(NOON + DAY)
    assert served is not None
    assert (served.version, served.reason) == ("v1", "better")
    event = registry.events()[-1]
    assert (event.kind, event.version, event.actor, event.reason) == ("deleted", "v1", "me", "old")
    assert [report["champion"] for report in registry.latest_reports()] == ["v3"]
    assert registry.pruner().collect(NOON + DAY) == len(b"run-1") + len(b"run-4")
    assert registry.verify() == []


def test_the_number_of_a_deleted_version_is_never_given_again(registry: Registry) -> None:
    delete(registry, "v6")
    assert register(registry, "run-7") == "v7"


@pytest.mark.parametrize(("version", "because"), [("v3", "is champion"), ("v2", "is previous")])
def test_a_version_with_a_role_is_not_deleted(registry: Registry, version: str, because: str) -> None:
    with pytest.raises(VersionNeededError, match=f"{version} cannot be deleted: it {because}"):
        delete(registry, version)
    assert registry.version(version).name == version


@pytest.mark.parametrize("alias", [Alias.CHALLENGER, Alias.SHADOW])
def test_a_lent_role_keeps_its_version(registry: Registry, alias: Alias) -> None:
    registry.set_alias(alias, "v5", expected=None, reason="look", actor="gate", at=NOON, key="lend")
    with pytest.raises(VersionNeededError, match=f"it is {alias}"):
        delete(registry, "v5")


def test_evidence_is_not_deleted_while_its_report_stands(registry: Registry) -> None:
    judge(registry, "v5", "v1")
    with pytest.raises(VersionNeededError, match="the report on v5 was judged against it"):
        delete(registry, "v1")
    delete(registry, "v5")
    delete(registry, "v1")


def test_a_deletion_asked_twice_happens_once(registry: Registry) -> None:
    pruner = registry.pruner()
    assert pruner.delete("v4", deed_of("v4")) == pruner.delete("v4", deed_of("v4"))
    with pytest.raises(KeyReusedError):
        pruner.delete("v5", deed_of("v4"))
    with pytest.raises(VersionUnknownError):
        pruner.delete("v4", deed_of("again"))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM versions WHERE number = 6", "deleted by `regimed models prune`"),
        ("DELETE FROM artifacts WHERE version = 6", "go with their version"),
        ("DELETE FROM versions WHERE number = 1", "a report was judged against"),
        ("DELETE FROM versions WHERE number = 3", "holds an alias"),
        ("DELETE FROM events WHERE kind = 'promoted'", "append-only"),
        ("UPDATE events SET version = 2", "append-only"),
        ("DELETE FROM reports", "append-only"),
        ("INSERT OR REPLACE INTO events SELECT * FROM events WHERE sequence = 1", "append-only"),
    ],
)
def test_raw_sql_cannot_do_what_a_prune_may_not(
    registry: Registry, tmp_path: Path, statement: str, message: str
) -> None:
    judge(registry, "v6", "v1")
    other = sqlite3.connect(tmp_path / "registry" / "registry.db")
    other.execute("PRAGMA recursive_triggers = ON")
    with pytest.raises(sqlite3.IntegrityError, match=message):
        other.execute(statement)
    other.close()


def test_a_deleted_version_that_is_put_back_by_hand_is_found(registry: Registry, tmp_path: Path) -> None:
    delete(registry, "v6")
    other = sqlite3.connect(tmp_path / "registry" / "registry.db", isolation_level=None)
    other.execute(
        "INSERT INTO versions SELECT 6, 'train:run-6', manifest, manifest_sha256, scorecard, registered_at"
        " FROM versions WHERE number = 5"
    )
    other.close()
    assert ("v6", "was deleted and is there") in [(f.subject, f.problem) for f in registry.verify()]


# Bytes


def test_a_blob_goes_when_the_last_version_that_needs_it_is_gone(registry: Registry, tmp_path: Path) -> None:
    pruner = registry.pruner()
    before = pruner.disk_bytes()
    assert before == len(SHARED) + 6 * len(b"run-1")
    assert pruner.freed_bytes(("v4", "v5")) == 2 * len(b"run-4")
    delete(registry, "v4")
    delete(registry, "v5")
    assert pruner.collect(NOON) == 2 * len(b"run-4")
    assert pruner.disk_bytes() == before - 2 * len(b"run-4")
    assert registry.get_blob(registry.artifacts("v6")["evidence"].sha256) == SHARED
    assert list((tmp_path / "registry" / "blobs").glob("incoming-*")) == []


def test_what_a_killed_writer_left_goes_once_it_is_a_day_old(registry: Registry, tmp_path: Path) -> None:
    left = tmp_path / "registry" / "blobs" / "incoming-0123"
    left.write_bytes(b"half")
    written = datetime.fromtimestamp(left.stat().st_mtime, tz=UTC)
    assert registry.pruner().collect(written + timedelta(hours=23)) == 0
    assert left.exists()
    assert registry.pruner().collect(written + timedelta(hours=25)) == 4
    assert not left.exists()


def test_a_prune_between_the_blobs_and_the_row_of_a_registration_takes_nothing_from_it(
    tmp_path: Path,
) -> None:
    with Registry.open(tmp_path) as other:

        def prune(step: str) -> None:
            if step == "blobs_stored":
                assert other.pruner().collect(NOON) > 0

        with Registry.open(tmp_path, passed=prune) as registry:
            register(registry, "run-1")
        assert other.verify() == []
        assert other.get_blob(other.artifacts("v1")["forest"].sha256) == b"run-1"


CHILD = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from registry.store import Registry
from registry.types import Deed

folder, step = sys.argv[1:]
noon = datetime(2024, 3, 1, 12, tzinfo=UTC)

def passed(name):
    if name == step:
        os._exit(137)

with Registry.open(Path(folder), passed=passed) as registry:
    registry.pruner().delete("v4", Deed(key="prune:v4", at=noon, actor="me", reason="old"))
    registry.pruner().collect(noon)
"""


@pytest.mark.parametrize("step", PRUNE_STEPS)
def test_a_killed_prune_leaves_a_whole_registry_and_is_finished_by_the_next(
    registry: Registry, tmp_path: Path, step: str
) -> None:
    folder = tmp_path / "registry"
    child = subprocess.run([sys.executable, "-c", CHILD, str(folder), step], check=False)
    assert child.returncode == KILLED
    assert registry.verify() == []
    standing = {version.name for version in registry.versions()}
    assert ("v4" in standing) is (step == "rows_deleted")
    delete(registry, "v4")
    registry.pruner().collect(NOON)
    assert registry.verify() == []
    assert registry.pruner().disk_bytes() == len(SHARED) + 5 * len(b"run-1")


def test_the_steps_that_a_prune_passes_are_those_that_are_named(tmp_path: Path, registry: Registry) -> None:
    passed: list[str] = []
    note: Callable[[str], None] = passed.append
    with Registry.open(tmp_path / "registry", passed=note) as other:
        delete(other, "v4")
        other.pruner().collect(NOON)
    assert tuple(passed) == PRUNE_STEPS
    assert registry.verify() == []
