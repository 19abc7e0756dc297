"""Whether automatic promotion is frozen: what the last deed that freezes or unfreezes says.

A freeze is no alias and no row of its own: it follows from the chain of events, so that it cannot be lifted
without a trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.database import transaction
from registry.errors import AliasRefusedError
from registry.history import append_event, find_event, read_events
from registry.rows import read_aliases
from registry.types import Alias, EventKind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from registry.types import Deed, Event

FREEZES: Final = "freezes"
"""In the body of a rollback: automatic promotion is frozen by it, in the same transaction."""


def frozen_by(events: Iterable[Event]) -> Event | None:
    """Give the event that froze automatic promotion, ``None`` if it is not frozen after the events."""
    frozen: Event | None = None
    for event in events:
        if event.kind is EventKind.FROZEN or event.body.get(FREEZES) is True:
            frozen = event
        elif event.kind is EventKind.UNFROZEN:
            frozen = None
    return frozen


def freeze(connection: sqlite3.Connection, kind: EventKind, deed: Deed) -> Event:
    """Freeze or unfreeze, as ``kind`` says, in one transaction; once for a key.

    Raises
    ------
    AliasRefusedError
        If it is that already, or there is no champion whom a promotion could replace.
    """
    with transaction(connection):
        if (done := find_event(connection, kind, deed.key)) is not None:
            return done
        champion = read_aliases(connection).get(Alias.CHAMPION)
        if champion is None:
            raise AliasRefusedError("there is no champion yet, so nothing to freeze; train one first")
        is_frozen = frozen_by(read_events(connection)) is not None
        if is_frozen == (kind is EventKind.FROZEN):
            state = "frozen already" if is_frozen else "not frozen"
            raise AliasRefusedError(f"automatic promotion is {state}; there is nothing to do")
        return append_event(connection, kind, champion, deed, {"asked": {}})
