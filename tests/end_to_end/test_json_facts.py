"""Every ``--json`` output of a daemon that has lived validates against its published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.commands.menu import COMMANDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Installation

    Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
FACTS: dict[str, tuple[list[str], int]] = {
    "status": (["status"], 3),
    "quarantine-list": (["quarantine", "list"], 0),
    "bars-list": (["bars", "list"], 0),
    "bars-show": (["bars", "show", "^SIM", "--last", "3"], 0),
    "bars-verify": (["bars", "verify"], 0),
    "quarantine-show": (["quarantine", "show", "bad.csv"], 0),
    "events": (["events", "--limit", "0"], 0),
    "messages-list": (["messages", "list"], 0),
    "labels": (["labels"], 0),
    "labels-explain": (["labels", "explain", "2012-03-01"], 0),
    "labels-diff": (["labels", "diff", "--to-labeler", "reference"], 0),
    "labels-facts": (["labels", "facts"], 0),
    "features-show": (["features", "show", "--symbol", "^SIM"], 0),
    "archive-list": (["archive", "list"], 0),
    "archive-show": (["archive", "show", "2011_debt_ceiling"], 0),
    "archive-verify": (["archive", "verify"], 0),
    "runs-list": (["runs", "list"], 0),
    "runs-show": (["runs", "show", "last"], 0),
    "models-list": (["models", "list"], 0),
    "models-show": (["models", "show", "v1"], 0),
    "models-compare": (["models", "compare", "v1", "v1"], 0),
    "models-live": (["models", "live"], 0),
    "models-history": (["models", "history"], 0),
    "models-prune": (["models", "prune", "--dry-run"], 0),
    "models-verify": (["models", "verify"], 0),
    "gate-explain": (["gate", "explain", "v1"], 0),
    "report": (["report"], 0),
    "predict": (["predict"], 0),
    "drift": (["drift", "--last", "3"], 0),
    "config-check": (["config", "check"], 0),
    "config-show": (["config", "show"], 0),
}
CHANGING = {
    "train", "archive-build", "archive-drop", "models-promote", "models-rollback", "bars-export",
    "models-export", "models-import", "models-mirror",
    "models-freeze",
    "models-unfreeze",
    "replay",
}  # fmt: skip
"""Commands that change or write something; a test beside the change validates what they say."""


def validate(name: str, facts: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(facts)


def test_every_command_with_facts_is_validated_here() -> None:
    named = {"-".join(command.words) for command in COMMANDS if command.facts}
    assert named == FACTS.keys() | CHANGING | {"features-list", "gate-judge"}


def test_the_list_of_features_is_what_its_schema_promises(regimed: Run) -> None:
    done = regimed("features", "list", "--json")
    assert done.returncode == 0
    validate("features-list", json.loads(done.stdout))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_what_a_command_says_is_what_its_schema_promises(name: str, trained: Installation) -> None:
    arguments, code = FACTS[name]
    validate(name, trained.facts(*arguments, code=code))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "show", "v9"], "there is no version 'v9'"),
        (["models", "compare", "v1", "v9"], "there is no version 'v9'; did you mean v1?"),
        (["models", "live", "v9"], "there is no version 'v9'"),
        (["gate", "explain", "v9"], "there is no version 'v9'"),
        (["models", "show", "champion"], "there is no version 'champion'"),
        (["models", "history", "--at", "yesterday"], "'yesterday' is no date; write it as 2024-03-01"),
        (["runs", "show", "r9"], "there is no run 'r9'; see: regimed runs list"),
        (["labels", "--market", "smi"], "there is no market 'smi'; did you mean sim?"),
        (
            ["labels", "explain", "2012-03-03"],
            "2012-03-03 has no label; the nearest labelled days are 2012-03-02 and 2012-03-05",
        ),
        (["labels", "explain", "2031-03-03"], "2031-03-03 has no label; the nearest labelled days are 20"),
        (["labels", "diff"], "both sides are rules-"),
        (["labels", "diff", "--to-labeler", "rule"], "there is no labeler 'rule'; did you mean rules?"),
        (["labels", "diff", "--to-version", "99"], "there is no data version 99; the newest is "),
        (["labels", "--market", "smi", "facts"], "there is no market 'smi'; did you mean sim?"),
        (["labels", "--from", "31.1.2015"], "'31.1.2015' is not a date"),
        (["labels", "--from", "2031-01-01"], "there are no labels between 2031-01-01"),
        (["predict", "--date", "2015-02-30"], "'2015-02-30' is not a date"),
        (["predict", "--date", "2015-02-01"], "there are no bars of 2015-02-01"),
        (["predict", "--symbol", "S001"], "there is no option --symbol here"),
        (["quarantine", "show", "bd.csv"], "'bd.csv' is not in quarantine; did you mean bad.csv?"),
        (["bars", "show", "SIM"], "there are no bars of 'SIM'; did you mean ^SIM?"),
        (
            ["bars", "show", "^SIM", "--from", "2031-01-01"],
            "there are no bars between 2031-01-01 and the end",
        ),
        (["bars", "show", "^SIM", "--to", "31.1.2015"], "'31.1.2015' is not a date"),
        (["bars", "show", "^SIM", "--last", "0"], "argument --last: '0' is not a whole number of at least 1"),
        (["bars", "export", "--out", "bars.xlsx"], "bars.xlsx must end in .csv or .parquet"),
        (["bars", "export", "--out", "/no/such/bars.csv"], "/no/such is not a folder"),
        (
            ["bars", "export", "--out", "bars.csv", "--symbol", "X"],
            "there are no bars of 'X'; see: regimed bars list",
        ),
        (["events", "--name", "gaet."], "no event has a name that starts with 'gaet.'"),
    ],
)
def test_what_does_not_exist_is_a_sentence_and_exit_code_2(
    arguments: list[str], message: str, trained: Installation
) -> None:
    done = trained.regimed(*arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    said = json.loads(done.stderr)
    validate("error", said)
    assert said["error"]["message"].startswith(message)


def test_changing_commands_refuse_what_does_not_exist_and_change_nothing(trained_copy: Installation) -> None:
    before = trained_copy.facts("models", "list")
    for arguments, code in (
        (["models", "promote", "v9", "--reason", "why not"], 2),
        (["models", "promote", "v1", "--reason", "again"], 1),
        (["models", "rollback", "--reason", "nothing was before"], 1),
    ):
        done = trained_copy.regimed(*arguments, "--json")
        assert (done.returncode, done.stdout) == (code, "")
        validate("error", json.loads(done.stderr))
    assert trained_copy.facts("models", "list") == before
    assert trained_copy.regimed("messages", "retry", "1").returncode == 2
    assert trained_copy.regimed("quarantine", "drop", "other.csv").returncode == 2


def test_a_freeze_by_hand_is_told_and_lifted(trained_copy: Installation) -> None:
    said = trained_copy.facts("models", "freeze", "--reason", "an odd week")
    validate("models-freeze", said)
    status = trained_copy.facts("status", code=3)
    validate("status", status)
    assert status["frozen"]["reason"] == "an odd week"
    said = trained_copy.facts("models", "unfreeze", "--reason", "it was the feed")
    validate("models-unfreeze", said)
    assert trained_copy.facts("status", code=3)["frozen"] is None
    assert [event.name for event in trained_copy.events("gate.")][-2:] == ["gate.frozen", "gate.unfrozen"]


def test_a_question_to_a_stopped_daemon_is_kept_for_its_start(trained_copy: Installation) -> None:
    said = trained_copy.facts("train", "--now")
    validate("train", said)
    assert said["daemon_is_running"] is False
    assert trained_copy.facts("messages", "list")["pending"] == {"retrain_due": 1}


def test_tampering_is_found(trained_copy: Installation) -> None:
    blobs = sorted(path for path in (trained_copy.layout.registry / "blobs").rglob("*") if path.is_file())
    blobs[0].chmod(0o644)
    content = bytearray(blobs[0].read_bytes())
    content[len(content) // 2] ^= 1
    blobs[0].write_bytes(content)
    said = trained_copy.facts("models", "verify", code=1)
    validate("models-verify", said)
    assert said["findings"]


def test_a_plot_of_the_labels_is_written(trained_copy: Installation, tmp_path: Path) -> None:
    picture = tmp_path / "regimes.png"
    done = trained_copy.regimed("labels", "--plot", picture, "--from", "2012-01-01")
    assert (done.returncode, done.stdout) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = trained_copy.regimed("labels", "--plot", tmp_path / "regimes.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("regimed: ")


def test_a_refused_file_can_be_dropped(trained_copy: Installation) -> None:
    assert trained_copy.regimed("quarantine", "drop", "bad.csv").returncode == 0
    assert trained_copy.facts("quarantine", "list")["files"] == []
    assert list(trained_copy.layout.quarantine.iterdir()) == []
