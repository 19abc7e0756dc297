"""The registry keeps versions, aliases, reports and history, each deed once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from registry.errors import (
    AliasConflictError,
    AliasRefusedError,
    ArtifactCorruptError,
    ArtifactMissingError,
    ArtifactTooLargeError,
    KeyReusedError,
    ManifestInvalidError,
    RegistryBusyError,
    RegistryTooNewError,
    RegistryUnreadableError,
    VersionUnknownError,
)
from registry.store import Registry
from registry.types import Alias, EventKind, Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOREST = b"the trees of a forest"


def manifest_of(run: str = "run-1", content: bytes = FOREST) -> Manifest:
    return Manifest(
        run_id=run,
        recipe_hash="recipe",
        data_hash="data",
        data_version="17",
        feature_names=("return_1", "volatility_20"),
        feature_hash="features",
        feature_catalogue="1",
        target={"name": "reference", "up": 0.1, "down": 0.05, "horizon_days": 14},
        classes=("sell", "hold", "buy"),
        settings={"seed": 1, "weights": {"crash": 2.0}},
        settings_hash="settings",
        seed=1,
        trained_from=date(2004, 1, 2),
        trained_to=date(2024, 2, 29),
        trained_rows=5000,
        packages={"scikit-learn": "1.9.1"},
        members={
            "random_forest": Member(
                status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(content).hexdigest()
            ),
            "svm": Member(status=MemberStatus.FAILED, reason="did not converge"),
        },
        created_at=NOON,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as opened:
        yield opened


def register(registry: Registry, run: str = "run-1") -> str:
    return registry.register(
        manifest_of(run), {"random_forest": FOREST}, {"rows": 5000}, key=f"train:{run}", at=NOON
    ).name


def promote(registry: Registry, version: str, expected: str | None, at: datetime = NOON) -> None:
    registry.promote(
        version, expected_champion=expected, reason="better", actor="gate", at=at, key=f"promote:{version}"
    )


def test_a_manifest_survives_its_json() -> None:
    manifest = manifest_of()
    assert Manifest.of_json(manifest.to_json()) == manifest


def test_a_manifest_is_the_same_before_and_after_it_was_stored() -> None:
    settings = {"classes": ("sell", "hold"), "nested": {"weights": (1.0, 2.0)}}
    manifest = replace(manifest_of(), settings=settings)
    assert manifest == Manifest.of_json(manifest.to_json())
    settings["classes"] = ()
    assert manifest.settings["classes"] == ["sell", "hold"]


def test_two_manifests_that_differ_in_one_setting_have_other_hashes() -> None:
    assert manifest_of().sha256() == manifest_of().sha256()
    assert manifest_of().sha256() != replace(manifest_of(), seed=2).sha256()


@pytest.mark.parametrize(
    "change",
    [
        {"feature_names": ("a", "a")},
        {"feature_names": ()},
        {"classes": ("buy", "buy")},
        {"trained_from": date(2025, 1, 1)},
        {"trained_rows": 0},
        {"settings": {"weight": float("nan")}},
        {"settings": {"since": NOON}},
        {"settings": {"name": "\ud800"}},
        {"members": {"svm": Member(status=MemberStatus.FAILED, reason="did not converge")}},
        {"created_at": datetime(2024, 3, 1)},  # noqa: DTZ001 - what is refused
        {"created_at": NOON.astimezone(timezone(HOUR))},
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ManifestInvalidError):
        replace(manifest_of(), **change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"run_id": 1}', "[" * 100_000])
def test_a_text_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalidError):
        Manifest.of_json(text)


def test_a_fitted_member_needs_its_artifact_and_a_failed_one_its_reason() -> None:
    with pytest.raises(ManifestInvalidError, match="needs a format and a sha256"):
        Member(status=MemberStatus.FITTED, format="skops")
    with pytest.raises(ManifestInvalidError, match="needs a reason"):
        Member(status=MemberStatus.FAILED)


def test_a_version_is_kept_with_everything_it_was_made_from(registry: Registry) -> None:
    version = registry.register(
        manifest_of(),
        {"random_forest": FOREST, "golden": b"1,2,3"},
        {"rows": 5000, "crash": None},
        key="train:run-1",
        at=NOON,
    )
    assert version.name == "v1"
    assert version.registered_at == NOON
    assert registry.version("v1") == version
    assert version.manifest == manifest_of()
    assert registry.scorecard("v1") == {"rows": 5000, "crash": None}
    assert registry.artifacts("v1")["golden"].size_bytes == 5
    assert registry.get_blob(registry.artifacts("v1")["random_forest"].sha256) == FOREST


def test_versions_are_numbered_in_the_order_of_registration(registry: Registry) -> None:
    assert [register(registry, "run-1"), register(registry, "run-2")] == ["v1", "v2"]
    assert [version.manifest.run_id for version in registry.versions()] == ["run-1", "run-2"]


def test_registering_again_under_the_same_key_changes_nothing(registry: Registry) -> None:
    register(registry)
    events = registry.events()
    assert register(registry) == "v1"
    assert registry.events() == events
    assert len(registry.versions()) == 1


def test_a_key_cannot_register_a_second_manifest(registry: Registry) -> None:
    register(registry)
    with pytest.raises(KeyReusedError, match="v1"):
        registry.register(manifest_of("run-2"), {"random_forest": FOREST}, {}, key="train:run-1", at=NOON)


def test_an_artifact_can_be_given_as_a_file(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "forest.skops"
    file.write_bytes(FOREST)
    registry.register(manifest_of(), {"random_forest": file}, {}, key="k", at=NOON)
    assert registry.get_blob(hashlib.sha256(FOREST).hexdigest()) == FOREST


def test_a_fitted_member_without_an_artifact_is_refused(registry: Registry) -> None:
    with pytest.raises(ArtifactMissingError, match="random_forest"):
        registry.register(manifest_of(), {"svm": b"x"}, {}, key="k", at=NOON)
    assert registry.versions() == ()


def test_an_artifact_that_is_not_the_manifests_is_refused(registry: Registry) -> None:
    with pytest.raises(ArtifactCorruptError, match="swapped"):
        registry.register(manifest_of(), {"random_forest": b"other trees"}, {}, key="k", at=NOON)
    assert registry.versions() == ()
    assert registry.events() == ()


def test_a_scorecard_with_nan_is_refused_before_anything_is_kept(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalidError):
        registry.register(manifest_of(), {"random_forest": FOREST}, {"skill": float("nan")}, key="k", at=NOON)
    assert list((tmp_path / "registry" / "blobs").iterdir()) == []


@pytest.mark.parametrize("name", ["v2", "v0", "v01", "", "1", "v-1", "V1", "v1; --", "v²", "v" + "9" * 40])
def test_an_unknown_version_is_named(registry: Registry, name: str) -> None:
    register(registry)
    with pytest.raises(VersionUnknownError) as raised:
        registry.version(name)
    assert raised.value.version == name


def test_without_a_promotion_there_is_no_champion(registry: Registry) -> None:
    register(registry)
    assert registry.champion() is None
    assert registry.aliases() == {}
    assert registry.history(NOON) is None


def test_a_promotion_moves_champion_and_previous_together(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    promote(registry, second, first)
    champion = registry.champion()
    assert champion is not None
    assert champion.name == "v2"
    assert registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
    assert registry.events()[-1].body["moves"] == {"champion": "v2", "previous": "v1"}


def test_a_promotion_decided_on_an_outdated_view_is_refused(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    with pytest.raises(AliasConflictError, match="champion is v1, not nobody") as raised:
        promote(registry, second, None)
    assert (raised.value.expected, raised.value.actual) == (None, "v1")
    assert registry.aliases() == {Alias.CHAMPION: "v1"}


def test_promoting_again_under_the_same_key_changes_nothing(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    promote(registry, second, first)
    events = registry.events()
    promote(registry, first, None)
    promote(registry, second, second)
    assert registry.events() == events
    assert registry.aliases()[Alias.CHAMPION] == "v2"


def test_a_key_cannot_promote_a_second_version(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    registry.promote(first, expected_champion=None, reason="r", actor="a", at=NOON, key="k")
    with pytest.raises(KeyReusedError):
        registry.promote(second, expected_champion=first, reason="r", actor="a", at=NOON, key="k")


def test_only_a_version_that_exists_can_be_promoted(registry: Registry) -> None:
    with pytest.raises(VersionUnknownError):
        promote(registry, "v1", None)
    assert registry.events() == ()


def test_a_rollback_makes_champion_and_previous_change_places(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    promote(registry, second, first)
    event = registry.rollback(
        expected_champion=second, reason="worse live", actor="probation", at=NOON, key="rollback:v2"
    )
    assert event.version == "v1"
    assert event.kind is EventKind.ROLLED_BACK
    assert registry.aliases() == {Alias.CHAMPION: "v1", Alias.PREVIOUS: "v2"}


def test_a_rollback_asked_twice_under_one_key_happens_once(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    promote(registry, second, first)
    for _ in range(2):
        registry.rollback(expected_champion=second, reason="r", actor="a", at=NOON, key="rollback:v2")
    assert registry.aliases()[Alias.CHAMPION] == "v1"


def test_a_rollback_of_someone_who_is_not_champion_is_refused(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    promote(registry, second, first)
    with pytest.raises(AliasConflictError):
        registry.rollback(expected_champion=first, reason="r", actor="a", at=NOON, key="k")


def test_the_first_champion_cannot_be_rolled_back(registry: Registry) -> None:
    promote(registry, register(registry), None)
    with pytest.raises(AliasRefusedError, match="no version served before v1"):
        registry.rollback(expected_champion="v1", reason="r", actor="a", at=NOON, key="k")


def test_a_challenger_that_is_promoted_is_challenger_no_longer(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None)
    registry.set_alias(
        Alias.CHALLENGER, second, expected=None, reason="r", actor="a", at=NOON, key="challenge"
    )
    assert registry.aliases()[Alias.CHALLENGER] == "v2"
    promote(registry, second, first)
    assert registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}


def test_a_shadow_is_set_and_cleared_by_compare_and_set(registry: Registry) -> None:
    register(registry)
    registry.set_alias(Alias.SHADOW, "v1", expected=None, reason="r", actor="a", at=NOON, key="set")
    with pytest.raises(AliasConflictError):
        registry.clear_alias(Alias.SHADOW, expected="v2", reason="r", actor="a", at=NOON, key="clear")
    event = registry.clear_alias(Alias.SHADOW, expected="v1", reason="r", actor="a", at=NOON, key="clear")
    assert event.version == "v1"
    assert registry.aliases() == {}


@pytest.mark.parametrize("alias", [Alias.CHAMPION, Alias.PREVIOUS])
def test_champion_and_previous_only_move_together(registry: Registry, alias: Alias) -> None:
    register(registry)
    with pytest.raises(AliasRefusedError, match="only moves by promote and rollback"):
        registry.set_alias(alias, "v1", expected=None, reason="r", actor="a", at=NOON, key="k")


def test_a_deed_needs_a_key_an_actor_a_reason_and_a_utc_time(registry: Registry) -> None:
    register(registry)
    local = NOON.astimezone(timezone(HOUR))
    for reason, actor, at, key in (
        (" ", "a", NOON, "k"),
        ("r", "", NOON, "k"),
        ("r", "a", local, "k"),
        ("r", "a", NOON, ""),
    ):
        with pytest.raises(ManifestInvalidError):
            registry.promote("v1", expected_champion=None, reason=reason, actor=actor, at=at, key=key)
    assert registry.champion() is None


def test_history_says_who_was_champion_when_and_why(registry: Registry) -> None:
    first, second = register(registry, "run-1"), register(registry, "run-2")
    promote(registry, first, None, NOON)
    promote(registry, second, first, NOON + HOUR)
    registry.rollback(
        expected_champion=second, reason="worse live", actor="probation", at=NOON + 2 * HOUR, key="k"
    )
    assert registry.history(NOON - HOUR) is None
    served = [registry.history(NOON + hours * HOUR) for hours in (0, 1, 2, 99)]
    assert [tenure.version for tenure in served if tenure] == ["v1", "v2", "v1", "v1"]
    last = registry.tenures()[-1]
    assert (last.reason, last.actor, last.until) == ("worse live", "probation", None)
    assert registry.tenures()[0].until == NOON + HOUR


def test_a_report_is_kept_to_the_byte_and_the_latest_is_given(registry: Registry) -> None:
    register(registry)
    assert registry.report("v1") is None
    texts = ('{"verdict": "SHADOW"}', '{ "verdict":"PROMOTE" }')
    for number, text in enumerate(texts):
        registry.store_report("v1", text, actor="gate", at=NOON, key=f"judge:{number}")
        registry.store_report("v1", text, actor="gate", at=NOON, key=f"judge:{number}")
    assert registry.reports("v1") == texts
    assert registry.report("v1") == {"verdict": "PROMOTE"}


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000])
def test_a_report_that_is_no_json_object_is_refused(registry: Registry, text: str) -> None:
    register(registry)
    with pytest.raises(ManifestInvalidError, match="JSON object"):
        registry.store_report("v1", text, actor="gate", at=NOON, key="judge")


def test_a_key_cannot_store_a_second_report(registry: Registry) -> None:
    register(registry)
    registry.store_report("v1", "{}", actor="gate", at=NOON, key="judge")
    with pytest.raises(KeyReusedError):
        registry.store_report("v1", '{"a": 1}', actor="gate", at=NOON, key="judge")


def test_equal_blobs_are_kept_once(registry: Registry, tmp_path: Path) -> None:
    assert registry.put_blob(b"evidence") == registry.put_blob(b"evidence")
    assert len(list((tmp_path / "registry" / "blobs").rglob("*"))) == 2


def test_a_blob_is_not_given_if_it_was_changed(registry: Registry, tmp_path: Path) -> None:
    stored = registry.put_blob(b"evidence")
    file = tmp_path / "registry" / "blobs" / stored.sha256[:2] / stored.sha256
    file.chmod(0o600)
    file.write_bytes(b"evidencf")
    with pytest.raises(ArtifactCorruptError):
        registry.get_blob(stored.sha256)


def test_a_damaged_blob_is_mended_by_putting_it_again(registry: Registry, tmp_path: Path) -> None:
    stored = registry.put_blob(b"evidence")
    file = tmp_path / "registry" / "blobs" / stored.sha256[:2] / stored.sha256
    file.unlink()
    file.write_bytes(b"")
    registry.put_blob(b"evidence")
    assert registry.get_blob(stored.sha256) == b"evidence"


def test_a_blob_that_is_larger_than_allowed_is_not_read(registry: Registry) -> None:
    stored = registry.put_blob(b"evidence")
    with pytest.raises(ArtifactTooLargeError):
        registry.get_blob(stored.sha256, size_max_bytes=7)


def test_a_blob_that_is_larger_than_the_store_allows_is_not_kept(tmp_path: Path) -> None:
    with Registry.open(tmp_path, blob_size_max_bytes=4) as registry:
        with pytest.raises(ArtifactTooLargeError):
            registry.put_blob(b"12345")
        assert list((tmp_path / "blobs").iterdir()) == []


@pytest.mark.parametrize("name", ["../registry.db", "", "0" * 63, "0" * 64, "A" * 64, "/etc/passwd"])
def test_only_the_hash_of_a_blob_names_a_blob(registry: Registry, name: str) -> None:
    with pytest.raises(ArtifactMissingError):
        registry.get_blob(name)


def test_a_link_in_place_of_a_blob_is_not_followed(registry: Registry, tmp_path: Path) -> None:
    stored = registry.put_blob(b"evidence")
    file = tmp_path / "registry" / "blobs" / stored.sha256[:2] / stored.sha256
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactCorruptError):
        registry.get_blob(stored.sha256)


def test_a_fifo_in_place_of_a_blob_does_not_hang_the_reader(registry: Registry, tmp_path: Path) -> None:
    stored = registry.put_blob(b"evidence")
    file = tmp_path / "registry" / "blobs" / stored.sha256[:2] / stored.sha256
    file.unlink()
    subprocess.run(["/usr/bin/mkfifo", str(file)], check=True)
    with pytest.raises(ArtifactCorruptError, match="no regular file"):
        registry.get_blob(stored.sha256)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET reason = 'other'",
        "DELETE FROM events",
        "UPDATE versions SET scorecard = '{}'",
        "UPDATE artifacts SET size_bytes = 1",
        "UPDATE reports SET body = '{}'",
        "DELETE FROM reports",
    ],
)
def test_what_was_written_cannot_be_changed_by_sql(
    registry: Registry, tmp_path: Path, statement: str
) -> None:
    register(registry)
    registry.store_report("v1", "{}", actor="gate", at=NOON, key="judge")
    other = sqlite3.connect(tmp_path / "registry" / "registry.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()


def test_a_version_that_holds_an_alias_cannot_be_deleted(registry: Registry, tmp_path: Path) -> None:
    promote(registry, register(registry), None)
    other = sqlite3.connect(tmp_path / "registry" / "registry.db")
    with pytest.raises(sqlite3.IntegrityError, match="holds an alias"):
        other.execute("DELETE FROM versions")
    other.close()


def test_a_registry_of_a_newer_regimed_is_refused(tmp_path: Path) -> None:
    Registry.open(tmp_path).close()
    other = sqlite3.connect(tmp_path / "registry.db")
    other.execute("PRAGMA user_version = 999")
    other.close()
    with pytest.raises(RegistryTooNewError, match="install the newer regimed"):
        Registry.open(tmp_path)
    with pytest.raises(RegistryTooNewError):
        Registry.open_read_only(tmp_path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "registry.db")
    other.execute("CREATE TABLE birds (name TEXT)")
    other.close()
    before = (tmp_path / "registry.db").read_bytes()
    with pytest.raises(RegistryUnreadableError, match="another program"):
        Registry.open(tmp_path)
    assert (tmp_path / "registry.db").read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(RegistryUnreadableError, match=r"registry\.db"):
        Registry.open(tmp_path)


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry, Registry.open(tmp_path, busy_timeout_s=0.01) as second:
        register(registry)
        registry._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryBusyError):
            promote(second, "v1", None)
        registry._connection.execute("ROLLBACK")
        promote(second, "v1", None)
        assert registry.aliases() == {Alias.CHAMPION: "v1"}


def test_no_package_outside_the_standard_library_is_needed_to_read_a_registry() -> None:
    code = (
        "import sys, json; before = set(sys.modules); import registry.store;"
        "print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == ["registry"]
