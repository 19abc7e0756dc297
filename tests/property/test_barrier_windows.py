"""Windows of powers of two give what pandas gives one column at a time, and forget what has left them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.barrier.windows import (
    rolling_covariance,
    rolling_max,
    rolling_mean,
    rolling_sum,
    rolling_variance,
)
from tests.examples import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def frame_of(seed: int, rows: int, missing: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(rows, 3))
    cells[rng.random((rows, 3)) < missing] = np.nan
    return pd.DataFrame(cells, columns=list("abc"))


def assert_like(found: NDArray[np.float64], expected: pd.DataFrame) -> None:
    np.testing.assert_allclose(found, expected.to_numpy(), rtol=1e-9, atol=1e-12)


WINDOWS = {
    "seed": st.integers(0, 2**16),
    "rows": st.integers(1, 90),
    "missing": st.sampled_from([0.0, 0.1, 0.6]),
    "bars": st.integers(1, 70),
    "share": st.floats(0.01, 1),
}


@examples(60)
@given(**WINDOWS)
def test_sums_means_and_maxima_are_those_of_pandas(
    seed: int, rows: int, missing: float, bars: int, share: float
) -> None:
    frame, least = frame_of(seed, rows, missing), max(1, int(bars * share))
    theirs = frame.rolling(bars, min_periods=least)
    cells = frame.to_numpy()
    assert_like(rolling_sum(cells, bars, least), theirs.sum())
    assert_like(rolling_mean(cells, bars, least), theirs.mean())
    assert_like(rolling_max(cells, bars, least), theirs.max())


@examples(30)
@given(seed=st.integers(0, 2**16), rows=st.integers(5, 90), bars=st.integers(2, 40))
def test_variance_and_covariance_are_those_of_pandas(seed: int, rows: int, bars: int) -> None:
    frame = frame_of(seed, rows, 0.02) * 0.01
    series = frame_of(seed + 1, rows, 0.0)["a"] * 0.01
    theirs = frame.rolling(bars)
    assert_like(rolling_variance(frame.to_numpy(), bars), theirs.var())
    assert_like(rolling_covariance(frame.to_numpy(), series.to_numpy(), bars), theirs.cov(series))


@pytest.mark.parametrize("wild", [1e12, np.nan])
def test_a_wild_value_leaves_with_its_row_and_reaches_no_earlier_one(wild: float) -> None:
    calm = frame_of(1, 60, 0.0).to_numpy()
    struck = calm.copy()
    struck[20] = wild
    for ours, theirs in zip(
        (rolling_mean(calm, 7, 7), rolling_max(calm, 7)),
        (rolling_mean(struck, 7, 7), rolling_max(struck, 7)),
        strict=True,
    ):
        for untouched in (slice(6, 20), slice(27, 60)):
            assert not np.isnan(ours[untouched]).any()
            assert np.array_equal(ours[untouched], theirs[untouched])
