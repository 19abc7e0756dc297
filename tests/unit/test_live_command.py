from __future__ import annotations

import json

import numpy as np
import pytest

from daemon.children.fresh import in_time, target_of
from daemon.commands.live import scores
from regime.live_exam import live_predictions
from regime.targets import compute_targets
from regime.types import Bars, TargetSpec

SPEC = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=1)
BARS = Bars.of_closes("AAA", ["2024-01-02", "2024-01-03", "2024-01-04"], [100.0, 111.0, 100.0])
UTC_17 = np.timedelta64(17, "h")
EVIDENCE = {"truth": np.array([0, 1, 1, 2]), "regime": np.array(["crash", "normal", "normal", "normal"])}


def stored(day: str, made_at: str, sell: float = 0.2) -> tuple[str, str, str, str, str]:
    proba = {"sell": sell, "hold": 0.5, "buy": round(0.5 - sell, 6)}
    return ("AAA", day, "normal", json.dumps(proba), made_at)


def test_of_a_day_that_was_predicted_again_the_last_in_time_counts() -> None:
    rows = [
        stored("2024-01-02", "2024-01-02T22:00:00+00:00", 0.1),
        stored("2024-01-02", "2024-01-03T09:00:00+00:00", 0.3),
        stored("2024-01-02", "2024-01-03T18:00:00+00:00", 0.4),
    ]
    made, late = in_time("v1", rows, SPEC.classes, BARS, UTC_17)
    assert (made.proba.round(6).tolist(), late) == ([[0.3, 0.5, 0.2]], 1)
    assert str(made.made_at[0]) == "2024-01-03T09:00:00"


def test_probabilities_that_were_stored_with_six_decimals_sum_to_one_again() -> None:
    row = (
        "AAA",
        "2024-01-02",
        "normal",
        json.dumps(dict.fromkeys(SPEC.classes, 0.333333)),
        "2024-01-02T22:00",
    )
    made, _ = in_time("v1", [row], SPEC.classes, BARS, UTC_17)
    assert made.proba.sum(axis=1).tolist() == pytest.approx([1.0], abs=1e-12)


def test_a_version_that_predicted_nothing_has_no_score() -> None:
    made, late = in_time("v1", [], SPEC.classes, BARS, UTC_17)
    joined = live_predictions(made, BARS, compute_targets(BARS, SPEC))
    told = scores(joined, EVIDENCE)
    nothing = {
        "rows": 0,
        "days": 0,
        "accuracy": None,
        "log_loss": None,
        "prior_log_loss": None,
        "skill": None,
    }
    assert (late, told["crash"], told["overall"]) == (0, nothing, nothing)
    assert joined.of_version("v1").waiting == {"v1": 0}


def test_few_days_have_scores_but_no_skill() -> None:
    rows = [
        stored("2024-01-02", "2024-01-02T22:00:00+00:00"),
        stored("2024-01-03", "2024-01-03T22:00:00+00:00"),
    ]
    made, _ = in_time("v1", rows, SPEC.classes, BARS, UTC_17)
    told = scores(live_predictions(made, BARS, compute_targets(BARS, SPEC)), EVIDENCE)["overall"]
    assert (told["rows"], told["days"], told["accuracy"], told["skill"]) == (2, 2, 0.0, None)
    assert told["log_loss"] == pytest.approx((-np.log(0.3) - np.log(0.2)) / 2)
    shares = (np.array([1, 2, 1]) + 1) / 7
    prior = (np.array([0, 2, 1]) + 200 * shares) / 203
    assert told["prior_log_loss"] == pytest.approx(-(np.log(prior[2]) + np.log(prior[0])) / 2)


def test_the_target_of_a_manifest_is_the_target_that_was_stored() -> None:
    listed = {"name": "x", "kind": "first_touch", "up": 0.1, "down": 0.05, "horizon_days": 1}
    assert target_of({**listed, "classes": ["sell", "hold", "buy"]}) == SPEC
