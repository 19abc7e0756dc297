"""Fitting a jump model: coordinate descent between the cheapest path and the centres of its states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import HistoryTooShortError
from regime.labels.jump import FeatureGauge, JumpParameters, JumpState, distance_cost, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.labels.jump import Features

ROWS_MIN: Final = 504
"""Two years of features before two states say anything of a market."""
RESTARTS: Final = 10
ROUNDS_MAX: Final = 1000
IMPROVEMENT_MIN: Final = 1e-8


def fit_jump(
    closes: Sequence[float], rng: np.random.Generator, *, penalty: float = 50.0, restarts: int = RESTARTS
) -> JumpParameters:
    """Fit the parameters of ``jump`` to the closes of one market.

    Looks at all of them: labels of the fitted days are no longer out of sample. The turbulent state is
    that with the larger downside deviation.

    Parameters
    ----------
    closes
        One a session; at least 564.
    rng
        Where each descent begins (k-means++; Arthur and Vassilvitskii, 2007); the cheapest of
        ``restarts`` is kept.
    penalty
        Cost of a jump, in squared standard deviations.

    Raises
    ------
    HistoryTooShortError
        If they are too few, or never vary.

    >>> shocks = np.where(np.arange(1200) // 300 % 2, 0.03, 0.005)
    >>> returns = shocks * np.random.default_rng(1).standard_normal(1200)
    >>> fitted = fit_jump((100 * np.exp(np.cumsum(returns))).tolist(), np.random.default_rng(0))
    >>> fitted.turbulent[0] > fitted.calm[0], fitted.penalty
    (True, 50.0)
    """
    blank = JumpParameters(means=_ZERO, scales=_ONE, calm=_ZERO, turbulent=_ZERO, penalty=penalty)
    raw = _features_of(closes, blank)
    if len(raw) < ROWS_MIN:
        needed = ROWS_MIN + blank.warm_up_returns
        raise HistoryTooShortError(f"a jump model needs {needed} closes, has {len(closes)}; give more")
    if not raw.std(axis=0).all():
        raise HistoryTooShortError("the closes never vary: there are no two states to fit; give more")
    means, scales = _triple(raw.mean(axis=0)), _triple(raw.std(axis=0))
    scaled = JumpParameters(means=means, scales=scales, calm=_ZERO, turbulent=_ZERO, penalty=penalty)
    rows = np.array([standardised(_triple(row), scaled) for row in raw])
    found = [_descend(rows, _seeds(rows, rng), penalty) for _ in range(restarts)]
    _, centres = min(found, key=lambda result: result[0])
    calm, turbulent = sorted((_triple(centre) for centre in centres), key=lambda centre: centre[0])
    return JumpParameters(means=means, scales=scales, calm=calm, turbulent=turbulent, penalty=penalty)


_ZERO: Final = (0.0, 0.0, 0.0)
_ONE: Final = (1.0, 1.0, 1.0)


def _triple(row: NDArray[np.float64]) -> Features:
    first, second, third = row.tolist()
    return first, second, third


def _features_of(closes: Sequence[float], parameters: JumpParameters) -> NDArray[np.float64]:
    """Give the features of every day after the warm-up, shape (n_days, 3); infinite ratios left out."""
    gauge = FeatureGauge(parameters, JumpState())
    found = []
    for close in closes:
        gauge.observe(close)
        if gauge.returns >= parameters.warm_up_returns:
            found.append(gauge.features)
    rows = np.array(found, dtype=np.float64).reshape(-1, 3)
    return rows[np.isfinite(rows).all(axis=1)]


def _seeds(rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw two rows, the second with a chance that grows with its squared distance from the first."""
    first = rows[rng.integers(len(rows))]
    squares = ((rows - first) ** 2).sum(axis=1)
    second = rows[rng.choice(len(rows), p=squares / squares.sum())]
    return np.stack([first, second])


def _descend(
    rows: NDArray[np.float64], centres: NDArray[np.float64], penalty: float
) -> tuple[float, NDArray[np.float64]]:
    """Give the cost and the centres where neither another path nor other centres are cheaper."""
    cost, path = _cheapest_path(rows, centres, penalty)
    for _ in range(ROUNDS_MAX):
        if not 0 < path.sum() < len(path):
            break
        centres = np.stack([rows[path == state].mean(axis=0) for state in (0, 1)])
        before, (cost, path) = cost, _cheapest_path(rows, centres, penalty)
        if before - cost <= IMPROVEMENT_MIN:
            break
    return cost, centres


def _cheapest_path(
    rows: NDArray[np.float64], centres: NDArray[np.float64], penalty: float
) -> tuple[float, NDArray[np.int64]]:
    """Give the cost and the states of the cheapest path through all rows, by dynamic programming."""
    one, two = _triple(centres[0]), _triple(centres[1])
    triples = [_triple(row) for row in rows]
    first, second = distance_cost(triples[0], one), distance_cost(triples[0], two)
    came_from = [(0, 1)]
    for row in triples[1:]:
        came_from.append((int(second + penalty < first), int(second <= first + penalty)))
        first, second = (
            distance_cost(row, one) + min(first, second + penalty),
            distance_cost(row, two) + min(second, first + penalty),
        )
    states = np.empty(len(triples), dtype=np.int64)
    state = int(second < first)
    for at in range(len(triples) - 1, -1, -1):
        states[at] = state
        state = came_from[at][state]
    return min(first, second), states
