"""Logs: every event is in the public catalogue, with the fields it names, one JSON object a line."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.ledger import StoredEvent
from daemon.logs import LEVELS, SYSLOG_PRIORITIES, EventLog, catalogue
from daemon.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

DAEMON = Path(__file__).parents[2] / "daemon"
ENVELOPE = {"at", "level", "event", "id", "seq"}
FIELD_TYPES = {
    "text", "whole number", "number", "day", "list of texts", "table",
    "text or null", "day or null", "number or null",
}  # fmt: skip
AT = "2024-03-01T12:00:00+00:00"
CHANGED = StoredEvent(
    id=7,
    at=AT,
    name="regime.changed",
    fields={"market": "us", "day": "2024-02-29", "from": "normal", "to": "crash", "reason": "it \n fell"},
)
POLLED = StoredEvent(
    id=8, at=AT, name="feed.polled", fields={"feed": "cboe_vix", "files": 1, "last_day": None}
)


def emitted() -> Iterator[tuple[str, set[str] | None]]:
    """Give every event that the source emits, with its field names where they stand in the same function."""
    for path in sorted(DAEMON.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef):
                yield from _emitted_in(scope)


def _emitted_in(function: ast.FunctionDef) -> Iterator[tuple[str, set[str] | None]]:
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if isinstance(call.func, ast.Name) and call.func.id == "Event":
            assert isinstance(given["name"], ast.Constant), f"line {call.lineno}: an event has a literal name"
            yield str(given["name"].value), _keys(given.get("fields", ast.Dict([], [])), function)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "write_unstored":
            assert isinstance(call.args[0], ast.Constant)
            yield str(call.args[0].value), {str(name) for name in given} - {"at"}


def _keys(fields: ast.expr, function: ast.FunctionDef) -> set[str] | None:
    """Give the keys of a dictionary that is written out, or ``None`` if it is made elsewhere."""
    if isinstance(fields, ast.Name):
        return _keys_of_variable(fields, function)
    if not isinstance(fields, ast.Dict):
        return None
    keys: set[str] = set()
    for key, value in zip(fields.keys, fields.values, strict=True):
        if isinstance(key, ast.Constant):
            keys.add(str(key.value))
        elif key is not None or (inner := _keys(value, function)) is None:
            return None
        else:
            keys |= inner
    return keys


def _keys_of_variable(variable: ast.Name, function: ast.FunctionDef) -> set[str] | None:
    """Give the keys that a variable was last assigned before it is used."""
    last: ast.Dict | None = None
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as value) if name == variable.id:
                last = value if value.lineno < variable.lineno else last
            case ast.AugAssign(target=ast.Name(id=name)) if name == variable.id:
                return None
    return None if last is None else _keys(last, function)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def written(event: StoredEvent, **settings: str) -> list[str]:
    stream = io.StringIO()
    EventLog(LogSettings(**settings), stream).write(event)
    return lines(stream)


def test_every_emitted_event_is_in_the_catalogue_and_the_other_way_round() -> None:
    assert {name for name, _ in emitted()} == set(catalogue())


def test_events_have_the_fields_that_the_catalogue_names() -> None:
    checked = set()
    for name, fields in emitted():
        if fields is not None:
            assert fields == set(catalogue()[name].fields), name
            checked.add(name)
    # The handlers' tests check the fields of the events that are put together from parts.
    assert set(catalogue()) - checked == {"drift.detected", "ingest.accepted", "ingest.unchanged"}


def test_no_field_has_the_name_of_a_part_of_the_line_itself() -> None:
    clashes = {name: ENVELOPE & set(entry.fields) for name, entry in catalogue().items()}
    assert {name: clash for name, clash in clashes.items() if clash} == {}


@pytest.mark.parametrize("name", catalogue())
def test_an_entry_says_what_it_means_and_what_to_do(name: str) -> None:
    entry = catalogue()[name]
    assert re.fullmatch(r"RGM\d{4}", entry.id)
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name)
    assert entry.level in {"info", "warning", "error"}
    assert entry.meaning.endswith(".")
    assert entry.action.endswith(".")
    assert set(entry.fields.values()) <= FIELD_TYPES
    assert entry.level != "error" or entry.action != "None."  # an error is what a person must act on


def test_ids_are_unique_and_grouped_by_subject() -> None:
    ids = [entry.id for entry in catalogue().values()]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


def test_a_line_is_one_flat_json_object_with_time_level_and_name_first() -> None:
    (line,) = written(CHANGED)
    assert list(json.loads(line).items()) == [
        ("at", AT),
        ("level", "warning"),
        ("event", "regime.changed"),
        ("id", "RGM3002"),
        ("seq", 7),
        ("market", "us"),
        ("day", "2024-02-29"),
        ("from", "normal"),
        ("to", "crash"),
        ("reason", "it \n fell"),
    ]


@pytest.mark.parametrize("name", catalogue())
def test_every_event_of_the_catalogue_can_be_written_in_both_formats(name: str) -> None:
    event = StoredEvent(id=1, at=AT, name=name, fields=dict.fromkeys(catalogue()[name].fields, "value"))
    (line,) = written(event)
    assert json.loads(line).keys() == ENVELOPE | catalogue()[name].fields.keys()
    (text,) = written(event, format="console")
    assert name in text


def test_an_event_that_the_journal_could_not_keep_has_no_number() -> None:
    stream = io.StringIO()
    EventLog(LogSettings(), stream).write_unstored("storage.full", at=AT, error="no room")
    (line,) = lines(stream)
    said = json.loads(line)
    assert (said["event"], said["error"], said["seq"], said["level"]) == (
        "storage.full",
        "no room",
        None,
        "error",
    )


def test_what_is_below_the_level_is_not_written() -> None:
    assert [len(written(CHANGED, level=level)) for level in LEVELS] == [1, 1, 1, 0]
    assert [len(written(POLLED, level=level)) for level in LEVELS] == [1, 1, 0, 0]


def test_a_name_that_is_not_in_the_catalogue_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        written(StoredEvent(id=1, at=AT, name="made.up", fields={}))


def test_under_journald_a_line_begins_with_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    (line,) = written(CHANGED)
    assert line.startswith('<4>{"at"')
    assert json.loads(line[3:])["event"] == "regime.changed"
    (line,) = written(POLLED)
    assert line.startswith("<6>")
    assert SYSLOG_PRIORITIES == {"debug": 7, "info": 6, "warning": 4, "error": 3}


def test_the_console_format_is_text_for_people() -> None:
    (line,) = written(CHANGED, format="console")
    assert "regime.changed" in line
    assert "crash" in line
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(line)
