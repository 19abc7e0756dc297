"""Feature drift given the regime: whether features look as they did in the same regimes before.

A crash changes every feature and is no drift. So the last days are compared with a mixture of the
reference's distributions in which each regime has the weight that it has among those days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from regime.drift.counts import bin_counts, count_above, count_known, design_effect, quantile_edges
from regime.drift.days import UNKNOWN_CODE, check_names, regime_code, regime_mix
from regime.drift.protocol import Finding, Level, Reading, check_reference, is_new
from regime.drift.stored import digest, loaded_date, pack, stored_date, unpack
from regime.errors import HistoryTooShortError
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.drift.days import FeatureDay

_REFERENCE: Final = "feature_drift_reference"
_STATE: Final = "feature_drift_state"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureReference:
    """The distribution of each feature in each regime.

    ``edges`` has shape (n_edges, n_features). ``above``, shape (n_regimes, n_edges, n_features), is the
    share of a regime's rows above each edge; ``rows`` and ``days``, shape (n_regimes, n_features), say
    how many rows and days that rests on. Regimes are in the order of ``REGIMES``. ``design_effect``,
    shape (n_features,), is the number of rows that tell as much as one independent row; NaN is not known.
    """

    names: tuple[str, ...]
    window_days: int
    edges: NDArray[np.float64]
    above: NDArray[np.float64]
    rows: NDArray[np.float64]
    days: NDArray[np.float64]
    design_effect: NDArray[np.float64]
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", digest(self.to_bytes()))

    def to_bytes(self) -> bytes:
        """Give the reference as bytes, about 175 kB for 179 features."""
        arrays = {name: getattr(self, name) for name in ("edges", "above", "rows", "days", "design_effect")}
        return pack(_REFERENCE, {"names": list(self.names), "window_days": self.window_days}, arrays)

    @classmethod
    def from_bytes(cls, stored: bytes) -> FeatureReference:
        """Give the reference that ``to_bytes`` stored."""
        facts, arrays = unpack(_REFERENCE, stored)
        names = tuple(cast("list[str]", facts["names"]))
        floats = cast("dict[str, NDArray[np.float64]]", arrays)
        return cls(names=names, window_days=cast("int", facts["window_days"]), **floats)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureState:
    """The counts of the last days, at most one window of them.

    ``codes``, shape (n_days,), are regimes as positions in ``REGIMES``; ``above``, shape (n_days,
    n_edges, n_features), counts rows above each edge and ``known``, shape (n_days, n_features), rows.
    """

    reference_id: str
    date: dt.date | None
    codes: NDArray[np.uint8]
    above: NDArray[np.uint32]
    known: NDArray[np.uint32]

    def to_bytes(self) -> bytes:
        """Give the state as bytes, about 300 kB for 179 features and 21 days."""
        facts = {"reference_id": self.reference_id, "date": stored_date(self.date)}
        return pack(_STATE, facts, {name: getattr(self, name) for name in ("codes", "above", "known")})

    @classmethod
    def from_bytes(cls, stored: bytes) -> FeatureState:
        """Give the state that ``to_bytes`` stored."""
        facts, arrays = unpack(_STATE, stored)
        return cls(
            reference_id=str(facts["reference_id"]),
            date=loaded_date(facts["date"]),
            codes=cast("NDArray[np.uint8]", arrays["codes"]),
            above=cast("NDArray[np.uint32]", arrays["above"]),
            known=cast("NDArray[np.uint32]", arrays["known"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """Compare the last days with the reference in the same mix of regimes, feature by feature.

    The statistic is the Kolmogorov-Smirnov distance on the reference's quantile bins. Its threshold is
    the asymptotic one of two samples (Smirnov 1948), ``sqrt(-ln(a / 2) / 2) sqrt(1 / n + 1 / m)``, with
    ``a`` the ``false_alarm_rate`` shared among the features tested (Bonferroni) and with effective
    numbers of rows: rows over the design effect, where a regime with few reference days makes ``m``
    small. The numbers 21, 20, .05, 15 and .6 were chosen by simulation of regime-switching markets.

    Parameters
    ----------
    window_days
        Days compared, also the length of the blocks from which the design effect is taken.
    bins
        Bins a feature.
    false_alarm_rate
        Chance of a warning in one check of one window without drift.
    reference_days_min
        A regime with fewer days in the reference is not compared.
    coverage_min
        Share of the window's rows whose regimes can be compared below which nothing is said.
    blocks_min
        Blocks of the reference below which the design effect is not known.
    findings_max
        Features named in a reading.
    """

    window_days: int = 21
    bins: int = 20
    false_alarm_rate: float = 0.05
    reference_days_min: int = 15
    coverage_min: float = 0.6
    blocks_min: int = 8
    findings_max: int = 5

    @property
    def name(self) -> str:
        """The name in readings."""
        return "feature_drift"

    def fit(self, days: Sequence[FeatureDay], generator: np.random.Generator) -> FeatureReference:  # noqa: ARG002 - the protocol's
        """Give the distributions of ``days`` by regime; days of unknown regime are left out.

        Raises
        ------
        HistoryTooShortError
            If no day has a regime.
        FeatureMismatchError
            If the days differ in their features.
        """
        labelled = [day for day in days if day.regime is not Regime.UNKNOWN]
        if not labelled:
            raise HistoryTooShortError("no reference day has a regime; label the days first")
        for day in labelled:
            check_names(labelled[0].names, day.names)
        edges = quantile_edges(labelled, self.bins)
        codes = np.array([regime_code(day.regime) for day in labelled], dtype=np.uint8)
        above = np.stack([count_above(day.values, edges) for day in labelled])
        known = np.stack([count_known(day.values) for day in labelled])
        rows = _sum_by_regime(known, codes)
        effect = design_effect(bin_counts(above, known), codes, self.window_days, self.blocks_min)
        return FeatureReference(
            names=labelled[0].names,
            window_days=self.window_days,
            edges=edges,
            above=_sum_by_regime(above, codes) / np.maximum(rows, 1.0)[:, None, :],
            rows=rows,
            days=_sum_by_regime(known > 0, codes),
            design_effect=effect,
        )

    def start(self, reference: FeatureReference) -> FeatureState:
        """Give the state before the first live day."""
        n_edges, n_features = reference.edges.shape
        return FeatureState(
            reference_id=reference.identity,
            date=None,
            codes=np.empty(0, dtype=np.uint8),
            above=np.empty((0, n_edges, n_features), dtype=np.uint32),
            known=np.empty((0, n_features), dtype=np.uint32),
        )

    def update(
        self, reference: FeatureReference, state: FeatureState, day: FeatureDay
    ) -> tuple[FeatureState, Reading]:
        """Absorb one day and compare the window that ends with it; see ``Monitor.update``.

        Raises
        ------
        FeatureMismatchError
            If the day's features are not those of the reference.
        """
        check_reference(reference, state)
        check_names(reference.names, day.names)
        if is_new(state, day.date):
            state = _absorb(reference, state, day)
        return state, self._read(reference, state)

    def load_reference(self, stored: bytes) -> FeatureReference:
        """Give the reference that its ``to_bytes`` stored."""
        return FeatureReference.from_bytes(stored)

    def load_state(self, stored: bytes) -> FeatureState:
        """Give the state that its ``to_bytes`` stored."""
        return FeatureState.from_bytes(stored)

    def _read(self, reference: FeatureReference, state: FeatureState) -> Reading:
        if len(state.codes) < reference.window_days:
            return self._silence(state, Level.INSUFFICIENT_DATA)
        distance, threshold, effective = self._compare(reference, state)
        tested = int(np.isfinite(threshold).sum())
        if not tested:
            return self._silence(state, Level.INSUFFICIENT_REFERENCE)
        excess = np.where(np.isfinite(threshold), distance / threshold, -1.0)
        order = np.argsort(-excess, kind="stable")[: min(self.findings_max, tested)]
        findings = tuple(
            Finding(
                name=reference.names[at],
                statistic=float(distance[at]),
                threshold=float(threshold[at]),
                effective_n=float(effective[at]),
            )
            for at in order
        )
        return Reading(
            monitor=self.name,
            date=_last_date(state),
            level=Level.WARN if excess[order[0]] > 1.0 else Level.NONE,
            reference_id=state.reference_id,
            statistic=findings[0].statistic,
            threshold=findings[0].threshold,
            effective_n=findings[0].effective_n,
            tested=tested,
            mix=regime_mix(state.codes),
            findings=findings,
        )

    def _silence(self, state: FeatureState, level: Level) -> Reading:
        return Reading(
            monitor=self.name,
            date=_last_date(state),
            level=level,
            reference_id=state.reference_id,
            mix=regime_mix(state.codes),
        )

    def _compare(
        self, reference: FeatureReference, state: FeatureState
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Give distance, threshold (NaN where not to be tested) and effective rows, a feature each."""
        comparable = reference.days >= self.reference_days_min
        window_rows = _sum_by_regime(state.known, state.codes) * comparable
        rows = window_rows.sum(axis=0)
        share = window_rows / np.maximum(rows, 1.0)
        observed = _sum_by_regime(state.above, state.codes)
        observed_share = (observed * comparable[:, None, :]).sum(axis=0) / np.maximum(rows, 1.0)
        expected_share = np.einsum("rf,ref->ef", share, reference.above)
        distance = np.abs(observed_share - expected_share).max(axis=0)

        all_rows = state.known.sum(axis=0, dtype=np.float64)
        testable = (rows > 0) & (rows >= self.coverage_min * all_rows) & np.isfinite(reference.design_effect)
        effective = np.where(testable, rows / reference.design_effect, np.nan)
        inverse_reference = (share**2 / np.maximum(reference.rows, 1.0)).sum(axis=0)
        alpha = self.false_alarm_rate / max(int(testable.sum()), 1)
        spread = np.sqrt(1.0 / effective + inverse_reference * reference.design_effect)
        return distance, np.sqrt(-np.log(alpha / 2.0) / 2.0) * spread, effective


def _absorb(reference: FeatureReference, state: FeatureState, day: FeatureDay) -> FeatureState:
    keep = slice(-reference.window_days, None)
    return FeatureState(
        reference_id=state.reference_id,
        date=day.date,
        codes=np.append(state.codes, np.uint8(regime_code(day.regime)))[keep],
        above=np.concatenate([state.above, count_above(day.values, reference.edges)[None]])[keep],
        known=np.concatenate([state.known, count_known(day.values)[None]])[keep],
    )


def _sum_by_regime(
    daily: NDArray[np.uint32] | NDArray[np.bool_], codes: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Add up days by regime, shape (n_regimes, ...); days of unknown regime are left out."""
    total = np.zeros((len(REGIMES), *daily.shape[1:]))
    for code in np.unique(codes[codes != UNKNOWN_CODE]):
        total[code] = daily[codes == code].sum(axis=0)
    return total


def _last_date(state: FeatureState) -> dt.date:
    assert state.date is not None, "a state is read after it has absorbed a day"  # noqa: S101 - wrong code
    return state.date
