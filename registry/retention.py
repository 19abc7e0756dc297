"""Which versions are kept, and why: a policy as data, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from registry.types import Alias, Tenure


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept beside every version that holds an alias or is evidence.

    ``last`` versions by registration, and all that were champion within ``served_days`` days.
    """

    last: int
    served_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Why each version is kept, oldest first, and those to delete, in an order in which they can be."""

    kept: Mapping[str, str]
    deleted: tuple[str, ...]


def plan_of(
    versions: Sequence[str],
    aliases: Mapping[Alias, str],
    tenures: Sequence[Tenure],
    judged: Mapping[str, AbstractSet[str]],
    retention: Retention,
    at: datetime,
) -> Plan:
    """Apply a policy to ``versions``, oldest first; ``judged`` says which reports are against a version.

    A version is deleted only after those whose reports were judged against it.

    >>> from datetime import UTC, datetime
    >>> plan_of(["v1", "v2", "v3"], {}, (), {"v1": {"v2"}}, Retention(last=1, served_days=0),
    ...         datetime(2024, 1, 1, tzinfo=UTC)).deleted
    ('v2', 'v1')
    """
    reasons: dict[str, str] = {}
    for name in versions[-retention.last :] if retention.last else ():
        reasons[name] = f"is one of the last {retention.last}"
    for tenure in tenures:
        if tenure.until is None or tenure.until >= at - timedelta(days=retention.served_days):
            reasons[tenure.version] = f"was champion within {retention.served_days:g} days"
    for alias, name in aliases.items():
        reasons[name] = f"is {alias}"
    deleted = _in_order([name for name in reversed(versions) if name not in reasons], judged, versions)
    for name in versions:
        if name not in deleted and name not in reasons:
            by = next(other for other in versions if other in judged[name] - {*deleted, name})
            reasons[name] = f"is evidence: the report on {by} was judged against it"
    return Plan(kept={name: reasons[name] for name in versions if name not in deleted}, deleted=deleted)


def _in_order(
    doomed: Sequence[str], judged: Mapping[str, AbstractSet[str]], versions: Sequence[str]
) -> tuple[str, ...]:
    """Give those of ``doomed`` that can go, each after all whose reports were judged against it."""
    standing, order = set(versions), list[str]()
    while free := [
        name for name in doomed if name in standing and not judged.get(name, set()) & standing - {name}
    ]:
        order += free
        standing -= set(free)
    return tuple(order)
