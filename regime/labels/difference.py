"""On which days two labelled histories say something else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from regime.types import Regime, RegimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingSpan:
    """Consecutive compared days on which one history says ``before`` and the other ``after``."""

    before: Regime
    after: Regime
    first_day: np.datetime64
    last_day: np.datetime64
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDifference:
    """How two histories differ on the days that both have.

    ``counts`` are days by (before, after), the most frequent first; ``only_before`` and ``only_after``
    count the days that only one of them has.
    """

    days: int
    differing: int
    only_before: int
    only_after: int
    counts: tuple[tuple[Regime, Regime, int], ...]
    spans: tuple[DifferingSpan, ...]


def label_difference(before: RegimeSeries, after: RegimeSeries) -> LabelDifference:
    """Compare the causal regimes of two histories of one market, day by day.

    >>> from regime.types import Regime, RegimeSeries
    >>> def of(*regimes):
    ...     n = len(regimes)
    ...     days = np.datetime64("2024-01-01") + np.arange(n)
    ...     return RegimeSeries(labeler="rules-1", date=days, regime=regimes, reason=("",) * n,
    ...                         pending=(None,) * n, provisional=np.zeros(n, dtype=bool))
    >>> found = label_difference(of(Regime.NORMAL, Regime.CRASH), of(Regime.NORMAL, Regime.NORMAL))
    >>> found.days, found.differing, found.spans[0].days
    (2, 1, 1)
    """
    dates, of_before, of_after = np.intersect1d(
        before.date, after.date, assume_unique=True, return_indices=True
    )
    pairs = [
        (before.regime[i], after.regime[j])
        for i, j in zip(of_before.tolist(), of_after.tolist(), strict=True)
    ]
    counts = Counter((was, now) for was, now in pairs if was is not now)
    spans: list[DifferingSpan] = []
    for (was, now), run in groupby(range(len(pairs)), key=lambda day: pairs[day]):
        days = list(run)
        if was is not now:
            spans.append(
                DifferingSpan(
                    before=was,
                    after=now,
                    first_day=dates[days[0]],
                    last_day=dates[days[-1]],
                    days=len(days),
                )
            )
    return LabelDifference(
        days=len(pairs),
        differing=counts.total(),
        only_before=len(before) - len(pairs),
        only_after=len(after) - len(pairs),
        counts=tuple((was, now, count) for (was, now), count in counts.most_common()),
        spans=tuple(spans),
    )
