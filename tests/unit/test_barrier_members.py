"""The barrier members, their history and what the registry keeps of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from regime.barrier import forecast
from regime.barrier.inputs import COLUMNS
from regime.barrier.members import (
    BARRIER_MEMBERS,
    BarrierHistory,
    BarrierRows,
    correct_series,
    learn_barrier,
    learnable_rows,
)
from regime.barrier.parameters import TREES
from regime.barrier.parts import model_of, parts_of
from regime.fit_jobs import hash_array
from regime.models.fitted import ModelPartsError
from regime.targets import LOWER, NEITHER, UPPER, target_named
from registry.formats import dump_model, load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from regime.fit_jobs import Array

SPEC = target_named("reference")
SYMBOLS, DAYS = 10, 700
LEVEL, FEAR = COLUMNS.index("log_ewma"), COLUMNS.index("log_fear")


def rows_of(seed: int, drift: float = 0.0) -> BarrierRows:
    """Give symbols of known volatility whose outcome is that of fourteen simulated closes."""
    rng = np.random.default_rng(seed)
    date = np.repeat(np.busday_offset(np.datetime64("2015-01-05"), np.arange(DAYS)), SYMBOLS)
    log_variance = np.log(0.02**2) + 0.8 * rng.normal(size=len(date))
    sigma = np.exp(log_variance / 2)
    paths = np.cumsum(drift + sigma[:, np.newaxis] * rng.normal(size=(len(date), 14)), axis=1)
    values = rng.normal(size=(len(date), len(COLUMNS))).astype(np.float32)
    values[:, LEVEL] = values[:, FEAR] = log_variance
    values[rng.random(values.shape) < 0.01] = np.nan
    values[:, LEVEL] = log_variance
    return BarrierRows(
        date=date,
        horizon_end=np.busday_offset(date, 14),
        y=_outcome(paths),
        values=values,
        forward_variance=np.exp(log_variance + 0.1 * rng.normal(size=len(date))),
        target=SPEC,
    )


def _outcome(paths: NDArray[np.float64]) -> NDArray[np.int64]:
    never = paths.shape[1]

    def first(touched: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.asarray(np.where(touched.any(axis=1), touched.argmax(axis=1), never))

    up, down = first(paths >= np.log1p(SPEC.up)), first(paths <= np.log1p(-SPEC.down))
    return np.where(up < down, UPPER, np.where(down < up, LOWER, NEITHER)).astype(np.int64)


def loss(said: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    return float(-said[np.arange(len(y)), y].mean())


@pytest.fixture(autouse=True, scope="module")
def _trees_of_few_rows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast, "TREES_ROWS_MIN", 500)
        patch.setattr(forecast, "TREES", {**TREES, "min_data_in_leaf": 40})
        yield


@pytest.fixture(scope="module")
def rows() -> BarrierRows:
    return rows_of(1)


@pytest.fixture(scope="module")
def history(rows: BarrierRows) -> BarrierHistory:
    return learn_barrier(rows, embargo_days=10, seed=1)


def test_every_member_says_a_probability_of_every_row(rows: BarrierRows, history: BarrierHistory) -> None:
    assert tuple(history.log_proba) == ("barrier_fear", "barrier", "barrier_offset", "barrier_trees")
    for said in history.log_proba.values():
        assert said.shape == (len(rows.date), 3)
        assert np.exp(said).sum(axis=1) == pytest.approx(np.ones(len(said)), abs=1e-9)


def test_of_a_random_walk_the_barrier_says_nearly_all_that_can_be_said(
    rows: BarrierRows, history: BarrierHistory
) -> None:
    late = rows.date >= np.datetime64("2016-07-01")
    shares = np.log(np.bincount(rows.y[~late]) / (~late).sum())
    prior = loss(np.tile(shares, (int(late.sum()), 1)), rows.y[late])
    known = loss(rows.raw(np.exp(rows.values[:, LEVEL].astype(np.float64) / 2))[late], rows.y[late])
    said = loss(history.log_proba["barrier"][late], rows.y[late])
    assert prior - known > 0.1
    assert said < known + 0.01


def test_before_there_is_enough_the_series_is_taken_as_it_is(
    rows: BarrierRows, history: BarrierHistory
) -> None:
    first = rows.date < np.datetime64("2015-04-01")
    assert first.sum() > 500
    for name, member in BARRIER_MEMBERS.items():
        assert np.array_equal(history.log_proba[name][first], history.raw[member.source][first])


def test_a_drift_that_the_formula_does_not_know_is_learnt_from_what_came() -> None:
    rows = rows_of(2, drift=0.004)
    history = learn_barrier(rows, embargo_days=10, seed=1)
    late = rows.date >= np.datetime64("2016-07-01")
    came = np.bincount(rows.y[late]) / late.sum()
    raw, said = (
        np.exp(each[late]).mean(axis=0) for each in (history.raw["mean"], history.log_proba["barrier"])
    )
    assert abs(raw[UPPER] - came[UPPER]) > 0.05
    assert said.tolist() == pytest.approx(came.tolist(), abs=0.02)


def test_the_model_of_tomorrow_says_on_the_last_days_nearly_what_was_said(
    rows: BarrierRows, history: BarrierHistory
) -> None:
    said = history.model.log_probabilities(rows.values[-50:])
    assert tuple(said) == tuple(BARRIER_MEMBERS)
    assert np.abs(np.exp(said["barrier"]) - np.exp(history.log_proba["barrier"][-50:])).max() < 0.05


def test_the_same_rows_give_the_same_bytes(rows: BarrierRows, history: BarrierHistory) -> None:
    again = learn_barrier(rows, embargo_days=10, seed=1)
    for name, said in history.log_proba.items():
        assert again.log_proba[name].tobytes() == said.tobytes()


class Remembering:
    """Remembers all arrays, and tells what it had to compute since it was asked last."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Mapping[str, Array]] = {}
        self._computed: Counter[str] = Counter()

    def __call__(
        self, what: str, made_of: Sequence[Array], compute: Callable[[], Mapping[str, Array]]
    ) -> Mapping[str, Array]:
        key = (what, *(hash_array(array) for array in made_of))
        if key not in self._known:
            self._known[key] = compute()
            self._computed[what] += 1
        return self._known[key]

    def computed(self) -> Counter[str]:
        """Give what was computed how often since the last time."""
        found, self._computed = self._computed, Counter()
        return found


def test_years_and_quarters_that_were_learnt_before_are_remembered_to_the_byte(
    rows: BarrierRows, history: BarrierHistory
) -> None:
    memo = Remembering()
    until = int(np.searchsorted(rows.date, np.datetime64("2017-04-01")))
    names = ("date", "horizon_end", "y", "values", "forward_variance")
    earlier = replace(rows, **{name: getattr(rows, name)[:until] for name in names})
    learn_barrier(earlier, embargo_days=10, seed=1, memo=memo)
    assert memo.computed() == {"volatility 1": 3, **dict.fromkeys(BARRIER_MEMBERS, 4)}
    remembered = learn_barrier(rows, embargo_days=10, seed=1, memo=memo)
    assert memo.computed() == {"volatility 1": 1, **dict.fromkeys(BARRIER_MEMBERS, 2)}
    for name, said in history.log_proba.items():
        assert remembered.log_proba[name].tobytes() == said.tobytes()
    ours, theirs = (each.model.log_probabilities(rows.values) for each in (remembered, history))
    assert {name: each.tobytes() for name, each in ours.items()} == {
        name: each.tobytes() for name, each in theirs.items()
    }


def test_what_is_being_fitted_is_reported(rows: BarrierRows) -> None:
    heard: list[str] = []
    learn_barrier(rows, embargo_days=10, seed=1, report=heard.append)
    assert heard == [
        *("volatility 2015", "volatility 2016", "volatility 2017"),
        *("barrier_fear", "barrier", "barrier_offset", "barrier_trees"),
    ]


def test_the_series_is_recalibrated_only_on_enough_rows(rows: BarrierRows, history: BarrierHistory) -> None:
    raw = history.raw["fear"]
    assert np.array_equal(correct_series(raw[:499], rows.y[:499], raw[-5:]), raw[-5:])
    assert not np.array_equal(correct_series(raw[:500], rows.y[:500], raw[-5:]), raw[-5:])


def test_each_fifth_weekday_is_the_same_whatever_is_loaded() -> None:
    days = np.busday_offset(np.datetime64("2020-01-01"), np.arange(300))
    kept = np.isin(np.arange(300), learnable_rows(days))
    assert kept.sum() == 60
    assert np.array_equal(np.isin(np.arange(177), learnable_rows(days[123:])), kept[123:])


# Parts


def stored(history: BarrierHistory) -> dict[str, Any]:
    artifact = dump_model(parts_of(history.model))
    parts: Any = load_model(artifact.format, artifact.content, sha256=artifact.sha256)
    return dict(parts)


def test_a_stored_barrier_says_the_same_to_the_bit(rows: BarrierRows, history: BarrierHistory) -> None:
    again = model_of(stored(history), SPEC)
    assert again.forecaster.trees is not None
    ours, theirs = (model.log_probabilities(rows.values) for model in (history.model, again))
    assert {name: each.tobytes() for name, each in ours.items()} == {
        name: each.tobytes() for name, each in theirs.items()
    }
    assert dump_model(parts_of(again)) == dump_model(parts_of(history.model))


def test_a_barrier_without_trees_is_stored_too(rows: BarrierRows, history: BarrierHistory) -> None:
    bare = replace(
        history, model=replace(history.model, forecaster=replace(history.model.forecaster, trees=None))
    )
    again = model_of(stored(bare), SPEC)
    assert again.forecaster.trees is None
    ours, theirs = (model.log_probabilities(rows.values[:9])["barrier"] for model in (bare.model, again))
    assert np.array_equal(ours, theirs)


def test_parts_that_are_missing_or_strange_are_refused(history: BarrierHistory) -> None:
    parts = parts_of(history.model)
    for wrong in (
        {name: part for name, part in parts.items() if name != "har_scale"},
        {**parts, "barrier_votes_scale": np.ones(3)},
    ):
        with pytest.raises(ModelPartsError, match="the barrier is made of"):
            model_of(wrong, SPEC)
