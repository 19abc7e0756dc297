"""The catalogue in pandas: what a good pandas user would write, on wide frames of days x symbols.

The formulas are the catalogue's own expressions; equal subexpressions are computed once and dropped once
nobody needs them any more. Kernels are pandas' where pandas has one: ``rolling`` sum, var, cov, skew, kurt,
rank, max and min, ``ewm`` for weights that decay (a window's sum is the difference of two infinite ones),
``shift`` for lags, ``rank(axis=1)`` and ``groupby`` for comparisons of a day. ``age_of_highest``,
``distances`` and ``deepest_fall`` are in numpy, all rows at once for each age in the window, because
``rolling.apply`` calls Python for each window.

pandas' rolling sums are updated from row to row and drift, and ties are exact: results differ from regimed's
by rounding, which ``benchmarks.features`` prints by kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pandas as pd

from regime.features import CATALOGUE
from regime.features.cross_section import Comparison
from regime.features.expression import Expression, lag
from regime.features.expression import field as field_named
from regime.features.feature import DayRule, FearRule, Feature, IndexRule, SymbolRule
from regime.features.ratios import TIE
from regime.features.series import CARRY_MAX, Series, series_of_fields
from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from regime.types import Bars

Frame: TypeAlias = pd.DataFrame
RANKED_DECIMALS: Final = 9
NUMPY_KERNELS: Final = ("age_of_highest", "distances", "deepest_fall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Wide frames of days x symbols by field, and the closes of the index and of fear by day."""

    fields: Mapping[str, Frame]
    index: pd.Series
    fear: pd.Series
    sectors: Mapping[str, str]

    @classmethod
    def of(cls, bars: Bars, index: Bars, fear: Bars, sectors: Mapping[str, str]) -> Market:
        """Give the market of bars that have no holes between a symbol's first and last day."""
        days, row = np.unique(bars.date, return_inverse=True)
        symbols, column = np.unique(bars.symbol, return_inverse=True)
        fields = {}
        for name in BAR_FIELDS:
            values = np.full((len(symbols), len(days)), np.nan)
            values[column, row] = getattr(bars, name)
            fields[name] = pd.DataFrame(values.T, pd.DatetimeIndex(days), symbols.tolist())
        of_index = pd.Series(index.close, pd.DatetimeIndex(index.date))
        of_fear = pd.Series(fear.close, pd.DatetimeIndex(fear.date))
        return cls(fields=fields, index=of_index, fear=of_fear, sectors=sectors)

    @property
    def days(self) -> pd.DatetimeIndex:
        """The days of the panel."""
        return pd.DatetimeIndex(self.fields["close"].index)

    def carried(self, closes: pd.Series) -> NDArray[np.float64]:
        """Give the latest close by each day, not known if it is too old."""
        return closes.reindex(self.days, method="ffill", limit=CARRY_MAX).to_numpy(np.float64)


def pandas_features(market: Market, *, shared: bool = True) -> dict[str, Frame]:
    """Give each feature as a frame of days x symbols; what is the same for all symbols may have one column.

    Unless ``shared``, each feature is computed for itself, as if there were no others.
    """
    of_all = {feature.name: formula_of(feature) for feature in CATALOGUE}
    own = {name: formula for name, formula in of_all.items() if formula is not None}
    fields = dict(market.fields) | _context_fields(market)
    together = [list(own.values())] if shared else [[formula] for formula in own.values()]
    frames = [frame for formulas in together for frame in Plan.of(formulas).run(fields)]
    values = dict(zip(own, frames, strict=True))
    sectors = pd.Series({s: market.sectors.get(s) for s in market.fields["close"].columns}, dtype=object)
    for feature in CATALOGUE:
        if isinstance(feature.rule, DayRule):
            values[feature.name] = _compared(values[feature.rule.column], feature.rule, sectors)
    return {feature.name: values[feature.name] for feature in CATALOGUE}


def kernels_of(feature: Feature) -> tuple[str, ...]:
    """Give the window kernels that a feature is made of, the outermost first."""
    rule = feature.rule
    if isinstance(rule, DayRule):
        return (f"day_{rule.comparison.name.lower()}",)
    found: dict[str, None] = {}
    waiting = [rule.kernel(series_of_fields())]
    while waiting:
        expression = waiting.pop(0)
        if expression.operation in _ROLLING:
            found[expression.operation] = None
        waiting += expression.operands
    return tuple(found) or ("no window",)


def formula_of(feature: Feature) -> Expression | None:
    """Give what is computed of each symbol, nothing if its day is; features of the context are its fields."""
    series = series_of_fields()
    match feature.rule:
        case SymbolRule(kernel=kernel):
            return kernel(series)
        case IndexRule() | FearRule():
            return field_named(feature.name) + 0.0 * lag(series.close, feature.warm_up)
        case DayRule():
            return None


def _context_fields(market: Market) -> dict[str, Frame]:
    """Give what the day knows beside the bars, each a frame of one column."""
    carried = {"index_close": market.index, "fear": market.fear}
    context = {name: _known_by(values, market.days) for name, values in carried.items()}
    of_index = [feature for feature in CATALOGUE if isinstance(feature.rule, IndexRule)]
    of_fear = [feature for feature in CATALOGUE if isinstance(feature.rule, FearRule)]
    for features, closes in ((of_index, market.index), (of_fear, market.fear)):
        fear = _known_by(market.fear, pd.DatetimeIndex(closes.index))
        fields = {"close": closes.to_frame(0), "fear": fear}
        kernels = [_kernel(feature)(series_of_fields()) for feature in features]
        for feature, values in zip(features, Plan.of(kernels).run(fields), strict=True):
            context[feature.name] = _known_by(values[0], market.days)
    return context | _quarter(market.days)


def _kernel(feature: Feature) -> Callable[[Series], Expression]:
    assert not isinstance(feature.rule, DayRule)
    return feature.rule.kernel


def _known_by(values: pd.Series, days: pd.DatetimeIndex) -> Frame:
    return values.reindex(days, method="ffill", limit=CARRY_MAX).to_frame(0)


def _quarter(days: pd.DatetimeIndex) -> dict[str, Frame]:
    quarter = days.to_period("Q")
    begins, ends = quarter.to_timestamp(), (quarter + 1).to_timestamp()
    angle = 2 * np.pi * np.asarray((days - begins) / (ends - begins))
    return {
        "quarter_sine": pd.DataFrame(np.sin(angle), index=days),
        "quarter_cosine": pd.DataFrame(np.cos(angle), index=days),
    }


def _compared(values: Frame, rule: DayRule, sectors: pd.Series) -> Frame:
    if rule.comparison is Comparison.RANK:
        ranks = values.round(RANKED_DECIMALS).rank(axis=1)
        return (ranks - 0.5).div(values.count(axis=1), axis=0)
    kernel = _OF_DAY[rule.comparison]
    everyone = kernel(values)
    if not rule.within_sector:
        return everyone
    of_columns = sectors[values.columns].fillna("")
    parts = [
        kernel(values.loc[:, (of_columns == sector).to_numpy()]) for sector in sorted(set(of_columns) - {""})
    ]
    unknown = everyone.loc[:, (of_columns == "").to_numpy()]
    return pd.concat([unknown, *parts], axis=1)[values.columns]


def _over_day(values: Frame, statistic: pd.Series) -> Frame:
    """Give every known value of a day the day's statistic."""
    return pd.DataFrame(
        np.where(values.notna(), statistic.to_numpy()[:, None], np.nan), values.index, values.columns
    )


_OF_DAY: Final[dict[Comparison, Callable[[Frame], Frame]]] = {
    Comparison.MEAN: lambda values: _over_day(values, values.mean(axis=1)),
    Comparison.FROM_MEAN: lambda values: values.sub(values.mean(axis=1), axis=0),
    Comparison.DEVIATION: lambda values: _over_day(values, values.std(axis=1, ddof=0)),
    Comparison.RISING: lambda values: _over_day(values, 0.5 + _direction(values, TIE).mean(axis=1) / 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One kernel: what is done, the steps whose results it takes, and its constants."""

    operation: str
    operands: tuple[int, ...]
    constants: tuple[float | str, ...]


@dataclass(slots=True)
class Plan:
    """Expressions as steps in their order, equal ones once."""

    steps: list[Step] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    _known: dict[Step, int] = field(default_factory=dict)

    @classmethod
    def of(cls, expressions: Sequence[Expression]) -> Plan:
        """Plan what is needed for all of the expressions."""
        plan = cls()
        seen: dict[int, int] = {}
        plan.outputs = [plan._place(expression, seen) for expression in expressions]
        return plan

    def _place(self, expression: Expression, seen: dict[int, int]) -> int:
        if id(expression) not in seen:
            operands = tuple(self._place(operand, seen) for operand in expression.operands)
            step = Step(operation=expression.operation, operands=operands, constants=expression.constants)
            if step not in self._known:
                self._known[step] = len(self.steps)
                self.steps.append(step)
            seen[id(expression)] = self._known[step]
        return seen[id(expression)]

    def run(self, fields: Mapping[str, Frame]) -> list[Frame]:
        """Give the value of each expression."""
        uses = np.bincount(
            [*self.outputs, *(part for step in self.steps for part in step.operands)],
            minlength=len(self.steps),
        )
        results: dict[int, Frame] = {}
        for at, step in enumerate(self.steps):
            if step.operation == "field":
                results[at] = fields[str(step.constants[0])]
                continue
            parts = _alike([results[part] for part in step.operands])
            results[at] = KERNELS[step.operation](*parts, *step.constants)
            for part in step.operands:
                uses[part] -= 1
                if not uses[part]:
                    del results[part]
        return [results[at] for at in self.outputs]


def _alike(frames: Sequence[Frame]) -> list[Frame]:
    """Give what is the same for all symbols a column for each, where it meets what is not."""
    widest = max(frames, key=lambda frame: frame.shape[1])
    return [
        frame if frame.shape[1] == widest.shape[1] else _widened(frame, widest.columns) for frame in frames
    ]


def _widened(frame: Frame, columns: pd.Index) -> Frame:
    repeated = np.repeat(frame.to_numpy().T, len(columns), axis=0)
    return pd.DataFrame(repeated.T, index=frame.index, columns=columns)


def _each_step(values: Frame, step: int, kernel: Callable[[Frame], Frame]) -> Frame:
    """Apply a kernel to every ``step``-th row, back from each row."""
    if step == 1:
        return kernel(values)
    return pd.concat([kernel(values.iloc[first::step]) for first in range(step)]).sort_index()


def _total(values: Frame, length: int, step: int) -> Frame:
    return _each_step(values, step, lambda rows: rows.rolling(length).sum())


def _decaying_total(values: Frame, decay: float, length: int, step: int) -> Frame:
    """Subtract of an infinite sum what is older than the window; before its first row stands that row."""

    def kernel(rows: Frame) -> Frame:
        infinite = rows.ewm(alpha=1 - decay, adjust=False).mean().where(rows.notna())
        older = infinite.shift(length)
        if length > 1:
            older = older.fillna(infinite.shift(length - 1))
        return (infinite - decay**length * older) / (1 - decay)

    return _each_step(values, step, kernel)


def _squares(values: Frame, length: int, tie: float) -> Frame:
    rolling = values.rolling(length)
    squares = rolling.var(ddof=0) * length
    is_rounding = squares <= tie**2 * (squares + rolling.sum() ** 2 / length)
    return squares.mask(is_rounding, 0.0)


def _products(first: Frame, second: Frame, length: int) -> Frame:
    return first.rolling(length).cov(second, pairwise=False, ddof=0) * length


def _products_with_time(values: Frame, length: int) -> Frame:
    time = pd.DataFrame(np.arange(float(len(values))), index=values.index)
    return _products(values, _widened(time, values.columns), length)


def _cubes(values: Frame, length: int) -> Frame:
    rolling = values.rolling(length)
    adjusted = rolling.skew().fillna(0.0)
    skewness: Frame = adjusted * (length - 2) / np.sqrt(length * (length - 1))
    cubes: Frame = skewness * rolling.var(ddof=0) ** 1.5 * length
    return cubes


def _fourths(values: Frame, length: int) -> Frame:
    rolling = values.rolling(length)
    adjusted = rolling.kurt().fillna(0.0)
    excess = (adjusted * (length - 2) * (length - 3) / (length - 1) - 6) / (length + 1)
    fourths: Frame = (excess + 3) * rolling.var(ddof=0) ** 2 * length
    return fourths


def _rank_of_last(values: Frame, length: int, _tie: float) -> Frame:
    return (values.rolling(length).rank() - 0.5) / length


def _age_of_highest(values: Frame, tops: Frame, length: int, _tie: float) -> Frame:
    """Walk the window from its oldest row on, so that of equal ones the latest stays."""
    columns, top = values.to_numpy().T, tops.to_numpy().T[:, length - 1 :]
    ages = np.zeros(top.shape)
    for age in reversed(range(length)):
        is_top = columns[:, length - 1 - age : columns.shape[1] - age] == top
        np.copyto(ages, float(age), where=is_top)
    return _of_windows(values, ages, length).where(tops.notna())


def _distances(values: Frame, means: Frame, length: int) -> Frame:
    columns, middle = values.to_numpy().T, means.to_numpy().T[:, length - 1 :]
    total = np.zeros(middle.shape)
    for age in range(length):
        total += np.abs(columns[:, length - 1 - age : columns.shape[1] - age] - middle)
    return _of_windows(values, total, length)


def _deepest_fall(values: Frame, length: int) -> Frame:
    columns = values.to_numpy().T
    rows = columns.shape[1] - length + 1
    top, deepest = columns[:, :rows].copy(), np.ones((columns.shape[0], rows))
    for later in range(length):
        value = columns[:, later : later + rows]
        np.maximum(top, value, out=top)
        np.minimum(deepest, value / top, out=deepest)
    return _of_windows(values, deepest, length)


def _of_windows(like: Frame, results: NDArray[np.float64], length: int) -> Frame:
    """Give results of shape (symbols, windows) as a frame, not known before there is a window."""
    filled = np.full((like.shape[1], like.shape[0]), np.nan)
    filled[:, length - 1 :] = results
    return pd.DataFrame(filled.T, index=like.index, columns=like.columns)


def _streak(directions: Frame, length: int) -> Frame:
    goes_on = directions.eq(directions.shift())
    counted = goes_on.cumsum()
    run = 1 + counted - counted.mask(goes_on).ffill()
    return (run.clip(upper=length) * directions).where(directions.rolling(length).count() == length)


def _last_swing(middle: Frame, summit: Frame, highest: Frame, window: int) -> Frame:
    swing = middle.where(middle == summit).ffill(limit=window - 1)
    return swing.fillna(highest).where(highest.notna())


def _ratio_above(numerator: Frame, denominator: Frame, neutral: float, least: float | Frame) -> Frame:
    vanishes = denominator <= least
    return (numerator / denominator.mask(vanishes, 1.0)).mask(vanishes & numerator.notna(), neutral)


def _ratio(numerator: Frame, denominator: Frame, scale: Frame, neutral: float, tie: float) -> Frame:
    return _ratio_above(numerator, denominator, neutral, tie * scale)


def _direction(values: Frame, tie: float) -> Frame:
    without_ties = values.mask(values.abs() <= tie, 0.0)
    signs: Frame = without_ties.apply(np.sign)
    return signs


_ROLLING: Final[dict[str, Callable[..., Frame]]] = {
    "total": _total,
    "decaying_total": _decaying_total,
    "squares": _squares,
    "products": _products,
    "products_with_time": _products_with_time,
    "highest": lambda values, length: values.rolling(length).max(),
    "lowest": lambda values, length: values.rolling(length).min(),
    "cubes": _cubes,
    "fourths": _fourths,
    "rank_of_last": lambda values, _totals, length, tie: _rank_of_last(values, length, tie),
    "age_of_highest": _age_of_highest,
    "distances": _distances,
    "deepest_fall": _deepest_fall,
    "streak": _streak,
    "last_swing": _last_swing,
}
KERNELS: Final[dict[str, Callable[..., Frame]]] = _ROLLING | {
    "lag": lambda values, rows: values.shift(rows),
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "shift": lambda a, constant: a + constant,
    "scale": lambda a, constant: a * constant,
    "larger": np.maximum,
    "smaller": np.minimum,
    "at_least": lambda a, least: a.clip(lower=least),
    "at_most": lambda a, most: a.clip(upper=most),
    "absolute": lambda a: a.abs(),
    "square_root": np.sqrt,
    "log": np.log,
    "greater": lambda a, b: (a > b).astype(np.float64),
    "where": lambda condition, chosen, other: chosen.where(condition != 0, other),
    "ratio": _ratio,
    "ratio_above": _ratio_above,
    "direction": _direction,
}
