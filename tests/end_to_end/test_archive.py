"""A daemon that archives rare events by itself, commands beside it, and a death in the middle of building."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.adapters.archive import ArchiveFolder

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Installation, SimulatedMarket

    Make = Callable[[Path], Installation]
    Run = Callable[..., subprocess.CompletedProcess[str]]

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
CATALOGUED = ["2011_debt_ceiling", "2015_china_devaluation"]
"""The events of the catalogue that the simulated eight years from 2010 on cover."""


def validate(name: str, facts: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(facts)


def states(place: Installation) -> dict[str, str]:
    facts = place.facts("archive", "list")
    validate("archive-list", facts)
    return {event["event"]: event["state"] for event in facts["events"]}


def content_of(place: Installation) -> dict[str, bytes]:
    """Give the files of an archive, the data version of their manifests aside."""
    found = {}
    for path in sorted(place.layout.archive.glob("event_*")):
        content = path.read_bytes()
        if path.suffix == ".json":
            manifest = json.loads(content)
            assert manifest.pop("data_version") >= 1
            content = json.dumps(manifest).encode()
        found[path.name] = content
    return found


@pytest.fixture(scope="session")
def archived(
    installation_at: Make, market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Give a directory whose daemon took in eight years and was stopped; it is shared, so tests only read."""
    place = installation_at(tmp_path_factory.mktemp("archived") / "regimed")
    place.init()
    place.start()
    place.drop(*market.history)
    place.wait_until_idle()
    assert place.stop() == 0
    return place


@pytest.fixture
def archived_copy(archived: Installation, installation_at: Make, tmp_path: Path) -> Installation:
    place = installation_at(tmp_path / "copy")
    shutil.copytree(archived.layout.root, place.layout.root)
    return place


def test_events_whose_bars_are_complete_are_archived_without_being_asked_for(archived: Installation) -> None:
    found = states(archived)
    assert [event for event in CATALOGUED if found[event] == "built"] == CATALOGUED
    assert found["2008_financial_crisis"] == "waiting"
    assert found["2020_covid_crash"] == "waiting"
    built = [event for event, state in found.items() if state == "built"]
    assert ArchiveFolder(archived.layout.archive).events() == tuple(sorted(built))
    assert {str(event.fields["rare_event"]) for event in archived.events("archive.built")} == set(built)
    assert archived.events("archive.empty") == archived.events("archive.refused") == ()
    assert archived.facts("archive", "verify") == {"schema": 1, "events": len(built), "findings": []}


def test_events_that_nobody_catalogued_are_captured_and_marked(archived: Installation) -> None:
    facts = archived.facts("archive", "list")["events"]
    dynamic = [event for event in facts if event["origin"] == "dynamic"]
    new = [event for event in dynamic if event["state"] == "built"]
    assert len(new) >= 2
    assert all(event["event"].startswith("dynamic_") for event in dynamic)
    assert {event["note"] for event in dynamic if event["state"] == "same"} == {
        "the same as 2011_debt_ceiling",
        "the same as 2015_china_devaluation",
    }
    shown = archived.facts("archive", "show", new[0]["event"])
    validate("archive-show", shown)
    assert shown["manifest"]["origin"] == "dynamic"


def test_an_event_shows_its_labels_beside_its_nominal_regime(archived: Installation) -> None:
    shown = archived.facts("archive", "show", "2011_debt_ceiling")
    validate("archive-show", shown)
    manifest = shown["manifest"]
    assert manifest["symbols"] == ["S001", "S002", "S003", "^SIM"]
    assert sum(manifest["label_counts"].values()) == manifest["rows"] == shown["rows"]
    text = archived.regimed("archive", "show", "2011_debt_ceiling").stdout
    assert "LABEL " in text
    assert "nominal" in text
    waits = archived.facts("archive", "show", "2020_covid_crash")
    validate("archive-show", waits)
    assert waits["manifest"] is None


def test_a_list_fits_into_eighty_columns(archived: Installation) -> None:
    lines = archived.regimed("archive", "list").stdout.splitlines()
    assert lines[0].split() == ["EVENT", "STATE", "ROWS", "SYMBOLS", "WEIGHT"]
    assert [line for line in lines if len(line) > 80] == []
    assert "  catalogued, high_volatility, 2011-07-01 to 2011-08-31" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "2011_debt"), "there is no event '2011_debt'; did you mean 2011_debt_ceiling?"),
        (("show", "x"), "there is no event 'x'; see: regimed archive list"),
        (("build", "--event", "2011_debt"), "there is no event '2011_debt'; did you mean 2011_debt_ceiling?"),
        (("drop", "2011_debt_ceiling", "--reason", "no"), "2011_debt_ceiling is of the catalogue"),
        (("drop", "dynamic_2011_08_03", "--reason", "no"), "dynamic_2011_08_03 is not in the archive"),
        (("build", "--bars", "a.csv"), "an archive of files needs --index, --out too"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_exit_code_2(
    arguments: tuple[str, ...], message: str, archived: Installation
) -> None:
    done = archived.regimed("archive", *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    validate("error", json.loads(done.stderr))
    assert json.loads(done.stderr)["error"]["message"].startswith(message)


def test_a_build_beside_the_daemon_finds_nothing_to_do_and_a_missing_event_due(
    archived_copy: Installation,
) -> None:
    ArchiveFolder(archived_copy.layout.archive).remove("2015_china_devaluation")
    rehearsed = archived_copy.facts("archive", "build", "--dry-run")
    validate("archive-build", rehearsed)
    outcomes = {one["name"]: one["outcome"] for one in rehearsed["outcomes"]}
    assert (outcomes["2011_debt_ceiling"], outcomes["2015_china_devaluation"]) == ("unchanged", "due")
    archived_copy.start()
    built = archived_copy.facts("archive", "build", "--event", "2015_china_devaluation")
    validate("archive-build", built)
    assert [(one["name"], one["outcome"]) for one in built["outcomes"]] == [
        ("2015_china_devaluation", "built")
    ]
    assert archived_copy.stop() == 0


def test_an_event_that_is_asked_for_and_not_covered_is_a_failure(archived: Installation) -> None:
    done = archived.regimed("archive", "build", "--event", "2020_covid_crash", "--dry-run")
    assert done.returncode == 1
    assert "the index has 0 bars after 2020-03-23, 14 are needed" in done.stdout


def test_tampered_foreign_and_truncated_files_are_found_refused_and_told(archived_copy: Installation) -> None:
    folder = ArchiveFolder(archived_copy.layout.archive)
    samples = folder.parquet("2011_debt_ceiling")
    samples.write_bytes(samples.read_bytes()[:-100])
    (folder.folder / "event_mine.parquet").write_bytes(b"PAR1")
    verified = archived_copy.facts("archive", "verify", code=1)
    validate("archive-verify", verified)
    assert [finding["subject"] for finding in verified["findings"]] == [
        "event_2011_debt_ceiling.parquet",
        "event_mine.parquet",
    ]
    assert states(archived_copy)["2011_debt_ceiling"] == "refused"
    built = archived_copy.facts("archive", "build", code=1)
    validate("archive-build", built)
    refused = [one["name"] for one in built["outcomes"] if one["outcome"] == "refused"]
    assert refused == ["event_2011_debt_ceiling.parquet", "event_mine.parquet"]
    text = archived_copy.regimed("archive", "verify")
    assert text.returncode == 1
    assert "event_mine.parquet has no manifest" in text.stdout


def test_samples_that_contradict_their_manifest_are_found(archived_copy: Installation) -> None:
    folder = ArchiveFolder(archived_copy.layout.archive)
    path = folder.manifest_file("2011_debt_ceiling")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "rows": manifest["rows"] + 1}), encoding="utf-8")
    (finding,) = archived_copy.facts("archive", "verify", code=1)["findings"]
    assert "its samples and its manifest differ in rows" in finding["problem"]


def test_a_captured_event_is_dropped_by_the_daemon_and_stays_known_as_dropped(
    archived_copy: Installation,
) -> None:
    before = states(archived_copy)
    event = next(id_ for id_, state in before.items() if state == "built" and id_.startswith("dynamic_"))
    rehearsed = archived_copy.facts("archive", "drop", event, "--reason", "a bad print", "--dry-run")
    validate("archive-drop", rehearsed)
    assert states(archived_copy) == before
    asked = archived_copy.facts("archive", "drop", event, "--reason", "a bad print")
    validate("archive-drop", asked)
    assert asked["daemon_is_running"] is False
    assert states(archived_copy) == before
    archived_copy.start()
    archived_copy.wait_until_idle()
    assert archived_copy.stop() == 0
    assert states(archived_copy) == {**before, event: "dropped"}
    (told,) = archived_copy.events("archive.event_dropped")
    assert told.fields["reason"] == "a bad print"
    assert event not in ArchiveFolder(archived_copy.layout.archive).events()
    assert archived_copy.regimed("archive", "drop", event, "--reason", "again").returncode == 2
    assert event not in {one["name"] for one in archived_copy.facts("archive", "build")["outcomes"]}


def test_an_event_without_samples_is_loud(installation: Installation, market: SimulatedMarket) -> None:
    young = installation.layout.root / "young.csv"
    header, *rows = market.stock.read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if row.split(",")[1] >= "2015-06-01"]
    young.write_text("\n".join([header, *kept, ""]), encoding="utf-8")
    index = installation.layout.root / "index.csv"
    header, *rows = market.index.read_text(encoding="utf-8").splitlines()
    closes = [",".join([*row.split(",")[:2], "", "", "", row.split(",")[5], ""]) for row in rows]
    index.write_text("\n".join([header, *closes, ""]), encoding="utf-8")
    installation.start()
    installation.drop(young, index, market.fear)
    installation.wait_for("archive.empty", 2)
    installation.wait_until_idle()
    told = {str(event.fields["rare_event"]): event.fields for event in installation.events("archive.empty")}
    assert set(CATALOGUED) <= set(told)
    status = installation.facts("status", code=1)
    assert any("2011_debt_ceiling has no samples" in reason["problem"] for reason in status["reasons"])
    assert installation.stop() == 0
    built = installation.facts("archive", "build", code=1)
    assert {one["outcome"] for one in built["outcomes"] if one["name"] in CATALOGUED} == {"empty"}


@pytest.mark.long
@pytest.mark.slow
def test_a_daemon_that_is_killed_while_it_builds_ends_like_one_that_is_not(
    archived: Installation, installation_at: Make, market: SimulatedMarket, tmp_path: Path
) -> None:
    place = installation_at(tmp_path / "killed")
    place.init()
    place.start()
    place.drop(*market.history)
    for _ in range(3):
        place.wait_until(lambda: bool(archive_children(place)) or place.is_idle(), "a build to begin")
        place.kill()
        place.start()
    place.wait_until_idle()
    assert place.stop() == 0
    assert content_of(place) == content_of(archived)
    assert place.facts("archive", "verify")["findings"] == []


@pytest.mark.slow
def test_a_build_that_is_killed_is_tried_again(installation: Installation, market: SimulatedMarket) -> None:
    installation.start()
    installation.drop(*market.history)
    installation.wait_until(lambda: bool(archive_children(installation)), "a build to begin")
    for child in archive_children(installation):
        os.kill(child, signal.SIGKILL)
    installation.wait_until_idle()
    assert installation.stop() == 0
    assert states(installation)["2015_china_devaluation"] == "built"


def archive_children(place: Installation) -> list[int]:
    """Give the process ids of the children that build the archive."""
    found = []
    for child in place.children():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
        if b"daemon.children.archive" in command:
            found.append(child)
    return found


# Of files


def test_an_archive_of_files_needs_no_daemon(regimed: Run, market: SimulatedMarket, tmp_path: Path) -> None:
    given = (
        "--bars",
        market.stock,
        "--index",
        market.index,
        "--fear",
        market.fear,
        "--out",
        tmp_path / "out",
    )
    done = regimed("archive", "build", *given, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    validate("archive-build", facts)
    built = {one["name"] for one in facts["outcomes"] if one["outcome"] == "built"}
    assert set(CATALOGUED) < built
    assert ArchiveFolder(tmp_path / "out").events() == tuple(sorted(built))
    again = json.loads(regimed("archive", "build", *given, "--json").stdout)
    assert {one["outcome"] for one in again["outcomes"]} == {"unchanged", "waiting"}
    text = regimed("archive", "build", *given).stdout
    assert text.splitlines()[0].split() == ["EVENT", "OUTCOME", "ROWS", "SYMBOLS"]


def test_files_that_cover_no_event_are_a_failure(
    regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join(market.index.read_text().splitlines()[:200]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    done = regimed("archive", "build", "--bars", market.stock, "--index", short, "--out", out)
    assert done.returncode == 1
    assert ArchiveFolder(out).events() == ()
