"""Whether stored bars are what the journal says: each file by its hash and rows, the panel by the files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from daemon.adapters.versions import panel_before
from daemon.errors import PartMissingError
from daemon.formats import FileRejectedError, read_part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.adapters.bar_ledger import BarLedger, StoredPart
    from daemon.ports import BarPanel, BarStore
    from regime.types import Bars

RESTORE = "stop the daemon, restore the state folder from a backup, and verify again"


class Finding(NamedTuple):
    """A file that is not as it should be, what is wrong with it, and what to do."""

    file: str
    sentence: str


def check_files(ledger: BarLedger, folder: Path) -> Iterator[Finding]:
    """Check every listed file: there, of the bytes that it is named by, readable, with the rows recorded."""
    for part in ledger.listed():
        sentence = _fault_of(part, folder / part.part)
        if sentence is not None:
            yield Finding(file=part.part, sentence=f"{sentence}; {RESTORE}")


def _fault_of(part: StoredPart, path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return f"the file of data version {part.data_version} is missing"
    except OSError as error:
        return f"the file of data version {part.data_version} cannot be read ({error.strerror})"
    if f"{hashlib.sha256(content).hexdigest()}.parquet" != part.part:
        return "its bytes are not those that it is named by"
    try:
        bars = read_part(path)
    except FileRejectedError as error:
        return f"it cannot be read: {error}"
    if _facts(bars) != (part.rows, part.symbols, part.first_day, part.last_day):
        return "its rows, symbols or days are not those that the journal has recorded"
    return None


def _facts(bars: Bars) -> tuple[int, tuple[str, ...], str, str]:
    return len(bars), bars.symbols(), str(bars.date.min()), str(bars.date.max())


def check_panel(ledger: BarLedger, store: BarStore, panel: BarPanel, path: Path) -> Iterator[Finding]:
    """Check that a panel says what the files of its data version say, where those can be read."""
    try:
        parts = ledger.parts(through=panel.data_version)
        truth = store.read([part.part for part in parts])
    except (PartMissingError, FileRejectedError):
        return  # the files are the fault, and were told
    if panel.bars() != truth:
        sentence = "it differs from the files; stop the daemon, delete it, and start the daemon again"
        yield Finding(file=str(path), sentence=sentence)


def believed_panel(ledger: BarLedger, store: BarStore) -> BarPanel | None:
    """Give the panel that readers of the newest data version would use."""
    return panel_before(ledger, store, ledger.data_version())
