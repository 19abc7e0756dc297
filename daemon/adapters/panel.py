"""All bars of one data version in a memory-mapped file: a cache that readers open in a millisecond.

The file holds a header, the symbols, the days, a base ``[field][symbol][day]`` of doubles that never
changes, and room for rows: each row is the whole state of one day, ``[field][symbol]``, and a later row of
a day wins. So a writer only ever writes where no committed reader looks, and commits by one header slot of
two; a reader that has read a header has a snapshot of exactly one data version for as long as it likes.

Nothing is believed unproven. The base is flushed before the file gets its name; slots, tables and rows
carry checksums, because rows and slots are not flushed and a power cut may keep one without the other. A
file that fails is no panel, and its readers read the parts instead.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

import numpy as np

from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.ports import Renewal

MAGIC: Final = b"RGMPANEL"
FORMAT: Final = 1
PAGE: Final = 4096
SLOT_BYTES: Final = 512
SLOTS: Final = 2
ROW_HEAD: Final = struct.Struct("<qII")
"""The day in days since 1970, the checksum of the row, and nothing, so that the numbers are aligned."""
READ_ATTEMPTS: Final = 3
CLOSE: Final = BAR_FIELDS.index("close")
WIDER: Final = 4
"""How many times further the next look back goes for symbols that had too few bars."""

_HEAD: Final = struct.Struct("<8sIQQ32sIIIIII")


class Head(NamedTuple):
    """What a header slot says.

    ``sequence`` counts commits of this file, ``chain`` names the history of parts that led to the data
    version, the sizes say where everything lies.
    """

    sequence: int
    data_version: int
    chain: str
    symbols: int
    days: int
    table_bytes: int
    tables_crc: int
    rows_max: int
    rows: int

    @property
    def days_at(self) -> int:
        """Where the days of the base lie; before them, the symbols."""
        return _aligned(PAGE + self.table_bytes)

    @property
    def base_at(self) -> int:
        """Where the numbers of the base lie."""
        return _aligned(self.days_at + 8 * self.days)

    @property
    def rows_at(self) -> int:
        """Where the rows lie."""
        return _aligned(self.base_at + 8 * len(BAR_FIELDS) * self.symbols * self.days)

    @property
    def row_bytes(self) -> int:
        """The size of one row."""
        return ROW_HEAD.size + 8 * len(BAR_FIELDS) * self.symbols

    @property
    def file_bytes(self) -> int:
        """The size of the whole file, which never changes."""
        return self.rows_at + self.rows_max * self.row_bytes

    def row_at(self, row: int) -> int:
        """Where one row lies."""
        return self.rows_at + row * self.row_bytes

    def to_bytes(self) -> bytes:
        """Give the slot with its checksum."""
        packed = _HEAD.pack(
            MAGIC, FORMAT, self.sequence, self.data_version, bytes.fromhex(self.chain), *self[3:]
        )
        return packed + struct.pack("<I", crc32(packed))

    @classmethod
    def of_bytes(cls, content: bytes) -> Head | None:
        """Give what a slot says, ``None`` if it is not whole or of another format."""
        packed, checksum = content[: _HEAD.size], content[_HEAD.size : _HEAD.size + 4]
        if len(checksum) < 4 or struct.unpack("<I", checksum)[0] != crc32(packed):  # noqa: PLR2004 - a u32
            return None
        magic, form, sequence, version, chain, *sizes = _HEAD.unpack(packed)
        if (magic, form) != (MAGIC, FORMAT):
            return None
        return cls(sequence, version, chain.hex(), *sizes)


def tables_of(symbols: Sequence[str], days: NDArray[np.datetime64]) -> tuple[bytes, bytes]:
    """Give the tables of symbols and days as they are stored."""
    return json.dumps(list(symbols)).encode(), days.astype("<M8[D]").tobytes()


def checksum_of(tables: tuple[bytes, bytes]) -> int:
    """Give the checksum of the tables of symbols and days."""
    return crc32(tables[1], crc32(tables[0]))


def row_head(day: int, values: bytes | memoryview) -> bytes:
    """Give what stands before the values of a day: the day and the checksum of both."""
    return ROW_HEAD.pack(day, crc32(values, crc32(struct.pack("<q", day))), 0)


def _aligned(place: int) -> int:
    return -(-place // PAGE) * PAGE


class Panel:
    """A snapshot of all bars of one data version.

    Parameters
    ----------
    head
        A committed header of the file.
    content
        The mapped file; see `open_panel`.
    """

    def __init__(self, head: Head, content: mmap.mmap) -> None:
        self.head = head
        table = content[PAGE : PAGE + head.table_bytes]
        days = content[head.days_at : head.days_at + 8 * head.days]
        if checksum_of((table, days)) != head.tables_crc:
            raise ValueError("the tables of the panel are damaged")
        self.symbols: tuple[str, ...] = tuple(json.loads(table))
        base_days = np.frombuffer(days, dtype="<M8[D]")
        shape = (len(BAR_FIELDS), head.symbols, head.days)
        self._base: NDArray[np.float64] = np.frombuffer(
            content, dtype="<f8", count=shape[0] * shape[1] * shape[2], offset=head.base_at
        ).reshape(shape)
        self._rows = dict(_checked_rows(head, content))
        row_days = np.array(sorted(self._rows), dtype="<M8[D]")
        self.days = _merged(base_days, row_days)
        self._row_places = np.searchsorted(self.days, row_days)
        self._base_places = np.searchsorted(self.days, base_days)

    @property
    def data_version(self) -> int:
        """The data version whose bars these are."""
        return self.head.data_version

    @property
    def chain(self) -> str:
        """The name of the history of parts that led to the data version."""
        return self.head.chain

    def may_have_room(self, renewal: Renewal) -> bool:
        """Tell whether a renewal has no new symbol and perhaps not more days than there is room for rows."""
        room = self.head.rows_max - self.head.rows
        is_known = set(renewal.symbols) <= set(self.symbols)
        return is_known and renewal.rows <= room * len(self.symbols)

    def field(self, name: str, *, last: int | None = None) -> NDArray[np.float64]:
        """Give one field of all symbols, NaN where there is no bar; shape (n_symbols, n_days).

        With ``last``, only of the last so many of ``days``. May be a view of the file: do not keep it.
        """
        first = 0 if last is None else max(0, len(self.days) - last)
        number = BAR_FIELDS.index(name)
        if len(self._row_places):
            window = self._window(slice(number, number + 1), np.arange(len(self.symbols)), first)
            return np.asarray(window[0])
        return np.asarray(self._base[number, :, first:])

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        last: int | None = None,
        since: np.datetime64 | None = None,
    ) -> Bars:
        """Give the bars of all or the named symbols, from a day on, and each symbol's own last bars."""
        asked = self.symbols if symbols is None else set(symbols)
        at = np.array([i for i, symbol in enumerate(self.symbols) if symbol in asked], dtype=np.intp)
        floor = 0 if since is None else int(np.searchsorted(self.days, since))
        if last is None:
            return self._bars(at, self._window(slice(None), at, floor), floor)
        return Bars.concat(list(self._last_bars(at, last, floor)))

    def _last_bars(self, at: NDArray[np.intp], last: int, floor: int) -> Iterator[Bars]:
        """Give the last bars of some symbols, looking further back only for those that have too few."""
        width = last
        while len(at):
            first = max(floor, len(self.days) - width)
            window = self._window(slice(None), at, first)
            # Counted from the end: a bar is one of the last if at most so many stand from it on.
            known = ~np.isnan(window[CLOSE])
            from_end = known[:, ::-1].cumsum(axis=1)[:, ::-1]
            done = (from_end[:, 0] >= last) if first > floor else np.ones(len(at), dtype=bool)
            window[CLOSE][from_end > last] = np.nan
            yield self._bars(at[done], window if done.all() else window[:, done], first)
            at = at[~done]
            width *= WIDER

    def _window(self, fields: slice, at: NDArray[np.intp], first: int) -> NDArray[np.float64]:
        """Copy fields of symbols from a day on; shape (n_fields, n_symbols, n_days)."""
        base = self._base[fields]
        chosen = at if len(at) < len(self.symbols) else slice(None)
        out = np.empty((len(base), len(at), len(self.days) - first))
        inside = self._base_places[np.searchsorted(self._base_places, first) :] - first
        column = self._base.shape[2] - len(inside)
        if len(inside) and inside[0] == 0 and inside[-1] == len(inside) - 1:
            out[:, :, : len(inside)] = base[:, chosen, column:]
        else:
            out[:, :, inside] = base[:, chosen, column:]
        for place in self._row_places[np.searchsorted(self._row_places, first) :]:
            out[:, :, place - first] = self._rows[self.days[place]][fields, chosen]
        return out

    def _bars(self, at: NDArray[np.intp], window: NDArray[np.float64], first: int) -> Bars:
        known = ~np.isnan(window[CLOSE])
        symbols = np.array([self.symbols[i] for i in at.tolist()], dtype=np.str_)
        columns = {name: window[i][known] for i, name in enumerate(BAR_FIELDS)}
        return Bars(
            symbol=np.repeat(symbols, known.sum(axis=1)),
            date=np.broadcast_to(self.days[first:], known.shape)[known],
            **columns,
        )

    def day(self, day: np.datetime64) -> NDArray[np.float64]:
        """Give the state of one day, NaN where there is no bar; shape (n_fields, n_symbols)."""
        place = int(np.searchsorted(self.days, day))
        if place == len(self.days) or self.days[place] != day:
            return np.full(self._base.shape[:2], np.nan)
        if day in self._rows:
            return np.array(self._rows[day])
        return np.array(self._base[:, :, int(np.searchsorted(self._base_places, place))])


def _merged(days: NDArray[np.datetime64], more: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Give the union of two ascending arrays of days; ``np.union1d`` would take longer than all else."""
    places = np.searchsorted(days, more)
    is_new = days[np.minimum(places, len(days) - 1)] != more
    return np.insert(days, places[is_new], more[is_new])


def _checked_rows(head: Head, content: mmap.mmap) -> Iterator[tuple[np.datetime64, NDArray[np.float64]]]:
    """Give the committed rows by day, oldest first."""
    shape = (len(BAR_FIELDS), head.symbols)
    whole = memoryview(content)
    for row in range(head.rows):
        at = head.row_at(row)
        day, _, _ = ROW_HEAD.unpack_from(content, at)
        values = whole[at + ROW_HEAD.size : at + head.row_bytes]
        if row_head(day, values) != whole[at : at + ROW_HEAD.size]:
            raise ValueError("a row of the panel is damaged")
        yield np.datetime64(day, "D"), np.frombuffer(values, dtype="<f8").reshape(shape)


def open_panel(path: Path) -> Panel | None:
    """Give a snapshot of the panel as it is committed now, ``None`` if there is none to be believed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with suppress(OSError, ValueError):
            return _open(descriptor)
    finally:
        os.close(descriptor)
    return None


def _open(descriptor: int) -> Panel | None:
    head = next(filter(None, (_read_head(descriptor) for _ in range(READ_ATTEMPTS))), None)
    if head is None or os.fstat(descriptor).st_size != head.file_bytes:
        return None
    return Panel(head, mmap.mmap(descriptor, head.file_bytes, prot=mmap.PROT_READ))


def _read_head(descriptor: int) -> Head | None:
    """Give the newest slot that is whole; a writer may be at work on the other."""
    content = os.pread(descriptor, SLOTS * SLOT_BYTES, 0)
    heads = [Head.of_bytes(content[i * SLOT_BYTES : (i + 1) * SLOT_BYTES]) for i in range(SLOTS)]
    return max((head for head in heads if head is not None), key=lambda head: head.sequence, default=None)
