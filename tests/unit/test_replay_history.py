"""What arrives in a replay, and when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.errors import UsageError
from daemon.formats import parse_bars, write_csv
from daemon.replay.history import History, known_at
from daemon.settings import IngestSettings, Settings
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = date(2024, 1, 4), date(2024, 1, 8)


def bars_of(symbol: str, days: list[str], price: float) -> Bars:
    return Bars.of_closes(symbol, days, [price + at for at in range(len(days))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spy = bars_of("SPY", ["2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], 100.0)
    qqq = bars_of("QQQ", ["2024-01-03", "2024-01-04", "2024-01-08"], 50.0)
    write_csv(spy, tmp_path / "spy.csv")
    write_csv(qqq, tmp_path / "qqq.csv")
    (tmp_path / "notes.txt").write_text("not bars\n")
    return tmp_path


def arrived(history: History) -> Bars:
    """Give what has arrived by the end of the replay, file after file."""
    arrivals = [*history.before(FIRST)]
    for day in history.days(FIRST, LAST):
        arrivals += history.of_day(day)
    return Bars.concat([parse_bars(each.content, name=each.name).bars for each in arrivals])


def test_every_bar_arrives_on_its_own_day_and_the_past_before_the_first(folder: Path) -> None:
    history = History.of_folder(folder, Settings())
    (early,) = history.before(FIRST)
    assert set(parse_bars(early.content, name=early.name).bars.date.astype(str)) == {"2024-01-03"}
    for day in history.days(FIRST, LAST):
        (arrival,) = history.of_day(day)
        bars = parse_bars(arrival.content, name=arrival.name).bars
        assert set(bars.date.tolist()) == {day}
        assert arrival.name == f"{day}.csv"
    assert history.days(FIRST, LAST) == (date(2024, 1, 4), date(2024, 1, 5), date(2024, 1, 8))


def test_what_has_arrived_is_what_the_folder_holds_to_the_bit_and_nothing_later(folder: Path) -> None:
    history = History.of_folder(folder, Settings())
    wanted = history.bars.take(history.bars.date <= np.datetime64(LAST))
    found = arrived(history)
    assert found.symbol.tolist() == wanted.symbol.tolist()
    for name in ("date", *BAR_FIELDS):
        assert np.array_equal(getattr(found, name), getattr(wanted, name), equal_nan=name != "date")


def test_a_file_in_a_folder_named_by_a_day_arrives_on_that_day_as_it_is(folder: Path) -> None:
    split = bars_of("SPY", ["2024-01-03", "2024-01-04"], 25.0)
    (folder / "2024-01-06").mkdir()
    write_csv(split, folder / "2024-01-06" / "spy split.csv")
    history = History.of_folder(folder, Settings())
    assert date(2024, 1, 6) in history.days(FIRST, LAST)
    (arrival,) = history.of_day(date(2024, 1, 6))
    assert arrival.content == (folder / "2024-01-06" / "spy split.csv").read_bytes()
    then = parse_bars(next(iter(history.of_day(FIRST))).content, name="x.csv").bars
    assert then.of_symbol("SPY").close.tolist() == [101.0], "the correction was not known that day"


def test_a_correction_of_before_the_first_day_arrives_behind_what_it_corrects(folder: Path) -> None:
    (folder / "2024-01-02").mkdir()
    write_csv(bars_of("SPY", ["2024-01-03"], 7.0), folder / "2024-01-02" / "early.csv")
    names = [arrival.name for arrival in History.of_folder(folder, Settings()).before(FIRST)]
    assert names == ["earlier.csv", "early.csv"]


def test_a_reader_is_told_what_was_left_out_and_which_days_are_missing(folder: Path) -> None:
    notes = History.of_folder(folder, Settings()).notes(FIRST, LAST, index="SPY")
    assert notes[0].startswith("notes.txt was left out: ")
    assert notes[1] == "Days without a bar between a symbol's first and last: QQQ 1."


def test_symbols_are_left_out_and_renamed_as_asked(folder: Path) -> None:
    settings = Settings(ingest=IngestSettings(symbols={"QQQ": "^NDX"}))
    assert History.of_folder(folder, settings).bars.symbols() == ("SPY", "^NDX")
    assert History.of_folder(folder, settings, without=["^NDX"]).bars.symbols() == ("SPY",)


def test_the_fingerprint_changes_with_any_bar_and_any_correction(folder: Path) -> None:
    prints = [History.of_folder(folder, Settings()).fingerprint()]
    write_csv(bars_of("QQQ", ["2024-01-03", "2024-01-04", "2024-01-08"], 50.5), folder / "qqq.csv")
    prints.append(History.of_folder(folder, Settings()).fingerprint())
    (folder / "2024-01-05").mkdir()
    write_csv(bars_of("QQQ", ["2024-01-03"], 51.0), folder / "2024-01-05" / "qqq.csv")
    prints.append(History.of_folder(folder, Settings()).fingerprint())
    assert len(set(prints)) == 3
    assert prints[-1] == History.of_folder(folder, Settings()).fingerprint()


@pytest.mark.parametrize(("name", "said"), [("nowhere", "cannot be read"), ("empty", "holds no bars")])
def test_a_folder_without_bars_is_refused_with_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=said):
        History.of_folder(tmp_path / name, Settings())


def test_bars_are_there_after_the_close_in_winter_and_in_summer() -> None:
    assert known_at(date(2024, 1, 5), "XNYS", "America/New_York").hour == 21
    assert known_at(date(2024, 7, 5), "XNYS", "America/New_York").hour == 20
