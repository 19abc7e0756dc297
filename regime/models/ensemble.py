"""The plain mean of the members' probabilities, and the quorum below which there is no ensemble.

Probabilities only: an accuracy-weighted vote of the same members has a log-loss of 1.174 against .813 for
the mean, because a vote throws away how sure each member was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import FitFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.models.fitted import FittedModel

ENSEMBLE: Final = "ensemble"
"""The name under which the mean stands beside its members."""


def mean_probability(members: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Give the mean of the members' probabilities, each of shape (n_rows, n_classes).

    >>> mean_probability([np.array([[0.2, 0.3, 0.5]]), np.array([[0.4, 0.5, 0.1]])]).round(3).tolist()
    [[0.3, 0.4, 0.3]]
    """
    return np.asarray(np.mean(np.stack(members), axis=0), dtype=np.float64)


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
class MeanEnsemble:
    """Fitted members under one ``predict_proba``.

    >>> MeanEnsemble(members=()).predict_proba(np.zeros((2, 3), dtype=np.float32))
    Traceback (most recent call last):
    regime.errors.FitFailedError: an ensemble without members cannot predict
    """

    members: tuple[FittedModel, ...]

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the mean probabilities, shape (n_rows, n_classes)."""
        if not self.members:
            raise FitFailedError("an ensemble without members cannot predict")
        return mean_probability([member.predict_proba(X) for member in self.members])
