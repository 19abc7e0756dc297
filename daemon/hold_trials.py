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
from registry.types import Alias, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.layout import Layout
    from daemon.messages import PredictionDue
    from daemon.records import ChildEnd
    from daemon.settings import Settings
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


def servable_job(version: str, layout: Layout, settings: Settings) -> ChildJob:
    """Give the work of a child that tells whether a version loads and gives its golden predictions."""
    return ChildJob(
        module="daemon.children.servable",
        job={"root": str(layout.root), "settings": values_of(settings), "version": version},
        time_limit_s=settings.scoring.time_limit_s,
        memory_limit_mib=settings.scoring.memory_limit_mib,
    )


def act_on_look(message: LookJudged, tools: Tools) -> Outcome | ChildJob:
    """Let a proven shadow serve and a proven former champion return; the last look ends a trial.

    Who is to serve has to show first, in a process of its own, that it can.
    """
    done = deed_of(message.key, tools.registry)
    if done is None and _swaps(message, tools):
        return servable_job(message.version, tools.layout, tools.settings)
    return _acted(message, done, tools)


def act_on_proof(message: LookJudged, end: ChildEnd, tools: Tools) -> Outcome:
    """Swap in a version that can serve, and leave the champion where it is if it cannot."""
    if end.result is None:
        raise ChildFailedError(f"whether {message.version} can serve is not known: {end.reason}")
    return _acted(message, None, tools, fault=str(end.result["reason"]))


def _is_open(message: LookJudged, tools: Tools) -> bool:
    return message.trial in {trial.id for trial in _open_trials(tools)}


def _swaps(message: LookJudged, tools: Tools) -> bool:
    """Tell whether champions would change now."""
    if message.verdict != PROVEN or not _is_open(message, tools):
        return False
    return _hindrance(message, tools) is None


def _hindrance(message: LookJudged, tools: Tools) -> str | None:
    """Give what keeps a proven version from serving; a freeze keeps none from coming back."""
    if TrialKind(message.kind) is TrialKind.SHADOW:
        return why_not_promoted(tools.registry, tools.settings.gate)
    if tools.settings.gate.automatic:
        return None
    return "gate.automatic is off; let it return with: regimed models rollback"


def _acted(message: LookJudged, done: Deed | None, tools: Tools, *, fault: str = "") -> Outcome:
    if done is None and not _is_open(message, tools):
        return Outcome()  # it was decided by hand meanwhile
    try:
        consequence = _consequence(message, done, tools, fault)
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


def _consequence(message: LookJudged, done: Deed | None, tools: Tools, fault: str) -> _Consequence:
    kind = TrialKind(message.kind)
    if message.verdict != PROVEN:
        return _UNPROVEN[kind](message, tools)
    if done is not None and done.kind is EventKind.ALIAS_CLEARED:
        fault = done.reason
    if fault:
        return _set_aside(message, fault, tools)
    hindrance = _hindrance(message, tools) if done is None else None
    return _keep_proven(message, hindrance) if hindrance is not None else _SWAPS[kind](message, tools)


def _set_aside(message: LookJudged, fault: str, tools: Tools) -> _Consequence:
    """End the trial of a version that is better and cannot serve; a former champion stays previous."""
    is_shadow = TrialKind(message.kind) is TrialKind.SHADOW
    if is_shadow:
        _clear_shadow(message, fault, tools)
    fields = {
        "trial": message.trial,
        "kind": message.kind,
        "version": message.version,
        "champion": message.against,
        "reason": fault,
    }
    told = Event(name="trial.unservable", fields=fields)
    return _Consequence(outcome="dropped" if is_shadow else "proven", events=(told,))


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


def _clear_shadow(message: LookJudged, reason: str, tools: Tools) -> None:
    tools.registry.clear_alias(
        Alias.SHADOW,
        expected=message.version,
        reason=reason,
        actor=ACTOR,
        at=tools.clock.now(),
        key=message.key,
    )


def _drop_unless_open(message: LookJudged, tools: Tools) -> _Consequence:
    """End the trial of a shadow that the last look did not prove, or an earlier one showed to be hopeless."""
    if not message.is_last and message.verdict not in HOPELESS:
        return _Consequence(outcome=None)
    _clear_shadow(message, message.reason, tools)
    fields = {
        "version": message.version,
        "champion": message.against,
        "days": message.days,
        "reason": message.reason,
    }
    return _Consequence(outcome="dropped", events=(Event(name="trial.dropped", fields=fields),))


def _pass_unless_open(message: LookJudged, _tools: Tools) -> _Consequence:
    """End the probation of a champion whom the last look did not show to be worse."""
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


_UNPROVEN: Final[dict[TrialKind, Callable[[LookJudged, Tools], _Consequence]]] = {
    TrialKind.SHADOW: _drop_unless_open,
    TrialKind.PROBATION: _pass_unless_open,
}
_SWAPS: Final[dict[TrialKind, Callable[[LookJudged, Tools], _Consequence]]] = {
    TrialKind.SHADOW: _promote,
    TrialKind.PROBATION: _roll_back,
}
