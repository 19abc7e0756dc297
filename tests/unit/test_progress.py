"""How far a run is, and how long it will still take."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from daemon.commands.progress import progress_of, span, times
from daemon.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

NOON = "2024-03-01T12:00:00+00:00"
LATER = datetime(2024, 3, 1, 12, 10, tzinfo=UTC)


def told(tmp_path: Path, said: dict[str, object]) -> Layout:
    layout = Layout(tmp_path)
    layout.run("r1").mkdir(parents=True)
    (layout.run("r1") / "progress.json").write_text(json.dumps(said))
    return layout


def test_progress_is_read_with_the_time_that_is_left(tmp_path: Path) -> None:
    layout = told(tmp_path, {"progress": [3, 8, "svm 2010"], "at": NOON, "left_s": 90.0})
    assert progress_of(layout, "r1") == {
        "done": 3, "total": 8, "what": "svm 2010", "at": NOON, "left_s": 90.0,
    }  # fmt: skip


def test_progress_that_an_older_daemon_wrote_has_no_pace(tmp_path: Path) -> None:
    layout = told(tmp_path, {"progress": [3, 8, "svm 2010"], "at": NOON})
    progress = progress_of(layout, "r1")
    assert progress is not None
    assert progress["left_s"] is None


def test_a_run_that_has_said_nothing_has_no_progress(tmp_path: Path) -> None:
    assert progress_of(Layout(tmp_path), "r1") is None


@pytest.mark.parametrize(
    ("left_s", "text"),
    [
        (None, "10 min, time left unknown"),
        (5000.0, "10 min, about 1 h 13 min left"),
        (650.0, "10 min, about 50 s left"),
        (60.0, "10 min, about 0 s left"),
    ],
)
def test_the_time_left_runs_down_since_it_was_told(left_s: float | None, text: str) -> None:
    assert times({"done": 1, "total": 2, "at": NOON, "left_s": left_s}, NOON, LATER) == text


def test_lengths_of_time_are_told_in_one_or_two_units() -> None:
    assert [span(seconds) for seconds in (-3, 0.9, 59, 60, 3599, 3600, 90_000)] == [
        "0 s", "0 s", "59 s", "1 min", "59 min", "1 h 0 min", "25 h 0 min",
    ]  # fmt: skip
