"""The bar store: parts are named by their content, never change, and a later part wins."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.bar_store import MemoryBarStore, ParquetBarStore
from daemon.errors import PartMissingError
from daemon.formats import FileRejectedError
from daemon.ports import Renewal
from regime.simulator import SimulationSettings, simulate
from regime.types import Bars

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.ports import BarPanel, BarStore

DAYS = ["2024-02-28", "2024-02-29"]


@pytest.fixture(params=["parquet", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BarStore:
    if request.param == "memory":
        return MemoryBarStore()
    return ParquetBarStore(tmp_path / "bars", tmp_path / "panel")


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


def test_a_part_that_is_not_there_is_named(store: BarStore) -> None:
    name = store.write_part(closes("^IDX", [100.0, 101.0]))
    assert store.has(name)
    store.remove(name)
    store.remove(name)
    assert not store.has(name)
    with pytest.raises(PartMissingError, match=f"the bars {name} are missing.*bars verify"):
        store.read([name])


def renew(store: BarStore, version: int, bars: Bars, *, anew: bool = False) -> BarPanel:
    """Bring the panel to a version by one part, and give it."""
    renewal = Renewal(
        data_version=version,
        chain=f"{version:064x}",
        parts=(store.write_part(bars),),
        symbols=bars.symbols(),
        rows=len(bars),
    )
    store.renew_panel(renewal, onto=None if anew else store.panel())
    panel = store.panel()
    assert panel is not None
    return panel


def test_before_it_is_made_there_is_no_panel(store: BarStore) -> None:
    assert store.panel() is None


def test_a_panel_holds_the_bars_that_it_was_brought_up_by(store: BarStore) -> None:
    market = simulate(SimulationSettings(symbols=2, days=30), np.random.default_rng(1)).bars
    old, new = market.take(market.date < market.date[25]), market.take(market.date >= market.date[25])
    first = renew(store, 1, old)
    second = renew(store, 2, new)
    assert (first.data_version, first.bars()) == (1, old)
    assert (second.data_version, second.chain, second.bars()) == (2, f"{2:064x}", market)
    assert second.symbols == market.symbols()
    assert second.days.tolist() == np.unique(market.date).tolist()


@pytest.mark.parametrize("last", [None, 1, 3])
@pytest.mark.parametrize("since", [None, "2024-02-29"])
def test_a_panel_gives_of_each_symbol_its_own_last_bars_from_a_day_on(
    store: BarStore, last: int | None, since: str | None
) -> None:
    days = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    bars = Bars.concat(
        [closes("A", [1, 2, 3, 4], days), closes("B", [5, 6], days[:2]), closes("C", [7], days[2:3])]
    )
    panel = renew(store, 1, bars)
    found = panel.bars(["A", "B", "Z"], last=last, since=None if since is None else np.datetime64(since))
    expected = {
        (None, None): [1, 2, 3, 4, 5, 6], (1, None): [4, 6], (3, None): [2, 3, 4, 5, 6],
        (None, "2024-02-29"): [3, 4], (1, "2024-02-29"): [4], (3, "2024-02-29"): [3, 4],
    }  # fmt: skip
    assert found.close.tolist() == expected[last, since]


def test_a_field_of_a_panel_is_a_table_of_symbols_and_days(store: BarStore) -> None:
    panel = renew(store, 1, Bars.concat([closes("A", [1.0, 2.0]), closes("B", [4.0], DAYS[1:])]))
    np.testing.assert_array_equal(panel.field("close"), [[1.0, 2.0], [np.nan, 4.0]])
    np.testing.assert_array_equal(panel.field("close", last=1), [[2.0], [4.0]])
    assert np.isnan(panel.field("volume")).all()


def test_a_panel_takes_restated_days_earlier_days_and_new_symbols(store: BarStore) -> None:
    renew(store, 1, closes("B", [3.0, 4.0]))
    renew(store, 2, closes("B", [3.5], DAYS[:1]))
    renew(store, 3, closes("B", [2.0], ["2024-02-01"]))
    panel = renew(store, 4, closes("A", [1.0], ["2024-03-01"]))
    assert panel.bars().symbol.tolist() == ["A", "B", "B", "B"]
    assert panel.bars().close.tolist() == [1.0, 2.0, 3.5, 4.0]


def test_a_panel_that_is_made_anew_forgets_what_was_before(store: BarStore) -> None:
    renew(store, 1, closes("B", [3.0, 4.0]))
    assert renew(store, 2, closes("A", [1.0, 2.0]), anew=True).symbols == ("A",)


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
        ParquetBarStore(tmp_path).read([name])
