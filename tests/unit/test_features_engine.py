"""The two engines: each operation, each way to ask for rows, and what programs are made of formulas."""

from __future__ import annotations

import shutil
from itertools import starmap
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.features import CATALOGUE, engine, numpy_engine
from regime.features.cross_section import Comparison
from regime.features.engine import IS_COMPILED, Field, Spans, evaluate
from regime.features.expression import Expression, absolute, field, lag, log
from regime.features.feature import DayRule, Feature, SymbolRule
from regime.features.program import OPERATIONS, compile_program, describe, encode
from regime.features.ratios import ratio
from regime.features.series import series_of_fields
from regime.features.windows import age_of_highest, deviation, highest, last_swing, mean, rank_of_last, total
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
compiled = pytest.mark.skipif(not IS_COMPILED, reason="the extension is not there to compare with")

ORDINARY: Final = (0.0, 1.0, 1.0 + 5e-10, 1.0 + 3e-9, 1.5, 2.0, 1e-3, 1e5, -1.0, -2.5)
STRANGE: Final = (
    np.nan, np.inf, -np.inf, -0.0, 5e-324, -1e-310, 2.2250738585072014e-308, 1e308, -1.7e308, 1e-200,
)  # fmt: skip

OPERANDS: Final = {
    "add": 2, "subtract": 2, "multiply": 2, "divide": 2, "larger": 2, "smaller": 2, "shift": 1, "scale": 1,
    "at_least": 1, "at_most": 1, "absolute": 1, "square_root": 1, "log": 1, "greater": 2, "where": 3,
    "ratio": 3, "ratio_above": 2, "direction": 1, "add_scaled": 2, "without_rounding": 2, "merge_squares": 4,
    "merge_products": 6, "merge_in_time": 4, "sum_of_cubes": 2, "sum_of_fourths": 2, "distances": 2,
    "rank_of_last": 2, "age_of_highest": 2, "last_swing": 3, "streak": 1,
}  # fmt: skip
CONSTANTS: Final[Mapping[str, tuple[float, ...]]] = {
    "shift": (-0.75,), "scale": (3.0,), "at_least": (1.25,), "at_most": (1.25,), "ratio": (0.5, 1e-9),
    "ratio_above": (0.5, 1e-9), "direction": (1e-9,), "add_scaled": (0.9,), "without_rounding": (0.1, 1e-18),
    "merge_squares": (0.25, 0.5, 1.5), "merge_products": (0.25, 0.5, 1.5), "merge_in_time": (2.0, 1.0),
}  # fmt: skip
WINDOWED: Final = OPERATIONS[OPERATIONS.index("sum_of_cubes") :]
TIES: Final = {"rank_of_last": (1e-9,), "age_of_highest": (1e-9,)}
WITHIN_SECTOR: Final = (Comparison.MEAN, Comparison.FROM_MEAN, Comparison.RISING)
ROUNDED: Final = {"log", "sum_of_cubes", "sum_of_fourths"}
"""Operations of which the engines may differ in the last bits."""


def values_of(rng: np.random.Generator, rows: int) -> Values:
    """Give values of which a few are strange and many are the same or nearly so."""
    values = np.where(rng.random(rows) < 0.5, rng.choice(ORDINARY, rows), rng.standard_normal(rows))
    strange = rng.random(rows) < rng.choice([0.0, 0.05, 0.3])
    mixed: Values = np.where(strange, rng.choice(STRANGE, rows), values)
    return mixed


def operation_of(rng: np.random.Generator, name: str) -> Expression:
    """Give an operation on fields of some rows ago."""
    operands = tuple(lag(field(which), int(rng.integers(0, 4))) for which in "abcdef"[: OPERANDS[name]])
    if name in WINDOWED:
        return Expression(name, operands, (int(rng.integers(1, 9)), *TIES.get(name, ())))
    return Expression(name, operands, CONSTANTS.get(name, ()))


def spans_of(rng: np.random.Generator, lengths: Sequence[int]) -> Spans:
    """Ask for none, one, some or all of the last rows of each symbol."""
    rows = np.array(lengths, dtype=np.int64)
    wanted = np.minimum(rows, rng.choice([0, 1, 1, 3, 8, 10_000], len(rows)))
    return Spans.of(rows, wanted.astype(np.int64), np.cumsum(rows) - rows)


def both(
    expressions: Sequence[Expression], fields: Mapping[str, Values], spans: Spans, threads: int = 1
) -> tuple[Values, Values]:
    """Give what either engine makes of expressions, not mended: infinities and all."""
    code = encode(compile_program(expressions), [-1 - at for at in range(len(expressions))])
    out = np.empty((0, int(spans.wanted.sum())))
    first, second = (np.full((len(expressions), out.shape[1]), 1234.5) for _ in range(2))
    given = {name: Field(values=values) for name, values in fields.items()}
    engine.run(code, given, spans, out, first, threads=threads)
    numpy_engine.run(code, tuple((fields[name], None) for name in code.inputs), spans, out, second)
    return first, second


def raw(expression: Expression, values: Values) -> Values:
    """Give what the installed engine makes of a formula of ``x``, not mended."""
    length = np.array([len(values)])
    installed, _ = both([expression], {"x": values}, Spans.of(length, length, np.array([0])))
    row: Values = installed[0]
    return row


def assert_agree(name: str, first: Values, second: Values) -> None:
    if name in ROUNDED:
        np.testing.assert_allclose(first, second, rtol=1e-13, atol=1e-300)
    else:
        np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
def test_the_extension_is_there_where_a_compiler_is() -> None:
    assert IS_COMPILED


def test_every_operation_is_compared() -> None:
    assert ("store", *OPERANDS) == OPERATIONS


@compiled
@pytest.mark.parametrize("name", OPERANDS)
@few
@given(seed=seeds)
def test_the_engines_agree_on_an_operation_of_any_values(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.choice([0, 1, 2, 5, 12, 40], 4).tolist()
    fields = {which: values_of(rng, sum(lengths)) for which in "abcdef"}
    assert_agree(name, *both([operation_of(rng, name)], fields, spans_of(rng, lengths)))


@compiled
@pytest.mark.parametrize("name", OPERANDS)
def test_the_engines_agree_on_an_operation_of_series_longer_than_a_tile(name: str) -> None:
    rng = np.random.default_rng(5)
    lengths = [2 * engine.TILE_ROWS + 77, 9, engine.TILE_ROWS]
    rows = np.array(lengths)
    fields = {which: values_of(rng, sum(lengths)) for which in "abcdef"}
    spans = Spans.of(rows, rows, np.cumsum(rows) - rows)
    assert_agree(name, *both([operation_of(rng, name)], fields, spans))


@compiled
@few
@given(seed=seeds, threads=st.sampled_from([1, 2, 64]))
def test_the_engines_agree_on_formulas_of_formulas(seed: int, threads: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = field("x"), field("y")
    formulas = [
        ratio(x - mean(x, 5), deviation(x, 5), neutral=0.0),
        lag(rank_of_last(x, 7), 3) + rank_of_last(y, 3),
        age_of_highest(x + lag(y, 2), 6) - lag(age_of_highest(x, 4), 11),
        last_swing(x, 5, 9),
        lag(highest(x, 13), 2) - lag(highest(x, 13), 30),
        x,
        lag(x, 4),
        x,
    ]
    lengths = rng.choice([1, 2, 30, 45, 100], 11).tolist()
    fields = {name: rng.choice(ORDINARY, sum(lengths)) for name in "xy"}
    first, second = both(formulas, fields, spans_of(rng, lengths), threads)
    np.testing.assert_array_equal(first, second)


def _ulps(computed: Values, expected: Values) -> Values:
    return np.abs(computed - expected) / np.spacing(np.abs(expected))


def assert_logarithm(values: Values) -> None:
    with np.errstate(all="ignore"):
        expected = np.log(values)
    computed, is_finite = raw(log(field("x")), values), np.isfinite(expected)
    np.testing.assert_array_equal(computed[~is_finite], expected[~is_finite])
    assert _ulps(computed[is_finite], expected[is_finite]).max(initial=0.0) <= 1.0


@examples(200)
@given(values=st.lists(st.floats() | st.floats(0.5, 2.0) | st.floats(0.0, 1e-300), min_size=1, max_size=50))
def test_a_logarithm_is_that_of_numpy_but_for_the_last_bit(values: list[float]) -> None:
    assert_logarithm(np.array(values))


def test_logarithms_of_any_bits_are_those_of_numpy_but_for_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    any_bits = rng.integers(0, 2**64, 200_000, dtype=np.uint64).view(np.float64)
    assert_logarithm(np.concatenate([any_bits, np.exp(rng.uniform(-0.7, 0.7, 200_000))]))


def test_logarithms_at_the_edges_are_exact() -> None:
    edges = np.array([1.0, 0.0, -0.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 2.0**-1022, 2.0])
    expected = [0.0, -np.inf, -np.inf, np.nan, np.inf, np.nan, np.nan, np.log(5e-324), np.log(2.0**-1022)]
    np.testing.assert_array_equal(raw(log(field("x")), edges), [*expected, np.log(2.0)])


def test_a_formula_may_be_a_field() -> None:
    assert evaluate(field("x"), x=[1.0, 2.0]).tolist() == [1.0, 2.0]


def test_a_formula_may_be_a_field_of_earlier_rows() -> None:
    np.testing.assert_array_equal(evaluate(lag(field("x"), 2), x=[1.0, 2.0, 3.0]), [np.nan, np.nan, 1.0])


def test_what_is_next_to_nothing_is_zero_and_what_overflows_is_not_known() -> None:
    values = evaluate(field("x") * 1.0, x=[9e-11, -9e-11, 2e-10, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(values, [0.0, 0.0, 2e-10, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("rows", "expected"), [(0, []), (1, [np.nan]), (2, [np.nan] * 2), (3, [np.nan, np.nan, 2.0])]
)
def test_a_short_series_is_not_known_until_the_window_is_full(rows: int, expected: list[float]) -> None:
    values = evaluate(mean(field("x"), 3), x=np.arange(1.0, rows + 1))
    np.testing.assert_array_equal(values, expected)


def test_lags_of_lags_are_one_lag_and_no_step() -> None:
    x = field("x")
    program = compile_program([lag(lag(x, 2), 3) + lag(x, 1)])
    assert describe(program) == {"field": 1, "add": 1, "scale": 1}
    assert [(part.node, part.lag) for part in program.nodes[1].operands] == [(0, 4), (0, 0)]
    assert (program.look_back, program.warm_up(0)) == (6, 5)


def test_equal_formulas_written_twice_are_computed_once() -> None:
    program = compile_program([absolute(field("x")) + 1.0, absolute(field("x")) * 2.0, absolute(field("x"))])
    assert describe(program) == {"field": 1, "absolute": 1, "shift": 1, "scale": 1}


def test_a_formula_of_earlier_rows_is_computed_once_with_that_of_today() -> None:
    x = field("x")
    program = compile_program([absolute(x) - absolute(lag(x, 7))])
    assert describe(program) == {"field": 1, "absolute": 1, "subtract": 1}


def test_windows_of_several_lengths_share_their_parts() -> None:
    x = field("x")
    assert describe(compile_program([total(x, 16)]))["add"] == 4
    assert describe(compile_program([total(x, 16), total(x, 20), total(x, 8)]))["add"] == 5


def test_one_formula_may_fill_several_columns() -> None:
    x, rows = np.array([1.0, 2.0, 4.0]), np.array([3])
    code = encode(compile_program([mean(field("x"), 2)] * 2), [2, 0])
    out = np.zeros((3, 3))
    engine.run(code, {"x": Field(values=x)}, Spans.of(rows, rows, np.array([0])), out)
    np.testing.assert_array_equal(out, [[np.nan, 1.5, 3.0], [0.0, 0.0, 0.0], [np.nan, 1.5, 3.0]])


def inputs_of(feature: Feature) -> tuple[str, ...]:
    assert not isinstance(feature.rule, DayRule)
    return compile_program([feature.rule.kernel(series_of_fields())]).inputs


def derived(feature: Feature) -> tuple[str, int, int]:
    assert not isinstance(feature.rule, DayRule)
    program = compile_program([feature.rule.kernel(series_of_fields())])
    return feature.name, program.look_back, program.warm_up(0)


def declared(feature: Feature) -> tuple[str, int, int]:
    """Give look-back and warm-up; without what is carried, which no formula says."""
    carried = 5 if {"index", "fear"} & {*feature.inputs} else 0
    return feature.name, feature.look_back - carried, feature.warm_up


def test_formulas_look_back_and_warm_up_as_declared() -> None:
    of_series = [feature for feature in CATALOGUE if not isinstance(feature.rule, DayRule)]
    assert len(of_series) == 162
    assert [derived(feature) for feature in of_series] == [declared(feature) for feature in of_series]


def test_formulas_read_the_fields_that_they_name() -> None:
    called = {"index_close": "index", "quarter_sine": "calendar", "quarter_cosine": "calendar"}
    read = {
        feature.name: {called.get(name, name) for name in inputs_of(feature)}
        for feature in CATALOGUE
        if isinstance(feature.rule, SymbolRule)
    }
    named = {feature.name: {*feature.inputs} for feature in CATALOGUE if feature.name in read}
    assert read == named


@few
@given(seed=seeds)
def test_the_last_rows_are_those_of_all_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 90, 20)
    starts = np.cumsum(rows) - rows
    x = rng.choice(ORDINARY, int(rows.sum()))
    formulas = [last_swing(field("x"), 5, 36), age_of_highest(field("x"), 26), deviation(field("x"), 20)]
    spans = spans_of(rng, rows.tolist())
    whole = both(formulas, {"x": x}, Spans.of(rows, rows, starts))[0]
    asked = np.concatenate(
        list(starmap(np.arange, zip(starts + rows - spans.wanted, starts + rows, strict=True)))
    )
    np.testing.assert_array_equal(both(formulas, {"x": x}, spans)[0], whole[:, asked])


def test_more_threads_than_symbols_change_nothing() -> None:
    x, rows = np.random.default_rng(1).random(5000), np.array([5000])
    spans = Spans.of(rows, rows, np.array([0]))
    alone, together = (both([deviation(field("x"), 20)], {"x": x}, spans, threads)[0] for threads in (1, 64))
    np.testing.assert_array_equal(alone, together)


def test_symbols_of_a_sector_are_compared_by_means_alone() -> None:
    rules = [feature.rule for feature in CATALOGUE if isinstance(feature.rule, DayRule)]
    assert {rule.comparison for rule in rules if rule.within_sector} == {*WITHIN_SECTOR}


@compiled
@few
@given(seed=seeds)
def test_the_engines_agree_on_what_was_known_on_a_day(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.choice([0, 1, 2, 30], 5).tolist()
    days = np.concatenate([np.sort(rng.choice(80, length, replace=False)) for length in lengths])
    known = np.sort(rng.choice(80, int(rng.integers(0, 30)), replace=False))
    rows = np.array(lengths)
    spans = Spans.of(rows, rows, np.cumsum(rows) - rows)
    first = engine.latest_known(days.astype(np.int64), spans, known.astype(np.int64), 5)
    second = numpy_engine.latest_known(days.astype(np.int64), spans, known.astype(np.int64), 5)
    np.testing.assert_array_equal(first, second)


@compiled
@pytest.mark.parametrize("symbols", [1, 3, 40, 1000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("strange", [0.0, 0.05])
def test_the_engines_agree_on_comparisons_of_a_day(
    symbols: int, dtype: type[np.floating], strange: float
) -> None:
    rng = np.random.default_rng(symbols)
    wanted = rng.integers(0, 9, symbols)
    wanted[0] = 8
    days = np.concatenate([np.sort(rng.choice(12, size, replace=False)) for size in wanted]).astype(np.int64)
    values = rng.standard_normal((2, len(days)))
    values[1] = np.round(values[1], 1)
    values[rng.random(values.shape) < 0.1] = np.nan
    values = np.where(rng.random(values.shape) < strange, rng.choice([np.inf, -np.inf, 1e305]), values)
    sectors = rng.integers(-1, 3, symbols).astype(np.int32)
    kinds = [(kind, False) for kind in Comparison] + [(kind, True) for kind in WITHIN_SECTOR]
    rules = [(kind, row, 2 * at + row, within) for at, (kind, within) in enumerate(kinds) for row in (0, 1)]
    spans = Spans.of(wanted, wanted, np.cumsum(wanted) - wanted)
    first, second = (np.full((len(rules), len(days)), 7.0, dtype=dtype) for _ in range(2))
    engine.compare(values, days, spans, sectors, rules, first, threads=2)
    numpy_engine.compare(values, days, spans, sectors, rules, second)
    assert not np.isinf(first).any()
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-9)
