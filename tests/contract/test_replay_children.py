"""Children of a replay: they say and end as those of the daemon do, and are waited for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.records import ChildEnd, ChildJob
from daemon.replay.children import ReplayChildren

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _modules_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "children_for_tests"))


@pytest.fixture(scope="module")
def children() -> ReplayChildren:
    return ReplayChildren()


def job(act: str, *, time_limit_s: float = 60, **values: object) -> ChildJob:
    given = {"act": act, **values}
    return ChildJob(module="well_spoken", job=given, time_limit_s=time_limit_s, memory_limit_mib=4096)


def test_a_child_has_ended_with_its_result_when_it_was_started(children: ReplayChildren) -> None:
    end = ChildEnd(result={"sum": 5}, reason=None)
    assert children.start(job("add", left=2, right=3), progress_file=None).poll() == end
    assert children.run(job("add", left=2, right=3)) == end


def test_the_latest_progress_is_kept_in_a_file(children: ReplayChildren, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    assert children.start(job("report"), progress_file=file).poll().result == {"done": True}
    said = json.loads(file.read_text())
    assert (said["progress"], said["left_s"]) == ([2, 2, "all"], 1.5)


def test_what_libraries_print_does_not_spoil_the_result(children: ReplayChildren) -> None:
    assert children.run(job("chatter")) == ChildEnd(result={"chattered": True}, reason=None)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (job("fail"), "it ended with exit code 1: ValueError: the work cannot be done"),
        (job("leave"), "it ended with exit code 3: it said nothing"),
        (job("be_killed"), "it was killed by signal 9 (Killed)"),
        (job("sleep", time_limit_s=0.5), "it exceeded its time limit of 0.5 s"),
        (job("sleep", time_limit_s=0), "it exceeded its time limit of 0 s"),
        (job("take_memory", bytes=8 * 2**30), "it ran out of memory: MemoryError"),
    ],
    ids=["raises", "exits", "is killed", "takes too long", "has no time", "wants too much memory"],
)
def test_a_child_that_gives_no_result_gives_the_reason_that_one_of_the_daemon_gives(
    what: ChildJob, reason: str, children: ReplayChildren
) -> None:
    assert children.run(what) == ChildEnd(result=None, reason=reason)


def test_what_only_predicts_gives_a_reason_too(children: ReplayChildren, tmp_path: Path) -> None:
    nowhere = ChildJob(
        module="daemon.children.score", job={"root": str(tmp_path)}, time_limit_s=60, memory_limit_mib=4096
    )
    end = children.run(nowhere)
    assert end.result is None
    assert str(end.reason).startswith("it ended with ")
