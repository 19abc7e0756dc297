"""Softmax regression that corrects log-probabilities which are known already.

p = softmax(offset + A W + b), fitted by Newton steps to the mean weighted log-loss plus ridge / 2 times the
squared distance of W from zero. With zero inputs it is the offset itself: a strong ridge means "leave it
as it is", which no regression from scratch can say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS_MAX: Final = 30
HALVINGS_MAX: Final = 20
GAIN_MIN: Final = 1e-10
"""The search is over when a step gains less, in nats a row."""
INTERCEPT_RIDGE: Final = 1e-9
"""All intercepts may move together without any effect; this holds them in place."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correction:
    """Fitted coefficients, shape (n_inputs, n_classes), and intercepts, shape (n_classes,)."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def correct(self, inputs: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give corrected log-probabilities, shape (n_rows, n_classes)."""
        return np.asarray(log_softmax(offset + inputs @ self.coefficients + self.intercepts, axis=1))


def fit_correction(
    inputs: NDArray[np.float64],
    offset: NDArray[np.float64],
    y: NDArray[np.int64],
    ridge: NDArray[np.float64],
    *,
    sample_weight: NDArray[np.float64] | None = None,
    start: Correction | None = None,
) -> Correction:
    """Fit a correction.

    Parameters
    ----------
    inputs
        Shape (n_rows, n_inputs), finite.
    offset
        Shape (n_rows, n_classes), log-probabilities.
    y
        Shape (n_rows,), class ids.
    ridge
        Shape (n_inputs,), the penalty of each input's coefficients beside the mean log-loss.
    sample_weight
        Shape (n_rows,), used up to a factor; ``None``: all alike.
    start
        Where the search begins, such as last quarter's correction; it changes the path, hardly the end.

    >>> offset = np.log(np.full((4, 2), 0.5))
    >>> even = fit_correction(np.zeros((4, 1)), offset, np.array([0, 1, 1, 1]), np.ones(1))
    >>> np.exp(even.correct(np.zeros((1, 1)), offset[:1])).round(3).tolist()
    [[0.25, 0.75]]
    """
    design = np.column_stack([inputs, np.ones(len(y))])
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = weight / weight.sum()
    penalty = np.append(ridge, INTERCEPT_RIDGE)
    truth = np.eye(offset.shape[1])[y]
    if start is None:
        point = np.zeros((design.shape[1], offset.shape[1]))
    else:
        point = np.vstack([start.coefficients, start.intercepts])
    log_proba, loss = _loss(design, offset, truth, weight, penalty, point)
    for _ in range(STEPS_MAX):
        slope = (
            design.T @ (weight[:, np.newaxis] * (np.exp(log_proba) - truth)) + penalty[:, np.newaxis] * point
        )
        step = _newton_step(design, np.exp(log_proba), weight, penalty, slope)
        for _ in range(HALVINGS_MAX):
            tried = point - step
            log_proba, tried_loss = _loss(design, offset, truth, weight, penalty, tried)
            if tried_loss <= loss:
                break
            step = step / 2
        gained, point, loss = loss - tried_loss, tried, tried_loss
        if gained < GAIN_MIN:
            break
    return Correction(coefficients=point[:-1], intercepts=point[-1])


def _loss(
    design: NDArray[np.float64],
    offset: NDArray[np.float64],
    truth: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: NDArray[np.float64],
    point: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    log_proba = np.asarray(log_softmax(offset + design @ point, axis=1))
    loss = -(weight * (log_proba * truth).sum(axis=1)).sum()
    return log_proba, float(loss + 0.5 * (penalty[:, np.newaxis] * point**2).sum())


def _newton_step(
    design: NDArray[np.float64],
    proba: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: NDArray[np.float64],
    slope: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve the Hessian, blocks of (class, class), against the slope."""
    n_inputs, n_classes = slope.shape
    hessian = np.zeros((n_classes, n_inputs, n_classes, n_inputs))
    for one in range(n_classes):
        for other in range(one, n_classes):
            share = weight * proba[:, one] * ((one == other) - proba[:, other])
            block = (design * share[:, np.newaxis]).T @ design
            hessian[one, :, other] = hessian[other, :, one] = block
    flat = hessian.reshape(n_classes * n_inputs, -1) + np.diag(np.tile(penalty, n_classes))
    step = np.linalg.solve(flat, slope.T.ravel()).reshape(n_classes, n_inputs).T
    return np.asarray(step, dtype=np.float64)


def centred(log_proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give log-probabilities less their mean, without the middle class, which the others determine.

    >>> centred(np.log([[0.25, 0.25, 0.25]])).tolist()
    [[0.0, 0.0]]
    """
    whole = log_proba - log_proba.mean(axis=1, keepdims=True)
    return np.delete(whole, log_proba.shape[1] // 2, axis=1)
