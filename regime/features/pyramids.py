"""How a window of any length is computed from windows of 1, 2, 4, 8, ... rows.

The sum of 20 rows is that of the newest 16 and of the 4 before them; the sum of 16 is two sums of 8. Each
level is one addition a row for the whole series at once, levels are shared by all lengths, and each value is
made from the rows of its own window, always in the same order: nothing drifts, a NaN or a wild price leaves
with its row, and a batch, the last rows alone and one bar at a time agree to the last bit. The same holds for
whatever two adjacent windows can be merged from: maxima, weights that decay, and central moments (Chan,
Golub and LeVeque 1979, equation 1.5), whose merging subtracts means and not sums of squares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from regime.features.expression import Expression, lag, larger, smaller

if TYPE_CHECKING:
    from collections.abc import Callable

    State = tuple[Expression, ...]
    Merge = Callable[[State, State, int, int], State]
    """Merges an older window, already lagged, and a newer one, of so many rows each."""


def lowered(expression: Expression) -> Expression | None:
    """Give a rolling kernel in terms of simpler operations, or ``None`` for what the engine does itself."""
    lowering = _LOWERINGS.get(expression.operation)
    return lowering(*expression.operands, *expression.constants) if lowering else None


def _folded(leaf: State, length: int, merge: Merge, step: int = 1) -> State:
    """Merge the windows of one row up to one of ``length`` rows, ``step`` rows apart."""
    powers, size = {1: leaf}, 1
    while 2 * size <= length:
        powers[2 * size] = merge(_lagged(powers[size], size * step), powers[size], size, size)
        size *= 2
    window = powers[size]
    for power in sorted(powers, reverse=True)[1:]:
        if size + power <= length:
            window = merge(_lagged(powers[power], size * step), window, power, size)
            size += power
    return window


def _lagged(state: State, rows: int) -> State:
    return tuple(lag(part, rows) for part in state)


def _add(older: State, newer: State, _rows_older: int, _rows_newer: int) -> State:
    return (older[0] + newer[0],)


def _total(values: Expression, length: int, step: int = 1) -> Expression:
    return _folded((values,), length, _add, step)[0]


def _decaying_total(values: Expression, decay: float, length: int, step: int) -> Expression:
    def merge(older: State, newer: State, _rows_older: int, rows_newer: int) -> State:
        return (Expression("add_scaled", (newer[0], older[0]), (decay**rows_newer,)),)

    return _folded((values,), length, merge, step)[0]


def _squares(values: Expression, length: int, tie: float) -> Expression:
    def merge(older: State, newer: State, rows_older: int, rows_newer: int) -> State:
        constants = _of_means(rows_older, rows_newer)
        merged = Expression("merge_squares", (older[1], newer[1], older[0], newer[0]), constants)
        return (older[0] + newer[0], merged)

    total, squares = _folded((values, values * 0.0), length, merge)
    return Expression("without_rounding", (squares, total), (1 / length, tie**2))


def _products(first: Expression, second: Expression, length: int) -> Expression:
    def merge(older: State, newer: State, rows_older: int, rows_newer: int) -> State:
        parts = (older[2], newer[2], older[0], newer[0], older[1], newer[1])
        merged = Expression("merge_products", parts, _of_means(rows_older, rows_newer))
        return (older[0] + newer[0], older[1] + newer[1], merged)

    leaf = (first, second, (first + second) * 0.0)
    return _folded(leaf, length, merge)[2]


def _of_means(rows_older: int, rows_newer: int) -> tuple[float, float, float]:
    """Give what makes means of sums, and the weight of the squared difference of two means."""
    return 1 / rows_older, 1 / rows_newer, rows_older * rows_newer / (rows_older + rows_newer)


def _products_with_time(values: Expression, length: int) -> Expression:
    def merge(older: State, newer: State, rows_older: int, rows_newer: int) -> State:
        parts = (older[1], newer[1], newer[0], older[0])
        merged = Expression("merge_in_time", parts, (rows_older / 2, rows_newer / 2))
        return (older[0] + newer[0], merged)

    return _folded((values, values * 0.0), length, merge)[1]


def _highest(values: Expression, length: int) -> Expression:
    return _overlapping(values, length, larger)


def _lowest(values: Expression, length: int) -> Expression:
    return _overlapping(values, length, smaller)


def _overlapping(
    values: Expression, length: int, choose: Callable[[Expression, Expression], Expression]
) -> Expression:
    """Cover the window by two of the largest power of two: what is chosen twice changes nothing."""
    window, size = values, 1
    while 2 * size <= length:
        window, size = choose(lag(window, size), window), 2 * size
    return choose(lag(window, length - size), window) if size < length else window


def _deepest_fall(values: Expression, length: int) -> Expression:
    def merge(older: State, newer: State, _rows_older: int, _rows_newer: int) -> State:
        top, bottom, fall = older
        across = newer[1] / top
        deepest = smaller(smaller(fall, newer[2]), across)
        return larger(top, newer[0]), smaller(bottom, newer[1]), deepest

    return _folded((values, values, values / values), length, merge)[2]


def _cubes(values: Expression, length: int) -> Expression:
    return Expression("sum_of_cubes", (values, _total(values, length) / length), (length,))


def _fourths(values: Expression, length: int) -> Expression:
    return Expression("sum_of_fourths", (values, _total(values, length) / length), (length,))


_LOWERINGS: Final[dict[str, Callable[..., Expression]]] = {
    "total": _total,
    "decaying_total": _decaying_total,
    "squares": _squares,
    "products": _products,
    "products_with_time": _products_with_time,
    "highest": _highest,
    "lowest": _lowest,
    "deepest_fall": _deepest_fall,
    "cubes": _cubes,
    "fourths": _fourths,
}
