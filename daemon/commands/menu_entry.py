"""What a command is, as data: its words, what it does, its arguments, and where its function is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Argument(NamedTuple):
    """One argument of a command, as ``argparse`` wants it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def arg(*names: str, **options: Any) -> Argument:
    """Declare an argument."""
    return Argument(names=names, options=options)


class Command(NamedTuple):
    """One command: its words, what it does, its arguments, and the function that does it."""

    words: tuple[str, ...]
    text: str
    target: str
    arguments: tuple[Argument, ...] = ()
    facts: bool = False


def at_least(low: int) -> Callable[[str], int]:
    """Give a reader of whole numbers that refuses smaller ones."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {low}")
        return int(text)

    return read


DRY_RUN = arg("--dry-run", action="store_true", help="only say what would be done")
