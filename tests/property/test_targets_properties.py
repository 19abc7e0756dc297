from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from regime.targets import PENDING, TARGETS, average_uniqueness, compute_targets
from regime.types import Bars, TargetSpec
from tests.examples import examples

SHORT = TargetSpec(name="short", kind="first_touch", up=0.03, down=0.02, horizon_days=5)
SCALED = TargetSpec(name="scaled", kind="vol_scaled", up=0.8, down=1.1, horizon_days=6)

PROPERTY = examples(60)
seeds = st.integers(0, 2**32 - 1)
specs = st.sampled_from([SHORT, SCALED, TARGETS["reference"]])


def walk(seed: int, symbols: int = 3, longest: int = 190) -> Bars:
    """Give bars of symbols with their own histories, lengths and volatilities."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(symbols):
        length = int(rng.integers(1, longest))
        date = np.datetime64("2020-01-01", "D") + np.sort(rng.choice(2 * longest, length, replace=False))
        close = 50 * np.exp(np.cumsum(rng.normal(0, rng.uniform(0.001, 0.04), length)))
        parts.append(Bars.of_closes(f"S{number}", date, close))
    return Bars.concat(parts)


def with_closes(bars: Bars, close: np.ndarray) -> Bars:
    return Bars(
        symbol=bars.symbol,
        date=bars.date,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=close,
        volume=bars.volume,
    )


def touched_by_hand(bars: Bars, row: int, spec: TargetSpec) -> tuple[int, str, str]:
    """Give label, label_end and horizon_end of one row the slow way."""
    after = [at for at in range(row + 1, len(bars)) if bars.symbol[at] == bars.symbol[row]]
    after = after[: spec.horizon_days]
    full = len(after) == spec.horizon_days
    horizon_end = str(bars.date[after[-1]]) if full else "NaT"
    for at in after:
        change = bars.close[at] / bars.close[row] - 1
        if change >= spec.up:
            return 2, str(bars.date[at]), horizon_end
        if change <= -spec.down:
            return 0, str(bars.date[at]), horizon_end
    return (1, horizon_end, horizon_end) if full else (PENDING, "NaT", "NaT")


@PROPERTY
@given(seed=seeds)
def test_all_rows_at_once_give_what_each_row_gives_by_hand(seed: int) -> None:
    bars = walk(seed, longest=40)
    table = compute_targets(bars, SHORT)
    columns = (table.label.tolist(), table.label_end.astype(str), table.horizon_end.astype(str))
    found = [(label, str(end), str(horizon)) for label, end, horizon in zip(*columns, strict=True)]
    assert found == [touched_by_hand(bars, row, SHORT) for row in range(len(bars))]


@PROPERTY
@given(seed=seeds, spec=specs, row=st.integers(0, 10_000), factor=st.floats(0.2, 5.0))
def test_closes_after_its_label_end_do_not_change_a_label(
    seed: int, spec: TargetSpec, row: int, factor: float
) -> None:
    bars = walk(seed)
    before = compute_targets(bars, spec)
    known = np.flatnonzero(before.label != PENDING)
    assume(len(known))
    row = int(known[row % len(known)])
    later = (bars.symbol != bars.symbol[row]) | (bars.date > before.label_end[row])
    after = compute_targets(with_closes(bars, np.where(later, bars.close * factor, bars.close)), spec)
    assert after.label[row] == before.label[row]
    assert after.label_end[row] == before.label_end[row]


@PROPERTY
@given(seed=seeds, spec=specs, unit=st.floats(1e-3, 1e3))
def test_the_unit_of_prices_does_not_matter(seed: int, spec: TargetSpec, unit: float) -> None:
    bars = walk(seed)
    before, after = (compute_targets(each, spec) for each in (bars, with_closes(bars, bars.close * unit)))
    np.testing.assert_array_equal(after.label, before.label)
    np.testing.assert_array_equal(after.label_end, before.label_end)


@PROPERTY
@given(seed=seeds, spec=specs, cut=st.integers(0, 380))
def test_days_that_arrive_make_labels_known_and_change_none(seed: int, spec: TargetSpec, cut: int) -> None:
    bars = walk(seed)
    arrived = bars.date <= np.datetime64("2020-01-01", "D") + cut
    early, late = compute_targets(bars.take(arrived), spec), compute_targets(bars, spec)
    known = early.label != PENDING
    np.testing.assert_array_equal(early.label[known], late.label[arrived][known])
    np.testing.assert_array_equal(early.label_end[known], late.label_end[arrived][known])
    matured = early.matured
    np.testing.assert_array_equal(early.horizon_end[matured], late.horizon_end[arrived][matured])
    assert (late.label[arrived][matured] != PENDING).all()


@PROPERTY
@given(seed=seeds, dropped=st.integers(0, 60))
def test_history_older_than_sigma_looks_back_does_not_matter(seed: int, dropped: int) -> None:
    rng = np.random.default_rng(seed)
    date = np.datetime64("2020-01-01", "D") + np.arange(250)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, 250)))
    whole = compute_targets(Bars.of_closes("A", date, close), SCALED)
    part = compute_targets(Bars.of_closes("A", date[dropped:], close[dropped:]), SCALED)
    np.testing.assert_array_equal(part.label[126:], whole.label[dropped + 126 :])


@PROPERTY
@given(seed=seeds, spec=specs)
def test_dates_are_in_order_and_a_matured_row_is_known(seed: int, spec: TargetSpec) -> None:
    bars = walk(seed)
    table = compute_targets(bars, spec)
    known, matured = table.label != PENDING, table.matured
    assert known[matured].all()
    np.testing.assert_array_equal(known, ~np.isnat(table.label_end))
    assert (table.label_end[known] > bars.date[known]).all()
    assert (table.label_end[matured] <= table.horizon_end[matured]).all()
    assert (
        table.horizon_end[matured & (table.label == 1)] == table.label_end[matured & (table.label == 1)]
    ).all()


@PROPERTY
@given(seed=seeds)
def test_uniqueness_is_what_counting_by_hand_gives(seed: int) -> None:
    bars = walk(seed, longest=30)
    table = compute_targets(bars, SHORT)
    counted = np.random.default_rng(seed).random(len(bars)) < 0.7
    returns = {
        row: [
            at
            for at in range(len(bars))
            if bars.symbol[at] == bars.symbol[row] and bars.date[row] < bars.date[at] <= table.label_end[row]
        ]
        for row in np.flatnonzero(counted & (table.label != PENDING))
    }
    shared = [sum(at in covered for covered in returns.values()) for at in range(len(bars))]
    by_hand = np.full(len(bars), np.nan)
    for row, covered in returns.items():
        by_hand[row] = np.mean([1 / shared[at] for at in covered])
    np.testing.assert_allclose(average_uniqueness(bars, table, counted), by_hand, rtol=1e-9)
