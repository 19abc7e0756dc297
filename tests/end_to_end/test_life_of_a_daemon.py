"""From files in the inbox to a champion that predicts the next day: what is there afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from registry.store import Registry

if TYPE_CHECKING:
    from tests.conftest import Installation, SimulatedMarket

pytestmark = pytest.mark.slow
SYMBOLS = ["S001", "S002", "S003", "^SIM"]
"""What is predicted: everything but the fear index."""


def names_of(place: Installation) -> list[str]:
    return [event.name for event in place.events()]


def test_every_good_file_is_taken_and_leaves_the_inbox(
    trained: Installation, market: SimulatedMarket
) -> None:
    taken = {event.fields["name"]: event.fields for event in trained.events("ingest.accepted")}
    assert set(taken) == {path.name for path in (*market.history, market.next_day)}
    assert taken["S001.csv"]["rows"] == len(market.days)
    assert taken[market.next_day.name]["symbols"] == [*SYMBOLS, "^SIMVIX"]
    assert list(trained.layout.inbox.iterdir()) == []
    with trained.ledger() as ledger:
        assert {file.name for file in ledger.files()} == {*taken, "bad.csv"}
        assert [part.data_version for part in ledger.parts()] == [1, 2, 3, 4, 5, 6]


def test_a_bad_file_is_kept_with_its_reason_and_the_rest_goes_on(trained: Installation) -> None:
    (refused,) = trained.events("ingest.quarantined")
    assert (refused.fields["name"], refused.fields["code"]) == ("bad.csv", "ohlc_order")
    reason = json.loads((trained.layout.quarantine / "bad.csv.reason.json").read_text(encoding="utf-8"))
    assert reason["code"] == "ohlc_order"
    assert "2015-01-05" in reason["sentence"]
    assert (trained.layout.quarantine / "bad.csv").read_text(encoding="utf-8").startswith("symbol,date,")
    assert "S009" not in trained.facts("status", code=3)["data"]["symbols"]


def test_every_day_is_labelled_and_the_next_day_when_it_arrives(
    trained: Installation, market: SimulatedMarket
) -> None:
    labels = trained.facts("labels")["labels"]
    assert [label["date"] for label in labels[:-1]] == market.days
    assert labels[-1]["date"] > market.days[-1]
    assert {label["regime"] for label in labels} >= {"crash", "high_volatility", "normal", "low_volatility"}
    last = trained.events("labels.stored")[-1]
    assert (last.fields["market"], last.fields["days"]) == ("sim", 1)


def test_a_run_trains_a_version_and_the_gate_says_why_it_is_champion(trained: Installation) -> None:
    with trained.ledger() as ledger:
        (run,) = ledger.runs()
    assert (run.id, run.trigger, run.data_version, run.outcome, run.version) == (
        "r1",
        "manual",
        5,
        "succeeded",
        "v1",
    )
    with Registry.open_read_only(trained.layout.registry) as registry:
        champion = registry.champion()
        assert champion is not None
        assert champion.name == "v1"
        assert sorted(champion.manifest.members) == ["barrier", "lightgbm", "logistic_regression"]
        assert all(member.sha256 for member in champion.manifest.members.values())
        report = registry.report("v1")
        assert report is not None
        assert report["verdict"] == "BOOTSTRAP"
        assert registry.verify() == []
    (promoted,) = trained.events("gate.promoted")
    assert promoted.fields["reason"] == report["reason"]


def test_the_champion_predicts_the_day_of_its_training_and_the_next_one(
    trained: Installation, market: SimulatedMarket
) -> None:
    with trained.ledger() as ledger:
        next_day = trained.facts("status", code=3)["data"]["last_day"]
        for day in (market.days[-1], next_day):
            predictions = ledger.predictions(day=day)
            assert [prediction["symbol"] for prediction in predictions] == SYMBOLS
            for prediction in predictions:
                assert set(prediction["probabilities"]) == {"sell", "hold", "buy"}
                assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_what_is_predicted_by_hand_is_what_the_daemon_stored(trained: Installation) -> None:
    by_hand = trained.facts("predict")
    with trained.ledger() as ledger:
        stored = ledger.predictions(day=by_hand["date"])
    assert [(row["symbol"], row["regime"]) for row in by_hand["predictions"]] == [
        (row["symbol"], row["regime"]) for row in stored
    ]
    for said, kept in zip(by_hand["predictions"], stored, strict=True):
        assert said["probabilities"] == pytest.approx(kept["probabilities"], abs=1e-6)


def test_every_drift_monitor_has_read_the_next_day(trained: Installation) -> None:
    next_day = trained.facts("status", code=3)["data"]["last_day"]
    readings = {reading["monitor"]: reading["date"] for reading in trained.facts("drift")["readings"]}
    assert readings == dict.fromkeys(
        ("aggregate_drift", "feature_drift", "feature_range", "regime_mix"), next_day
    )


def test_the_log_is_the_ledger_one_json_object_a_line(trained: Installation) -> None:
    lines = [json.loads(line) for line in trained.log.read_text(encoding="utf-8").splitlines()]
    stored = trained.events()
    assert [(line["seq"], line["event"]) for line in lines] == [(event.id, event.name) for event in stored]
    assert names_of(trained)[0] == "daemon.started"
    assert names_of(trained)[-1] == "daemon.stopped"


def test_a_stopped_daemon_still_answers(trained: Installation) -> None:
    done = trained.regimed("status")
    assert done.returncode == 3
    first, problem, remedy, *_ = done.stdout.splitlines()
    assert first == f"STOPPED  {trained.layout.root}"
    assert "the daemon is not running (since " in problem
    assert remedy == f"    try: regimed run --dir {trained.layout.root}"
    assert "champion    v1, promoted" in done.stdout
    assert "r1 succeeded" in done.stdout
