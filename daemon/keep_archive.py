"""The archive of rare events is due, was built, or loses an event that a person dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.archive import ArchiveFolder
from daemon.capture import archive_recipe, archived_events
from daemon.configuration import values_of
from daemon.errors import ChildFailedError
from daemon.records import ArchiveChecked, ArchiveOutcome, ChildEnd, ChildJob, Event, EventDropped, Outcome

if TYPE_CHECKING:
    from daemon.messages import ArchiveDue, EventDropDue
    from daemon.tools import Tools

PROGRESS: Final = "archive"
"""The folder beside those of runs that holds how far the building is."""
STORED: Final = {
    "built": "built",
    "unchanged": "built",
    "waiting": "waiting",
    "empty": "empty",
    "refused": "refused",
}


def build_archive(message: ArchiveDue, tools: Tools) -> Outcome | ChildJob:
    """Bring the archive up to the newest data version, unless that was done already.

    Messages that wait behind this one are done with it: their data versions are not newer.
    """
    first_market = next(iter(tools.settings.markets))
    if tools.ledger.labeler_state(first_market) is None or not tools.settings.archive.enabled:
        return Outcome()
    events = archived_events(tools.ledger, tools.settings)
    recipe = archive_recipe(events, tools.settings)
    check = tools.ledger.archive.check()
    if check is not None and check.data_version >= message.data_version and check.recipe == recipe:
        return Outcome()
    tools.layout.run(PROGRESS).mkdir(parents=True, exist_ok=True)
    return ChildJob(
        module="daemon.children.archive",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "data_version": tools.ledger.data_version(),
        },
        time_limit_s=tools.settings.archive.time_limit_s,
        memory_limit_mib=tools.settings.archive.memory_limit_mib,
    )


def store_archive(message: ArchiveDue, end: ChildEnd, tools: Tools) -> Outcome:
    """Store what became of each event; what is wrong is told once, and again when it is wrong anew."""
    if end.result is None:
        raise ChildFailedError(f"the archive of data version {message.data_version} failed: {end.reason}")
    result: Any = end.result
    before = {(known.name, known.outcome, known.detail) for known in tools.ledger.archive.outcomes()}
    dropped = {drop.id for drop in tools.ledger.archive.dropped()}
    outcomes: list[ArchiveOutcome] = []
    events: list[Event] = []
    for one in result["outcomes"]:
        name, outcome, detail = str(one["name"]), str(one["outcome"]), str(one["detail"])
        if name in dropped:
            ArchiveFolder(tools.layout.archive).remove(name)  # dropped while it was being built
            continue
        if outcome in STORED:
            outcomes.append(
                ArchiveOutcome(name=name, outcome=STORED[outcome], detail=detail, inputs=str(one["inputs"]))
            )
        if outcome == "built":
            fields = {
                "rare_event": name,
                "origin": one["origin"],
                "rows": one["rows"],
                "symbols": one["symbols"],
                "data_version": result["data_version"],
            }
            events.append(Event(name="archive.built", fields=fields))
        elif outcome == "empty" and (name, outcome, detail) not in before:
            events.append(Event(name="archive.empty", fields={"rare_event": name, "reason": detail}))
        elif outcome == "refused" and (name, outcome, detail) not in before:
            events.append(Event(name="archive.refused", fields={"file": name, "reason": detail}))
    checked = ArchiveChecked(
        data_version=int(result["data_version"]), recipe=str(result["recipe"]), outcomes=tuple(outcomes)
    )
    return Outcome(records=(checked,), events=tuple(events))


def drop_event(message: EventDropDue, tools: Tools) -> Outcome:
    """Forget the samples of a captured event, and remember that it is none.

    An event that was withdrawn meanwhile is nothing to drop.
    """
    captured = tools.ledger.archive.captured(next(iter(tools.settings.markets)))
    event = next((event for event in captured if event.id == message.event), None)
    if event is None:
        return Outcome()
    ArchiveFolder(tools.layout.archive).remove(event.id)
    fields = {
        "rare_event": event.id,
        "first_day": event.first_day,
        "last_day": event.last_day,
        "reason": message.reason,
    }
    record = EventDropped(
        id=event.id, first_day=event.first_day, last_day=event.last_day, reason=message.reason
    )
    return Outcome(records=(record,), events=(Event(name="archive.event_dropped", fields=fields),))
