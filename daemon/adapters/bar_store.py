"""Bars as immutable parquet parts, each named by the sha256 of its bytes; and the same in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from daemon.files import write_durably
from daemon.formats import parquet_bytes, read_part
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ParquetBarStore:
    """Keeps parts in a folder; a part that is there is whole, and never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_part(self, bars: Bars) -> str:
        """Store bars durably under a name made of their content, and give that name."""
        content = parquet_bytes(bars)
        name = f"{hashlib.sha256(content).hexdigest()}.parquet"
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        return name

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins."""
        return _union([read_part(self._folder / part) for part in parts], symbols)


class MemoryBarStore:
    """Keeps parts in a dictionary, for tests and replays."""

    def __init__(self) -> None:
        self._parts: dict[str, Bars] = {}

    def write_part(self, bars: Bars) -> str:
        """Store bars under a name made of their content, and give that name."""
        name = f"{hashlib.sha256(parquet_bytes(bars)).hexdigest()}.parquet"
        self._parts[name] = bars
        return name

    def read(self, parts: Sequence[str], symbols: Sequence[str] | None = None) -> Bars:
        """Give the union of ``parts``, of all or the named symbols; a later part wins."""
        return _union([self._parts[part] for part in parts], symbols)


def _union(parts: Sequence[Bars], symbols: Sequence[str] | None) -> Bars:
    if symbols is not None:
        parts = [part.take(np.isin(part.symbol, list(symbols))) for part in parts]
    return Bars.concat(parts)
