"""What holds of the volatility inputs on any market: no look-ahead, no scale, a bounded memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.barrier import forecast
from regime.barrier.inputs import COLUMNS, LOOK_BACK_SESSIONS, volatility_inputs
from regime.barrier.members import BARRIER_MEMBERS, BarrierHistory, BarrierRows, learn_barrier
from regime.barrier.parameters import TREES
from regime.types import Bars, TargetSpec
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from regime.barrier.inputs import VolatilityInputs

HORIZON = 14
SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
PRICES = ("open", "high", "low", "close")


def weekdays(count: int, first: str = "2010-01-04") -> NDArray[np.datetime64]:
    return np.busday_offset(np.datetime64(first), np.arange(count))


def bars_of(symbol: str, days: NDArray[np.datetime64], rng: np.random.Generator) -> Bars:
    """Give bars with a range, gaps over night, slow volatility and volume."""
    count = len(days)
    sigma = 0.012 * np.exp(np.cumsum(rng.normal(size=count)) * 0.04)
    night, day = rng.normal(size=(2, count)) * sigma * [[0.5], [1.0]]
    close = 50 * np.exp(np.cumsum(night + day))
    open_ = close / np.exp(day)
    reach = np.abs(rng.normal(size=(2, count))) * sigma
    return Bars(
        symbol=np.full(count, symbol),
        date=days,
        open=open_,
        high=np.maximum(open_, close) * np.exp(reach[0]),
        low=np.minimum(open_, close) * np.exp(-reach[1]),
        close=close,
        volume=np.exp(rng.normal(size=count)) * 1e6,
    )


def market(count: int, seed: int, symbols: int = 3) -> tuple[Bars, Bars, Bars]:
    """Give bars, index and fear; one symbol has holes, one no volume, one closes only."""
    rng, days = np.random.default_rng(seed), weekdays(count)
    each = [bars_of(f"S{at}", days, rng) for at in range(symbols)]
    each[0] = each[0].take(rng.random(count) > 0.03)
    each[1] = replace(each[1], volume=np.full(count, np.nan))
    each[2] = Bars.of_closes("S2", days, each[2].close.tolist())
    index = bars_of("^I", days, rng)
    fear = 20 * np.exp(np.cumsum(rng.normal(size=count)) * 0.03)
    return Bars.concat(each), index, Bars.of_closes("^F", days, fear.tolist())


def inputs_of(parts: tuple[Bars, Bars, Bars]) -> VolatilityInputs:
    return volatility_inputs(*parts, horizon_days=HORIZON)


def up_to(bars: Bars, day: np.datetime64) -> Bars:
    return bars.take(bars.date <= day)


def scaled(bars: Bars, factor: float) -> Bars:
    return replace(bars, **{name: getattr(bars, name) * factor for name in PRICES})


def assert_same(one: NDArray[np.float64], other: NDArray[np.float64], tolerance: float = 1e-12) -> None:
    assert one.shape == other.shape
    assert len(one)
    assert np.array_equal(np.isnan(one), np.isnan(other))
    assert np.nanmax(np.abs(one - other), initial=0.0) <= tolerance


@examples(4)
@given(seed=st.integers(0, 2**16), cut=st.integers(280, 420))
def test_bars_that_are_not_there_yet_change_no_bit(seed: int, cut: int) -> None:
    whole = market(450, seed)
    day = weekdays(450)[cut]
    now = inputs_of((up_to(whole[0], day), up_to(whole[1], day), up_to(whole[2], day)))
    later, before = inputs_of(whole), whole[0].date <= day
    assert_same(now.values, later.values[before], tolerance=0)
    matured = np.isfinite(now.forward_variance)
    assert matured.sum() > 700
    assert np.array_equal(now.forward_variance[matured], later.forward_variance[before][matured])


@examples(4)
@given(seed=st.integers(0, 2**16), cut=st.integers(280, 420))
def test_other_later_bars_change_nothing_before_them(seed: int, cut: int) -> None:
    whole = market(450, seed)
    day = weekdays(450)[cut]

    def changed(bars: Bars, factor: float) -> Bars:
        late = np.where(bars.date > day, factor, 1.0)
        prices = {name: getattr(bars, name) * late for name in PRICES}
        return replace(bars, **prices, volume=bars.volume * late)

    other = (changed(whole[0], 3.0), changed(whole[1], 0.5), changed(whole[2], 2.0))
    before = whole[0].date <= day
    ours, theirs = inputs_of(whole), inputs_of(other)
    assert_same(ours.values[before], theirs.values[before])
    assert not np.array_equal(ours.values[~before], theirs.values[~before], equal_nan=True)


@examples(4)
@given(seed=st.integers(0, 2**16), last=st.integers(1, 40), count=st.integers(300, 700))
def test_the_last_sessions_alone_are_those_of_the_whole_table(seed: int, last: int, count: int) -> None:
    bars, index, fear = market(count, seed)
    tail = volatility_inputs(bars, index, fear, horizon_days=None, last_sessions=last)
    asked = bars.date >= np.unique(bars.date)[-last]
    assert_same(tail.values, inputs_of((bars, index, fear)).values[asked], 1e-9)
    assert np.isnan(tail.forward_variance).all()


@examples(3)
@given(seed=st.integers(0, 2**16), factor=st.sampled_from([0.01, 7.0, 1000.0]))
def test_the_scale_of_prices_and_of_the_index_is_of_no_consequence(seed: int, factor: float) -> None:
    bars, index, fear = market(400, seed)
    ours = inputs_of((bars, index, fear))
    theirs = inputs_of((scaled(bars, factor), scaled(index, 1 / factor), fear))
    assert_same(ours.values, theirs.values, 1e-6)
    assert_same(ours.forward_variance, theirs.forward_variance, 1e-9)


def test_the_last_sessions_are_enough_for_the_last_days_values() -> None:
    bars, index, fear = market(LOOK_BACK_SESSIONS + 500, 3)
    start = weekdays(LOOK_BACK_SESSIONS + 500)[-LOOK_BACK_SESSIONS]
    tail = inputs_of(tuple(each.take(each.date >= start) for each in (bars, index, fear)))  # type: ignore[arg-type]  # three
    whole = inputs_of((bars, index, fear))
    last = bars.date == bars.date.max()
    last_of_tail = bars.date[bars.date >= start] == bars.date.max()
    assert_same(tail.values[last_of_tail], whole.values[last], 1e-6)


def test_after_two_years_only_what_cannot_be_known_is_unknown() -> None:
    parts = market(600, 2)
    bars, values = parts[0], inputs_of(parts).values
    unknown = {
        symbol: {COLUMNS[at] for at in np.flatnonzero(np.isnan(values[bars.symbol == symbol][-1]))}
        for symbol in ("S0", "S1", "S2")
    }
    no_volume = {"volume_5_20", "volume_1_20", "rank_volume"}
    assert unknown["S1"] >= no_volume
    assert unknown["S2"] >= no_volume
    assert np.isfinite(values[bars.symbol == "S1"][-1, : COLUMNS.index("month_excess")]).all()


def test_forward_variance_is_of_the_next_bars_and_unknown_at_the_end() -> None:
    days = weekdays(60)
    closes = Bars.of_closes("AAA", days, (100 * np.exp(np.cumsum(np.full(60, 0.01)))).tolist())
    fear = Bars.of_closes("^F", days, [20.0] * 60)
    ahead = volatility_inputs(closes, closes, fear, horizon_days=HORIZON).forward_variance
    assert len(ahead) == 60
    assert ahead[:46] == pytest.approx(np.full(46, 1e-4), rel=1e-9)
    assert np.isnan(ahead[46:]).all()


# The members' history


@pytest.fixture(autouse=True, scope="module")
def trees_of_few_rows() -> Iterator[None]:
    """Let the trees be fitted on the few rows that there is time for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast, "TREES_ROWS_MIN", 500)
        patch.setattr(forecast, "TREES", {**TREES, "min_data_in_leaf": 40})
        yield


def rows_of(seed: int, days: int = 900, symbols: int = 8) -> BarrierRows:
    """Give inputs and outcomes without any relation: what is said must still not look ahead."""
    rng = np.random.default_rng(seed)
    date = np.repeat(weekdays(days, "2015-01-05"), symbols)
    values = rng.normal(size=(len(date), len(COLUMNS)))
    values[:, :2] = -8.3 + 0.5 * values[:, :2]
    values[rng.random(values.shape) < 0.02] = np.nan
    values[:, 0] = np.where(np.isnan(values[:, 0]), -8.3, values[:, 0])
    return BarrierRows(
        date=date,
        horizon_end=np.busday_offset(date, 5),
        y=rng.integers(0, 3, size=len(date)),
        values=values.astype(np.float32),
        forward_variance=np.exp(-8.3 + 0.6 * rng.normal(size=len(date))),
        target=SPEC,
    )


def learnt(rows: BarrierRows) -> BarrierHistory:
    return learn_barrier(rows, embargo_days=10, seed=1)


def cut_to(rows: BarrierRows, count: int) -> BarrierRows:
    names = ("date", "horizon_end", "y", "values", "forward_variance")
    return replace(rows, **{name: getattr(rows, name)[:count] for name in names})


@examples(2)
@given(seed=st.integers(0, 2**16), cut=st.integers(4500, 7000))
def test_what_the_members_said_is_never_moved_by_later_rows(seed: int, cut: int) -> None:
    rows = rows_of(seed)
    cut -= cut % 8
    now, later = learnt(cut_to(rows, cut)), learnt(rows)
    assert tuple(now.log_proba) == tuple(BARRIER_MEMBERS)
    for name, said in now.log_proba.items():
        assert np.array_equal(said, later.log_proba[name][:cut])
    for source, sigma in now.sigma.items():
        assert np.array_equal(sigma, later.sigma[source][:cut])


def test_outcomes_that_had_not_matured_before_the_quarter_do_not_reach_it() -> None:
    rows = rows_of(4)
    start = np.datetime64("2018-01-01")
    unripe = np.busday_offset(rows.horizon_end, 10) >= start
    changed = replace(
        rows,
        y=np.where(unripe, (rows.y + 1) % 3, rows.y),
        forward_variance=np.where(unripe, 9 * rows.forward_variance, rows.forward_variance),
    )
    of_quarter = (rows.date >= start) & (rows.date < np.datetime64("2018-04-01"))
    ours, theirs = learnt(rows), learnt(changed)
    assert of_quarter.sum() > 400
    for name in BARRIER_MEMBERS:
        assert np.array_equal(ours.log_proba[name][of_quarter], theirs.log_proba[name][of_quarter])
        assert not np.array_equal(ours.log_proba[name][-8:], theirs.log_proba[name][-8:])


def test_one_symbol_alone_has_no_variance_of_its_own_and_no_neighbours() -> None:
    rng, days = np.random.default_rng(8), weekdays(400)
    alone = bars_of("AAA", days, rng)
    found = volatility_inputs(alone, alone, Bars.of_closes("^F", days, [20.0] * 400), horizon_days=HORIZON)
    assert np.isfinite(found.column("month")[-1])
    assert np.isnan(found.column("idiosyncratic")).all()
    assert not np.isinf(found.values).any()


def test_the_trees_take_part_in_the_history() -> None:
    history = learnt(rows_of(2))
    assert history.model.forecaster.trees is not None
    last = history.sigma["trees"][-8:]
    assert len(last) == 8
    assert not np.array_equal(last, history.sigma["har"][-8:])
