"""The quarantine: a refused file beside its reason, whatever the file is called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.inbox import printable
from daemon.adapters.quarantine import Quarantine

if TYPE_CHECKING:
    from pathlib import Path

AT = "2024-03-01T12:00:00+00:00"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def put(folder: Path, name: str, content: str = "garbage", sha256: str = "a" * 64) -> None:
    staged = folder.parent / sha256
    staged.write_text(content)
    Quarantine(folder).put(
        staged, name=name, sha256=sha256, code="header", sentence="the first line is odd", at=AT
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_quarantine_that_was_never_used_is_empty(folder: Path) -> None:
    assert Quarantine(folder).entries() == ()
    assert not Quarantine(folder).drop("spy.csv")


def test_a_refused_file_lies_beside_its_reason(folder: Path) -> None:
    put(folder, "spy.csv", "garbage\n")
    assert names(folder) == ["spy.csv", "spy.csv.reason.json"]
    assert (folder / "spy.csv").read_text() == "garbage\n"
    reason = json.loads((folder / "spy.csv.reason.json").read_text())
    assert reason == {
        "file": "spy.csv",
        "name": "spy.csv",
        "sha256": "a" * 64,
        "code": "header",
        "sentence": "the first line is odd",
        "at": AT,
    }
    (entry,) = Quarantine(folder).entries()
    assert (entry.file, entry.code) == ("spy.csv", "header")


def test_the_same_file_twice_is_one_entry(folder: Path) -> None:
    put(folder, "spy.csv")
    put(folder, "spy.csv")
    assert len(Quarantine(folder).entries()) == 1


def test_another_file_of_the_same_name_gets_its_hash_into_its_name(folder: Path) -> None:
    put(folder, "spy.csv", "old", "a" * 64)
    put(folder, "spy.csv", "new", "b" * 64)
    assert [entry.file for entry in Quarantine(folder).entries()] == ["spy.bbbbbbbb.csv", "spy.csv"]
    assert (folder / "spy.csv").read_text() == "old"
    assert (folder / "spy.bbbbbbbb.csv").read_text() == "new"


def test_a_file_that_was_too_large_to_copy_has_only_its_reason(folder: Path) -> None:
    Quarantine(folder).put(
        folder / "nowhere", name="big.csv", sha256="c" * 64, code="too_large", sentence="it is large", at=AT
    )
    assert names(folder) == ["big.csv.reason.json"]
    assert Quarantine(folder).drop("big.csv")
    assert names(folder) == []


@pytest.mark.parametrize(
    "name",
    [
        "spy.reason.json",
        "spy.csv.reason.json.reason.json",
        "../../state/journal.db",
        "a" * 250 + ".csv",
        "ü" * 127,
        printable("new\nline\x1b[2J.csv"),
        printable("\udcff" * 100),
        "no suffix",
        "-rf",
    ],
)
def test_no_name_can_break_out_or_break_the_list(folder: Path, name: str) -> None:
    put(folder, name, "first", "a" * 64)
    put(folder, name, "second", "b" * 64)
    put(folder, "spy.csv", "third", "c" * 64)
    entries = Quarantine(folder).entries()
    assert sorted(entry.sha256[0] for entry in entries) == ["a", "b", "c"]
    assert {entry.name for entry in entries} == {name, "spy.csv"}
    assert all((folder / entry.file).parent == folder for entry in entries)
    contents = {entry.sha256[0]: (folder / entry.file).read_text() for entry in entries}
    assert contents == {"a": "first", "b": "second", "c": "third"}
    assert all(Quarantine(folder).drop(entry.file) for entry in entries)
    assert names(folder) == []


@pytest.mark.parametrize("name", ["../precious", "/etc/passwd", "unknown.csv", ""])
def test_only_what_is_in_quarantine_can_be_dropped(folder: Path, name: str) -> None:
    put(folder, "spy.csv")
    precious = folder.parent / "precious"
    precious.write_text("keep me")
    (folder.parent / "precious.reason.json").write_text("{}")
    assert not Quarantine(folder).drop(name)
    assert precious.read_text() == "keep me"
    assert names(folder) == ["spy.csv", "spy.csv.reason.json"]
