"""``messages list|retry``: what waits in the journal, and what failed too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.commands.context import print_json, print_table, reading
from daemon.commands.times import local_time, now
from daemon.commands.writing import writing
from daemon.errors import UsageError
from daemon.layout import layout_of

if TYPE_CHECKING:
    import argparse


def list_messages(options: argparse.Namespace) -> int:
    """List waiting messages by kind, and dead letters."""
    with reading(layout_of(options)) as ledger:
        waiting, dead = ledger.pending_counts(), ledger.dead_letters()
    if options.json:
        print_json({"pending": waiting, "dead": [letter._asdict() for letter in dead]})
        return 0
    print_table(("waiting", "count"), sorted(waiting.items()))
    if dead:
        print()
        print_table(
            ("id", "dead letter", "since", "error"),
            [(letter.id, letter.key, local_time(letter.finished_at), letter.error) for letter in dead],
        )
    return 0


def retry(options: argparse.Namespace) -> int:
    """Give a dead letter another chance."""
    with writing(layout_of(options)) as journal:
        if not journal.revive(options.id, now=now()):
            raise UsageError(f"there is no dead letter {options.id}; see: regimed messages list")
    print(f"message {options.id} waits again")
    return 0
