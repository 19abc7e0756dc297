"""What pools said of a day depends on nothing that matured later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.models.pool import CALIBRATIONS, POOLS
from regime.pooling import PoolRows, pool_rows
from regime.types import REGIMES
from tests.examples import examples

if TYPE_CHECKING:
    from regime.pooling import LogProba

NAMES = np.array([regime.value for regime in REGIMES])
SYMBOLS = 4


def rows_of(seed: int, days: int = 600) -> PoolRows:
    """Give two models and a barrier member over two years and more, four symbols a day."""
    rng = np.random.default_rng(seed)
    date = np.repeat(np.busday_offset(np.datetime64("2018-01-02"), np.arange(days)), SYMBOLS)
    count = len(date)
    true = rng.dirichlet(np.full(3, 2.0), size=count)
    y = (rng.random(count)[:, np.newaxis] > true.cumsum(axis=1)).sum(axis=1).astype(np.int64)

    def near(noise: float) -> LogProba:
        blurred = true ** (1 / (1 + noise)) * np.exp(noise * rng.normal(size=true.shape))
        return np.asarray(np.log(blurred / blurred.sum(axis=1, keepdims=True)))

    prior = np.full((count, 3), 1 / 3)
    return PoolRows(
        date=date,
        horizon_end=np.busday_offset(date, 10),
        regime=rng.choice(NAMES, size=count),
        y=y,
        models={"one": near(0.3), "two": near(0.8)},
        barriers={"barrier": near(0.5)},
        prior=prior,
        barrier=prior,
        embargo_days=10,
    )


def cut_to(rows: PoolRows, count: int) -> PoolRows:
    return replace(
        rows,
        **{
            name: getattr(rows, name)[:count]
            for name in ("date", "horizon_end", "regime", "y", "prior", "barrier")
        },
        models={name: each[:count] for name, each in rows.models.items()},
        barriers={name: each[:count] for name, each in rows.barriers.items()},
    )


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("kind", POOLS)
@examples(2)
@given(seed=st.integers(0, 2**16), days=st.integers(300, 590))
def test_later_rows_move_nothing_that_was_said(kind: str, calibration: str, seed: int, days: int) -> None:
    rows = rows_of(seed)
    count = days * SYMBOLS
    now, later = pool_rows(cut_to(rows, count), kind, calibration), pool_rows(rows, kind, calibration)
    assert np.array_equal(now.proba, later.proba[:count])
    assert now.proba.sum(axis=1) == pytest.approx(np.ones(count), abs=1e-9)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("kind", POOLS)
def test_a_day_does_not_know_its_own_outcome_nor_those_of_the_horizon_before(
    kind: str, calibration: str
) -> None:
    rows = rows_of(1)
    day = rows.date[-1]
    unripe = rows.horizon_end >= day
    changed = replace(rows, y=np.where(unripe, (rows.y + 1) % 3, rows.y))
    of_day = rows.date == day
    ours, theirs = pool_rows(rows, kind, calibration), pool_rows(changed, kind, calibration)
    assert of_day.sum() == SYMBOLS
    assert np.array_equal(ours.proba[of_day], theirs.proba[of_day])


def test_a_model_that_failed_in_a_fold_gives_its_weight_to_the_others_there() -> None:
    rows = rows_of(2)
    failed = rows.date < np.datetime64("2019-01-01")
    models = {**rows.models, "one": np.where(failed[:, np.newaxis], np.nan, rows.models["one"])}
    with_hole = replace(rows, models=models)
    mean = pool_rows(with_hole, "mean", "none").proba
    assert mean[failed] == pytest.approx(np.exp(rows.models["two"][failed]), abs=1e-12)
    for kind in POOLS:
        proba = pool_rows(with_hole, kind, "regime").proba
        assert np.isfinite(proba).all()
        assert proba.sum(axis=1) == pytest.approx(np.ones(len(proba)), abs=1e-9)
    assert tuple(pool_rows(with_hole, "stacking", "none").pool.weights) == ("two", "barrier")


def test_the_pool_of_tomorrow_says_what_the_last_day_would_have_been_told() -> None:
    rows = rows_of(3)
    for kind in POOLS:
        pooled = pool_rows(rows, kind, "none")
        assert pooled.pool.kind == kind
        said = pooled.pool.combine(rows.members(), rows.regime)
        assert np.abs(said[-SYMBOLS:] - pooled.proba[-SYMBOLS:]).max() < 0.1


def test_barrier_members_alone_are_a_mean_too() -> None:
    rows = replace(rows_of(4), models={})
    pooled = pool_rows(rows, "mean", "none")
    assert pooled.proba == pytest.approx(np.exp(rows.barriers["barrier"]), abs=1e-12)
    assert dict(pooled.pool.weights) == {"barrier": 1.0}


def test_calibration_helps_who_is_too_sure_and_is_kept_for_tomorrow() -> None:
    rows = rows_of(5)
    sure = {name: 3 * each for name, each in rows.models.items()}
    rows = replace(
        rows,
        models={name: each - np.log(np.exp(each).sum(axis=1))[:, np.newaxis] for name, each in sure.items()},
    )
    raw, better = pool_rows(rows, "mean", "none"), pool_rows(rows, "mean", "regime")
    late = rows.date >= np.datetime64("2019-01-01")
    loss = [-np.log(each.proba[late, rows.y[late]]).mean() for each in (raw, better)]
    assert loss[1] < loss[0] - 0.02
    assert raw.pool.calibration is None
    assert better.pool.calibration is not None
