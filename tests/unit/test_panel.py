"""The panel file: what is not whole is not believed, and no kill and no reader ever meets half a version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters import panel as panel_module
from daemon.adapters import panel_writer
from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.panel import PAGE, SLOT_BYTES, Head, open_panel
from daemon.adapters.panel_writer import ROWS_MAX
from daemon.ports import Renewal
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from daemon.adapters.panel import Panel

CHECKOUT = Path(__file__).resolve().parents[2]
SYMBOLS = ("A", "BB", "^IDX")
KILLED = 9
READER = """
import sys
from pathlib import Path
import numpy as np
from daemon.adapters.panel import open_panel

path, end = Path(sys.argv[1]), int(sys.argv[2])
seen, none = set(), 0
print("ready", flush=True)
while end not in seen:
    panel = open_panel(path)
    if panel is None:
        none += 1
        continue
    count = panel.data_version
    assert len(panel.days) == count, (len(panel.days), count)
    expected = np.tile(np.arange(1.0, count + 1), (3, 1))
    assert np.array_equal(panel.field("close"), expected)
    assert len(panel.bars(last=5)) == 3 * min(5, count)
    seen.add(count)
print(len(seen), none)
"""


def day(number: int, close: float | None = None, symbols: tuple[str, ...] = SYMBOLS) -> Bars:
    """Give the bars of one day; unless told, the close is the number of the day."""
    date = np.array([np.datetime64("2020-01-01") + number - 1])
    return Bars.concat([Bars.of_closes(symbol, date, [close or float(number)]) for symbol in symbols])


class Place:
    """A store with a panel, brought up part by part."""

    def __init__(self, root: Path) -> None:
        self.path = root / "panel"
        self.store = ParquetBarStore(root / "bars", self.path)
        self.version = 0

    def bring_up(self, *bars: Bars) -> None:
        self.version += len(bars)
        self.store.renew_panel(
            Renewal(
                data_version=self.version,
                chain=f"{self.version:064x}",
                parts=tuple(self.store.write_part(each) for each in bars),
                symbols=tuple(sorted({symbol for each in bars for symbol in each.symbols()})),
                rows=sum(map(len, bars)),
            ),
            onto=self.store.panel(),
        )

    def panel(self) -> Panel:
        found = open_panel(self.path)
        assert found is not None
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.bring_up(day(1))
    made.bring_up(day(2))
    made.bring_up(day(3))
    return made


def damage(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


# In place, or in a new file


@pytest.mark.parametrize(
    "changes",
    [day(4), day(2, 7.5), day(-300, 7.5), day(3, 7.5, SYMBOLS[:1])],
    ids=["new", "restated", "earlier", "part"],
)
def test_days_of_known_symbols_are_written_in_place_behind_what_is_committed(
    place: Place, changes: Bars
) -> None:
    before = place.path.read_bytes()
    inode, rows = place.path.stat().st_ino, place.panel().head.rows
    place.bring_up(changes)
    after = place.path.read_bytes()
    at = place.panel().head.row_at(rows)
    assert place.path.stat().st_ino == inode
    assert place.panel().head.rows == rows + 1
    assert len(after) == len(before)
    assert after[PAGE:at] == before[PAGE:at]
    assert place.panel().bars() == Bars.concat([day(1), day(2), day(3), changes])


def test_a_new_symbol_makes_a_new_file_and_so_does_the_row_too_many(place: Place) -> None:
    inode = place.path.stat().st_ino
    held = place.panel()
    place.bring_up(day(4, symbols=("C",)))
    assert (place.path.stat().st_ino, place.panel().head.rows) != (inode, 1)
    assert place.panel().symbols == ("A", "BB", "C", "^IDX")
    for number in range(5, 5 + ROWS_MAX):
        place.bring_up(day(number))
    assert place.panel().head.rows == ROWS_MAX
    place.bring_up(day(5 + ROWS_MAX))
    assert place.panel().head.rows == 0
    assert place.panel().data_version == 5 + ROWS_MAX
    assert held.field("close").tolist() == [[1.0, 2.0, 3.0]] * 3
    assert [path.name for path in place.path.parent.iterdir() if path.is_file()] == ["panel"]


def test_many_days_at_once_go_into_a_new_file(place: Place) -> None:
    place.bring_up(*(day(number) for number in range(4, 5 + ROWS_MAX)))
    assert place.panel().head.rows == 0
    assert place.panel().field("close")[0].tolist() == [float(n) for n in range(1, 5 + ROWS_MAX)]


def test_doubles_come_back_to_the_bit(tmp_path: Path) -> None:
    made = Place(tmp_path)
    values = [0.1 + 0.2, 1 / 3, np.nextafter(1.0, 2.0)]
    bars = Bars.of(
        "A", ["2024-01-02", "2024-01-03", "2024-01-04"], values, [2.0] * 3, [0.1] * 3, values, [1e15 / 3] * 3
    )
    made.bring_up(bars)
    for name in BAR_FIELDS:
        assert getattr(made.panel().bars(), name).tobytes() == getattr(bars, name).tobytes()


# What is not believed


def test_where_nothing_or_something_else_lies_there_is_no_panel(tmp_path: Path, place: Place) -> None:
    assert open_panel(tmp_path / "nothing") is None
    assert open_panel(tmp_path) is None
    (tmp_path / "link").symlink_to(place.path)
    assert open_panel(tmp_path / "link") is None
    (tmp_path / "text").write_text("symbol,date,close\n" * 1000)
    assert open_panel(tmp_path / "text") is None
    os.mkfifo(tmp_path / "fifo")
    assert open_panel(tmp_path / "fifo") is None
    (tmp_path / "empty").touch()
    assert open_panel(tmp_path / "empty") is None


@pytest.mark.parametrize("size", [0, 1, 511, SLOT_BYTES, PAGE, 3 * PAGE])
def test_a_truncated_file_is_not_believed(place: Place, size: int) -> None:
    os.truncate(place.path, size)
    assert open_panel(place.path) is None


def test_a_file_that_is_longer_than_its_header_says_is_not_believed(place: Place) -> None:
    with place.path.open("ab") as file:
        file.write(b"\0")
    assert open_panel(place.path) is None


def test_any_damage_to_the_newest_slot_leaves_the_version_before(place: Place) -> None:
    slot = place.panel().head.sequence % 2 * SLOT_BYTES
    whole = place.path.read_bytes()
    for at in range(len(place.panel().head.to_bytes())):
        damage(place.path, slot + at)
        assert place.panel().data_version == 2
        place.path.write_bytes(whole)


def test_a_file_with_both_slots_damaged_is_not_believed(place: Place) -> None:
    damage(place.path, 9)
    damage(place.path, SLOT_BYTES + 9)
    assert open_panel(place.path) is None


def test_a_file_of_another_format_is_not_believed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_panel(place.path) is not None
    monkeypatch.setattr(panel_module, "FORMAT", 2)
    assert open_panel(place.path) is None


@pytest.mark.parametrize("what", ["symbols", "days"])
def test_damaged_tables_are_not_believed(place: Place, what: str) -> None:
    damage(place.path, PAGE + 2 if what == "symbols" else place.panel().head.days_at + 1)
    assert open_panel(place.path) is None


@pytest.mark.parametrize("offset", [0, 8, 16, 40])
def test_a_row_that_a_power_cut_swallowed_is_not_believed_though_its_commit_was_kept(
    place: Place, offset: int
) -> None:
    head = place.panel().head
    content = bytearray(place.path.read_bytes())
    content[head.row_at(0) + offset :] = bytes(len(content) - head.row_at(0) - offset)
    place.path.write_bytes(content)
    assert open_panel(place.path) is None


def test_a_row_that_was_written_but_not_committed_is_not_seen_and_is_written_over(place: Place) -> None:
    whole = place.path.read_bytes()
    head = place.panel().head
    place.bring_up(day(4, 99.0))
    content = bytearray(place.path.read_bytes())
    content[: 2 * SLOT_BYTES] = whole[: 2 * SLOT_BYTES]
    place.path.write_bytes(content)
    assert place.panel().head == head
    assert place.panel().field("close")[0].tolist() == [1.0, 2.0, 3.0]
    place.bring_up(day(4))
    assert place.panel().field("close")[0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_slot_comes_back_as_it_was_written_and_nothing_else_does(place: Place) -> None:
    head = place.panel().head
    assert Head.of_bytes(head.to_bytes()) == head
    assert Head.of_bytes(head.to_bytes()[:-1]) is None
    assert Head.of_bytes(b"") is None


# Kills and readers


def killed_at(line: int, work: Callable[[], object]) -> bool:
    """Work in a process that dies before the given line of the writer; tell whether it did."""
    pid = os.fork()
    if pid == 0:
        left = line

        def count(frame: FrameType, event: str, _argument: object) -> object:
            nonlocal left
            if frame.f_code.co_filename != panel_writer.__file__:
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os._exit(KILLED)
            return count

        sys.settrace(count)  # type: ignore[arg-type]  # it gives itself, or None
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED


@pytest.mark.parametrize(
    "changes", [[day(4), day(2, 7.5)], [day(4, symbols=("C", "A"))]], ids=["in place", "in a new file"]
)
def test_killed_between_any_two_lines_the_file_is_at_one_version_and_goes_on(
    tmp_path: Path, changes: list[Bars]
) -> None:
    begun = Place(tmp_path / "begun")
    begun.bring_up(day(1), day(2), day(3))
    expected = Bars.concat([day(1), day(2), day(3), *changes])
    versions, line, was_killed = set(), 0, True
    while was_killed:
        place = Place(tmp_path / str(line))
        shutil.copytree(tmp_path / "begun", tmp_path / str(line))
        place.version = 3
        was_killed = killed_at(line, lambda place=place: place.bring_up(*changes))  # type: ignore[misc]  # bound now
        found = place.panel()
        versions.add(found.data_version)
        known = Bars.concat([day(1), day(2), day(3)]) if found.data_version == 3 else expected
        assert found.bars() == known
        if found.data_version == 3:
            place.bring_up(*changes)
        assert place.panel().bars() == expected
        line += 1
    assert line > 10
    assert versions == {3, 3 + len(changes)}


def test_a_reader_in_another_process_only_ever_sees_whole_versions(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.bring_up(day(1))
    end = 3 * ROWS_MAX
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(place.path), str(end)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for number in range(2, end + 1):
        place.bring_up(day(number))
    said, complaints = reader.communicate(timeout=60)
    assert (reader.returncode, complaints) == (0, "")
    seen, none = map(int, said.split())
    assert seen > 1
    assert none == 0
