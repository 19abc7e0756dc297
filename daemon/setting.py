"""How one setting is declared: a field of a dataclass with its meaning and what is allowed."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    group: str | None = None,
    suffix: str | None = None,
) -> Any:
    """Declare a setting: its default, its meaning, and what is allowed.

    With a ``group`` of entry points, parts of the user's own are allowed beside the choices (``daemon.own``);
    with a ``suffix``, files of the user's own whose names end so.
    """
    facts = {"text": text, "low": low, "high": high, "choices": choices, "group": group, "suffix": suffix}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=facts)
    return field(default=default, metadata=facts)
