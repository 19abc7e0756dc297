"""Challengers whose true gain over the champion is known, as daily means of `SYMBOLS` symbols.

Champion and challenger are told apart day by day: the true gain of the regime, plus an effect that all
symbols of the day share (AR(1), normal or Student's t with three degrees of freedom, standard deviation
`DAY_EFFECT`), plus what each row adds of its own. Two forms:

- ``accuracy``: the models differ on a fifth of the rows, and of those the challenger is right more often by
  the stated points. The counts of wins and losses of a day are drawn instead of its rows, which is exact. A
  row that the truth gets .6 of when right and .2 when wrong makes log-loss ``log(3)`` times that.
- ``log_loss``: the challenger gains the stated hundredths of a nat; rows are drawn, and averaged.

In both the champion is right on .65 of the rows, where the threshold of a usual gate lies. Floors are left
out: no prior is simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.types import REGIMES, Regime
from registry.policy import Metric
from registry.safety import RegimeDays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Drawn = tuple[dict[Metric, NDArray[np.float64]], Counts, Counts, Counts]

DAYS: Final = {
    Regime.CRASH: 60,
    Regime.RECOVERY: 80,
    Regime.HIGH_VOLATILITY: 200,
    Regime.NORMAL: 500,
    Regime.LOW_VOLATILITY: 400,
}
SYMBOLS: Final = 25
DISCORDANT: Final = 0.2
DAY_EFFECT: Final = 0.06
RIGHT: Final = 0.65
"""Share of rows on which the champion is right."""
RIGHT_TOGETHER: Final = (RIGHT - DISCORDANT / 2) / (1 - DISCORDANT)
P_LOW, P_HIGH = 0.3, 0.6
P_CALLED: Final = math.exp(math.log(P_HIGH) - RIGHT * math.log(P_HIGH / P_LOW))
"""The truth is called where it has more than this probability; log-uniform from `P_LOW` to `P_HIGH`."""
ROW_NOISE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A true gain in each regime; a regime that is left out never occurs."""

    name: str
    gains: Mapping[Regime, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How days hang together: their autocorrelation, tails, and in how many episodes a regime comes."""

    name: str
    autocorrelation: float = 0.5
    heavy: bool = False
    episodes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Challengers:
    """Several challengers: daily gains, shape (n_challengers, n_days), and counts of all their rows.

    ``wins`` and ``losses`` count the rows on which only the challenger, or only the champion, was right;
    ``right`` those on which the challenger was.
    """

    date: NDArray[np.datetime64]
    regime: NDArray[np.str_]
    gains: Mapping[Metric, NDArray[np.float64]]
    wins: NDArray[np.int64]
    losses: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Give the number of rows of one challenger."""
        return len(self.date) * SYMBOLS

    def days_of(self, at: int, first: int | None = None) -> tuple[RegimeDays, ...]:
        """Give what the gate is to see of one challenger, on its ``first`` days or on all."""
        return tuple(self._days(at, regime, first) for regime in REGIMES)

    def places(self) -> list[NDArray[np.intp]]:
        """Give the places of the days of each of the five regimes."""
        return [np.flatnonzero(self.regime == regime.value) for regime in REGIMES]

    def _days(self, at: int, regime: Regime, first: int | None) -> RegimeDays:
        inside = np.flatnonzero(self.regime[:first] == regime.value)
        return RegimeDays(
            regime=regime,
            date=self.date[inside],
            rows=len(inside) * SYMBOLS,
            over_champion={metric: gain[at, inside] for metric, gain in self.gains.items()},
            over_prior={},
        )


def calendar(scenario: Scenario, episodes: int) -> NDArray[np.str_]:
    """Give the regime of each day: every regime in turn, as often as there are episodes."""
    spells = [np.full(DAYS[regime] // episodes, regime.value) for regime in scenario.gains]
    return np.concatenate(spells * episodes)


def day_effects(
    condition: Condition, shape: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Give AR(1) series of standard deviation `DAY_EFFECT`, shape (n_challengers, n_days)."""
    effects = (
        generator.standard_t(3, shape) / math.sqrt(3) if condition.heavy else generator.normal(size=shape)
    )
    scale = math.sqrt(1 - condition.autocorrelation**2)
    for day in range(1, shape[1]):
        effects[:, day] = condition.autocorrelation * effects[:, day - 1] + scale * effects[:, day]
    return DAY_EFFECT * effects


def simulate(
    metric: Metric, scenario: Scenario, condition: Condition, challengers: int, generator: np.random.Generator
) -> Challengers:
    """Draw challengers of one scenario."""
    regime = calendar(scenario, condition.episodes)
    return simulate_days(metric, regime, scenario, condition, challengers, generator)


def simulate_days(
    metric: Metric,
    regime: NDArray[np.str_],
    scenario: Scenario,
    condition: Condition,
    challengers: int,
    generator: np.random.Generator,
) -> Challengers:
    """Draw challengers on days whose regimes are given."""
    means = np.select([regime == each for each in scenario.gains], list(scenario.gains.values()))
    gain = means + day_effects(condition, (challengers, len(regime)), generator)
    form = accuracy_form if metric is Metric.ACCURACY else log_loss_form
    gains, wins, losses, right = form(gain, generator)
    return Challengers(
        date=np.busday_offset("2015-01-01", np.arange(len(regime)), roll="forward"),
        regime=regime,
        gains=gains,
        wins=wins.sum(axis=1),
        losses=losses.sum(axis=1),
        right=right.sum(axis=1),
    )


def accuracy_form(gain: NDArray[np.float64], generator: np.random.Generator) -> Drawn:
    """Draw daily gains and counts of wins, losses and right rows, each of the shape of ``gain``."""
    differing = generator.binomial(SYMBOLS, DISCORDANT, gain.shape)
    wins = generator.binomial(differing, np.clip(0.5 + gain / (2 * DISCORDANT), 0, 1))
    losses = differing - wins
    together = generator.binomial(SYMBOLS - differing, RIGHT_TOGETHER)
    accuracy = (wins - losses) / SYMBOLS
    return {Metric.LOG_LOSS: math.log(3) * accuracy, Metric.ACCURACY: accuracy}, wins, losses, wins + together


def log_loss_form(gain: NDArray[np.float64], generator: np.random.Generator) -> Drawn:
    """Draw rows, and give their daily gains and counts, each of the shape of ``gain``."""
    # Even on the scale of the gain: noise then tips as many calls to the right side as to the wrong one.
    shape = (*gain.shape, SYMBOLS)
    champion = math.log(P_LOW) + math.log(P_HIGH / P_LOW) * generator.random(shape, dtype=np.float32)
    difference = gain[..., None].astype(np.float32) + ROW_NOISE * generator.standard_normal(shape, np.float32)
    own_right = champion + difference > math.log(P_CALLED)
    champion_right = champion > math.log(P_CALLED)
    wins, losses = (own_right & ~champion_right).sum(axis=2), (champion_right & ~own_right).sum(axis=2)
    gains = {
        Metric.LOG_LOSS: difference.mean(axis=2, dtype=np.float64),
        Metric.ACCURACY: (wins - losses) / SYMBOLS,
    }
    return gains, wins, losses, own_right.sum(axis=2)
