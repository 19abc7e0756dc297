"""Everything that predicts tomorrow under one ``predict_proba``: models, barrier members and their pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.barrier.members import BARRIER
from regime.errors import FeatureMismatchError, FitFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.barrier.members import BarrierModel
    from regime.models.fitted import FittedModel
    from regime.models.pool import Pool

ENSEMBLE: Final = "ensemble"
"""The name under which the pool stands beside its members."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """What an ensemble predicts from; one entry a row, all known at the close.

    Parameters
    ----------
    X
        Shape (n_rows, n_features), all features of the catalogue; NaN where not known.
    volatility
        Shape (n_rows, len(regime.barrier.inputs.COLUMNS)), or ``None`` for an ensemble without a barrier.
    regime
        Shape (n_rows,), the provisional label of the day.
    """

    X: NDArray[np.float32]
    volatility: NDArray[np.float32] | None
    regime: NDArray[np.str_]


def check_quorum(fitted: Sequence[str], asked: Sequence[str], quorum: int, where: str) -> None:
    """Refuse an ensemble of too few members.

    Raises
    ------
    FitFailedError
        If fewer than ``quorum`` of the ``asked`` models were fitted.
    """
    if len(fitted) < quorum:
        missing = [name for name in asked if name not in fitted]
        raise FitFailedError(
            f"{where}: {len(fitted)} of {len(asked)} models were fitted, {quorum} are needed;"
            f" failed: {', '.join(missing)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """Fitted members and how they become one.

    Parameters
    ----------
    models
        Fitted models by name.
    columns
        Positions of the features that the models see, shape (n_seen,).
    barrier
        The barrier members, or ``None``.
    starts_from_barrier
        Whether the models correct the barrier's log-probabilities.
    pool
        Weights or stack, and the calibration.
    """

    models: Mapping[str, FittedModel]
    columns: NDArray[np.intp]
    barrier: BarrierModel | None
    starts_from_barrier: bool
    pool: Pool

    def members(self, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
        """Give every member's log-probabilities, shape (n_rows, n_classes) each.

        Raises
        ------
        FeatureMismatchError
            If volatility is needed and not given, or the features are not those of the models.
        """
        barriers: dict[str, NDArray[np.float64]] = {}
        if self.barrier is not None:
            if inputs.volatility is None:
                raise FeatureMismatchError(
                    "this ensemble forecasts volatility and is given none; compute it of the same bars"
                )
            barriers = self.barrier.log_probabilities(inputs.volatility)
        margin = barriers[BARRIER] if self.starts_from_barrier else None
        X = inputs.X[:, self.columns]
        return {
            **{name: np.log(model.predict_proba(X, margin)) for name, model in self.models.items()},
            **barriers,
        }

    def predict_proba(self, inputs: Inputs) -> NDArray[np.float64]:
        """Give the ensemble's probabilities, shape (n_rows, n_classes).

        Raises
        ------
        FitFailedError
            If there is no member.
        """
        if not self.models and self.barrier is None:
            raise FitFailedError("an ensemble without members cannot predict")
        return self.pool.combine(self.members(inputs), inputs.regime)
