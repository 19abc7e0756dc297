"""Rare events are found in the labelled days of the first market, and an archive of them falls due."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from daemon.labelers import labeler_of
from daemon.messages import ArchiveDue
from daemon.records import CapturedEvent, Event, EventsCaptured
from regime.event_capture import CaptureSettings, CaptureState, Episode, capture, market_days
from regime.events import DYNAMIC, RARE_EVENTS, RareEvent, same_as
from regime.features import catalogue_hash
from regime.targets import target_named
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from daemon.adapters.archive_ledger import StoredCapture, StoredDrop
    from daemon.adapters.ledger import Ledger
    from daemon.messages import BarsArrived
    from daemon.records import LabelsStored
    from daemon.settings import ArchiveSettings, Settings
    from daemon.tools import Tools
    from regime.labels import Day

CHANGES_OF_THE_ARCHIVE: Final = frozenset(
    {"archive.event_closed", "archive.event_revised", "archive.event_withdrawn"}
)
"""An event that is open is not archived yet: its last day is not known."""

CALENDAR_DAYS_A_SESSION: Final = 2
HOLIDAYS_MAX: Final = 14
"""Horizon sessions after an event lie within so many calendar days: two a session and a fortnight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What capture stores and tells, and whether the archive may have to follow."""

    record: EventsCaptured
    events: tuple[Event, ...]

    @property
    def changes_the_archive(self) -> bool:
        """Tell whether an event was closed, or a closed one is another than it was."""
        return any(event.name in CHANGES_OF_THE_ARCHIVE for event in self.events)


def capture_settings(settings: ArchiveSettings) -> CaptureSettings:
    """Give the rule of capture that the configuration asks for."""
    return CaptureSettings(
        fear_min=settings.fear_min,
        crash_share_min=settings.crash_share_min,
        window_days=settings.window_days,
        days_min=settings.days_min,
        gap_days=settings.gap_days,
    )


def capture_events(
    labels: LabelsStored,
    days: Sequence[Day],
    *,
    continued_from: str | None,
    history: Callable[[], Sequence[Day]],
    tools: Tools,
) -> Captured:
    """Look at the days that are newly labelled; at all of them if anything before may differ.

    Parameters
    ----------
    labels
        The labels that are about to be stored, those that are new or differ.
    days
        The days that were labelled, with their effective fear.
    continued_from
        The day after which labelling went on; ``None`` if it began anew and ``days`` are all of the index.
    history
        Gives all days of the index, for the capture that begins anew though labelling went on.
    """
    settings = tools.settings.archive
    rule = capture_settings(settings)
    version = f"{labels.labeler}/{rule.version}/{settings.same_share:g}"
    known = tools.ledger.archive.progress(labels.market)
    is_replay, state, new_days = True, CaptureState(), days
    if known is not None and known.version == version and known.through_day == continued_from:
        is_replay, state = False, CaptureState.from_json(known.state)
    elif continued_from is not None:
        new_days = history()
    stored_labels = tools.ledger.labels(labels.market, labels.labeler, since=str(new_days[0].date))
    regimes = {label.day: label.regime for label in (*stored_labels, *labels.labels)}
    new_regimes = [Regime(regimes[str(day.date)]) for day in new_days]
    has_fear_index = bool(tools.settings.markets[labels.market].fear)
    state, changes = capture(state, rule, market_days(new_days, new_regimes, has_fear_index=has_fear_index))
    episodes = {change.episode.id: change.episode for change in changes}
    stored = {event.id: event for event in tools.ledger.archive.captured(labels.market)}
    found = _found(episodes.values(), {} if is_replay else stored, tools.ledger.archive.dropped(), settings)
    record = EventsCaptured(
        market=labels.market,
        version=version,
        through_day=str(days[-1].date),
        state=state.to_json(),
        events=found,
        is_replay=is_replay,
    )
    return Captured(record=record, events=_events(record, stored))


def _found(
    episodes: Iterable[Episode],
    stored: Mapping[str, StoredCapture],
    dropped: Sequence[StoredDrop],
    settings: ArchiveSettings,
) -> tuple[CapturedEvent, ...]:
    """Give episodes with the known events that each repeats: catalogued, dropped, or captured earlier."""
    drops = [_event_of(drop.id, drop.first_day, drop.last_day, settings.weight) for drop in dropped]
    earlier = {
        event.id: _event_of(event.id, event.first_day, event.last_day, settings.weight)
        for event in stored.values()
        if not event.same_as
    }
    found = []
    for episode in episodes:
        event = episode.event(weight=settings.weight)
        others = [other for other in (*drops, *earlier.values()) if other.id != event.id]
        repeats = same_as(event, (*RARE_EVENTS, *others), share_min=settings.same_share)
        if not repeats:
            earlier[event.id] = event
        found.append(
            CapturedEvent(
                id=event.id,
                first_day=event.first_day.isoformat(),
                last_day=event.last_day.isoformat(),
                days=episode.days,
                fear_peak=episode.fear_peak,
                opened_on=episode.opened_on.isoformat(),
                closed_on=None if episode.closed_on is None else episode.closed_on.isoformat(),
                same_as=repeats,
            )
        )
    return tuple(found)


def _event_of(id_: str, first_day: str, last_day: str, weight: float) -> RareEvent:
    return RareEvent(
        id=id_,
        first_day=date.fromisoformat(first_day),
        last_day=date.fromisoformat(last_day),
        regime=Regime.CRASH,
        weight=weight,
        origin=DYNAMIC,
    )


def _events(record: EventsCaptured, stored: Mapping[str, StoredCapture]) -> tuple[Event, ...]:
    """Say how the captured events differ from those that were known."""
    found = {event.id for event in record.events}
    gone = {event.id: event for event in stored.values() if record.is_replay and event.id not in found}
    told: list[Event] = []
    differing: list[CapturedEvent | StoredCapture] = [*record.events, *gone.values()]
    for event in differing:
        known = stored.get(event.id)
        fields = {
            "market": record.market,
            "rare_event": event.id,
            "first_day": event.first_day,
            "last_day": event.last_day,
            "days": event.days,
            "fear_peak": event.fear_peak,
            "same_as": list(event.same_as),
        }
        if event.id in gone:
            told.append(Event(name="archive.event_withdrawn", fields=fields))
        elif known is None:
            told.append(Event(name="archive.event_opened", fields=fields))
        elif known.closed_on is not None and _window(known) != _window(event):
            told.append(Event(name="archive.event_revised", fields=fields))
        elif event.closed_on is None and known.days != event.days:
            told.append(Event(name="archive.event_extended", fields=fields))
        if event.id in found and event.closed_on and (known is None or known.closed_on is None):
            told.append(Event(name="archive.event_closed", fields=fields))
    return tuple(told)


def _window(event: CapturedEvent | StoredCapture) -> tuple[object, ...]:
    return (event.first_day, event.last_day, event.closed_on, event.same_as)


def archive_due(
    message: BarsArrived, through_day: str | None, captured: Captured | None, tools: Tools
) -> tuple[ArchiveDue, ...]:
    """Give the archive that is due after bars arrived, if they can have changed it.

    That is if a captured event was closed or changed, if samples are made by another recipe than they were,
    or if the index has come past an event whose days, look-back or horizon the bars may belong to. The child
    that builds it looks closer.
    """
    settings = tools.settings.archive
    if not settings.enabled or through_day is None:
        return ()
    events = archived_events(tools.ledger, tools.settings)
    check = tools.ledger.archive.check()
    is_due = captured is not None and captured.changes_the_archive
    is_due |= check is not None and check.recipe != archive_recipe(events, tools.settings)
    if not is_due:
        horizon = target_named(tools.settings.training.target).horizon_days
        after = timedelta(days=CALENDAR_DAYS_A_SESSION * horizon + HOLIDAYS_MAX)
        is_due = any(
            message.first_day <= (event.last_day + after).isoformat()
            and event.last_day.isoformat() < through_day
            for event in events
        )
    return (ArchiveDue(data_version=message.data_version),) if is_due else ()


def archived_events(ledger: Ledger, settings: Settings) -> tuple[RareEvent, ...]:
    """Give the events that belong into the archive: the catalogue, and what was captured, closed and kept."""
    dropped = {drop.id for drop in ledger.archive.dropped()}
    captured = (
        _event_of(event.id, event.first_day, event.last_day, settings.archive.weight)
        for event in ledger.archive.captured(next(iter(settings.markets)))
        if event.closed_on is not None and not event.same_as and event.id not in dropped
    )
    return (*RARE_EVENTS, *captured)


def archive_recipe(events: Sequence[RareEvent], settings: Settings) -> str:
    """Give a hash of which events are archived, and of how their samples are made."""
    market = next(iter(settings.markets.values()))
    facts = {
        "events": [asdict(event) for event in events],
        "target": asdict(target_named(settings.training.target)),
        "labeler": labeler_of(settings.labels, has_fear=bool(market.fear)).version,
        "features": catalogue_hash(),
    }
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
