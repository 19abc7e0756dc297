from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from registry.evidence import Evidence
from registry.gate import Candidate, GateReport, Invariants, Ledger, Verdict, force, judge
from registry.gate_report import ReportInvalidError
from registry.policy import DEFAULT
from registry.policy_values import policy_from_mapping

SOUND = Invariants(
    artifact_hash_matches=True,
    loads_in_fresh_process=True,
    golden_predictions_reproduce=True,
    probabilities_valid=True,
    feature_hash_matches=True,
)
NEW = Candidate(version="v2", recipe_hash="new", age_days=0, invariants=SOUND)
OLD = Candidate(version="v1", recipe_hash="old", age_days=7, invariants=SOUND)
DAYS = np.datetime64("2020-01-01") + np.r_[0:20, 60:80]


def crash_evidence(p_up: float) -> Evidence:
    """Give two episodes of a crash whose days all rose, to which the champion gave 55 percent."""
    return Evidence(
        date=np.repeat(DAYS, 5),
        symbol=np.tile(list("ABCDE"), 40),
        regime=np.full(200, "crash"),
        truth=np.ones(200, dtype=np.int64),
        candidate=np.tile([1 - p_up, p_up], (200, 1)),
        champion=np.tile([0.45, 0.55], (200, 1)),
        prior=np.tile([0.6, 0.4], (200, 1)),
        classes=("down", "up"),
    )


BETTER = crash_evidence(0.6)
HARMED = crash_evidence(0.45)


def report_on(seen: Evidence | None, candidate: Candidate = NEW) -> GateReport:
    return judge(candidate, OLD, seen, DEFAULT, Ledger())


def test_a_forced_verdict_keeps_the_numbers_and_the_reason_of_a_person() -> None:
    rejected = report_on(HARMED)
    forced = force(rejected, " v1 reads a delisted feed ")
    assert (forced.verdict, forced.admits) == (Verdict.FORCED, True)
    assert forced.reason == "Forced by hand over REJECT: v1 reads a delisted feed"
    assert forced.regimes == rejected.regimes


def test_a_verdict_is_forced_with_a_reason_or_not_at_all() -> None:
    with pytest.raises(ReportInvalidError, match="needs a reason"):
        force(report_on(None), "  ")


def test_a_broken_artifact_cannot_be_forced_into_service() -> None:
    broken = replace(NEW, invariants=replace(SOUND, artifact_hash_matches=False))
    with pytest.raises(ReportInvalidError, match="artifact_hash_matches"):
        force(report_on(None, broken), "I know what I do")


def test_a_report_survives_json_to_the_byte() -> None:
    for report in (
        report_on(BETTER),
        judge(NEW, None, replace(BETTER, champion=None), DEFAULT, Ledger()),
        report_on(None, replace(NEW, invariants=None)),
    ):
        text = report.to_json()
        assert GateReport.from_json(text) == report
        assert GateReport.from_json(text).to_json() == text


def test_a_report_of_the_first_schema_is_read_without_its_policy() -> None:
    content = json.loads(report_on(BETTER).to_json()) | {"schema": 1}
    old = json.dumps(
        {key: value for key, value in content.items() if key not in ("rules", "also")},
        sort_keys=True,
        separators=(",", ":"),
    )
    report = GateReport.from_json(old)
    assert (report.verdict, report.rules, report.also) == (Verdict.PROMOTE, None, ())
    assert report.to_json() == old


def test_a_report_holds_the_whole_policy_that_it_was_made_by() -> None:
    policy = replace(DEFAULT, name="mine", alpha=0.2, sector_margin=0.05)
    told = GateReport.from_json(judge(NEW, OLD, BETTER, policy, Ledger()).to_json())
    assert told.rules is not None
    assert policy_from_mapping(told.rules) == policy
    assert policy_from_mapping(told.rules).hash == told.policy_hash


def test_the_json_names_the_facts_that_a_reader_asks_for() -> None:
    content = json.loads(report_on(BETTER).to_json())
    assert (content["schema"], content["verdict"], content["policy_hash"]) == (2, "PROMOTE", DEFAULT.hash)
    assert (content["evidence_from"], content["evidence_to"]) == ("2020-01-01", "2020-03-20")
    assert [each["regime"] for each in content["regimes"]] == [
        "crash",
        "recovery",
        "high_volatility",
        "normal",
        "low_volatility",
    ]
    asked = {"status", "days", "rows", "episodes", "mean", "lcb", "ucb", "margin", "reason"}
    assert all(asked <= set(each) for each in content["regimes"])


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 3},
        {"rules": None},
        {"also": [{"aspect": "luck"}]},
        {"verdict": "MAYBE"},
        {"surplus": 1},
        {"regimes": []},
        {"regimes": None},
        {"benefit": {"shown": True}},
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, object]) -> None:
    content = json.loads(report_on(BETTER).to_json()) | change
    with pytest.raises(ReportInvalidError):
        GateReport.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[]", "null", '{"schema": NaN}', "{}"])
def test_a_text_that_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ReportInvalidError, match="no gate report"):
        GateReport.from_json(text)
