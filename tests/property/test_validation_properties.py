from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regime.targets import compute_targets
from regime.types import REGIMES, Bars, Regime, TargetSpec
from regime.validation import WalkForward, regime_sets
from tests.examples import examples

PROPERTY = examples(60)
seeds = st.integers(0, 2**32 - 1)
settings_of_folds = st.builds(
    WalkForward,
    fold_years=st.integers(1, 3),
    train_years_min=st.floats(0.2, 2.0),
    train_years_max=st.none() | st.floats(2.0, 4.0),
    embargo_days=st.integers(0, 30),
    train_rows_min=st.just(5),
)


def market(seed: int, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give shuffled (symbol, date, horizon_end) rows of symbols with gaps, and the sessions of all."""
    rng = np.random.default_rng(seed)
    calendar = np.datetime64("2000-06-01", "D") + np.arange(2600)
    sessions = calendar[rng.random(2600) < rng.uniform(0.1, 0.9)]
    parts = []
    for number in range(3):
        present = sessions[rng.random(len(sessions)) < rng.uniform(0.3, 1.0)]
        parts.append(Bars.of_closes(f"S{number}", present, np.ones(len(present))))
    bars = Bars.concat(parts)
    spec = TargetSpec(name="any", kind="first_touch", up=0.1, down=0.1, horizon_days=horizon)
    order = rng.permutation(len(bars))
    horizon_end = compute_targets(bars, spec).horizon_end
    return bars.symbol[order], bars.date[order], horizon_end[order], np.unique(bars.date)


@PROPERTY
@given(seed=seeds, horizon=st.integers(1, 20), walk=settings_of_folds)
def test_every_training_horizon_and_the_embargo_are_over_before_the_first_validation_day(
    seed: int, horizon: int, walk: WalkForward
) -> None:
    _, date, horizon_end, sessions = market(seed, horizon)
    plan = walk.plan(date, horizon_end, sessions)
    assert plan.folds or plan.left_out
    for fold in plan.folds:
        first = date[fold.validate].min()
        last = horizon_end[fold.train].max()
        assert date[fold.train].max() < last < first
        assert ((sessions > last) & (sessions < first)).sum() >= walk.embargo_days
        assert not np.isnat(horizon_end[fold.train]).any()
        assert not np.isnat(horizon_end[fold.validate]).any()
        assert (fold.train_to, fold.validate_from) == (date[fold.train].max(), first)


@PROPERTY
@given(seed=seeds, horizon=st.integers(1, 20), walk=settings_of_folds)
def test_no_row_that_could_train_is_left_out(seed: int, horizon: int, walk: WalkForward) -> None:
    _, date, horizon_end, sessions = market(seed, horizon)
    for fold in walk.plan(date, horizon_end, sessions).folds:
        year = int(fold.name[:4])
        before = sessions[sessions < np.datetime64(f"{year}-01-01", "D")]
        deadline = before[len(before) - 1 - walk.embargo_days]
        fits = horizon_end <= deadline
        if walk.train_years_max is None:
            np.testing.assert_array_equal(fold.train, np.flatnonzero(fits))
        else:
            assert fits[fold.train].all()


@PROPERTY
@given(seed=seeds, horizon=st.integers(1, 20), walk=settings_of_folds)
def test_every_matured_row_is_validated_once_or_its_block_is_named(
    seed: int, horizon: int, walk: WalkForward
) -> None:
    _, date, horizon_end, sessions = market(seed, horizon)
    plan = walk.plan(date, horizon_end, sessions)
    validated = np.concatenate([np.empty(0, np.intp), *(fold.validate for fold in plan.folds)])
    assert len(np.unique(validated)) == len(validated)
    rest = np.setdiff1d(np.flatnonzero(~np.isnat(horizon_end)), validated)
    years = date[rest].astype("datetime64[Y]").astype(int) + 1970
    blocks = {int(year) // walk.fold_years * walk.fold_years for year in years}
    assert blocks == {int(name[:4]) for name in plan.left_out}


@PROPERTY
@given(seed=seeds, horizon=st.integers(1, 20), walk=settings_of_folds, cut=st.integers(300, 2600))
def test_days_that_arrive_leave_finished_folds_as_they_were(
    seed: int, horizon: int, walk: WalkForward, cut: int
) -> None:
    symbol, date, horizon_end, sessions = market(seed, horizon)
    today = np.datetime64("2000-06-01", "D") + cut
    seen = np.flatnonzero(date <= today)
    known_then = np.where(horizon_end[seen] <= today, horizon_end[seen], np.datetime64("NaT", "D"))
    then = walk.plan(date[seen], known_then, sessions[sessions <= today]).folds
    now = {fold.name: fold for fold in walk.plan(date, horizon_end, sessions).folds}
    for fold in then:
        later = now[fold.name]
        np.testing.assert_array_equal(seen[fold.train], later.train)
        was_waiting = ~(horizon_end[later.validate] <= today)
        np.testing.assert_array_equal(seen[fold.validate], later.validate[~was_waiting])
        assert len(np.unique(symbol[later.validate])) <= 3


@PROPERTY
@given(regimes=st.lists(st.sampled_from([regime.value for regime in Regime]), max_size=60))
def test_the_five_sets_and_the_unknown_rows_are_all_rows(regimes: list[str]) -> None:
    sets = regime_sets(np.array(regimes, dtype=np.str_))
    together = np.sort(np.concatenate([sets[regime] for regime in REGIMES]))
    assert together.tolist() == [row for row, name in enumerate(regimes) if name != "unknown"]
