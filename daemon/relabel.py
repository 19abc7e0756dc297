"""Bars arrived: label the days that are new or may differ, and say what changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from daemon.capture import Captured, archive_due, capture_events
from daemon.labelers import labeler_of
from daemon.messages import BarsArrived, FeaturesDue, ScoringDue
from daemon.records import Event, LabelsStored, Outcome
from daemon.stored_label import StoredLabel
from regime.labels import continue_labels, days_of
from regime.types import Bars, Regime, RegimeSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.adapters.ledger import LabelerState
    from daemon.records import Record
    from daemon.settings import MarketSettings
    from daemon.tools import Tools
    from regime.labels import Labeler


def relabel(message: BarsArrived, tools: Tools) -> Outcome:
    """Relabel each market whose index or fear is among the bars; then the day may be scored.

    Rare events are captured in the first market, the one that models are trained on.
    """
    records: list[Record] = []
    events: list[Event] = []
    first_market = next(iter(tools.settings.markets))
    known = tools.ledger.labeler_state(first_market)
    through_day = None if known is None else known.through_day
    captured: Captured | None = None
    for name, market in tools.settings.markets.items():
        if {market.index, market.fear} & set(message.symbols):
            relabelled = _relabel_market(name, market, message, tools)
            if relabelled is not None:
                records.append(relabelled.record)
                events += relabelled.events
                if name == first_market:
                    through_day, captured = relabelled.record.through_day, relabelled.captured
    if captured is not None:
        records.append(captured.record)
        events += captured.events
    return Outcome(
        records=tuple(records),
        events=tuple(events),
        follow_ups=(
            *_features_due(message.data_version, tools),
            *scoring_due(message.data_version, tools),
            *archive_due(message, through_day, captured, tools),
        ),
    )


def _features_due(data_version: int, tools: Tools) -> tuple[FeaturesDue, ...]:
    return (FeaturesDue(data_version=data_version),) if tools.settings.features.enabled else ()


def scoring_due(data_version: int, tools: Tools) -> tuple[ScoringDue, ...]:
    """Give the scoring of a data version by the champion of now, if there is one and scoring is on."""
    champion = tools.registry.champion()
    if champion is None or not tools.settings.scoring.enabled:
        return ()
    return (ScoringDue(data_version=data_version, champion=champion.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relabelled:
    record: LabelsStored
    events: tuple[Event, ...]
    captured: Captured | None


def _relabel_market(
    name: str, market: MarketSettings, message: BarsArrived, tools: Tools
) -> _Relabelled | None:
    symbols = [market.index, market.fear]
    bars = tools.bars_of(message.data_version, symbols)
    index = bars.of_symbol(market.index)
    if not len(index):
        return None
    fear = bars.of_symbol(market.fear) if market.fear else Bars.empty()
    labeler = labeler_of(tools.settings.labels, has_fear=bool(market.fear))
    known = tools.ledger.labeler_state(name)
    history = partial(days_of, index, fear if len(fear) else None)
    continued_from: str | None = None
    if _continues(known, labeler, message, symbols, tools):
        assert known is not None  # noqa: S101 - _continues says so
        state, continued_from = labeler.restore(known.state), known.through_day
        days = history(after=np.datetime64(known.through_day, "D"))
    else:
        state, days = labeler.start(), history()
    if not days:
        return None
    after, series = continue_labels(labeler, state, days)
    before = _labels_since(continued_from, name, labeler, tools)
    fresh = _fresh(series, before)
    record = LabelsStored(
        market=name,
        labeler=labeler.version,
        data_version=message.data_version,
        labels=fresh,
        through_day=str(index.date[-1]),
        state=after.to_json(),
    )
    through = known.through_day if known is not None and known.labeler == labeler.version else None
    captured = None
    if tools.settings.archive.enabled and name == next(iter(tools.settings.markets)):
        captured = capture_events(record, days, continued_from=continued_from, history=history, tools=tools)
    return _Relabelled(record=record, events=_events(name, series, fresh, before, through), captured=captured)


def _labels_since(day: str | None, market: str, labeler: Labeler, tools: Tools) -> dict[str, StoredLabel]:
    """Give the stored labels of a day and later ones, or all of them, by day."""
    return {label.day: label for label in tools.ledger.labels(market, labeler.version, since=day)}


def _continues(
    known: LabelerState | None, labeler: Labeler, message: BarsArrived, symbols: Sequence[str], tools: Tools
) -> bool:
    """Tell whether only days after the last labelled one have arrived since then.

    All parts since then are asked, not only the message's: a message before it may have failed.
    """
    if known is None or known.labeler != labeler.version:
        return False
    since = tools.ledger.bars.deltas(after=known.data_version, through=message.data_version, symbols=symbols)
    return all(part.first_day > known.through_day for part in since)


def _fresh(series: RegimeSeries, before: dict[str, StoredLabel]) -> tuple[StoredLabel, ...]:
    labels = (
        StoredLabel(day=str(day), regime=regime, reason=reason, pending=pending)
        for day, regime, reason, pending in zip(
            series.date, series.regime, series.reason, series.pending, strict=True
        )
    )
    return tuple(label for label in labels if before.get(label.day) != label)


def _events(
    market: str,
    series: RegimeSeries,
    fresh: Sequence[StoredLabel],
    before: dict[str, StoredLabel],
    through: str | None,
) -> tuple[Event, ...]:
    """Say what a person may want to know: new days, switches among them, and revisions of old days."""
    last = StoredLabel(
        day=str(series.date[-1]),
        regime=series.regime[-1],
        reason=series.reason[-1],
        pending=series.pending[-1],
    )
    events = [
        Event(
            name="labels.stored",
            fields={
                "market": market,
                "days": len(fresh),
                "last_day": last.day,
                "regime": last.regime,
                "pending": last.pending,
            },
        )
    ]
    revised = [label for label in fresh if label.day in before and before[label.day].regime != label.regime]
    if revised:
        fields = {
            "market": market,
            "days": len(revised),
            "first_day": revised[0].day,
            "last_day": revised[-1].day,
            "cause": "bars_restated_or_late",
        }
        events.append(Event(name="label.revised", fields=fields))
    if through is not None:
        events += _switches(market, fresh, before, through)
    if last.regime == Regime.UNKNOWN:
        fields = {"market": market, "day": last.day, "reason": last.reason}
        events.append(Event(name="labeler.unknown", fields=fields))
    return tuple(events)


def _switches(
    market: str, fresh: Sequence[StoredLabel], before: dict[str, StoredLabel], through: str
) -> list[Event]:
    known = before.get(through)
    revised_last = next((label for label in fresh if label.day == through), known)
    new = [label for label in fresh if label.day > through]
    sequence = [label for label in (revised_last, *new) if label is not None]
    return [
        Event(
            name="regime.changed",
            fields={
                "market": market,
                "day": later.day,
                "from": earlier.regime,
                "to": later.regime,
                "reason": later.reason,
            },
        )
        for earlier, later in pairwise(sequence)
        if earlier.regime != later.regime
    ]
