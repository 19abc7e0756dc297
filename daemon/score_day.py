"""The last day is predicted and the drift monitors are updated, in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.configuration import values_of
from daemon.errors import ChildFailedError
from daemon.records import ChildEnd, ChildJob, DayScored, Event, Outcome, StoredPrediction, StoredReading

if TYPE_CHECKING:
    from daemon.messages import ScoringDue
    from daemon.tools import Tools


def score_day(message: ScoringDue, tools: Tools) -> Outcome | ChildJob:
    """Score a data version, unless a newer one or another champion has made that pointless."""
    champion = tools.registry.champion()
    is_newest = message.data_version == tools.ledger.data_version()
    if not is_newest or champion is None or message.champion != champion.name:
        return Outcome()
    return ChildJob(
        module="daemon.children.score",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "data_version": message.data_version,
            "champion": message.champion,
        },
        time_limit_s=tools.settings.scoring.time_limit_s,
        memory_limit_mib=tools.settings.scoring.memory_limit_mib,
    )


def store_scores(message: ScoringDue, end: ChildEnd, _tools: Tools) -> Outcome:
    """Store what the child found; an alarm is one event."""
    if end.result is None:
        raise ChildFailedError(f"data version {message.data_version} could not be scored: {end.reason}")
    result: Any = end.result
    predictions = tuple(StoredPrediction(**prediction) for prediction in result["predictions"])
    readings = tuple(StoredReading(**reading) for reading in result["readings"])
    scored = DayScored(
        data_version=message.data_version, predictions=predictions, readings=readings, states=result["states"]
    )
    done = Event(
        name="scoring.done",
        fields={
            "day": result["day"],
            "predictions": len(predictions),
            "readings": len(readings),
            "champion": message.champion,
        },
    )
    alarms = tuple(Event(name="drift.detected", fields=_fields(alarm)) for alarm in result["alarms"])
    return Outcome(records=(scored,), events=(done, *alarms))


def _fields(alarm: dict[str, Any]) -> dict[str, object]:
    """Give an alarm as fields of an event; ``level`` is the name of the log line's own level."""
    return {"alarm" if name == "level" else name: value for name, value in alarm.items()}
