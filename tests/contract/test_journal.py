"""The journal: what every message may rely on, in a file and in memory alike.

A message has a unique key, waits in the order in which it came, and is finished in one transaction with
everything that follows from it.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from daemon.adapters.journal import LOGGED_THROUGH, Journal, Pending
from daemon.adapters.schema import MIGRATIONS
from daemon.errors import DiskFullError, JournalError, JournalTooNewError
from daemon.messages import BarsArrived, FileArrived, Lane, Message, ScoringDue
from daemon.records import (
    DayScored,
    Event,
    FeedPolled,
    FileQuarantined,
    FileTaken,
    LabelsStored,
    Outcome,
    PartStored,
    RunClosed,
    RunOpened,
    StoredPrediction,
    StoredReading,
)
from daemon.stored_label import LabelRevision, StoredFinal, StoredLabel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LANES = tuple(Lane)
PIPES: dict[str, Any] = {
    "stdin": subprocess.PIPE,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "text": True,
}
OPEN_WHEN_TOLD = """
import sys
from daemon.adapters.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
Journal(sys.argv[1]).close()
"""


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db" if request.param == "file" else ":memory:")) as opened:
        yield opened


def file_arrived(name: str) -> FileArrived:
    return FileArrived(sha256=f"sha of {name}", name=name, size_bytes=100)


def scoring_due(version: int) -> ScoringDue:
    return ScoringDue(data_version=version, champion="v1")


def part(version: int) -> PartStored:
    return PartStored(
        data_version=version,
        part=f"{version}.parquet",
        symbols=("SPY",),
        rows=1,
        first_day="2024-02-29",
        last_day="2024-02-29",
    )


def append(journal: Journal, *messages: Message) -> tuple[bool, ...]:
    return journal.append(messages, now=NOON)


def take(journal: Journal, at: datetime = NOON) -> Pending:
    pending = journal.next(LANES, now=at)
    assert pending is not None
    return pending


def test_a_message_comes_back_as_it_was_appended(journal: Journal) -> None:
    append(journal, file_arrived("spy.csv"))
    pending = take(journal)
    assert pending.message == file_arrived("spy.csv")
    assert pending.attempts == 0


def test_an_empty_journal_gives_nothing(journal: Journal) -> None:
    assert journal.next(LANES, now=NOON) is None
    assert journal.ledger.pending_counts() == {}
    assert journal.ledger.oldest_pending_at() is None


def test_a_key_is_appended_once_even_after_its_message_is_done(journal: Journal) -> None:
    assert append(journal, file_arrived("a"), file_arrived("b"), file_arrived("a")) == (True, True, False)
    journal.finish(take(journal), Outcome(), now=NOON)
    assert append(journal, file_arrived("a")) == (False,)
    assert journal.ledger.pending_counts() == {"file_arrived": 1}


def test_messages_of_the_asked_lanes_come_in_the_order_in_which_they_were_appended(journal: Journal) -> None:
    append(journal, scoring_due(1), file_arrived("a"), scoring_due(2), file_arrived("b"))
    order = []
    while (pending := journal.next([Lane.LOOP], now=NOON)) is not None:
        order.append(pending.message)
        journal.finish(pending, Outcome(), now=NOON)
    assert order == [file_arrived("a"), file_arrived("b")]
    scoring = journal.next([Lane.SCORE, Lane.TRAIN], now=NOON)
    assert scoring is not None
    assert scoring.message == scoring_due(1)


def test_a_message_stays_the_oldest_until_it_is_finished(journal: Journal) -> None:
    append(journal, file_arrived("a"), file_arrived("b"))
    assert take(journal) == take(journal)


def test_follow_ups_stand_behind_everything_that_waits(journal: Journal) -> None:
    append(journal, file_arrived("a"), file_arrived("b"))
    bars = BarsArrived(data_version=1, symbols=("SPY",), first_day="2024-02-29")
    journal.finish(take(journal), Outcome(records=(part(1),), follow_ups=(bars,)), now=NOON)
    assert take(journal).message == file_arrived("b")
    journal.finish(take(journal), Outcome(), now=NOON)
    assert take(journal).message == bars


def test_finishing_applies_records_events_and_follow_ups_together(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    event = Event(name="ingest.accepted", fields={"name": "a"})
    outcome = Outcome(records=(part(1),), events=(event,), follow_ups=(scoring_due(1),))
    stored = journal.finish(take(journal), outcome, now=NOON)
    assert [(each.id, each.name, each.fields) for each in stored] == [(1, "ingest.accepted", {"name": "a"})]
    assert journal.ledger.events() == stored
    assert journal.ledger.data_version() == 1
    assert journal.ledger.pending_counts() == {"scoring_due": 1}


@pytest.mark.parametrize(
    "broken",
    [
        Outcome(records=(part(1), part(1)), events=(Event(name="first"),), follow_ups=(scoring_due(1),)),
        Outcome(records=(part(2),), events=(Event(name="first"), Event(name="x", fields={"is": object()}))),
        Outcome(records=(part(2),), follow_ups=(scoring_due(1), Message())),
    ],
    ids=["a record that breaks a rule", "an event that is no JSON", "a message of no kind"],
)
def test_an_exception_while_applying_an_outcome_leaves_everything_as_before(
    journal: Journal, broken: Outcome
) -> None:
    append(journal, file_arrived("a"))
    before = take(journal)
    with pytest.raises((sqlite3.IntegrityError, TypeError, KeyError, AttributeError)):
        journal.finish(before, broken, now=NOON)
    assert take(journal) == before
    assert journal.ledger.data_version() == 0
    assert journal.ledger.events() == ()
    assert journal.ledger.pending_counts() == {"file_arrived": 1}
    journal.finish(before, Outcome(records=(part(1),)), now=NOON)
    assert journal.ledger.data_version() == 1


def test_a_postponed_message_lets_others_pass_until_its_time_has_come(journal: Journal) -> None:
    append(journal, file_arrived("a"), file_arrived("b"))
    journal.postpone(take(journal), "no room", until=NOON + MINUTE, counted=False)
    assert take(journal).message == file_arrived("b")
    assert take(journal, NOON + MINUTE).message == file_arrived("a")
    assert take(journal, NOON + MINUTE).attempts == 0


def test_a_counted_postponement_uses_up_an_attempt(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    journal.postpone(take(journal), "bad luck", until=NOON, counted=True)
    journal.postpone(take(journal), "bad luck", until=NOON, counted=True)
    assert take(journal).attempts == 2


def test_a_clock_that_is_set_back_keeps_no_new_message_waiting(journal: Journal) -> None:
    journal.append([file_arrived("a")], now=NOON + timedelta(days=365))
    assert take(journal).message == file_arrived("a")


def test_a_buried_message_is_a_dead_letter_with_its_error_and_leaves_its_outcome(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    stored = journal.bury(
        take(journal), "ValueError: no", Outcome(events=(Event(name="message.dead"),)), now=NOON
    )
    assert [event.name for event in stored] == ["message.dead"]
    assert journal.next(LANES, now=NOON + timedelta(days=365)) is None
    (letter,) = journal.ledger.dead_letters()
    assert (letter.key, letter.kind, letter.error) == ("file:sha of a", "file_arrived", "ValueError: no")
    assert letter.finished_at == NOON.isoformat()


def test_a_dead_letter_can_be_revived_once_with_all_its_attempts(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    journal.postpone(take(journal), "bad luck", until=NOON, counted=True)
    journal.bury(take(journal), "worse luck", Outcome(), now=NOON)
    (letter,) = journal.ledger.dead_letters()
    assert journal.revive(letter.id, now=NOON)
    assert not journal.revive(letter.id, now=NOON)
    assert take(journal).attempts == 0
    assert journal.ledger.dead_letters() == ()


def test_only_a_dead_letter_can_be_revived(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    waiting = take(journal)
    assert not journal.revive(waiting.id, now=NOON)
    journal.finish(waiting, Outcome(), now=NOON)
    assert not journal.revive(waiting.id, now=NOON)
    assert not journal.revive(999, now=NOON)


def test_noted_events_and_facts_need_no_message(journal: Journal) -> None:
    (stored,) = journal.note([Event(name="daemon.started", fields={"pid": 7})], now=NOON)
    assert journal.ledger.events() == (stored,)
    assert journal.ledger.last_event_id() == stored.id
    journal.set_fact("starts", "1")
    journal.set_fact("starts", "2")
    assert journal.ledger.fact("starts") == "2"
    assert journal.ledger.fact("other") is None


def test_events_can_be_asked_for_by_name_and_number(journal: Journal) -> None:
    journal.note([Event(name=f"feed.{name}") for name in ("polled", "failed", "polled")], now=NOON)
    journal.note([Event(name="scoring.done")], now=NOON)
    names = [event.name for event in journal.ledger.events(after_id=1, name="feed.")]
    assert names == ["feed.failed", "feed.polled"]
    assert [event.id for event in journal.ledger.events(limit=2)] == [3, 4]


def test_every_kind_of_record_can_be_read_back(journal: Journal) -> None:
    label = StoredLabel(day="2024-02-29", regime="normal", reason="calm", pending=None)
    probabilities = {"sell": 0.2, "hold": 0.3, "buy": 0.5}
    prediction = StoredPrediction(
        version="v1", symbol="SPY", day="2024-02-29", regime="normal", probabilities=probabilities
    )
    reading = StoredReading(
        monitor="mix", reference="abc", day="2024-02-29", level="warn",
        statistic=1.5, threshold=None, effective_n=20.0, detail={"tested": 3},
    )  # fmt: skip
    records = (
        FileTaken(
            sha256="a", name="a.csv", size_bytes=9, format="stooq_csv", symbols=("SPY",),
            rows=1, first_day="2024-02-29", last_day="2024-02-29",
        ),
        FileQuarantined(sha256="b", name="b.csv", size_bytes=9, code="header", sentence="no header"),
        part(1),
        LabelsStored(
            market="us", labeler="rules-1", data_version=1, labels=(label,),
            through_day="2024-02-29", state="{}",
        ),
        RunOpened(run_id="r1", job="retrain", trigger="manual", period="now", data_version=1),
        RunClosed(run_id="r1", outcome="failed", reason="killed", version=None),
        DayScored(data_version=1, predictions=(prediction,), readings=(reading,), states={"mix": "AAA="}),
        FeedPolled(feed="cboe_vix", cursor="{}", last_day="2024-02-29", error=None, is_stale=False),
        FeedPolled(feed="cboe_vix", cursor=None, last_day=None, error="down", is_stale=True),
    )  # fmt: skip
    append(journal, file_arrived("a"))
    journal.finish(take(journal), Outcome(records=records), now=NOON)

    ledger = journal.ledger
    assert [(file.name, file.status, file.code) for file in ledger.files()] == [
        ("a.csv", "taken", None),
        ("b.csv", "quarantined", "header"),
    ]
    assert [each.part for each in ledger.parts()] == ["1.parquet"]
    assert ledger.labels("us", "rules-1") == (label,)
    state = ledger.labeler_state("us")
    assert state is not None
    assert (state.through_day, state.data_version) == ("2024-02-29", 1)
    assert [(run.id, run.outcome, run.reason) for run in ledger.runs()] == [("r1", "failed", "killed")]
    assert [each["probabilities"] for each in ledger.predictions()] == [probabilities]
    assert [(each["level"], each["threshold"], each["detail"]) for each in ledger.readings()] == [
        ("warn", None, {"tested": 3})
    ]
    assert ledger.monitor_states() == {"mix": "AAA="}
    feed = ledger.feed("cboe_vix")
    assert feed is not None
    assert (feed.last_day, feed.ok_at, feed.error) == ("2024-02-29", NOON.isoformat(), "down")
    assert feed.is_stale


def test_labels_of_an_earlier_data_version_stay_readable_after_a_revision(journal: Journal) -> None:
    for version, regime in ((1, "normal"), (2, "crash")):
        append(journal, scoring_due(version))
        label = StoredLabel(day="2024-02-29", regime=regime, reason="", pending=None)
        stored = LabelsStored(
            market="us",
            labeler="rules",
            data_version=version,
            labels=(label,),
            through_day="2024-02-29",
            state="{}",
        )
        journal.finish(take(journal), Outcome(records=(part(version), stored)), now=NOON)
    assert [label.regime for label in journal.ledger.labels("us", "rules", through=1)] == ["normal"]
    assert [label.regime for label in journal.ledger.labels("us", "rules")] == ["crash"]


def test_finals_of_an_earlier_data_version_stay_readable_and_one_may_be_open_again(journal: Journal) -> None:
    days = ("2024-02-28", "2024-02-29")
    for version, regime, withdrawn in ((1, "normal", ()), (2, "crash", ("2024-02-29",))):
        append(journal, scoring_due(version))
        stored = LabelsStored(
            market="us",
            labeler="rules",
            data_version=version,
            labels=(),
            through_day="2024-02-29",
            state="{}",
            finals=tuple(StoredFinal(day, regime) for day in days if day not in withdrawn),
            withdrawn=withdrawn,
            revisions=tuple(LabelRevision(day, "final", "normal", None, "bar_restated") for day in withdrawn),
        )
        journal.finish(take(journal), Outcome(records=(part(version), stored)), now=NOON)
    finals = journal.ledger.finals
    assert finals.labels("us", "rules", through=1) == (
        StoredFinal("2024-02-28", "normal"),
        StoredFinal("2024-02-29", "normal"),
    )
    assert finals.labels("us", "rules") == (StoredFinal("2024-02-28", "crash"),)
    assert [revision[:6] for revision in finals.revisions("us")] == [
        ("2024-02-29", "rules", 2, "final", "normal", None)
    ]


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.db")) as first:
        append(first, file_arrived("a"), file_arrived("b"))
        first.finish(
            take(first), Outcome(records=(part(1),), events=(Event(name="ingest.accepted"),)), now=NOON
        )
        first.logged_through(1)
    with closing(Journal(tmp_path / "journal.db")) as second:
        assert take(second).message == file_arrived("b")
        assert append(second, file_arrived("a")) == (False,)
        assert [event.name for event in second.ledger.events()] == ["ingest.accepted"]
        assert second.ledger.data_version() == 1
        assert second.ledger.fact(LOGGED_THROUGH) == "1"


def test_a_second_connection_sees_nothing_of_an_unfinished_transaction(tmp_path: Path) -> None:
    with (
        closing(Journal(tmp_path / "journal.db")) as loop,
        closing(Journal(tmp_path / "journal.db")) as command,
    ):
        append(loop, file_arrived("a"))
        broken = Outcome(records=(part(1), part(1)))
        with pytest.raises(sqlite3.IntegrityError):
            loop.finish(take(loop), broken, now=NOON)
        assert command.ledger.data_version() == 0
        loop.finish(take(loop), Outcome(records=(part(1),)), now=NOON)
        assert command.ledger.data_version() == 1


def test_a_command_appends_while_the_loop_works_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    path, count = tmp_path / "journal.db", 60
    with closing(Journal(path)) as loop, closing(Journal(path)) as command:
        commands = threading.Thread(
            target=lambda: [append(command, file_arrived(f"command {i}")) for i in range(count)]
        )
        commands.start()
        for i in range(count):
            append(loop, file_arrived(f"loop {i}"))
            loop.finish(take(loop), Outcome(events=(Event(name="done"),)), now=NOON)
        commands.join()
        while (pending := loop.next(LANES, now=NOON)) is not None:
            loop.finish(pending, Outcome(events=(Event(name="done"),)), now=NOON)
        assert loop.ledger.last_event_id() == 2 * count


def test_a_full_disk_is_told_as_such_and_work_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.db")) as journal:
        append(journal, file_arrived("a"))
        limit = journal._connection.execute("PRAGMA max_page_count = 60").fetchone()[0]
        assert limit == 60
        with pytest.raises(DiskFullError):
            journal.note([Event(name="big", fields={"text": "x" * 1_000_000})], now=NOON)
        assert journal.ledger.events() == ()
        journal._connection.execute("PRAGMA max_page_count = 100000")
        journal.finish(take(journal), Outcome(events=(Event(name="small"),)), now=NOON)
        assert [event.name for event in journal.ledger.events()] == ["small"]


def test_processes_that_find_a_journal_without_tables_make_them_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        openers = [
            subprocess.Popen([sys.executable, "-c", OPEN_WHEN_TOLD, str(path)], **PIPES) for _ in range(4)
        ]
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write("go\n")
            opener.stdin.flush()
        assert [opener.communicate()[1] for opener in openers] == [""] * 4
    with closing(Journal(path)) as journal:
        assert append(journal, file_arrived("a")) == (True,)


def test_a_journal_of_a_newer_regimed_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalTooNewError, match="install the newer regimed again"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_message_that_this_version_cannot_read_is_an_error_that_names_the_remedy(journal: Journal) -> None:
    append(journal, file_arrived("a"))
    journal._connection.execute("UPDATE messages SET kind = 'from_the_future'")
    with pytest.raises(JournalError, match="written by another version"):
        take(journal)
