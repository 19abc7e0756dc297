"""Brings the panel file from one data version to a later one; see ``daemon.adapters.panel`` for its form.

There is one writer, the daemon's loop. Killed between any two lines, the file is at the version before or
at the one after.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from daemon.adapters.panel import (
    PAGE,
    SLOT_BYTES,
    SLOTS,
    Head,
    Panel,
    checksum_of,
    row_head,
    tables_of,
)
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.ports import Renewal

ROWS_MAX: Final = 64
"""Rows that a file has room for; when they are used up, they go into the base of a new file."""


def append_to_panel(path: Path, panel: Panel, changes: Bars, renewal: Renewal) -> bool:
    """Write changed days as rows and commit them; tell whether there was room and no new symbol.

    ``panel`` is the newest snapshot of the file at ``path``.
    """
    days = np.unique(changes.date)
    if panel.head.rows + len(days) > panel.head.rows_max or set(changes.symbols()) - set(panel.symbols):
        return False
    after = panel.head._replace(
        sequence=panel.head.sequence + 1,
        data_version=renewal.data_version,
        chain=renewal.chain,
        rows=panel.head.rows + len(days),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        rows = b"".join(_row(panel, day, changes.take(changes.date == day)) for day in days)
        _write_all(descriptor, rows, panel.head.row_at(panel.head.rows))
        _write_all(descriptor, after.to_bytes(), after.sequence % SLOTS * SLOT_BYTES)
    finally:
        os.close(descriptor)
    return True


def _row(panel: Panel, day: np.datetime64, changes: Bars) -> bytes:
    values = panel.day(day)
    at = np.searchsorted(panel.symbols, changes.symbol)
    for number, name in enumerate(BAR_FIELDS):
        values[number, at] = getattr(changes, name)
    content = values.astype("<f8").tobytes()
    return row_head(int(day.astype("i8")), content) + content


def write_panel(
    path: Path,
    renewal: Renewal,
    *,
    days: NDArray[np.datetime64],
    onto: Panel | None,
    parts: Iterable[Bars],
) -> None:
    """Write a new file beside the old one: what ``onto`` holds, then ``parts``, of which later ones win.

    ``days`` are those of the parts. The parts are taken one at a time, so that only one is in memory.
    """
    base = _base_of(renewal, days, onto, parts)
    tables = tables_of(base.symbols.tolist(), base.days)
    head = Head(
        sequence=1,
        data_version=renewal.data_version,
        chain=renewal.chain,
        symbols=len(base.symbols),
        days=len(base.days),
        table_bytes=len(tables[0]),
        tables_crc=checksum_of(tables),
        rows_max=ROWS_MAX,
        rows=0,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, head.file_bytes)  # a full disk is told here, not by a signal later
        _fill(descriptor, head, base)
        _write_all(descriptor, tables[0], PAGE)
        _write_all(descriptor, tables[1], head.days_at)
        _write_all(descriptor, head.to_bytes(), head.sequence % SLOTS * SLOT_BYTES)
        os.fsync(descriptor)
    except BaseException:
        beside.unlink()  # it has taken all its room already
        raise
    finally:
        os.close(descriptor)
    beside.replace(path)


class _Base(NamedTuple):
    """What the base of a new file is made of."""

    symbols: NDArray[np.str_]
    days: NDArray[np.datetime64]
    onto: Panel | None
    parts: Iterable[Bars]


def _base_of(
    renewal: Renewal, days: NDArray[np.datetime64], onto: Panel | None, parts: Iterable[Bars]
) -> _Base:
    symbols = {*renewal.symbols, *(onto.symbols if onto else ())}
    return _Base(
        symbols=np.array(sorted(symbols), dtype=np.str_),
        days=days if onto is None else np.union1d(onto.days, days),
        onto=onto,
        parts=parts,
    )


def _fill(descriptor: int, head: Head, base: _Base) -> None:
    shape = (len(BAR_FIELDS), head.symbols, head.days)
    mapped = mmap.mmap(descriptor, head.file_bytes)
    values: NDArray[np.float64] = np.frombuffer(
        mapped, dtype="<f8", count=shape[0] * shape[1] * shape[2], offset=head.base_at
    ).reshape(shape)
    values[:] = np.nan
    if base.onto is not None:
        at = np.ix_(
            np.searchsorted(base.symbols, base.onto.symbols), np.searchsorted(base.days, base.onto.days)
        )
        for number, name in enumerate(BAR_FIELDS):
            values[number][at] = base.onto.field(name)
    for part in base.parts:
        at_symbol, at_day = np.searchsorted(base.symbols, part.symbol), np.searchsorted(base.days, part.date)
        for number, name in enumerate(BAR_FIELDS):
            values[number, at_symbol, at_day] = getattr(part, name)


def _write_all(descriptor: int, content: bytes, place: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, place)
        content, place = content[written:], place + written
