from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.types import REGIMES, Regime
from registry.evidence import Evidence
from registry.gate import (
    Candidate,
    GateReport,
    Invariants,
    Kind,
    Ledger,
    Status,
    Verdict,
    judge,
    judge_days,
)
from registry.policy import ACCURACY, DEFAULT, STRICT, GateError, Metric, Policy
from registry.safety import regime_days
from registry.statistics import block_test

if TYPE_CHECKING:
    from collections.abc import Mapping

SOUND = Invariants(
    artifact_hash_matches=True,
    loads_in_fresh_process=True,
    golden_predictions_reproduce=True,
    probabilities_valid=True,
    feature_hash_matches=True,
)
NEW = Candidate(version="v2", recipe_hash="new", age_days=0, invariants=SOUND)
OLD = Candidate(version="v1", recipe_hash="old", age_days=7, invariants=SOUND)
REFIT = replace(NEW, recipe_hash="old")
SYMBOLS = 5
EVERYWHERE = dict.fromkeys(REGIMES, 0.02)
NOWHERE = dict.fromkeys(REGIMES, 0.0)


def without(absent: Regime, gains: Mapping[Regime, float]) -> dict[Regime, float]:
    return {regime: gain for regime, gain in gains.items() if regime is not absent}


def rows_of(truth: np.ndarray, p_truth: np.ndarray) -> np.ndarray:
    """Give three probabilities: ``p_truth`` on the truth, the rest in halves on the others."""
    probabilities = np.repeat((1 - p_truth)[:, None] / 2, 3, axis=1)
    probabilities[np.arange(len(truth)), truth] = p_truth
    return probabilities


def evidence(
    gains: Mapping[Regime, float],
    *,
    days: int = 30,
    episodes: int = 2,
    day_noise: float = 0.004,
    prior: float = 1 / 3,
) -> Evidence:
    """Give `episodes` spells of `days` days of each regime; `gains` is added to the truth's probability."""
    generator = np.random.default_rng(11)
    regime = np.repeat(np.tile([each.value for each in gains], episodes), days * SYMBOLS)
    n, n_days = len(regime), len(regime) // SYMBOLS
    truth = generator.integers(0, 3, n)
    champion = generator.uniform(0.2, 0.8, n)
    noise = np.repeat(generator.normal(scale=day_noise, size=n_days), SYMBOLS)
    gain = np.select([regime == each for each in gains], list(gains.values()))
    return Evidence(
        date=np.repeat(np.datetime64("2010-01-01") + np.arange(n_days), SYMBOLS),
        symbol=np.tile([f"S{i}" for i in range(SYMBOLS)], n_days),
        regime=regime,
        truth=truth,
        candidate=rows_of(truth, champion + gain + noise),
        champion=rows_of(truth, champion),
        prior=rows_of(truth, np.full(n, prior)),
        classes=("sell", "hold", "buy"),
    )


def verdict_on(seen: Evidence | None, candidate: Candidate = NEW, policy: Policy = DEFAULT) -> GateReport:
    return judge(candidate, OLD, seen, policy, Ledger())


def first_verdict_on(seen: Evidence | None, policy: Policy = DEFAULT) -> GateReport:
    return judge(NEW, None, seen and replace(seen, champion=None), policy, Ledger())


def statuses(report: GateReport) -> list[str]:
    return [each.status.value for each in report.regimes]


def test_a_change_that_is_better_everywhere_is_promoted() -> None:
    report = verdict_on(evidence(EVERYWHERE))
    assert (report.verdict, report.kind, report.admits) == (Verdict.PROMOTE, Kind.CHANGE, True)
    assert statuses(report) == ["PASS"] * 5
    assert report.reason == "Better than v1, and safe in every regime that was tested."


def test_a_change_that_is_better_in_a_crash_alone_is_promoted() -> None:
    report = verdict_on(evidence(NOWHERE | {Regime.CRASH: 0.03}))
    assert report.verdict is Verdict.PROMOTE


def test_a_change_without_benefit_leaves_the_champion() -> None:
    report = verdict_on(evidence(NOWHERE))
    assert (report.verdict, report.admits) == (Verdict.HOLD_EQUIVALENT, False)
    assert report.benefit is not None
    assert not report.benefit.shown


def test_a_change_that_breaks_the_crash_is_rejected_however_good_it_is_elsewhere() -> None:
    report = verdict_on(evidence(EVERYWHERE | {Regime.CRASH: -0.05}))
    assert report.verdict is Verdict.REJECT
    assert statuses(report) == ["FAIL", "PASS", "PASS", "PASS", "PASS"]
    assert report.reason == "Harm is shown in crash."


def test_an_absent_crash_is_insufficient_without_numbers_and_never_promotes() -> None:
    gains = without(Regime.CRASH, EVERYWHERE)
    report = verdict_on(evidence(gains))
    crash = report.of(Regime.CRASH)
    assert report.verdict is Verdict.SHADOW
    assert (crash.status, crash.days, crash.rows, crash.episodes) == (Status.INSUFFICIENT, 0, 0, 0)
    assert (crash.mean, crash.lcb, crash.ucb, crash.accuracy_mean, crash.floor_mean) == (None,) * 5
    assert crash.reason == "Too little evidence: 0 of 40 days, 0 of 200 rows, 0 of 2 episodes."


def test_an_absent_regime_other_than_the_crash_does_not_stop_a_promotion() -> None:
    gains = without(Regime.RECOVERY, EVERYWHERE)
    report = verdict_on(evidence(gains))
    assert (report.verdict, report.of(Regime.RECOVERY).status) == (Verdict.PROMOTE, Status.INSUFFICIENT)


def test_one_long_crash_is_one_episode_and_too_little() -> None:
    report = verdict_on(evidence(EVERYWHERE, days=60, episodes=1))
    assert report.verdict is Verdict.HOLD_INSUFFICIENT
    assert report.of(Regime.CRASH).reason == (
        "Too little evidence: 60 of 40 days, 300 of 200 rows, 1 of 2 episodes."
    )


def test_a_crash_that_is_called_normal_for_a_day_is_still_one_episode() -> None:
    seen = evidence({Regime.CRASH: 0.02, Regime.NORMAL: 0.02}, days=30)
    flicker = np.where(np.arange(len(seen)) // SYMBOLS % 5 == 4, "normal", "crash")
    report = verdict_on(replace(seen, regime=flicker))
    assert (report.of(Regime.CRASH).episodes, report.of(Regime.CRASH).status) == (1, Status.INSUFFICIENT)


def test_a_regime_needs_forty_days() -> None:
    report = verdict_on(evidence(EVERYWHERE, days=19))
    assert (report.verdict, statuses(report)) == (Verdict.HOLD_INSUFFICIENT, ["INSUFFICIENT"] * 5)
    assert statuses(verdict_on(evidence(EVERYWHERE, days=20))) == ["PASS"] * 5


def test_a_regime_needs_two_hundred_rows() -> None:
    seen = evidence(EVERYWHERE)
    few = seen.symbol < "S3"
    thin = Evidence(
        date=seen.date[few],
        symbol=seen.symbol[few],
        regime=seen.regime[few],
        truth=seen.truth[few],
        candidate=seen.candidate[few],
        champion=None if seen.champion is None else seen.champion[few],
        prior=None,
        classes=seen.classes,
    )
    assert thin.regime.tolist().count("crash") == 180
    assert statuses(verdict_on(thin)) == ["INSUFFICIENT"] * 5


def test_rows_without_a_regime_count_in_none() -> None:
    seen = evidence(EVERYWHERE)
    report = verdict_on(replace(seen, regime=np.where(seen.regime == "crash", "unknown", seen.regime)))
    assert (report.of(Regime.CRASH).rows, report.evidence_rows) == (0, 1500)


def test_an_unproven_crash_goes_to_shadow_and_is_never_called_worse() -> None:
    seen = evidence(dict.fromkeys(REGIMES, 0.03) | {Regime.CRASH: 0.0})
    crash = seen.regime == "crash"
    swing = np.where(np.cumsum(crash) // 38 % 2 == 0, 0.035, -0.035) * crash
    p_truth = seen.candidate[np.arange(len(seen)), seen.truth] + swing
    report = verdict_on(replace(seen, candidate=rows_of(seen.truth, p_truth)))
    assert (report.verdict, report.of(Regime.CRASH).status) == (Verdict.SHADOW, Status.UNPROVEN)
    assert report.reason == "Better than v1, but not shown to be safe in crash; fresh days decide."


def test_a_sure_loss_that_is_surely_within_the_margin_is_tolerated() -> None:
    crash = verdict_on(evidence(NOWHERE | {Regime.CRASH: -0.009}, day_noise=0.0)).of(Regime.CRASH)
    assert crash.mean is not None
    assert crash.ucb is not None
    assert crash.lcb is not None
    assert crash.mean < -crash.margin / 2
    assert crash.ucb < 0
    assert crash.lcb > -crash.margin
    assert crash.status is Status.PASS


def test_a_regime_that_need_not_pass_is_bounded_from_below_at_its_own_level() -> None:
    seen = evidence(NOWHERE, day_noise=0.02)
    one, other = (verdict_on(seen, policy=replace(DEFAULT, alpha_other=level)) for level in (0.1, 0.2))
    t_tenth, t_fifth = 1.4149239276505, 0.8960296443137
    crash, normal = other.of(Regime.CRASH), other.of(Regime.NORMAL)
    assert crash == one.of(Regime.CRASH)
    assert normal.ucb == one.of(Regime.NORMAL).ucb
    assert normal.mean is not None
    assert normal.lcb is not None
    assert normal.ucb is not None
    assert (normal.mean - normal.lcb) / (normal.ucb - normal.mean) == pytest.approx(
        t_fifth / t_tenth, abs=1e-6
    )


def test_a_regime_of_many_days_is_cut_into_more_blocks() -> None:
    days = regime_days(evidence(NOWHERE, days=130, day_noise=0.02), DEFAULT)
    crash = judge_days(NEW, OLD, days, DEFAULT, Ledger()).of(Regime.CRASH)
    daily = days[REGIMES.index(Regime.CRASH)].over_champion[Metric.LOG_LOSS]
    assert (len(daily), crash.lcb) == (260, block_test(daily, 13).lower(DEFAULT.alpha))
    assert crash.ucb == block_test(daily, 13).upper(DEFAULT.alpha)


def test_the_gains_of_the_days_are_judged_as_the_rows_they_are_the_means_of() -> None:
    seen = evidence(EVERYWHERE)
    days = regime_days(seen, DEFAULT)
    told, full = judge_days(NEW, OLD, days, DEFAULT, Ledger()), verdict_on(seen)
    assert [len(each.date) for each in days] == [60] * 5
    assert told.verdict is Verdict.PROMOTE
    assert (told.regimes, told.benefit, told.reason) == (full.regimes, full.benefit, full.reason)
    assert (told.evidence_hash, told.disagreement) == (None, None)


def test_a_gain_of_more_than_fifteen_points_is_a_suspected_leak() -> None:
    report = verdict_on(evidence(EVERYWHERE | {Regime.NORMAL: 0.15}))
    assert report.verdict is Verdict.HOLD_SUSPICIOUS
    assert report.reason == "Leak suspected: accuracy gains more than 0.15 in normal."


def test_a_refit_is_promoted_without_any_benefit_and_none_is_tested() -> None:
    seen = evidence(NOWHERE)
    report = verdict_on(replace(seen, champion=seen.candidate), REFIT)
    assert (report.verdict, report.kind, report.benefit) == (Verdict.PROMOTE, Kind.REFIT, None)
    assert report.disagreement == 0.0


def test_a_refit_without_crash_evidence_goes_to_shadow() -> None:
    gains = without(Regime.CRASH, NOWHERE)
    assert verdict_on(evidence(gains), REFIT).verdict is Verdict.SHADOW


def test_a_refit_that_calls_other_classes_is_suspicious_even_when_it_scores_alike() -> None:
    seen = evidence(NOWHERE)
    assert seen.champion is not None
    rows = np.arange(len(seen))
    champion, candidate = seen.champion.copy(), seen.champion.copy()
    other = (seen.truth + 1) % 3, (seen.truth + 2) % 3
    for probabilities, called in ((champion, other[0]), (candidate, other[1])):
        probabilities[:] = 0.1
        probabilities[rows, called] = 0.5
        probabilities[rows, seen.truth] = 0.4
    alike = replace(seen, champion=champion, candidate=candidate)
    report = verdict_on(alike, REFIT)
    assert (report.verdict, report.disagreement) == (Verdict.HOLD_SUSPICIOUS, 1.0)
    assert verdict_on(alike).verdict is Verdict.HOLD_EQUIVALENT


def test_an_old_champion_is_refreshed_on_safety_alone() -> None:
    seen = evidence(NOWHERE)
    verdicts = [
        judge(NEW, replace(OLD, age_days=age), seen, DEFAULT, Ledger()).verdict for age in (90, 91, None)
    ]
    assert verdicts == [Verdict.HOLD_EQUIVALENT, Verdict.PROMOTE, Verdict.HOLD_EQUIVALENT]


def test_without_any_evidence_nothing_is_said() -> None:
    for report in (verdict_on(None), first_verdict_on(None)):
        assert report.verdict is Verdict.HOLD_INSUFFICIENT
        assert [each.rows for each in report.regimes] == [0] * 5
        assert (report.evidence_hash, report.evidence_from, report.evidence_rows) == (None, None, 0)


@pytest.mark.parametrize(
    "name",
    [
        "artifact_hash_matches",
        "loads_in_fresh_process",
        "golden_predictions_reproduce",
        "probabilities_valid",
        "feature_hash_matches",
    ],
)
def test_a_broken_invariant_is_an_error_before_anything_is_compared(name: str) -> None:
    broken = replace(NEW, invariants=replace(SOUND, **{name: False}))
    report = verdict_on(evidence(EVERYWHERE), broken)
    assert (report.verdict, statuses(report)) == (Verdict.ERROR, ["ERROR"] * 5)
    assert report.reason == f"Not judged: {name} does not hold for v2."
    assert report.of(Regime.CRASH).days is None


def test_evidence_of_another_comparison_is_an_error() -> None:
    seen = evidence(EVERYWHERE)
    assert verdict_on(replace(seen, champion=None)).verdict is Verdict.ERROR
    assert judge(NEW, None, seen, DEFAULT, Ledger()).verdict is Verdict.ERROR


def test_a_file_of_predictions_is_judged_without_an_artifact() -> None:
    report = verdict_on(evidence(EVERYWHERE), replace(NEW, invariants=None))
    assert (report.verdict, report.invariants) == (Verdict.PROMOTE, None)


def test_the_first_champion_enters_and_what_is_unproven_is_named() -> None:
    gains = {Regime.NORMAL: 0.0, Regime.LOW_VOLATILITY: 0.0}
    report = first_verdict_on(evidence(gains, prior=0.35))
    assert (report.verdict, report.kind, report.admits) == (Verdict.BOOTSTRAP, Kind.BOOTSTRAP, True)
    assert report.reason == (
        "First champion: worse than the regime prior in no tested regime;"
        " still unproven in crash, recovery, high_volatility."
    )
    assert (report.champion, report.benefit, report.of(Regime.NORMAL).mean) == (None, None, None)
    assert report.of(Regime.NORMAL).floor_status is Status.PASS


def test_a_first_champion_that_is_too_good_to_be_true_is_held() -> None:
    report = first_verdict_on(evidence({Regime.CRASH: 0.0, Regime.NORMAL: 0.0}))
    assert (report.verdict, report.admits) == (Verdict.HOLD_SUSPICIOUS, False)
    assert report.reason == (
        "Leak suspected: a first champion that avoids more than 40% of the regime prior's errors in crash,"
        " normal is too good to be true."
    )
    unasked = replace(DEFAULT, first_gain_max=None)
    assert first_verdict_on(evidence(NOWHERE), unasked).verdict is Verdict.BOOTSTRAP


def test_a_regime_with_few_days_makes_no_first_champion_suspicious() -> None:
    assert first_verdict_on(evidence(NOWHERE, days=10)).verdict is Verdict.HOLD_INSUFFICIENT


def test_a_first_champion_below_the_regime_prior_is_rejected() -> None:
    report = first_verdict_on(evidence(NOWHERE, prior=0.6))
    assert (report.verdict, statuses(report)) == (Verdict.REJECT, ["FAIL"] * 5)


def test_a_strict_policy_waits_for_the_proof_of_every_floor() -> None:
    seen = evidence(NOWHERE, prior=0.46)
    assert Status.UNPROVEN in {each.floor_status for each in first_verdict_on(seen).regimes}
    assert first_verdict_on(seen).verdict is Verdict.BOOTSTRAP
    report = first_verdict_on(seen, STRICT)
    assert (report.verdict, report.admits) == (Verdict.HOLD_INSUFFICIENT, False)


def test_a_change_below_the_regime_prior_is_rejected_though_it_beats_the_champion() -> None:
    report = verdict_on(evidence(EVERYWHERE, prior=0.6))
    assert (report.verdict, report.of(Regime.CRASH).floor_status) == (Verdict.REJECT, Status.FAIL)


def test_a_floor_that_is_only_unproven_stops_no_better_change_unless_the_policy_asks() -> None:
    seen = evidence(EVERYWHERE, prior=0.48)
    report = verdict_on(seen)
    assert Status.UNPROVEN in {each.floor_status for each in report.regimes}
    assert report.verdict is Verdict.PROMOTE
    assert verdict_on(seen, policy=STRICT).verdict is Verdict.SHADOW


def test_an_unknown_prior_is_said_and_leaves_the_floors_untested() -> None:
    report = verdict_on(replace(evidence(EVERYWHERE), prior=None))
    assert (report.verdict, report.of(Regime.CRASH).floor_status) == (Verdict.PROMOTE, None)
    assert report.of(Regime.CRASH).reason.endswith("The regime prior is not known.")


def test_a_strict_policy_asks_all_five_regimes_to_pass() -> None:
    gains = without(Regime.RECOVERY, EVERYWHERE)
    assert verdict_on(evidence(EVERYWHERE), policy=STRICT).verdict is Verdict.PROMOTE
    assert verdict_on(evidence(gains), policy=STRICT).verdict is Verdict.SHADOW


def test_the_accuracy_policy_tests_benefit_in_accuracy() -> None:
    report = verdict_on(evidence(EVERYWHERE), policy=ACCURACY)
    assert (report.metric.value, report.verdict) == ("accuracy", Verdict.PROMOTE)
    assert report.benefit is not None
    assert report.benefit.crash_mean == report.of(Regime.CRASH).accuracy_mean


def test_every_candidate_on_the_same_window_needs_more_evidence_than_the_last() -> None:
    seen = evidence(dict.fromkeys(REGIMES, 0.005), day_noise=0.02)
    first, later = (judge(NEW, OLD, seen, DEFAULT, Ledger(judged_before=n)) for n in (0, 30))
    assert (first.verdict, later.verdict) == (Verdict.PROMOTE, Verdict.HOLD_EQUIVALENT)
    assert first.benefit is not None
    assert later.benefit is not None
    assert first.benefit.alpha == pytest.approx(0.05 * 0.6079271, abs=1e-8)
    assert first.benefit.threshold == pytest.approx(first.benefit.alpha / 2, abs=1e-15)
    assert later.benefit.alpha == pytest.approx(first.benefit.alpha / 961, abs=1e-12)
    assert later.benefit.overall_p == first.benefit.overall_p


def test_a_ledger_does_not_count_backwards() -> None:
    with pytest.raises(GateError, match="zero or more"):
        Ledger(judged_before=-1)


def test_the_numbers_of_a_regime_are_those_of_its_block_means() -> None:
    ratios = np.repeat([1.05, 1.01, 1.03, 0.98, 1.04, 1.0, 1.02, 1.03], 5)
    days = np.datetime64("2020-01-01") + np.r_[0:20, 60:80]
    truth = np.zeros(200, dtype=np.int64)
    champion = np.full(200, 0.5)
    seen = Evidence(
        date=np.repeat(days, 5),
        symbol=np.tile(list("ABCDE"), 40),
        regime=np.full(200, "crash"),
        truth=truth,
        candidate=rows_of(truth, champion * np.repeat(ratios, 5)),
        champion=rows_of(truth, champion),
        prior=None,
        classes=("sell", "hold", "buy"),
    )
    crash = verdict_on(seen).of(Regime.CRASH)
    block_means = np.log([1.05, 1.01, 1.03, 0.98, 1.04, 1.0, 1.02, 1.03])
    half = 1.4149239276505 * block_means.std(ddof=1) / 8**0.5
    assert (crash.days, crash.rows, crash.episodes) == (40, 200, 2)
    assert crash.mean == pytest.approx(block_means.mean(), abs=1e-10)
    assert crash.lcb == pytest.approx(block_means.mean() - half, abs=1e-10)
    assert crash.ucb == pytest.approx(block_means.mean() + half, abs=1e-10)
    assert (crash.accuracy_mean, crash.accuracy_lcb, crash.margin) == (0.0, 0.0, 0.03)


def test_the_gate_is_light() -> None:
    program = (
        "import sys, registry.gate; print([m for m in ('scipy', 'pandas', 'sklearn') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
