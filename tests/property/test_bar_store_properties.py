"""Whatever happens to stored bars, every data version reads as a plain dictionary of them says."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.adapters.bar_store import MemoryBarStore, ParquetBarStore
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.versions import bars_of, bring_up_panel
from daemon.children.compact import write_year_files
from daemon.errors import DataVersionGoneError
from daemon.messages import FileArrived
from daemon.records import BarsCompacted, Outcome, PartStored, RetiredUnlisted
from regime.types import BAR_FIELDS, Bars
from tests.examples import examples

if TYPE_CHECKING:
    from daemon.ports import BarStore
    from daemon.records import Record

    Model = dict[tuple[str, int], tuple[float, ...]]

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FIRST_DAY = np.datetime64("2019-12-20", "D")
SYMBOLS = ("A", "BB", "^IDX")
WHOLE = (np.nan, np.nan, np.nan, 1.0, np.nan)


class Desk:
    """A journal and a store of bars, and what they should hold at each version."""

    def __init__(self, root: Path, store: BarStore) -> None:
        self.journal = Journal(root / "journal.db")
        self.ledger = self.journal.ledger.bars
        self.store = store
        self.versions: list[Model] = [{}]
        self._messages = 0

    def apply(self, *records: Record) -> None:
        self._messages += 1
        message = FileArrived(sha256=str(self._messages), name="a", size_bytes=1)
        self.journal.append([message], now=NOON)
        pending = Pending(id=self._messages, message=message, attempts=0)
        self.journal.finish(pending, Outcome(records=records), now=NOON)

    def store_bars(self, rows: Model) -> None:
        bars = bars_of_model(rows)
        stored = PartStored(
            data_version=len(self.versions),
            part=self.store.write_part(bars),
            symbols=bars.symbols(),
            rows=len(bars),
            first_day=str(bars.date.min()),
            last_day=str(bars.date.max()),
        )
        self.apply(stored)
        self.versions.append({**self.versions[-1], **rows})

    def compact(self) -> None:
        newest = self.ledger.data_version()
        if newest and not self.ledger.is_compacted(newest):
            files = tuple(write_year_files(self.ledger, self.store, newest))
            self.apply(BarsCompacted(data_version=newest, files=files))

    def remove_retired(self) -> None:
        through = self.ledger.data_version()
        names = self.ledger.retired(through=through)
        self.apply(RetiredUnlisted(through=through))
        listed = self.ledger.listed_among(names)
        for name in names:
            if name not in listed:
                self.store.remove(name)

    def bring_up_panel(self) -> None:
        bring_up_panel(self.ledger, self.store)

    def read(self, version: int, symbols: list[str] | None = None, **cut: Any) -> Bars:
        return bars_of(self.ledger, self.store, version, symbols, **cut)


def bars_of_model(rows: Model) -> Bars:
    keys = sorted(rows)
    columns = np.array([rows[key] for key in keys], dtype=np.float64).reshape(-1, len(BAR_FIELDS))
    return Bars(
        symbol=np.array([symbol for symbol, _ in keys], dtype=np.str_),
        date=FIRST_DAY + np.array([day for _, day in keys], dtype="timedelta64[D]"),
        **{name: columns[:, i] for i, name in enumerate(BAR_FIELDS)},
    )


def cut_model(rows: Model, symbols: list[str], last: int | None, since: int) -> Model:
    kept: Model = {}
    for symbol in symbols:
        days = sorted(day for other, day in rows if other == symbol and day >= since)
        kept |= {(symbol, day): rows[symbol, day] for day in days[-(last or len(days) or 1) :]}
    return kept


@st.composite
def rows_of_a_file(draw: st.DrawFn) -> Model:
    keys = draw(
        st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 40)), min_size=1, max_size=8, unique=True)
    )
    closes = st.floats(0.01, 1e6, allow_nan=False)
    return {key: draw(row_of(closes)) for key in keys}


def row_of(closes: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, ...]]:
    """Give a bar of which only the close is known, or all."""
    return closes.flatmap(
        lambda close: st.sampled_from(
            [(np.nan, np.nan, np.nan, close, np.nan), (close, close * 1.5, close * 0.5, close, 12.0)]
        )
    )


several = examples(20)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("bars"), rows_of_a_file()),
        st.tuples(st.sampled_from(["panel", "compact", "remove", "next day"]), st.just({})),
    ),
    min_size=1,
    max_size=14,
)


def do(desk: Desk, steps: list[tuple[str, Model]]) -> None:
    for step, rows in steps:
        match step:
            case "bars":
                desk.store_bars(rows)
            case "next day":
                last = max((day for _, day in desk.versions[-1]), default=0)
                desk.store_bars({(symbol, last + 1): WHOLE for symbol in SYMBOLS[:2]})
            case "panel":
                desk.bring_up_panel()
            case "compact":
                desk.compact()
            case _:
                desk.remove_retired()


@pytest.mark.parametrize("kind", ["parquet", "memory"])
@several
@given(steps=STEPS, last=st.one_of(st.none(), st.integers(1, 6)), since=st.integers(0, 45))
def test_every_version_that_can_be_read_reads_as_a_plain_dictionary_says(
    kind: str, steps: list[tuple[str, Model]], last: int | None, since: int
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        store = ParquetBarStore(root / "bars", root / "panel") if kind == "parquet" else MemoryBarStore()
        desk = Desk(root, store)
        with closing(desk.journal):
            do(desk, steps)
            assert desk.ledger.data_version() == len(desk.versions) - 1
            for version, rows in enumerate(desk.versions):
                try:
                    found = desk.read(version)
                except DataVersionGoneError:
                    assert version < len(desk.versions) - 1, "the newest version can always be read"
                    continue
                assert found == bars_of_model(rows)
                asked = ["BB", "^IDX", "not stored"]
                cut = desk.read(version, asked, last=last, since=FIRST_DAY + np.timedelta64(since, "D"))
                assert cut == bars_of_model(cut_model(rows, asked, last, since))


@several
@given(steps=STEPS)
def test_the_panel_is_the_truth_to_the_bit(steps: list[tuple[str, Model]]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        store = ParquetBarStore(root / "bars", root / "panel")
        desk = Desk(root, store)
        with closing(desk.journal):
            do(desk, [*steps, ("next day", {}), ("panel", {})])
            panel = store.panel()
            assert panel is not None
            assert panel.data_version == desk.ledger.data_version()
            truth = bars_of_model(desk.versions[-1])
            assert panel.bars() == truth
            assert panel.symbols == truth.symbols()
            assert panel.days.tolist() == np.unique(truth.date).tolist()
            at = (np.searchsorted(panel.symbols, truth.symbol), np.searchsorted(panel.days, truth.date))
            for name in BAR_FIELDS:
                assert panel.field(name)[at].tobytes() == getattr(truth, name).tobytes()
                assert panel.field(name, last=3).shape == (len(panel.symbols), min(3, len(panel.days)))


@several
@given(steps=STEPS)
def test_a_snapshot_stays_as_it_was_whatever_the_writer_does(steps: list[tuple[str, Model]]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        store = ParquetBarStore(root / "bars", root / "panel")
        desk = Desk(root, store)
        with closing(desk.journal):
            do(desk, [("next day", {}), ("panel", {})])
            held = store.panel()
            assert held is not None
            do(desk, [*steps, ("panel", {})])
            assert held.data_version == 1
            assert held.bars() == bars_of_model(desk.versions[1])
