"""Compaction as a life of handlers: what becomes due, what a real child does, what is kept and deleted."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.bar_check import believed_panel
from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import ManualClock, SystemClock
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.quarantine import Quarantine
from daemon.compaction import compaction_due, removal_due
from daemon.errors import ChildFailedError, DataVersionGoneError, PartMissingError
from daemon.handlers import COMPLETIONS, HANDLERS
from daemon.layout import Layout
from daemon.logs import catalogue
from daemon.messages import (
    CompactionDue,
    FileArrived,
    Message,
    PartsUnlisted,
    RemovalDue,
    RetrainDue,
    TrainingDue,
)
from daemon.ports import Renewal
from daemon.records import ChildEnd, ChildJob, Outcome, PartStored, RunClosed, RunOpened
from daemon.settings import BarsSettings, Settings
from daemon.tools import Tools
from regime.types import Bars
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from daemon.records import Record

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
KEEP_DAYS = 7


class Desk:
    """The tools of the handlers with real files, a real journal and real children."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.clock = ManualClock(NOON)
        self.journal = Journal(self.layout.journal)
        self.ledger = self.journal.ledger.bars
        children = SubprocessChildren(SystemClock())
        self.tools = Tools(
            settings=replace(Settings(), bars=BarsSettings(deltas_max=3, keep_retired_days=KEEP_DAYS)),
            layout=self.layout,
            clock=self.clock,
            ledger=self.journal.ledger,
            bars=ParquetBarStore(self.layout.bars, self.layout.panel),
            calendar=SessionTables(self.layout.sessions, children, self.clock),
            children=children,
            quarantine=Quarantine(self.layout.quarantine),
            registry=Registry.open(self.layout.registry),
        )
        self.versions = [Bars.empty()]

    def pending(self, message: Message) -> Pending:
        self.journal.append([message], now=self.clock.now())
        found = self.journal._connection.execute("SELECT id FROM messages WHERE key = ?", (message.key,))
        return Pending(id=found.fetchone()[0], message=message, attempts=0)

    def apply(self, message: Message, outcome: Outcome) -> Outcome:
        for event in outcome.events:
            assert set(event.fields) == set(catalogue()[event.name].fields), event.name
        self.journal.finish(self.pending(message), outcome, now=self.clock.now())
        return outcome

    def note(self, name: str, *records: Record) -> None:
        self.apply(FileArrived(sha256=name, name="a", size_bytes=1), Outcome(records=records))

    def do(self, message: Message) -> Outcome:
        """Handle a message, with a real child if it takes one, and apply what follows."""
        outcome = HANDLERS[type(message)](message, self.tools)
        if isinstance(outcome, ChildJob):
            end = self.tools.children.run(outcome)
            outcome = COMPLETIONS[type(message)](message, end, self.tools)
        return self.apply(message, outcome)

    def put(self, bars: Bars) -> None:
        """Store bars as the next data version."""
        version = len(self.versions)
        part = self.tools.bars.write_part(bars)
        stored = PartStored(
            data_version=version, part=part, symbols=bars.symbols(), rows=len(bars),
            first_day=str(bars.date.min()), last_day=str(bars.date.max()),
        )  # fmt: skip
        self.note(f"delta {version}", stored)
        self.versions.append(Bars.concat([self.versions[-1], bars]))

    def files(self) -> set[str]:
        return {path.name for path in self.layout.bars.iterdir()}

    def live(self) -> list[tuple[int, int | None]]:
        return [(part.data_version, part.year) for part in self.ledger.live_files()]

    def is_whole(self, versions: Sequence[int]) -> bool:
        """Tell whether these versions read, from the parts alone, as what was put."""
        read = (
            self.tools.bars.read([part.part for part in self.ledger.parts(through=version)])
            for version in versions
        )
        return all(bars == self.versions[version] for version, bars in zip(versions, read, strict=True))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with closing(made.journal), made.tools.registry:
        yield made


def closes(days: list[str], values: list[float], symbol: str = "A") -> Bars:
    return Bars.of_closes(symbol, days, values)


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Give four deltas: two years, the second of which is continued, restated, and joined by a symbol."""
    desk.put(closes(["2022-12-29", "2022-12-30", "2023-01-03"], [1.0, 2.0, 3.0]))
    desk.put(closes(["2023-01-04"], [4.0]))
    desk.put(closes(["2023-01-03"], [3.5]))
    desk.put(closes(["2023-01-04"], [9.0], "B"))
    return desk


def test_a_compaction_is_due_with_the_first_delta_too_many_and_every_so_many_after() -> None:
    settings = BarsSettings(deltas_max=3)
    due = [version for version in range(1, 13) if compaction_due(version, settings)]
    assert due == [4, 8, 12]
    assert compaction_due(4, settings) == (CompactionDue(data_version=4),)


def test_deltas_become_a_file_a_year_and_nothing_that_is_read_changes(filled: Desk) -> None:
    before = filled.files()
    outcome = filled.do(CompactionDue(data_version=4))
    (event,) = outcome.events
    assert (event.name, dict(event.fields)) == (
        "bars.compacted",
        {"data_version": 4, "deltas": 4, "years": ["2022", "2023"], "rows": 5},
    )
    assert filled.live() == [(4, 2022), (4, 2023)]
    assert filled.ledger.data_version() == 4
    assert filled.is_whole([1, 2, 3, 4])
    assert before < filled.files()


def test_only_the_years_that_new_deltas_touch_are_written_again(filled: Desk) -> None:
    filled.do(CompactionDue(data_version=4))
    filled.put(closes(["2024-01-02"], [6.0]))
    filled.put(closes(["2023-01-05"], [5.0]))
    filled.do(CompactionDue(data_version=6))
    assert filled.live() == [(4, 2022), (6, 2023), (6, 2024)]
    assert filled.is_whole(range(1, 7))


def test_deltas_that_come_while_the_child_works_stay_deltas(filled: Desk) -> None:
    message = CompactionDue(data_version=4)
    job = HANDLERS[CompactionDue](message, filled.tools)
    assert isinstance(job, ChildJob)
    filled.put(closes(["2023-01-04"], [4.5]))
    filled.apply(message, COMPLETIONS[CompactionDue](message, filled.tools.children.run(job), filled.tools))
    assert filled.live() == [(4, 2022), (4, 2023), (5, None)]
    assert filled.is_whole(range(1, 6))


def test_a_child_that_died_is_an_error_that_is_tried_again_and_changes_nothing(filled: Desk) -> None:
    end = ChildEnd(result=None, reason="it was killed by signal 9 (Killed)")
    with pytest.raises(ChildFailedError, match="data version 4 could not be compacted: it was killed"):
        COMPLETIONS[CompactionDue](CompactionDue(data_version=4), end, filled.tools)
    assert filled.live() == [(1, None), (2, None), (3, None), (4, None)]


def test_work_that_was_done_before_a_kill_is_done_again_to_the_same_files(filled: Desk) -> None:
    message = CompactionDue(data_version=4)
    job = HANDLERS[CompactionDue](message, filled.tools)
    assert isinstance(job, ChildJob)
    first = filled.tools.children.run(job)
    files = filled.files()
    assert filled.tools.children.run(job) == first
    assert filled.files() == files
    filled.do(message)
    assert filled.do(CompactionDue(data_version=4)) == Outcome()


def test_a_year_file_that_went_meanwhile_is_not_listed_but_written_again(filled: Desk) -> None:
    message = CompactionDue(data_version=4)
    job = HANDLERS[CompactionDue](message, filled.tools)
    assert isinstance(job, ChildJob)
    end = filled.tools.children.run(job)
    assert end.result is not None
    filled.tools.bars.remove(end.result["files"][0]["part"])  # type: ignore[index]  # a list of files
    with pytest.raises(PartMissingError):
        COMPLETIONS[CompactionDue](message, end, filled.tools)
    filled.do(message)
    assert filled.is_whole([1, 2, 3, 4])


def test_an_older_compaction_after_a_newer_one_has_nothing_to_do(filled: Desk) -> None:
    filled.put(closes(["2023-01-05"], [5.0]))
    filled.do(CompactionDue(data_version=5))
    assert HANDLERS[CompactionDue](CompactionDue(data_version=4), filled.tools) == Outcome()


# What is kept, and what goes


def test_retired_files_are_kept_for_their_days(filled: Desk) -> None:
    filled.do(CompactionDue(data_version=4))
    filled.clock.advance(timedelta(days=KEEP_DAYS) - timedelta(seconds=1))
    assert removal_due(filled.tools) == ()
    filled.clock.advance(timedelta(seconds=1))
    assert removal_due(filled.tools) == (RemovalDue(through=4),)


def test_nothing_is_due_where_nothing_was_compacted(filled: Desk) -> None:
    filled.clock.advance(timedelta(days=400))
    assert removal_due(filled.tools) == ()


@pytest.mark.parametrize("user", ["run", "message", "message of a run"])
def test_retired_files_are_kept_while_an_open_run_or_a_waiting_message_needs_them(
    filled: Desk, user: str
) -> None:
    opened = RunOpened(run_id="r1", job="retrain", trigger="manual", period="now", data_version=3)
    closed = RunClosed(run_id="r1", outcome="failed", reason="so", version=None)
    training = TrainingDue(run_id="r1", data_version=3)
    if user != "message":
        filled.note("opened", opened)
    if user != "run":
        filled.journal.append([training], now=NOON)
    if user == "message of a run":
        filled.note("closed", closed)
    filled.do(CompactionDue(data_version=4))
    filled.clock.advance(timedelta(days=KEEP_DAYS))
    assert removal_due(filled.tools) == ()
    if user == "run":
        filled.note("closed", closed)
    else:
        filled.apply(training, Outcome())
    assert removal_due(filled.tools) == (RemovalDue(through=4),)


def test_who_needs_the_version_of_the_compaction_itself_keeps_nothing(filled: Desk) -> None:
    filled.journal.append(
        [TrainingDue(run_id="r1", data_version=4), RetrainDue(trigger="a", period="b")], now=NOON
    )
    filled.do(CompactionDue(data_version=4))
    filled.clock.advance(timedelta(days=KEEP_DAYS))
    assert removal_due(filled.tools) == (RemovalDue(through=4),)


@pytest.fixture
def removed(filled: Desk) -> tuple[Desk, PartsUnlisted]:
    """Give a desk whose retired files are no longer listed, and the message that will delete them."""
    filled.do(CompactionDue(data_version=4))
    filled.clock.advance(timedelta(days=KEEP_DAYS))
    (due,) = removal_due(filled.tools)
    outcome = filled.do(due)
    (event,) = outcome.events
    assert (event.name, dict(event.fields)) == ("bars.removed", {"oldest_data_version": 4, "files": 4})
    (unlisted,) = outcome.follow_ups
    assert isinstance(unlisted, PartsUnlisted)
    return filled, unlisted


def test_retired_files_are_deleted_after_they_are_listed_no_more(removed: tuple[Desk, PartsUnlisted]) -> None:
    desk, unlisted = removed
    assert desk.files() > {part.part for part in desk.ledger.listed()}
    desk.do(unlisted)
    assert desk.files() == {part.part for part in desk.ledger.listed()}
    assert removal_due(desk.tools) == ()
    assert desk.is_whole([4])


def test_a_deletion_that_was_killed_halfway_is_ended_later(removed: tuple[Desk, PartsUnlisted]) -> None:
    desk, unlisted = removed
    desk.tools.bars.remove(unlisted.parts[0])
    desk.do(unlisted)
    assert desk.files() == {part.part for part in desk.ledger.listed()}


def test_a_version_whose_files_are_gone_says_which_can_be_read(removed: tuple[Desk, PartsUnlisted]) -> None:
    desk, _ = removed
    with pytest.raises(
        DataVersionGoneError, match=r"data version 3 were removed .* ask for 4 or a later one"
    ):
        desk.tools.bars_of(3)


def test_bars_that_come_again_under_a_name_that_is_to_be_deleted_stay(
    removed: tuple[Desk, PartsUnlisted],
) -> None:
    desk, unlisted = removed
    desk.put(closes(["2023-01-04"], [4.0]))
    (again,) = [part.part for part in desk.ledger.live_files() if part.year is None]
    assert again in unlisted.parts
    desk.do(unlisted)
    assert desk.files() == {part.part for part in desk.ledger.listed()}
    assert desk.is_whole([4, 5])


# The panel in the life of a journal


def test_a_panel_needs_no_parts_and_survives_a_restart(filled: Desk) -> None:
    filled.tools.bring_up_panel()
    written = filled.layout.panel.stat()
    again = ParquetBarStore(filled.layout.bars, filled.layout.panel)
    tools = replace(filled.tools, bars=again)
    tools.bring_up_panel()
    assert filled.layout.panel.stat() == written
    for name in filled.files():
        again.remove(name)
    assert tools.bars_of(4) == filled.versions[4]


def test_late_parts_are_laid_over_the_panel(filled: Desk) -> None:
    filled.tools.bring_up_panel()
    filled.put(closes(["2023-01-03", "2023-01-05"], [7.0, 8.0]))
    assert filled.tools.bars_of(5) == filled.versions[5]
    assert filled.tools.bars_of(5, ["A"], last=2).close.tolist() == [4.0, 8.0]
    assert filled.tools.bars_of(5, ["A"], since=np.datetime64("2023-01-03")).close.tolist() == [7.0, 4.0, 8.0]


def test_a_panel_may_stay_behind_by_a_few_parts_of_the_symbols_at_hand(filled: Desk) -> None:
    filled.tools.bring_up_panel(symbols=["A"], late_max=3)
    assert filled.tools.bars.panel() is None
    filled.tools.bring_up_panel(symbols=["A"], late_max=2)
    assert filled.tools.bars_of(4) == filled.versions[4]
    assert filled.tools.bars.panel() is not None


def test_a_panel_is_brought_up_from_year_files_when_the_deltas_since_are_gone(filled: Desk) -> None:
    filled.tools.bars.renew_panel(renewal_of(filled, 1), onto=None)
    filled.do(CompactionDue(data_version=4))
    filled.clock.advance(timedelta(days=KEEP_DAYS))
    (due,) = removal_due(filled.tools)
    filled.do(filled.do(due).follow_ups[0])
    assert filled.tools.bars_of(4) == filled.versions[4]
    filled.tools.bring_up_panel()
    panel = believed_panel(filled.ledger, filled.tools.bars)
    assert panel is not None
    assert panel.bars() == filled.versions[4]


def renewal_of(desk: Desk, version: int) -> Renewal:
    parts = desk.ledger.parts(through=version)
    return Renewal(
        data_version=version,
        chain=str(desk.ledger.chain(version)),
        parts=tuple(part.part for part in parts),
        symbols=("A",),
        rows=sum(part.rows for part in parts),
    )


def test_a_panel_of_another_history_is_not_believed(filled: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    with closing(other.journal), other.tools.registry:
        for number in range(4):
            other.put(closes(["2023-01-04"], [100.0 + number]))
        other.tools.bring_up_panel()
    filled.layout.panel.parent.mkdir()
    other.layout.panel.rename(filled.layout.panel)
    assert believed_panel(filled.ledger, filled.tools.bars) is None
    assert filled.tools.bars_of(4) == filled.versions[4]
    filled.tools.bring_up_panel()
    assert believed_panel(filled.ledger, filled.tools.bars) is not None


def test_a_damaged_part_leaves_the_panel_where_it_is(filled: Desk) -> None:
    filled.tools.bring_up_panel()
    filled.put(closes(["2023-01-05"], [5.0]))
    (name,) = [part.part for part in filled.ledger.deltas(after=4)]
    filled.tools.bars.remove(name)
    filled.tools.bring_up_panel()
    panel = filled.tools.bars.panel()
    assert panel is not None
    assert panel.data_version == 4
    with pytest.raises(PartMissingError, match=name):
        filled.tools.bars_of(5)
