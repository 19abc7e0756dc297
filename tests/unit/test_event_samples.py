"""The samples of a rare event: which rows they are, and what an event that has none says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from regime.event_samples import (
    LOOK_BACK_BARS,
    EventEmptyError,
    EventInputs,
    cut_inputs,
    event_samples,
    missing_days,
)
from regime.events import RareEvent
from regime.features import catalogue_hash, compute_features
from regime.labels import effective_fear, label_days, labeler_named
from regime.simulator import SimulationSettings, simulate
from regime.targets import compute_targets, target_named
from regime.types import Bars, Regime, RegimeSeries

SPEC = target_named("reference")
EVENT = RareEvent(
    id="x", first_day=date(2006, 6, 1), last_day=date(2006, 7, 31), regime=Regime.CRASH, weight=0.1
)


class Market:
    """Three stocks, their index and its fear; one stock begins late, one ends early."""

    def __init__(self) -> None:
        bars = simulate(SimulationSettings(symbols=3, days=560), np.random.default_rng(4)).bars
        late = (bars.symbol == "S002") & (bars.date < np.datetime64("2005-07-01"))
        early = (bars.symbol == "S003") & (bars.date > np.datetime64("2006-07-20"))
        self.index = bars.of_symbol("^SIM")
        self.fear = effective_fear(self.index, bars.of_symbol("^SIMVIX"))
        self.labels: RegimeSeries = label_days(
            self.index, bars.of_symbol("^SIMVIX"), labeler_named("rules", has_fear=True)
        )
        self.bars = bars.take(np.isin(bars.symbol, ["S001", "S002", "S003"]) & ~late & ~early)

    def cut(self, event: RareEvent = EVENT, bars: Bars | None = None) -> EventInputs:
        return cut_inputs(
            event,
            self.bars if bars is None else bars,
            index=self.index,
            fear=self.fear,
            labels=self.labels,
            target=SPEC,
        )


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


def test_samples_are_the_rows_that_the_whole_history_gives(market: Market) -> None:
    samples = event_samples(market.cut(), SPEC)
    table = compute_features(market.bars, index=market.index, fear=market.fear)
    targets = compute_targets(market.bars, SPEC)
    inside = (market.bars.date >= np.datetime64(EVENT.first_day)) & (
        market.bars.date <= np.datetime64(EVENT.last_day)
    )
    complete = np.isfinite(np.asarray(table.values, dtype=np.float32)).all(axis=1)
    rows = np.flatnonzero(inside & complete & targets.matured)
    assert len(rows) > 80
    assert samples.symbol.tolist() == market.bars.symbol[rows].tolist()
    assert samples.date.tolist() == market.bars.date[rows].tolist()
    assert samples.target.tolist() == targets.label[rows].tolist()
    assert samples.label_end.tolist() == targets.label_end[rows].tolist()
    assert samples.horizon_end.tolist() == targets.horizon_end[rows].tolist()
    np.testing.assert_allclose(samples.values, table.values[rows].astype(np.float32), rtol=1e-5, atol=1e-7)
    assert (samples.feature_names, samples.catalogue_hash) == (table.names, catalogue_hash())


def test_a_row_has_the_label_of_its_own_day(market: Market) -> None:
    samples = event_samples(market.cut(), SPEC)
    labels = dict(zip(market.labels.date.tolist(), market.labels.regime, strict=True))
    assert samples.label.tolist() == [labels[day].value for day in samples.date.tolist()]
    assert sum(samples.label_counts().values()) == len(samples)
    assert set(samples.label_counts()) == {regime.value for regime in Regime}


def test_rows_that_are_no_samples_are_counted_by_their_reason(market: Market) -> None:
    samples = event_samples(market.cut(), SPEC)
    sessions = int(
        (
            (market.index.date >= np.datetime64(EVENT.first_day))
            & (market.index.date <= np.datetime64(EVENT.last_day))
        ).sum()
    )
    ended = int((market.bars.of_symbol("S003").date >= np.datetime64(EVENT.first_day)).sum())
    assert samples.left_out.features_incomplete > 0
    assert samples.left_out.target_not_matured == SPEC.horizon_days
    left_out = samples.left_out.features_incomplete + samples.left_out.target_not_matured
    assert len(samples) + left_out == 2 * sessions + ended


def test_every_value_of_a_sample_is_known(market: Market) -> None:
    samples = event_samples(market.cut(), SPEC)
    assert samples.values.dtype == np.float32
    assert np.isfinite(samples.values).all()
    assert sum(samples.class_counts().values()) == len(samples)


def test_what_is_cut_out_is_what_samples_depend_on_and_no_more(market: Market) -> None:
    inputs = market.cut()
    own = inputs.bars.of_symbol("S001")
    assert int((own.date < np.datetime64(EVENT.first_day)).sum()) == LOOK_BACK_BARS
    assert int((own.date > np.datetime64(EVENT.last_day)).sum()) == SPEC.horizon_days
    assert inputs.index.date[-1] <= np.datetime64(EVENT.last_day)


def with_close(bars: Bars, day: str, factor: float) -> Bars:
    changed = bars.date == np.datetime64(day)
    assert changed.any()
    scale = np.where(changed, factor, 1.0)
    return replace(
        bars,
        open=bars.open * scale,
        high=bars.high * scale,
        low=bars.low * scale,
        close=bars.close * scale,
    )


@pytest.mark.parametrize(
    ("day", "is_other"),
    [("2005-01-17", False), ("2006-01-16", True), ("2006-06-15", True), ("2006-08-04", True),
     ("2006-12-15", False)],
    ids=["before the look-back", "in the look-back", "in the event", "in the horizon", "after the horizon"],
)  # fmt: skip
def test_the_digest_tells_whether_a_bar_matters(market: Market, day: str, *, is_other: bool) -> None:
    restated = with_close(market.bars, day, 1.01)
    assert (market.cut(bars=restated).digest() != market.cut().digest()) is is_other


def test_the_digest_tells_another_labeler_label_and_window(market: Market) -> None:
    inputs = market.cut()
    digests = {
        inputs.digest(),
        replace(inputs, labeler="other").digest(),
        replace(inputs, labels={**inputs.labels, "2006-06-01": Regime.UNKNOWN}).digest(),
        replace(inputs, event=replace(EVENT, last_day=date(2006, 7, 30))).digest(),
    }
    assert len(digests) == 4


def test_an_event_without_a_bar_says_so(market: Market) -> None:
    with pytest.raises(EventEmptyError, match="no symbol has a bar from 2006-06-01 to 2006-07-31"):
        event_samples(market.cut(bars=Bars.empty()), SPEC)


def test_an_event_whose_symbols_are_too_young_says_what_they_have(market: Market) -> None:
    young = market.bars.take(
        (market.bars.symbol == "S001") & (market.bars.date >= np.datetime64("2006-05-01"))
    )
    with pytest.raises(EventEmptyError, match=r"of its 43 bars .* 43 lack features .* by symbol: S001 80"):
        event_samples(market.cut(bars=young), SPEC)


def test_an_event_waits_for_the_look_back_and_for_the_horizon_of_its_index(market: Market) -> None:
    assert missing_days(EVENT, market.index, SPEC) is None
    early = market.index.take(market.index.date > np.datetime64("2005-12-30"))
    assert missing_days(EVENT, early, SPEC) == "the index has 108 bars before 2006-06-01, 258 are needed"
    short = market.index.take(market.index.date <= np.datetime64("2006-08-04"))
    assert missing_days(EVENT, short, SPEC) == "the index has 4 bars after 2006-07-31, 14 are needed"
