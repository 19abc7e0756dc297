"""Child processes: what they say, how they end, and that none outlives its parent."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.child import OUTPUT_BYTES_MAX, SubprocessChild, SubprocessChildren
from daemon.adapters.clock import ManualClock, SystemClock
from daemon.records import ChildEnd, ChildJob

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
PARENT = """
import json, sys, time
from pathlib import Path
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.records import ChildJob

job = ChildJob(module="well_spoken", job={"act": "sleep"}, time_limit_s=60, memory_limit_mib=1024)
child = SubprocessChildren(SystemClock()).start(job, progress_file=Path(sys.argv[1]))
while not Path(sys.argv[1]).exists():
    child.poll()
    time.sleep(0.01)
print(child._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _modules_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "children_for_tests"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def sleeper(clock: ManualClock, tmp_path: Path) -> Iterator[SubprocessChild]:
    """Give a child that has said that it sleeps."""
    child = SubprocessChildren(clock).start(job("sleep"), progress_file=tmp_path / "progress.json")
    wait_for_progress(child, tmp_path / "progress.json")
    yield child
    child.stop(grace_s=0)


def job(act: str, **values: object) -> ChildJob:
    return ChildJob(module="well_spoken", job={"act": act, **values}, time_limit_s=30, memory_limit_mib=1024)


def garbled(text: str, *, times: int = 1, complaint: str = "") -> ChildJob:
    values = {"bytes": text, "times": times, "complaint": complaint}
    return ChildJob(module="garbled", job=values, time_limit_s=30, memory_limit_mib=1024)


def run(what: ChildJob) -> ChildEnd:
    return SubprocessChildren(SystemClock()).run(what)


def wait_for_progress(child: SubprocessChild, file: Path) -> None:
    while not file.exists():
        assert child.poll() is None


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child, however soon."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([descriptor], [], [], 20)
    os.close(descriptor)
    assert ready, f"process {pid} lives"


def test_a_child_reads_its_job_and_gives_its_result() -> None:
    assert run(job("add", left=2, right=3)) == ChildEnd(result={"sum": 5}, reason=None)


def test_the_latest_progress_is_kept_in_a_file_with_its_time(clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    child = SubprocessChildren(clock).start(job("report"), progress_file=file)
    while (end := child.poll()) is None:
        pass
    assert end.result == {"done": True}
    said = {"progress": [2, 2, "all"], "left_s": 1.5, "at": NOON.isoformat()}
    assert json.loads(file.read_text()) == said
    assert list(tmp_path.iterdir()) == [file]


def test_a_child_is_nicer_than_its_parent_and_computes_in_one_thread() -> None:
    result = run(job("tell_limits")).result
    assert result is not None
    assert result["niceness"] == min(19, os.nice(0) + 10)
    assert result["threads"] == "1"
    assert result["session"] != os.getsid(0)


def test_what_libraries_print_does_not_spoil_the_result() -> None:
    assert run(job("chatter")) == ChildEnd(result={"chattered": True}, reason=None)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (job("fail"), "it ended with exit code 1: ValueError: the work cannot be done"),
        (job("leave"), "it ended with exit code 3: it said nothing"),
        (job("be_killed"), "it was killed by signal 9 (Killed)"),
        (garbled(""), "it ended without a result: it said nothing"),
        (garbled("", complaint="first\nlast\n"), "it ended without a result: last"),
        (garbled("\xff\xfe\x00 garbage\n"), "it ended without a result: it said nothing"),
        (garbled('{"result": {"cut": '), "it ended without a result: it said nothing"),
        (garbled('{"result": "not an object"}\n["result"]\n'), "it ended without a result: it said nothing"),
        (garbled("[" * 1000 + "\n", times=100), "it ended without a result: it said nothing"),
        (garbled("[" * 100_000 + "\n"), "it ended without a result: it said nothing"),
    ],
    ids=[
        "raises", "exits", "is killed", "says nothing", "complains", "garbage", "half a line",
        "no object", "brackets", "deep brackets",
    ],
)  # fmt: skip
def test_a_child_that_does_not_give_a_result_gives_a_reason(what: ChildJob, reason: str) -> None:
    assert run(what) == ChildEnd(result=None, reason=reason)


def test_a_module_that_does_not_exist_is_a_reason() -> None:
    missing = ChildJob(module="daemon.children.nowhere", job={}, time_limit_s=30, memory_limit_mib=1024)
    assert "No module named 'daemon.children.nowhere'" in str(run(missing).reason)


def test_a_child_that_wants_too_much_memory_ends_and_says_so() -> None:
    reason = run(job("take_memory", bytes=2 * 2**30)).reason
    assert reason == "it ran out of memory: MemoryError"
    assert run(job("take_memory", bytes=2**20)).result == {"bytes": 2**20}


def test_a_child_that_says_too_much_is_stopped() -> None:
    what = garbled("x" * 2**20, times=OUTPUT_BYTES_MAX // 2**20 + 1)
    assert "more than 67,108,864" in str(run(what).reason)


def test_a_child_that_takes_too_long_is_killed(sleeper: SubprocessChild, clock: ManualClock) -> None:
    clock.advance(timedelta(seconds=30))
    assert sleeper.poll() is None
    clock.advance(timedelta(seconds=1))
    assert sleeper.poll() == ChildEnd(result=None, reason="it exceeded its time limit of 30 s")
    wait_until_gone(sleeper._process.pid)


def test_a_child_ends_when_asked(sleeper: SubprocessChild) -> None:
    sleeper.stop(grace_s=10)
    assert sleeper._process.returncode == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed(clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    child = SubprocessChildren(clock).start(job("sleep_through_terminate"), progress_file=file)
    wait_for_progress(child, file)
    child.stop(grace_s=0.01)
    assert child._process.returncode == -signal.SIGKILL


def test_what_a_child_started_ends_with_it() -> None:
    result = run(job("leave_a_child_behind")).result
    assert result is not None
    wait_until_gone(int(str(result["left"])))


def test_a_child_dies_with_its_parent_even_if_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "progress.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(child)


def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    environment = {**os.environ, "REGIMED_CHILD_OF": "999999999", "REGIMED_CHILD_MEMORY_MIB": "1024"}
    done = subprocess.run(
        [sys.executable, "-m", "daemon.children", "well_spoken"],
        env=environment,
        input=b'{"act": "report"}',
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"the daemon that started this child is gone" in done.stderr


def test_nothing_is_imported_from_the_folder_that_the_daemon_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a foreign json was imported')")
    monkeypatch.chdir(tmp_path)
    assert run(job("add", left=2, right=3)).result == {"sum": 5}


def test_no_descriptor_is_left_open_by_children_that_ended() -> None:
    with closing(os.scandir("/proc/self/fd")) as before:
        count = len(list(before))
    for _ in range(3):
        run(job("add", left=2, right=3))
    with closing(os.scandir("/proc/self/fd")) as after:
        assert len(list(after)) == count
