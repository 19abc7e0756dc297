"""Regime-mix drift: whether regimes still follow each other as they did in the reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from regime.drift.days import UNKNOWN_CODE, regime_code, regime_mix
from regime.drift.protocol import Finding, Level, Reading, check_reference, is_new
from regime.drift.stored import digest, loaded_date, pack, stored_date, unpack
from regime.types import REGIMES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.drift.days import RegimeDay

_REFERENCE: Final = "regime_mix_reference"
_STATE: Final = "regime_mix_state"
_N: Final = len(REGIMES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixReference:
    """How often each regime followed each, and how far a window strays from that by chance.

    ``transitions``, shape (n_regimes, n_regimes), counts pairs of consecutive days in the order of
    ``REGIMES``; ``warn`` and ``alert`` are thresholds of the statistic, ``None`` for a reference shorter
    than one window.
    """

    window_days: int
    prior: float
    transitions: NDArray[np.float64]
    warn: float | None
    alert: float | None
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", digest(self.to_bytes()))

    def to_bytes(self) -> bytes:
        """Give the reference as bytes, about 1 kB."""
        facts = {
            "window_days": self.window_days,
            "prior": self.prior,
            "warn": self.warn,
            "alert": self.alert,
        }
        return pack(_REFERENCE, facts, {"transitions": self.transitions})

    @classmethod
    def from_bytes(cls, stored: bytes) -> MixReference:
        """Give the reference that ``to_bytes`` stored."""
        facts, arrays = unpack(_REFERENCE, stored)
        return cls(
            window_days=cast("int", facts["window_days"]),
            prior=cast("float", facts["prior"]),
            transitions=cast("NDArray[np.float64]", arrays["transitions"]),
            warn=cast("float | None", facts["warn"]),
            alert=cast("float | None", facts["alert"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixState:
    """The regimes of the last days as positions in ``REGIMES``, shape (n_days,), at most one window."""

    reference_id: str
    date: dt.date | None
    codes: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """Give the state as bytes, about 1 kB."""
        facts = {"reference_id": self.reference_id, "date": stored_date(self.date)}
        return pack(_STATE, facts, {"codes": self.codes})

    @classmethod
    def from_bytes(cls, stored: bytes) -> MixState:
        """Give the state that ``to_bytes`` stored."""
        facts, arrays = unpack(_STATE, stored)
        return cls(
            reference_id=str(facts["reference_id"]),
            date=loaded_date(facts["date"]),
            codes=cast("NDArray[np.uint8]", arrays["codes"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeMix:
    """Compare the transitions of the last year with those of the reference.

    The statistic is the likelihood ratio ``G = 2 sum C log(C / E)`` of the window's transition counts
    against those expected under the reference's matrix (Anderson and Goodman 1957). Regimes last for
    weeks, so chi-squared tables are wrong by far; the thresholds are quantiles of G in windows
    simulated from matrices that are themselves drawn from the Dirichlet posterior of the reference:
    what chance and ignorance of the true matrix do together. Days of unknown regime, and the steps to
    and from them, are left out; so is what follows a regime that the reference hardly knows, since a
    guess about that would drown everything else. Entering such a regime counts.

    Parameters
    ----------
    window_days
        Days compared.
    prior
        Transitions of each kind imagined before any was seen.
    draws
        Windows simulated.
    reference_days_min
        What follows a regime with fewer days in the reference is left out.
    coverage_min
        Share of the window's transitions that must remain for anything to be said.
    warn_quantile, alert_quantile
        Quantiles of the simulated statistic.
    alert_margin
        Factor on the alert quantile, which no finite number of draws gives exactly.
    findings_max
        Transitions named in a reading.
    """

    window_days: int = 252
    prior: float = 0.05
    draws: int = 4_000
    reference_days_min: int = 15
    coverage_min: float = 0.6
    warn_quantile: float = 0.99
    alert_quantile: float = 0.995
    alert_margin: float = 1.1
    findings_max: int = 3

    @property
    def name(self) -> str:
        """The name in readings."""
        return "regime_mix"

    def fit(self, days: Sequence[RegimeDay], generator: np.random.Generator) -> MixReference:
        """Give the transitions of ``days`` and the thresholds of windows drawn by ``generator``."""
        codes = np.array([regime_code(day.regime) for day in days], dtype=np.uint8)
        transitions = _count_transitions(codes)
        warn: float | None = None
        alert: float | None = None
        if transitions.sum() + 1 >= self.window_days:
            statistic = self._predictive(transitions, codes, generator)
            warn = float(np.quantile(statistic, self.warn_quantile))
            alert = float(np.quantile(statistic, self.alert_quantile)) * self.alert_margin
        return MixReference(
            window_days=self.window_days, prior=self.prior, transitions=transitions, warn=warn, alert=alert
        )

    def start(self, reference: MixReference) -> MixState:
        """Give the state before the first live day."""
        return MixState(reference_id=reference.identity, date=None, codes=np.empty(0, dtype=np.uint8))

    def update(self, reference: MixReference, state: MixState, day: RegimeDay) -> tuple[MixState, Reading]:
        """Absorb one day and compare the window that ends with it; see ``Monitor.update``."""
        check_reference(reference, state)
        if is_new(state, day.date):
            codes = np.append(state.codes, np.uint8(regime_code(day.regime)))[-reference.window_days :]
            state = MixState(reference_id=state.reference_id, date=day.date, codes=codes)
        return state, self._read(reference, state)

    def load_reference(self, stored: bytes) -> MixReference:
        """Give the reference that its ``to_bytes`` stored."""
        return MixReference.from_bytes(stored)

    def load_state(self, stored: bytes) -> MixState:
        """Give the state that its ``to_bytes`` stored."""
        return MixState.from_bytes(stored)

    def _predictive(
        self, transitions: NDArray[np.float64], codes: NDArray[np.uint8], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Give the statistic of ``draws`` windows that hold nothing new, shape (draws,)."""
        posterior = transitions + self.prior
        matrices = np.stack([generator.dirichlet(row, self.draws) for row in posterior], axis=1)
        first = generator.choice(codes[codes != UNKNOWN_CODE], self.draws)
        counts = _simulate(matrices, first, self.window_days, generator)
        parts = _contributions(counts * self._known(transitions), _matrix(transitions, self.prior))
        return np.asarray(parts.sum(axis=(1, 2)), dtype=np.float64)

    def _read(self, reference: MixReference, state: MixState) -> Reading:
        assert state.date is not None, "a state is read after it has absorbed a day"  # noqa: S101 - wrong code
        mix = regime_mix(state.codes)
        if reference.warn is None or reference.alert is None:
            return self._silence(state.date, reference, mix, Level.INSUFFICIENT_REFERENCE)
        counts = _count_transitions(state.codes)
        if len(state.codes) < reference.window_days or not counts.any():
            return self._silence(state.date, reference, mix, Level.INSUFFICIENT_DATA)
        every = counts.sum()
        counts *= self._known(reference.transitions)
        if counts.sum() < self.coverage_min * every:
            return self._silence(state.date, reference, mix, Level.INSUFFICIENT_REFERENCE)
        parts = _contributions(counts, _matrix(reference.transitions, reference.prior))
        statistic = float(parts.sum())
        alerted, warned = statistic > reference.alert, statistic > reference.warn
        return Reading(
            monitor=self.name,
            date=state.date,
            level=Level.ALERT if alerted else Level.WARN if warned else Level.NONE,
            reference_id=reference.identity,
            statistic=statistic,
            threshold=reference.warn,
            effective_n=float(counts.sum()),
            tested=int((counts.sum(axis=1) > 0).sum()),
            mix=mix,
            findings=self._findings(parts, counts),
        )

    def _known(self, transitions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell from which regimes the reference knows what follows, shape (n_regimes, 1)."""
        return np.asarray(transitions.sum(axis=1, keepdims=True) >= self.reference_days_min)

    def _silence(
        self, date: dt.date, reference: MixReference, mix: dict[str, float], level: Level
    ) -> Reading:
        return Reading(monitor=self.name, date=date, level=level, reference_id=reference.identity, mix=mix)

    def _findings(self, parts: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[Finding, ...]:
        """Name the transitions that occurred and stray most from what the reference expects."""
        order = np.argsort(-np.abs(parts), axis=None, kind="stable")[: self.findings_max]
        return tuple(
            Finding(
                name=f"{REGIMES[start]}>{REGIMES[end]}",
                statistic=float(parts[start, end]),
                threshold=None,
                effective_n=float(counts[start].sum()),
            )
            for start, end in (divmod(int(at), _N) for at in order)
            if counts[start, end]
        )


def _count_transitions(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Count pairs of consecutive known regimes, shape (n_regimes, n_regimes)."""
    start, end = codes[:-1].astype(np.intp), codes[1:].astype(np.intp)
    known = (start != UNKNOWN_CODE) & (end != UNKNOWN_CODE)
    pairs = np.bincount(start[known] * _N + end[known], minlength=_N * _N)
    return pairs.reshape(_N, _N).astype(np.float64)


def _matrix(transitions: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Give the posterior mean of the transition matrix; its rows add up to 1."""
    posterior = transitions + prior
    return cast("NDArray[np.float64]", posterior / posterior.sum(axis=1, keepdims=True))


def _contributions(counts: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each transition's part of G; the last two axes of ``counts`` are from and to."""
    expected = counts.sum(axis=-1, keepdims=True) * matrix
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=counts > 0)
    return cast("NDArray[np.float64]", 2.0 * counts * np.log(ratio))


def _simulate(
    matrices: NDArray[np.float64],
    first: NDArray[np.uint8],
    window_days: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Count the transitions of one chain for each of ``matrices``, shape (draws, from, to)."""
    draws = np.arange(len(matrices))
    cumulative = matrices.cumsum(axis=2)[:, :, :-1]
    counts = np.zeros_like(matrices)
    now = first.astype(np.intp)
    for _ in range(window_days - 1):
        chance = generator.random(len(matrices))
        after = (chance[:, None] > cumulative[draws, now]).sum(axis=1)
        counts[draws, now, after] += 1.0
        now = after
    return counts
