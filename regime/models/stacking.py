"""Stacking in logarithms: members multiplied together, each with an exponent of its own.

p is proportional to exp(sum a_k log p_k + b), fitted on out-of-fold predictions with a ridge that pulls the
exponents towards the geometric mean, 1 / n_members. Wolpert (1992); log-linear pools: Genest & Zidek (1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RIDGE: Final = 0.01
STEPS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Exponents by member, shape (n_members,), and intercepts by class, shape (n_classes,)."""

    exponents: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def log_probabilities(self, members: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Give the pool's log-probabilities from the members', shape (n_rows, n_classes) each.

        Summed member by member: a matrix product may differ in the last bit with the number of rows.
        """
        pooled = np.zeros_like(members[0])
        for exponent, member in zip(self.exponents.tolist(), members, strict=True):
            pooled += exponent * member
        return np.asarray(log_softmax(pooled + self.intercepts, axis=1))


def geometric_mean(n_members: int, n_classes: int) -> Stack:
    """Give the stack of equal exponents, which needs no data."""
    return Stack(exponents=np.full(n_members, 1 / n_members), intercepts=np.zeros(n_classes))


def fit_stack(members: Sequence[NDArray[np.float64]], y: NDArray[np.int64]) -> Stack:
    """Fit to the members' log-probabilities of rows that they were not fitted on, and the class ids.

    >>> sure, unsure = np.log([[0.9, 0.1], [0.1, 0.9]]), np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> stack = fit_stack([np.tile(sure, (50, 1)), np.tile(unsure, (50, 1))], np.tile([0, 1], 50))
    >>> bool(stack.exponents[0] > 0.8)
    True
    """
    stacked = np.stack(members)
    n_members, n_rows, n_classes = stacked.shape
    truth = np.eye(n_classes)[y]

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        exponents, intercepts = point[:n_members], point[n_members:]
        log_proba = log_softmax(np.tensordot(exponents, stacked, axes=1) + intercepts, axis=1)
        error = (np.exp(log_proba) - truth) / n_rows
        away = exponents - 1 / n_members
        value = -(log_proba * truth).sum() / n_rows + 0.5 * RIDGE * float(away @ away)
        slope = np.concatenate([np.tensordot(stacked, error, axes=2) + RIDGE * away, error.sum(axis=0)])
        return float(value), slope

    first = np.concatenate([np.full(n_members, 1 / n_members), np.zeros(n_classes)])
    found = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": STEPS_MAX})
    return Stack(exponents=found.x[:n_members], intercepts=found.x[n_members:])
