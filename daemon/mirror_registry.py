"""The registry is mirrored to MLflow: what happened goes out in order, by a child that nobody waits for.

The chain of the registry's events is the outbox. At most one message is under way, which names the events
that it covers; it always ends well for the loop, and a failure is only noted, with the time at which it is
worth trying again. What is sent is compared with what is there, so that sending again changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from daemon.messages import MirrorDue
from daemon.mirror_state import MIRROR, MirrorState
from daemon.records import ChildEnd, ChildJob, Event, MirrorTried, Outcome
from registry.types import EventKind

if TYPE_CHECKING:
    from daemon.layout import Layout
    from daemon.settings import MirrorSettings
    from daemon.tools import Tools

UNMIRRORED: Final = frozenset({EventKind.DELETED, EventKind.FROZEN, EventKind.UNFROZEN})
"""What changes nothing that a mirror shows; ``registry.glance.events_after`` counts the others."""


def mirror_due(tools: Tools) -> tuple[MirrorDue, ...]:
    """Give the message for what the mirror lacks, none while it is off, up to date, or waits to try again."""
    settings = tools.settings.mirror
    if not settings.mlflow_uri:
        return ()
    return _due(MirrorState.of_json(tools.ledger.fact(MIRROR), settings.mlflow_uri), tools)


def _due(state: MirrorState, tools: Tools) -> tuple[MirrorDue, ...]:
    settings = tools.settings.mirror
    if state.attempts and tools.clock.now() < _retry_at(state, settings):
        return ()
    entries = [event for event in tools.registry.events(after=state.through) if event.kind not in UNMIRRORED]
    taken = entries[: settings.batch_max]
    if not taken:
        return ()
    return (
        MirrorDue(
            uri=state.uri,
            through=taken[-1].sequence,
            attempt=state.attempts + 1,
            versions=tuple(dict.fromkeys(event.version for event in taken)),
        ),
    )


def _retry_at(state: MirrorState, settings: MirrorSettings) -> datetime:
    assert state.tried_at is not None  # noqa: S101 - an attempt was made
    wait_s = min(settings.retry_wait_s * 2 ** (state.attempts - 1), settings.retry_wait_max_s)
    return datetime.fromisoformat(state.tried_at) + timedelta(seconds=wait_s)


def mirror(message: MirrorDue, tools: Tools) -> Outcome | ChildJob:
    """Send in a child process; nothing if the mirror was switched off or turned elsewhere meanwhile."""
    settings = tools.settings.mirror
    if settings.mlflow_uri != message.uri:
        return Outcome()
    return job_of(tools.layout, settings, message.uri, message.versions)


def job_of(
    layout: Layout,
    settings: MirrorSettings,
    uri: str,
    versions: tuple[str, ...],
    *,
    is_dry: bool = False,
) -> ChildJob:
    """Give the work of the child that sends versions and aliases."""
    return ChildJob(
        module="daemon.children.mirror",
        job={
            "registry": str(layout.registry),
            "lock": str(layout.state / "mirror.lock"),
            "uri": uri,
            "model": settings.model,
            "versions": list(versions),
            "timeout_s": settings.timeout_s,
            "is_dry": is_dry,
        },
        time_limit_s=settings.time_limit_s,
        memory_limit_mib=settings.memory_limit_mib,
    )


def note_mirrored(message: MirrorDue, end: ChildEnd, tools: Tools) -> Outcome:
    """Keep how far the mirror is; go on at once after a success, and wait after a failure."""
    state = MirrorState.of_json(tools.ledger.fact(MIRROR), message.uri)
    result: Any = end.result or {"error": end.reason}
    if result["error"] is None:
        state = state.sent(message.through)
        fields = {
            "uri": message.uri,
            "versions": [each["version"] for each in result["sent"]],
            "aliases": result["aliases"],
            "through": message.through,
        }
        return Outcome(
            records=(MirrorTried(state=state),),
            events=(Event(name="mirror.sent", fields=fields),),
            follow_ups=_due(state, tools),
        )
    return _failed(state.failed(result["error"], tools.clock.now().isoformat()), message, tools)


def _failed(state: MirrorState, message: MirrorDue, tools: Tools) -> Outcome:
    settings = tools.settings.mirror
    if state.attempts >= settings.attempts_max:
        return _given_up(state, message)
    event = Event(
        name="mirror.failed",
        fields={
            "uri": state.uri,
            "attempt": state.attempts,
            "error": state.error,
            "retry_at": _retry_at(state, settings).isoformat(),
        },
    )
    return Outcome(records=(MirrorTried(state=state),), events=(event,))


def _given_up(state: MirrorState, message: MirrorDue) -> Outcome:
    event = Event(
        name="mirror.given_up",
        fields={"uri": state.uri, "versions": list(message.versions), "error": state.error},
    )
    return Outcome(records=(MirrorTried(state=state.passed_over(message.through)),), events=(event,))
