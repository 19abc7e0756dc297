"""What is wrong with a value of a policy, each fault a sentence that says what is allowed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Mapping


def range_fault(key: str, value: object, limits: tuple[float, float], *, whole: bool) -> str:
    """Say what is wrong with a number; nothing if it is fine."""
    kinds = int if whole else (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool) and limits[0] <= value <= limits[1]:
        return ""
    return f"{key} = {value!r}: give a {'whole ' if whole else ''}number from {limits[0]:g} to {limits[1]:g}"


def table_faults(key: str, table: object, limits: tuple[float, float]) -> list[str]:
    """Say what is wrong with a number for each regime."""
    if not isinstance(table, dict):
        return [f"{key} = {table!r}: give a table with a number for each regime"]
    return [range_fault(f"{key}.{regime}", table[regime], limits, whole=False) for regime in REGIMES]


def list_fault(key: str, value: object, allowed: tuple[str, ...]) -> str:
    """Say what is wrong with a list of names; nothing if it is fine."""
    chosen = list(value) if isinstance(value, (list, tuple)) else []
    if chosen and all(each in allowed for each in chosen) and len(set(chosen)) == len(chosen):
        return ""
    return f"{key} = {value!r}: give a list of one or more of {', '.join(allowed)}"


def unknown(what: str, given: object, allowed: tuple[str, ...]) -> str:
    """Say that a name is none of those allowed, with the nearest of them."""
    near = get_close_matches(str(given), allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(allowed)}"
    return f"unknown {what} {given!r}: {hint}"


def block_faults(values: Mapping[str, object], days_per_block: int) -> list[str]:
    """Say whether the fewest days that are tested are too few for the blocks that they are cut into."""
    needed = days_per_block * cast("int", values["blocks"])
    if cast("int", values["days_min"]) >= needed:
        return []
    return [f"days_min = {values['days_min']}: {values['blocks']} blocks need {needed} days or more"]
