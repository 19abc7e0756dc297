from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.ablation import Ablation, paired_difference
from regime.archive_share import ArchiveDraw, draw_archive
from regime.error_replay import Replay, ReplaySettings, choose_replay
from regime.events import RareEvent
from regime.sampling import PRESETS, allot, sample, thin
from regime.types import REGIMES, Regime
from regime.weights import uniqueness_of_rows
from tests.examples import examples

PROPERTY = examples(100)
seeds = st.integers(0, 2**32 - 1)
counts = st.lists(st.integers(0, 60), min_size=5, max_size=5).filter(any)
presets = st.sampled_from(PRESETS)
caps = st.integers(1, 7)
START = np.datetime64("2001-01-01", "D")


def column(rows: list[int], seed: int) -> np.ndarray:
    """Give so many rows of each of the five regimes, in any order."""
    names = np.repeat([regime.value for regime in REGIMES], rows)
    return np.random.default_rng(seed).permutation(names)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@PROPERTY
@given(rows=counts, preset=presets, cap=caps, seed=seeds)
def test_as_many_rows_come_out_as_went_in_and_the_shares_add_up(
    rows: list[int], preset: str, cap: int, seed: int
) -> None:
    drawn = sample(column(rows, seed), preset, replication_max=cap, rng=rng(seed))
    account = drawn.account
    assert len(drawn.rows) == account.rows_out == sum(rows)
    assert sum(each.rows_out for each in account.by_regime.values()) == sum(rows)
    assert sum(each.share_asked for each in account.by_regime.values()) == pytest.approx(1)
    assert sum(each.share_got for each in account.by_regime.values()) == pytest.approx(1)
    assert 0 < account.rows_effective <= account.rows_distinct * (1 + 1e-12) <= sum(rows) * (1 + 1e-12)


@PROPERTY
@given(rows=counts, preset=presets, cap=caps, asked=st.integers(1, 400), seed=seeds)
def test_no_row_is_drawn_more_often_than_allowed_and_copies_of_a_regime_differ_by_one_at_most(
    rows: list[int], preset: str, cap: int, asked: int, seed: int
) -> None:
    regime = column(rows, seed)
    drawn = sample(regime, preset, rows=asked, replication_max=cap, rng=rng(seed))
    times = np.bincount(drawn.rows, minlength=len(regime))
    assert times.max() <= cap
    assert len(drawn.rows) == min(asked, cap * len(regime))
    assert (np.diff(drawn.rows) >= 0).all()
    for each, draw in drawn.account.by_regime.items():
        of_regime = times[regime == each.value]
        assert draw.rows_out == of_regime.sum()
        assert draw.replication == (of_regime.max() if len(of_regime) else None)
        assert not len(of_regime) or of_regime.max() - of_regime.min() <= 1


@PROPERTY
@given(rows=counts, preset=presets, cap=caps, seed=seeds)
def test_what_a_regime_could_not_give_is_stated_and_nothing_else_is(
    rows: list[int], preset: str, cap: int, seed: int
) -> None:
    account = sample(column(rows, seed), preset, replication_max=cap, rng=rng(seed)).account
    for each, draw in account.by_regime.items():
        gap = draw.share_asked - account.share_unfilled.get(each, 0.0) - draw.share_got
        is_full = draw.rows_out == cap * draw.rows_in
        assert each not in account.share_unfilled or is_full
        assert gap <= 1 / account.rows_out + 1e-12
    if all(rows):
        assert account.regimes_absent() == ()


@PROPERTY
@given(rows=counts, preset=presets, seed=seeds)
def test_a_sample_depends_on_the_seed_and_its_counts_on_neither_seed_nor_order(
    rows: list[int], preset: str, seed: int
) -> None:
    regime = column(rows, seed)
    first = sample(regime, preset, rng=rng(seed))
    assert first.rows.tolist() == sample(regime, preset, rng=rng(seed)).rows.tolist()
    assert first.account == sample(column(rows, seed + 1), preset, rng=rng(seed + 1)).account


@PROPERTY
@given(
    total=st.integers(0, 500),
    share=st.lists(st.floats(0, 1), min_size=4, max_size=4).map(np.array),
    capacity=st.lists(st.integers(0, 200), min_size=4, max_size=4).map(np.array),
)
def test_what_is_allotted_fits_and_adds_up(total: int, share: np.ndarray, capacity: np.ndarray) -> None:
    given_ = allot(total, share, capacity)
    assert (given_ >= 0).all()
    assert (given_ <= capacity).all()
    assert given_.sum() == min(total, capacity[share > 0].sum())


@PROPERTY
@given(seed=seeds, every=st.integers(1, 30), cut=st.integers(1, 2000))
def test_thinning_a_part_of_history_is_a_part_of_thinning_it_all(seed: int, every: int, cut: int) -> None:
    date = START + rng(seed).integers(0, 3000, 2500)
    late = date >= START + cut
    assert sorted(date[late][thin(date[late], every)].tolist()) == sorted(
        day for day in date[thin(date, every)].tolist() if day >= (START + cut).astype(object)
    )


def archive(seed: int) -> tuple[np.ndarray, np.ndarray, list[RareEvent], dict[str, Any], ArchiveDraw]:
    """Give rows of several symbols, events anywhere, and what was drawn of them."""
    source = rng(seed)
    date = START + source.integers(0, 2000, 1200)
    horizon_end = date + source.integers(1, 30, 1200)
    events = []
    for number in range(5):
        first = (START + source.integers(0, 2000)).astype(object)
        last = first + timedelta(days=int(source.integers(0, 120)))
        events.append(
            RareEvent(
                id=f"e{number}",
                first_day=first,
                last_day=last,
                regime=Regime.CRASH,
                weight=float(source.uniform(0.01, 1)),
            )
        )
    days: dict[str, Any] = {
        "window_from": START + int(source.integers(300, 900)),
        "before": START + int(source.integers(1100, 2000)),
        "share": float(source.uniform(0, 0.6)),
    }
    return date, horizon_end, events, days, draw_archive(date, horizon_end, events, **days, rng=rng(seed))


@PROPERTY
@given(seed=seeds)
def test_no_row_of_validation_and_none_of_an_event_that_reaches_into_it_is_drawn(seed: int) -> None:
    date, horizon_end, events, days, drawn = archive(seed)
    assert (date[drawn.rows] < days["before"]).all()
    assert (horizon_end[drawn.rows] < days["before"]).all()
    taken = date[drawn.rows[drawn.is_archive]]
    for event in events:
        first, last = np.datetime64(event.first_day), np.datetime64(event.last_day)
        inside = (date >= first) & (date <= last)
        if last >= days["before"] or (horizon_end[inside] >= days["before"]).any():
            assert not ((taken >= first) & (taken <= last)).any()
            assert drawn.by_event[event.id].none_because


@PROPERTY
@given(seed=seeds)
def test_the_window_is_whole_and_the_archive_adds_up(seed: int) -> None:
    date, horizon_end, events, days, drawn = archive(seed)
    window = (date >= days["window_from"]) & (horizon_end < days["before"])
    assert drawn.rows[~drawn.is_archive].tolist() == np.flatnonzero(window).tolist()
    assert len(np.unique(drawn.rows)) == len(drawn.rows)
    assert drawn.rows_archive == sum(each.rows_drawn for each in drawn.by_event.values())
    wanted = drawn.rows_window * days["share"] / (1 - days["share"])
    available = sum(each.rows_available for each in drawn.by_event.values())
    assert drawn.rows_archive == min(round(wanted), available)
    for event in events:
        account = drawn.by_event[event.id]
        assert account.rows_drawn <= account.rows_available
        assert (account.none_because is None) == (account.rows_drawn > 0)


@PROPERTY
@given(seed=seeds)
def test_an_archive_draw_depends_on_the_seed_and_its_counts_not_on_the_order(seed: int) -> None:
    date, horizon_end, events, days, drawn = archive(seed)
    same = draw_archive(date, horizon_end, events, **days, rng=rng(seed))
    order = rng(seed + 1).permutation(len(date))
    shuffled = draw_archive(date[order], horizon_end[order], events, **days, rng=rng(seed + 2))
    assert drawn.rows.tolist() == same.rows.tolist()
    assert drawn.by_event == shuffled.by_event


def predicted(seed: int, rows: int = 600) -> dict[str, np.ndarray]:
    """Give predicted rows, some of them twice, with ties in their losses."""
    source = rng(seed)
    date = START + source.integers(0, 500, rows)
    return {
        "symbol": source.choice(np.array(["AAA", "BBB", "CCC"]), rows),
        "date": date,
        "horizon_end": date + 15,
        "regime": source.choice(np.array([regime.value for regime in Regime]), rows),
        "truth": source.integers(0, 3, rows),
        "log_loss": source.gamma(2.0, size=rows).round(1),
        "member_class": source.integers(0, 3, (5, rows)),
        "replays": source.integers(0, 4, rows),
    }


def replayed(rows: dict[str, np.ndarray], training_rows: int = 100) -> Replay:
    return choose_replay(
        **rows,
        before=START + 450,
        training_rows=training_rows,
        settings=ReplaySettings(worst_share=0.3),
    )


@PROPERTY
@given(seed=seeds, training_rows=st.integers(0, 1000))
def test_replay_is_bounded_deduplicated_and_never_of_the_evaluation(seed: int, training_rows: int) -> None:
    rows = predicted(seed)
    replay = replayed(rows, training_rows)
    assert len(replay) <= 0.1 * training_rows
    assert len({*zip(replay.symbol.tolist(), replay.date.tolist(), strict=True)}) == len(replay)
    assert (rows["horizon_end"][replay.row] < START + 450).all()
    assert (START + 450 - replay.date <= np.timedelta64(365, "D")).all()
    assert (rows["replays"][replay.row] < 3).all()
    for row in replay.row.tolist():
        said, most = Counter(rows["member_class"][:, row].tolist()).most_common(1)[0]
        assert most <= 2 or said == rows["truth"][row]


@PROPERTY
@given(seed=seeds)
def test_the_replay_account_adds_up(seed: int) -> None:
    account = replayed(predicted(seed)).account
    total = account.total
    left_out = account.duplicates + account.regime_unknown + account.in_evaluation + account.aged_out
    assert left_out + total.candidates == account.rows_in == 600
    assert total.used_up + total.noise + total.over_cap + total.replayed == total.worst
    for each in account.by_regime.values():
        assert each.worst == int(0.3 * each.candidates)


@PROPERTY
@given(seed=seeds)
def test_the_order_of_predicted_rows_does_not_matter(seed: int) -> None:
    rows = predicted(seed)
    # Rows of one key agree on what is known of the key, as they do in life.
    key = np.unique(np.stack((rows["symbol"], rows["date"].astype(str))), axis=1, return_inverse=True)[1]
    for name in ("regime", "truth", "replays"):
        rows[name] = rows[name][np.unique(key, return_index=True)[1]][key]
    order = rng(seed + 1).permutation(600)
    shuffled = {name: values[..., order] for name, values in rows.items()}
    first, second = replayed(rows), replayed(shuffled)
    assert first.symbol.tolist() == second.symbol.tolist()
    assert first.date.tolist() == second.date.tolist()
    assert first.account == second.account


@PROPERTY
@given(seed=seeds)
def test_swapping_the_models_of_an_ablation_turns_its_means_and_reads_back(seed: int) -> None:
    source = rng(seed)
    rows = 900
    date = START + source.integers(0, 90, rows)
    regime = source.choice(np.array(["crash", "normal"]), rows)
    truth = source.integers(0, 3, rows)
    one, other = source.dirichlet(np.ones(3), (2, rows))
    forth = paired_difference(date, regime, truth, one, other, rng=rng(seed))
    back = paired_difference(date, regime, truth, other, one, rng=rng(seed))
    for there, here in zip(
        (forth.overall, *forth.regimes.values()), (back.overall, *back.regimes.values()), strict=True
    ):
        assert (there.log_loss is None) == (here.log_loss is None) == (there.rows == 0)
        if there.log_loss is not None and here.log_loss is not None:
            assert there.log_loss.mean == pytest.approx(-here.log_loss.mean, abs=1e-12)
            assert there.log_loss.interval is not None
            assert there.log_loss.interval.low <= there.log_loss.mean <= there.log_loss.interval.high
    assert Ablation.from_json(forth.to_json()) == forth


def uniqueness_by_hand(symbol: np.ndarray, date: np.ndarray, label_end: np.ndarray) -> list[float]:
    """Give the uniqueness of rows session by session, as the definition reads."""
    sessions = sorted({*date.tolist(), *label_end.tolist()})
    spans = [
        {(name, day) for day in sessions if first < day <= last}
        for name, first, last in zip(symbol.tolist(), date.tolist(), label_end.tolist(), strict=True)
    ]
    concurrent = Counter(cell for span in spans for cell in span)
    return [sum(1 / concurrent[cell] for cell in span) / len(span) for span in spans]


@PROPERTY
@given(seed=seeds, rows=st.integers(1, 60))
def test_the_uniqueness_of_rows_is_that_of_the_definition(seed: int, rows: int) -> None:
    source = rng(seed)
    symbol = source.choice(np.array(["AAA", "BB", "C"]), rows)
    date = START + source.integers(0, 40, rows)
    label_end = date + source.integers(1, 20, rows)
    found = uniqueness_of_rows(symbol, date, label_end)
    np.testing.assert_allclose(found, uniqueness_by_hand(symbol, date, label_end), rtol=1e-10)
    assert ((found > 0) & (found <= 1 + 1e-12)).all()
    order = source.permutation(rows)
    np.testing.assert_allclose(
        uniqueness_of_rows(symbol[order], date[order], label_end[order]), found[order], rtol=1e-12
    )
