"""Runs programs: in C where the extension was built, else in numpy, with equal results.

The two differ by the last bits of a logarithm and of the sums that walk a window.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regime.features import numpy_engine
from regime.features.program import Code, compile_program, encode

try:
    _engine: Any = importlib.import_module("regime.features._engine")
except ImportError:  # installed where there was no compiler: the numpy engine takes its place
    _engine = None

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.features.cross_section import Comparison
    from regime.features.expression import Expression

TILE_ROWS: Final = 1024
"""Rows of a series that are worked on together: few enough to stay in the processor's cache."""
LANES: Final = 8
"""Symbols whose last rows are worked on side by side."""


IS_COMPILED: Final = _engine is not None
"""Whether the extension is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Values of a field for all rows: ``values`` themselves, or ``values[at]``, unknown where ``at`` < 0."""

    values: NDArray[np.float64]
    at: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Where each symbol's rows are, and how many of its last ones are asked; int64, shape (n_symbols,).

    ``starts`` and ``lengths`` are in rows of the fields, ``places`` the rows of the output at which the
    ``wanted`` last rows are written.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    wanted: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, lengths: NDArray[np.int64], wanted: NDArray[np.int64], starts: NDArray[np.int64]) -> Spans:
        """Give the spans of symbols whose asked rows follow each other in the output."""
        ends = np.cumsum(wanted)
        return cls(starts=starts, lengths=lengths, wanted=wanted, places=ends - wanted)

    def asked_rows(self) -> NDArray[np.int64]:
        """Give the rows of the fields that are asked, in the order of the output."""
        firsts = self.starts + self.lengths - self.wanted
        return np.repeat(firsts - self.places, self.wanted) + np.arange(int(self.wanted.sum()))


def run(
    code: Code,
    fields: Mapping[str, Field],
    spans: Spans,
    out: NDArray[np.floating],
    compared: NDArray[np.float64] | None = None,
    *,
    threads: int = 1,
) -> None:
    """Write the outputs of a program into ``out``, shape (n_columns, n_rows asked), in place.

    Values nearer to zero than 1e-10 become zero, those that overflowed NaN; those whose column is -1 - k are
    written as they are to row k of ``compared``, shape (n_compared, n_rows asked).
    """
    compared = np.empty((0, out.shape[1])) if compared is None else compared
    inputs = tuple((fields[name].values, fields[name].at) for name in code.inputs)
    if _engine is None:
        numpy_engine.run(code, inputs, spans, out, compared)
        return
    _engine.run(
        code.steps, code.constants, code.runs, code.reaches, code.slots, code.look_back, inputs, spans.starts,
        spans.lengths, spans.wanted, spans.places, out, out.dtype == np.float32, compared, out.shape[1],
        threads, TILE_ROWS, LANES,
    )  # fmt: skip


def latest_known(
    days: NDArray[np.int64], spans: Spans, known: NDArray[np.int64], carry: int
) -> NDArray[np.int32]:
    """Give for each row the place in ``known`` of the latest day by then, -1 if there is none.

    ``known`` is ascending. A value of the day itself has age 0; the age counts the symbol's rows since, and
    what is older than ``carry`` rows is not known any more.

    >>> spans = Spans.of(np.array([8]), np.array([8]), np.array([0]))
    >>> latest_known(np.arange(8), spans, np.array([1]), 5)
    array([-1,  0,  0,  0,  0,  0,  0, -1], dtype=int32)
    """
    if _engine is None:
        return numpy_engine.latest_known(days, spans, known, carry)
    at = np.empty(len(days), dtype=np.int32)
    _engine.align(days, spans.starts, spans.lengths, known, carry, at)
    return at


def compare(
    compared: NDArray[np.float64],
    days: NDArray[np.int64],
    spans: Spans,
    sectors: NDArray[np.int32],
    rules: Sequence[tuple[Comparison, int, int, bool]],
    out: NDArray[np.floating],
    *,
    threads: int = 1,
) -> None:
    """Compare the symbols of each day: fill columns of ``out``, shape (n_columns, n_rows), in place.

    ``days`` are those of the rows of ``out``, ``sectors`` (-1 if not known) those of the symbols; a rule
    names the comparison, the row of ``compared`` that it is about, the column that is filled, and whether
    members are those of the sector.
    """
    if not len(days):
        return
    if _engine is None:
        numpy_engine.compare(compared, days, spans, sectors, rules, out)
        return
    table = np.array([(kind.value, *columns) for kind, *columns in rules], dtype=np.int32)
    first, last = int(days.min()), int(days.max())
    _engine.compare(
        days, spans.places, spans.wanted, sectors, int(sectors.max()) + 1, first, last - first + 1, table,
        compared, out, out.dtype == np.float32, out.shape[1], threads,
    )  # fmt: skip


def evaluate(expression: Expression, **fields: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the values of one expression on the rows of one series.

    >>> from regime.features.expression import field
    >>> evaluate(2 * field("x") - 1, x=[1.0, 2.0])
    array([1., 3.])
    """
    code = encode(compile_program([expression]))
    arrays = {name: Field(values=np.array(values, dtype=np.float64)) for name, values in fields.items()}
    rows = len(next(iter(arrays.values())).values)
    out: NDArray[np.float64] = np.empty((1, rows))
    length = np.array([rows])
    run(code, arrays, Spans.of(length, length, np.array([0])), out)
    row: NDArray[np.float64] = out[0]
    return row
