"""Peers of the features' benchmark that may be installed or not: polars, TA-Lib and ``ta``.

    pip install polars TA-Lib ta

Each does what it offers and says how many columns that gave. polars computes what it has natively of the
catalogue's features of one symbol, symbol by symbol, level by level and equal expressions once; lazily it
took minutes. TA-Lib computes the functions of four groups with their default settings. ``ta`` computes
all of its features, of one symbol only, because it is slow.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from benchmarks.pandas_features import Plan, formula_of
from regime.features import CATALOGUE
from regime.features.feature import SymbolRule
from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.pandas_features import Market
    from regime.features.feature import Feature

TALIB_GROUPS: Final = ("Overlap Studies", "Momentum Indicators", "Volatility Indicators", "Volume Indicators")
"""Those that correspond to the catalogue, less MAVP, which asks for a series of periods."""


def is_installed(module: str) -> bool:
    """Tell whether a peer can be measured."""
    return find_spec(module) is not None


def polars_work(market: Market) -> tuple[Callable[[], object], int, int]:
    """Give what to time, the number of columns it computes, and that of the rows of each."""
    polars = import_module("polars")
    native = [feature for feature in CATALOGUE if _is_native(feature)]
    plan = _plan_of(native)
    levels = _levels(plan)
    outputs = [f"step_{at}" for at in dict.fromkeys(plan.outputs)]
    context = {"index_close": market.carried(market.index), "fear": market.carried(market.fear)}
    close = market.fields["close"]
    frames = [
        polars.DataFrame({name: market.fields[name][symbol].to_numpy() for name in BAR_FIELDS} | context)
        for symbol in close.columns
    ]

    def work() -> object:
        return [_computed(frame, plan, levels).select(outputs) for frame in frames]

    return work, len(native), close.size


def _plan_of(features: Sequence[Feature]) -> Plan:
    return Plan.of([formula for formula in map(formula_of, features) if formula is not None])


def _is_native(feature: Feature) -> bool:
    if not isinstance(feature.rule, SymbolRule) or "calendar" in feature.inputs:
        return False
    return all(
        step.operation in _POLARS and (step.operation not in _STEPPED or step.constants[-1] == 1)
        for step in _plan_of([feature]).steps
    )


def _levels(plan: Plan) -> list[list[int]]:
    """Give the steps by how many others stand before each."""
    depth: list[int] = []
    for step in plan.steps:
        depth.append(1 + max((depth[part] for part in step.operands), default=-1))
    return [[at for at, own in enumerate(depth) if own == level] for level in range(max(depth) + 1)]


def _computed(frame: Any, plan: Plan, levels: list[list[int]]) -> Any:
    polars = import_module("polars")
    for level in levels:
        expressions = []
        for at in level:
            step = plan.steps[at]
            names = (
                step.constants if step.operation == "field" else [f"step_{part}" for part in step.operands]
            )
            constants = () if step.operation == "field" else step.constants
            parts = [polars.col(name) for name in names]
            expressions.append(_POLARS[step.operation](polars, *parts, *constants).alias(f"step_{at}"))
        frame = frame.with_columns(expressions)
    return frame


def _larger(pl: Any, first: Any, second: Any) -> Any:
    return pl.when(first >= second).then(first).when(first < second).then(second)


def _smaller(pl: Any, first: Any, second: Any) -> Any:
    return pl.when(first <= second).then(first).when(first > second).then(second)


def _ratio_above(pl: Any, a: Any, b: Any, neutral: float, least: Any) -> Any:
    return pl.when(b > least).then(a / b).when((b <= least) & a.is_not_null()).then(neutral)


def _decaying_total(pl: Any, values: Any, decay: float, length: int, _step: int) -> Any:
    del pl
    infinite = values.ewm_mean(alpha=1 - decay, adjust=False)
    older = infinite.shift(length).fill_null(infinite.shift(length - 1))
    return (infinite - decay**length * older) / (1 - decay)


def _squares(pl: Any, values: Any, length: int, tie: float) -> Any:
    squares = values.rolling_var(length, ddof=0) * length
    about = squares + values.rolling_sum(length) ** 2 / length
    return pl.when(squares <= tie**2 * about).then(0.0).otherwise(squares)


def _cubes(pl: Any, values: Any, length: int) -> Any:
    del pl
    return values.rolling_skew(length) * values.rolling_var(length, ddof=0) ** 1.5 * length


def _fourths(pl: Any, values: Any, length: int) -> Any:
    del pl
    return (values.rolling_kurtosis(length) + 3) * values.rolling_var(length, ddof=0) ** 2 * length


def _last_swing(pl: Any, middle: Any, summit: Any, highest: Any, window: int) -> Any:
    swing = pl.when(middle == summit).then(middle).forward_fill(window - 1).fill_null(highest)
    return pl.when(highest.is_not_null()).then(swing)


_STEPPED: Final = frozenset({"total", "decaying_total"})
_POLARS: Final[dict[str, Callable[..., Any]]] = {
    "field": lambda _, a: a,
    "lag": lambda _, a, rows: a.shift(rows),
    "add": lambda _, a, b: a + b,
    "subtract": lambda _, a, b: a - b,
    "multiply": lambda _, a, b: a * b,
    "divide": lambda _, a, b: a / b,
    "shift": lambda _, a, constant: a + constant,
    "scale": lambda _, a, constant: a * constant,
    "larger": _larger,
    "smaller": _smaller,
    "at_least": lambda _, a, least: a.clip(lower_bound=least),
    "at_most": lambda _, a, most: a.clip(upper_bound=most),
    "absolute": lambda _, a: a.abs(),
    "square_root": lambda _, a: a.sqrt(),
    "log": lambda _, a: a.log(),
    "greater": lambda pl, a, b: (a > b).cast(pl.Float64),
    "where": lambda pl, condition, a, b: pl.when(condition != 0).then(a).otherwise(b),
    "ratio_above": _ratio_above,
    "ratio": lambda pl, a, b, scale, neutral, tie: _ratio_above(pl, a, b, neutral, tie * scale),
    "direction": lambda pl, a, tie: pl.when(a.abs() <= tie).then(0.0).otherwise(a.sign()),
    "total": lambda _, a, length, _step: a.rolling_sum(length),
    "decaying_total": _decaying_total,
    "squares": _squares,
    "products": lambda pl, a, b, length: pl.rolling_cov(a, b, window_size=length, ddof=0) * length,
    "highest": lambda _, a, length: a.rolling_max(length),
    "lowest": lambda _, a, length: a.rolling_min(length),
    "cubes": _cubes,
    "fourths": _fourths,
    "rank_of_last": lambda _, a, _totals, length, _tie: (a.rolling_rank(length) - 0.5) / length,
    "last_swing": _last_swing,
}


def talib_work(market: Market) -> tuple[Callable[[], object], int, int]:
    """Give what to time, the number of columns it computes, and that of the rows of each."""
    abstract, groups = import_module("talib.abstract"), import_module("talib").get_function_groups()
    names = [name for group in TALIB_GROUPS for name in groups[group] if name != "MAVP"]
    functions = [abstract.Function(name) for name in names]
    columns = sum(len(function.output_names) for function in functions)
    frames = {name: np.ascontiguousarray(values.to_numpy().T) for name, values in market.fields.items()}
    symbols, days = frames["close"].shape

    def work() -> object:
        results = []
        for symbol in range(symbols):
            bars = {name: values[symbol] for name, values in frames.items()}
            results.append([function(bars) for function in functions])
        return results

    return work, columns, symbols * days


def ta_work(market: Market) -> tuple[Callable[[], object], int, int]:
    """Give what to time, of the first symbol; the number of columns, and that of the rows of each."""
    ta, symbol = import_module("ta"), market.fields["close"].columns[0]
    bars = pd.DataFrame({name: market.fields[name][symbol] for name in BAR_FIELDS})

    def work() -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table: pd.DataFrame = ta.add_all_ta_features(bars.copy(), *BAR_FIELDS)
        return table

    return work, work().shape[1] - len(BAR_FIELDS), len(bars)
