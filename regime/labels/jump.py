"""The ``jump`` labeler: a statistical jump model with frozen parameters, read day by day.

The model has two states, each a centre in the space of a few standardised features of the index alone. A
path of states costs half the squared distance of each day to the centre of its state, and a penalty for
each jump from one state to the other (Nystrup, Lindstrom and Madsen, 2020, "Learning hidden Markov models
with persistent states by penalizing jumps", eq. 1). Features, their halflives and the penalty of 50 are
those of Shu, Yu and Mulvey (2024, "Downside risk reduction using regime-switching signals", section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import TYPE_CHECKING, Final, Self

from regime.labels.explanation import Explanation, Need
from regime.labels.protocol import StateInvalidError
from regime.labels.saving import json_of, reading_state, version_of
from regime.types import REGIMES, DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.labels.protocol import Day, State

NAME: Final = "jump"
PARAMETERS: Final = "jump_parameters"
CALM_REGIME: Final = Regime.NORMAL
TURBULENT_REGIME: Final = Regime.HIGH_VOLATILITY
"""Two states cannot tell a crash from high volatility, nor a recovery from calm: the milder names claim
less."""

Features = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpParameters:
    """Everything that a fit decides or presupposes; frozen, so that a refit is another version.

    Halflives and the warm-up are in daily returns. The features are, in this order, the downside deviation
    at ``downside_halflife`` and the Sortino ratio at each of ``sortino_halflives``. ``means`` and
    ``scales`` standardise them, ``clip`` bounds them in standard deviations; ``calm`` and ``turbulent``
    are the centres of the two states in the result.
    """

    means: Features
    scales: Features
    calm: Features
    turbulent: Features
    penalty: float = 50.0
    downside_halflife: float = 10.0
    sortino_halflives: tuple[float, float] = (20.0, 60.0)
    warm_up_returns: int = 60
    clip: float = 3.0

    def __post_init__(self) -> None:
        shape = [*map(len, (self.means, self.scales, self.calm, self.turbulent, self.sortino_halflives))]
        if shape != [3, 3, 3, 3, 2]:
            raise ValueError("the model has three features, two of them Sortino ratios")
        if min(*self.scales, self.downside_halflife, *self.sortino_halflives, self.warm_up_returns) <= 0:
            raise ValueError("scales, halflives and the warm-up must be positive")

    def to_json(self) -> str:
        """Give the parameters as JSON, floats to the last bit."""
        return json_of(PARAMETERS, self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the parameters that ``to_json`` wrote.

        Raises
        ------
        StateInvalidError
            If the text is nothing of that kind.
        """
        with reading_state(PARAMETERS, text) as fields:
            return cls(
                means=tuple(fields.pop("means")),
                scales=tuple(fields.pop("scales")),
                calm=tuple(fields.pop("calm")),
                turbulent=tuple(fields.pop("turbulent")),
                sortino_halflives=tuple(fields.pop("sortino_halflives")),
                **fields,
            )


SP500_1999_2012: Final = JumpParameters(
    means=(0.008178263731902247, 0.050828240472740205, 0.0288769605997526),
    scales=(0.005122815419544762, 0.16520662254238835, 0.08900374448356797),
    calm=(-0.45272193660549837, 0.39988301527401526, 0.5690475384097379),
    turbulent=(0.7398045809099507, -0.7349011911483859, -1.0446770652983648),
)
"""Fitted on the closes of the S&P 500 from 1999-01-04 to 2012-12-31 that the package ``arch`` ships:

``fit_jump(closes.tolist(), np.random.default_rng(0))`` with
``closes = arch.data.sp500.load()["Close"]["1999":"2012"]``; a test repeats it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpState:
    """All that the ``jump`` labeler remembers.

    ``weights``, ``squares`` and ``sums`` are exponentially weighted sums over all returns so far: of 1, of
    squared negative log returns (at the three halflives) and of log returns (at the two of the Sortino
    ratios). ``costs`` are those of the cheapest paths that end today in calm and in turbulent, less the
    smaller of the two; ``None`` before the first label.
    """

    close: float | None = None
    returns: int = 0
    weights: Features = (0.0, 0.0, 0.0)
    squares: Features = (0.0, 0.0, 0.0)
    sums: tuple[float, float] = (0.0, 0.0)
    costs: tuple[float, float] | None = None

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""
        return json_of(NAME, self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote."""
        with reading_state(NAME, text) as fields:
            costs = fields.pop("costs")
            return cls(
                weights=tuple(fields.pop("weights")),
                squares=tuple(fields.pop("squares")),
                sums=tuple(fields.pop("sums")),
                costs=None if costs is None else tuple(costs),
                **fields,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpLabeler:
    """Two states, calm (``normal``) and turbulent (``high_volatility``), by the cheaper path.

    The label of a day is the state in which the cheapest path up to that day ends: a forward step of
    dynamic programming, nothing from later days, O(1). It is thus a little later than the path that a fit
    draws through all of its days with hindsight. Fear is not read. The first 60 returns have no label:
    ``unknown``. ``pending`` is the other state's regime where today alone lies nearer to its centre.

    >>> labeler = JumpLabeler()
    >>> closes = [100.0 + day % 3 for day in range(62)]
    >>> _, labels = labeler.run(labeler.start(), closes, [None] * 62)
    >>> sum(label.regime is Regime.UNKNOWN for label in labels)
    60
    """

    parameters: JumpParameters = SP500_1999_2012
    name: str = field(default=NAME, init=False)

    @property
    def version(self) -> str:
        """The name and a hash of the parameters."""
        return version_of(NAME, self.parameters)

    def start(self) -> JumpState:
        """Give the state before the first day."""
        return JumpState()

    def restore(self, text: str) -> JumpState:
        """Give a state from its JSON."""
        return JumpState.from_json(text)

    def step(self, state: State, day: Day) -> tuple[JumpState, DayLabel]:
        """Label one day; give the state after it and the label."""
        after, (label,) = self.run(state, (day.close,), (day.fear,))
        return after, label

    def explain(self, state: State, day: Day) -> Explanation:
        """Explain the label of a day, given the state before it; changes nothing."""
        after, label = self.step(state, day)
        assert isinstance(state, JumpState)  # noqa: S101 - else the step has refused it
        return Explanation(
            label=label,
            fired=_fired(state.costs, after.costs),
            ten_day_return=None,
            drop_threshold=None,
            bands={},
            age_days=None,
            dwell_days=None,
            pending_days=0,
            confirm_days=None,
            crash=None,
            others=tuple(
                _need(regime, after, self.parameters) for regime in REGIMES if regime is not label.regime
            ),
        )

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[JumpState, tuple[DayLabel, ...]]:
        """Label consecutive days; give the state after the last and the labels."""
        if not isinstance(state, JumpState):
            raise StateInvalidError(f"a {type(state).__name__} is no state of {NAME!r}; start from its own")
        machine = _Machine(self.parameters, state)
        labels = tuple([machine.advance(close) for close, _ in zip(closes, fears, strict=True)])
        return machine.state, labels


class FeatureGauge:
    """Follows the closes of one market: its features, not yet standardised. O(1) a day.

    Means are exponentially weighted with the weights of all returns so far adding up to 1, as pandas'
    ``ewm(halflife=..., adjust=True).mean()``.

    >>> gauge = FeatureGauge(SP500_1999_2012, JumpState())
    >>> for close in (100.0, 99.0, 101.0):
    ...     gauge.observe(close)
    >>> [round(feature, 4) for feature in gauge.features]
    [0.007, 0.7432, 0.7143]
    """

    __slots__ = ("_decays", "close", "returns", "squares", "sums", "weights")

    def __init__(self, parameters: JumpParameters, state: JumpState) -> None:
        halflives = (parameters.downside_halflife, *parameters.sortino_halflives)
        self._decays = tuple(0.5 ** (1.0 / halflife) for halflife in halflives)
        self.close = state.close
        self.returns = state.returns
        self.weights = state.weights
        self.squares = state.squares
        self.sums = state.sums

    @property
    def features(self) -> Features:
        """The downside deviation and the two Sortino ratios; a ratio without any downside is infinite."""
        short, middle, long = self.weights
        one, two, three = self.squares
        return (
            sqrt(one / short),
            _ratio(self.sums[0] / middle, sqrt(two / middle)),
            _ratio(self.sums[1] / long, sqrt(three / long)),
        )

    def observe(self, close: float) -> None:
        """Take the next close."""
        if self.close is not None:
            self._add(log(close / self.close))
        self.close = close

    def _add(self, log_return: float) -> None:
        short, middle, long = self._decays
        square = min(log_return, 0.0) ** 2
        self.returns += 1
        weights, squares, sums = self.weights, self.squares, self.sums
        self.weights = (short * weights[0] + 1.0, middle * weights[1] + 1.0, long * weights[2] + 1.0)
        self.squares = (
            short * squares[0] + square,
            middle * squares[1] + square,
            long * squares[2] + square,
        )
        self.sums = (middle * sums[0] + log_return, long * sums[1] + log_return)


def _ratio(mean: float, deviation: float) -> float:
    if deviation > 0.0:
        return mean / deviation
    return inf if mean > 0.0 else 0.0


def standardised(features: Features, parameters: JumpParameters) -> Features:
    """Give features in standard deviations from their means, within the clip.

    >>> standardised((1.0, float("inf"), 0.0), SP500_1999_2012)[1]
    3.0
    """
    clip, means, scales = parameters.clip, parameters.means, parameters.scales
    first, second, third = features
    return (
        min(max((first - means[0]) / scales[0], -clip), clip),
        min(max((second - means[1]) / scales[1], -clip), clip),
        min(max((third - means[2]) / scales[2], -clip), clip),
    )


def distance_cost(row: Features, centre: Features) -> float:
    """Give what a day costs in a state: half the squared distance to its centre.

    >>> distance_cost((1.0, 0.0, 0.0), (0.0, 0.0, 2.0))
    2.5
    """
    first, second, third = row[0] - centre[0], row[1] - centre[1], row[2] - centre[2]
    return 0.5 * (first * first + second * second + third * third)


class _Machine:
    """The state, mutable for the length of one run."""

    __slots__ = ("_costs", "_gauge", "_parameters")

    def __init__(self, parameters: JumpParameters, state: JumpState) -> None:
        self._parameters = parameters
        self._gauge = FeatureGauge(parameters, state)
        self._costs = state.costs

    @property
    def state(self) -> JumpState:
        gauge = self._gauge
        return JumpState(
            close=gauge.close,
            returns=gauge.returns,
            weights=gauge.weights,
            squares=gauge.squares,
            sums=gauge.sums,
            costs=self._costs,
        )

    def advance(self, close: float) -> DayLabel:
        gauge, parameters = self._gauge, self._parameters
        gauge.observe(close)
        if gauge.returns < parameters.warm_up_returns:
            known = f"has {gauge.returns}"
            reason = f"UNKNOWN: the jump model needs {parameters.warm_up_returns} returns, {known}"
            return DayLabel(regime=Regime.UNKNOWN, reason=reason)
        row = standardised(gauge.features, parameters)
        today = distance_cost(row, parameters.calm), distance_cost(row, parameters.turbulent)
        self._costs = _next_costs(self._costs, today, parameters.penalty)
        return _label(self._costs, today, parameters.penalty)


def _next_costs(
    costs: tuple[float, float] | None, today: tuple[float, float], penalty: float
) -> tuple[float, float]:
    """Give the costs of the cheapest paths that end today in either state, less the smaller."""
    calm, turbulent = costs or (0.0, 0.0)
    calm, turbulent = (
        today[0] + min(calm, turbulent + penalty),
        today[1] + min(turbulent, calm + penalty),
    )
    least = min(calm, turbulent)
    return calm - least, turbulent - least


def _fired(before: tuple[float, float] | None, after: tuple[float, float] | None) -> str:
    if after is None:
        return "unknown"
    is_same = before is not None and (before[0] <= before[1]) == (after[0] <= after[1])
    return "holds" if is_same else "entered"


def _need(regime: Regime, state: JumpState, parameters: JumpParameters) -> Need:
    """Say what would have to happen for another regime."""
    if regime not in {CALM_REGIME, TURBULENT_REGIME}:
        return Need(regime=regime, ways=(), waits="the jump model has two states and never says it")
    if state.costs is None:
        waits = f"{parameters.warm_up_returns} returns are needed, there are {state.returns}"
        return Need(regime=regime, ways=(), waits=waits)
    more = state.costs[0] if regime is CALM_REGIME else state.costs[1]
    way = f"days nearer to its centre, by {more:.2f} in all, of {parameters.penalty:g} that a jump costs"
    return Need(regime=regime, ways=(way,))


def _label(costs: tuple[float, float], today: tuple[float, float], penalty: float) -> DayLabel:
    is_calm = costs[0] <= costs[1]
    regime, other = (CALM_REGIME, TURBULENT_REGIME) if is_calm else (TURBULENT_REGIME, CALM_REGIME)
    is_nearer = (today[0] <= today[1]) == is_calm
    excess = f"{costs[1]:.2f} more for turbulent" if is_calm else f"{costs[0]:.2f} more for calm"
    return DayLabel(
        regime=regime,
        reason=(
            f"{'calm' if is_calm else 'turbulent'} path is the cheaper, {excess};"
            f" today alone costs {today[0]:.2f} in calm and {today[1]:.2f} in turbulent, a jump {penalty:g}"
        ),
        pending=None if is_nearer else other,
    )
