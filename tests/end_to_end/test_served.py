"""What a daemon's directory answers from outside: history, a prune, the client, and promotions by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.client import Client
from registry.store import Registry
from registry.types import Alias
from tests.end_to_end.test_json_facts import validate

if TYPE_CHECKING:
    from tests.conftest import Installation

pytestmark = pytest.mark.slow


def register_again(place: Installation, key: str) -> str:
    """Register the champion's artifacts once more, as another version."""
    with Registry.open(place.layout.registry) as registry:
        version = registry.version("v1")
        artifacts = {
            name: registry.get_blob(stored.sha256) for name, stored in registry.artifacts("v1").items()
        }
        return registry.register(
            version.manifest, artifacts, registry.scorecard("v1"), key=key, at=version.registered_at
        ).name


def damage(place: Installation, version: str) -> None:
    """Give the golden predictions of a version other bytes."""
    with Registry.open_read_only(place.layout.registry) as registry:
        sha256 = registry.artifacts(version)["golden"].sha256
    path = place.layout.registry / "blobs" / sha256[:2] / sha256
    path.chmod(0o644)
    path.write_bytes(b"other bytes")


def test_the_client_answers_what_predict_prints_and_what_the_daemon_stored(trained: Installation) -> None:
    printed = trained.facts("predict")
    with Client(trained.layout.root) as client:
        assert client.champion is not None
        assert client.champion.name == printed["champion"] == "v1"
        told = [{"symbol": each.symbol, "probabilities": each.probabilities} for each in client.predict()]
        latest = [{"symbol": each.symbol, "probabilities": each.probabilities} for each in client.latest()]
    expected = [
        {"symbol": row["symbol"], "probabilities": row["probabilities"]} for row in printed["predictions"]
    ]
    assert len(expected) == 4
    assert told == expected
    assert latest == expected
    assert [row["abstained"] for row in printed["predictions"]] == [None] * 4


def test_predict_abstains_with_a_reason_where_the_settings_ask_for_it(trained_copy: Installation) -> None:
    with trained_copy.layout.configuration.open("a", encoding="utf-8") as file:
        file.write("[serving]\nage_max_days = 1\n")
    said = trained_copy.facts("predict")
    validate("predict", said)
    assert [row["probabilities"] for row in said["predictions"]] == [None] * 4
    assert "serving.age_max_days is 1" in said["predictions"][0]["abstained"]
    assert "serving.age_max_days is 1" in trained_copy.regimed("predict").stdout


def test_history_says_who_served_and_that_nobody_did_before(trained: Installation) -> None:
    (tenure,) = trained.facts("models", "history")["tenures"]
    assert (tenure["version"], tenure["until"], tenure["actor"]) == ("v1", None, "gate")
    assert tenure["deleted"] is False
    day = tenure["since"][:10]
    assert trained.facts("models", "history", "--at", day)["tenures"] == [tenure]
    assert trained.facts("models", "history", "--at", "2001-01-02")["tenures"] == []
    assert trained.regimed("models", "history", "--at", "2001-01-02").stdout == (
        "no version served at 2001-01-02\n"
    )


def test_a_prune_deletes_by_the_policy_and_notes_it(trained_copy: Installation) -> None:
    for number in range(3):
        register_again(trained_copy, f"again-{number}")
    with trained_copy.layout.configuration.open("a", encoding="utf-8") as file:
        file.write("[registry]\nkeep_last = 1\nkeep_served_days = 0\n")
    planned = trained_copy.facts("models", "prune", "--dry-run")
    assert planned["deleted"] == ["v3", "v2"]
    assert len(trained_copy.facts("models", "list")["versions"]) == 4
    done = trained_copy.facts("models", "prune")
    validate("models-prune", done)
    assert (done["deleted"], done["freed_bytes"]) == (["v3", "v2"], planned["freed_bytes"])
    assert done["kept"] == [
        {"version": "v1", "because": "is champion"},
        {"version": "v4", "because": "is one of the last 1"},
    ]
    assert [row["version"] for row in trained_copy.facts("models", "list")["versions"]] == ["v1", "v4"]
    assert trained_copy.facts("models", "verify")["findings"] == []
    assert trained_copy.events("models.pruned")[-1].fields["versions"] == ["v3", "v2"]


def test_a_version_that_cannot_serve_is_not_promoted_by_hand(trained_copy: Installation) -> None:
    other = register_again(trained_copy, "again")
    damage(trained_copy, other)
    done = trained_copy.regimed("models", "promote", other, "--reason", "why not")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{other} cannot serve, and the champion stays: artifact " in done.stderr
    with Registry.open_read_only(trained_copy.layout.registry) as registry:
        assert registry.aliases() == {Alias.CHAMPION: "v1"}
