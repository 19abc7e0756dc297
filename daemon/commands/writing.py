"""For the few commands that leave a message or a note in the journal."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from daemon.adapters.journal import Journal
from daemon.commands.context import journal_faults_named, require_journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.layout import Layout


@contextmanager
def writing(layout: Layout) -> Iterator[Journal]:
    """Open the journal of a directory to write."""
    require_journal(layout)
    with journal_faults_named(layout), closing(Journal(layout.journal)) as journal:
        yield journal
