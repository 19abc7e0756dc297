"""The engine in numpy: each step is one numpy expression over all rows of a block of symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.features.cross_section import KERNELS
from regime.features.program import OPERATIONS, Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from regime.features.cross_section import Comparison
    from regime.features.engine import Spans

    Values = NDArray[np.float64]
    Inputs = Sequence[tuple[Values, NDArray[np.int32] | None]]
    Operation = Callable[..., Values]

NEAR_ZERO: Final = 1e-10
"""Values nearer to zero than this are what rounding left of a zero."""


def run(code: Code, inputs: Inputs, spans: Spans, out: NDArray[np.floating], compared: Values) -> None:
    """Write the outputs of a program into ``out`` and ``compared``, in place."""
    with np.errstate(all="ignore"):
        for symbols, rows, asked in _blocks(code, spans):
            _run_block(code, inputs, spans, (out, compared), symbols, rows, asked)


def latest_known(
    days: NDArray[np.int64], spans: Spans, known: NDArray[np.int64], carry: int
) -> NDArray[np.int32]:
    """Give for each row the place in ``known`` of the latest day by then, -1 if there is none."""
    found = np.full(len(days), -1, dtype=np.int32)
    if not len(known):
        return found
    for start, length in zip(spans.starts.tolist(), spans.lengths.tolist(), strict=True):
        asked = days[start : start + length]
        latest = np.searchsorted(known, asked, side="right") - 1
        seen_before = np.searchsorted(asked, known[np.maximum(latest, 0)], side="right")
        age = np.arange(1, length + 1) - seen_before
        found[start : start + length] = np.where((latest >= 0) & (age <= carry), latest, -1)
    return found


def compare(
    compared: Values,
    days: NDArray[np.int64],
    spans: Spans,
    symbol_sectors: NDArray[np.int32],
    rules: Sequence[tuple[Comparison, int, int, bool]],
    out: NDArray[np.floating],
) -> None:
    """Compare the symbols of each day, in place."""
    with np.errstate(all="ignore"):
        _compare(compared, days, spans, symbol_sectors, rules, out)


def _compare(
    compared: Values,
    days: NDArray[np.int64],
    spans: Spans,
    symbol_sectors: NDArray[np.int32],
    rules: Sequence[tuple[Comparison, int, int, bool]],
    out: NDArray[np.floating],
) -> None:
    sectors = np.repeat(symbol_sectors, spans.wanted)
    _, day = np.unique(days, return_inverse=True)
    sector_day = day * (int(sectors.max(initial=-1)) + 2) + sectors + 1
    for comparison, row, column, within_sector in rules:
        values, kernel = compared[row], KERNELS[comparison]
        known = ~np.isnan(values)
        filled = np.full(len(day), np.nan)
        filled[known] = kernel(values[known], day[known])
        inside = known & (sectors >= 0)
        if within_sector:
            filled[inside] = kernel(values[inside], sector_day[inside])
        out[column] = mended(filled, out.dtype)


def mended(values: Values, dtype: np.dtype[np.floating]) -> Values:
    """Make zero what is rounding, and NaN what overflows a type: it is not known."""
    near_zero = np.where(np.abs(values) < NEAR_ZERO, 0.0, values)
    return np.where(np.abs(near_zero) <= np.finfo(dtype).max, near_zero, np.nan)


def _blocks(code: Code, spans: Spans) -> Iterator[tuple[NDArray[np.int64], int, int]]:
    """Give symbols that are worked on side by side, the rows of their block, and the most asked of one."""
    few = 4 * spans.wanted <= code.look_back
    together = np.flatnonzero(few & (spans.wanted > 0))
    if len(together):
        asked = int(spans.wanted[together].max())
        yield together, asked + code.look_back - 1, asked
    for symbol in np.flatnonzero(~few):
        wanted = int(spans.wanted[symbol])
        yield np.array([symbol]), min(int(spans.lengths[symbol]), wanted + code.look_back - 1), wanted


def _run_block(
    code: Code,
    inputs: Inputs,
    spans: Spans,
    results: tuple[NDArray[np.floating], Values],
    symbols: NDArray[np.int64],
    rows: int,
    asked: int,
) -> None:
    slots: list[Values | None] = [None] * code.slots
    for which, (values, at) in enumerate(inputs):
        slots[which] = _loaded(values, at, spans, symbols, rows)
    for step, constants in zip(code.steps.tolist(), code.constants.tolist(), strict=True):
        operation, target, warm_up, reach, window, _first_run, _end_run, count = step[:8]
        parts = [(slots[slot], lag) for slot, lag in zip(step[8::2], step[9::2], strict=True)][:count]
        if operation == 0:
            values, lag = parts[0]
            if target >= 0:
                _store(mended(values, results[0].dtype), lag, spans, results[0][target], symbols)
            else:
                _store(values, lag, spans, results[1][-1 - target], symbols)
            continue
        first = max(rows - asked - reach, warm_up, 0)
        result = np.full((rows, len(symbols)), np.nan)
        if first < rows:
            kernel = _WINDOWED.get(OPERATIONS[operation])
            if kernel:
                moved = [_Moved(values, lag, first) for values, lag in parts]
                result[first:] = kernel(*moved, window, *constants[1:])
            else:
                plain = [values[first - lag : rows - lag] for values, lag in parts]
                result[first:] = _PLAIN[OPERATIONS[operation]](*plain, *constants)
        slots[target] = result


def _loaded(
    values: Values, at: NDArray[np.int32] | None, spans: Spans, symbols: NDArray[np.int64], rows: int
) -> Values:
    """Give the last ``rows`` values of each symbol, shape (rows, n_symbols), NaN before its first."""
    row = spans.lengths[symbols] - rows + np.arange(rows)[:, None]
    place = np.where(row >= 0, spans.starts[symbols] + row, 0)
    known = row >= 0
    if at is not None:
        found = at[place]
        known &= found >= 0
        place = np.where(known, found, 0)
    if not len(values):
        return np.full(row.shape, np.nan)
    return np.where(known, values[place], np.nan)


def _store(
    values: Values, lag: int, spans: Spans, column: NDArray[np.floating], symbols: NDArray[np.int64]
) -> None:
    end = len(values) - lag
    for lane, symbol in enumerate(symbols):
        wanted, place = spans.wanted[symbol], spans.places[symbol]
        column[place : place + wanted] = values[end - wanted : end, lane]


class _Moved:
    """An operand of a window kernel: its rows from ``first`` on, of so many bars ago."""

    def __init__(self, values: Values, lag: int, first: int) -> None:
        self._values, self._lag, self._first = values, lag, first

    def ago(self, age: int) -> Values:
        """Give the rows of ``age`` bars before."""
        move = self._lag + age
        return self._values[self._first - move : len(self._values) - move]


def _power_sum(power: int) -> Operation:
    def kernel(values: _Moved, means: _Moved, window: int, *_unused: float) -> Values:
        return sum(((values.ago(age) - means.ago(0)) ** power for age in range(window)), start=_zeros(means))

    return kernel


def _distances(values: _Moved, means: _Moved, window: int, *_unused: float) -> Values:
    return sum((np.abs(values.ago(age) - means.ago(0)) for age in range(window)), start=_zeros(means))


def _zeros(like: _Moved) -> Values:
    return np.zeros(like.ago(0).shape)


def _rank_of_last(values: _Moved, totals: _Moved, window: int, tie: float, *_unused: float) -> Values:
    """``totals`` tell where a value of the window is not known."""
    today = values.ago(0)
    counted = np.zeros(today.shape)
    for age in range(window):
        past = values.ago(age)
        counted += 0.5 * (past < today - tie) + 0.5 * (past <= today + tie)
    return np.where(np.isnan(totals.ago(0)), np.nan, counted / window)


def _age_of_highest(values: _Moved, tops: _Moved, window: int, tie: float, *_unused: float) -> Values:
    top = tops.ago(0)
    least = top - tie * np.abs(top)
    age = np.full(top.shape, window - 1.0)
    for bars in reversed(range(window)):
        age = np.where(values.ago(bars) >= least, float(bars), age)
    return np.where(np.isnan(top), np.nan, age)


def _last_swing(middle: _Moved, summit: _Moved, highest: _Moved, window: int, *_unused: float) -> Values:
    swing = highest.ago(0)
    for age in reversed(range(window)):
        swing = np.where(middle.ago(age) == summit.ago(age), middle.ago(age), swing)
    return np.where(np.isnan(highest.ago(0)), np.nan, swing)


def _streak(directions: _Moved, window: int, *_unused: float) -> Values:
    today = directions.ago(0)
    unbroken, known = np.ones(today.shape, dtype=bool), np.zeros(today.shape)
    run = np.zeros(today.shape)
    for age in range(window):
        unbroken &= directions.ago(age) == today
        run += unbroken
        known += directions.ago(age)
    return np.where(np.isnan(known), np.nan, today * run)


def _ratio(numerator: Values, denominator: Values, least: Values | float, neutral: float) -> Values:
    vanishes = denominator <= least
    quotient = numerator / np.where(vanishes, 1.0, denominator)
    return np.where(vanishes & ~np.isnan(numerator), neutral, quotient)


def _direction(values: Values, tie: float, *_unused: float) -> Values:
    sign = np.where(values > tie, 1.0, np.where(values < -tie, -1.0, 0.0))
    return np.where(np.isnan(values), np.nan, sign)


_PLAIN: Final[dict[str, Operation]] = {
    "add": lambda a, b, *_: a + b,
    "subtract": lambda a, b, *_: a - b,
    "multiply": lambda a, b, *_: a * b,
    "divide": lambda a, b, *_: a / b,
    "larger": lambda a, b, *_: np.maximum(a, b),
    "smaller": lambda a, b, *_: np.minimum(a, b),
    "shift": lambda a, p, *_: a + p,
    "scale": lambda a, p, *_: a * p,
    "at_least": lambda a, p, *_: np.maximum(a, p),
    "at_most": lambda a, p, *_: np.minimum(a, p),
    "absolute": lambda a, *_: np.abs(a),
    "square_root": lambda a, *_: np.sqrt(a),
    "log": lambda a, *_: np.log(a),
    "greater": lambda a, b, *_: (a > b).astype(np.float64),
    "where": lambda a, b, c, *_: np.where(a != 0.0, b, c),
    "ratio": lambda a, b, c, p, q, _: _ratio(a, b, q * c, p),
    "ratio_above": lambda a, b, p, q, _: _ratio(a, b, q, p),
    "direction": _direction,
    "add_scaled": lambda a, b, p, *_: a + p * b,
    "without_rounding": lambda a, b, p, q, _: np.where(a <= q * (a + b * b * p), 0.0, a),
    "merge_squares": lambda a, b, c, d, p, q, r: a + b + r * (c * p - d * q) * (c * p - d * q),
    "merge_products": lambda a, b, c, d, e, f, p, q, r: a + b + r * (c * p - d * q) * (e * p - f * q),
    "merge_in_time": lambda a, b, c, d, p, q, _: a + b + (p * c - q * d),
}
_WINDOWED: Final[dict[str, Operation]] = {
    "sum_of_cubes": _power_sum(3),
    "sum_of_fourths": _power_sum(4),
    "distances": _distances,
    "rank_of_last": _rank_of_last,
    "age_of_highest": _age_of_highest,
    "last_swing": _last_swing,
    "streak": _streak,
}
