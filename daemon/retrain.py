"""A retrain is due, ran, was judged, and perhaps promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.configuration import values_of
from daemon.errors import ChildFailedError
from daemon.messages import CandidateJudged, CandidateRegistered, RetrainDue, TrainingDue
from daemon.records import ChildEnd, ChildJob, Event, Outcome, RunClosed, RunOpened
from daemon.relabel import scoring_due
from daemon.trials import deed_of, why_not_promoted
from registry.errors import AliasConflictError, AliasRefusedError
from registry.history import aliases_after, moves_of
from registry.rows import number_of
from registry.types import Alias, EventKind

if TYPE_CHECKING:
    from daemon.adapters.ledger import StoredRun
    from daemon.tools import Tools
    from registry.types import Event as Deed

JOB: Final = "retrain"
ACTOR: Final = "gate"
PROMOTING_VERDICTS: Final = frozenset({"PROMOTE", "BOOTSTRAP"})
ALIAS_OF_DOUBT: Final = {"SHADOW": Alias.SHADOW, "HOLD_INSUFFICIENT": Alias.SHADOW}
"""Verdicts after which fresh days decide."""
JUDGE_TIME_LIMIT_S: Final = 600.0


def open_run(message: RetrainDue, tools: Tools) -> Outcome:
    """Open a run on the data of now; without any bars it fails at once, and says so."""
    run_id = f"r{len(tools.ledger.runs()) + 1}"
    data_version = tools.ledger.data_version()
    opened = RunOpened(
        run_id=run_id,
        job=JOB,
        trigger=message.trigger,
        period=message.period,
        data_version=data_version,
    )
    fields = {
        "run": run_id,
        "trigger": message.trigger,
        "period": message.period,
        "data_version": data_version,
    }
    started = Event(name="retrain.started", fields=fields)
    if data_version == 0:
        failed = _failed(run_id, "there are no bars yet; drop price files into inbox/")
        return Outcome(records=(opened, *failed.records), events=(started, *failed.events))
    return Outcome(
        records=(opened,),
        events=(started,),
        follow_ups=(TrainingDue(run_id=run_id, data_version=data_version),),
    )


def train(message: TrainingDue, tools: Tools) -> ChildJob:
    """Train in a child process, on a snapshot."""
    settings = tools.settings.training
    tools.layout.run(message.run_id).mkdir(parents=True, exist_ok=True)
    return ChildJob(
        module="daemon.children.train",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "run": message.run_id,
            "data_version": message.data_version,
            "opened_at": _run(message.run_id, tools).opened_at,
        },
        time_limit_s=settings.time_limit_s,
        memory_limit_mib=settings.memory_limit_mib,
    )


def close_run(message: TrainingDue, end: ChildEnd, _tools: Tools) -> Outcome:
    """Close a run: with a version that is to be judged, or as failed with its reason."""
    if end.result is None:
        return _failed(message.run_id, str(end.reason))
    version = str(end.result["version"])
    fields = {
        "run": message.run_id,
        "version": version,
        "members": end.result["members"],
        "failed": end.result["failed"],
    }
    return Outcome(
        records=(RunClosed(run_id=message.run_id, outcome="succeeded", reason="", version=version),),
        events=(Event(name="retrain.succeeded", fields=fields),),
        follow_ups=(CandidateRegistered(run_id=message.run_id, version=version),),
    )


def abandon_run(message: TrainingDue, error: str) -> Outcome:
    """Close a run whose child could not even be started."""
    return _failed(message.run_id, error)


def _failed(run_id: str, reason: str) -> Outcome:
    return Outcome(
        records=(RunClosed(run_id=run_id, outcome="failed", reason=reason, version=None),),
        events=(Event(name="retrain.failed", fields={"run": run_id, "reason": reason}),),
    )


def _run(run_id: str, tools: Tools) -> StoredRun:
    return next(run for run in tools.ledger.runs() if run.id == run_id)


def judge(message: CandidateRegistered, tools: Tools) -> ChildJob:
    """Judge a candidate in a fresh process, which also proves that its artifacts load there.

    It is judged as of the end of its run, so that judging it again after a crash is no second report.
    """
    return ChildJob(
        module="daemon.children.judge",
        job={
            "root": str(tools.layout.root),
            "settings": values_of(tools.settings),
            "version": message.version,
            "now": _run(message.run_id, tools).finished_at,
        },
        time_limit_s=JUDGE_TIME_LIMIT_S,
        memory_limit_mib=tools.settings.training.memory_limit_mib,
    )


def note_verdict(message: CandidateRegistered, end: ChildEnd, _tools: Tools) -> Outcome:
    """Pass the verdict on; a judge that failed is tried again."""
    if end.result is None:
        raise ChildFailedError(f"{message.version} could not be judged: {end.reason}")
    champion = end.result["champion"]
    judged = CandidateJudged(
        version=message.version,
        champion=None if champion is None else str(champion),
        verdict=str(end.result["verdict"]),
        reason=str(end.result["reason"]),
    )
    return Outcome(follow_ups=(judged,))


def act_on_verdict(message: CandidateJudged, tools: Tools) -> Outcome:
    """Promote what the gate lets through, let fresh days judge what it doubts, and leave the rest.

    What was done under the message's key before a crash is told again, whatever has changed since.
    """
    done = deed_of(message.key, tools.registry)
    if done is not None and done.kind is EventKind.ALIAS_SET:
        return _held(message, done, tools)
    if message.verdict not in PROMOTING_VERDICTS:
        alias = ALIAS_OF_DOUBT.get(message.verdict)
        tried = _on_trial(message, tools) if alias is Alias.SHADOW else None
        if tried is not None:
            return _refused(message, f"{message.reason} It waits, since {tried} is on trial already.")
        return _hold(message, alias, message.reason, tools)
    hindrance = why_not_promoted(tools.registry, tools.settings.gate) if done is None else None
    if hindrance is not None:
        return _hold(message, Alias.CHALLENGER, f"{message.reason}; but {hindrance}", tools)
    return _promote(message, tools)


def _on_trial(message: CandidateJudged, tools: Tools) -> str | None:
    """Give the shadow whose trial a new candidate must not cut short, if there is one.

    Where models are retrained more often than a shadow is looked at, no trial would ever end. One that is
    older than the champion, or whose predictions are of something else, is tried for nothing and gives way.
    """
    shadow = tools.registry.aliases().get(Alias.SHADOW)
    if shadow is None or message.champion is None or number_of(shadow) < number_of(message.champion):
        return None
    targets = [tools.registry.version(name).manifest.target for name in (shadow, message.champion)]
    return shadow if targets[0] == targets[1] else None


def _promote(message: CandidateJudged, tools: Tools) -> Outcome:
    try:
        tools.registry.promote(
            message.version,
            expected_champion=message.champion,
            reason=message.reason,
            actor=ACTOR,
            at=tools.clock.now(),
            key=message.key,
        )
    except AliasConflictError as error:
        return _refused(message, f"{message.reason}; but meanwhile {error}")
    fields = {"version": message.version, "verdict": message.verdict, "reason": message.reason}
    return Outcome(
        events=(Event(name="gate.promoted", fields={**fields, "previous": message.champion}),),
        follow_ups=scoring_due(tools.ledger.data_version(), tools),
    )


def _hold(message: CandidateJudged, alias: Alias | None, reason: str, tools: Tools) -> Outcome:
    """Promote nothing; with an ``alias`` the version predicts beside the champion from now on."""
    if alias is None or message.champion is None:
        return _refused(message, reason)
    try:
        deed = tools.registry.set_alias(
            alias,
            message.version,
            expected=tools.registry.aliases().get(alias),
            reason=reason,
            actor=ACTOR,
            at=tools.clock.now(),
            key=message.key,
        )
    except (AliasConflictError, AliasRefusedError) as error:
        return _refused(message, f"{reason}; but meanwhile {error}")
    return _held(message, deed, tools)


def _held(message: CandidateJudged, deed: Deed, tools: Tools) -> Outcome:
    return Outcome(
        events=(*_refused(message, deed.reason).events, _opened(deed, tools)),
        follow_ups=scoring_due(tools.ledger.data_version(), tools),
    )


def _opened(deed: Deed, tools: Tools) -> Event:
    """Tell that a version predicts beside the champion from now on, and whom it replaces there."""
    (alias,) = moves_of(deed)
    before = aliases_after(event for event in tools.registry.events() if event.sequence < deed.sequence)
    fields = {
        "version": deed.version,
        "alias": alias.value,
        "champion": before.get(Alias.CHAMPION),
        "replaced": before.get(alias),
        "reason": deed.reason,
    }
    return Event(name="trial.opened", fields=fields)


def _refused(message: CandidateJudged, reason: str) -> Outcome:
    fields = {
        "version": message.version,
        "champion": message.champion,
        "verdict": message.verdict,
        "reason": reason,
    }
    return Outcome(events=(Event(name="gate.refused", fields=fields),))
