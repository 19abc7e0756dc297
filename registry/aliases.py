"""Who holds which alias after a deed: pure rules, which refuse what was decided on an outdated view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.errors import AliasConflictError, AliasRefusedError
from registry.types import Alias

if TYPE_CHECKING:
    from collections.abc import Mapping

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
