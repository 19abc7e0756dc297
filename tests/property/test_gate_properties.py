from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from regime.types import REGIMES, Regime
from registry.evidence import Evidence
from registry.gate import Candidate, GateReport, Ledger, Status, Verdict, judge, judge_days
from registry.policy import PRESETS, Policy
from registry.safety import regime_days
from registry.statistics import block_test
from tests.examples import examples

NEW = Candidate(version="v2", recipe_hash="new", age_days=0, invariants=None)
OLD = Candidate(version="v1", recipe_hash="old", age_days=7, invariants=None)
SYMBOLS = 4

few = examples(40)
policies = st.sampled_from(sorted(PRESETS.values(), key=lambda policy: policy.name))


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Give evidence of any mix of regimes, gains and sizes, often too small to be tested."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spells = draw(st.lists(st.tuples(st.sampled_from(list(Regime)), st.integers(1, 60)), max_size=10))
    regime = np.repeat([each.value for each, _ in spells], [SYMBOLS * days for _, days in spells])
    n_days = sum(days for _, days in spells)
    n = n_days * SYMBOLS
    champion = generator.dirichlet([1.0, 1.0, 1.0], n).reshape(n, 3)
    share = draw(st.sampled_from([0.0, 1e-9, 0.05, 0.5, 1.0]))
    toward = generator.dirichlet([1.0, 1.0, 1.0], n).reshape(n, 3)
    truth = generator.integers(0, 3, n)
    if draw(st.booleans()):
        toward = np.eye(3)[truth]
    return Evidence(
        date=np.repeat(np.datetime64("2012-01-01") + np.arange(n_days), SYMBOLS),
        symbol=np.tile(["A", "B", "C", "D"], n_days),
        regime=regime.astype(np.str_),
        truth=truth,
        candidate=(1 - share) * champion + share * toward,
        champion=champion,
        prior=np.full((n, 3), 1 / 3) if draw(st.booleans()) else None,
        classes=("sell", "hold", "buy"),
    )


def take(evidence: Evidence, rows: np.ndarray) -> Evidence:
    return Evidence(
        date=evidence.date[rows],
        symbol=evidence.symbol[rows],
        regime=evidence.regime[rows],
        truth=evidence.truth[rows],
        candidate=evidence.candidate[rows],
        champion=None if evidence.champion is None else evidence.champion[rows],
        prior=None if evidence.prior is None else evidence.prior[rows],
        classes=evidence.classes,
    )


@few
@given(evidences(), policies, st.integers(0, 50))
def test_judging_twice_gives_the_same_bytes(seen: Evidence, policy: Policy, judged_before: int) -> None:
    first, second = (judge(NEW, OLD, seen, policy, Ledger(judged_before=judged_before)) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert GateReport.from_json(first.to_json()) == first


@few
@given(evidences(), policies, st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_changes_no_byte(seen: Evidence, policy: Policy, seed: int) -> None:
    shuffled = take(seen, np.random.default_rng(seed).permutation(len(seen)))
    one, other = (judge(NEW, OLD, each, policy, Ledger()) for each in (seen, shuffled))
    assert one.to_json() == other.to_json()


@few
@given(evidences(), st.sampled_from(REGIMES), policies)
def test_an_absent_regime_never_passes_and_has_no_numbers(
    seen: Evidence, absent: Regime, policy: Policy
) -> None:
    without = take(seen, np.flatnonzero(seen.regime != absent.value))
    report = judge(NEW, OLD, without, policy, Ledger())
    told = report.of(absent)
    assert told.status is Status.INSUFFICIENT
    assert (told.mean, told.lcb, told.ucb, told.accuracy_mean, told.floor_mean) == (None,) * 5
    assert absent is not Regime.CRASH or report.verdict is not Verdict.PROMOTE


@few
@given(evidences(), policies)
def test_a_copy_of_the_champion_is_never_promoted_as_a_change(seen: Evidence, policy: Policy) -> None:
    assert seen.champion is not None
    report = judge(NEW, OLD, replace(seen, candidate=seen.champion), policy, Ledger())
    assert report.verdict in {Verdict.HOLD_EQUIVALENT, Verdict.HOLD_INSUFFICIENT, Verdict.REJECT}
    assert all(each.mean in {0.0, None} for each in report.regimes)


@few
@given(evidences(), policies)
def test_every_number_in_the_report_is_finite(seen: Evidence, policy: Policy) -> None:
    numbers: list[str] = []
    text = judge(NEW, OLD, seen, policy, Ledger()).to_json()
    json.loads(text, parse_float=numbers.append, parse_constant=numbers.append)
    assert len(numbers) >= 15
    assert all(math.isfinite(float(number)) for number in numbers)


@few
@given(evidences(), policies)
def test_swapping_the_models_turns_every_gain_around(seen: Evidence, policy: Policy) -> None:
    assert seen.champion is not None
    swapped = replace(seen, candidate=seen.champion, champion=seen.candidate)
    one, other = (judge(NEW, OLD, each, policy, Ledger()) for each in (seen, swapped))
    tested = [
        (a, b)
        for a, b in zip(one.regimes, other.regimes, strict=True)
        if a.mean is not None and b.lcb is not None
    ]
    assume(tested)
    for a, b in tested:
        assert a.mean == -(b.mean or 0.0)
        if policy.level(a.regime) == policy.alpha:
            assert (a.lcb, a.ucb) == (-(b.ucb or 0.0), -(b.lcb or 0.0))
        assert a.accuracy_mean == -(b.accuracy_mean or 0.0)


@few
@given(evidences(), policies)
def test_no_verdict_admits_while_a_regime_fails(seen: Evidence, policy: Policy) -> None:
    report = judge(NEW, OLD, seen, policy, Ledger())
    assert not (report.admits and Status.FAIL in {each.status for each in report.regimes})
    assert report.verdict is not Verdict.PROMOTE or report.of(Regime.CRASH).status is Status.PASS


@few
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=200), st.integers(2, 8))
def test_blocks_are_runs_of_days_of_nearly_equal_length(daily: list[float], blocks: int) -> None:
    means = np.array([part.mean() for part in np.array_split(np.array(daily), blocks)])
    test = block_test(np.array(daily), blocks)
    assert math.isclose(test.mean, means.mean(), abs_tol=1e-9)
    assert math.isclose(test.error, means.std(ddof=1) / math.sqrt(blocks), abs_tol=1e-9)


@few
@given(evidences(), policies)
def test_days_are_judged_as_their_rows(seen: Evidence, policy: Policy) -> None:
    full = judge(NEW, OLD, seen, policy, Ledger())
    told = judge_days(NEW, OLD, regime_days(seen, policy), policy, Ledger())
    assert (told.verdict, told.regimes, told.benefit) == (full.verdict, full.regimes, full.benefit)


@few
@given(evidences(), policies)
def test_harm_is_never_said_of_a_loss_that_is_within_every_margin(seen: Evidence, policy: Policy) -> None:
    report = judge(NEW, OLD, replace(seen, prior=None), policy, Ledger())
    for each in report.regimes:
        within = each.lcb is not None and each.lcb > -each.margin
        also = each.accuracy_lcb is not None and each.accuracy_lcb > -each.accuracy_margin
        assert each.status is not Status.FAIL or not (within and also)
