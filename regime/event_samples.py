"""The samples of a rare event: every (symbol, day) of it with complete features and a matured target.

Samples are made from a cut of the history that holds just what they depend on, so that an event costs what
its own days cost, and so that the cut's digest tells whether anything an event is made of has changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import RegimeError
from regime.features import CATALOGUE, catalogue_hash, compute_features
from regime.targets import compute_targets
from regime.types import BAR_FIELDS, Bars, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.events import RareEvent
    from regime.types import FeatureTable, RegimeSeries, TargetSpec

LOOK_BACK_BARS: Final = max(feature.look_back for feature in CATALOGUE)
"""Bars before an event's first day that its features look back at."""


class EventEmptyError(RegimeError):
    """An event has not a single sample; the sentence says what was missing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventInputs:
    """All that the samples of an event depend on, and nothing else.

    Parameters
    ----------
    event
        The event.
    bars
        For each symbol with a bar within the event: its bars from ``LOOK_BACK_BARS`` before the event's
        first day to ``horizon_days`` bars after its last.
    index, fear
        Bars of the market index and of its effective fear, from as many bars before the earliest of these
        bars to the event's last day.
    labels
        The labels of the event's days, by ISO day.
    labeler
        Name and version of what labelled them.
    """

    event: RareEvent
    bars: Bars
    index: Bars
    fear: Bars
    labels: Mapping[str, Regime]
    labeler: str

    def digest(self) -> str:
        """Give the SHA-256 of everything in here, the same on every machine."""
        digest = hashlib.sha256()
        event = self.event
        facts = [event.id, str(event.first_day), str(event.last_day), self.labeler, dict(self.labels)]
        digest.update(json.dumps(facts).encode())
        for bars in (self.bars, self.index, self.fear):
            digest.update("\n".join(bars.symbol.tolist()).encode() + b"\0")
            digest.update(bars.date.astype("<i8").tobytes())
            for name in BAR_FIELDS:
                values = getattr(bars, name)
                digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows of an event that are no samples, each counted for the first reason that holds."""

    features_incomplete: int
    target_not_matured: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventSamples:
    """The samples of one event, sorted by (symbol, date).

    Parameters
    ----------
    event
        The event; its nominal regime holds for every sample.
    symbol, date
        Shape (n_rows,): what and at which day's close (datetime64[D]).
    label
        Shape (n_rows,): what the labeler said of the day, which may be ``unknown``. Known at that close.
    target
        int8, shape (n_rows,): class id. Known at ``label_end``.
    label_end, horizon_end
        datetime64[D], shape (n_rows,): the day the target was decided, and the end of its full horizon.
    values
        float32, shape (n_rows, n_features), finite. Known at the close of ``date``.
    """

    event: RareEvent
    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    label: NDArray[np.str_]
    target: NDArray[np.int8]
    label_end: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    values: NDArray[np.float32]
    feature_names: tuple[str, ...]
    catalogue_hash: str
    target_spec: TargetSpec
    labeler: str
    left_out: LeftOut

    def __len__(self) -> int:
        return len(self.date)

    def symbols(self) -> tuple[str, ...]:
        """Give the symbols that occur, sorted."""
        return tuple(str(symbol) for symbol in np.unique(self.symbol))

    def label_counts(self) -> dict[str, int]:
        """Give how many rows each regime has, every regime named."""
        return {regime.value: int((self.label == regime.value).sum()) for regime in Regime}

    def class_counts(self) -> dict[str, int]:
        """Give how many rows each class of the target has, every class named."""
        classes = enumerate(self.target_spec.classes)
        return {name: int((self.target == id_).sum()) for id_, name in classes}


def missing_days(event: RareEvent, index: Bars, target: TargetSpec) -> str | None:
    """Say which days the index lacks for the event to be complete; ``None`` if it is.

    Complete are the look-back of the features, the event's own days and the horizon of the target after
    them. Until then an event waits: that is no fault.

    >>> from regime.events import RARE_EVENTS
    >>> from regime.targets import target_named
    >>> index = Bars.of_closes("^GSPC", ["2024-01-02"], [4742.83])
    >>> missing_days(RARE_EVENTS[0], index, target_named("reference"))
    'the index has 0 bars before 2008-09-01, 258 are needed'
    """
    before = int((index.date < np.datetime64(event.first_day)).sum())
    if before < LOOK_BACK_BARS:
        return f"the index has {before} bars before {event.first_day}, {LOOK_BACK_BARS} are needed"
    after = int((index.date > np.datetime64(event.last_day)).sum())
    if after < target.horizon_days:
        return f"the index has {after} bars after {event.last_day}, {target.horizon_days} are needed"
    return None


def cut_inputs(
    event: RareEvent,
    bars: Bars,
    *,
    index: Bars,
    fear: Bars,
    labels: RegimeSeries,
    target: TargetSpec,
) -> EventInputs:
    """Cut out of a history what the samples of an event depend on; see ``EventInputs``.

    ``bars`` are those of all symbols that samples are made of, ``fear`` is effective on each day of the
    index. Bars after the horizon of the event's last day have no say.
    """
    first, last = np.datetime64(event.first_day), np.datetime64(event.last_day)
    kept = _kept(bars, first, last, target.horizon_days)
    own = bars.take(kept)
    start = min(own.date.min(), first) if len(own) else first
    return EventInputs(
        event=event,
        bars=own,
        index=_until(index, start, last),
        fear=_until(fear, start, last),
        labels={
            str(day): regime
            for day, regime in zip(labels.date, labels.regime, strict=True)
            if first <= day <= last
        },
        labeler=labels.labeler,
    )


def _kept(bars: Bars, first: np.datetime64, last: np.datetime64, horizon: int) -> NDArray[np.bool_]:
    """Tell which bars belong to the cut: symbol by symbol, since each has pauses of its own."""
    kept = np.zeros(len(bars), dtype=bool)
    if not len(bars):
        return kept
    starts = np.flatnonzero(np.append(np.True_, bars.symbol[1:] != bars.symbol[:-1]))
    for start, stop in zip(starts, np.append(starts[1:], len(bars)), strict=True):
        from_, to = start + np.searchsorted(bars.date[start:stop], [first, last + np.timedelta64(1, "D")])
        if from_ < to:
            kept[max(start, from_ - LOOK_BACK_BARS) : min(stop, to + horizon)] = True
    return kept


def _until(bars: Bars, start: np.datetime64, last: np.datetime64) -> Bars:
    """Give the bars from ``LOOK_BACK_BARS`` before ``start`` to ``last``."""
    from_, to = np.searchsorted(bars.date, [start, last + np.timedelta64(1, "D")])
    at = np.arange(len(bars))
    return bars.take((at >= from_ - LOOK_BACK_BARS) & (at < to))


def event_samples(inputs: EventInputs, target: TargetSpec) -> EventSamples:
    """Give every (symbol, day) of an event whose features are all known and whose target is matured.

    The samples are those that the whole history would give: a feature looks back a fixed number of bars,
    and a target looks ahead its horizon.

    Raises
    ------
    EventEmptyError
        If there is not one; the sentence says how many bars there were and what they lacked.

    >>> import datetime as dt
    >>> from regime.events import RareEvent
    >>> from regime.labels import effective_fear, label_days, labeler_named
    >>> from regime.simulator import SimulationSettings, simulate
    >>> from regime.targets import target_named
    >>> bars = simulate(SimulationSettings(symbols=2, days=330), np.random.default_rng(1)).bars
    >>> index, fear = bars.of_symbol("^SIM"), bars.of_symbol("^SIMVIX")
    >>> event = RareEvent(id="x", first_day=dt.date(2006, 2, 1), last_day=dt.date(2006, 2, 28),
    ...                   regime=Regime.CRASH, weight=1.0)
    >>> spec = target_named("reference")
    >>> labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    >>> stocks = bars.take(np.isin(bars.symbol, ["S001", "S002"]))
    >>> inputs = cut_inputs(
    ...     event, stocks, index=index, fear=effective_fear(index, fear), labels=labels, target=spec)
    >>> len(event_samples(inputs, spec))
    40
    """
    event = inputs.event
    if not len(inputs.bars):
        raise EventEmptyError(
            f"{event.id} has no samples: no symbol has a bar from {event.first_day} to {event.last_day};"
            " deliver bars of stocks for these days"
        )
    first, last = np.datetime64(event.first_day), np.datetime64(event.last_day)
    until_last = inputs.bars.date <= last
    seen = inputs.bars.take(until_last)
    features = compute_features(seen, index=inputs.index, fear=inputs.fear)
    targets = compute_targets(inputs.bars, target)
    at = np.flatnonzero(seen.date >= first)
    values = _as_float32(features, at)
    bar_rows = np.flatnonzero(until_last)[at]
    is_complete = np.isfinite(values).all(axis=1)
    is_matured = targets.matured[bar_rows]
    left_out = LeftOut(
        features_incomplete=int((~is_complete).sum()),
        target_not_matured=int((is_complete & ~is_matured).sum()),
    )
    kept = np.flatnonzero(is_complete & is_matured)
    if not len(kept):
        raise EventEmptyError(_emptiness(inputs, left_out, features.names, values))
    rows = bar_rows[kept]
    date = inputs.bars.date[rows]
    regimes = {day: regime.value for day, regime in inputs.labels.items()}
    days, of_day = np.unique(date, return_inverse=True)
    names = np.array([regimes.get(str(day), Regime.UNKNOWN.value) for day in days])
    return EventSamples(
        event=event,
        symbol=inputs.bars.symbol[rows],
        date=date,
        label=names[of_day],
        target=targets.label[rows],
        label_end=targets.label_end[rows],
        horizon_end=targets.horizon_end[rows],
        values=values[kept],
        feature_names=features.names,
        catalogue_hash=features.catalogue_hash,
        target_spec=target,
        labeler=inputs.labeler,
        left_out=left_out,
    )


def recipe_of(target: TargetSpec, labeler: str) -> dict[str, object]:
    """Give what, beside its inputs, the samples of an event are made by."""
    spec = {**asdict(target), "classes": list(target.classes)}
    return {"catalogue_hash": catalogue_hash(), "target": spec, "labeler": labeler}


def _as_float32(features: FeatureTable, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Narrow the values; one too large for float32 becomes infinite, and makes its row incomplete."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(features.values[rows], dtype=np.float32)


def _emptiness(
    inputs: EventInputs, left_out: LeftOut, names: tuple[str, ...], values: NDArray[np.float32]
) -> str:
    """Say why an event has no sample."""
    event = inputs.event
    days = f"from {event.first_day} to {event.last_day}"
    counts = ", ".join(
        f"{symbol} {int((inputs.bars.symbol == symbol).sum())}" for symbol in inputs.bars.symbols()[:5]
    )
    unknown = (~np.isfinite(values)).sum(axis=0)
    worst = f" (first of all {names[int(unknown.argmax())]})" if unknown.any() else ""
    return (
        f"{event.id} has no samples: of its {len(values)} bars {days}, {left_out.features_incomplete} lack"
        f" features{worst} and {left_out.target_not_matured} a matured target; bars with their look-back and"
        f" horizon by symbol: {counts}; deliver {LOOK_BACK_BARS} bars before the event and all their fields"
    )
