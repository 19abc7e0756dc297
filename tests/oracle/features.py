"""What the features are: each operation of a formula in one line of numpy over its whole window.

This is the oracle of the tests. It reads the formulas of the catalogue and nothing else of the package that
computes them: no pyramids, no programs, no engine. It is slow and plain, so that it can be checked by eye.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from regime.features import CATALOGUE, catalogue_hash
from regime.features.cross_section import Comparison
from regime.features.feature import DayRule, FearRule, IndexRule, SymbolRule
from regime.features.series import series_of_fields
from regime.types import BAR_FIELDS, Bars, FeatureTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from regime.features.expression import Expression

    Values = NDArray[np.float64]

CARRY_MAX: Final = 5
NEAR_ZERO: Final = 1e-10
TIE: Final = 1e-9


def evaluated(expression: Expression, fields: Mapping[str, Values]) -> Values:
    """Give the values of one expression on the rows of one series."""
    return _Evaluation(fields).of(expression)


class _Evaluation:
    """Expressions on one series; what was evaluated is not evaluated again."""

    def __init__(self, fields: Mapping[str, Values]) -> None:
        self._fields = fields
        self._known: dict[Expression, Values] = {}

    def of(self, expression: Expression) -> Values:
        if expression not in self._known:
            self._known[expression] = self._evaluated(expression)
        return self._known[expression]

    def _evaluated(self, expression: Expression) -> Values:
        if expression.operation == "field":
            return self._fields[str(expression.constants[0])]
        operands = [self.of(operand) for operand in expression.operands]
        with np.errstate(all="ignore"):
            return np.asarray(_MEANINGS[expression.operation](*operands, *expression.constants))


def _lag(values: Values, rows: int) -> Values:
    return np.concatenate([np.full(rows, np.nan), values])[: len(values)]


def _rolling(what: Callable[..., Values], length: int, *series: Values, step: int = 1) -> Values:
    """Give what a function makes of the windows, each of shape (n, length), oldest row first."""
    result, span = np.full(len(series[0]), np.nan), (length - 1) * step + 1
    if len(result) >= span:
        result[span - 1 :] = what(*(sliding_window_view(values, span)[:, ::step] for values in series))
    return result


def _centred(window: Values) -> Values:
    return np.asarray(window - window.mean(axis=1, keepdims=True))


def _known(window: Values) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(window).any(axis=1))


def _squares(window: Values, tie: float) -> Values:
    """Sum of squared deviations; those that are a rounding of the values are none."""
    squares, level = (_centred(window) ** 2).sum(axis=1), (window**2).sum(axis=1)
    return np.where(squares <= tie**2 * level, 0.0, squares)


def _age_of_highest(window: Values, tie: float) -> Values:
    """Bars since the latest value that is the highest, or as good as that."""
    top = window.max(axis=1, keepdims=True)
    age = (window >= top - tie * np.abs(top))[:, ::-1].argmax(axis=1)
    return np.where(_known(window), age, np.nan)


def _rank_of_last(window: Values, tie: float) -> Values:
    beyond = window - window[:, -1:]
    below, equal = (beyond < -tie).sum(axis=1), (np.abs(beyond) <= tie).sum(axis=1)
    return np.where(_known(window), (below + equal / 2) / window.shape[1], np.nan)


def _deepest_fall(window: Values) -> Values:
    return np.asarray((window / np.maximum.accumulate(window, axis=1)).min(axis=1))


def _streak(window: Values) -> Values:
    """Count back from today while the direction is today's."""
    same = window[:, ::-1] == window[:, -1:]
    running = np.logical_and.accumulate(same, axis=1).sum(axis=1)
    return np.where(_known(window), window[:, -1] * running, np.nan)


def _last_swing(middle: Values, summit: Values, highest: Values, length: int) -> Values:
    """The latest middle of some bars that is their summit; without one the highest of all."""

    def latest(middles: Values, summits: Values) -> Values:
        is_swing = (middles == summits)[:, ::-1]
        age = is_swing.argmax(axis=1)
        found = middles[:, ::-1][np.arange(len(middles)), age]
        return np.where(is_swing.any(axis=1), found, np.inf)

    swing = _rolling(latest, length, middle, summit)
    return np.where(np.isnan(highest) | np.isinf(swing), highest, swing)


def _ratio(numerator: Values, denominator: Values, least: Values | float, neutral: float) -> Values:
    """A quotient, or ``neutral`` where the denominator is nothing."""
    is_nothing = (denominator <= least) & ~np.isnan(numerator)
    return np.where(is_nothing, neutral, numerator / denominator)


_MEANINGS: Final[dict[str, Callable[..., Values]]] = {
    "lag": _lag,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "shift": np.add,
    "scale": np.multiply,
    "larger": np.maximum,
    "at_least": np.maximum,
    "smaller": np.minimum,
    "at_most": np.minimum,
    "absolute": np.abs,
    "square_root": np.sqrt,
    "log": np.log,
    "greater": lambda a, b: np.where(a > b, 1.0, 0.0),
    "where": lambda condition, chosen, other: np.asarray(np.where(condition == 1.0, chosen, other)),
    "ratio": lambda a, b, scale, neutral, tie: _ratio(a, b, tie * scale, neutral),
    "ratio_above": lambda a, b, neutral, least: _ratio(a, b, least, neutral),
    "direction": lambda a, tie: np.where(np.abs(a) <= tie, 0.0, np.sign(a)),
    "total": lambda a, n, step: _rolling(lambda w: w.sum(axis=1), n, a, step=step),
    "decaying_total": lambda a, decay, n, step: _rolling(
        lambda w: (w * decay ** np.arange(n - 1, -1, -1.0)).sum(axis=1), n, a, step=step
    ),
    "squares": lambda a, n, tie: _rolling(lambda w: _squares(w, tie), n, a),
    "products": lambda a, b, n: _rolling(lambda v, w: (_centred(v) * _centred(w)).sum(axis=1), n, a, b),
    "products_with_time": lambda a, n: _rolling(
        lambda w: (_centred(w) * (np.arange(n) - (n - 1) / 2)).sum(axis=1), n, a
    ),
    "cubes": lambda a, n: _rolling(lambda w: (_centred(w) ** 3).sum(axis=1), n, a),
    "fourths": lambda a, n: _rolling(lambda w: (_centred(w) ** 4).sum(axis=1), n, a),
    "distances": lambda a, _mean, n: _rolling(lambda w: np.abs(_centred(w)).sum(axis=1), n, a),
    "highest": lambda a, n: _rolling(lambda w: w.max(axis=1), n, a),
    "lowest": lambda a, n: _rolling(lambda w: w.min(axis=1), n, a),
    "deepest_fall": lambda a, n: _rolling(_deepest_fall, n, a),
    "age_of_highest": lambda a, _top, n, tie: _rolling(lambda w: _age_of_highest(w, tie), n, a),
    "rank_of_last": lambda a, _total, n, tie: _rolling(lambda w: _rank_of_last(w, tie), n, a),
    "streak": lambda a, n: _rolling(_streak, n, a),
    "last_swing": _last_swing,
}


def oracle_features(bars: Bars, index: Bars, fear: Bars, sectors: Mapping[str, str]) -> FeatureTable:
    """Give every feature of every bar, as ``compute_features`` must."""
    parts = [_of_symbol(bars.of_symbol(symbol), index, fear) for symbol in bars.symbols()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = pd.DataFrame({"day": bars.date, "sector": [sectors.get(str(name)) for name in bars.symbol]})
    for feature in CATALOGUE:
        if isinstance(feature.rule, DayRule):
            columns[feature.name] = _compared(columns[feature.rule.column], rows, feature.rule)
    values = np.array([columns[feature.name] for feature in CATALOGUE]).T
    values = np.where(np.abs(values) < NEAR_ZERO, 0.0, np.where(np.isinf(values), np.nan, values))
    names = tuple(feature.name for feature in CATALOGUE)
    return FeatureTable(
        symbol=bars.symbol, date=bars.date, names=names, values=values, catalogue_hash=catalogue_hash()
    )


@cache
def _formulas(rule: type[SymbolRule | IndexRule | FearRule]) -> dict[str, Expression]:
    series = series_of_fields()
    return {f.name: f.rule.kernel(series) for f in CATALOGUE if isinstance(f.rule, rule)}


def _of_symbol(bars: Bars, index: Bars, fear: Bars) -> dict[str, Values]:
    """Give the features of one symbol that need no other, those of the context as known on its days."""
    known_beside = {
        "index_close": known(index.close, index.date, bars),
        "fear": known(fear.close, fear.date, bars),
    }
    fields = {name: getattr(bars, name) for name in BAR_FIELDS} | known_beside | _quarter(bars)
    own = _Evaluation(fields)
    columns = {name: own.of(formula) for name, formula in _formulas(SymbolRule).items()}
    for context, rule in ((index, IndexRule), (fear, FearRule)):
        beside = {"close": context.close, "fear": known(fear.close, fear.date, context)}
        theirs = _Evaluation(beside)
        for name, formula in _formulas(rule).items():
            columns[name] = known(theirs.of(formula), context.date, bars)
            columns[name][: _WARM_UP[name]] = np.nan
    return columns


_WARM_UP: Final = {feature.name: feature.warm_up for feature in CATALOGUE}


def known(values: Values, days: NDArray[np.datetime64], bars: Bars) -> Values:
    """Give on each bar's day the latest value known by then, unless more than five bars have come since."""
    result = np.full(len(bars), np.nan)
    for row, day in enumerate(bars.date):
        latest = np.searchsorted(days, day, side="right") - 1
        if latest >= 0 and np.sum(bars.date[max(row - CARRY_MAX, 0) : row + 1] > days[latest]) <= CARRY_MAX:
            result[row] = values[latest]
    return result


def _quarter(bars: Bars) -> dict[str, Values]:
    day = pd.DatetimeIndex(bars.date)
    quarter = day.to_period("Q")
    first, following = quarter.to_timestamp(), (quarter + 1).to_timestamp()
    angle = 2 * np.pi * np.asarray((day - first) / (following - first), dtype=np.float64)
    return {"quarter_sine": np.sin(angle), "quarter_cosine": np.cos(angle)}


def _compared(values: Values, rows: pd.DataFrame, rule: DayRule) -> Values:
    """Compare the known values of each day, or of each day and sector for rows that have one."""
    frame = rows.assign(value=values)
    result = _in_groups(frame, ["day"], rule.comparison)
    if rule.within_sector:
        inside = frame.dropna(subset=["sector"])
        result[inside.index] = _in_groups(inside, ["day", "sector"], rule.comparison)
    return np.where(np.isnan(values), np.nan, result)


def _in_groups(frame: pd.DataFrame, keys: list[str], comparison: Comparison) -> Values:
    sign = np.sign(frame["value"].mask(frame["value"].abs() <= TIE, 0.0))
    groups = frame.assign(rounded=frame["value"].round(9), sign=sign).groupby(keys)
    value = groups["value"]
    match comparison:
        case Comparison.RANK:
            compared = (groups["rounded"].rank(method="average") - 0.5) / value.transform("count")
        case Comparison.MEAN:
            compared = value.transform("mean")
        case Comparison.FROM_MEAN:
            compared = frame["value"] - value.transform("mean")
        case Comparison.DEVIATION:
            compared = value.transform("std", ddof=0)
        case Comparison.RISING:
            compared = 0.5 + groups["sign"].transform("mean") / 2
    return np.array(compared, dtype=np.float64)
