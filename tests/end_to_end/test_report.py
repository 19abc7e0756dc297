"""The account of a directory in which three versions have lived."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.cli import main
from daemon.report.page import page_of
from tests.conftest import CHECKOUT
from tests.lived import FORCED, REASON, live_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

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


# What is served


@pytest.fixture(scope="module")
def address(lived: Layout) -> Iterator[str]:
    """Serve the report of the directory, and give where; Ctrl-C ends it."""
    command = [sys.executable, "-m", "regimed", "serve", "--port", "0", "--dir", str(lived.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def asked(address: str, path: str, host: str = "localhost:8733", method: str = "GET") -> HTTPResponse:
    """Give the answer to a request that names a host."""
    connection = HTTPConnection(address.removeprefix("http://").strip("/"), timeout=60)
    connection.request(method, path, headers={"Host": host})
    return connection.getresponse()


def test_the_page_and_the_document_are_served_as_they_are_written(
    address: str, document: Any, text: str, lived: Layout
) -> None:
    before = {path: path.read_bytes() for path in lived.root.rglob("*") if path.is_file()}
    page = asked(address, "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert (page.headers["X-Frame-Options"], page.headers["Cache-Control"]) == ("DENY", "no-store")
    assert page.read().decode() == page_of(document)
    assert asked(address, "/report.json").read().decode() == text
    status = json.loads(asked(address, "/status.json").read())
    assert status["champion"]["version"] == FORCED
    assert before == {path: path.read_bytes() for path in lived.root.rglob("*") if path.is_file()}


def test_who_asks_by_another_name_or_for_something_else_gets_none_of_it(address: str, text: str) -> None:
    for host in ("evil.example:8733", "127.0.0.1.evil.example:80", "localhost", ""):
        answer = asked(address, "/report.json", host)
        assert (answer.status, answer.read().decode()) == (421, f"ask for {address}\n")
    answer = asked(address, "/../config.toml")
    assert (answer.status, answer.read()) == (404, b"there are /, /report.json, /status.json\n")
    assert asked(address, "/", method="POST").status == 501
    head = asked(address, "/report.json", method="HEAD")
    assert (head.status, head.read(), head.headers["Content-Length"]) == (200, b"", str(len(text.encode())))


def test_a_port_that_is_taken_and_a_directory_without_a_report_are_sentences(
    address: str, lived: Layout, regimed: Run, tmp_path: Path
) -> None:
    port = address.rpartition(":")[2].strip("/")
    done = regimed("serve", "--port", port, "--dir", lived.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"regimed: port {port} cannot be used: Address already in use; name another"
    )
    done = regimed("serve", "--port", "99999", "--dir", lived.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "regimed: port 99999 cannot be used: there are ports from 0 to 65535; name another with --port\n"
    )
    done = regimed("serve", "--dir", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"regimed: no daemon has run in {tmp_path}; ")
