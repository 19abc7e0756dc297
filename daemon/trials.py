"""Trials: a version that predicts beside the champion until fresh days have decided.

Who is tried against whom follows from the registry's events alone, so that it is the same after a crash or
a decision by hand. What was counted and looked at stands in the journal under the trial's id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.history import aliases_after, moves_of
from registry.types import Alias, EventKind, text_of_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from daemon.settings import GateSettings
    from registry.store import Registry
    from registry.types import Event


class TrialKind(StrEnum):
    """Why a version predicts beside the champion."""

    SHADOW = "shadow"
    PROBATION = "probation"


class Trial(NamedTuple):
    """``version`` is tried against the champion ``against``, with predictions made since ``opened_at``.

    In a shadow trial it may replace the champion; in a probation it is the one that the champion replaced.
    ``opened_at`` is ISO UTC. ``id`` names the event that opened the trial.
    """

    id: str
    kind: TrialKind
    version: str
    against: str
    opened_at: str

    def facts(self) -> dict[str, Any]:
        """Give the trial as plain data, as a child's job carries it."""
        return {**self._asdict(), "kind": self.kind.value}

    @classmethod
    def of_facts(cls, facts: dict[str, Any]) -> Trial:
        """Give the trial that ``facts`` gave."""
        return cls(**{**facts, "kind": TrialKind(facts["kind"])})


def trials_of(events: Sequence[Event]) -> tuple[Trial, ...]:
    """Give the trials that the events, all from the first on, leave open: the champion changed, or a shadow.

    Only a promotion puts the champion on probation: after a rollback the one before it is known to be worse.
    A shadow whose champion changed is tried anew against the other.
    """
    holders = aliases_after(events)
    champion = holders.get(Alias.CHAMPION)
    if champion is None:
        return ()
    crowned = _last_move(events, Alias.CHAMPION)
    found = []
    if (shadow := holders.get(Alias.SHADOW)) is not None:
        opened = max(crowned, _last_move(events, Alias.SHADOW), key=lambda event: event.sequence)
        found.append(_trial(TrialKind.SHADOW, shadow, champion, opened))
    previous = holders.get(Alias.PREVIOUS)
    if previous is not None and crowned.kind is EventKind.PROMOTED:
        found.append(_trial(TrialKind.PROBATION, previous, champion, crowned))
    return tuple(found)


def _last_move(events: Iterable[Event], alias: Alias) -> Event:
    return [event for event in events if alias in moves_of(event)][-1]


def _trial(kind: TrialKind, version: str, against: str, opened: Event) -> Trial:
    return Trial(
        id=f"{kind}:{version}:{opened.sequence}",
        kind=kind,
        version=version,
        against=against,
        opened_at=text_of_time(opened.at),
    )


def comparable(trial: Trial, registry: Registry) -> bool:
    """Tell whether both versions predict the same thing from the same features."""
    own, other = registry.version(trial.version).manifest, registry.version(trial.against).manifest
    return (own.target, own.classes, own.feature_hash) == (other.target, other.classes, other.feature_hash)


def rivals(events: Sequence[Event], ended: Collection[str] = ()) -> tuple[str, ...]:
    """Give the versions that predict beside the champion: shadow, challenger, and who is on probation.

    ``ended`` are the ids of trials that are over. A probation ends with its trial; shadow and challenger
    predict as long as they hold the alias.
    """
    holders = aliases_after(events)
    tried = [
        trial.version
        for trial in trials_of(events)
        if trial.kind is TrialKind.SHADOW or trial.id not in ended
    ]
    challenger = holders.get(Alias.CHALLENGER)
    named = [*tried, *([] if challenger is None else [challenger])]
    return tuple(dict.fromkeys(named))


def looks_of(kind: TrialKind, settings: GateSettings) -> tuple[int, ...]:
    """Give the numbers of matured fresh days at which a trial is looked at, ascending."""
    match kind:
        case TrialKind.SHADOW:
            return tuple(sorted(set(settings.shadow_looks)))
        case TrialKind.PROBATION:
            earlier = {days for days in settings.shadow_looks if days < settings.probation_days}
            return (*sorted(earlier), settings.probation_days)


def deed_of(key: str, registry: Registry) -> Event | None:
    """Give what was already done in the registry under a message's key, ``None`` if nothing was."""
    return next((event for event in registry.events() if event.key == key), None)


def why_not_promoted(registry: Registry, settings: GateSettings) -> str | None:
    """Give what keeps the gate from promoting by itself, ``None`` if nothing does."""
    if not settings.automatic:
        return "gate.automatic is off; promote it by hand with: regimed models promote"
    frozen = registry.frozen()
    if frozen is None:
        return None
    return (
        f"automatic promotion is frozen since {frozen.at:%Y-%m-%d} ({frozen.reason});"
        " lift it with: regimed models unfreeze"
    )
