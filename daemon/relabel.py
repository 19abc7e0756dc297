"""Bars arrived: label the days that are new or may differ, and say what changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.capture import Captured, archive_due, capture_events
from daemon.final_labels import decide_finals
from daemon.labelers import labeler_of
from daemon.messages import BarsArrived, FeaturesDue, PredictionDue, ScoringDue
from daemon.records import Event, LabelsStored, Outcome
from daemon.short_history import lacking, short_history
from daemon.stored_label import (
    BAR_RESTATED,
    LABELER_CHANGED,
    PROVISIONAL,
    SPELL_CLOSED,
    LabelRevision,
    StoredLabel,
)
from daemon.trials import rivals
from regime.errors import BarsInvalidError, SettingInvalidError
from regime.labels import continue_labels, days_of
from regime.labels.own import check_causal
from regime.own import is_path
from regime.types import Bars, Regime, RegimeSeries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daemon.adapters.ledger import LabelerState
    from daemon.records import Record
    from daemon.settings import MarketSettings
    from daemon.tools import Tools
    from regime.errors import RegimeError
    from regime.labels import Day, Labeler

LABELER_INVALID: Final = "labeler_invalid"


def relabel(message: BarsArrived, tools: Tools) -> Outcome:
    """Relabel each market whose index or fear is among the bars; then the day may be scored.

    Rare events are captured in the first market, the one that models are trained on. Nothing follows where
    that one cannot be labelled; the others are labelled all the same.
    """
    records: list[Record] = []
    events: list[Event] = []
    first_market = next(iter(tools.settings.markets))
    known = tools.ledger.labeler_state(first_market)
    through_day = None if known is None else known.through_day
    captured: Captured | None = None
    for name, market in tools.settings.markets.items():
        if {market.index, market.fear} & set(message.symbols):
            try:
                relabelled = _relabel_market(name, market, message, tools)
            except BarsInvalidError as error:
                events.append(_refused(name, error.code, error))
                continue
            except SettingInvalidError as error:
                events.append(_refused(name, LABELER_INVALID, error))
                continue
            if relabelled is not None:
                records.append(relabelled.record)
                events += relabelled.events
                if name == first_market:
                    through_day, captured = relabelled.record.through_day, relabelled.captured
    if any(event.name == "labeler.refused" and event.fields["market"] == first_market for event in events):
        return Outcome(records=tuple(records), events=tuple(events))
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


def scoring_due(data_version: int, tools: Tools) -> tuple[ScoringDue | PredictionDue, ...]:
    """Give the scoring of a data version by the champion of now, if there is one and scoring is on.

    Behind it, those who predict beside the champion do so, each in a child of its own: none can hold up the
    champion, or take it along when it fails.
    """
    champion = tools.registry.champion()
    if champion is None or not tools.settings.scoring.enabled:
        return ()
    beside = rivals(tools.registry.events(), tools.ledger.trials.ended())
    return (
        ScoringDue(data_version=data_version, champion=champion.name),
        *(PredictionDue(data_version=data_version, version=version) for version in beside),
    )


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
        if is_path(tools.settings.labels.labeler):
            check_causal(labeler, days)
    if not days:
        return None
    after, series = continue_labels(labeler, state, days)
    labels = _stored(series)
    before = _labels_since(continued_from, name, labeler, tools)
    decided = decide_finals(
        name,
        labeler.version,
        labels,
        index,
        known=known,
        continued=continued_from is not None,
        ledger=tools.ledger,
    )
    record = LabelsStored(
        market=name,
        labeler=labeler.version,
        data_version=message.data_version,
        labels=tuple(label for label in labels if before.get(label.day) != label),
        through_day=str(index.date[-1]),
        state=after.to_json(),
        finals=decided.finals,
        withdrawn=decided.withdrawn,
        revisions=(*_revisions(labels, before, name, labeler, known, tools), *decided.revisions),
    )
    captured = None
    if tools.settings.archive.enabled and name == next(iter(tools.settings.markets)):
        captured = capture_events(record, days, continued_from=continued_from, history=history, tools=tools)
    events = (
        *_events(record, labels, before, known),
        *_short_history(name, labeler, index, known, days[-1], tools),
    )
    return _Relabelled(record=record, events=events, captured=captured)


def _refused(market: str, code: str, error: RegimeError) -> Event:
    fields = {"market": market, "code": code, "reason": str(error)}
    return Event(name="labeler.refused", fields=fields)


def _short_history(
    market: str, labeler: Labeler, index: Bars, known: LabelerState | None, last: Day, tools: Tools
) -> tuple[Event, ...]:
    now = lacking(labeler, sessions=len(index), has_fear=last.fear is not None)
    before: dict[str, int] = {}
    if now and known is not None:
        stored = tools.ledger.labels(market, known.labeler, since=known.through_day)
        sessions = int(np.searchsorted(index.date, np.datetime64(known.through_day, "D"), side="right"))
        had_fear = bool(stored) and stored[0].regime != Regime.UNKNOWN
        before = lacking(labeler, sessions=sessions, has_fear=had_fear)
    return short_history(market, now, before, day=str(last.date), sessions=len(index))


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


def _stored(series: RegimeSeries) -> tuple[StoredLabel, ...]:
    columns = zip(series.date, series.regime, series.reason, series.pending, strict=True)
    return tuple(
        StoredLabel(day=str(day), regime=regime, reason=reason, pending=pending)
        for day, regime, reason, pending in columns
    )


def _revisions(
    labels: Sequence[StoredLabel],
    before: Mapping[str, StoredLabel],
    market: str,
    labeler: Labeler,
    known: LabelerState | None,
    tools: Tools,
) -> tuple[LabelRevision, ...]:
    """Give the days whose regime differs from what was told: by this labeler, or by the former one."""
    told, cause = before, BAR_RESTATED
    if known is not None and known.labeler != labeler.version:
        told = {label.day: label for label in tools.ledger.labels(market, known.labeler)}
        cause = LABELER_CHANGED
    return tuple(
        LabelRevision(
            day=label.day, kind=PROVISIONAL, was=told[label.day].regime, became=label.regime, cause=cause
        )
        for label in labels
        if label.day in told and told[label.day].regime != label.regime
    )


def _events(
    record: LabelsStored,
    labels: Sequence[StoredLabel],
    before: Mapping[str, StoredLabel],
    known: LabelerState | None,
) -> tuple[Event, ...]:
    """Say what a person may want to know: new days, switches among them, and revisions of old days."""
    last = labels[-1]
    events = [
        Event(
            name="labels.stored",
            fields={
                "market": record.market,
                "days": len(record.labels),
                "last_day": last.day,
                "regime": last.regime,
                "pending": last.pending,
            },
        )
    ]
    if known is not None:
        changed = known.labeler != record.labeler
        events += _revised(record, changed=changed)
        told = None if changed else before.get(known.through_day)
        events += _switches(record.market, labels, told, known.through_day)
    if last.regime == Regime.UNKNOWN:
        fields = {"market": record.market, "day": last.day, "reason": last.reason}
        events.append(Event(name="labeler.unknown", fields=fields))
    return tuple(events)


def _revised(record: LabelsStored, *, changed: bool) -> Iterator[Event]:
    """Say once for each cause how many days are revised; another labeler is told even if none is.

    Provisional labels are counted where there are any, else final ones.
    """
    for cause in (LABELER_CHANGED, BAR_RESTATED, SPELL_CLOSED):
        revisions = [revision for revision in record.revisions if revision.cause == cause]
        provisional = [revision.day for revision in revisions if revision.kind == PROVISIONAL]
        days = provisional or [revision.day for revision in revisions if cause != LABELER_CHANGED]
        if days or (changed and cause == LABELER_CHANGED):
            fields = {
                "market": record.market,
                "days": len(days),
                "first_day": days[0] if days else None,
                "last_day": days[-1] if days else None,
                "cause": cause,
            }
            yield Event(name="label.revised", fields=fields)


def _switches(
    market: str, labels: Sequence[StoredLabel], told: StoredLabel | None, through: str
) -> Iterator[Event]:
    """Say how the regime changed from what was ``told`` of the last known day on, that day included.

    Late fear, or a restated bar, may put the last known day itself into a crash.
    """
    since = [label for label in labels if label.day >= through]
    for earlier, later in pairwise(since if told is None else [told, *since]):
        if earlier.regime != later.regime:
            fields = {
                "market": market,
                "day": later.day,
                "from": earlier.regime,
                "to": later.regime,
                "reason": later.reason,
            }
            yield Event(name="regime.changed", fields=fields)
