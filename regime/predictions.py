"""Out-of-sample predictions: what every member said of rows that it had not learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regime.models.ensemble import ENSEMBLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Predictions and truths of the validated rows, sorted by (date, symbol).

    Parameters
    ----------
    date, symbol
        Shape (n_rows,): the day at whose close the prediction could be made, and for what.
    regime
        Shape (n_rows,): the regime known at that close.
    truth
        int64, shape (n_rows,): class id that came true.
    fold
        Shape (n_rows,): name of the fold whose models predicted the row.
    members
        By model and barrier member, shape (n_rows, n_classes). Rows of a fold in which a model failed are
        NaN.
    pools
        By kind of pool, shape (n_rows, n_classes): the ensemble's alternatives, itself included.
    ensemble
        Shape (n_rows, n_classes): what the recipe's pool said, calibrated if asked.
    baselines
        By baseline, shape (n_rows, n_classes), from the fold's training rows only.
    classes
        Class names in the order of the columns.
    """

    date: NDArray[np.datetime64]
    symbol: NDArray[np.str_]
    regime: NDArray[np.str_]
    truth: NDArray[np.int64]
    fold: NDArray[np.str_]
    members: Mapping[str, NDArray[np.float64]]
    pools: Mapping[str, NDArray[np.float64]]
    ensemble: NDArray[np.float64]
    baselines: Mapping[str, NDArray[np.float64]]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.date)

    def names(self) -> tuple[str, ...]:
        """Give everyone who predicted: the ensemble, the other pools, the members."""
        return (ENSEMBLE, *self.pools, *self.members)

    def of(self, name: str) -> NDArray[np.float64]:
        """Give the probabilities of a member, of a pool, or of the ensemble under its name."""
        if name == ENSEMBLE:
            return self.ensemble
        return self.pools[name] if name in self.pools else self.members[name]

    def predicted(self, name: str) -> NDArray[np.bool_]:
        """Tell the rows that a model predicted, shape (n_rows,): all but those of folds it failed in."""
        return np.asarray(~np.isnan(self.of(name)).any(axis=1))
