"""How the daemon is, read from its files alone: it may be running, stopped or dead.

Everything here must stay light: ``regimed status`` answers within a tenth of a second, so only the
standard library is imported.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daemon.adapters.ledger import IN_FORCE, REACHED, InForce, Ledger
from daemon.adapters.lock import Holder, holder_of
from daemon.adapters.quarantine import Quarantine
from daemon.layout import IGNORED_SUFFIXES
from daemon.markets import StatedClaims, by_market
from daemon.mirror_state import MIRROR, MirrorState
from daemon.status_reasons import Reason, what_is_wrong, why_mirror_lags, why_not_running
from registry.glance import events_after, glance
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from daemon.adapters.trial_ledger import StoredTrial
    from daemon.layout import Layout
    from registry.glance import Champion, Glance

SCHEMA: Final = 1
NOTABLE_EVENTS: Final = 8


class Health(StrEnum):
    """The answer to the first question: is it fine."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


EXIT_CODES: Final = {Health.HEALTHY: 0, Health.DEGRADED: 1, Health.STOPPED: 3, Health.UNKNOWN: 4}


class Status(NamedTuple):
    """What ``regimed status --json`` prints; times are ISO UTC, ``None`` is not known."""

    schema: int
    health: Health
    reasons: tuple[Reason, ...]
    directory: str
    now: str
    daemon: Mapping[str, object] | None
    inbox: Mapping[str, object] | None
    data: Mapping[str, object] | None
    regimes: Mapping[str, Mapping[str, object]]
    champion: Mapping[str, object] | None
    challenger: Mapping[str, object] | None
    shadow: Mapping[str, object] | None
    probation: Mapping[str, object] | None
    frozen: Mapping[str, object] | None
    last_run: Mapping[str, object] | None
    running: Mapping[str, object] | None
    next_run: str | None
    drift: tuple[Mapping[str, object], ...]
    feeds: Mapping[str, Mapping[str, object]]
    mirror: Mapping[str, object] | None
    events: tuple[Mapping[str, object], ...]

    def to_json(self) -> str:
        """Give the status as one JSON object."""
        return json.dumps(
            {**self._asdict(), "reasons": [reason._asdict() for reason in self.reasons]}, indent=1
        )


def read_status(layout: Layout, now: datetime) -> Status:
    """Read how the daemon of a directory is; never raises for what is wrong inside it."""
    try:
        holder = holder_of(layout.lock)
        if not layout.journal.exists():
            return _status_without_journal(layout, now)
        with closing(open_read_only(layout.journal)) as connection:
            return _status(layout, Ledger(connection), holder, now)
    except OSError as error:
        return status_unreadable(layout, error, now)
    except sqlite3.DatabaseError as error:
        problem = f"the journal or the registry cannot be read: {error}"
        reason = Reason(problem=problem, since=None, do="restore the state folder from its backup")
        return _blank(layout, Health.UNKNOWN, (reason,), now)


def status_unreadable(layout: Layout, error: OSError, now: datetime) -> Status:
    """Say that the directory cannot be read by this user, or at all."""
    reason = Reason(
        problem=f"{error.filename or layout.root} cannot be read: {error.strerror}",
        since=None,
        do="run this as a user who may read it, such as the one of the service",
    )
    return _blank(layout, Health.UNKNOWN, (reason,), now)


def _status_without_journal(layout: Layout, now: datetime) -> Status:
    if layout.configuration.exists():
        reason = Reason(
            problem="the daemon was never started here", since=None, do=f"regimed run --dir {layout.root}"
        )
        return _blank(layout, Health.STOPPED, (reason,), now)
    reason = Reason(
        problem=f"{layout.root} is not a regimed directory", since=None, do=f"regimed init {layout.root}"
    )
    return _blank(layout, Health.UNKNOWN, (reason,), now)


def _blank(layout: Layout, health: Health, reasons: tuple[Reason, ...], now: datetime) -> Status:
    return Status(
        schema=SCHEMA,
        health=health,
        reasons=reasons,
        directory=str(layout.root),
        now=now.isoformat(),
        daemon=None,
        inbox=None,
        data=None,
        regimes={},
        champion=None,
        challenger=None,
        shadow=None,
        probation=None,
        frozen=None,
        last_run=None,
        running=None,
        next_run=None,
        drift=(),
        feeds={},
        mirror=None,
        events=(),
    )


def _status(layout: Layout, ledger: Ledger, holder: Holder | None, now: datetime) -> Status:
    in_force = InForce.of_json(ledger.fact(IN_FORCE))
    reached = ledger.fact(REACHED)  # in a replay it is as late as its clock, whatever the time is here
    refused = Quarantine(layout.quarantine).entries()
    mirror = _mirror(layout, ledger, in_force.mirror)
    reasons = (*what_is_wrong(ledger, refused, in_force.feeds), *why_mirror_lags(mirror))
    health = Health.DEGRADED if reasons else Health.HEALTHY
    if holder is None:
        reasons = (why_not_running(layout, ledger), *reasons)
        health = Health.STOPPED
    versions = glance(layout.registry / "registry.db")
    runs = _runs(layout, ledger)
    return Status(
        schema=SCHEMA,
        health=health,
        reasons=reasons,
        directory=str(layout.root),
        now=reached or now.isoformat(),
        daemon=holder._asdict() if holder else None,
        inbox=_inbox(layout, ledger, len(refused)),
        data=_data(ledger),
        regimes=_regimes(ledger, in_force),
        champion=_champion(versions.champion),
        challenger=None if versions.challenger is None else {"version": versions.challenger},
        shadow=_shadow(ledger, versions),
        probation=_probation(ledger, versions),
        frozen=None if versions.frozen is None else versions.frozen._asdict(),
        last_run=runs[0],
        running=runs[1],
        next_run=in_force.next_run,
        drift=ledger.readings(),
        feeds=_feeds(in_force.feeds, ledger),
        mirror=mirror,
        events=_events(ledger, "", NOTABLE_EVENTS),
    )


def _inbox(layout: Layout, ledger: Ledger, quarantined: int) -> dict[str, object]:
    waiting = _files_waiting(layout)
    return {
        "pending": waiting + ledger.pending_counts().get("file_arrived", 0),
        "quarantined": quarantined,
        "oldest_message_at": ledger.oldest_pending_at(),
    }


def _files_waiting(layout: Layout) -> int:
    if not layout.inbox.is_dir():
        return 0
    return sum(
        1
        for path in layout.inbox.rglob("*")
        if not path.name.startswith(".")
        and not path.name.lower().endswith(IGNORED_SUFFIXES)
        and path.is_file()
        and not path.is_symlink()
    )


def _data(ledger: Ledger) -> dict[str, object]:
    parts = ledger.parts()
    return {
        "version": ledger.data_version(),
        "symbols": sorted({symbol for part in parts for symbol in part.symbols}),
        "first_day": min((part.first_day for part in parts), default=None),
        "last_day": max((part.last_day for part in parts), default=None),
    }


def _regimes(ledger: Ledger, in_force: InForce) -> dict[str, dict[str, object]]:
    """Give each market's regime, and how many stored symbols belong to it."""
    claims = {
        name: StatedClaims(index=index, fear=fear, symbols=tuple(symbols))
        for name, (index, fear, symbols) in (in_force.claims or {}).items()
    }
    stored = sorted({symbol for part in ledger.parts() for symbol in part.symbols})
    members = by_market(claims, stored) if claims else {}
    found = {name: _regime(ledger, name) for name in in_force.markets}
    return {
        name: {**facts, "symbols": len(members.get(name, [])) if claims else None}
        for name, facts in found.items()
        if facts
    }


def _regime(ledger: Ledger, market: str) -> dict[str, object] | None:
    state = ledger.labeler_state(market)
    if state is None:
        return None
    spell = ledger.spell(market, state.labeler)
    if spell is None:
        return None
    return {
        "label": spell.regime,
        "since": spell.since,
        "pending": spell.pending,
        "reason": spell.reason,
        "last_day": spell.last_day,
        "labeler": state.labeler,
        "days": dict(spell.days),
        "days_in": spell.days_in,
        "expected_days": spell.mean_days,
        "closed_spells": spell.closed_spells,
    }


def _champion(champion: Champion | None) -> dict[str, object] | None:
    return None if champion is None else champion._asdict()


def _shadow(ledger: Ledger, versions: Glance) -> dict[str, object] | None:
    """Give the version that is tried beside the champion; before its first day nothing was counted."""
    if versions.shadow is None:
        return None
    return {"version": versions.shadow, **_progress_of(_trial("shadow", versions.shadow, ledger, versions))}


def _probation(ledger: Ledger, versions: Glance) -> dict[str, object] | None:
    trial = _trial("probation", versions.previous, ledger, versions)
    if trial is None or trial.outcome is not None:
        return None
    return {"version": trial.against, "previous": trial.version, **_progress_of(trial)}


def _trial(kind: str, version: str | None, ledger: Ledger, versions: Glance) -> StoredTrial | None:
    champion = None if versions.champion is None else versions.champion.version
    found = [
        trial
        for trial in ledger.trials.all()
        if (trial.kind, trial.version, trial.against) == (kind, version, champion)
    ]
    return found[-1] if found else None


def _progress_of(trial: StoredTrial | None) -> dict[str, object]:
    if trial is None:
        return {"days": 0, "days_max": None, "next_look": None, "verdict": None, "outcome": None}
    return {
        "days": trial.days,
        "days_max": trial.looks[-1],
        "next_look": trial.next_look,
        "verdict": trial.looked[-1].verdict if trial.looked else None,
        "outcome": trial.outcome,
    }


def _runs(layout: Layout, ledger: Ledger) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    runs = ledger.runs()
    closed = [run for run in runs if run.outcome != "running"]
    opened = [run for run in runs if run.outcome == "running"]
    last: dict[str, object] | None = None
    if closed:
        run = max(closed, key=lambda run: run.finished_at or "")
        last = {
            "id": run.id,
            "outcome": run.outcome,
            "finished_at": run.finished_at,
            "version": run.version,
            "reason": run.reason or None,
        }
    running = None
    if opened:
        running = {"id": opened[0].id, "opened_at": opened[0].opened_at, **_progress(layout, opened[0].id)}
    return last, running


def _progress(layout: Layout, run_id: str) -> dict[str, object]:
    try:
        said: Any = json.loads((layout.run(run_id) / "progress.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {"done": None, "total": None, "what": None}
    done, total, what = said["progress"]
    return {"done": done, "total": total, "what": what}


def _feeds(names: list[str], ledger: Ledger) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for name in names:
        state = ledger.feed(name)
        found[name] = {
            "last_day": state.last_day if state else None,
            "polled_at": state.polled_at if state else None,
            "ok_at": state.ok_at if state else None,
            "is_stale": state.is_stale if state else None,
            "error": state.error if state else None,
        }
    return found


def _mirror(layout: Layout, ledger: Ledger, uri: str | None) -> dict[str, Any] | None:
    """Give how far the mirror of the registry is behind, in events; ``None`` if it is off."""
    if uri is None:
        return None
    state = MirrorState.of_json(ledger.fact(MIRROR), uri)
    return {
        "uri": uri,
        "behind": events_after(layout.registry / "registry.db", state.through),
        "failing_since": state.failing_since,
        "error": state.error,
        "given_up": state.given_up,
    }


def _events(ledger: Ledger, name: str, limit: int) -> tuple[dict[str, object], ...]:
    return tuple(event._asdict() for event in ledger.events(name=name or None, limit=limit))
