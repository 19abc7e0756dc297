"""What predictions were worth, each judged by what came after it and beside what was known before it.

Rows are matured: a day, a symbol, the regime as known at that close, and the class that came true since. A
policy is a way of predicting them all; a row that it could not predict is NaN and counts nowhere. Nothing
here changes what was said of a day when later days arrive: baselines learn only from outcomes that had
matured before, and a policy's running gain up to a day depends on no later row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.ablation import paired_difference
from regime.bootstrap import mean_interval
from regime.calendar_blocks import calendar_blocks
from regime.reliability import BINS, measure_reliability
from regime.scorecard import MODEL, OVERALL, REGIME_PRIOR, VOLATILITY_BARRIER
from regime.scoring import PredictionsInvalidError, baseline_probabilities, log_losses, score
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.ablation import Difference
    from regime.reliability import Reliability
    from regime.scorecard import Scorecard

MONTH: Final = 1
SEED: Final = 1
"""Of every interval here: the same rows give the same bounds."""
GAIN_EVERY_SESSIONS: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """All that came true, whoever predicted it: what baselines learn from.

    ``date``, ``regime``, ``truth`` and ``horizon_end`` have shape (n_rows,); a row may be learnt from on the
    days after its ``horizon_end``.
    """

    date: NDArray[np.datetime64]
    regime: NDArray[np.str_]
    truth: NDArray[np.int64]
    horizon_end: NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedRows:
    """Matured rows and the two baselines that were known before each, sorted by (date, symbol).

    Parameters
    ----------
    date, symbol, regime, truth
        Shape (n_rows,): day and symbol, no pair twice; regime as known at that close; class that came true.
    prior
        Shape (n_rows, n_classes): class mix of the row's regime, from outcomes matured before its day.
    barrier
        Of the same shape: the volatility barrier, recalibrated on outcomes matured before; NaN where not
        known.
    classes
        Class names in the order of the columns.

    Raises
    ------
    PredictionsInvalidError
        If the rows are not in order.
    """

    date: NDArray[np.datetime64]
    symbol: NDArray[np.str_]
    regime: NDArray[np.str_]
    truth: NDArray[np.int64]
    prior: NDArray[np.float64]
    barrier: NDArray[np.float64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if (np.diff(self.date) < np.timedelta64(0, "D")).any():
            raise PredictionsInvalidError("judged rows are not in the order of their days; sort them")

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Give some of the rows, by a mask or by positions in the order of days."""
        return replace(
            self,
            date=self.date[rows],
            symbol=self.symbol[rows],
            regime=self.regime[rows],
            truth=self.truth[rows],
            prior=self.prior[rows],
            barrier=self.barrier[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How a policy did on some rows; ``None`` where there is too little evidence, or none.

    ``skill`` is 1 - log-loss / log-loss of the regime prior, ``skill_barrier`` the same against the
    volatility barrier on the rows that it has; bounds are of 95 % by the 20-day block bootstrap.
    """

    rows: int
    days: int
    spells: int
    accuracy: float | None
    log_loss: float | None
    prior_log_loss: float | None
    barrier_log_loss: float | None
    brier: float | None
    calibration_error: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    skill_barrier: float | None
    skill_barrier_low: float | None
    skill_barrier_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Mean log-loss gain of one policy over another, in nats a row, with its 95 % interval by days."""

    rows: int
    days: int
    nats: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One filled bin of a class: mean probability, share that came true with its interval by days, rows."""

    predicted: float
    observed: float
    rows: int
    low: float | None
    high: float | None


def predicted_rows(proba: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell the rows that a policy predicted, shape (n_rows,).

    >>> predicted_rows(np.array([[0.5, 0.5], [np.nan, np.nan]])).tolist()
    [True, False]
    """
    return np.asarray(np.isfinite(proba).all(axis=1))


def expanding_baselines(
    date: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    outcomes: Outcomes,
    class_count: int,
) -> dict[str, NDArray[np.float64]]:
    """Give majority, class prior and regime prior of rows as they were known before the month of each.

    Rows of a month get the frequencies among the outcomes whose full horizon had ended before its first day.
    Rows of months before the first outcome are NaN.

    Parameters
    ----------
    date, regime
        Shape (n_rows,): the asked rows in date order, and their regimes as known on their days.
    outcomes
        Of any rows, in any order; those of later months are there and not looked at.
    class_count
        How many classes there are.

    >>> days = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> past = Outcomes(date=days, regime=np.array(["crash", "crash"]), truth=np.array([0, 0]),
    ...                 horizon_end=np.array(["2024-01-30", "2024-02-02"], dtype="datetime64[D]"))
    >>> asked = np.array(["2024-01-31", "2024-02-01", "2024-03-01"], dtype="datetime64[D]")
    >>> known = expanding_baselines(asked, np.full(3, "crash"), past, 3)["class_prior"]
    >>> known[:, 0].round(2).tolist()
    [nan, 0.5, 0.6]
    """
    order = np.argsort(outcomes.horizon_end, kind="stable")
    ends, truth, regimes = outcomes.horizon_end[order], outcomes.truth[order], outcomes.regime[order]
    found = {
        name: np.full((len(date), class_count), np.nan) for name in ("majority", "class_prior", REGIME_PRIOR)
    }
    for start, block in calendar_blocks(date, MONTH):
        known = int(np.searchsorted(ends, start))
        if known:
            told = baseline_probabilities(truth[:known], regimes[:known], regime[block], class_count)
            for name, proba in told.items():
                found[name][block] = proba
    return found


def scores_of(rows: JudgedRows, proba: NDArray[np.float64]) -> dict[str, Scores]:
    """Give the scores of a policy overall and in each of the five regimes.

    ``proba``, shape (n_rows, n_classes), was said before the truth was known; rows of NaN do not count.

    >>> days = np.repeat(np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"), 4)
    >>> even = np.full((240, 2), 0.5)
    >>> rows = JudgedRows(date=days, symbol=np.tile(list("ABCD"), 60), regime=np.full(240, "normal"),
    ...                   truth=np.zeros(240, dtype=int), prior=even, barrier=even, classes=("down", "up"))
    >>> found = scores_of(rows, np.tile([0.8, 0.2], (240, 1)))
    >>> round(found["normal"].skill, 3), found["crash"].accuracy
    (0.678, None)
    """
    kept = predicted_rows(proba)
    rows, proba = rows.take(kept), proba[kept]
    has_barrier = predicted_rows(rows.barrier)
    if has_barrier.all():  # one pass instead of two
        card = barrier = _card(rows, proba, {REGIME_PRIOR: rows.prior, VOLATILITY_BARRIER: rows.barrier})
    else:
        beside = rows.take(has_barrier)
        card = _card(rows, proba, {REGIME_PRIOR: rows.prior})
        barrier = _card(beside, proba[has_barrier], {VOLATILITY_BARRIER: beside.barrier})
    reliability = measure_reliability(rows.date, rows.regime, rows.truth, {MODEL: proba}, rows.classes)
    return {
        OVERALL if regime is None else regime.value: _scores(card, barrier, reliability, regime)
        for regime in (None, *REGIMES)
    }


def scores_by_year(rows: JudgedRows, proba: NDArray[np.float64]) -> dict[int, Scores]:
    """Give the overall scores of each calendar year in which the policy predicted; as ``scores_of``."""
    year = rows.date.astype("datetime64[Y]").astype(np.int64) + 1970
    known = predicted_rows(proba)
    return {
        int(each): scores_of(rows.take(inside := known & (year == each)), proba[inside])[OVERALL]
        for each in np.unique(year[known])
    }


def gains_of(rows: JudgedRows, better: NDArray[np.float64], than: NDArray[np.float64]) -> dict[str, Gain]:
    """Give what one policy gained over another, overall and by regime, on the rows that both predicted.

    Positive where ``better`` is better; 0 to the last digit where both said the same.

    >>> days = np.repeat(np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"), 4)
    >>> even = np.full((240, 2), 0.5)
    >>> rows = JudgedRows(date=days, symbol=np.tile(list("ABCD"), 60), regime=np.full(240, "normal"),
    ...                   truth=np.zeros(240, dtype=int), prior=even, barrier=even, classes=("down", "up"))
    >>> round(gains_of(rows, np.tile([0.8, 0.2], (240, 1)), even)["overall"].nats, 2)
    0.47
    """
    both = predicted_rows(better) & predicted_rows(than)
    on = rows.take(both)
    found = paired_difference(
        on.date, on.regime, on.truth, better[both], than[both], rng=np.random.default_rng(SEED)
    )
    return {
        OVERALL: gain_of_difference(found.overall),
        **{each.value: gain_of_difference(found.regimes[each]) for each in REGIMES},
    }


def gain_of_difference(difference: Difference) -> Gain:
    """Give the log-loss part of a paired difference."""
    told = difference.log_loss
    interval = None if told is None else told.interval
    return Gain(
        rows=difference.rows,
        days=difference.days,
        nats=None if told is None else told.mean,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
    )


def running_gain(
    rows: JudgedRows, proba: NDArray[np.float64]
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Give days and the gain over the regime prior summed up to each, in nats of a mean symbol.

    A day counts with the mean over its symbols. There is a point on the first day, on every 21st session
    after it and on the last; the points before a day depend on no row of that day or later.

    >>> even = np.full((2, 2), 0.5)
    >>> rows = JudgedRows(date=np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"),
    ...                   symbol=np.array(["A", "A"]), regime=np.full(2, "normal"),
    ...                   truth=np.zeros(2, dtype=int), prior=even, barrier=even, classes=("down", "up"))
    >>> running_gain(rows, np.tile([1.0, 0.0], (2, 1)))[1].round(3).tolist()
    [0.693, 1.386]
    """
    kept = predicted_rows(proba)
    on = rows.take(kept)
    gain = log_losses(on.truth, on.prior) - log_losses(on.truth, proba[kept])
    days, day = np.unique(on.date, return_inverse=True)
    total = np.cumsum(np.bincount(day, weights=gain) / np.maximum(np.bincount(day), 1))
    shown = np.arange(0, len(days), GAIN_EVERY_SESSIONS)
    if len(days) and shown[-1] != len(days) - 1:
        shown = np.append(shown, len(days) - 1)
    return days[shown], total[shown]


def bands_of(rows: JudgedRows, proba: NDArray[np.float64]) -> dict[str, tuple[Band, ...]]:
    """Give the reliability curve of each class, with intervals by days; empty with too little evidence."""
    kept = predicted_rows(proba)
    on, proba = rows.take(kept), proba[kept]
    measured = measure_reliability(on.date, on.regime, on.truth, {MODEL: proba}, on.classes)
    if measured.bins(MODEL) is None:
        return dict.fromkeys(on.classes, ())
    _, day = np.unique(on.date, return_inverse=True)
    return {name: _bands(day, proba[:, column], on.truth == column) for column, name in enumerate(on.classes)}


def _bands(
    day: NDArray[np.intp], probability: NDArray[np.float64], is_hit: NDArray[np.bool_]
) -> tuple[Band, ...]:
    """Give the filled bins of one class in ascending order; bins as in ``regime.reliability``."""
    bins = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
    rng = np.random.default_rng(SEED)
    found = []
    for each in np.unique(bins):
        inside = bins == each
        counts = np.bincount(day, weights=inside, minlength=day[-1] + 1).astype(np.float64)
        hits = np.bincount(day, weights=inside & is_hit, minlength=day[-1] + 1).astype(np.float64)
        interval = mean_interval(hits, counts, rng)
        found.append(
            Band(
                predicted=float(probability[inside].mean()),
                observed=float(is_hit[inside].mean()),
                rows=int(inside.sum()),
                low=None if interval is None else interval.low,
                high=None if interval is None else interval.high,
            )
        )
    return tuple(found)


def _card(
    rows: JudgedRows, proba: NDArray[np.float64], baselines: Mapping[str, NDArray[np.float64]]
) -> Scorecard:
    return score(
        rows.date,
        rows.symbol,
        rows.regime,
        rows.truth,
        proba,
        baselines,
        rows.classes,
        rng=np.random.default_rng(SEED),
    )


def _scores(card: Scorecard, barrier: Scorecard, reliability: Reliability, regime: Regime | None) -> Scores:
    tally = card.tally(regime)
    skill, beside = card.interval(regime, REGIME_PRIOR), barrier.interval(regime, VOLATILITY_BARRIER)
    return Scores(
        rows=tally.rows,
        days=card.days_in(regime),
        spells=card.spells_in(regime),
        accuracy=tally.accuracy(),
        log_loss=tally.log_loss(),
        prior_log_loss=tally.log_loss(REGIME_PRIOR),
        barrier_log_loss=barrier.tally(regime).log_loss(VOLATILITY_BARRIER),
        brier=tally.brier(),
        calibration_error=reliability.calibration_error(MODEL, regime),
        skill=card.skill(regime, REGIME_PRIOR),
        skill_low=None if skill is None else skill.low,
        skill_high=None if skill is None else skill.high,
        skill_barrier=barrier.skill(regime, VOLATILITY_BARRIER),
        skill_barrier_low=None if beside is None else beside.low,
        skill_barrier_high=None if beside is None else beside.high,
    )
