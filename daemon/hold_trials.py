"""Shadow and probation: versions predict beside the champion, and fresh days decide at fixed looks.

All that a handler decides follows from its message, the registry and the journal. A deed in the registry
bears the key of the message, so that a message that is handled again finds it done and says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daemon.configuration import values_of
from daemon.errors import ChildFailedError
from daemon.messages import LookDue, LookJudged
from daemon.records import (
    ChildJob,
    DayScored,
    Event,
    Outcome,
    StoredPrediction,
    TrialCounted,
    TrialLooked,
)
from daemon.relabel import scoring_due
from daemon.trials import (
    Trial,
    TrialKind,
    comparable,
    deed_of,
    looks_of,
    rivals,
    trials_of,
    why_not_promoted,
)
from registry.errors import AliasConflictError, AliasRefusedError
from registry.types import Alias

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.messages import PredictionDue
    from daemon.records import ChildEnd
    from daemon.tools import Tools
    from registry.types import Event as Deed

ACTOR: Final = "gate"
PROVEN: Final = "PROMOTE"
HOPELESS: Final = frozenset({"REJECT", "ERROR"})
"""Verdicts on a shadow that end its trial before the last look."""


def predict_beside(message: PredictionDue, tools: Tools) -> Outcome | ChildJob:
    """Predict beside the champion, unless a newer data version came or the version has lost its role."""
    is_newest = message.data_version == tools.ledger.data_version()
    beside = rivals(tools.registry.events(), tools.ledger.trials.ended())
    if not is_newest or message.version not in beside or not _sees_the_same(message.version, tools):
        return Outcome()
    return ChildJob(
        module="daemon.children.predict",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "data_version": message.data_version,
            "version": message.version,
            "trials": [trial.facts() for trial in _open_trials(tools) if trial.version == message.version],
        },
        time_limit_s=tools.settings.scoring.time_limit_s,
        memory_limit_mib=tools.settings.scoring.memory_limit_mib,
    )


def store_predictions(message: PredictionDue, end: ChildEnd, tools: Tools) -> Outcome:
    """Store what a version predicted, and look at its trials that have matured enough."""
    if end.result is None:
        raise ChildFailedError(
            f"{message.version} could not predict data version {message.data_version}: {end.reason}"
        )
    result: Any = end.result
    predictions = tuple(StoredPrediction(**prediction) for prediction in result["predictions"])
    scored = DayScored(data_version=message.data_version, predictions=predictions, readings=(), states={})
    counted = [(Trial.of_facts(each["trial"]), int(each["days"])) for each in result["counted"]]
    fields = {"day": result["day"], "version": message.version, "predictions": len(predictions)}
    return Outcome(
        records=(scored, *(trial_counted(trial, days, tools) for trial, days in counted)),
        events=(Event(name="trial.predicted", fields=fields),),
        follow_ups=tuple(
            due for trial, days in counted for due in _looks_due(trial, days, message.data_version, tools)
        ),
    )


def trial_counted(trial: Trial, days: int, tools: Tools) -> TrialCounted:
    """Give the record of how many fresh days of a trial have matured."""
    return TrialCounted(
        trial=trial.id,
        kind=trial.kind.value,
        version=trial.version,
        against=trial.against,
        opened_at=trial.opened_at,
        days=days,
        looks=looks_of(trial.kind, tools.settings.gate),
    )


def _sees_the_same(version: str, tools: Tools) -> bool:
    """Tell whether a version takes the features that there are, as the champion does."""
    champion = tools.registry.champion()
    own = tools.registry.version(version).manifest.feature_hash
    return champion is not None and champion.manifest.feature_hash == own


def _open_trials(tools: Tools) -> tuple[Trial, ...]:
    """Give the trials that are not over and can be judged at all."""
    ended = tools.ledger.trials.ended()
    return tuple(
        trial
        for trial in trials_of(tools.registry.events())
        if trial.id not in ended and comparable(trial, tools.registry)
    )


def _looks_due(trial: Trial, days: int, data_version: int, tools: Tools) -> tuple[LookDue, ...]:
    looks = looks_of(trial.kind, tools.settings.gate)
    known = tools.ledger.trials.of_id(trial.id)
    looked = set() if known is None else {look.days for look in known.looked}
    return tuple(
        LookDue(
            trial=trial.id,
            days=at,
            looks=len(looks),
            is_last=at == looks[-1],
            data_version=data_version,
            at=tools.clock.now().isoformat(),
        )
        for at in looks
        if at <= days and at not in looked
    )


def look(message: LookDue, tools: Tools) -> Outcome | ChildJob:
    """Judge a trial on its fresh days in a child, unless it is over."""
    trial = next((each for each in _open_trials(tools) if each.id == message.trial), None)
    if trial is None:
        return Outcome()
    return ChildJob(
        module="daemon.children.look",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "trial": trial.facts(),
            "days": message.days,
            "looks": message.looks,
            "data_version": message.data_version,
            "now": message.at,
            "key": message.key,
        },
        time_limit_s=tools.settings.scoring.time_limit_s,
        memory_limit_mib=tools.settings.scoring.memory_limit_mib,
    )


def note_look(message: LookDue, end: ChildEnd, _tools: Tools) -> Outcome:
    """Pass the verdict on; a look that failed is tried again."""
    if end.result is None:
        raise ChildFailedError(f"the look at {message.trial} failed: {end.reason}")
    result: Any = end.result
    trial = Trial.of_facts(result["trial"])
    judged = LookJudged(
        trial=trial.id,
        kind=trial.kind.value,
        version=trial.version,
        against=trial.against,
        days=message.days,
        is_last=message.is_last,
        verdict=result["verdict"],
        reason=result["reason"],
        evidence=result["evidence"],
    )
    return Outcome(follow_ups=(judged,))


class _Consequence(NamedTuple):
    """How a look ends its trial (``None``: it does not), what was told, and whether champions changed."""

    outcome: str | None
    events: tuple[Event, ...] = ()
    moved: bool = False


def act_on_look(message: LookJudged, tools: Tools) -> Outcome:
    """Let a proven shadow serve and a proven former champion return; the last look ends a trial."""
    done = deed_of(message.key, tools.registry)
    if done is None and message.trial not in {trial.id for trial in _open_trials(tools)}:
        return Outcome()  # it was decided by hand meanwhile
    try:
        consequence = _ACTIONS[TrialKind(message.kind)](message, done, tools)
    except (AliasConflictError, AliasRefusedError):
        return Outcome()  # between the two lines above
    looked = Event(
        name="trial.looked",
        fields={
            "trial": message.trial,
            "kind": message.kind,
            "version": message.version,
            "champion": message.against,
            "days": message.days,
            "verdict": message.verdict,
            "reason": message.reason,
            "outcome": consequence.outcome,
        },
    )
    record = TrialLooked(
        trial=message.trial,
        days=message.days,
        verdict=message.verdict,
        reason=message.reason,
        outcome=consequence.outcome,
    )
    due = scoring_due(tools.ledger.data_version(), tools) if consequence.moved else ()
    return Outcome(records=(record,), events=(looked, *consequence.events), follow_ups=due)


def _act_on_shadow(message: LookJudged, done: Deed | None, tools: Tools) -> _Consequence:
    if message.verdict == PROVEN:
        hindrance = why_not_promoted(tools.registry, tools.settings.gate) if done is None else None
        return _promote(message, tools) if hindrance is None else _keep_proven(message, hindrance)
    if message.is_last or message.verdict in HOPELESS:
        return _drop(message, tools)
    return _Consequence(outcome=None)


def _promote(message: LookJudged, tools: Tools) -> _Consequence:
    tools.registry.promote(
        message.version,
        expected_champion=message.against,
        reason=message.reason,
        actor=ACTOR,
        at=tools.clock.now(),
        key=message.key,
    )
    fields = {
        "version": message.version,
        "previous": message.against,
        "verdict": message.verdict,
        "reason": message.reason,
    }
    event = Event(name="gate.promoted", fields=fields)
    return _Consequence(outcome="promoted", events=(event,), moved=True)


def _keep_proven(message: LookJudged, hindrance: str) -> _Consequence:
    """Leave it where it is, for a person to decide."""
    fields = {
        "version": message.version,
        "champion": message.against,
        "verdict": message.verdict,
        "reason": f"{message.reason}; but {hindrance}",
    }
    return _Consequence(outcome="proven", events=(Event(name="gate.refused", fields=fields),))


def _drop(message: LookJudged, tools: Tools) -> _Consequence:
    tools.registry.clear_alias(
        Alias.SHADOW,
        expected=message.version,
        reason=message.reason,
        actor=ACTOR,
        at=tools.clock.now(),
        key=message.key,
    )
    fields = {
        "version": message.version,
        "champion": message.against,
        "days": message.days,
        "reason": message.reason,
    }
    return _Consequence(outcome="dropped", events=(Event(name="trial.dropped", fields=fields),))


def _act_on_probation(message: LookJudged, done: Deed | None, tools: Tools) -> _Consequence:
    if message.verdict == PROVEN:
        if done is not None or tools.settings.gate.automatic:
            return _roll_back(message, tools)
        return _keep_proven(message, "gate.automatic is off; let it return with: regimed models rollback")
    if not message.is_last:
        return _Consequence(outcome=None)
    fields = {"version": message.against, "previous": message.version, "days": message.days}
    return _Consequence(outcome="passed", events=(Event(name="trial.passed", fields=fields),))


def _roll_back(message: LookJudged, tools: Tools) -> _Consequence:
    deed = tools.registry.rollback(
        expected_champion=message.against,
        reason=message.reason,
        actor=ACTOR,
        at=tools.clock.now(),
        key=message.key,
        freezes=tools.settings.gate.freeze_after_rollback,
    )
    events = rollback_told(deed, message.against, message.evidence)
    return _Consequence(outcome="rolled_back", events=events, moved=True)


def rollback_told(deed: Deed, former: str, evidence: str | None) -> tuple[Event, ...]:
    """Give what is told of a rollback: that ``former`` no longer serves, and that nothing is promoted."""
    fields = {"version": deed.version, "from": former, "reason": deed.reason, "evidence": evidence}
    told = Event(name="gate.rolled_back", fields=fields)
    if not deed.body.get("freezes"):
        return (told,)
    reason = f"{former} was rolled back: {deed.reason}"
    return told, Event(name="gate.frozen", fields={"actor": deed.actor, "reason": reason})


_ACTIONS: Final[dict[TrialKind, Callable[[LookJudged, Any, Tools], _Consequence]]] = {
    TrialKind.SHADOW: _act_on_shadow,
    TrialKind.PROBATION: _act_on_probation,
}
