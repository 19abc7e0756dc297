"""The bars of a data version: from the panel as far as it goes, the rest from the parts.

The journal says which parts make up a version; the panel is believed if it lies on the way to it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from daemon.adapters.bar_store import cut
from daemon.errors import PartMissingError
from daemon.formats import FileRejectedError
from daemon.ports import Renewal
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from daemon.adapters.bar_ledger import BarLedger, StoredPart
    from daemon.ports import BarPanel, BarStore


def bars_of(
    ledger: BarLedger,
    store: BarStore,
    data_version: int,
    symbols: Sequence[str] | None = None,
    *,
    last: int | None = None,
    since: np.datetime64 | None = None,
) -> Bars:
    """Give the bars of a data version, of all or the named symbols, and of those each symbol's last ones.

    Raises
    ------
    DataVersionGoneError
        If the version is older than what is kept.
    PartMissingError
        If a file is not there though it should be.
    """
    panel = panel_before(ledger, store, data_version)
    late = () if panel is None else ledger.deltas(
        after=panel.data_version, through=data_version, symbols=symbols
    )  # fmt: skip
    if panel is None or not all(part.is_kept for part in late):
        parts = ledger.parts(through=data_version, symbols=symbols)
        return cut(store.read(_names(parts), symbols), last=last, since=since)
    known = panel.bars(symbols, last=last, since=since)
    if not late:
        return known
    return cut(Bars.concat([known, store.read(_names(late), symbols)]), last=last, since=since)


def panel_before(ledger: BarLedger, store: BarStore, data_version: int) -> BarPanel | None:
    """Give the panel if it holds a data version or an earlier one of the same history."""
    panel = store.panel()
    if panel is None or panel.data_version > data_version:
        return None
    return panel if panel.chain == ledger.chain(panel.data_version) else None


def bring_up_panel(
    ledger: BarLedger, store: BarStore, *, symbols: Sequence[str] | None = None, late_max: int = 0
) -> None:
    """Bring the panel to the newest data version; for the one writer.

    It may stay behind by ``late_max`` parts that hold bars of the symbols: a burst of files of one symbol
    each would else write it anew for each.

    A part that is missing or damaged leaves the panel where it is: it serves those who do not need that
    part, and who needs it is told its name.
    """
    newest = ledger.data_version()
    panel = panel_before(ledger, store, newest)
    since = 0 if panel is None else panel.data_version
    if len(ledger.deltas(after=since, symbols=symbols)) <= late_max:
        return
    parts = ledger.deltas(after=since)
    if panel is None or not all(part.is_kept for part in parts):
        panel, parts = None, ledger.parts(through=newest)
    renewal = Renewal(
        data_version=newest,
        chain=str(ledger.chain(newest)),
        parts=_names(parts),
        symbols=tuple(sorted({symbol for part in parts for symbol in part.symbols})),
        rows=sum(part.rows for part in parts),
    )
    with suppress(PartMissingError, FileRejectedError):
        store.renew_panel(renewal, onto=panel)


def _names(parts: Sequence[StoredPart]) -> tuple[str, ...]:
    return tuple(part.part for part in parts)
