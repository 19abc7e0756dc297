"""The handlers as functions: a message and the tools in, what follows from it out."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.adapters.bar_store import MemoryBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.clock import ManualClock
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.quarantine import Quarantine
from daemon.errors import ChildFailedError
from daemon.formats import write_csv
from daemon.handlers import ABANDONMENTS, COMPLETIONS, HANDLERS
from daemon.layout import Layout
from daemon.logs import catalogue
from daemon.messages import (
    BarsArrived,
    CandidateJudged,
    CandidateRegistered,
    FeedPollDue,
    FileArrived,
    Message,
    RetrainDue,
    ScoringDue,
    TrainingDue,
)
from daemon.records import ChildEnd, ChildJob, FileQuarantined, FileTaken, LabelsStored, Outcome, PartStored
from daemon.settings import (
    ArchiveSettings,
    FeaturesSettings,
    FeedSettings,
    GateSettings,
    IngestSettings,
    MarketSettings,
    ScoringSettings,
    Settings,
)
from daemon.tools import Tools
from regime.labels import label_days, labeler_named
from regime.simulator import SimulationSettings, simulate
from regime.types import Bars
from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.ports import Child
    from daemon.stored_label import StoredLabel

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SIMULATED = MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")
FOREST = b"the trees of a forest"
KILLED = ChildEnd(result=None, reason="it was killed by signal 9 (Killed)")


class GivenChildren:
    """Children that end as they were told to before they began."""

    def __init__(self, *ends: ChildEnd) -> None:
        self._ends = list(ends)
        self.jobs: list[ChildJob] = []

    def start(self, job: ChildJob, *, progress_file: Path | None) -> Child:
        del progress_file
        return GivenChild(self.run(job))

    def run(self, job: ChildJob) -> ChildEnd:
        self.jobs.append(job)
        return self._ends.pop(0)


class GivenChild:
    """A child that has ended already."""

    def __init__(self, end: ChildEnd) -> None:
        self._end = end

    def poll(self) -> ChildEnd:
        return self._end

    def stop(self, grace_s: float) -> None:
        del grace_s


class Desk:
    """The tools of the handlers, and a journal that their outcomes go into."""

    def __init__(self, root: Path) -> None:
        layout = Layout(root)
        layout.create()
        self.clock = ManualClock(NOON)
        self.journal = Journal(":memory:")
        self.children = GivenChildren()
        self.tools = Tools(
            settings=replace(
                Settings(),
                markets={"sim": SIMULATED},
                archive=ArchiveSettings(enabled=False),
                features=FeaturesSettings(enabled=False),
            ),
            layout=layout,
            clock=self.clock,
            ledger=self.journal.ledger,
            bars=MemoryBarStore(),
            calendar=SessionTables(layout.sessions, self.children, self.clock),
            children=self.children,
            quarantine=Quarantine(layout.quarantine),
            registry=Registry.open(layout.registry),
        )

    def configure(self, **parts: Any) -> None:
        self.tools = replace(self.tools, settings=replace(self.tools.settings, **parts))

    def stage(self, content: Bars | str, name: str = "bars.csv") -> FileArrived:
        """Put a file where the inbox puts what it takes."""
        if isinstance(content, Bars):
            write_csv(content, self.tools.layout.root / "written.csv")
            content = (self.tools.layout.root / "written.csv").read_text()
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        (self.tools.layout.files / sha256).write_text(content)
        return FileArrived(sha256=sha256, name=name, size_bytes=len(content.encode()))

    def handle(self, message: Message) -> Outcome | ChildJob:
        return HANDLERS[type(message)](message, self.tools)

    def do(self, message: Message) -> Outcome:
        """Handle a message and apply what follows from it."""
        outcome = self.handle(message)
        assert isinstance(outcome, Outcome)
        return self.apply(message, outcome)

    def complete(self, message: Message, end: ChildEnd) -> Outcome:
        """Complete a message with what its child did."""
        return self.apply(message, COMPLETIONS[type(message)](message, end, self.tools))

    def apply(self, message: Message, outcome: Outcome) -> Outcome:
        for event in outcome.events:
            assert set(event.fields) == set(catalogue()[event.name].fields), event.name
        self.journal.append([message], now=self.clock.now())
        found = self.journal._connection.execute("SELECT id FROM messages WHERE key = ?", (message.key,))
        pending = Pending(id=found.fetchone()[0], message=message, attempts=0)
        self.journal.finish(pending, outcome, now=self.clock.now())
        return outcome

    def take_in(self, bars: Bars) -> BarsArrived:
        """Take bars in, and give the message that follows."""
        (arrived,) = self.do(self.stage(bars)).follow_ups
        assert isinstance(arrived, BarsArrived)
        return arrived

    def labels(self) -> dict[str, str]:
        state = self.tools.ledger.labeler_state("sim")
        assert state is not None
        stored: tuple[StoredLabel, ...] = self.tools.ledger.labels("sim", state.labeler)
        return {label.day: label.regime for label in stored}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with closing(made.journal), made.tools.registry:
        yield made


@pytest.fixture(scope="module")
def market() -> Bars:
    """Give two years of a simulated index, its fear index and one stock."""
    settings = SimulationSettings(symbols=1, days=500, start=date(2022, 3, 1))
    return simulate(settings, np.random.default_rng(3)).bars


def between(bars: Bars, first: str, last: str) -> Bars:
    return bars.take((bars.date >= np.datetime64(first)) & (bars.date <= np.datetime64(last)))


def with_close(bars: Bars, day: str, factor: float) -> Bars:
    """Give the close-only bars of one symbol with another close on one day."""
    close = np.where(bars.date == np.datetime64(day), bars.close * factor, bars.close)
    return Bars.of_closes(str(bars.symbol[0]), bars.date, close)


def oracle(bars: Bars) -> dict[str, str]:
    """Give the labels of a whole history, computed at once."""
    series = label_days(
        bars.of_symbol("^SIM"), bars.of_symbol("^SIMVIX"), labeler_named("rules", has_fear=True)
    )
    return {str(day): regime.value for day, regime in zip(series.date, series.regime, strict=True)}


def names(outcome: Outcome) -> list[str]:
    return [event.name for event in outcome.events]


# A file arrived.


def test_the_bars_of_a_file_become_the_next_data_version(desk: Desk, market: Bars) -> None:
    outcome = desk.do(desk.stage(market, "market.csv"))
    taken, stored = outcome.records
    assert isinstance(taken, FileTaken)
    assert isinstance(stored, PartStored)
    assert (taken.name, taken.rows, taken.symbols) == ("market.csv", 1500, ("S001", "^SIM", "^SIMVIX"))
    assert (stored.data_version, stored.rows, stored.first_day) == (1, 1500, "2022-03-01")
    assert names(outcome) == ["ingest.accepted"]
    assert outcome.follow_ups == (
        BarsArrived(data_version=1, symbols=("S001", "^SIM", "^SIMVIX"), first_day="2022-03-01"),
    )
    assert desk.tools.bars.read([stored.part]) == market


def test_bars_that_are_known_make_no_data_version(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    outcome = desk.do(desk.stage(between(market, "2022-05-01", "2022-06-01")))
    assert names(outcome) == ["ingest.unchanged"]
    assert outcome.follow_ups == ()
    assert desk.tools.ledger.data_version() == 1


def test_only_what_is_new_or_differs_is_stored(desk: Desk, market: Bars) -> None:
    index = Bars.of_closes("^SIM", market.of_symbol("^SIM").date, market.of_symbol("^SIM").close)
    desk.take_in(between(index, "2022-03-01", "2022-12-30"))
    later = with_close(between(index, "2022-06-01", "2023-01-03"), "2022-07-01", 1.01)
    outcome = desk.do(desk.stage(later))
    stored = outcome.records[1]
    assert isinstance(stored, PartStored)
    assert desk.tools.bars.read([stored.part]).date.astype(str).tolist() == [
        "2022-07-01",
        "2023-01-02",
        "2023-01-03",
    ]
    assert outcome.follow_ups == (BarsArrived(data_version=2, symbols=("^SIM",), first_day="2022-07-01"),)


def test_a_bar_whose_volume_is_known_now_is_new(desk: Desk) -> None:
    days = ["2024-02-28", "2024-02-29"]
    desk.take_in(Bars.of_closes("S001", days, [10.0, 11.0]))
    whole = Bars.of("S001", days, [10.0] * 2, [12.0] * 2, [9.0] * 2, [10.0, 11.0], [500.0, 600.0])
    assert desk.take_in(whole).data_version == 2


def test_the_bars_of_other_symbols_are_not_read(desk: Desk, market: Bars) -> None:
    desk.take_in(market.of_symbol("S001"))
    (other,) = [part.part for part in desk.tools.ledger.parts()]
    assert isinstance(desk.tools.bars, MemoryBarStore)
    del desk.tools.bars._parts[other]
    arrived = desk.take_in(market.of_symbol("^SIM"))
    desk.take_in(market.of_symbol("^SIMVIX"))
    assert names(desk.do(arrived)) == [
        "labels.stored",
        "labeler.unknown",
        "labeler.short_history",
    ]


def test_symbols_are_renamed_as_configured(desk: Desk) -> None:
    desk.configure(ingest=IngestSettings(symbols={"^SPX": "^GSPC"}))
    arrived = desk.take_in(Bars.of_closes("^SPX", ["2024-02-29"], [5000.0]))
    assert arrived.symbols == ("^GSPC",)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("<html>Will be right back</html>", "error_body"),
        ("", "empty"),
        ("symbol,date,close\nSPY,2024-02-30,10\n", "date"),
        ("symbol,date,open,high,low,close,volume\nSPY,2024-02-29,10,9,12,11,5\n", "ohlc_order"),
        ("symbol,date,open,high,low,close,volume\nSPY,2024-03-04,10,12,9,11,5\n", "future_date"),
        ("symbol,date,open,high,low,close,volume\nSPY,2024-02-25,10,12,9,11,5\n", "non_session_day"),
    ],
)
def test_a_bad_file_goes_into_quarantine_and_nothing_else_changes(
    desk: Desk, content: str, code: str
) -> None:
    outcome = desk.do(desk.stage(content, "bad.csv"))
    (refused,) = outcome.records
    assert isinstance(refused, FileQuarantined)
    assert (refused.code, names(outcome), outcome.follow_ups) == (code, ["ingest.quarantined"], ())
    (entry,) = desk.tools.quarantine.entries()
    assert (entry.file, entry.code, entry.sentence) == ("bad.csv", code, refused.sentence)
    assert (desk.tools.layout.quarantine / "bad.csv").read_text() == content
    assert desk.tools.ledger.data_version() == 0


def test_a_file_that_is_too_large_is_refused_without_being_read(desk: Desk) -> None:
    message = FileArrived(sha256="f" * 64, name="big.csv", size_bytes=2**40)
    outcome = desk.do(message)
    assert [entry.code for entry in desk.tools.quarantine.entries()] == ["too_large"]
    assert "more than ingest.file_bytes_max" in str(outcome.events[0].fields["sentence"])


def test_the_sessions_of_an_exchange_are_asked_of_a_child(desk: Desk, market: Bars) -> None:
    desk.configure(markets={"sim": replace(SIMULATED, calendar="XSIM")})
    sessions = np.arange("2022-01-03", "2025-01-01", dtype="datetime64[D]").astype(str).tolist()
    desk.children._ends = [ChildEnd(result={"sessions": sessions}, reason=None)]
    desk.take_in(market.of_symbol("^SIM"))
    assert [job.job["calendar"] for job in desk.children.jobs] == ["XSIM"]


def test_a_large_file_is_parsed_by_a_child_whose_part_is_taken_in(desk: Desk, market: Bars) -> None:
    desk.configure(ingest=IngestSettings(inline_bytes_max=100, time_limit_s=7, memory_limit_mib=512))
    message = desk.stage(market)
    job = desk.handle(message)
    assert isinstance(job, ChildJob)
    assert (job.module, job.time_limit_s, job.memory_limit_mib) == ("daemon.children.parse", 7, 512)
    assert Path(str(job.job["path"])).is_file()
    parsed = {"part": desk.tools.bars.write_part(market), "format": "own_csv"}
    outcome = desk.complete(message, ChildEnd(result=parsed, reason=None))
    assert names(outcome) == ["ingest.accepted"]
    assert desk.tools.ledger.data_version() == 1


def test_what_a_child_has_parsed_is_deleted_unless_it_is_just_what_is_stored(
    desk: Desk, market: Bars
) -> None:
    desk.configure(ingest=IngestSettings(inline_bytes_max=100))
    old, new = between(market, "2022-03-01", "2023-12-01"), between(market, "2023-01-01", "2024-01-10")
    written = [desk.tools.bars.write_part(bars) for bars in (old, new)]
    for bars, part in zip((old, new), written, strict=True):
        end = ChildEnd(result={"part": part, "format": "own_csv"}, reason=None)
        desk.complete(desk.stage(bars), end)
    first, second = (part.part for part in desk.tools.ledger.parts())
    assert first == written[0]
    assert second != written[1]
    assert [desk.tools.bars.has(part) for part in (first, second, written[1])] == [True, True, False]


@pytest.mark.parametrize(
    ("end", "code", "sentence"),
    [
        (ChildEnd(result={"code": "header", "sentence": "no header"}, reason=None), "header", "no header"),
        (KILLED, "unreadable", "parsing it failed: it was killed"),
    ],
)
def test_a_file_that_a_child_cannot_parse_goes_into_quarantine(
    desk: Desk, end: ChildEnd, code: str, sentence: str
) -> None:
    outcome = desk.complete(desk.stage("x" * 200), end)
    assert names(outcome) == ["ingest.quarantined"]
    (entry,) = desk.tools.quarantine.entries()
    assert entry.code == code
    assert sentence in entry.sentence


# Bars arrived.


def test_the_first_bars_are_labelled_from_the_first_day_without_calling_it_a_change(
    desk: Desk, market: Bars
) -> None:
    outcome = desk.do(desk.take_in(market))
    assert names(outcome) == ["labels.stored"]
    assert outcome.events[0].fields["days"] == 500
    assert desk.labels() == oracle(market)


def test_labels_that_grow_day_by_day_are_those_of_the_whole_history(desk: Desk, market: Bars) -> None:
    desk.do(desk.take_in(between(market, "2022-03-01", "2023-12-01")))
    for day in np.arange("2023-12-04", "2024-01-31", dtype="datetime64[D]").astype(str).tolist():
        bars = between(market, day, day)
        if len(bars):
            outcome = desk.do(desk.take_in(bars))
            (record,) = outcome.records
            assert isinstance(record, LabelsStored)
            assert [label.day for label in record.labels] == [day]
    assert desk.labels() == oracle(market)


def test_a_switch_on_a_new_day_is_an_event_with_both_regimes_and_the_reason(desk: Desk, market: Bars) -> None:
    truth = oracle(market)
    days = list(truth)
    at = next(i for i in range(len(days) - 1, 0, -1) if truth[days[i]] != truth[days[i - 1]])
    desk.do(desk.take_in(between(market, days[0], days[at - 1])))
    outcome = desk.do(desk.take_in(between(market, days[at], days[at])))
    assert names(outcome) == ["labels.stored", "regime.changed"]
    fields = outcome.events[1].fields
    assert (fields["market"], fields["day"]) == ("sim", days[at])
    assert (fields["from"], fields["to"]) == (truth[days[at - 1]], truth[days[at]])
    assert fields["reason"] == outcome.records[0].labels[0].reason  # type: ignore[union-attr]  # LabelsStored


def test_a_restated_bar_revises_the_labels_from_its_day_on(desk: Desk, market: Bars) -> None:
    desk.do(desk.take_in(market))
    before = desk.labels()
    fear = with_close(market.of_symbol("^SIMVIX"), "2023-06-01", 4.0)
    restated = with_close(fear, "2023-06-02", 4.0)
    outcome = desk.do(desk.take_in(restated))
    assert names(outcome)[:2] == ["labels.stored", "label.revised"]
    fields = outcome.events[1].fields
    after = desk.labels()
    assert after == oracle(Bars.concat([market, restated]))
    changed = [day for day in after if after[day] != before[day]]
    assert changed
    assert (fields["first_day"], fields["last_day"], fields["days"]) == (
        changed[0], changed[-1], len(changed),
    )  # fmt: skip
    state = desk.tools.ledger.labeler_state("sim")
    assert state is not None
    old = desk.tools.ledger.labels("sim", state.labeler, through=1)
    assert {label.day: label.regime for label in old} == before


def test_labels_are_right_even_if_a_message_fails_first_and_is_done_after_a_later_one(
    desk: Desk, market: Bars
) -> None:
    desk.do(desk.take_in(between(market, "2022-03-01", "2024-01-24")))
    restated = with_close(market.of_symbol("^SIMVIX"), "2023-06-01", 4.0)
    failed = desk.take_in(between(restated, "2023-06-01", "2023-06-01"))
    later = desk.take_in(between(market, "2024-01-25", "2024-01-29"))
    desk.do(later)
    truth = oracle(Bars.concat([market, between(restated, "2023-06-01", "2023-06-01")]))
    assert truth != oracle(market)
    assert desk.labels() == truth
    outcome = desk.do(failed)
    assert outcome.records == ()
    assert outcome.events == ()
    assert desk.labels() == truth


def test_bars_of_a_stock_change_no_label(desk: Desk, market: Bars) -> None:
    assert desk.do(desk.take_in(market.of_symbol("S001"))) == Outcome()


def test_fear_without_an_index_waits_for_the_index(desk: Desk, market: Bars) -> None:
    assert desk.do(desk.take_in(market.of_symbol("^SIMVIX"))) == Outcome()
    desk.do(desk.take_in(market.of_symbol("^SIM")))
    assert desk.labels() == oracle(market)


def test_a_last_day_without_a_regime_is_an_error_that_says_why(desk: Desk, market: Bars) -> None:
    outcome = desk.do(desk.take_in(between(market.of_symbol("^SIM"), "2022-03-01", "2022-04-01")))
    assert names(outcome) == ["labels.stored", "labeler.unknown", "labeler.short_history"]
    assert "fear" in str(outcome.events[1].fields["reason"])


# A retrain is due.


def manifest_of(run: str) -> Manifest:
    return Manifest(
        run_id=run,
        recipe_hash="recipe",
        data_hash="data",
        data_version="1",
        feature_names=("return_1",),
        feature_hash="features",
        feature_catalogue="1",
        target={"name": "reference"},
        classes=("sell", "hold", "buy"),
        settings={"seed": 1},
        settings_hash="settings",
        seed=1,
        trained_from=date(2022, 3, 1),
        trained_to=date(2024, 1, 29),
        trained_rows=500,
        packages={"scikit-learn": "1.9.1"},
        members={
            "random_forest": Member(
                status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(FOREST).hexdigest()
            )
        },
        created_at=NOON,
    )


def register(desk: Desk, run: str) -> str:
    """Put a version into the registry, as a training child does."""
    artifacts = {"random_forest": FOREST}
    return desk.tools.registry.register(
        manifest_of(run), artifacts, {"rows": 500}, key=f"train:{run}", at=NOON
    ).name


def judged(version: str, champion: str | None, verdict: str) -> CandidateJudged:
    return CandidateJudged(version=version, champion=champion, verdict=verdict, reason="it is better")


def test_without_bars_a_run_fails_at_once_and_says_what_to_do(desk: Desk) -> None:
    outcome = desk.do(RetrainDue(trigger="manual", period="now"))
    assert names(outcome) == ["retrain.started", "retrain.failed"]
    assert outcome.follow_ups == ()
    (run,) = desk.tools.ledger.runs()
    assert (run.outcome, run.reason) == ("failed", "there are no bars yet; drop price files into inbox/")


def test_a_run_is_opened_on_the_data_of_now_and_trained_by_a_child(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    outcome = desk.do(RetrainDue(trigger="schedule", period="2024-02-24"))
    due = TrainingDue(run_id="r1", data_version=1)
    assert outcome.follow_ups == (due,)
    (run,) = desk.tools.ledger.runs()
    assert (run.id, run.outcome, run.opened_at) == ("r1", "running", NOON.isoformat())
    job = desk.handle(due)
    assert isinstance(job, ChildJob)
    assert job.module == "daemon.children.train"
    assert {"run": "r1", "data_version": 1, "opened_at": NOON.isoformat()}.items() <= job.job.items()
    assert desk.tools.layout.run("r1").is_dir()
    json.dumps(dict(job.job))
    (second,) = desk.do(RetrainDue(trigger="schedule", period="2024-03-02")).follow_ups
    assert second == TrainingDue(run_id="r2", data_version=1)


def test_a_run_that_succeeded_hands_its_version_to_the_judge(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    desk.do(RetrainDue(trigger="manual", period="now"))
    result = {"version": "v1", "members": 7, "failed": ["svm"]}
    outcome = desk.complete(TrainingDue(run_id="r1", data_version=1), ChildEnd(result=result, reason=None))
    assert names(outcome) == ["retrain.succeeded"]
    registered = CandidateRegistered(run_id="r1", version="v1")
    assert outcome.follow_ups == (registered,)
    (run,) = desk.tools.ledger.runs()
    assert (run.outcome, run.version) == ("succeeded", "v1")
    job = desk.handle(registered)
    assert isinstance(job, ChildJob)
    assert (job.module, job.job["version"]) == ("daemon.children.judge", "v1")


def test_a_run_whose_child_was_killed_failed_with_its_reason(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    desk.do(RetrainDue(trigger="manual", period="now"))
    outcome = desk.complete(TrainingDue(run_id="r1", data_version=1), KILLED)
    assert names(outcome) == ["retrain.failed"]
    assert outcome.follow_ups == ()
    assert [(run.outcome, run.reason) for run in desk.tools.ledger.runs()] == [("failed", KILLED.reason)]


def test_a_run_that_could_not_be_started_is_closed(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    desk.do(RetrainDue(trigger="manual", period="now"))
    due = TrainingDue(run_id="r1", data_version=1)
    desk.apply(due, ABANDONMENTS[TrainingDue](due, "OSError: no processes left"))
    assert [run.reason for run in desk.tools.ledger.runs()] == ["OSError: no processes left"]


def test_the_judges_word_is_passed_on_and_its_failure_is_tried_again(desk: Desk) -> None:
    registered = CandidateRegistered(run_id="r1", version="v1")
    word = {"champion": None, "verdict": "BOOTSTRAP", "reason": "it is the first"}
    outcome = desk.complete(registered, ChildEnd(result=word, reason=None))
    assert outcome.follow_ups == (
        CandidateJudged(version="v1", champion=None, verdict="BOOTSTRAP", reason="it is the first"),
    )
    with pytest.raises(ChildFailedError, match=r"v1 could not be judged: it was killed"):
        COMPLETIONS[CandidateRegistered](registered, KILLED, desk.tools)


@pytest.mark.parametrize("verdict", ["BOOTSTRAP", "PROMOTE"])
def test_what_the_gate_lets_through_becomes_champion_and_is_scored(
    desk: Desk, market: Bars, verdict: str
) -> None:
    desk.take_in(market)
    version = register(desk, "r1")
    outcome = desk.do(judged(version, None, verdict))
    champion = desk.tools.registry.champion()
    assert champion is not None
    assert champion.name == version
    assert names(outcome) == ["gate.promoted"]
    assert outcome.follow_ups == (ScoringDue(data_version=1, champion=version),)


def test_a_promotion_that_was_interrupted_is_finished_as_if_it_had_not_been(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    message = judged(register(desk, "r1"), None, "BOOTSTRAP")
    interrupted = desk.handle(message)
    desk.clock.advance(timedelta(minutes=5))
    assert desk.handle(message) == interrupted
    assert len(desk.tools.registry.tenures()) == 1


@pytest.mark.parametrize(
    ("verdict", "automatic"), [("KEEP", True), ("SHADOW", True), ("REJECT", True), ("PROMOTE", False)]
)
def test_what_the_gate_does_not_let_through_leaves_the_champion(
    desk: Desk, verdict: str, *, automatic: bool
) -> None:
    desk.configure(gate=GateSettings(automatic=automatic))
    outcome = desk.do(judged(register(desk, "r1"), None, verdict))
    assert names(outcome) == ["gate.refused"]
    assert outcome.follow_ups == ()
    assert desk.tools.registry.champion() is None


def test_a_verdict_against_a_champion_that_is_none_any_more_promotes_nobody(desk: Desk) -> None:
    first, second = register(desk, "r1"), register(desk, "r2")
    desk.do(judged(first, None, "BOOTSTRAP"))
    outcome = desk.do(judged(second, None, "BOOTSTRAP"))
    assert names(outcome) == ["gate.refused"]
    assert "; but meanwhile " in str(outcome.events[0].fields["reason"])
    champion = desk.tools.registry.champion()
    assert champion is not None
    assert champion.name == first


# A day is to be scored.

PREDICTION = {
    "version": "v1", "symbol": "S001", "day": "2024-01-29", "regime": "normal",
    "probabilities": {"sell": 0.2, "hold": 0.3, "buy": 0.5},
}  # fmt: skip
READING = {
    "monitor": "mix", "reference": "abc", "day": "2024-01-29", "level": "warn",
    "statistic": 3.1, "threshold": 3.0, "effective_n": 20.0, "detail": {"tested": 5},
}  # fmt: skip


def test_without_a_champion_there_is_nothing_to_score(desk: Desk, market: Bars) -> None:
    desk.take_in(market)
    assert desk.handle(ScoringDue(data_version=1, champion="v1")) == Outcome()


def test_the_newest_data_is_scored_by_the_champion_of_now_in_a_child(desk: Desk, market: Bars) -> None:
    arrived = desk.take_in(market)
    version = register(desk, "r1")
    desk.do(judged(version, None, "BOOTSTRAP"))
    (due,) = desk.do(arrived).follow_ups
    assert due == ScoringDue(data_version=1, champion=version)
    job = desk.handle(due)
    assert isinstance(job, ChildJob)
    assert (job.module, job.job["champion"]) == ("daemon.children.score", version)
    assert desk.handle(ScoringDue(data_version=1, champion="another")) == Outcome()
    assert desk.handle(ScoringDue(data_version=0, champion=version)) == Outcome()
    desk.configure(scoring=ScoringSettings(enabled=False))
    assert desk.do(arrived).follow_ups == ()


def test_what_scoring_found_is_stored_and_an_alarm_is_an_event(desk: Desk) -> None:
    result = {
        "day": "2024-01-29",
        "predictions": [PREDICTION],
        "readings": [READING],
        "alarms": [READING],
        "states": {"mix": "AAA="},
    }
    outcome = desk.complete(ScoringDue(data_version=1, champion="v1"), ChildEnd(result=result, reason=None))
    assert names(outcome) == ["scoring.done", "drift.detected"]
    assert outcome.events[1].fields["alarm"] == "warn"
    assert [each["symbol"] for each in desk.tools.ledger.predictions()] == ["S001"]
    assert [each["statistic"] for each in desk.tools.ledger.readings()] == [3.1]
    assert desk.tools.ledger.monitor_states() == {"mix": "AAA="}


def test_scoring_that_failed_is_tried_again(desk: Desk) -> None:
    due = ScoringDue(data_version=1, champion="v1")
    with pytest.raises(ChildFailedError, match="data version 1 could not be scored: it was killed"):
        COMPLETIONS[ScoringDue](due, KILLED, desk.tools)


# A feed is due.

POLL = FeedPollDue(feed="cboe_vix", slot="2024-03-01T12:00:00+00:00")
NEWS: dict[str, Any] = {
    "ok": True, "files": ["vix.csv"], "cursor": {"^VIX": {"etag": "a"}}, "last_date": "2024-02-29",
    "error": None,
}  # fmt: skip


def polled(desk: Desk, **news: Any) -> Outcome:
    return desk.complete(
        FeedPollDue(feed="cboe_vix", slot=desk.clock.now().isoformat()),
        ChildEnd(result={**NEWS, **news}, reason=None),
    )


def switch_on(desk: Desk) -> None:
    desk.configure(feeds={"cboe_vix": FeedSettings(enabled=True, symbols=("^VIX",), stale_sessions=2)})


def test_a_feed_that_was_switched_off_is_not_asked(desk: Desk) -> None:
    assert desk.handle(POLL) == Outcome()


def test_a_feed_is_asked_by_a_child_with_the_cursor_of_the_last_time(desk: Desk) -> None:
    switch_on(desk)
    first = desk.handle(POLL)
    assert isinstance(first, ChildJob)
    assert first.module == "daemon.children.poll"
    assert (first.job["cursor"], first.job["today"]) == (None, "2024-03-01")
    polled(desk)
    again = desk.handle(POLL)
    assert isinstance(again, ChildJob)
    assert again.job["cursor"] == {"^VIX": {"etag": "a"}}


def test_what_a_feed_brought_is_said_and_remembered(desk: Desk) -> None:
    switch_on(desk)
    outcome = polled(desk)
    assert [(event.name, event.fields["files"]) for event in outcome.events] == [("feed.polled", 1)]
    state = desk.tools.ledger.feed("cboe_vix")
    assert state is not None
    assert (state.last_day, state.error) == ("2024-02-29", None)


def test_a_feed_that_failed_keeps_what_was_known_of_it(desk: Desk) -> None:
    switch_on(desk)
    polled(desk)
    error = {"kind": "busy", "sentence": "HTTP 429"}
    outcome = polled(desk, files=[], cursor=None, last_date=None, error=error)
    assert [(event.name, event.fields["kind"]) for event in outcome.events] == [("feed.failed", "busy")]
    outcome = desk.complete(POLL, KILLED)
    assert [(event.name, event.fields["kind"]) for event in outcome.events] == [("feed.failed", "child")]
    state = desk.tools.ledger.feed("cboe_vix")
    assert state is not None
    assert (state.cursor, state.last_day) == ('{"^VIX": {"etag": "a"}}', "2024-02-29")
    assert (state.ok_at, state.error) == (NOON.isoformat(), KILLED.reason)


def test_a_feed_that_missed_its_sessions_is_stale(desk: Desk) -> None:
    switch_on(desk)
    assert names(polled(desk)) == ["feed.polled"]
    desk.clock.advance(timedelta(days=4))  # Tuesday; Friday and Monday were missed
    assert names(polled(desk)) == ["feed.polled", "feed.stale"]
