from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.types import REGIMES, Regime
from regime.weights import (
    effective_sample_size,
    inverse_frequency,
    regime_weights,
    uniqueness_weights,
    weight_share,
)
from tests.examples import examples

PROPERTY = examples(100)
columns = st.lists(st.sampled_from([regime.value for regime in Regime]), min_size=1, max_size=200).map(
    np.array
)
positive = st.floats(1e-3, 1e3)
mappings = st.fixed_dictionaries(dict.fromkeys(REGIMES, positive))


@PROPERTY
@given(regimes=columns, weights=mappings)
def test_regime_weights_average_one_and_are_positive(
    regimes: np.ndarray, weights: dict[Regime, float]
) -> None:
    sample_weight = regime_weights(regimes, weights)
    assert sample_weight.mean() == pytest.approx(1, abs=1e-12)
    assert (sample_weight > 0).all()


@PROPERTY
@given(regimes=columns, weights=mappings, factor=positive)
def test_only_the_ratios_of_weights_matter(
    regimes: np.ndarray, weights: dict[Regime, float], factor: float
) -> None:
    scaled = {regime: factor * weight for regime, weight in weights.items()}
    np.testing.assert_allclose(regime_weights(regimes, scaled), regime_weights(regimes, weights), rtol=1e-9)


@PROPERTY
@given(regimes=columns, weights=mappings)
def test_weight_shares_add_up_to_one(regimes: np.ndarray, weights: dict[Regime, float]) -> None:
    shares = weight_share(regimes, regime_weights(regimes, weights))
    assert sum(share for share in shares.values() if share is not None) == pytest.approx(1, abs=1e-12)
    assert {regime for regime, share in shares.items() if share is not None} == {
        Regime(name) for name in regimes.tolist()
    }


@PROPERTY
@given(weights=st.lists(positive, min_size=1, max_size=100).map(np.array))
def test_the_effective_sample_size_lies_between_one_and_the_rows(weights: np.ndarray) -> None:
    assert 1 - 1e-9 <= effective_sample_size(weights) <= len(weights) * (1 + 1e-9)
    assert uniqueness_weights(weights).mean() == pytest.approx(1, abs=1e-12)


@PROPERTY
@given(regimes=columns)
def test_inverse_frequency_never_weighs_a_rarer_regime_less(regimes: np.ndarray) -> None:
    weights = inverse_frequency(regimes)
    present = [regime for regime in REGIMES if (regimes == regime.value).any()]
    by_rows = sorted(present, key=lambda regime: int((regimes == regime.value).sum()))
    ordered = [weights[regime] for regime in by_rows]
    assert ordered == sorted(ordered, reverse=True)
    assert not ordered or ordered[0] <= 10 * ordered[-1] * (1 + 1e-12)
