"""Where files come from in a replay: they are offered, one batch for each move of the clock."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from daemon.files import write_durably
from daemon.ports import FoundFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from daemon.records import Event
    from daemon.replay.history import Arrival

NOT_SEEN: Final = (0, 0, 0)
"""The look of a file that nobody looked at: it came from memory."""


class OfferedFiles:
    """Gives the loop the files that were offered, staged as the inbox stages them."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self._offered: list[FoundFile] = []

    def offer(self, arrivals: Iterable[Arrival]) -> None:
        """Let files be found at the next look. One that the journal knows already changes nothing."""
        for arrival in arrivals:
            sha256 = hashlib.sha256(arrival.content).hexdigest()
            path = self._staging / sha256
            if not path.exists():
                write_durably(path, arrival.content)
            self._offered.append(
                FoundFile(
                    path=path,
                    name=arrival.name,
                    sha256=sha256,
                    size_bytes=len(arrival.content),
                    removable=False,
                    look=NOT_SEEN,
                )
            )

    def collect(self) -> tuple[tuple[FoundFile, ...], tuple[Event, ...]]:
        """Give the files that were offered since the last look."""
        found, self._offered = tuple(self._offered), []
        return found, ()

    def release(self, file: FoundFile) -> None:
        """Let go of a file: nothing is to be done, none lies in an inbox."""

    def has_young(self) -> bool:
        """Tell that no file is half written."""
        return False

    def patience_s(self) -> float:
        """Give how long to wait before young files are looked at again: there are none."""
        return 0.0
