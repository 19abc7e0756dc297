"""Final labels in the journal: decided as spells close, revised with a cause, beside provisional ones."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest

from daemon.adapters.bar_store import MemoryBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.clock import ManualClock
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.quarantine import Quarantine
from daemon.handlers import HANDLERS
from daemon.label_settings import LabelsSettings
from daemon.layout import Layout
from daemon.logs import catalogue
from daemon.messages import BarsArrived
from daemon.records import LabelsStored, Outcome, PartStored
from daemon.settings import (
    ArchiveSettings,
    FeaturesSettings,
    MarketSettings,
    Settings,
)
from daemon.tools import Tools
from regime.labels import final_regimes, label_days, labeler_named
from regime.types import Bars, RegimeSeries
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.records import ChildJob, Event
    from daemon.stored_label import StoredLabel

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAYS = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
CLOSES = np.array([100.0] * 20 + [103.0, 101.0, 99.0] + [80.0] * 8 + [82.0] * 29)
FEARS = np.array([18.0] * 20 + [19.0, 22.0, 24.0] + [50.0] * 8 + [27.0] * 3 + [20.0] * 26)
HIGH, ENTRY, EXIT = 20, 23, 36
"""The last high before the crash, its first session, and the first after it."""
RULES = labeler_named("rules", has_fear=True)


class NoChildren:
    """Nothing here needs a child."""

    def start(self, job: ChildJob, *, progress_file: Path | None) -> NoReturn:
        raise AssertionError((job, progress_file))

    def run(self, job: ChildJob) -> NoReturn:
        raise AssertionError(job)


class Desk:
    """The tools of the handlers, and a journal that bars arrive in."""

    def __init__(self, root: Path) -> None:
        layout = Layout(root)
        layout.create()
        clock = ManualClock(NOON)
        self.journal = Journal(":memory:")
        self.ledger = self.journal.ledger
        self.tools = Tools(
            settings=replace(
                Settings(),
                markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")},
                archive=ArchiveSettings(enabled=False),
                features=FeaturesSettings(enabled=False),
            ),
            layout=layout,
            clock=clock,
            ledger=self.ledger,
            bars=MemoryBarStore(),
            calendar=SessionTables(layout.sessions, NoChildren(), clock),
            children=NoChildren(),
            quarantine=Quarantine(layout.quarantine),
            registry=Registry.open(layout.registry),
        )

    def label_with(self, labeler: str) -> None:
        settings = replace(self.tools.settings, labels=LabelsSettings(labeler=labeler))
        self.tools = replace(self.tools, settings=settings)

    def deliver(self, *parts: Bars) -> list[Event]:
        """Let bars arrive as the next data version; give the events of labelling."""
        bars = Bars.concat(parts)
        version = self.ledger.data_version() + 1
        stored = PartStored(
            data_version=version,
            part=self.tools.bars.write_part(bars),
            symbols=bars.symbols(),
            rows=len(bars),
            first_day=str(bars.date.min()),
            last_day=str(bars.date.max()),
        )
        message = BarsArrived(
            data_version=version,
            symbols=bars.symbols(),
            first_day=stored.first_day,
        )
        self.finish(message, Outcome(records=(stored,)))
        outcome = HANDLERS[BarsArrived](message, self.tools)
        assert isinstance(outcome, Outcome)
        self.finish(message, outcome)
        assert [record.market for record in outcome.records if isinstance(record, LabelsStored)] == ["sim"]
        for event in outcome.events:
            assert set(event.fields) == set(catalogue()[event.name].fields), event.name
        return list(outcome.events)

    def finish(self, message: BarsArrived, outcome: Outcome) -> None:
        self.journal.append([message], now=NOON)
        found = self.journal._connection.execute("SELECT id FROM messages WHERE key = ?", (message.key,))
        self.journal.finish(Pending(id=found.fetchone()[0], message=message, attempts=0), outcome, now=NOON)

    def labels(self, labeler: str = RULES.version) -> tuple[StoredLabel, ...]:
        return self.ledger.labels("sim", labeler)

    def finals(self, labeler: str = RULES.version) -> dict[str, str]:
        return dict(self.ledger.finals.labels("sim", labeler))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with closing(made.journal), made.tools.registry:
        yield made


def index(first: int, end: int, closes: np.ndarray[tuple[int], np.dtype[np.float64]] = CLOSES) -> Bars:
    return Bars.of_closes("^SIM", DAYS[first:end], closes[first:end])


def fear(first: int, end: int, fears: np.ndarray[tuple[int], np.dtype[np.float64]] = FEARS) -> Bars:
    return Bars.of_closes("^SIMVIX", DAYS[first:end], fears[first:end])


def revised(events: list[Event]) -> list[dict[str, object]]:
    return [dict(event.fields) for event in events if event.name == "label.revised"]


def oracle(index_bars: Bars, fear_bars: Bars) -> tuple[RegimeSeries, dict[str, str]]:
    series = label_days(index_bars, fear_bars, RULES)
    finals = final_regimes(index_bars.close.tolist(), series.regime)
    days = [str(day) for day in series.date]
    return series, {day: regime.value for day, regime in zip(days, finals, strict=False)}


def test_finals_that_grow_day_by_day_are_those_of_the_whole_history(desk: Desk) -> None:
    desk.deliver(index(0, 5), fear(0, 5))
    for day in range(5, len(DAYS)):
        desk.deliver(index(day, day + 1), fear(day, day + 1))
        _, finals = oracle(index(0, day + 1), fear(0, day + 1))
        assert desk.finals() == finals


def test_a_first_history_has_finals_and_no_revisions(desk: Desk) -> None:
    events = desk.deliver(index(0, 60), fear(0, 60))
    assert [event.name for event in events] == ["labels.stored"]
    assert desk.finals() == oracle(index(0, 60), fear(0, 60))[1]
    assert desk.ledger.finals.revisions("sim") == ()


def test_a_crash_that_closes_tells_the_days_it_is_dated_back_by(desk: Desk) -> None:
    desk.deliver(index(0, EXIT), fear(0, EXIT))
    assert max(desk.finals()) == str(DAYS[HIGH - 1])
    provisional = desk.labels()
    events = desk.deliver(index(EXIT, EXIT + 1), fear(EXIT, EXIT + 1))
    assert revised(events) == [
        {
            "market": "sim",
            "days": ENTRY - HIGH,
            "first_day": str(DAYS[HIGH]),
            "last_day": str(DAYS[ENTRY - 1]),
            "cause": "spell_closed",
        }
    ]
    assert desk.finals()[str(DAYS[HIGH])] == "crash"
    assert desk.labels()[:EXIT] == provisional
    (revision,) = desk.ledger.finals.revisions("sim", str(DAYS[HIGH]))
    assert revision[3:] == ("final", "normal", "crash", "spell_closed", NOON.isoformat())
    assert (revision.labeler, revision.data_version) == (RULES.version, 2)


def test_a_restated_bar_revises_finals_and_keeps_those_of_the_former_version(desk: Desk) -> None:
    desk.deliver(index(0, 60), fear(0, 60))
    former = desk.finals()
    calm = np.where(FEARS == 50.0, 34.0, FEARS)
    steady = np.where(CLOSES < 90.0, 99.0, CLOSES)
    events = desk.deliver(index(20, 60, steady), fear(20, 60, calm))
    _, finals = oracle(index(0, 60, steady), fear(0, 60, calm))
    assert desk.finals() == finals
    assert finals[str(DAYS[HIGH])] == "normal"
    assert "bar_restated" in {fields["cause"] for fields in revised(events)}
    assert dict(desk.ledger.finals.labels("sim", RULES.version, through=1)) == former
    assert former[str(DAYS[HIGH])] == "crash"
    kinds = [each[3:7] for each in desk.ledger.finals.revisions("sim", str(DAYS[ENTRY]))]
    assert ("provisional", "crash", "normal", "bar_restated") in kinds


def test_a_restated_high_opens_finals_that_a_crash_may_reach_again(desk: Desk) -> None:
    rising = np.linspace(100.0, 130.0, 60)
    calm = np.full(60, 13.0)
    calm[:20] = 18.0
    desk.deliver(index(0, 40, rising), fear(0, 40, calm))
    entered = next(i for i, label in enumerate(desk.labels()) if label.regime == "low_volatility")
    assert max(desk.finals()) == str(DAYS[entered - 1])
    restated = rising.copy()
    restated[entered - 2] = 131.0
    events = desk.deliver(index(entered - 2, entered - 1, restated))
    assert max(desk.finals()) == str(DAYS[entered - 3])
    assert [(fields["days"], fields["cause"]) for fields in revised(events)][:1] == [(2, "bar_restated")]
    (revision,) = desk.ledger.finals.revisions("sim", str(DAYS[entered - 1]))
    assert (revision.was, revision.became) == ("normal", None)


def test_another_labeler_says_once_on_how_many_days_it_differs(desk: Desk) -> None:
    desk.deliver(index(0, 50), fear(0, 50))
    rules = {label.day: label.regime for label in desk.labels()}
    desk.label_with("reference")
    (said,) = revised(desk.deliver(index(50, 51), fear(50, 51)))
    reference = labeler_named("reference", has_fear=True).version
    labels = {label.day: label.regime for label in desk.labels(reference)}
    differing = [day for day in rules if rules[day] != labels[day]]
    assert said == {
        "market": "sim",
        "days": len(differing),
        "first_day": differing[0],
        "last_day": differing[-1],
        "cause": "labeler_changed",
    }
    assert len(labels) == 51
    assert {label.day: label.regime for label in desk.labels()} == rules
    again = revised(desk.deliver(index(51, 52), fear(51, 52)))
    assert "labeler_changed" not in {fields["cause"] for fields in again}


def test_another_labeler_that_differs_nowhere_says_so(desk: Desk) -> None:
    desk.deliver(index(0, 10), fear(0, 10))
    desk.label_with("reference")
    (said,) = revised(desk.deliver(index(10, 11), fear(10, 11)))
    assert said == {
        "market": "sim",
        "days": 0,
        "first_day": None,
        "last_day": None,
        "cause": "labeler_changed",
    }


def test_the_former_labeler_continues_where_it_would_be(desk: Desk) -> None:
    desk.deliver(index(0, 30), fear(0, 30))
    desk.label_with("reference")
    desk.deliver(index(30, 40), fear(30, 40))
    desk.label_with("rules")
    desk.deliver(index(40, 60), fear(40, 60))
    series, finals = oracle(index(0, 60), fear(0, 60))
    assert tuple(label.regime for label in desk.labels()) == series.regime
    assert desk.finals() == finals


def test_a_crash_is_told_on_the_day_it_is_entered(desk: Desk) -> None:
    desk.deliver(index(0, ENTRY), fear(0, ENTRY))
    events = desk.deliver(index(ENTRY, ENTRY + 1), fear(ENTRY, ENTRY + 1))
    (told,) = [event.fields for event in events if event.name == "regime.changed"]
    assert (told["day"], told["from"], told["to"]) == (str(DAYS[ENTRY]), "normal", "crash")


def test_fear_that_comes_later_than_the_index_still_tells_the_crash(desk: Desk) -> None:
    desk.deliver(index(0, ENTRY), fear(0, ENTRY))
    calm = np.full(60, 100.0)
    assert [event.name for event in desk.deliver(index(ENTRY, ENTRY + 1, calm))] == ["labels.stored"]
    events = desk.deliver(fear(ENTRY, ENTRY + 1))
    assert [event.name for event in events] == ["labels.stored", "label.revised", "regime.changed"]
    told = events[-1].fields
    assert (told["day"], told["from"], told["to"]) == (str(DAYS[ENTRY]), "normal", "crash")


def test_the_spell_of_now_has_its_age_and_the_mean_of_its_closed_spells(desk: Desk) -> None:
    desk.deliver(index(0, 60), fear(0, 60))
    spell = desk.ledger.spell("sim", RULES.version)
    assert spell is not None
    assert (spell.regime, spell.closed_spells, spell.mean_days) == ("normal", 1, float(ENTRY))
    assert spell.days_in == 60 - EXIT
    assert sum(spell.days.values()) == 60
