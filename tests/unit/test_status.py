"""``regimed status`` in every situation: running, stopped, killed, broken, and read by somebody else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from regimed import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Installation

    Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
BAD_FILE = "symbol,date,open,high,low,close,volume\nS009,2015-01-05,10,9,8,10,100\n"


def problems(said: dict[str, Any]) -> list[str]:
    return [reason["problem"] for reason in said["reasons"]]


def checked(said: dict[str, Any]) -> dict[str, Any]:
    """Give what status says, after comparing it with its published form."""
    schema = json.loads((ROOT / "docs" / "schemas" / "status.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(said)
    return said


def wal_of(place: Installation) -> Path:
    return place.layout.journal.with_name("journal.db-wal")


def test_a_daemon_that_was_never_started_is_stopped(installation: Installation) -> None:
    said = checked(installation.facts("status", code=3))
    assert said["health"] == "stopped"
    assert problems(said) == ["the daemon was never started here"]
    assert said["reasons"][0]["do"] == f"regimed run --dir {installation.layout.root}"
    assert said["next_run"] is None
    assert not installation.layout.journal.exists()


def test_the_next_run_of_the_schedule_is_known_once_it_was_started(installation: Installation) -> None:
    installation.layout.configuration.write_text("", encoding="utf-8")
    installation.start()
    installation.wait_until(lambda: bool(installation.facts("status")["next_run"]), "the schedule")
    installation.stop()
    slot = checked(installation.facts("status", code=3))["next_run"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT0[12]:00:00\+00:00", slot)


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_any_other_directory_is_unknown(*, there: bool, regimed: Run, tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    if there:
        root.mkdir()
    done = regimed("status", "--json", "--dir", root)
    assert done.returncode == 4
    said = checked(json.loads(done.stdout))
    assert said["health"] == "unknown"
    assert problems(said) == [f"{root} is not a regimed directory"]
    assert said["reasons"][0]["do"] == f"regimed init {root}"
    assert not there or list(root.iterdir()) == []


def test_a_running_daemon_is_healthy_and_a_stopped_one_says_since_when(installation: Installation) -> None:
    installation.start()
    said = checked(installation.facts("status"))
    assert (said["health"], said["reasons"]) == ("healthy", [])
    assert said["daemon"]["pid"] == installation.pid
    assert (said["daemon"]["version"], said["daemon"]["restarts"]) == (__version__, 0)
    assert said["inbox"] == {"pending": 0, "quarantined": 0, "oldest_message_at": None}
    assert said["champion"] is said["last_run"] is said["running"] is None
    text = installation.regimed("status")
    assert text.returncode == 0
    assert text.stdout.splitlines()[0] == f"HEALTHY  {installation.layout.root}"
    assert text.stderr == ""
    assert installation.stop() == 0
    said = checked(installation.facts("status", code=3))
    assert (said["health"], said["daemon"]) == ("stopped", None)
    assert problems(said) == ["the daemon is not running"]
    assert said["reasons"][0]["since"] == installation.events("daemon.stopped")[-1].at
    installation.start()
    assert installation.facts("status")["daemon"]["restarts"] == 1
    installation.stop()


@pytest.mark.parametrize("with_shared_memory", [True, False], ids=["shm", "no_shm"])
def test_a_killed_daemon_leaves_a_log_behind_and_still_answers(
    *, with_shared_memory: bool, installation: Installation
) -> None:
    installation.start()
    installation.stop()
    installation.start()
    installation.kill()
    assert wal_of(installation).stat().st_size > 0
    if not with_shared_memory:
        installation.layout.journal.with_name("journal.db-shm").unlink()
    before = sorted(path.name for path in installation.layout.state.iterdir())
    said = checked(installation.facts("status", code=3))
    assert problems(said) == ["the daemon is not running: it was killed, or the machine went down"]
    assert said["reasons"][0]["since"] is None
    assert [event["name"] for event in said["events"]] == [
        "daemon.started",
        "daemon.stopped",
        "daemon.started",
    ]
    assert sorted(path.name for path in installation.layout.state.iterdir()) == before


def test_what_waits_and_what_went_wrong_makes_it_degraded(installation: Installation, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(BAD_FILE, encoding="utf-8")
    for name in (".hidden.csv", "half.csv.part"):
        (installation.layout.inbox / name).write_text("x", encoding="utf-8")
    installation.start()
    installation.drop(bad)
    installation.wait_for("ingest.quarantined")
    assert installation.regimed("train", "--now").returncode == 0
    installation.wait_for("retrain.failed")
    said = checked(installation.facts("status", code=1))
    assert said["health"] == "degraded"
    quarantined, failed = said["reasons"]
    assert quarantined["problem"] == "bad.csv is in quarantine (ohlc_order)"
    assert quarantined["do"] == "regimed quarantine show bad.csv"
    assert failed["problem"].startswith("run r1 failed: there are no bars yet")
    assert failed["do"] == "regimed runs show r1"
    assert said["inbox"]["pending"] == 0
    assert said["inbox"]["quarantined"] == 1
    assert said["last_run"]["outcome"] == "failed"
    assert installation.regimed("runs", "show", "r1").returncode == 1
    assert installation.regimed("quarantine", "drop", "bad.csv").returncode == 0
    assert len(installation.facts("status", code=1)["reasons"]) == 1
    installation.stop()


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough" * 200, b"SQLite format 3\0" * 300]
)
def test_a_corrupt_journal_is_unknown_and_a_sentence_for_other_commands(
    content: bytes, installation: Installation
) -> None:
    installation.start()
    installation.stop()
    installation.layout.journal.write_bytes(content)
    said = checked(installation.facts("status", code=4))
    assert said["health"] == "unknown"
    assert "cannot be read: " in problems(said)[0]
    for command in (("events",), ("runs", "list"), ("train", "--now")):
        done = installation.regimed(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{installation.layout.journal} cannot be used: " in done.stderr
        assert "Traceback" not in done.stderr
    done = installation.regimed("run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert installation.layout.journal.read_bytes() == content


def test_a_corrupt_registry_is_unknown(installation: Installation) -> None:
    installation.start()
    installation.stop()
    (installation.layout.registry / "registry.db").write_bytes(b"no database at all" * 300)
    said = checked(installation.facts("status", code=4))
    assert "cannot be read: " in problems(said)[0]
    done = installation.regimed("models", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_an_invalid_configuration_does_not_hide_how_the_daemon_is(installation: Installation) -> None:
    installation.start()
    installation.layout.configuration.write_text("[gate]\npolicy = 'lenient'\n", encoding="utf-8")
    assert checked(installation.facts("status"))["daemon"]["pid"] == installation.pid
    installation.stop()


def test_no_line_is_cut_in_a_pipe(installation: Installation) -> None:
    path = installation.layout.inbox / f"{'long_' * 40}.csv"
    path.write_text(BAD_FILE, encoding="utf-8")
    installation.start()
    installation.wait_for("ingest.quarantined")
    done = installation.regimed("status", env={"COLUMNS": "40"})
    assert any(len(line) > 200 for line in done.stdout.splitlines())
    assert "…" not in done.stdout
    installation.stop()


# By another user


@pytest.fixture
def open_installation(installation_at: Callable[[Path], Installation]) -> Iterator[Installation]:
    """Give an installation in a folder that every user may read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="regimed-test-") as folder:
        Path(folder).chmod(0o755)
        place = installation_at(Path(folder) / "regimed")
        place.init()
        yield place
        place.clean_up()


def as_nobody(place: Installation) -> subprocess.CompletedProcess[str]:
    """Run status as the user nobody, who may write nowhere; what it imports is imported before, as root."""
    code = (
        "import os, shutil, sys, tempfile, daemon.cli;"
        " sys.stdout.write(str(daemon.cli.main(['status', '--json', '--dir', '/'])) and '\\0');"
        f" os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY});"
        f" sys.exit(daemon.cli.main(['status', '--json', '--dir', {str(place.layout.root)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    done.stdout = done.stdout.partition("\0")[2]
    return done


def test_a_user_who_may_only_read_gets_the_same_answer(open_installation: Installation) -> None:
    place = open_installation
    place.start()
    running = as_nobody(place)
    assert running.returncode == 0, running.stderr
    assert checked(json.loads(running.stdout))["daemon"]["pid"] == place.pid
    place.stop()
    stopped = as_nobody(place)
    assert stopped.returncode == 3, stopped.stderr
    assert problems(json.loads(stopped.stdout)) == ["the daemon is not running"]
    place.start()
    place.kill()
    assert wal_of(place).stat().st_size > 0
    for leave_shared_memory in (True, False):
        if not leave_shared_memory:
            place.layout.journal.with_name("journal.db-shm").unlink()
        killed = as_nobody(place)
        assert killed.returncode == 3, killed.stderr
        assert "it was killed" in problems(checked(json.loads(killed.stdout)))[0]


@pytest.mark.parametrize("closed", ["state", "root"])
def test_a_user_who_may_not_read_is_told_so(closed: str, open_installation: Installation) -> None:
    place = open_installation
    place.start()
    {"state": place.layout.state, "root": place.layout.root}[closed].chmod(0o700)
    done = as_nobody(place)
    assert done.returncode == 4, done.stderr
    said = checked(json.loads(done.stdout))
    assert problems(said)[0].endswith("cannot be read: Permission denied")
    place.stop()


@pytest.mark.slow
def test_status_disturbs_neither_the_daemon_nor_the_next_one(installation: Installation) -> None:
    installation.start()
    for _ in range(3):
        installation.facts("status")
    installation.signal(signal.SIGTERM)
    assert installation.ended(60) == 0
    shutil.rmtree(installation.layout.runs)
    installation.start()
    assert installation.stop() == 0
