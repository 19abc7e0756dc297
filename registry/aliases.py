"""Who holds which alias after a deed: rules that refuse an outdated view, and the move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.database import transaction
from registry.errors import AliasConflictError, AliasRefusedError
from registry.history import append_event, done_before
from registry.rows import give_alias, read_aliases
from registry.types import Alias

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from registry.types import Deed, Event, EventKind

LENT: Final = (Alias.CHALLENGER, Alias.SHADOW)
"""Aliases that are set and cleared by themselves; the others only move together."""


def promotion(
    holders: Mapping[Alias, str], version: str, expected_champion: str | None
) -> dict[Alias, str | None]:
    """Give the moves that make ``version`` champion; it stops being challenger or shadow.

    >>> promotion({Alias.CHAMPION: "v1", Alias.SHADOW: "v2"}, "v2", "v1")[Alias.PREVIOUS]
    'v1'
    """
    champion = _expect(holders, Alias.CHAMPION, expected_champion)
    if champion == version:
        raise AliasRefusedError(f"{version} is champion already; there is nothing to promote")
    moves: dict[Alias, str | None] = {Alias.CHAMPION: version}
    if champion is not None:
        moves[Alias.PREVIOUS] = champion
    return moves | {alias: None for alias in LENT if holders.get(alias) == version}


def reversal(holders: Mapping[Alias, str], expected_champion: str) -> dict[Alias, str | None]:
    """Give the moves that make champion and previous change places."""
    champion = _expect(holders, Alias.CHAMPION, expected_champion)
    previous = holders.get(Alias.PREVIOUS)
    if previous is None:
        raise AliasRefusedError(f"no version served before {champion}; promote one instead")
    return {Alias.CHAMPION: previous, Alias.PREVIOUS: champion}


def lending(
    holders: Mapping[Alias, str], alias: Alias, version: str | None, expected: str | None
) -> dict[Alias, str | None]:
    """Give the moves that make ``version`` (``None``: nobody) challenger or shadow."""
    if alias not in LENT:
        raise AliasRefusedError(f"{alias} only moves by promote and rollback")
    _expect(holders, alias, expected)
    if version is not None and holders.get(Alias.CHAMPION) == version:
        raise AliasRefusedError(f"{version} is champion; it cannot be {alias} to itself")
    return {alias: version}


def _expect(holders: Mapping[Alias, str], alias: Alias, expected: str | None) -> str | None:
    actual = holders.get(alias)
    if actual != expected:
        raise AliasConflictError(alias, expected, actual)
    return actual


def move_aliases(
    connection: sqlite3.Connection,
    kind: EventKind,
    deed: Deed,
    asked: Mapping[str, str],
    decide: Callable[[Mapping[Alias, str]], Mapping[Alias, str | None]],
    *,
    facts: Mapping[str, object] | None = None,
) -> Event:
    """Move the aliases as ``decide`` says of their holders, in one transaction with its event, once a key.

    ``asked`` is what the caller wants, ``facts`` what the event says beside it.
    """
    with transaction(connection):
        if (done := done_before(connection, kind, deed.key, asked)) is not None:
            return done
        moves = decide(read_aliases(connection))
        for alias, holder in moves.items():
            give_alias(connection, alias, holder)
        subject = asked.get("version") or moves[Alias.CHAMPION]
        assert subject is not None  # noqa: S101 - only a lent alias can go to nobody
        moved = {alias.value: holder for alias, holder in moves.items()}
        body = {"asked": asked, "moves": moved, **(facts or {})}
        return append_event(connection, kind, subject, deed, body)
