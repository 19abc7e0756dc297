"""Baselines, and the scorecard of predictions beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.bootstrap import Interval, block_bootstrap_interval
from regime.codes import CODED_REGIMES, regime_codes
from regime.errors import HistoryTooShortError, RegimeError
from regime.scorecard import MODEL, OVERALL, Losses, Scorecard, Tally
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date as calendar_day

    from numpy.typing import NDArray

PROBABILITY_MIN: Final = 1e-6
"""Probabilities of what came true count as at least this, so that a row costs at most 13.8 nats: one row on
which a model was wrongly certain must not decide a regime of two hundred."""

SUM_TOLERANCE: Final = 1e-6
"""By how much the probabilities of a row may miss 1: ten units in the last place of float32."""

PRIOR_ROWS: Final = 200.0
"""Rows that the class prior counts for within a regime's prior. A regime without rows in the training data
gets the class prior; one of 200 rows, half of each."""

SECTOR_UNKNOWN: Final = "unknown"


class PredictionsInvalidError(RegimeError):
    """Predictions or outcomes cannot be scored."""


def class_prior(truth: NDArray[np.integer], rows: int, class_count: int) -> NDArray[np.float64]:
    """Give the class frequencies of the training rows for ``rows`` rows, shape (rows, class_count).

    ``truth`` are the class ids of the training rows, unweighted. Each class counts one row more than it
    has (Laplace 1814), so that none is impossible.

    Raises
    ------
    HistoryTooShortError
        If there are no training rows.

    >>> class_prior(np.array([0, 1, 1, 1, 1, 2, 1]), 1, 3).tolist()
    [[0.2, 0.6, 0.2]]
    """
    return np.tile(_class_shares(truth, class_count), (rows, 1))


def majority(truth: NDArray[np.integer], rows: int, class_count: int) -> NDArray[np.float64]:
    """Give the majority class of the training rows with its frequency, shape (rows, class_count).

    The other classes share the rest equally: this baseline knows nothing but the majority. Its accuracy is
    that of always answering so; certainty would only make its log-loss meaningless.

    Raises
    ------
    HistoryTooShortError
        If there are no training rows.

    >>> majority(np.array([0, 1, 1, 1, 1, 1, 1]), 1, 3).round(2).tolist()
    [[0.15, 0.7, 0.15]]
    """
    shares = _class_shares(truth, class_count)
    most = int(shares.argmax())
    answer = np.full(class_count, (1 - shares[most]) / (class_count - 1))
    answer[most] = shares[most]
    return np.tile(answer, (rows, 1))


def regime_prior(
    truth: NDArray[np.integer],
    regime: NDArray[np.str_],
    regime_of_rows: NDArray[np.str_],
    class_count: int,
) -> NDArray[np.float64]:
    """Give the class frequencies within each row's regime, shape (len(regime_of_rows), class_count).

    ``truth`` and ``regime`` are those of the training rows, ``regime_of_rows`` those of the rows to
    predict. The frequencies are drawn towards the class prior, which counts for 200 rows; rows of
    ``unknown`` get the class prior.

    Raises
    ------
    HistoryTooShortError
        If there are no training rows.

    >>> truth, regime = np.array([0] * 200 + [1] * 200), np.array(["crash"] * 200 + ["normal"] * 200)
    >>> regime_prior(truth, regime, np.array(["crash", "recovery"]), 3)[:, 0].round(2).tolist()
    [0.75, 0.5]
    """
    shares = _class_shares(truth, class_count)
    cells = regime_codes(regime) * class_count + truth
    counts = np.bincount(cells, minlength=len(CODED_REGIMES) * class_count).astype(np.float64)
    counts = counts.reshape(-1, class_count)
    counts[len(REGIMES) :] = 0
    priors = (counts + PRIOR_ROWS * shares) / (counts.sum(axis=1, keepdims=True) + PRIOR_ROWS)
    predicted: NDArray[np.float64] = priors[regime_codes(regime_of_rows)]
    return predicted


def baseline_probabilities(
    truth: NDArray[np.integer],
    regime: NDArray[np.str_],
    regime_of_rows: NDArray[np.str_],
    class_count: int,
) -> dict[str, NDArray[np.float64]]:
    """Give all three baselines by name; the parameters are those of ``regime_prior``.

    >>> sorted(baseline_probabilities(np.array([0]), np.array(["crash"]), np.array(["crash"]), 3))
    ['class_prior', 'majority', 'regime_prior']
    """
    rows = len(regime_of_rows)
    return {
        "majority": majority(truth, rows, class_count),
        "class_prior": class_prior(truth, rows, class_count),
        "regime_prior": regime_prior(truth, regime, regime_of_rows, class_count),
    }


def log_losses(truth: NDArray[np.integer], proba: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give -log(probability of what came true) of each row, shape (n_rows,), in nats.

    Probabilities below 1e-6 count as 1e-6.

    >>> log_losses(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])).round(2).tolist()
    [-0.0, 13.82]
    """
    given = proba[np.arange(len(truth)), truth].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(given, PROBABILITY_MIN, 1.0))
    return losses


def brier_scores(truth: NDArray[np.integer], proba: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the squared distance of each row's probabilities from the truth, shape (n_rows,), 0 to 2.

    Brier (1950), equation 2, summed over the classes.

    >>> brier_scores(np.array([0]), np.array([[0.5, 0.25, 0.25]])).tolist()
    [0.375]
    """
    distance = proba.astype(np.float64)
    distance[np.arange(len(truth)), truth] -= 1.0
    scores: NDArray[np.float64] = np.square(distance).sum(axis=1)
    return scores


def score(
    date: NDArray[np.datetime64],
    symbol: NDArray[np.str_],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    proba: NDArray[np.floating],
    baselines: Mapping[str, NDArray[np.floating]],
    classes: Sequence[str],
    *,
    sector: Mapping[str, str] | None = None,
    rng: np.random.Generator | None = None,
) -> Scorecard:
    """Give the scorecard of predicted rows; their order doesn't matter.

    Parameters
    ----------
    date, symbol, regime
        Shape (n_rows,): day and symbol of each row, no pair twice, and the regime as known at that close.
    truth
        Shape (n_rows,): the class id that came true; only matured rows can be scored.
    proba
        Shape (n_rows, n_classes): what the model said, finite, in [0, 1], each row summing to 1.
    baselines
        By name, what else could have been said of the same rows, of the same shape.
    classes
        Class names in the order of the columns, the lower barrier first and the upper one last.
    sector
        The sector of each symbol; those that it lacks count as ``unknown``.
    rng
        Source of chance of the bootstrap intervals; without it the card has none.

    Raises
    ------
    PredictionsInvalidError
        If shapes differ, a row occurs twice, or a truth or probability is not valid.

    >>> card = score(
    ...     np.array(["2024-01-02"], dtype="datetime64[D]"), np.array(["SPY"]), np.array(["normal"]),
    ...     np.array([1]), np.array([[0.25, 0.5, 0.25]]), {}, ("sell", "hold", "buy"),
    ... )  # fmt: skip
    >>> card.tally(REGIMES[3]).accuracy(), card.tally(REGIMES[0]).accuracy()
    (1.0, None)
    """
    if MODEL in baselines:
        raise PredictionsInvalidError(f"a baseline is called {MODEL!r}; give it another name")
    predictors = {MODEL: proba, **baselines}
    _check_rows(date, symbol, regime, truth, classes)
    _check_probabilities(predictors, len(truth), classes)
    rows = _Rows.of(date, symbol, regime, truth, predictors)
    names, codes = rows.symbols, rows.symbol
    return Scorecard(
        classes=tuple(classes),
        regimes=dict(zip(CODED_REGIMES, rows.tallies(rows.regime, len(CODED_REGIMES)), strict=True)),
        days={each: _days(rows.date[rows.regime == code]) for code, each in enumerate(CODED_REGIMES)},
        symbols=dict(zip(names, rows.tallies(codes, len(names)), strict=True)),
        sectors=_sectors(rows, {} if sector is None else sector),
        intervals={} if rng is None else _intervals(rows, rng),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scores:
    """What one predictor scored, row by row, each of shape (n_rows,)."""

    log_loss: NDArray[np.float64]
    brier: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    direction: NDArray[np.float64]

    @classmethod
    def of(cls, truth: NDArray[np.integer], proba: NDArray[np.floating]) -> _Scores:
        lead = np.sign(proba[:, -1] - proba[:, 0]).astype(np.float64)
        side = (truth == proba.shape[1] - 1).astype(np.float64) - (truth == 0)
        return cls(
            log_loss=log_losses(truth, proba),
            brier=brier_scores(truth, proba),
            is_hit=proba.argmax(axis=1) == truth,
            direction=np.where(side == 0, 0.0, (1 + side * lead) / 2),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Scored rows by day and symbol, so that no sum depends on the order in which they came."""

    date: NDArray[np.datetime64]
    symbol: NDArray[np.intp]
    symbols: tuple[str, ...]
    regime: NDArray[np.intp]
    truth: NDArray[np.integer]
    class_count: int
    scores: Mapping[str, _Scores]

    @classmethod
    def of(
        cls,
        date: NDArray[np.datetime64],
        symbol: NDArray[np.str_],
        regime: NDArray[np.str_],
        truth: NDArray[np.integer],
        predictors: Mapping[str, NDArray[np.floating]],
    ) -> _Rows:
        names, codes = np.unique(np.asarray(symbol, dtype=np.str_), return_inverse=True)
        order = np.lexsort((codes, date))
        rows = cls(
            date=date[order],
            symbol=codes[order],
            symbols=tuple(names.tolist()),
            regime=regime_codes(regime)[order],
            truth=truth[order],
            class_count=predictors[MODEL].shape[1],
            scores={name: _Scores.of(truth[order], proba[order]) for name, proba in predictors.items()},
        )
        rows._refuse_repeats()
        return rows

    def tallies(self, group: NDArray[np.intp], groups: int) -> list[Tally]:
        """Give the tally of each group; ``group``, shape (n_rows,), has its number for each row."""
        cell = group * self.class_count + self.truth
        class_rows = self._by_class(cell, np.ones(len(cell), dtype=bool), groups)
        losses = {name: self._losses(scores, group, groups) for name, scores in self.scores.items()}
        return [
            Tally(
                class_rows=tuple(class_rows[each]),
                predictors={name: of_groups[each] for name, of_groups in losses.items()},
            )
            for each in range(groups)
        ]

    def _losses(self, scores: _Scores, group: NDArray[np.intp], groups: int) -> list[Losses]:
        log_loss, brier, direction = (
            np.bincount(group, weights=column, minlength=groups).tolist()
            for column in (scores.log_loss, scores.brier, scores.direction)
        )
        class_hits = self._by_class(group * self.class_count + self.truth, scores.is_hit, groups)
        return [
            Losses(
                log_loss_sum=log_loss[each],
                brier_sum=brier[each],
                direction_hits=direction[each],
                class_hits=tuple(class_hits[each]),
            )
            for each in range(groups)
        ]

    def _by_class(self, cell: NDArray[np.intp], mask: NDArray[np.bool_], groups: int) -> list[list[int]]:
        counts = np.bincount(cell[mask], minlength=groups * self.class_count)
        table: list[list[int]] = counts.reshape(groups, self.class_count).tolist()
        return table

    def _refuse_repeats(self) -> None:
        repeated = (self.date[1:] == self.date[:-1]) & (self.symbol[1:] == self.symbol[:-1])
        if repeated.any():
            at = int(repeated.argmax())
            raise PredictionsInvalidError(
                f"{self.symbols[self.symbol[at]]} {self.date[at]} occurs twice"
                f" ({int(repeated.sum())} such rows); keep one prediction a symbol and day"
            )


def _class_shares(truth: NDArray[np.integer], class_count: int) -> NDArray[np.float64]:
    if not len(truth):
        raise HistoryTooShortError("a baseline needs training rows and there are none; load more history")
    counts = np.bincount(truth, minlength=class_count)
    if len(counts) > class_count:
        raise PredictionsInvalidError(f"class id {int(truth.max())} is none of {class_count} classes")
    shares: NDArray[np.float64] = (counts + 1) / (len(truth) + class_count)
    return shares


def _days(date: NDArray[np.datetime64]) -> tuple[calendar_day, ...]:
    return tuple(np.unique(date).astype("datetime64[D]").tolist())


def _sectors(rows: _Rows, sector: Mapping[str, str]) -> dict[str, dict[Regime, Tally]]:
    """Give the tallies by sector and regime that have rows."""
    of_symbol = [sector.get(symbol, SECTOR_UNKNOWN) for symbol in rows.symbols]
    names, codes = np.unique(np.array(of_symbol, dtype=np.str_), return_inverse=True)
    width = len(CODED_REGIMES)
    tallies = rows.tallies(codes[rows.symbol] * width + rows.regime, len(names) * width)
    return {
        name: {
            regime: tally
            for regime, tally in zip(CODED_REGIMES, tallies[at * width : (at + 1) * width], strict=True)
            if tally.rows
        }
        for at, name in enumerate(names.tolist())
    }


def _intervals(rows: _Rows, rng: np.random.Generator) -> dict[str, dict[str, Interval]]:
    """Give the interval of the skill against each baseline, overall and by regime, where it is known."""
    _, day = np.unique(rows.date, return_inverse=True)
    groups = {OVERALL: np.ones(len(day), dtype=bool)}
    groups |= {regime.value: rows.regime == code for code, regime in enumerate(CODED_REGIMES)}
    intervals: dict[str, dict[str, Interval]] = {}
    for group, inside in groups.items():
        daily = {
            name: np.bincount(day, weights=scores.log_loss * inside).astype(np.float64)
            for name, scores in rows.scores.items()
        }
        found = {
            name: block_bootstrap_interval(daily[MODEL], losses, rng)
            for name, losses in daily.items()
            if name != MODEL
        }
        intervals[group] = {name: interval for name, interval in found.items() if interval is not None}
    return intervals


def _check_rows(
    date: NDArray[np.datetime64],
    symbol: NDArray[np.str_],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    classes: Sequence[str],
) -> None:
    lengths = {"date": len(date), "symbol": len(symbol), "regime": len(regime), "truth": len(truth)}
    if len(set(lengths.values())) > 1:
        raise PredictionsInvalidError(f"columns have different lengths: {lengths}; give every row all four")
    _refuse(
        (truth < 0) | (truth >= len(classes)),
        f"the truth is no class id of {tuple(classes)}; score only rows whose target has matured",
    )


def _check_probabilities(
    predictors: Mapping[str, NDArray[np.floating]], rows: int, classes: Sequence[str]
) -> None:
    for name, proba in predictors.items():
        if proba.shape != (rows, len(classes)):
            raise PredictionsInvalidError(
                f"{name} has shape {proba.shape}, not {(rows, len(classes))}; give every class of every row"
            )
        is_valid = (np.isfinite(proba) & (proba >= 0)).all(axis=1)
        _refuse(~is_valid, f"{name} has a probability that is missing or negative; leave such rows out")
        off = np.abs(proba.sum(axis=1, dtype=np.float64) - 1)
        _refuse(off > SUM_TOLERANCE, f"{name} does not sum to 1 within {SUM_TOLERANCE:g}; scale it")


def _refuse(wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        raise PredictionsInvalidError(f"row {at} ({int(wrong.sum())} such rows): {what}")
