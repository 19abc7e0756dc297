"""History through the daemon: the same bytes each time, nothing of tomorrow, and no harm from a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator

from daemon.adapters.ledger import REACHED
from daemon.adapters.lock import DaemonLock
from daemon.cli import main
from daemon.layout import REPLAYED, Layout
from daemon.status import read_status
from registry.readonly import open_read_only
from tests.conftest import CHECKOUT, LIMIT_S, POLL_S, json_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = list[tuple[Any, ...]]

pytestmark = pytest.mark.slow
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
CONFIGURATION: Final = """
[markets.sim]
index = "^SIM"
fear = "^SIMVIX"
calendar = "weekdays"
[training]
models = ["logistic_regression"]
quorum = 1
fold_years = 1
train_years_min = 1.5
processes = 1
ablation = false
[schedule]
every_weeks = 4
"""
FIRST: Final = "2013-07-10"
LAST: Final = "2013-08-23"
SESSIONS: Final = 33
SLOTS: Final = ("2013-07-14T01:00:00+00:00", "2013-08-11T01:00:00+00:00")
"""Every fourth Saturday, 21:00 in New York."""
SERVED_FROM: Final = "2013-07-12"
"""The Friday before the first slot: the new champion predicts at once, before the close of Monday."""
KNOWN: Final = "2013-08-14"
"""The last day that two histories have in common; both versions have predicted by then."""
AFTER: Final = "2013-08-15"
CORRECTED: Final = ("2013-06-03", "2013-06-28")
OTHER_LAST: Final = "2013-08-19"
KEPT_OF_EACH_DAY: Final = {
    "events": "SELECT at, name, fields FROM events WHERE at < ? ORDER BY id",
    "predictions": "SELECT * FROM predictions WHERE made_at < ? ORDER BY made_at, version, symbol, day",
    "labels": "SELECT day, regime, reason, pending FROM labels JOIN parts USING (data_version) WHERE at < ?"
    " ORDER BY day, data_version",
    "final labels": "SELECT day, regime FROM final_labels JOIN parts USING (data_version) WHERE at < ?"
    " ORDER BY day, data_version",
    "trials": "SELECT id, kind, version, against, opened_at FROM trials WHERE opened_at < ?",
    "readings": "SELECT readings.* FROM readings JOIN parts USING (data_version) WHERE at < ?",
    "runs": "SELECT * FROM runs WHERE opened_at < ? ORDER BY opened_at",
}
"""What a journal held at a time."""
DECIDED: Final = {
    "versions": "SELECT * FROM versions WHERE registered_at < ?",
    "reports": "SELECT * FROM reports WHERE at < ?",
    "events": "SELECT * FROM events WHERE at < ?",
}
"""What a registry held at a time."""


class Replayed:
    """A simulated market, and the directory in which it was replayed."""

    def __init__(self, world: Path, into: Path) -> None:
        self.world = world
        self.layout = Layout(into)

    def arguments(self, into: Path, *more: str | Path, data: Path | None = None) -> list[str | Path]:
        """Give the arguments of a replay of the same plan."""
        data = data or self.world / "bars"
        return ["replay", "--data", data, "--config", self.world / "config.toml", "--into", into, *more]

    @property
    def report(self) -> bytes:
        """The document as it was written."""
        return (self.layout.root / "report" / "report.json").read_bytes()

    @property
    def document(self) -> Any:
        """The document as it is read."""
        return json_of(self.report.decode())


def rows_of(path: Path, query: str, *values: str) -> Rows:
    with closing(open_read_only(path)) as connection:
        return connection.execute(query, values).fetchall()


def everything_in(layout: Layout) -> list[str]:
    """Give every row of every table of the journal and the registry, as SQL."""
    found = []
    for path in (layout.journal, layout.registry / "registry.db"):
        with closing(open_read_only(path)) as connection:
            found += sorted(connection.iterdump())
    return found


def report_of(folder: Path) -> dict[str, bytes]:
    """Give every file of a report by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def validate(name: str, facts: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(facts)


@pytest.fixture(scope="module")
def replayed(regimed: Run, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Give a market whose last two months were replayed; it is shared, so tests only read it."""
    world = tmp_path_factory.mktemp("world")
    asked = ("--symbols", "3", "--days", "960", "--start", "2010-01-04", "--seed", "8")
    regimed("simulate", "--out", world, *asked, check=True)
    (world / "config.toml").write_text(CONFIGURATION, encoding="utf-8")
    place = Replayed(world, world / "replay")
    done = regimed(*place.arguments(place.layout.root, "--from", FIRST, "--to", LAST))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Replay of sim, {FIRST} to {LAST}: +10 % before -5 % within 14 closes\n")
    return place


@pytest.fixture(scope="module")
def other_future(replayed: Replayed, regimed: Run) -> Layout:
    """Give a replay of a market that is the same up to a day, and is another after it.

    The day after, a file arrives that corrects a month of the fear index.
    """
    data = replayed.world / "other"
    (data / AFTER).mkdir(parents=True)
    for path in sorted((replayed.world / "bars").iterdir()):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        told = [row if row.split(",")[1] <= KNOWN else _lowered(row) for row in rows]
        (data / path.name).write_text("\n".join([header, *told, ""]), encoding="utf-8")
        if path.name == "^SIMVIX.csv":
            june = [row for row in rows if CORRECTED[0] <= row.split(",")[1] <= CORRECTED[1]]
            text = "\n".join([header, *map(_frightened, june), ""])
            (data / AFTER / "fear.csv").write_text(text, encoding="utf-8")
    layout = Layout(replayed.world / "other replay")
    done = regimed(*replayed.arguments(layout.root, "--from", FIRST, "--to", OTHER_LAST, data=data))
    assert done.returncode == 0, done.stderr
    return layout


def _lowered(row: str) -> str:
    symbol, day, *prices, volume = row.split(",")
    return ",".join([symbol, day, *(price and f"{0.93 * float(price):.4f}" for price in prices), volume])


def _frightened(row: str) -> str:
    symbol, day, *prices, volume = row.split(",")
    return ",".join([symbol, day, *(price and "40.0" for price in prices), volume])


# What comes out


def test_the_report_is_written_whole(replayed: Replayed) -> None:
    files = report_of(replayed.layout.root / "report")
    assert {"report.json", "report.html"} < files.keys()
    assert [name for name in files if name.startswith("figures/") and name.endswith(".svg")]
    assert [name for name, content in files.items() if not content] == []
    validate("replay", replayed.document)


def test_the_document_counts_what_was_done(replayed: Replayed) -> None:
    document = replayed.document
    assert (document["kind"], document["range"]) == (
        "replay",
        {"from": FIRST, "to": LAST, "sessions": SESSIONS},
    )
    counts = document["counts"]
    assert (counts["retrains"], counts["versions"], counts["champions"], counts["failed_runs"]) == (
        2,
        2,
        1,
        0,
    )
    assert counts["late"] == 0
    (champion,) = document["champions"]
    assert champion["version"] == "v1"
    verdicts = {verdict["version"]: verdict["verdict"] for verdict in document["verdicts"]}
    assert verdicts["v1"] == "BOOTSTRAP"
    days = [day for day in document["series"]["day"] if day >= SERVED_FROM]
    assert counts["predictions"] == len(days) * 4 == counts["matured"] + counts["waiting"]
    assert counts["waiting"] == 14 * 4, "the outcome of the last fourteen sessions is not known yet"


def test_versions_are_trained_in_the_slots_of_the_schedule_and_nowhere_else(replayed: Replayed) -> None:
    runs = rows_of(replayed.layout.journal, "SELECT opened_at, trigger FROM runs ORDER BY opened_at")
    assert runs == [(slot, "schedule") for slot in SLOTS]


def test_every_prediction_was_made_after_the_close_and_before_the_next(replayed: Replayed) -> None:
    made = rows_of(replayed.layout.journal, "SELECT day, made_at, version FROM predictions")
    assert len(made) == (31 + 11) * 4
    for day, at, version in made:
        begins = SLOTS[int(version[1:]) - 1]
        assert at == (f"{day}T20:20:00+00:00" if at > begins else begins)
        assert datetime.fromisoformat(at) - datetime.fromisoformat(f"{day}T20:00:00Z") < timedelta(days=2)


def said(place: Replayed, *command: str, code: int = 0) -> str:
    """Give what a command prints with ``--json``, in this process."""
    with redirect_stdout(StringIO()) as out:
        assert main([*command, "--json", "--dir", str(place.layout.root)]) == code
    return out.getvalue()


def test_commands_read_a_replayed_directory_as_any_other(replayed: Replayed) -> None:
    status = json_of(said(replayed, "status", code=3))
    validate("status", status)
    assert status["champion"]["version"] == "v1"
    assert status["now"].startswith(LAST)
    assert status["reasons"][0]["problem"] == (
        f"the days of this directory were replayed up to {LAST}; no daemon runs in it"
    )
    validate("models-history", json_of(said(replayed, "models", "history")))
    events = json_of(said(replayed, "events", "--limit", "0", "--name", "gate."))
    validate("events", events)
    assert [event["name"] for event in events["events"]] == ["gate.promoted", "gate.refused"]
    assert said(replayed, "report").encode() == replayed.report


# The same each time


def test_another_replay_gives_the_same_bytes_and_prints_them(replayed: Replayed, regimed: Run) -> None:
    into, report = replayed.world / "again", replayed.world / "its report"
    done = regimed(*replayed.arguments(into, "--from", FIRST, "--to", LAST, "--report", report, "--json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode() == replayed.report
    assert report_of(report) == report_of(replayed.layout.root / "report")
    assert everything_in(Layout(into)) == everything_in(replayed.layout)
    assert not (into / "report").exists()
    replays = [json.loads((root / REPLAYED).read_text()) for root in (into, replayed.layout.root)]
    assert replays[0] == replays[1]


def test_a_replay_that_was_killed_goes_on_to_the_same_bytes(replayed: Replayed, regimed: Run) -> None:
    layout = Layout(replayed.world / "killed")
    arguments = replayed.arguments(layout.root, "--from", FIRST, "--to", LAST)
    open_run = "SELECT 1 FROM runs WHERE outcome = 'running'"
    late_day = "SELECT 1 FROM facts WHERE name = ? AND value > ?"
    kill_when(layout, arguments, open_run)
    kill_when(layout, arguments, late_day, REACHED, KNOWN)
    so_far = json_of(regimed("report", "--json", "--dir", layout.root).stdout)["range"]["to"]
    assert KNOWN <= so_far < LAST
    assert not (layout.root / "report").exists()
    done = regimed(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"going on with the replay in {layout.root}" in done.stderr
    assert report_of(layout.root / "report") == report_of(replayed.layout.root / "report")
    assert everything_in(layout) == everything_in(replayed.layout)


def kill_when(layout: Layout, arguments: list[str | Path], query: str, *values: str) -> None:
    """Run a replay, kill it once a query of its journal finds something, and see that no child stays."""
    process = subprocess.Popen(
        [sys.executable, "-m", "regimed", *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    ends_at = time.monotonic() + LIMIT_S
    while not finds(layout, query, *values):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < ends_at
        time.sleep(POLL_S)
    why = read_status(layout, datetime(2026, 1, 1, tzinfo=UTC)).reasons[0].problem
    assert why.startswith("the days of this directory are being replayed")
    family = descendants(process.pid)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in family):
        assert time.monotonic() < ends_at, "a child outlived the replay"
        time.sleep(POLL_S)


def finds(layout: Layout, query: str, *values: str) -> bool:
    try:
        return bool(rows_of(layout.journal, query, *values))
    except (FileNotFoundError, sqlite3.OperationalError):
        return False  # it is just starting


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [each for child in map(int, children) for each in (child, *descendants(child))]


# Nothing of tomorrow


@pytest.mark.parametrize("what", sorted(KEPT_OF_EACH_DAY))
def test_what_comes_after_a_day_changes_nothing_before(
    what: str, replayed: Replayed, other_future: Layout
) -> None:
    ours, theirs = (
        rows_of(layout.journal, KEPT_OF_EACH_DAY[what], AFTER) for layout in (replayed.layout, other_future)
    )
    assert ours == theirs
    assert ours


@pytest.mark.parametrize("what", sorted(DECIDED))
def test_what_comes_after_a_day_changes_no_decision_before(
    what: str, replayed: Replayed, other_future: Layout
) -> None:
    ours, theirs = (
        rows_of(layout.registry / "registry.db", DECIDED[what], AFTER)
        for layout in (replayed.layout, other_future)
    )
    assert ours == theirs
    assert ours


def test_another_future_is_seen_once_it_is_there(replayed: Replayed, other_future: Layout) -> None:
    query = "SELECT * FROM predictions WHERE day = ? ORDER BY version, symbol"
    ours, theirs = (rows_of(layout.journal, query, AFTER) for layout in (replayed.layout, other_future))
    assert len(ours) == len(theirs) == 8
    assert ours != theirs


def test_a_correction_is_taken_and_labelled_on_the_day_it_arrives(other_future: Layout) -> None:
    arrives = f"{AFTER}T20:20:00+00:00"
    taken = rows_of(
        other_future.journal, "SELECT name, status, first_day, last_day FROM files WHERE at = ?", arrives
    )
    assert sorted(taken) == [(f"{AFTER}.csv", "taken", AFTER, AFTER), ("fear.csv", "taken", *CORRECTED)]
    revised = rows_of(other_future.journal, "SELECT day, at FROM label_revisions")
    assert {at for _, at in revised} == {arrives}
    assert [day for day, _ in revised if CORRECTED[0] <= day <= CORRECTED[1]]


# What is refused


def refusal(arguments: list[str | Path]) -> str:
    """Give the one sentence that a refusal is; the command runs in this process."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as errors:
        code = main([str(each) for each in arguments])
    assert (code, out.getvalue()) == (2, "")
    (line,) = errors.getvalue().splitlines()
    return line.removeprefix("regimed: ")


WITHIN: Final = "within the data, which begin on 2010-01-04 and end on 2013-09-06"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], f"name the first day with --from, {WITHIN}"),
        (["--from", "July"], "--from 'July' is no day; write it like 2007-01-31"),
        (["--from", "2013-08-01", "--to", "2013-07-01"], "--from 2013-08-01 is after --to 2013-07-01; swap"),
        (["--from", "2013-08-01", "--to", "2014-01-01"], f"--to 2014-01-01 is not {WITHIN}"),
        (["--from", "2014-08-01"], f"--from 2014-08-01 is not {WITHIN}"),
        (["--from", "2001-08-01"], f"--from 2001-08-01 is not {WITHIN}"),
        (["--from", FIRST, "--without", "^SIM"], "the index of market 'sim' is ^SIM, which --without leaves"),
        (
            ["--from", FIRST, "--without", "ABC", "S001"],
            "--without names ABC, of which there are no bars; t",
        ),
        (
            ["--from", FIRST, "--report", "{world}"],
            "{world} is not empty and holds no earlier report; name a",
        ),
        (["--from", FIRST, "--into", "{world}"], "{world} is not empty and holds no replay; name a new"),
        (["--from", FIRST, "--into", "{world}/config.toml"], "{world}/config.toml is a file; name a folder"),
        (["--from", FIRST, "--into", "{world}", "--again"], "{world} holds no replay, so nothing in it is"),
        (
            ["--from", AFTER, "--to", LAST, "--into", "{world}/replay"],
            "{world}/replay holds a replay of other first; name",
        ),
        (["--from", FIRST, "--data", "{world}"], "{world} holds no bars (3 files were looked at); name a"),
        (["--from", FIRST, "--data", "{world}/no"], "{world}/no cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_replayed_is_a_sentence_and_leaves_nothing(
    arguments: list[str], said: str, replayed: Replayed, tmp_path: Path
) -> None:
    before = report_of(replayed.world)
    told = [each.format(world=replayed.world) for each in arguments]
    sentence = refusal([*replayed.arguments(tmp_path / "new"), *told])
    assert sentence.startswith(said.format(world=replayed.world))
    assert not (tmp_path / "new").exists()
    assert report_of(replayed.world) == before


def test_a_directory_that_was_cut_short_while_it_was_laid_out_is_taken_up(
    replayed: Replayed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "cut-short"
    place.mkdir()
    shutil.copy(replayed.layout.root / "replay.json", place)
    code = main([str(each) for each in replayed.arguments(place, "--from", FIRST, "--to", "2013-07-11")])
    said = capsys.readouterr().err
    assert code == 2
    assert "holds a replay of other last" in said
    plan = json.loads((place / "replay.json").read_text())
    (place / "replay.json").write_text(json.dumps({**plan, "last": "2013-07-11"}))
    code = main([str(each) for each in replayed.arguments(place, "--from", FIRST, "--to", "2013-07-11")])
    said = capsys.readouterr().err
    assert code == 2
    assert f"going on with the replay in {place}" in said
    assert "no version has served" in said
    assert (place / "config.toml").read_text() == (replayed.layout.root / "config.toml").read_text()


def test_a_directory_without_bars_asks_for_data(tmp_path: Path) -> None:
    said = refusal(["replay", "--from", FIRST, "--into", tmp_path / "new", "--dir", tmp_path])
    assert said == f"no daemon has run in {tmp_path}; name a folder of bar files with --data"
    assert list(tmp_path.iterdir()) == []


def test_a_replay_in_which_no_version_served_says_so_and_has_no_report(
    replayed: Replayed, regimed: Run, tmp_path: Path
) -> None:
    place = tmp_path / "short"
    done = regimed(*replayed.arguments(place, "--from", FIRST, "--to", "2013-07-11"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"regimed: no version has served in {place} yet, so there is nothing to report;"
        f" see: regimed models list --dir {place}\n"
    )
    assert not (place / "report").exists()


def test_a_training_that_fails_is_told_at_once_and_all_of_them_at_the_end(
    replayed: Replayed, regimed: Run, tmp_path: Path
) -> None:
    wants_more = tmp_path / "config.toml"
    wants_more.write_text(CONFIGURATION.replace("train_years_min = 1.5", "train_years_min = 9"))
    arguments = replayed.arguments(tmp_path / "into", "--from", FIRST, "--to", "2013-07-16")
    done = regimed(*arguments, "--config", wants_more)
    assert done.returncode == 2
    failed = (
        f"training r1 of {SLOTS[0][:10]} failed: it ended with exit code 1: regime.errors.HistoryTooShort"
    )
    first, last, _ = done.stderr.splitlines()
    assert first.startswith(failed)
    assert first.endswith("make do with less by fold_years and train_years_min; the replay goes on")
    assert last.startswith(f"1 of 1 trainings failed; {failed}")


def test_a_replay_that_is_going_on_is_not_begun_again(
    replayed: Replayed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "held"
    shutil.copytree(replayed.layout.root, place)
    lock = DaemonLock.acquire(Layout(place).lock)
    try:
        code = main([str(each) for each in replayed.arguments(place, "--from", FIRST, "--again")])
    finally:
        lock.release()
    assert code == 1
    assert "already runs the daemon of" in capsys.readouterr().err
    assert report_of(place) == report_of(replayed.layout.root)
