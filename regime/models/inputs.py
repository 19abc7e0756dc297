"""What models that need clean inputs do first, learnt from training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regime.models.parameters import MARGIN_SCALE, STANDARD_DEVIATIONS_MAX

if TYPE_CHECKING:
    from numpy.typing import NDArray


def learn_scale(X: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Give the median (``center``) and standard deviation (``scale``) of each column, NaN left out.

    Both have shape (n_features,). A column without any value gets center 0, a column that never changes
    gets scale 1, so that both become plain zeros.

    >>> learn_scale(np.array([[1, 5], [np.nan, 5], [3, 5]], dtype=np.float32))["center"].tolist()
    [2.0, 5.0]
    """
    center = np.zeros(X.shape[1], dtype=np.float32)
    scale = np.ones(X.shape[1], dtype=np.float32)
    for column in range(X.shape[1]):
        known = X[~np.isnan(X[:, column]), column].astype(np.float64)
        if len(known):
            center[column] = np.median(known)
            deviation = np.float32(known.std())
            scale[column] = deviation if deviation > 0 else 1.0
    return {"center": center, "scale": scale}


def standardise(
    X: NDArray[np.float32], center: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give ``X`` in standard deviations from the training median, clipped; an unknown value becomes 0.

    Zero is the training median, so this is imputation by the training median.

    >>> learnt = learn_scale(np.array([[1.0], [3.0]], dtype=np.float32))
    >>> standardise(np.array([[4.0], [np.nan], [99.0]], dtype=np.float32), **learnt).ravel().tolist()
    [2.0, 0.0, 4.0]
    """
    with np.errstate(over="ignore"):  # what overflows is clipped like everything far away
        deviations = (X - center) / scale
    deviations = np.clip(deviations, -STANDARD_DEVIATIONS_MAX, STANDARD_DEVIATIONS_MAX)
    return np.asarray(np.nan_to_num(deviations, nan=0.0), dtype=np.float32)


def beside(
    X: NDArray[np.float32], margin: NDArray[np.float64] | None, scale: float = MARGIN_SCALE
) -> NDArray[np.float32]:
    """Give the inputs with the margin's centred log-probabilities as further columns, strongly scaled.

    The columns are multiplied by ``scale``, so that a ridge that shrinks features hardly shrinks
    what is known already. The last one is left out: centred, they sum to 0.

    >>> beside(np.zeros((1, 1), dtype=np.float32), np.log([[0.5, 0.5, 0.5]])).tolist()
    [[0.0, 0.0, 0.0]]
    """
    if margin is None:
        return X
    centred = (margin - margin.mean(axis=1, keepdims=True))[:, :-1]
    return np.column_stack([X, (scale * centred).astype(np.float32)])


def split_in_time(n_rows: int, holdout_share: float, gap_share: float) -> tuple[slice, slice]:
    """Give the early and the late rows of ``n_rows`` in date order, with a gap of unused rows between.

    The gap keeps targets that overlap the cut out of both; the late rows play the unseen future.

    >>> split_in_time(100, 0.2, 0.05)
    (slice(0, 75, None), slice(80, 100, None))
    """
    late = n_rows - round(n_rows * holdout_share)
    return slice(0, late - round(n_rows * gap_share)), slice(late, n_rows)
