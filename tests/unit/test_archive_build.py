"""Building the archive from a market: what is due, what is left alone, and what is no event any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.archive import ArchiveFolder
from daemon.children.archive import Assignment, EventOutcome, build_archive
from daemon.children.data import Market
from daemon.formats.samples import SAMPLE_FIELDS, table_of_samples
from regime.events import DYNAMIC, RareEvent
from regime.features import CATALOGUE, catalogue_hash
from regime.labels import effective_fear, label_days, labeler_named
from regime.simulator import SimulationSettings, simulate
from regime.targets import target_named
from regime.types import Bars, Regime

if TYPE_CHECKING:
    from pathlib import Path


def event(id_: str, first: str, last: str, origin: str = "catalogued") -> RareEvent:
    return RareEvent(
        id=id_,
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        regime=Regime.CRASH,
        weight=0.2,
        origin=origin,
    )


SPRING = event("spring", "2006-04-03", "2006-05-12")
SUMMER = event("summer", "2006-06-01", "2006-06-30")
TOO_EARLY = event("too_early", "2005-03-01", "2005-03-31")
FOUND = event("dynamic_2006_08_01", "2006-08-01", "2006-08-10", DYNAMIC)


@pytest.fixture(scope="module")
def market() -> Market:
    """Give two stocks of two years, their index and its fear."""
    bars = simulate(SimulationSettings(symbols=2, days=520), np.random.default_rng(7)).bars
    index, fear = bars.of_symbol("^SIM"), bars.of_symbol("^SIMVIX")
    return Market(
        name="sim",
        bars=bars.take(np.isin(bars.symbol, ["S001", "S002"])),
        index=index,
        fear=effective_fear(index, fear),
        labels=label_days(index, fear, labeler_named("rules", has_fear=True)),
    )


@pytest.fixture
def assignment(market: Market) -> Assignment:
    return Assignment(
        events=(SPRING, SUMMER), market=market, target=target_named("reference"), data_version=4
    )


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    return ArchiveFolder(tmp_path / "archive")


def built(folder: ArchiveFolder, assignment: Assignment, *only: str) -> dict[str, EventOutcome]:
    outcomes = build_archive(folder, assignment, lambda _done, _total, _what: None, only=only)
    return {outcome.name: outcome for outcome in outcomes}


def words(outcomes: dict[str, EventOutcome]) -> dict[str, str]:
    return {name: outcome.outcome for name, outcome in outcomes.items()}


def with_close(market: Market, day: str, factor: float) -> Market:
    scale = np.where(market.bars.date == np.datetime64(day), factor, 1.0)
    bars = market.bars
    scaled = {name: getattr(bars, name) * scale for name in ("open", "high", "low", "close")}
    return replace(market, bars=replace(bars, **scaled))


def test_an_event_becomes_a_parquet_with_a_manifest_that_tells_what_is_in_it(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    outcomes = built(folder, assignment)
    assert words(outcomes) == {"spring": "built", "summer": "built"}
    content, manifest = folder.read("spring")
    table = table_of_samples(content)
    names = tuple(feature.name for feature in CATALOGUE)
    assert tuple(table.column_names) == (*SAMPLE_FIELDS, *names)
    assert {str(table.schema.field(name).type) for name in names} == {"float"}
    assert table.num_rows == manifest.rows == outcomes["spring"].rows == 60
    assert table.column("event_id").unique().to_pylist() == ["spring"]
    assert table.column("nominal_regime").unique().to_pylist() == ["crash"]
    assert sorted(table.column("symbol").unique().to_pylist()) == manifest.symbols == ["S001", "S002"]
    assert min(table.column("date").to_pylist()).isoformat() == manifest.first_sample_day == "2006-04-03"
    assert (manifest.catalogue_hash, manifest.features) == (catalogue_hash(), 179)
    assert manifest.target["classes"] == ["sell", "hold", "buy"]
    assert (manifest.data_version, manifest.labeler) == (4, assignment.market.labels.labeler)
    assert sum(manifest.label_counts.values()) == sum(manifest.class_counts.values()) == 60
    ends, days = table.column("label_end").to_pylist(), table.column("date").to_pylist()
    assert all(day < end for day, end in zip(days, ends, strict=True))


def test_the_same_inputs_give_the_same_bytes(
    folder: ArchiveFolder, assignment: Assignment, tmp_path: Path
) -> None:
    other = ArchiveFolder(tmp_path / "other")
    built(folder, assignment)
    built(other, assignment)
    assert folder.read("spring") == other.read("spring")


def test_an_event_that_is_built_of_the_same_is_left_alone(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    built(folder, assignment)
    before = folder.parquet("spring").stat().st_mtime_ns
    outcomes = built(folder, replace(assignment, data_version=9))
    assert words(outcomes) == {"spring": "unchanged", "summer": "unchanged"}
    assert folder.parquet("spring").stat().st_mtime_ns == before
    assert folder.read("spring")[1].data_version == 4


def test_only_the_events_are_built_again_whose_bars_have_changed(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    built(folder, assignment)
    restated = replace(assignment, market=with_close(assignment.market, "2006-07-14", 1.02))
    assert words(built(folder, restated)) == {"spring": "unchanged", "summer": "built"}


@pytest.mark.parametrize(
    "changed",
    [
        {"target": target_named("triple_barrier")},
        {"events": (replace(SPRING, weight=0.3), SUMMER)},
        {"events": (replace(SPRING, regime=Regime.HIGH_VOLATILITY), SUMMER)},
        {"events": (replace(SPRING, last_day=date(2006, 5, 11)), SUMMER)},
    ],
    ids=["target", "weight", "nominal regime", "window"],
)
def test_another_target_or_event_is_built_again(
    folder: ArchiveFolder, assignment: Assignment, changed: dict[str, object]
) -> None:
    built(folder, assignment)
    other = replace(assignment, **changed)  # type: ignore[arg-type]  # fields of the assignment
    assert words(built(folder, other))["spring"] == "built"
    assert words(built(folder, other))["spring"] == "unchanged"


def test_another_labeler_is_built_again(folder: ArchiveFolder, assignment: Assignment) -> None:
    built(folder, assignment)
    labels = replace(assignment.market.labels, labeler="rules-other")
    other = replace(assignment, market=replace(assignment.market, labels=labels))
    assert words(built(folder, other)) == {"spring": "built", "summer": "built"}


def test_an_event_that_the_index_does_not_cover_waits_and_says_for_what(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    outcomes = built(folder, replace(assignment, events=(TOO_EARLY, SPRING)))
    assert words(outcomes) == {"too_early": "waiting", "spring": "built"}
    assert outcomes["too_early"].detail == "the index has 41 bars before 2005-03-01, 258 are needed"


def test_an_event_without_a_sample_is_empty_and_the_others_are_built(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    late = assignment.market.bars.take(assignment.market.bars.date > np.datetime64("2005-06-01"))
    outcomes = built(folder, replace(assignment, market=replace(assignment.market, bars=late)))
    assert words(outcomes) == {"spring": "empty", "summer": "built"}
    assert "lack features" in outcomes["spring"].detail
    assert folder.events() == ("summer",)


def test_without_any_stock_every_event_is_empty(folder: ArchiveFolder, assignment: Assignment) -> None:
    outcomes = built(folder, replace(assignment, market=replace(assignment.market, bars=Bars.empty())))
    assert words(outcomes) == {"spring": "empty", "summer": "empty"}
    assert folder.events() == ()


def test_a_changed_file_is_refused_and_left_as_it_is(folder: ArchiveFolder, assignment: Assignment) -> None:
    built(folder, assignment)
    folder.parquet("spring").write_bytes(b"PAR1 mine PAR1")
    outcomes = built(folder, assignment)
    assert words(outcomes) == {"summer": "unchanged", "event_spring.parquet": "refused"}
    assert folder.parquet("spring").read_bytes() == b"PAR1 mine PAR1"
    folder.remove("spring")
    assert words(built(folder, assignment)) == {"spring": "built", "summer": "unchanged"}


def test_a_file_in_the_place_of_an_event_is_not_overwritten(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    folder.folder.mkdir()
    folder.parquet("spring").write_bytes(b"mine")
    assert words(built(folder, assignment)) == {"summer": "built", "event_spring.parquet": "refused"}
    assert folder.parquet("spring").read_bytes() == b"mine"


def test_only_the_events_that_are_asked_for_are_built(folder: ArchiveFolder, assignment: Assignment) -> None:
    assert words(built(folder, assignment, "summer")) == {"summer": "built"}
    assert folder.events() == ("summer",)


def test_a_rehearsal_says_what_is_due_and_writes_nothing(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    built(folder, assignment, "summer")
    rehearsed = built(folder, replace(assignment, is_rehearsal=True))
    assert words(rehearsed) == {"spring": "due", "summer": "unchanged"}
    assert folder.events() == ("summer",)


def test_a_captured_event_that_is_none_any_more_is_removed(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    with_found = replace(assignment, events=(SPRING, FOUND))
    assert words(built(folder, with_found)) == {"spring": "built", FOUND.id: "built"}
    assert folder.read(FOUND.id)[1].origin == "dynamic"
    rehearsal = replace(assignment, is_rehearsal=True)
    assert words(built(folder, rehearsal))[FOUND.id] == "removed"
    assert folder.events() == (FOUND.id, "spring")
    assert words(built(folder, assignment))[FOUND.id] == "removed"
    assert folder.events() == ("spring", "summer")


def test_an_event_of_another_catalogue_is_refused_and_kept(
    folder: ArchiveFolder, assignment: Assignment
) -> None:
    built(folder, assignment)
    outcomes = built(folder, replace(assignment, events=(SPRING,)))
    assert words(outcomes) == {"spring": "unchanged", "event_summer.json": "refused"}
    assert folder.events() == ("spring", "summer")


def test_progress_is_told_event_by_event(folder: ArchiveFolder, assignment: Assignment) -> None:
    said: list[tuple[int, int, str]] = []
    build_archive(folder, assignment, lambda done, total, what: said.append((done, total, what)))
    assert said == [(0, 2, "spring"), (1, 2, "summer"), (2, 2, "done")]
