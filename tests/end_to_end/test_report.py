"""The account of a directory in which three versions have lived."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.cli import main
from tests.lived import FORCED, REASON, live_through

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from daemon.layout import Layout

    Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "report.json"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return live_through(tmp_path_factory.mktemp("lived"))


@pytest.fixture(scope="module")
def text(lived: Layout, regimed: Run) -> str:
    done = regimed("report", "--json", "--dir", lived.root)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def document(text: str) -> Any:
    return json.loads(text)


def said(command: str, layout: Layout) -> str:
    """Give what a command prints with ``--json``, in this process."""
    with redirect_stdout(StringIO()) as out:
        assert main([*command.split(), "--json", "--dir", str(layout.root)]) == 0
    return out.getvalue()


def named(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def test_the_document_is_what_its_schema_promises(document: Any) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)


def test_another_process_gives_the_same_bytes_and_writes_nothing(text: str, lived: Layout) -> None:
    before = {path: path.read_bytes() for path in lived.root.rglob("*") if path.is_file()}
    assert said("report", lived) == text
    assert before == {path: path.read_bytes() for path in lived.root.rglob("*") if path.is_file()}


def test_every_served_prediction_is_counted_once(document: Any) -> None:
    counts = document["counts"]
    assert counts["predictions"] == counts["matured"] + counts["waiting"] == 230 * 5
    assert counts["waiting"] == 14 * 5
    assert (counts["versions"], counts["champions"], counts["retrains"], counts["late"]) == (3, 2, 3, 0)
    assert document["range"]["sessions"] == 230 == len(document["series"]["close"])


def test_the_champion_scores_what_its_versions_score_together(document: Any, lived: Layout) -> None:
    told = named(document["policies"])["champion"]["scores"]["overall"]
    live = [json.loads(said(f"models live {name}", lived))["scores"]["overall"] for name in ("v1", "v2")]
    rows = sum(each["rows"] for each in live)
    assert told["rows"] == rows == 216 * 5
    for name in ("accuracy", "log_loss"):
        mean = sum(each["rows"] * each[name] for each in live) / rows
        assert told[name] == pytest.approx(mean, abs=2e-6)


def test_who_served_and_by_which_verdict_is_told(document: Any) -> None:
    first, second = document["champions"]
    assert (first["version"], first["verdict"], first["actor"]) == ("v1", "BOOTSTRAP", "gate")
    assert first["to"] == second["from"]
    assert (second["version"], second["verdict"], second["reason"]) == (FORCED, "FORCED", REASON)
    assert [each["version"] for each in document["verdicts"]] == ["v1", "v2", "v2", "v3"]


def test_policies_that_could_be_had_predict_all_that_the_champion_predicted(document: Any) -> None:
    policies = named(document["policies"])
    hindsight = [name for name, policy in policies.items() if policy["in_hindsight"]]
    assert hindsight == ["best_member"]
    for name in ("champion", "never_retrained", "always_promote", "best_member"):
        assert policies[name]["scores"]["overall"]["rows"] == 216 * 5, name
        assert policies[name]["gain"]["day"][-1] == "2014-04-14"
        assert [year["year"] for year in policies[name]["years"]] == [2013, 2014]


def test_what_was_computed_again_is_what_was_stored(document: Any) -> None:
    told = "1,080 of 1,080 served predictions came out as they were stored"
    assert any(told in note for note in document["notes"])


def test_before_the_first_change_retraining_and_gate_have_changed_nothing(document: Any) -> None:
    differences = named(document["differences"])
    assert differences.keys() == {"retraining", "gating", "pooling", "weighting"}
    normal = differences["retraining"]["scores"]["normal"]
    assert (normal["rows"], normal["nats"], normal["low"], normal["high"]) == (225, 0.0, 0.0, 0.0)
    overall = differences["retraining"]["scores"]["overall"]
    assert overall["low"] < overall["nats"] < overall["high"]


def test_each_verdict_is_held_against_the_days_that_followed(document: Any) -> None:
    promoted, held = document["gate_record"]
    assert (promoted["version"], promoted["held"], promoted["against"]) == ("v2", False, "v1")
    assert (held["version"], held["held"], held["against"]) == ("v3", True, "v2")
    # The day of a verdict is among them: its next close was not known yet.
    assert (promoted["days"], held["days"]) == (147, 77)
    assert all(each["low"] < each["nats"] < each["high"] for each in (promoted, held))


def test_every_headline_has_its_rows_days_and_baseline(document: Any) -> None:
    headlines = named(document["headline"])
    assert {
        "champion_vs_prior",
        "champion_vs_barrier",
        "retraining",
        "gating",
        "gate_held",
    } <= headlines.keys()
    for headline in headlines.values():
        assert headline["rows"] > 0, headline
        assert headline["days"] > 0, headline
        assert headline["baseline"], headline


def test_a_directory_in_which_nobody_served_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--dir", str(tmp_path)]) == 2
    assert "no daemon has run in" in capsys.readouterr().err
