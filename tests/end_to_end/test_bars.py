"""Stored bars as a user meets them: listed, shown, exported and verified, whatever the daemon does."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.panel import open_panel
from daemon.adapters.versions import bars_of
from daemon.formats import read_bars, write_csv
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Installation, SimulatedMarket

    Make = Callable[[Path], Installation]

pytestmark = pytest.mark.slow
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
CONFIGURATION = """
[daemon]
idle_wait_s = 0.1
[markets.sim]
index = "^SIM"
fear = "^SIMVIX"
calendar = "weekdays"
[archive]
enabled = false
[bars]
deltas_max = 3
[schedule]
enabled = false
"""
COLUMNS = 80


def stored_bars(place: Installation) -> Bars:
    with place.ledger() as ledger:
        return bars_of(ledger.bars, ParquetBarStore(place.layout.bars), ledger.data_version())


def bars_in(*files: Path) -> Bars:
    return Bars.concat([read_bars(file, name=file.name).bars for file in files])


def facts(place: Installation, *arguments: str | Path, code: int = 0) -> Any:
    """Give what a command of bars prints, after holding it against its schema."""
    said = place.facts("bars", *arguments, code=code)
    schema = json.loads((SCHEMAS / f"bars-{arguments[0]}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(said)
    return said


@pytest.fixture
def place(installation_at: Make, market: SimulatedMarket, tmp_path: Path) -> Iterator[Installation]:
    """Give a running daemon that has taken in five files and a day, and compacted the first four."""
    made = installation_at(tmp_path / "regimed")
    made.init(CONFIGURATION)
    made.start()
    made.drop(*market.history)
    made.wait_until_idle()
    made.drop(market.next_day)
    made.wait_until_idle()
    yield made
    made.clean_up()


def test_bars_are_what_the_files_said_after_a_compaction_and_from_the_panel(
    place: Installation, market: SimulatedMarket
) -> None:
    expected = bars_in(*market.history, market.next_day)
    assert stored_bars(place) == expected
    (event,) = place.events("bars.compacted")
    assert (event.fields["data_version"], event.fields["deltas"]) == (4, 4)
    panel = open_panel(place.layout.panel)
    assert panel is not None
    assert (panel.data_version, panel.head.rows) == (6, 1)
    assert panel.bars() == expected


def test_a_restarted_daemon_goes_on_with_the_panel_that_is_there(
    place: Installation, market: SimulatedMarket
) -> None:
    before = place.layout.panel.stat()
    assert place.stop() == 0
    place.start()
    place.wait_until_idle()
    after = place.layout.panel.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    place.drop(market.day_after)
    place.wait_until_idle()
    panel = open_panel(place.layout.panel)
    assert panel is not None
    assert (place.layout.panel.stat().st_ino, panel.data_version) == (before.st_ino, 7)


@pytest.mark.parametrize("panel", ["with its panel", "without"])
def test_commands_answer_the_same_while_the_daemon_runs_stopped_and_killed(
    place: Installation, panel: str
) -> None:
    if panel == "without":
        place.layout.panel.unlink()
    commands = (["list"], ["show", "S001", "--last", "5"])
    running = [facts(place, *command) for command in commands]
    assert [row["symbol"] for row in running[0]["symbols"]] == ["S001", "S002", "S003", "^SIM", "^SIMVIX"]
    assert {row["missing"] for row in running[0]["symbols"]} == {0}
    assert (running[0]["data_version"], running[0]["deltas"], running[0]["retired_files"]) == (6, 2, 4)
    assert running[0]["year_files"] == 8
    assert len(running[1]["bars"]) == 5
    place.kill()
    assert [facts(place, *command) for command in commands] == running
    assert facts(place, "verify")["findings"] == []
    place.start()
    assert place.stop() == 0
    assert [facts(place, *command) for command in commands] == running


def test_tables_fit_into_a_narrow_terminal(place: Installation) -> None:
    for command in (["list"], ["show", "^SIM", "--last", "3"], ["show", "S001"], ["verify"]):
        done = place.regimed("bars", *command)
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= COLUMNS


def test_days_are_cut_as_asked(place: Installation) -> None:
    shown = facts(place, "show", "^SIM", "--from", "2012-01-02", "--to", "2012-01-31")["bars"]
    assert (shown[0]["date"], shown[-1]["date"], len(shown)) == ("2012-01-02", "2012-01-31", 22)
    assert [
        row["date"] for row in facts(place, "show", "^SIM", "--to", "2012-01-31", "--last", "2")["bars"]
    ] == [
        "2012-01-30",
        "2012-01-31",
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_exported_is_taken_in_again_as_known(
    place: Installation, suffix: str, tmp_path: Path
) -> None:
    out = tmp_path / f"out{suffix}"
    said = facts(place, "export", "--out", out)
    assert said == {
        "schema": 1,
        "file": str(out),
        "symbols": said["symbols"],
        "rows": len(stored_bars(place)),
    }
    assert bars_in(out) == stored_bars(place)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [out.name]
    place.regimed("ingest", out, check=True)
    place.wait_for("ingest.unchanged")
    facts(place, "export", "--out", out, "--symbol", "S001", "--symbol", "^SIM", "--from", "2012-01-02")
    bars = bars_in(out)
    assert (bars.symbols(), str(bars.date.min())) == (("S001", "^SIM"), "2012-01-02")


def test_before_there_are_bars_each_command_says_so(installation: Installation) -> None:
    installation.start()
    for command in (["list"], ["show", "S001"], ["verify"], ["export", "--out", "bars.csv"]):
        done = installation.regimed("bars", *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("regimed: there are no bars yet; drop price files into ")


def test_retired_files_are_deleted_when_their_days_are_over(place: Installation) -> None:
    assert place.stop() == 0
    place.layout.configuration.write_text(CONFIGURATION.replace("deltas_max = 3", "keep_retired_days = 0"))
    place.start()
    place.wait_for("bars.removed")
    place.wait_until_idle()
    said = facts(place, "list")
    assert (said["retired_files"], said["year_files"], said["deltas"]) == (0, 8, 2)
    assert len(list(place.layout.bars.iterdir())) == 10
    assert facts(place, "verify")["files"] == 10


# What is wrong with files is found


def first_live(place: Installation) -> Path:
    with place.ledger() as ledger:
        return place.layout.bars / ledger.bars.live_files()[0].part


def test_a_missing_file_is_found_and_named_by_whoever_needs_it(place: Installation) -> None:
    assert place.stop() == 0
    file = first_live(place)
    file.unlink()
    (finding,) = facts(place, "verify", code=1)["findings"]
    assert finding["file"] == file.name
    assert finding["sentence"].startswith("the file of data version 4 is missing; stop the daemon, restore")
    place.layout.panel.unlink()
    done = place.regimed("bars", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the bars {file.name} are missing or cannot be read" in done.stderr


def test_changed_bytes_are_found(place: Installation) -> None:
    assert place.stop() == 0
    content = bytearray(first_live(place).read_bytes())
    content[len(content) // 2] ^= 1
    first_live(place).write_bytes(content)
    (finding,) = facts(place, "verify", code=1)["findings"]
    assert finding["sentence"].startswith("its bytes are not those that it is named by; ")


def test_a_file_that_cannot_be_read_is_found(place: Installation) -> None:
    assert place.stop() == 0
    file = first_live(place)
    file.unlink()
    file.mkdir()
    (finding,) = facts(place, "verify", code=1)["findings"]
    assert "cannot be read" in finding["sentence"]


def test_a_panel_with_a_wrong_number_is_found(place: Installation) -> None:
    assert place.stop() == 0
    panel = open_panel(place.layout.panel)
    assert panel is not None
    content = bytearray(place.layout.panel.read_bytes())
    content[panel.head.base_at] ^= 1
    place.layout.panel.write_bytes(content)
    (finding,) = facts(place, "verify", code=1)["findings"]
    assert finding["file"] == str(place.layout.panel)
    assert finding["sentence"].startswith("it differs from the files; ")


def test_a_truncated_panel_is_not_used_and_made_anew_with_the_next_bars(
    place: Installation, market: SimulatedMarket
) -> None:
    expected = facts(place, "list")
    place.kill()
    os.truncate(place.layout.panel, 10_000)
    assert facts(place, "list") == expected
    assert facts(place, "verify") == {
        "schema": 1, "data_version": 6, "files": 14, "panel_version": None, "findings": [],
    }  # fmt: skip
    place.start()
    place.drop(market.day_after)
    place.wait_until_idle()
    assert facts(place, "verify")["panel_version"] == 7


# Lives with deaths


@pytest.mark.long
def test_a_life_that_is_killed_while_it_compacts_ends_with_the_same_bars(
    installation_at: Make, market: SimulatedMarket, tmp_path: Path
) -> None:
    made = installation_at(tmp_path / "killed")
    made.init(CONFIGURATION.replace("deltas_max = 3", "deltas_max = 1"))
    history = bars_in(*market.history)
    days = sorted(set(history.date.tolist()))
    files = []
    for number in range(12):
        file = tmp_path / f"{number}.csv"
        first, end = days[number * len(days) // 12], days[(number + 1) * len(days) // 12 - 1]
        kept = (history.date.astype(object) >= first) & (history.date.astype(object) <= end)
        write_csv(history.take(kept), file)
        files.append(file)
    for number, file in enumerate(files):
        made.begin()
        made.drop(file)
        made.wait_until(lambda number=number: has_version(made, number + 1), "the file to be stored")  # type: ignore[misc]  # bound now
        made.signal(signal.SIGKILL)
        made.ended(60)
    made.start()
    made.wait_until_idle()
    assert len(made.events("bars.compacted")) == 6
    assert stored_bars(made) == history
    said = facts(made, "verify")
    assert (said["findings"], said["data_version"], said["panel_version"]) == ([], 12, 12)


def has_version(place: Installation, version: int) -> bool:
    return any(event.fields["data_version"] == version for event in place.events("ingest.accepted"))
