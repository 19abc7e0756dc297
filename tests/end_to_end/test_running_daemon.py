"""What a running daemon does when it is told something: stop, reload, another file, a second daemon."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.conftest import Installation, SimulatedMarket

STOP_LIMIT_S: Final = 10.0
"""What a service manager may count on; a stop takes a fraction of a second."""
INVALID: Final = """
[markets.other]
index = "^OTHER"
[gate]
policy = "lenient"
"""
OTHER_MARKET: Final = """
[markets.other]
index = "^SIM"
fear = ""
calendar = "weekdays"
[schedule]
enabled = false
"""


def test_a_second_daemon_on_the_same_directory_is_refused(installation: Installation) -> None:
    installation.start()
    done = installation.regimed("run")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {installation.pid} already runs the daemon of {installation.layout.root}" in done.stderr
    assert installation.facts("status")["daemon"]["pid"] == installation.pid
    assert installation.stop() == 0
    assert [event.name for event in installation.events()] == ["daemon.started", "daemon.stopped"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_stops_in_order_when_asked(sign: signal.Signals, installation: Installation) -> None:
    installation.start()
    installation.signal(sign)
    assert installation.ended(STOP_LIMIT_S) == 0
    (stopped,) = installation.events("daemon.stopped")
    assert stopped.fields == {"reason": sign.name}
    assert not installation.layout.journal.with_name("journal.db-wal").exists()


def test_files_that_came_while_it_was_down_are_taken_at_the_start(
    installation: Installation, market: SimulatedMarket
) -> None:
    installation.start()
    assert installation.stop() == 0
    done = installation.regimed("ingest", market.index, market.fear)
    assert (done.returncode, done.stdout) == (0, "")
    installation.start()
    installation.wait_until_idle()
    assert len(installation.events("ingest.accepted")) == 2
    assert installation.facts("status")["regimes"]["sim"]["last_day"] == market.days[-1]


@pytest.mark.slow
def test_a_revised_day_changes_its_labels_and_says_so(
    installation: Installation, market: SimulatedMarket, tmp_path: Path
) -> None:
    installation.start()
    for file in (market.fear, market.index):
        installation.drop(file)
        installation.wait_until_idle()
    assert installation.events("label.revised") == ()
    before = {label["date"]: label["regime"] for label in installation.facts("labels")["labels"]}
    day = market.days[-30]
    revised = tmp_path / "revised.csv"
    text = market.fear.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if f",{day}," in line]
    revised.write_text(text.replace(line, f"^SIMVIX,{day},,,,80.5,"), encoding="utf-8")
    installation.drop(revised)
    event = installation.wait_for("label.revised")
    assert event.fields["first_day"] == day
    installation.wait_until_idle()
    after = {label["date"]: label["regime"] for label in installation.facts("labels")["labels"]}
    changed = [date for date in after if after[date] != before[date]]
    assert changed[0] == day
    assert len(changed) == event.fields["days"]
    installation.drop(revised)
    installation.wait_for("ingest.duplicate")
    installation.wait_until_idle()


def test_a_reload_takes_a_valid_configuration_and_refuses_an_invalid_one(
    installation: Installation, market: SimulatedMarket
) -> None:
    installation.start()
    installation.layout.configuration.write_text(INVALID, encoding="utf-8")
    installation.signal(signal.SIGHUP)
    refused = installation.wait_for("daemon.reload_refused")
    assert 'gate.policy = "lenient": allowed: default, strict, accuracy' in str(refused.fields["faults"])
    installation.drop(market.index, market.fear)
    installation.wait_until_idle()
    assert installation.events("labels.stored")[-1].fields["market"] == "sim"
    installation.layout.configuration.write_text(OTHER_MARKET, encoding="utf-8")
    installation.signal(signal.SIGHUP)
    installation.wait_for("daemon.reloaded")
    installation.drop(market.next_day)
    installation.wait_until_idle()
    assert installation.events("labels.stored")[-1].fields["market"] == "other"


@pytest.mark.slow
def test_a_refused_reload_leaves_children_with_the_settings_in_force(
    trained_copy: Installation, market: SimulatedMarket
) -> None:
    trained_copy.start()
    trained_copy.layout.configuration.write_text(INVALID, encoding="utf-8")
    trained_copy.signal(signal.SIGHUP)
    trained_copy.wait_for("daemon.reload_refused")
    trained_copy.drop(market.day_after)
    scored = trained_copy.wait_for("scoring.done", count=3)
    assert scored.fields["predictions"] == 4
    assert trained_copy.events("message.retried") == ()


@pytest.mark.slow
def test_a_killed_training_child_is_a_failed_run_and_leaves_the_champion_alone(
    trained_copy: Installation,
) -> None:
    trained_copy.start()
    before = trained_copy.facts("models", "list")
    assert trained_copy.regimed("train", "--now").returncode == 0
    trained_copy.wait_until(lambda: bool(trained_copy.children()), "the training child")
    (child,) = trained_copy.children()
    os.kill(child, signal.SIGKILL)
    failed = trained_copy.wait_for("retrain.failed")
    assert failed.fields["run"] == "r2"
    reason = str(failed.fields["reason"])
    assert reason.startswith("it was killed by ")
    trained_copy.wait_until_idle()
    assert trained_copy.facts("models", "list") == before
    said = trained_copy.facts("status", code=1)
    assert f"run r2 failed: {reason}" in [why["problem"] for why in said["reasons"]]
    assert (said["champion"]["version"], said["last_run"]["outcome"]) == ("v1", "failed")
    assert trained_copy.facts("runs", "show", "last", code=1)["outcome"] == "failed"


@pytest.mark.slow
def test_a_stop_during_training_is_quick_and_the_work_resumes_at_the_next_start(
    trained_copy: Installation,
) -> None:
    trained_copy.start()
    assert trained_copy.regimed("train", "--now").returncode == 0
    trained_copy.wait_until(
        (trained_copy.layout.run("r2") / "progress.json").exists, "the run to say something"
    )
    assert trained_copy.facts("status", code=1)["running"]["id"] == "r2"
    (child,) = trained_copy.children()
    assert trained_copy.stop(STOP_LIMIT_S) == 0
    assert not Path(f"/proc/{child}").exists()
    assert trained_copy.facts("runs", "show", "r2")["outcome"] == "running"
    assert trained_copy.facts("messages", "list")["pending"] == {"training_due": 1}
    trained_copy.start()
    trained_copy.wait_until_idle()
    run = trained_copy.facts("runs", "show", "last")
    assert (run["id"], run["outcome"], run["version"]) == ("r2", "succeeded", "v2")
    judged = {event.fields["version"]: event.name for event in trained_copy.events("gate.")}
    assert judged.keys() == {"v1", "v2"}
    shown = trained_copy.facts("models", "show", "v2")
    assert shown["report"]["champion"] == "v1"
    assert shown["report"]["verdict"] != "BOOTSTRAP"
    change_champion_by_hand(trained_copy)


def change_champion_by_hand(place: Installation) -> None:
    """Promote the one of v1 and v2 that does not serve, and take that back."""
    champion = place.facts("status", code=1)["champion"]["version"]
    other = {"v1": "v2", "v2": "v1"}[champion]
    promoted = place.facts("models", "promote", other, "--reason", "a try by hand")
    assert promoted == {"schema": 1, "champion": other, "previous": champion}
    assert place.facts("status", code=1)["champion"]["reason"] == "a try by hand"
    back = place.facts("models", "rollback", "--reason", "it was a try")
    assert back == {"schema": 1, "champion": champion, "previous": other}
    assert place.events("gate.rolled_back")[-1].fields["reason"] == "it was a try"
    assert place.facts("status", code=1)["frozen"]["reason"] == "it was a try"
    unfrozen = place.facts("models", "unfreeze", "--reason", "it was only a try")
    assert unfrozen == {"schema": 1, "frozen": False, "champion": champion, "reason": "it was only a try"}
    assert place.facts("status", code=1)["frozen"] is None
    assert place.events("gate.unfrozen")[-1].fields["reason"] == "it was only a try"
    assert place.facts("models", "verify")["findings"] == []


@pytest.mark.slow
def test_a_directory_may_be_moved_while_the_daemon_is_down(
    installation: Installation, market: SimulatedMarket
) -> None:
    installation.start()
    installation.drop(market.index)
    installation.wait_until_idle()
    assert installation.stop() == 0
    moved = installation.layout.root.with_name("moved")
    shutil.move(installation.layout.root, moved)
    place = type(installation)(moved)
    try:
        place.start()
        place.drop(market.fear)
        place.wait_until_idle()
        assert place.facts("status")["data"]["version"] == 2
    finally:
        place.clean_up()
