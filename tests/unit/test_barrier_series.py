"""The closed formula against exact numbers: a lattice of log prices, watched at each close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import norm

from regime.barrier import series
from regime.barrier.series import barrier_log_probabilities, touch_probabilities
from regime.targets import LOWER, NEITHER, UPPER, target_named
from regime.types import TargetSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLOSES = 14
SIGMAS = tuple(np.geomspace(0.005, 0.08, 17).tolist())
PRESETS = {
    "reference": (np.log(1.10), -np.log(0.95), 14),
    "triple_barrier": (np.log(1.05), -np.log(0.95), 10),
}
CELLS = 500
NEAR = TargetSpec(name="near", kind="vol_scaled", up=1.0, down=0.5, horizon_days=CLOSES)


def exact(sigma: float, up: float, down: float, closes: int) -> NDArray[np.float64]:
    """Give lower, neither, upper by the transition matrix of normal steps between cells of log price."""
    edges = np.linspace(-down, up, CELLS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    below = norm.cdf((edges[np.newaxis, :] - middles[:, np.newaxis]) / sigma)
    steps = np.diff(below, axis=1)
    # The first step starts at 0 itself, which need not be the middle of a cell.
    first = norm.cdf(edges / sigma)
    inside, lower, upper = np.diff(first), first[0], 1 - first[-1]
    for _ in range(closes - 1):
        lower += float(inside @ below[:, 0])
        upper += float(inside @ (1 - below[:, -1]))
        inside = inside @ steps
    outcome = np.empty(3)
    outcome[[LOWER, NEITHER, UPPER]] = lower, inside.sum(), upper
    return outcome


def largest_error(up: float, down: float, closes: int) -> float:
    said = touch_probabilities(np.array(SIGMAS), up, down, closes)
    return float(np.abs(said - np.stack([exact(sigma, up, down, closes) for sigma in SIGMAS])).max())


def test_the_presets_are_those_of_the_targets() -> None:
    for name, (up, down, closes) in PRESETS.items():
        spec = target_named(name)
        assert (np.log1p(spec.up), -np.log1p(-spec.down)) == pytest.approx((up, down))
        assert spec.horizon_days == closes


def test_the_oracle_knows_what_one_close_does() -> None:
    one = exact(0.02, 0.02, 0.04, closes=1)
    assert one == pytest.approx([norm.cdf(-2), norm.cdf(1) - norm.cdf(-2), 1 - norm.cdf(1)], abs=1e-9)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_shifted_series_is_within_twelve_thousandths_of_the_exact_numbers(preset: str) -> None:
    assert largest_error(*PRESETS[preset]) <= 0.012


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_without_the_shift_the_series_is_off_by_more_than_a_tenth(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "DISCRETE_SHIFT", 0.0)
    assert largest_error(*PRESETS[preset]) >= 0.13


def test_a_target_in_units_of_volatility_looks_only_at_the_ratio_to_it() -> None:
    over = np.sqrt(CLOSES)
    ewma = np.array([0.01, 0.03])
    for ratio in (0.7, 1.0, 1.4):
        said = np.exp(barrier_log_probabilities(ratio * ewma, ewma, NEAR))
        assert said[0] == pytest.approx(exact(ratio, NEAR.up * over, NEAR.down * over, CLOSES), abs=0.012)
        assert said[1] == pytest.approx(said[0], abs=1e-12)


@pytest.mark.parametrize("spec", [target_named("reference"), target_named("vol_scaled"), NEAR])
def test_probabilities_are_positive_and_sum_to_one_however_calm_or_wild(spec: TargetSpec) -> None:
    sigma = np.geomspace(1e-6, 5.0, 200)
    said = np.exp(barrier_log_probabilities(sigma, np.full(200, 0.02), spec))
    assert said.sum(axis=1) == pytest.approx(np.ones(200), abs=1e-9)
    assert said.min() >= 0.9e-4


def test_the_interpolated_series_is_the_series() -> None:
    sigma = np.random.default_rng(1).uniform(0.003, 0.1, size=500)
    spec = target_named("reference")
    table = np.exp(barrier_log_probabilities(sigma, sigma, spec))
    whole = touch_probabilities(sigma, np.log1p(spec.up), -np.log1p(-spec.down), spec.horizon_days)
    assert np.abs(table - whole).max() < 1e-6


def test_calm_markets_touch_nothing_and_wild_ones_the_nearer_barrier_first() -> None:
    spec = target_named("reference")
    calm, wild = np.exp(barrier_log_probabilities(np.array([0.002, 0.2]), np.full(2, 0.02), spec))
    assert calm[NEITHER] > 0.999
    assert wild[LOWER] > wild[UPPER] > wild[NEITHER]
