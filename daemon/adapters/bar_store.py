"""Bars as immutable parquet parts, each named by the sha256 of its bytes; and the same in memory.

Beside the parts stands the panel, a cache of one data version that is brought up to later ones.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.adapters.panel import Panel, open_panel
from daemon.adapters.panel_writer import append_to_panel, write_panel
from daemon.errors import PartMissingError
from daemon.files import write_durably
from daemon.formats import days_of_part, parquet_bytes, read_part
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.ports import BarPanel, Renewal


REMEMBERED_ROWS_MAX: Final = 20_000
"""The part that was written last is not read back for the panel if it has at most so many rows."""


class ParquetBarStore:
    """Keeps parts in a folder; a part that is there is whole, and never changes.

    Parameters
    ----------
    folder
        Where the parts are.
    panel
        The file of the panel, ``None`` for a store without one. Any number may read it, one may renew it.
    """

    def __init__(self, folder: Path, panel: Path | None = None) -> None:
        self._folder = folder
        self._panel = panel
        self._written: tuple[str, Bars] | None = None

    def write_part(self, bars: Bars) -> str:
        """Store bars durably under a name made of their content, and give that name."""
        content = parquet_bytes(bars)
        name = _name_of(content)
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        self._written = (name, bars) if len(bars) <= REMEMBERED_ROWS_MAX else None
        return name

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins."""
        return Bars.concat([_of_symbols(self._read(part), symbols) for part in parts])

    def has(self, part: str) -> bool:
        """Tell whether a part is there."""
        return (self._folder / part).exists()

    def remove(self, part: str) -> None:
        """Delete a part that the journal no longer lists; none is as good as one."""
        self._written = None
        (self._folder / part).unlink(missing_ok=True)

    def panel(self) -> BarPanel | None:
        """Give the panel as it is committed now, ``None`` if there is none that can be believed."""
        return None if self._panel is None else open_panel(self._panel)

    def renew_panel(self, renewal: Renewal, *, onto: BarPanel | None) -> None:
        """Bring the panel ``onto`` to a data version by the parts since, or make one from all parts."""
        if self._panel is None:
            return
        before = onto if isinstance(onto, Panel) else None
        if before is not None and before.may_have_room(renewal):
            changes = self.read(renewal.parts)
            if not append_to_panel(self._panel, before, changes, renewal):
                write_panel(self._panel, renewal, days=np.unique(changes.date), onto=before, parts=[changes])
            return
        days = np.unique(np.concatenate([self._days(part) for part in renewal.parts]))
        parts = (self._read(part) for part in renewal.parts)  # one at a time: together they may be large
        write_panel(self._panel, renewal, days=days, onto=before, parts=parts)

    def _read(self, part: str) -> Bars:
        if self._written is not None and self._written[0] == part:
            return self._written[1]
        try:
            return read_part(self._folder / part)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise PartMissingError(part) from error

    def _days(self, part: str) -> NDArray[np.datetime64]:
        try:
            return days_of_part(self._folder / part)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise PartMissingError(part) from error


class MemoryBarStore:
    """Keeps parts in a dictionary, for tests and replays."""

    def __init__(self) -> None:
        self._parts: dict[str, Bars] = {}
        self._panel: MemoryPanel | None = None

    def write_part(self, bars: Bars) -> str:
        """Store bars under a name made of their content, and give that name."""
        name = _name_of(parquet_bytes(bars))
        self._parts[name] = bars
        return name

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins."""
        missing = next((part for part in parts if part not in self._parts), None)
        if missing is not None:
            raise PartMissingError(missing)
        return Bars.concat([_of_symbols(self._parts[part], symbols) for part in parts])

    def has(self, part: str) -> bool:
        """Tell whether a part is there."""
        return part in self._parts

    def remove(self, part: str) -> None:
        """Delete a part that the journal no longer lists; none is as good as one."""
        self._parts.pop(part, None)

    def panel(self) -> BarPanel | None:
        """Give the panel as it is now, ``None`` if there is none."""
        return self._panel

    def renew_panel(self, renewal: Renewal, *, onto: BarPanel | None) -> None:
        """Bring the panel ``onto`` to a data version by the parts since, or make one from all parts."""
        known = Bars.empty() if onto is None else onto.bars()
        self._panel = MemoryPanel(
            Bars.concat([known, self.read(renewal.parts)]), renewal.data_version, renewal.chain
        )


class MemoryPanel:
    """All bars of one data version as they are."""

    def __init__(self, bars: Bars, data_version: int, chain: str) -> None:
        self._bars = bars
        self.data_version = data_version
        self.chain = chain
        self.symbols = bars.symbols()
        self.days: NDArray[np.datetime64] = np.unique(bars.date)

    def field(self, name: str, *, last: int | None = None) -> NDArray[np.float64]:
        """Give one field of all symbols, NaN where there is no bar; shape (n_symbols, n_days)."""
        values = np.full((len(self.symbols), len(self.days)), np.nan)
        at = (np.searchsorted(self.symbols, self._bars.symbol), np.searchsorted(self.days, self._bars.date))
        values[at] = getattr(self._bars, name)
        return values if last is None else values[:, max(0, len(self.days) - last) :]

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        last: int | None = None,
        since: np.datetime64 | None = None,
    ) -> Bars:
        """Give the bars of all or the named symbols, from a day on, and each symbol's own last bars."""
        return cut(_of_symbols(self._bars, symbols), last=last, since=since)


def cut(bars: Bars, *, last: int | None = None, since: np.datetime64 | None = None) -> Bars:
    """Give the bars from a day on, and of those each symbol's last."""
    if since is not None:
        bars = bars.take(bars.date >= since)
    if last is None or not len(bars):
        return bars
    _, starts, sizes = np.unique(bars.symbol, return_index=True, return_counts=True)
    from_end = np.repeat(starts + sizes, sizes) - np.arange(len(bars))
    return bars.take(from_end <= last)


def _of_symbols(bars: Bars, symbols: Sequence[str] | None) -> Bars:
    return bars if symbols is None else bars.take(np.isin(bars.symbol, list(symbols)))


def _name_of(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}.parquet"
