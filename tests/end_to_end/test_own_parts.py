"""The example of docs/extending.md, installed as a user installs it: a run with parts of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from registry.store import Registry
from tests.conftest import CHECKOUT, CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Installation, SimulatedMarket

pytestmark = pytest.mark.slow
EXAMPLE = CHECKOUT / "docs" / "examples" / "own_parts"
OWN = CONFIGURATION.replace(
    'models = ["logistic_regression", "lightgbm"]',
    'models = ["logistic_regression", "vote", "own_parts:neighbours"]\n'
    'trusted_types = ["own_parts.WeightedNeighbours", "sklearn.decomposition._pca.PCA"]',
).replace("[schedule]", '[features]\nown = "candles"\n[labels]\nlabeler = "drawdown"\n[schedule]')
MEMBERS = ["barrier", "logistic_regression", "own_parts:neighbours", "own_parts:vote"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the example into a folder of its own, which lies on the path of every process from then on."""
    source = tmp_path_factory.mktemp("source") / "own_parts"
    shutil.copytree(EXAMPLE, source)
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(folder), str(source)], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def place(
    packages: Path,
    installation_at: Callable[[Path], Installation],
    market: SimulatedMarket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Installation:
    """Give a stopped daemon that trained with the example, and scored one more day.

    The gate makes the version champion, since there is none before it.
    """
    assert packages.is_dir()
    place = installation_at(tmp_path_factory.mktemp("own") / "regimed")
    place.init(OWN)
    place.start()
    place.drop(*market.history)
    place.wait_until_idle()
    assert place.regimed("train", "--now").returncode == 0
    place.wait_until_idle()
    place.drop(market.next_day)
    place.wait_until_idle()
    assert place.stop() == 0
    return place


def test_the_settings_hold_the_paths_that_the_entry_points_stand_for(place: Installation) -> None:
    settings: dict[str, Any] = place.facts("config", "show")["settings"]
    assert settings["training.models"] == ["logistic_regression", "own_parts:vote", "own_parts:neighbours"]
    assert settings["features.own"] == "own_parts:candles"
    assert settings["labels.labeler"] == "own_parts:DrawdownLabeler"


def test_the_configuration_is_checked_with_the_parts_that_it_names(place: Installation) -> None:
    assert place.facts("config", "check")["valid"] is True


def test_days_are_labelled_by_the_labeler_of_ones_own(place: Installation, market: SimulatedMarket) -> None:
    with place.ledger() as ledger:
        state = ledger.labeler_state("sim")
        assert state is not None
        labels = ledger.labels("sim", "drawdown-1")
    assert state.labeler == "drawdown-1"
    assert [label.day for label in labels[:-1]] == market.days
    assert "from the highest close, fear" in labels[-1].reason
    assert not place.events("labeler.refused")


def test_the_run_ends_with_a_champion_of_which_the_own_members_are_fitted(place: Installation) -> None:
    assert [event.fields["failed"] for event in place.events("retrain.succeeded")] == [[]]
    with Registry.open_read_only(place.layout.registry) as registry:
        champion = registry.champion()
        assert champion is not None
        members = champion.manifest.members
        assert sorted(members) == MEMBERS
        assert {member.format for member in members.values()} == {"skops"}
        assert len(champion.manifest.feature_names) == 181
        assert champion.manifest.feature_names[179:] == ("own_candle_body", "own_overnight_gap")


def test_the_candidate_was_loaded_and_checked_in_a_fresh_process(place: Installation) -> None:
    report = place.facts("models", "show", "v1")["report"]
    assert report["invariants"] == {
        "artifact_hash_matches": True,
        "feature_hash_matches": True,
        "golden_predictions_reproduce": True,
        "loads_in_fresh_process": True,
        "probabilities_valid": True,
    }


def test_models_show_names_the_own_members_and_columns(place: Installation) -> None:
    shown = place.regimed("models", "show", "v1").stdout
    assert "own_parts:vote" in shown
    assert "own_parts:neighbours" in shown
    assert sorted(place.facts("models", "show", "v1")["manifest"]["members"]) == MEMBERS


def test_a_fresh_process_predicts_what_the_daemon_stored(place: Installation) -> None:
    by_hand = place.facts("predict")
    with place.ledger() as ledger:
        stored = ledger.predictions(day=by_hand["date"])
    assert [row["symbol"] for row in by_hand["predictions"]] == ["S001", "S002", "S003", "^SIM"]
    for said, kept in zip(by_hand["predictions"], stored, strict=True):
        assert said["probabilities"] == pytest.approx(kept["probabilities"], abs=1e-6)
        assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_drift_monitors_read_the_own_columns_too(place: Installation) -> None:
    assert {reading["monitor"] for reading in place.facts("drift")["readings"]} == {
        "aggregate_drift", "feature_drift", "feature_range", "regime_mix",
    }  # fmt: skip


def test_labels_of_ones_own_labeler_can_be_compared(place: Installation) -> None:
    facts = place.facts("labels", "diff", "--from-labeler", "drawdown", "--to-labeler", "rules")
    assert facts["from"]["source"] == "computed"


def test_without_the_types_of_the_configuration_the_same_version_is_not_loaded(place: Installation) -> None:
    refused = place.regimed("predict", env={"REGIMED_TRAINING__TRUSTED_TYPES": "[]"})
    assert refused.returncode == 1
    assert "own_parts.WeightedNeighbours, sklearn.decomposition._pca.PCA" in refused.stderr


def test_other_columns_than_those_of_the_version_are_refused(place: Installation) -> None:
    refused = place.regimed("predict", env={"REGIMED_FEATURES__OWN": ""})
    assert refused.returncode == 1
    assert "and the features.own that trained it" in refused.stderr


def test_a_daemon_does_not_start_with_a_labeler_that_is_not_there(place: Installation) -> None:
    refused = place.regimed("run", env={"REGIMED_LABELS__LABELER": "own_no:Labeler"})
    assert refused.returncode == 78
    assert (
        "labels.labeler: 'own_no:Labeler' cannot be used, since there is no module own_no" in refused.stderr
    )


def test_a_part_that_is_not_installed_is_a_fault_of_the_configuration(place: Installation) -> None:
    environment = {"PYTHONPATH": os.devnull}
    refused = place.regimed("config", "check", env=environment)
    assert refused.returncode == 78
    assert 'training.models = ["logistic_regression", "vote", "own_parts:neighbours"]' in refused.stderr
    assert 'features.own = "candles": allowed: package.module:attribute' in refused.stderr
    assert 'labels.labeler = "drawdown": allowed: rules, reference, jump' in refused.stderr
