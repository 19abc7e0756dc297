"""Members under Hedge with fixed share: weights that follow what has matured, and forget slowly.

Freund & Schapire (1997) multiply a member's weight by exp(-eta x loss); Herbster & Warmuth (1998) give a
share back to all, so that a member that was bad in a calm decade can return within weeks of a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ETA: Final = 0.5
"""Weight falls by exp(-.5 x the day's mean log-loss above the best member's): .1 x 5 of the search."""
SHARE: Final = 0.01
"""Part of the weight that is spread evenly over all members after each day."""
WORSE_MAX: Final = 1.02
"""A member leaves when its log-loss so far is 2 % above the volatility barrier's."""
DAYS_MIN: Final = 60
"""Matured days before a member may enter or leave."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What members were worth on rows that they predicted out of sample; one entry a row.

    ``loss`` is by member, log-losses, NaN where a member did not predict. ``prior_loss`` is that of the
    regime prior, ``barrier_loss`` that of the volatility barrier: what a member must beat to enter, and must
    not fall behind to stay. ``date`` is ascending. Losses are known at ``horizon_end``.
    """

    date: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    loss: Mapping[str, NDArray[np.float64]]
    prior_loss: NDArray[np.float64]
    barrier_loss: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HedgeWeights:
    """Weights by day, shape (n_days, n_members), as they were known before its close, and those of tomorrow.

    ``days`` are those of the rows and of their horizons' ends.
    """

    names: tuple[str, ...]
    days: NDArray[np.datetime64]
    weights: NDArray[np.float64]
    last: NDArray[np.float64]

    def latest(self) -> dict[str, float]:
        """Give tomorrow's weights by member."""
        return dict(zip(self.names, self.last.tolist(), strict=True))


def hedge(judged: Judged, *, admitted_first: frozenset[str] = frozenset()) -> HedgeWeights:
    """Give the weights of every day from what had matured before it.

    A member enters when its log-loss over what has matured is below the regime prior's and not 2 % above the
    volatility barrier's, and leaves when it is. While nobody is admitted, all are.

    Parameters
    ----------
    judged
        Rows in date order.
    admitted_first
        Members that are in from the start: those that have a reason to be right before they were tried.

    >>> days = np.arange("2020-01-01", "2020-07-01", dtype="datetime64[D]")
    >>> good, bad = np.full(182, 0.5), np.full(182, 0.9)
    >>> judged = Judged(date=days, horizon_end=days + 14, loss={"good": good, "bad": bad},
    ...                 prior_loss=np.full(182, 0.8), barrier_loss=np.full(182, 0.6))
    >>> {name: round(weight, 3) for name, weight in hedge(judged).latest().items()}
    {'good': 1.0, 'bad': 0.0}
    """
    if not judged.loss:
        raise SettingInvalidError("there are no members to weigh; name at least one model")
    names = tuple(judged.loss)
    days = np.unique(np.concatenate([judged.date, judged.horizon_end]))
    matured = _matured_by_day(judged, days)
    state = _State.of(names, admitted_first)
    weights = np.empty((len(days), len(names)))
    for at in range(len(days)):
        weights[at] = state.current()
        state = state.after(*(each[at] for each in matured))
    return HedgeWeights(names=names, days=days, weights=weights, last=state.current())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """Weights, who is in, and the sums of losses over days that have matured."""

    weight: NDArray[np.float64]
    is_in: NDArray[np.bool_]
    sums: NDArray[np.float64]
    prior_sums: NDArray[np.float64]
    barrier_sums: NDArray[np.float64]
    days: int

    @classmethod
    def of(cls, names: tuple[str, ...], admitted_first: frozenset[str]) -> _State:
        zeros = np.zeros(len(names))
        return cls(
            weight=np.full(len(names), 1 / len(names)),
            is_in=np.array([name in admitted_first for name in names]),
            sums=zeros,
            prior_sums=zeros,
            barrier_sums=zeros,
            days=0,
        )

    def current(self) -> NDArray[np.float64]:
        """Give the weights of who is in, summing to 1."""
        inside = self.weight * self.is_in if self.is_in.any() else self.weight
        return np.asarray(inside / inside.sum(), dtype=np.float64)

    def after(
        self, loss: NDArray[np.float64], prior: NDArray[np.float64], barrier: NDArray[np.float64]
    ) -> _State:
        """Give the state after a day's losses became known; NaN: nothing did, for that member.

        ``prior`` and ``barrier`` are sums over the rows that each member predicted, ``loss`` likewise.
        """
        known = np.isfinite(loss)
        if not known.any():
            return self
        mean = np.where(known, loss, np.nanmin(loss))
        weight = self.weight * np.exp(-ETA * (mean - mean.min()))
        weight = (1 - SHARE) * weight / weight.sum() + SHARE / len(weight)
        sums = self.sums + np.where(known, loss, 0.0)
        prior_sums = self.prior_sums + np.where(known, prior, 0.0)
        barrier_sums = self.barrier_sums + np.where(known, barrier, 0.0)
        days = self.days + 1
        stays = sums <= WORSE_MAX * barrier_sums
        enters = (sums < prior_sums) & stays
        is_in = self.is_in if days < DAYS_MIN else np.where(self.is_in, stays, enters)
        return _State(
            weight=weight,
            is_in=is_in,
            sums=sums,
            prior_sums=prior_sums,
            barrier_sums=barrier_sums,
            days=days,
        )


def _matured_by_day(
    judged: Judged, days: NDArray[np.datetime64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean losses of the rows whose horizon ended on each day, shape (n_days, n_members) each."""
    at = np.searchsorted(days, judged.horizon_end)
    columns = []
    for loss in judged.loss.values():
        known = np.isfinite(loss)
        rows = np.bincount(at[known], minlength=len(days))
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append(
                [
                    np.bincount(at[known], weights=each[known], minlength=len(days)) / rows
                    for each in (loss, judged.prior_loss, judged.barrier_loss)
                ]
            )
    loss, prior, barrier = (np.stack([column[which] for column in columns], axis=1) for which in range(3))
    return loss, prior, barrier
