"""Windows of every length, made of windows of powers of two, are what they are when walked row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.features import numpy_engine
from regime.features.engine import Field, Spans, run
from regime.features.expression import field
from regime.features.program import compile_program, describe, encode
from regime.features.pyramids import lowered
from regime.features.windows import (
    age_of_highest,
    age_of_lowest,
    correlation,
    correlation_with_time,
    decaying_mean,
    deepest_fall,
    deviation,
    excess_kurtosis,
    exponential_mean,
    highest,
    lowest,
    mean_distance,
    products,
    rank_of_last,
    regression_slope,
    skewness,
    slope_in_time,
    squares,
    streak,
    total,
)
from tests.examples import examples
from tests.oracle.features import evaluated

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from regime.features.expression import Expression

ROWS: Final = 160
LENGTHS: Final = range(1, 71)
X, Y = field("x"), field("y")
WINDOWS: Final[dict[str, Callable[[int], Expression]]] = {
    "sums": lambda n: total(X, n),
    "sums_of_every_third": lambda n: total(X, n, 3),
    "maxima": lambda n: highest(X, n),
    "minima": lambda n: lowest(X, n),
    "falls": lambda n: deepest_fall(X + 10.0, n),
    "fast_means": lambda n: decaying_mean(X, 0.5, n),
    "slow_means": lambda n: decaying_mean(X, 0.97, n),
    "spaced_means": lambda n: exponential_mean(X, 6, n, step=2),
    "squares": lambda n: squares(X, n),
    "products": lambda n: products(X, Y, n),
    "distances": lambda n: mean_distance(X, n),
    "ranks": lambda n: rank_of_last(X, n),
    "ages_of_maxima": lambda n: age_of_highest(X, n),
    "ages_of_minima": lambda n: age_of_lowest(X, n),
    "streaks": lambda n: streak(X, n),
}
MOMENTS: Final[dict[str, Callable[[int], Expression]]] = {
    "deviations": lambda n: deviation(X, n),
    "skewness": lambda n: skewness(X, n),
    "kurtosis": lambda n: excess_kurtosis(X, n),
    "correlations": lambda n: correlation(X, Y, n),
    "correlations_with_time": lambda n: correlation_with_time(X, n),
    "slopes": lambda n: regression_slope(X, Y, n),
    "slopes_in_time": lambda n: slope_in_time(X, n),
}


def computed(formulas: list[Expression], fields: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    rows = np.array([len(fields["x"])])
    out: NDArray[np.float64] = np.empty((len(formulas), int(rows[0])))
    given = {name: Field(values=values) for name, values in fields.items()}
    run(encode(compile_program(formulas)), given, Spans.of(rows, rows, np.array([0])), out)
    return out


def assert_as_walked(formulas: list[Expression], fields: dict[str, NDArray[np.float64]]) -> None:
    walked = np.array([numpy_engine.mended(evaluated(f, fields), np.dtype(np.float64)) for f in formulas])
    np.testing.assert_allclose(computed(formulas, fields), walked, rtol=1e-9, atol=1e-10)


def fields_of(seed: int, kind: str) -> dict[str, NDArray[np.float64]]:
    """Give two series: ordinary ones, in ticks with many ties, or with holes and values far away."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, ROWS))
    if kind == "ticks":
        x, y = np.round(2 * x) / 2, np.where(np.arange(ROWS) < 90, 1.5, y)
    if kind == "holes":
        x[60], y[62], x[75:80] = np.nan, np.nan, 0.0
    return {"x": x, "y": y}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("kind", ["ordinary", "ticks", "holes"])
def test_windows_of_all_lengths_are_as_walked(name: str, kind: str) -> None:
    assert_as_walked([WINDOWS[name](length) for length in LENGTHS], fields_of(1, kind))


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("kind", ["ordinary", "ticks", "holes"])
def test_moments_of_all_lengths_are_as_walked(name: str, kind: str) -> None:
    assert_as_walked([MOMENTS[name](length) for length in LENGTHS if length > 2], fields_of(2, kind))


@examples(20)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(71, ROWS), kind=st.sampled_from(["ticks", "holes"]))
def test_long_windows_are_as_walked(seed: int, length: int, kind: str) -> None:
    formulas = [window(length) for window in {**WINDOWS, **MOMENTS}.values()]
    assert_as_walked(formulas, fields_of(seed, kind))


def test_a_window_longer_than_the_series_is_not_known() -> None:
    values = computed([WINDOWS[name](ROWS + 1) for name in WINDOWS], fields_of(1, "ordinary"))
    assert np.isnan(values).all()


@pytest.mark.parametrize("name", ["sums", "maxima", "minima", "falls", "slow_means", "squares", "products"])
def test_a_wild_value_leaves_with_its_row(name: str) -> None:
    calm, wild = fields_of(3, "ordinary"), fields_of(3, "ordinary")
    wild["x"][40] = 1e12
    formulas = [WINDOWS[name](length) for length in LENGTHS]
    before, after = computed(formulas, calm), computed(formulas, wild)
    for at, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(before[at, 40 + length :], after[at, 40 + length :])


def test_values_that_hardly_vary_about_a_large_level_keep_their_deviation() -> None:
    small = np.random.default_rng(4).standard_normal(ROWS)
    fields = {"x": 1e6 + small, "y": small}
    far, near = computed([deviation(X, 20), deviation(Y, 20)], fields)
    np.testing.assert_allclose(far, near, rtol=1e-8, equal_nan=True)


def test_values_that_are_one_up_to_rounding_do_not_vary() -> None:
    x = np.resize([0.1 + 0.2, 0.3], ROWS)
    assert np.ptp(x) > 0
    assert computed([deviation(X, 20)], {"x": x})[0, 19:].max() == 0.0


def test_a_sum_takes_an_addition_for_each_bit_of_its_length() -> None:
    assert describe(compile_program([total(X, 250)])) == {"add": 12, "field": 1}


def test_what_the_engine_does_itself_is_not_made_of_anything() -> None:
    assert lowered(X + Y) is None
    assert lowered(rank_of_last(X, 7)) is None
