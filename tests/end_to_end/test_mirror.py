"""The registry on MLflow's own store, as MLflow's own client reads it; and a server that is down."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from registry.store import Registry
from tests.end_to_end.test_feed import serving
from tests.end_to_end.test_json_facts import validate

if TYPE_CHECKING:
    from tests.conftest import Installation, SimulatedMarket

pytestmark = pytest.mark.slow
READER = Path(__file__).resolve().parents[1] / "children_for_tests" / "mlflow_store.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the address of a store of files, which MLflow opens only if told that we mean it."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlflow").as_uri()


def read(store: str, *asked: str) -> Any:
    command = [sys.executable, str(READER), store, "regimed", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def add_version(place: Installation) -> None:
    """Register what v1 holds once more, as another run's."""
    with Registry.open(place.layout.registry) as registry:
        first = registry.version("v1")
        artifacts = {
            name: registry.get_blob(stored.sha256) for name, stored in registry.artifacts("v1").items()
        }
        manifest = replace(first.manifest, run_id="r2")
        registry.register(
            manifest, artifacts, registry.scorecard("v1"), key="train:r2", at=first.registered_at
        )


def promote(place: Installation, version: str, champion: str) -> None:
    with Registry.open(place.layout.registry) as registry:
        at = registry.version(version).registered_at
        registry.promote(version, expected_champion=champion, reason="better", actor="me", at=at, key=version)


@pytest.mark.long
def test_a_registry_is_mirrored_once_however_often_it_is_sent(trained_copy: Installation, store: str) -> None:
    add_version(trained_copy)
    facts = trained_copy.facts("models", "mirror", "--to", store)
    validate("models-mirror", facts)
    assert (facts["versions"], facts["aliases"]) == (2, {"champion": "v1"})
    assert [each["version"] for each in facts["sent"]] == ["v1", "v2"]

    told = read(store, "cut-short")
    first, second = told["runs"]
    assert (first["status"], second["status"]) == ("FINISHED", "FINISHED")
    with Registry.open_read_only(trained_copy.layout.registry) as registry:
        manifest, scores = registry.version("v1").manifest, registry.scorecard("v1")
    assert first["tags"]["regimed.content"] == manifest.sha256()
    assert first["params"]["recipe_hash"] == manifest.recipe_hash
    assert first["params"]["settings.weights"] == "reference"
    assert first["metrics"]["skill/all"] == pytest.approx(scores["overall_skill"], abs=1e-12)
    assert first["metrics"]["skill/all.low"] < first["metrics"]["skill/all"]
    assert first["metrics"]["skill/all.high"] > first["metrics"]["skill/all"]
    assert first["tags"]["regimed.verdict"] == "BOOTSTRAP"
    assert first["files"] == ["card.md", "manifest.json", "report.json", "scorecard.json"]
    assert second["files"] == ["card.md", "manifest.json", "scorecard.json"]
    assert first["card"].startswith("# Model card: v1\n")
    assert told["aliases"] == {"champion": first["version"][0]}

    promote(trained_copy, "v2", "v1")
    would = trained_copy.facts("models", "mirror", "--to", store, "--dry-run")
    validate("models-mirror", would)
    assert [each["version"] for each in would["sent"]] == ["v1", "v2"]
    assert len(trained_copy.facts("models", "mirror", "--to", store)["sent"]) == 2
    told = read(store)
    again, other = told["runs"]
    assert (again["status"], again["metrics"]) == ("FINISHED", first["metrics"])
    assert told["aliases"] == {"champion": other["version"][0], "previous": again["version"][0]}
    assert (again["tags"]["regimed.role"], other["tags"]["regimed.role"]) == ("previous", "champion")


@pytest.mark.long
def test_a_server_that_is_down_holds_up_nothing_and_is_caught_up_with_later(
    trained_copy: Installation, market: SimulatedMarket, store: str
) -> None:
    place = trained_copy
    configuration = place.layout.configuration.read_text(encoding="utf-8")

    def mirror_to(uri: str) -> None:
        table = f'\n[mirror]\nmlflow_uri = "{uri}"\nretry_wait_s = 86400\nretry_wait_max_s = 86400\n'
        place.layout.configuration.write_text(configuration + table, encoding="utf-8")

    with serving() as server:
        server.answer = (500, b"out of order")
        uri = f"http://127.0.0.1:{server.server_port}"
        mirror_to(uri)
        scored = len(place.events("scoring.done"))
        place.start()
        place.drop(market.day_after)
        place.wait_for("scoring.done", scored + 1)
        failed = place.wait_for("mirror.failed")
        place.wait_until_idle()
        assert failed.fields["attempt"] == 1
        assert str(failed.fields["error"]).startswith(f"{uri}: ")
        assert len(server.asked) >= 1
        status = place.facts("status", code=1)
        assert status["mirror"]["error"] == failed.fields["error"]
        assert status["mirror"]["behind"] == 3
        assert f"mirror {uri} is 3 events behind" in status["reasons"][-1]["problem"]
    mirror_to(store)
    place.signal(signal.SIGHUP)
    sent = place.wait_for("mirror.sent")
    assert (sent.fields["versions"], sent.fields["aliases"]) == (["v1"], {"champion": "v1"})
    place.wait_until_idle()
    status = json.loads(place.regimed("status", "--json").stdout)
    assert (status["mirror"]["behind"], status["mirror"]["error"]) == (0, None)
    assert place.stop() == 0
    assert place.facts("models", "mirror", "--dry-run")["sent"] == []
