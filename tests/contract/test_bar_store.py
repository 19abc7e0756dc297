"""The bar store: parts are named by their content, never change, and a later part wins."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.bar_store import MemoryBarStore, ParquetBarStore
from daemon.formats import FileRejectedError
from regime.simulator import SimulationSettings, simulate
from regime.types import Bars

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.ports import BarStore

DAYS = ["2024-02-28", "2024-02-29"]


@pytest.fixture(params=["parquet", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BarStore:
    return ParquetBarStore(tmp_path / "bars") if request.param == "parquet" else MemoryBarStore()


def closes(symbol: str, values: list[float], days: list[str] = DAYS) -> Bars:
    return Bars.of_closes(symbol, days, values)


def test_bars_come_back_to_the_bit(store: BarStore) -> None:
    market = simulate(SimulationSettings(symbols=2, days=30), np.random.default_rng(1))
    assert store.read([store.write_part(market.bars)]) == market.bars


def test_no_parts_are_no_bars(store: BarStore) -> None:
    assert len(store.read([])) == 0


def test_equal_bars_have_one_name_and_others_another(store: BarStore) -> None:
    first = store.write_part(closes("^IDX", [100.0, 101.0]))
    assert store.write_part(closes("^IDX", [100.0, 101.0])) == first
    assert store.write_part(closes("^IDX", [100.0, 101.5])) != first


def test_a_later_part_wins_where_both_have_the_day(store: BarStore) -> None:
    old = store.write_part(closes("^IDX", [100.0, 101.0]))
    new = store.write_part(closes("^IDX", [99.0], days=DAYS[1:]))
    assert store.read([old, new]).close.tolist() == [100.0, 99.0]
    assert store.read([new, old]).close.tolist() == [100.0, 101.0]
    assert store.read([old]).close.tolist() == [100.0, 101.0]


def test_only_the_asked_symbols_are_given(store: BarStore) -> None:
    both = Bars.concat([closes("A", [1.0, 2.0]), closes("B", [3.0, 4.0])])
    name = store.write_part(both)
    assert store.read([name], ["B"]).symbols() == ("B",)
    assert store.read([name], ["B"]).close.tolist() == [3.0, 4.0]
    assert store.read([name]).symbols() == ("A", "B")
    assert len(store.read([name], ["C"])) == 0


def test_both_stores_give_the_same_names(tmp_path: Path) -> None:
    bars = closes("^IDX", [100.0, 101.0])
    assert ParquetBarStore(tmp_path).write_part(bars) == MemoryBarStore().write_part(bars)


def test_a_part_is_a_file_named_by_its_sha256_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    name = ParquetBarStore(tmp_path / "bars").write_part(closes("^IDX", [100.0, 101.0]))
    (file,) = (tmp_path / "bars").iterdir()
    assert file.name == name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.parquet"


def test_a_part_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    name = store.write_part(closes("^IDX", [100.0, 101.0]))
    before = (tmp_path / name).stat()
    store.write_part(closes("^IDX", [100.0, 101.0]))
    after = (tmp_path / name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_part_is_refused_and_never_read_wrong(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    name = store.write_part(closes("^IDX", [100.0, 101.0]))
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 4] ^= 0xFF
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileRejectedError):
        store.read([name])
