"""Other ways to label, two states each: hidden Markov, Markov switching, a jump model that is refitted.

A peer is fitted at the end of each year on all days until then, and labels the next year day by day with what
it knows on each. At each refit it labels the past again, by its own way of labelling a history; what differs
from what it had said is revised.
"""

from __future__ import annotations

import importlib
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from regime.labels import JumpLabeler, fit_jump
from regime.types import Regime

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED: Final = 0
CALM, TURBULENT = Regime.NORMAL, Regime.HIGH_VOLATILITY
States = tuple[Regime, ...]


class Peer(Protocol):
    """A labeler that is fitted."""

    def fit(self, closes: NDArray[np.float64]) -> None:
        """Fit to the closes so far."""

    def online(self, closes: NDArray[np.float64]) -> States:
        """Label each day with what the fitted model knows on it."""

    def history(self, closes: NDArray[np.float64]) -> States:
        """Label all days as the package labels a history, with hindsight if it has it."""


def peers() -> dict[str, Peer]:
    """Give the peers whose packages are installed."""
    found: dict[str, Peer] = {"jump, refitted": RefittedJump()}
    if find_spec("hmmlearn"):
        found["hidden Markov"] = HiddenMarkov()
    if find_spec("statsmodels"):
        found["Markov switching"] = MarkovSwitching()
    return found


def run_peer(
    peer: Peer, days: NDArray[np.datetime64], closes: NDArray[np.float64], first: np.datetime64
) -> tuple[States, list[float]]:
    """Give the labels said from ``first`` on, and the share of the past that each refit revised."""
    years = days.astype("datetime64[Y]")
    start = int(np.searchsorted(days, first))
    said: list[Regime] = []
    current: list[Regime] = []
    revised = []
    for year in np.unique(years[start:]):
        begin = max(start, int(np.searchsorted(years, year)))
        end = int(np.searchsorted(years, year, side="right"))
        peer.fit(closes[:begin])
        if current:
            past = list(peer.history(closes[:begin])[start:])
            revised.append(sum(a is not b for a, b in zip(current, past, strict=True)) / len(past))
            current = past
        fresh = peer.online(closes[:end])[begin:]
        said += fresh
        current += fresh
    return tuple(said), revised


class RefittedJump:
    """The project's own jump model, with parameters that are not frozen."""

    def __init__(self) -> None:
        self._labeler = JumpLabeler()

    def fit(self, closes: NDArray[np.float64]) -> None:
        """Fit to the closes so far."""
        fitted = fit_jump(closes.tolist(), np.random.default_rng(SEED), restarts=3)
        self._labeler = JumpLabeler(parameters=fitted)

    def online(self, closes: NDArray[np.float64]) -> States:
        """Label each day with what the fitted model knows on it."""
        _, labels = self._labeler.run(self._labeler.start(), closes.tolist(), [None] * len(closes))
        return tuple([label.regime for label in labels])

    def history(self, closes: NDArray[np.float64]) -> States:
        """Label all days, online as well."""
        return self.online(closes)


def _percent_returns(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give log returns in percent, the first day's as none at all."""
    return 100.0 * np.diff(np.log(closes), prepend=np.log(closes[0]))


def _states(is_turbulent: NDArray[np.bool_]) -> States:
    return tuple([TURBULENT if turbulent else CALM for turbulent in is_turbulent.tolist()])


class HiddenMarkov:
    """Two Gaussians with a transition matrix, by ``hmmlearn``; a history is labelled by Viterbi's path."""

    def __init__(self) -> None:
        self._module = importlib.import_module("hmmlearn.hmm")
        self._turbulent = 1

    def fit(self, closes: NDArray[np.float64]) -> None:
        """Fit to the closes so far."""
        self._model = self._module.GaussianHMM(n_components=2, n_iter=100, random_state=SEED)
        self._model.fit(_percent_returns(closes)[:, None])
        self._turbulent = int(self._model.covars_.ravel().argmax())

    def online(self, closes: NDArray[np.float64]) -> States:
        """Label each day by the filtered probability."""
        model, returns = self._model, _percent_returns(closes)
        variances, means = model.covars_.ravel(), model.means_.ravel()
        densities = np.exp(-0.5 * (returns[:, None] - means) ** 2 / variances) / np.sqrt(variances) + 1e-300
        chances = np.empty_like(densities)
        prior = model.startprob_
        for at, density in enumerate(densities):
            joint = prior * density
            chances[at] = joint / joint.sum()
            prior = chances[at] @ model.transmat_
        return _states(chances[:, self._turbulent] > 0.5)

    def history(self, closes: NDArray[np.float64]) -> States:
        """Label all days by the likeliest path."""
        return _states(self._model.predict(_percent_returns(closes)[:, None]) == self._turbulent)


class MarkovSwitching:
    """Two means and variances, by ``statsmodels``; a history is labelled by smoothed probabilities."""

    def __init__(self) -> None:
        name = "statsmodels.tsa.regime_switching.markov_regression"
        self._class = importlib.import_module(name).MarkovRegression

    def fit(self, closes: NDArray[np.float64]) -> None:
        """Fit to the closes so far."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = self._of(closes).fit(disp=False)
        self._parameters = fitted.params
        variances = [fitted.params[fitted.model.parameters[state, "variance"]][0] for state in (0, 1)]
        self._turbulent = int(np.argmax(variances))

    def online(self, closes: NDArray[np.float64]) -> States:
        """Label each day by the filtered probability."""
        chances = self._of(closes).filter(self._parameters).filtered_marginal_probabilities
        return _states(np.asarray(chances)[:, self._turbulent] > 0.5)

    def history(self, closes: NDArray[np.float64]) -> States:
        """Label all days by the smoothed probability."""
        chances = self._of(closes).smooth(self._parameters).smoothed_marginal_probabilities
        return _states(np.asarray(chances)[:, self._turbulent] > 0.5)

    def _of(self, closes: NDArray[np.float64]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - theirs
        return self._class(_percent_returns(closes), k_regimes=2, switching_variance=True)
