"""Why the daemon is not healthy, in sentences, each with the command to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.adapters.ledger import REACHED
from daemon.adapters.lock import is_held
from daemon.layout import REPLAYED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.adapters.ledger import Ledger
    from daemon.adapters.quarantine import QuarantinedFile
    from daemon.layout import Layout


class Reason(NamedTuple):
    """Why the daemon is not healthy, since when, and the command to type next."""

    problem: str
    since: str | None
    do: str


def why_not_running(layout: Layout, ledger: Ledger) -> Reason:
    """Tell why nobody holds the lock of a directory that has a journal."""
    if (layout.root / REPLAYED).exists():
        how, at = ("are being replayed", "now at") if is_held(layout.lock) else ("were replayed", "up to")
        reached = ledger.fact(REACHED)
        so_far = f" {at} {reached.partition('T')[0]}" if reached else ""
        problem = f"the days of this directory {how}{so_far}; no daemon runs in it"
        return Reason(problem=problem, since=None, do=f"regimed report --dir {layout.root}")
    last = ledger.events(name="daemon.st", limit=1)  # started or stopped
    if last and last[0].name == "daemon.stopped":
        problem, since = "the daemon is not running", last[0].at
    else:
        problem, since = "the daemon is not running: it was killed, or the machine went down", None
    return Reason(problem=problem, since=since, do=f"regimed run --dir {layout.root}")


def what_is_wrong(
    ledger: Ledger, refused: Sequence[QuarantinedFile], feeds: Sequence[str]
) -> tuple[Reason, ...]:
    """Give what needs a person: messages given up, refused files and samples, failed runs and feeds."""
    reasons = [
        Reason(
            problem=f"{letter.kind} {letter.key} failed too often: {letter.error}",
            since=letter.finished_at,
            do=f"regimed messages retry {letter.id}",
        )
        for letter in ledger.dead_letters()
    ]
    reasons += [
        Reason(
            problem=f"{entry.name} is in quarantine ({entry.code})",
            since=entry.at,
            do=f"regimed quarantine show {entry.file}",
        )
        for entry in refused
    ]
    reasons += [
        Reason(problem=outcome.detail, since=outcome.since, do="regimed archive verify")
        if outcome.outcome == "refused"
        else Reason(problem=outcome.detail, since=outcome.since, do=f"regimed archive show {outcome.name}")
        for outcome in ledger.archive.outcomes()
        if outcome.outcome in {"empty", "refused"}
    ]
    closed = [run for run in ledger.runs() if run.outcome != "running"]
    if closed and closed[-1].outcome == "failed":
        run = closed[-1]
        reasons.append(
            Reason(
                problem=f"run {run.id} failed: {run.reason}",
                since=run.finished_at,
                do=f"regimed runs show {run.id}",
            )
        )
    for name in feeds:
        state = ledger.feed(name)
        if state is not None and (state.error or state.is_stale):
            problem = f"feed {name}: {state.error or f'nothing new since {state.last_day}'}"
            reasons.append(Reason(problem=problem, since=state.ok_at, do="regimed events --name feed."))
    return tuple(reasons)


def why_mirror_lags(mirror: Mapping[str, Any] | None) -> tuple[Reason, ...]:
    """Tell why the mirror is behind, if it is and there is one."""
    if mirror is None:
        return ()
    if mirror["given_up"]:
        problem = (
            f"mirror {mirror['uri']}: lacks what could not be sent in {mirror['given_up']} rounds of attempts"
        )
        return (Reason(problem=problem, since=mirror["failing_since"], do="regimed models mirror"),)
    if mirror["error"]:
        problem = f"mirror {mirror['uri']} is {mirror['behind']} events behind: {mirror['error']}"
        return (Reason(problem=problem, since=mirror["failing_since"], do="regimed events --name mirror."),)
    return ()
