"""A classifier, columns and a labeler of one's own for regimed; see docs/extending.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from regime.labels import StateInvalidError
from regime.types import DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.labels import Day, State
    from regime.types import Bars

__version__ = "1"  # raise it when a column changes its meaning: models of the old columns are then refused


def vote() -> VotingClassifier:
    """Give an unfitted classifier; regimed sets every ``random_state`` and ``n_jobs`` inside."""
    boosting = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=4, learning_rate=0.05, max_bins=15)
    return VotingClassifier([("boosting", boosting), ("bayes", GaussianNB(var_smoothing=1.0))], voting="soft")


class WeightedNeighbours(KNeighborsClassifier):  # type: ignore[misc]  # scikit-learn ships no types
    """Nearest neighbours, whose own fit takes no weights: they are drawn as often as they weigh."""

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: NDArray[np.float64]) -> object:
        """Fit to rows drawn by weight; the first row of each class stays, so that none is lost."""
        generator = np.random.default_rng(0)
        drawn = generator.choice(len(y), size=len(y), p=sample_weight / sample_weight.sum())
        kept = np.concatenate([np.unique(y, return_index=True)[1], drawn])
        return super().fit(X[kept], y[kept])


def neighbours() -> object:
    """Give a pipeline whose last step takes the weights."""
    return make_pipeline(PCA(5), WeightedNeighbours(n_neighbors=50))


def candles(bars: Bars, index: Bars, fear: Bars) -> Mapping[str, NDArray[np.float64]]:  # noqa: ARG001 - not needed here
    """Give two columns, one value a bar: NaN where not known, nothing that was not known at its close."""
    previous = np.append(np.nan, bars.close[:-1])
    previous[bars.first_rows()] = np.nan  # bars are sorted by symbol: the row before is another symbol's
    spread = bars.high - bars.low
    body = np.divide(bars.close - bars.open, spread, out=np.zeros(len(bars)), where=spread > 0)
    return {"candle_body": body, "overnight_gap": bars.open / previous - 1.0}


@dataclass(frozen=True)
class Peak:
    """All that the labeler remembers: the highest close so far."""

    close: float = 0.0

    def to_json(self) -> str:
        """Give the state as JSON."""
        return json.dumps(self.close)

    @classmethod
    def from_json(cls, text: str) -> Peak:
        """Give the state that ``to_json`` wrote."""
        try:
            return cls(float(json.loads(text)))
        except (TypeError, ValueError) as error:
            raise StateInvalidError(f"{text!r} is no peak; label from the first day again") from error


class DrawdownLabeler:
    """Labels a day by how far the index stands below its highest close so far, and by fear."""

    name = "drawdown"
    version = "drawdown-1"  # another version for any change of the rules: labels of versions are never mixed

    def start(self) -> Peak:
        """Give the state before the first day."""
        return Peak()

    def restore(self, text: str) -> Peak:
        """Give a state from its JSON."""
        return Peak.from_json(text)

    def step(self, state: State, day: Day) -> tuple[Peak, DayLabel]:
        """Label one day."""
        return self._label(state, day.close, day.fear)

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        """Label consecutive days."""
        labels = []
        for close, fear in zip(closes, fears, strict=True):
            state, label = self._label(state, close, fear)
            labels.append(label)
        return state, tuple(labels)

    def _label(self, state: State, close: float, fear: float | None) -> tuple[Peak, DayLabel]:
        assert isinstance(state, Peak)  # noqa: S101 - a state of this labeler
        peak = max(state.close, close)
        fall = close / peak - 1.0
        if fall < -0.2:  # noqa: PLR2004 - the rule
            regime = Regime.CRASH
        elif fear is None:
            regime = Regime.UNKNOWN
        elif fear > 25.0:  # noqa: PLR2004 - the rule
            regime = Regime.RECOVERY if fall > -0.1 else Regime.HIGH_VOLATILITY  # noqa: PLR2004 - the rule
        else:
            regime = Regime.LOW_VOLATILITY if fear < 15.0 else Regime.NORMAL  # noqa: PLR2004 - the rule
        return Peak(peak), DayLabel(regime=regime, reason=f"{fall:.1%} from the highest close, fear {fear}")
