"""Formulas as data: what a feature is computed from, before anything is computed.

An ``Expression`` is an operation on other expressions, down to the fields of a bar. Formulas are written
with it once and run three ways that agree: all of history in one go, the last bars only, one bar at a time
(``program``, ``engine``); and a fourth, slow and independent, as the oracle of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """An operation with its operands and constants; a value a bar, NaN where it is not known.

    Arithmetic with numbers and other expressions gives expressions. Comparisons give 1 where they hold and 0
    where they do not; what is not known compares as not holding.

    >>> price = field("close")
    >>> (price / lag(price, 1) - 1).operation
    'shift'
    """

    operation: str
    operands: tuple[Expression, ...] = ()
    constants: tuple[float | str, ...] = ()

    def __add__(self, other: Expression | float) -> Expression:
        if isinstance(other, Expression):
            return Expression("add", (self, other))
        return Expression("shift", (self,), (float(other),))

    def __sub__(self, other: Expression | float) -> Expression:
        if isinstance(other, Expression):
            return Expression("subtract", (self, other))
        return self + -other

    def __mul__(self, other: Expression | float) -> Expression:
        if isinstance(other, Expression):
            return Expression("multiply", (self, other))
        return Expression("scale", (self,), (float(other),))

    def __truediv__(self, other: Expression | float) -> Expression:
        if isinstance(other, Expression):
            return Expression("divide", (self, other))
        return self * (1 / other)

    def __neg__(self) -> Expression:
        return self * -1.0

    def __radd__(self, other: float) -> Expression:
        return self + other

    def __rsub__(self, other: float) -> Expression:
        return -self + other

    def __rmul__(self, other: float) -> Expression:
        return self * other

    def __pow__(self, power: int) -> Expression:
        return reduce(lambda product, _: product * self, range(power - 1), self)

    def __gt__(self, other: Expression | float) -> Expression:
        return Expression("greater", (self, other if isinstance(other, Expression) else self * 0.0 + other))

    def __lt__(self, other: Expression) -> Expression:
        return other > self

    def __and__(self, other: Expression) -> Expression:
        return self * other


def field(name: str) -> Expression:
    """Give a field of the bars, or what is known beside them, as a value a bar."""
    return Expression("field", (), (name,))


def lag(values: Expression, bars: int) -> Expression:
    """Give the values of ``bars`` rows ago.

    >>> lag(field("close"), 2).constants
    (2,)
    """
    return Expression("lag", (values,), (bars,)) if bars else values


def log(values: Expression) -> Expression:
    """Give natural logarithms."""
    return Expression("log", (values,))


def square_root(values: Expression) -> Expression:
    """Give square roots."""
    return Expression("square_root", (values,))


def absolute(values: Expression) -> Expression:
    """Give absolute values."""
    return Expression("absolute", (values,))


def larger(first: Expression, second: Expression | float) -> Expression:
    """Give the larger of two values; not known where either is not."""
    if isinstance(second, Expression):
        return Expression("larger", (first, second))
    return Expression("at_least", (first,), (float(second),))


def smaller(first: Expression, second: Expression | float) -> Expression:
    """Give the smaller of two values; not known where either is not."""
    if isinstance(second, Expression):
        return Expression("smaller", (first, second))
    return Expression("at_most", (first,), (float(second),))


def where(condition: Expression, chosen: Expression, other: Expression) -> Expression:
    """Give ``chosen`` where a comparison holds, else ``other``."""
    return Expression("where", (condition, chosen, other))


def average(parts: Sequence[Expression]) -> Expression:
    """Give the mean of several expressions, row by row."""
    return reduce(lambda first, second: first + second, parts) / len(parts)
