"""Features as counts: how many of a day's rows lie above each of a few fixed edges.

The edges are quantiles of the reference, so the counts of several days add up to an empirical
distribution in a few numbers, whatever the number of symbols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.drift.days import FeatureDay

EDGE_ROWS_MAX: Final = 20_000
"""Rows from which edges are taken: the standard error of a quantile's rank is then below .4 %."""

_TALLY_ROWS: Final = 255
"""Rows summed at a time: the most that 8 bits can count, and few enough to stay in the cache."""

_TIE_WIDTH: Final = 1e-9
"""Values nearer than this, relative to their size, are one value with rounding noise."""

_TIE_FLOOR: Final = 1e-3
"""Smaller sizes count as this one, so that zero has a width too."""


def quantile_edges(days: Sequence[FeatureDay], bins: int) -> NDArray[np.float64]:
    """Give the inner edges of ``bins`` equally filled bins, shape (bins - 1, n_features).

    Where many rows share one value several quantiles fall on it; the edges then enclose the value, so
    that rows below, at and above it are told apart. A feature that is never finite has NaN edges.
    """
    rows = _thinned(days)
    probabilities = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    edges = np.full((bins - 1, rows.shape[1]), np.nan)
    for feature in range(rows.shape[1]):
        column = rows[:, feature]
        finite = column[np.isfinite(column)]
        if finite.size:
            edges[:, feature] = _enclose_ties(np.quantile(finite, probabilities))
    return edges


def _thinned(days: Sequence[FeatureDay]) -> NDArray[np.float64]:
    """Give at most about ``EDGE_ROWS_MAX`` rows; the rows kept rotate over the symbols."""
    step = max(1, sum(len(day.values) for day in days) // EDGE_ROWS_MAX)
    return np.concatenate([day.values[place % step :: step] for place, day in enumerate(days)])


def _enclose_ties(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    same_as_next = np.append(edges[1:] == edges[:-1], False)
    same_as_last = np.append(False, edges[1:] == edges[:-1])
    width = _TIE_WIDTH * np.maximum(np.abs(edges), _TIE_FLOOR)
    first_of_run = same_as_next & ~same_as_last
    return edges + np.where(same_as_last, width, 0.0) - np.where(first_of_run, width, 0.0)


def count_above(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Count the rows above each edge, shape (n_edges, n_features).

    ``values`` has shape (n_rows, n_features), ``edges`` (n_edges, n_features). NaN is above nothing.

    >>> count_above(np.array([[1.0], [2.0], [np.nan]]), np.array([[0.5], [1.5]])).ravel().tolist()
    [2, 1]
    """
    counts = np.zeros(edges.shape, dtype=np.uint32)
    above = np.empty((_TALLY_ROWS, values.shape[1]), dtype=np.bool_)
    for start in range(0, len(values), _TALLY_ROWS):
        part = values[start : start + _TALLY_ROWS]
        flags = above[: len(part)]
        for place, edge in enumerate(edges):
            np.greater(part, edge, out=flags)
            counts[place] += np.add.reduce(flags.view(np.uint8), axis=0, dtype=np.uint8)
    return counts


def count_known(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Count the rows that are not NaN, shape (n_features,).

    >>> count_known(np.array([[1.0, np.nan], [2.0, np.inf]])).tolist()
    [2, 1]
    """
    known: NDArray[np.uint32] = (~np.isnan(values)).sum(axis=0, dtype=np.uint32)
    return known


def bin_counts(above: NDArray[np.uint32], known: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Give counts a bin, shape (n_days, n_edges + 1, n_features), from the counts above each edge.

    >>> above, known = np.array([[[2], [1]]], dtype=np.uint32), np.array([[4]], dtype=np.uint32)
    >>> bin_counts(above, known).ravel().tolist()
    [2, 1, 1]
    """
    total = known[:, None, :].astype(np.int64)
    steps = np.concatenate([total, above.astype(np.int64), np.zeros_like(total)], axis=1)
    return cast("NDArray[np.int64]", steps[:, :-1] - steps[:, 1:])


def design_effect(
    counts: NDArray[np.int64], codes: NDArray[np.uint8], block_days: int, blocks_min: int
) -> NDArray[np.float64]:
    """Give by how much the rows of a block tell less than independent rows would, shape (n_features,).

    A row's bin is turned into two scores, its place (a rank) and its distance from the middle (a
    folded rank), which see shifts and changes of spread; the larger effect counts. Ranks rather than
    values, since the Kolmogorov-Smirnov distance is one of ranks and no outlier can dominate. Scores
    are taken from the mean of their regime, so that a change of regime is no dependence. The effect is
    the variance of block sums over the variance that independent rows would give (Kish 1965, section
    5.4, with time blocks as clusters), and at least 1. Where a feature never varies the rows of a day
    count as one; where it fills fewer than ``blocks_min`` blocks the effect is NaN, not known.

    Parameters
    ----------
    counts
        Rows a bin, shape (n_days, n_bins, n_features), days in date order.
    codes
        Regime of each day as its position, shape (n_days,).
    """
    place = np.linspace(-1.0, 1.0, counts.shape[1])
    effects = [_effect_of_score(score, counts, codes, block_days) for score in (place, np.abs(place))]
    largest = np.maximum(*effects)
    rows = counts.sum(axis=1)
    filled = (_block_sums(rows.astype(np.float64), block_days) > 0).sum(axis=0)
    days = np.maximum((rows > 0).sum(axis=0), 1)
    constant = ~(largest > 0.0)
    effect = np.where(constant, rows.sum(axis=0) / days, largest)
    return np.where(filled >= blocks_min, np.maximum(effect, 1.0), np.nan)


def _effect_of_score(
    score: NDArray[np.float64], counts: NDArray[np.int64], codes: NDArray[np.uint8], block_days: int
) -> NDArray[np.float64]:
    rows = counts.sum(axis=1).astype(np.float64)
    sums = np.einsum("b,dbf->df", score, counts)
    squares = score**2 @ counts.sum(axis=0)
    residual = np.empty_like(sums)
    for code in np.unique(codes):
        days = codes == code
        regime_rows = np.maximum(rows[days].sum(axis=0), 1.0)
        mean = sums[days].sum(axis=0) / regime_rows
        residual[days] = sums[days] - rows[days] * mean
        squares = squares - regime_rows * mean**2
    variance = squares / np.maximum(rows.sum(axis=0), 1.0)
    blocks = _block_sums(residual, block_days)
    independent = variance * _block_sums(rows, block_days).sum(axis=0)
    varies = variance > _TIE_WIDTH
    return np.where(varies, (blocks**2).sum(axis=0) / np.where(varies, independent, 1.0), 0.0)


def _block_sums(daily: NDArray[np.float64], block_days: int) -> NDArray[np.float64]:
    """Add up whole blocks of consecutive days, shape (n_blocks, n_features)."""
    whole = len(daily) // block_days * block_days
    blocks = daily[:whole].reshape(-1, block_days, daily.shape[1])
    return np.asarray(blocks.sum(axis=1), dtype=np.float64)
