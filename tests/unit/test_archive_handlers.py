"""Rare events in the loop: captured as days arrive, archived when complete, dropped by hand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.adapters.archive import ArchiveFolder
from daemon.capture import archive_recipe, archived_events
from daemon.children.archive import EventOutcome
from daemon.errors import ChildFailedError
from daemon.handlers import COMPLETIONS
from daemon.label_settings import LabelsSettings, RulesSettings
from daemon.messages import ArchiveDue, EventDropDue
from daemon.records import ChildEnd, Outcome
from daemon.settings import (
    ArchiveSettings,
    MarketSettings,
    Settings,
    TrainingSettings,
)
from regime.events import RARE_EVENTS
from regime.types import Bars
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALM_DAYS, HOT_DAYS = 300, 15
DAYS = np.busday_offset("2010-01-04", np.arange(400), roll="forward")
LATER = np.busday_offset("2010-05-21", np.arange(400), roll="forward")
"""Four hundred sessions whose hot ones are those of July 2011."""


class EventDesk(Desk):
    """A desk of one market, with what was captured in it."""

    def __init__(self, root: Path) -> None:
        market = MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")
        settings = replace(Settings(), markets={"sim": market})
        super().__init__(root, settings, datetime(2024, 3, 1, 12, tzinfo=UTC))

    def captured(self) -> list[tuple[str, str, str, str | None, tuple[str, ...]]]:
        return [
            (event.id, event.first_day, event.last_day, event.closed_on, event.same_as)
            for event in self.tools.ledger.archive.captured("sim")
        ]

    def archived(self) -> list[str]:
        events = archived_events(self.tools.ledger, self.tools.settings)
        return [event.id for event in events[len(RARE_EVENTS) :]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[EventDesk]:
    made = EventDesk(tmp_path)
    with closing(made.journal), made.tools.registry:
        yield made


def market(first: int, last: int, days: Any = DAYS, *, heat: float = 45.0) -> tuple[Bars, Bars]:
    """Give the index and its fear from one session to before another: calm, fifteen hot days, calm."""
    is_hot = (np.arange(len(days)) >= CALM_DAYS) & (np.arange(len(days)) < CALM_DAYS + HOT_DAYS)
    close = 100 * np.exp(np.cumsum(np.where(is_hot, -0.004, 0.0005)))
    fear = np.where(is_hot, heat, 13.0)
    return (
        Bars.of_closes("^SIM", days[first:last], close[first:last]),
        Bars.of_closes("^SIMVIX", days[first:last], fear[first:last]),
    )


def names(outcome: Outcome) -> list[str]:
    return [event.name for event in outcome.events if event.name.startswith("archive.")]


def due(outcome: Outcome) -> list[ArchiveDue]:
    return [message for message in outcome.follow_ups if isinstance(message, ArchiveDue)]


OPENED = CALM_DAYS + 6
"""The session on which the third day qualifies: five of ten are a crash on the fifth hot one."""
LAST_HOT = CALM_DAYS + HOT_DAYS - 1
CLOSED = LAST_HOT + 20
ID = "dynamic_2011_03_04"


def test_an_event_is_opened_extended_and_closed_as_days_arrive(desk: EventDesk) -> None:
    desk.deliver(*market(0, OPENED))
    assert desk.captured() == []
    told = {at: names(desk.deliver(*market(at, at + 1))) for at in range(OPENED, CLOSED + 3)}
    extended = {at: ["archive.event_extended"] for at in range(OPENED + 1, LAST_HOT + 1)}
    assert {at: what for at, what in told.items() if what} == {
        OPENED: ["archive.event_opened"],
        **extended,
        CLOSED: ["archive.event_closed"],
    }
    assert desk.captured() == [(ID, str(DAYS[304]), str(DAYS[LAST_HOT]), str(DAYS[CLOSED]), ())]
    assert desk.archived() == [ID]


def test_days_one_by_one_are_captured_as_the_whole_history(desk: EventDesk, tmp_path: Path) -> None:
    desk.deliver(*market(0, 290))
    for at in range(290, 340):
        desk.deliver(*market(at, at + 1))
    other = EventDesk(tmp_path / "other")
    with closing(other.journal), other.tools.registry:
        other.deliver(*market(0, 340))
        assert other.captured() == desk.captured()
        progress, same = (one.tools.ledger.archive.progress("sim") for one in (desk, other))
        assert progress == same


def test_the_archive_is_due_when_an_event_is_closed_and_not_while_it_is_open(desk: EventDesk) -> None:
    outcome = desk.deliver(*market(0, CLOSED))
    assert due(outcome) == []
    assert desk.archived() == []
    assert due(desk.deliver(*market(CLOSED, CLOSED + 1))) == [ArchiveDue(data_version=2)]


def test_an_episode_of_a_known_event_is_found_and_named_as_the_same(desk: EventDesk) -> None:
    outcome = desk.deliver(*market(0, 400, LATER))
    assert names(outcome) == ["archive.event_opened", "archive.event_closed"]
    assert [event.fields["same_as"] for event in outcome.events[1:]] == [["2011_debt_ceiling"]] * 2
    assert [(id_, same) for id_, _, _, _, same in desk.captured()] == [
        ("dynamic_2011_07_21", ("2011_debt_ceiling",))
    ]
    assert desk.archived() == []


def test_restated_bars_replay_the_capture_and_withdraw_what_was_none(desk: EventDesk) -> None:
    desk.deliver(*market(0, 400))
    _, calm = market(0, 400, heat=30.0)
    outcome = desk.deliver(calm.take(calm.date >= DAYS[CALM_DAYS]))
    assert names(outcome) == ["archive.event_withdrawn"]
    assert (desk.captured(), desk.archived()) == ([], [])
    assert due(outcome) == [ArchiveDue(data_version=2)]


def test_restated_bars_that_make_it_longer_revise_a_closed_event(desk: EventDesk) -> None:
    desk.deliver(*market(0, 400))
    longer = Bars.of_closes("^SIMVIX", DAYS[LAST_HOT + 1 : LAST_HOT + 2], [52.0])
    outcome = desk.deliver(longer)
    assert names(outcome) == ["archive.event_revised"]
    assert [last for _, _, last, _, _ in desk.captured()] == [str(DAYS[LAST_HOT + 1])]


def test_another_labeler_replays_the_capture(desk: EventDesk) -> None:
    desk.deliver(*market(0, 399))
    before = desk.tools.ledger.archive.progress("sim")
    desk.configure(labels=LabelsSettings(labeler="reference"))
    desk.deliver(*market(399, 400))
    after = desk.tools.ledger.archive.progress("sim")
    assert before is not None
    assert after is not None
    assert (before.version[:6], after.version[:10]) == ("rules-", "reference-")
    assert [id_ for id_, *_ in desk.captured()] == [ID]


def test_another_constant_of_the_labeler_is_another_version_and_replays_the_capture(desk: EventDesk) -> None:
    desk.deliver(*market(0, 399))
    before = desk.tools.ledger.archive.progress("sim")
    desk.configure(labels=LabelsSettings(rules=RulesSettings(crash_in=36.0)))
    desk.deliver(*market(399, 400))
    after = desk.tools.ledger.archive.progress("sim")
    assert before is not None
    assert after is not None
    assert before.version[:14] == "rules-dde252e7"
    assert after.version[:14] != before.version[:14]
    assert [id_ for id_, *_ in desk.captured()] == [ID]


def test_another_threshold_replays_the_capture(desk: EventDesk) -> None:
    desk.deliver(*market(0, 399))
    desk.configure(archive=ArchiveSettings(fear_min=50.0))
    outcome = desk.deliver(*market(399, 400))
    assert names(outcome) == ["archive.event_withdrawn"]


def test_without_its_fear_index_nothing_is_captured_by_proxy(desk: EventDesk) -> None:
    days = np.busday_offset("2006-01-02", np.arange(900), roll="forward")
    wild = np.where(np.arange(900) >= 850, 0.05, 0.004) * np.where(np.arange(900) % 2, 1, -1.1)
    index = Bars.of_closes("^SIM", days, 100 * np.exp(np.cumsum(wild)))
    outcome = desk.deliver(index)
    assert "crash" in {
        label.regime
        for label in desk.tools.ledger.labels("sim", desk.tools.ledger.labeler_state("sim").labeler)  # type: ignore[union-attr]  # it was labelled
    }
    assert names(outcome) == []


def test_nothing_is_captured_or_archived_when_the_archive_is_off(desk: EventDesk) -> None:
    desk.configure(archive=ArchiveSettings(enabled=False))
    outcome = desk.deliver(*market(0, 400, LATER))
    assert (names(outcome), due(outcome), desk.captured()) == ([], [], [])


# The archive is due.


def test_the_archive_is_due_when_bars_may_belong_to_an_event_that_is_over(desk: EventDesk) -> None:
    desk.deliver(*market(0, 390, LATER))
    stock = Bars.of_closes("S001", LATER[100:101], [20.0])
    assert due(desk.deliver(stock)) == [ArchiveDue(data_version=2)]


def test_a_day_after_all_events_makes_no_archive_due(desk: EventDesk) -> None:
    days = np.busday_offset("2023-09-01", np.arange(100), roll="forward")
    calm = [Bars.of_closes(symbol, days, np.full(100, 15.0)) for symbol in ("^SIM", "^SIMVIX")]
    assert due(desk.deliver(*calm)) == []


def test_bars_before_the_index_make_no_archive_due(desk: EventDesk) -> None:
    assert due(desk.deliver(Bars.of_closes("S001", LATER, np.full(400, 20.0)))) == []


def test_it_is_built_by_a_child_at_the_newest_data_version(desk: EventDesk) -> None:
    desk.deliver(*market(0, 390, LATER))
    desk.deliver(*market(390, 391, LATER))
    job = desk.start(ArchiveDue(data_version=1))
    assert (job.module, job.job["data_version"]) == ("daemon.children.archive", 2)
    assert (job.time_limit_s, job.memory_limit_mib) == (600.0, 4096)


def outcome_of(name: str, outcome: str, detail: str = "") -> EventOutcome:
    return EventOutcome(name=name, outcome=outcome, detail=detail, origin="catalogued", rows=7, symbols=2)


def ended(desk: EventDesk, *outcomes: EventOutcome, recipe: str = "r") -> ChildEnd:
    result = {
        "data_version": desk.tools.ledger.data_version(),
        "recipe": recipe,
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    return ChildEnd(result=result, reason=None)


EMPTY = outcome_of("2011_debt_ceiling", "empty", "it has no samples: no symbol has a bar")
FOREIGN = outcome_of("notes.txt", "refused", "notes.txt does not belong into the archive")


def test_what_was_built_is_told_and_what_was_not_is_kept_with_its_reason(desk: EventDesk) -> None:
    desk.deliver(*market(0, 400, LATER))
    waiting = outcome_of("2022_inflation_bear_market", "waiting", "the index has 0 bars after 2022-12-31")
    built = outcome_of("2015_china_devaluation", "built")
    outcome = desk.complete(ArchiveDue(data_version=1), ended(desk, built, EMPTY, FOREIGN, waiting))
    assert names(outcome) == ["archive.built", "archive.empty", "archive.refused"]
    assert outcome.events[0].fields["rows"] == 7
    stored = {one.name: (one.outcome, one.detail) for one in desk.tools.ledger.archive.outcomes()}
    assert stored == {
        "2011_debt_ceiling": ("empty", EMPTY.detail),
        "2015_china_devaluation": ("built", ""),
        "2022_inflation_bear_market": ("waiting", waiting.detail),
        "notes.txt": ("refused", FOREIGN.detail),
    }


def test_what_is_still_wrong_is_not_told_again_and_what_is_mended_is_forgotten(desk: EventDesk) -> None:
    desk.deliver(*market(0, 400, LATER))
    desk.complete(ArchiveDue(data_version=1), ended(desk, EMPTY, FOREIGN))
    since = {one.name: one.since for one in desk.tools.ledger.archive.outcomes()}
    desk.clock.advance(desk.clock.now() - datetime(2024, 1, 1, tzinfo=UTC))
    again = desk.complete(ArchiveDue(data_version=2), ended(desk, EMPTY, FOREIGN))
    assert names(again) == []
    assert {one.name: one.since for one in desk.tools.ledger.archive.outcomes()} == since
    mended = desk.complete(ArchiveDue(data_version=3), ended(desk, outcome_of(EMPTY.name, "built")))
    assert names(mended) == ["archive.built"]
    assert [one.name for one in desk.tools.ledger.archive.outcomes()] == [EMPTY.name]
    assert names(desk.complete(ArchiveDue(data_version=4), ended(desk, EMPTY))) == ["archive.empty"]


def test_messages_that_waited_behind_a_build_are_done_with_it(desk: EventDesk) -> None:
    desk.deliver(*market(0, 390, LATER))
    desk.deliver(*market(390, 391, LATER))
    desk.complete(ArchiveDue(data_version=1), ended(desk, recipe=recipe_of_now(desk)))
    assert desk.do(ArchiveDue(data_version=2)) == Outcome()
    desk.configure(training=TrainingSettings(target="triple_barrier"))
    assert desk.start(ArchiveDue(data_version=2)).job["data_version"] == 2


def recipe_of_now(desk: EventDesk) -> str:
    return archive_recipe(archived_events(desk.tools.ledger, desk.tools.settings), desk.tools.settings)


def test_the_archive_is_due_with_the_next_bars_when_its_recipe_is_another(desk: EventDesk) -> None:
    days = np.busday_offset("2023-09-01", np.arange(100), roll="forward")
    closes = [Bars.of_closes(symbol, days, np.full(100, 15.0)) for symbol in ("^SIM", "^SIMVIX")]
    desk.deliver(*(bars.take(bars.date < days[98]) for bars in closes))
    desk.complete(ArchiveDue(data_version=1), ended(desk, recipe=recipe_of_now(desk)))
    assert due(desk.deliver(*(bars.take(bars.date == days[98]) for bars in closes))) == []
    desk.configure(training=TrainingSettings(target="triple_barrier"))
    last = desk.deliver(*(bars.take(bars.date == days[99]) for bars in closes))
    assert due(last) == [ArchiveDue(data_version=3)]


def test_a_child_that_failed_is_tried_again(desk: EventDesk) -> None:
    end = ChildEnd(result=None, reason="it was killed by signal 9 (Killed)")
    with pytest.raises(ChildFailedError, match="the archive of data version 1 failed: it was killed"):
        COMPLETIONS[ArchiveDue](ArchiveDue(data_version=1), end, desk.tools)


# Dropped by hand.


def test_a_dropped_event_loses_its_files_and_is_not_captured_again(desk: EventDesk) -> None:
    desk.deliver(*market(0, 399))
    folder = ArchiveFolder(desk.tools.layout.archive)
    folder.folder.mkdir()
    folder.parquet(ID).write_bytes(b"samples")
    folder.manifest_file(ID).write_text("{}")
    outcome = desk.do(EventDropDue(event=ID, reason="a bad print"))
    assert names(outcome) == ["archive.event_dropped"]
    assert outcome.events[0].fields["reason"] == "a bad print"
    assert list(folder.folder.iterdir()) == []
    assert desk.archived() == []
    desk.configure(archive=ArchiveSettings(gap_days=19))
    desk.deliver(*market(399, 400))
    assert [id_ for id_, *_ in desk.captured()] == [ID]
    assert desk.archived() == []


def test_an_event_that_repeats_a_dropped_one_is_the_same_as_it(desk: EventDesk) -> None:
    desk.deliver(*market(0, 399))
    desk.do(EventDropDue(event=ID, reason="a bad print"))
    desk.configure(archive=ArchiveSettings(days_min=1, window_days=2))
    desk.deliver(*market(399, 400))
    assert [(id_, same) for id_, _, _, _, same in desk.captured()] == [("dynamic_2011_02_28", (ID,))]
    assert desk.archived() == []


def test_an_event_that_was_withdrawn_meanwhile_is_nothing_to_drop(desk: EventDesk) -> None:
    assert desk.do(EventDropDue(event=ID, reason="x")) == Outcome()
    assert desk.tools.ledger.archive.dropped() == ()


def test_an_event_that_was_dropped_while_it_was_built_leaves_no_files(desk: EventDesk) -> None:
    desk.deliver(*market(0, 400))
    desk.do(EventDropDue(event=ID, reason="a bad print"))
    folder = ArchiveFolder(desk.tools.layout.archive)
    folder.folder.mkdir()
    folder.parquet(ID).write_bytes(b"samples")
    outcome = desk.complete(ArchiveDue(data_version=1), ended(desk, outcome_of(ID, "built")))
    assert names(outcome) == []
    assert list(folder.folder.iterdir()) == []
    assert desk.tools.ledger.archive.outcomes() == ()
