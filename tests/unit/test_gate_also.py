"""What the gate reads beside the regimes: told always, asked only by a policy that says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.also import calibration_error
from registry.evidence import Evidence, EvidenceInvalidError
from registry.gate import Candidate, Finding, GateReport, Ledger, Status, Verdict, judge
from registry.gate_report import Aspect
from registry.policy import DEFAULT, Policy
from tests.examples import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEW = Candidate(version="v2", recipe_hash="new", age_days=0, invariants=None)
OLD = Candidate(version="v1", recipe_hash="old", age_days=7, invariants=None)
CALM = replace(OLD, drift_alarms=())
SECTORS = ("Energy", "Energy", "Health Care", "Health Care", "")
"""Of the five symbols; the last one is in none."""
ASKS_SECTORS = replace(DEFAULT, sector_margin=0.02)
ASKS_CALIBRATION = replace(DEFAULT, calibration_margin=0.02)
ASKS_DRIFT = replace(DEFAULT, drift_alarms_max=0)


def evidence(*, energy: float = 0.05, health: float = 0.05, sectors: tuple[str, ...] = SECTORS) -> Evidence:
    """Give two episodes of a crash, five symbols a day, of which seven days in ten rise.

    The champion gives a rise 0.6; the candidate comes nearer to the truth by so much in each sector.
    """
    days = np.datetime64("2020-01-01") + np.r_[0:60, 100:160]
    up = np.repeat(np.arange(len(days)) % 10 < 7, 5)
    toward = np.tile([energy, energy, health, health, 0.05], len(days))
    said = 0.6 + np.where(up, toward, -toward)
    return Evidence(
        date=np.repeat(days, 5),
        symbol=np.tile(list("ABCDE"), len(days)),
        regime=np.full(len(up), "crash"),
        truth=up.astype(np.int64),
        candidate=np.column_stack([1 - said, said]),
        champion=np.tile([0.4, 0.6], (len(up), 1)),
        prior=np.tile([0.4, 0.6], (len(up), 1)),
        classes=("down", "up"),
        sector=np.tile(sectors, len(days)),
    )


def report_on(seen: Evidence, policy: Policy = DEFAULT, champion: Candidate = CALM) -> GateReport:
    return judge(NEW, champion, seen, policy, Ledger())


def first_report_on(seen: Evidence, policy: Policy) -> GateReport:
    return judge(NEW, None, replace(seen, champion=None), policy, Ledger())


def found(report: GateReport, aspect: Aspect) -> list[Finding]:
    return [each for each in report.also if each.aspect is aspect]


def test_everything_is_told_and_nothing_asked_by_a_policy_that_ships() -> None:
    report = report_on(evidence(energy=-0.05, health=0.1))
    assert report.verdict is Verdict.PROMOTE
    assert [(each.aspect.value, each.of, each.status) for each in report.also] == [
        ("sector", "Energy", None),
        ("sector", "Health Care", None),
        ("calibration", "crash", None),
        ("drift", None, None),
    ]
    energy = report.also[0]
    assert energy.reason.startswith("Worse than the champion in log-loss: gain -0.1010 [")
    assert (energy.mean or 0) < 0
    assert energy.margin is None


def test_what_is_not_known_is_said_without_numbers() -> None:
    report = report_on(replace(evidence(), sector=None), champion=OLD)
    (sector,), (drift,) = found(report, Aspect.SECTOR), found(report, Aspect.DRIFT)
    assert (sector.of, sector.mean, sector.reason) == (None, None, "The evidence names no sectors.")
    assert drift.reason == "It is not known whether the features drift."
    nothing = judge(NEW, OLD, None, DEFAULT, Ledger())
    assert [each.mean for each in nothing.also] == [None, None, None]


def test_harm_in_a_sector_rejects_where_the_policy_asks() -> None:
    report = report_on(evidence(energy=-0.05, health=0.1), ASKS_SECTORS)
    assert (report.verdict, report.reason) == (Verdict.REJECT, "Harm is shown in sector Energy.")
    assert [each.status for each in found(report, Aspect.SECTOR)] == [Status.FAIL, Status.PASS]
    assert report_on(evidence(), ASKS_SECTORS).verdict is Verdict.PROMOTE


def test_a_sector_of_few_rows_is_no_obstacle_but_no_sectors_at_all_are() -> None:
    report = report_on(evidence(sectors=("Energy", "", "", "", "")), ASKS_SECTORS)
    assert report.verdict is Verdict.PROMOTE
    (energy,) = found(report, Aspect.SECTOR)
    assert (energy.status, energy.mean) == (Status.INSUFFICIENT, None)
    assert energy.reason == "Too little evidence: 120 of 40 days, 120 of 200 rows."
    report = report_on(replace(evidence(), sector=None), ASKS_SECTORS)
    assert report.verdict is Verdict.SHADOW
    assert report.reason == "Better than v1, but the policy asks for more: The evidence names no sectors."


def discerning() -> Evidence:
    """Give a candidate that tells rises from falls, and is further from their frequency than the champion."""
    seen = evidence()
    said = np.where(seen.truth == 1, 0.9, 0.55)
    return replace(
        seen,
        candidate=np.column_stack([1 - said, said]),
        champion=np.tile([0.3, 0.7], (len(seen), 1)),
    )


def test_a_worse_calibration_goes_to_shadow_where_the_policy_asks() -> None:
    report = report_on(discerning(), ASKS_CALIBRATION)
    assert report.verdict is Verdict.SHADOW
    assert report.reason == (
        "Better than v1, but the policy asks for more: Expected calibration error 0.2350 in crash,"
        " 0.0000 of the champion; it may be 0.0200 larger."
    )
    assert report_on(discerning()).verdict is Verdict.PROMOTE
    assert report_on(discerning(), replace(DEFAULT, calibration_margin=0.3)).verdict is Verdict.PROMOTE


def test_a_promotion_waits_for_drift_to_calm_where_the_policy_asks() -> None:
    drifting = replace(OLD, drift_alarms=("feature_drift",))
    report = report_on(evidence(), ASKS_DRIFT, drifting)
    assert report.verdict is Verdict.SHADOW
    assert report.reason.endswith("Drift monitors of features in alarm: feature_drift; 0 may be.")
    assert report_on(evidence(), ASKS_DRIFT).verdict is Verdict.PROMOTE
    assert report_on(evidence(), replace(DEFAULT, drift_alarms_max=1), drifting).verdict is Verdict.PROMOTE
    assert report_on(evidence(), DEFAULT, drifting).verdict is Verdict.PROMOTE
    assert report_on(evidence(), ASKS_DRIFT, OLD).verdict is Verdict.SHADOW


def test_a_first_champion_has_no_monitors_and_is_asked_for_sectors_all_the_same() -> None:
    assert first_report_on(evidence(), ASKS_DRIFT).verdict is Verdict.BOOTSTRAP
    assert first_report_on(evidence(), ASKS_SECTORS).verdict is Verdict.BOOTSTRAP
    assert first_report_on(evidence(energy=-0.05, health=0.09), ASKS_SECTORS).verdict is Verdict.REJECT
    unnamed = first_report_on(replace(evidence(), sector=None), ASKS_SECTORS)
    assert unnamed.verdict is Verdict.HOLD_INSUFFICIENT


def test_a_report_with_findings_survives_json_and_any_order_of_rows() -> None:
    seen = evidence(energy=-0.05, health=0.1)
    report = report_on(seen, ASKS_SECTORS)
    assert GateReport.from_json(report.to_json()) == report
    order = np.random.default_rng(1).permutation(len(seen))
    assert seen.champion is not None and seen.prior is not None and seen.sector is not None  # noqa: PT018
    shuffled = Evidence(
        date=seen.date[order],
        symbol=seen.symbol[order],
        regime=seen.regime[order],
        truth=seen.truth[order],
        candidate=seen.candidate[order],
        champion=seen.champion[order],
        prior=seen.prior[order],
        classes=seen.classes,
        sector=seen.sector[order],
    )
    assert report_on(shuffled, ASKS_SECTORS).to_json() == report.to_json()


def test_the_digest_sees_sectors_and_is_what_it_was_without() -> None:
    named = evidence()
    bare = replace(named, sector=None)
    assert named.digest() != bare.digest()
    assert named.digest() != evidence(sectors=("Energy",) * 5).digest()


def test_every_row_has_a_sector_or_none_has() -> None:
    with pytest.raises(EvidenceInvalidError, match="sector has shape"):
        replace(evidence(), sector=np.array(["Energy"]))


def by_hand(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Give the calibration error bin by bin, the slow way."""
    errors = []
    for column, said in enumerate(probabilities.T):
        came = truth == column
        place = np.minimum(np.floor(said * 10), 9)
        errors.append(
            sum(
                np.mean(place == each) * abs(said[place == each].mean() - came[place == each].mean())
                for each in np.unique(place)
            )
        )
    return float(np.mean(errors))


@examples(40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_calibration_error_is_that_of_its_definition(seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([1.0, 1.0, 1.0], size=rows)
    truth = generator.integers(0, 3, rows)
    assert calibration_error(probabilities, truth) == pytest.approx(by_hand(probabilities, truth), abs=1e-9)
