"""The command line as a user meets it: help, wrong use, one-shot commands, and what each imports."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from daemon.cli import build_parser, main
from daemon.commands.menu import COMMANDS, GROUPS
from regimed import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Installation, SimulatedMarket

    Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
HEAVY = {"numpy", "pandas", "pyarrow", "sklearn", "scipy", "xgboost", "lightgbm", "river", "matplotlib"}
LABEL_COLUMNS = ["date", "regime", "reason", "provisional", "pending"]


def names_of(*, facts: bool) -> list[str]:
    return [" ".join(command.words) for command in COMMANDS if command.facts or not facts]


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Give the error object of a command, after checking its form and that nothing else was printed."""
    assert not done.stdout
    said: dict[str, Any] = json.loads(done.stderr)
    schema = json.loads((DOCS / "schemas" / "error.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(said)
    error: dict[str, Any] = said["error"]
    return error


# Help and documentation


@pytest.mark.parametrize("name", names_of(facts=False))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args([*name.split(), "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: regimed {name}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_argument_says_what_it_is(command: Any) -> None:
    assert command.text
    assert [argument.names for argument in command.arguments if not argument.options.get("help")] == []


def test_the_help_names_every_command(regimed: Run) -> None:
    done = regimed("--help")
    assert done.returncode == 0
    shown = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ") and line.strip()}
    assert {command.words[0] for command in COMMANDS} <= shown


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_help_of_a_group_names_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([group, "--help"])
    text = capsys.readouterr().out
    members = [command.words[1] for command in COMMANDS if command.words[0] == group]
    assert members
    assert [member for member in members if f"  {member} " not in text] == []


@pytest.mark.parametrize("page", ["config.toml", "docs/cli.md", "docs/events.md", "docs/features.md"])
def test_a_generated_page_is_up_to_date(page: str) -> None:
    pages = runpy.run_path(str(DOCS / "generate.py"))["pages"]()
    assert (ROOT / page).read_text(encoding="utf-8") == pages[Path(page)]


@pytest.mark.parametrize("name", names_of(facts=False))
def test_every_command_is_in_the_documentation(name: str) -> None:
    assert f"# regimed {name}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_every_command_with_facts_has_a_schema_and_no_schema_is_left_over() -> None:
    expected = {f"{name.replace(' ', '-')}.json" for name in names_of(facts=True)} | {"error.json"}
    assert {path.name for path in (DOCS / "schemas").iterdir()} == expected


@pytest.mark.parametrize("path", sorted((DOCS / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_valid_and_closed(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert "schema" in schema["required"]


@pytest.mark.parametrize(
    "arguments",
    [["labels", "--market", "us", "facts", "--json"], ["labels", "facts", "--market", "us", "--json"]],
)
def test_a_command_below_another_takes_the_options_of_both_on_either_side(arguments: list[str]) -> None:
    options = build_parser().parse_args(arguments)
    assert (options.market, options.json, options.dir) == ("us", True, ".")
    assert options.target == "daemon.commands.label_facts:facts"


def test_a_command_with_others_below_it_needs_none_of_them() -> None:
    options = build_parser().parse_args(["labels", "--market", "us"])
    assert (options.market, options.target) == ("us", "daemon.commands.labels:labels")


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["statu"], "there is no 'statu' here; did you mean 'status'?"),
        (["labels", "explan"], "there is no 'explan' here; did you mean 'explain'?"),
        (["labels", "explain"], "the following arguments are required: DATE"),
        (["models", "shw"], "there is no 'shw' here; did you mean 'show'?"),
        (["status", "--jsn"], "there is no option --jsn here; did you mean --json?"),
        (["status", "--js"], "there is no option --js here; did you mean --json?"),
        (["labels", "--markt=us"], "there is no option --markt here; did you mean --market?"),
        (["--verion"], "there is no option --verion here; did you mean --version?"),
        (["status", "now"], "'now' is one argument too many"),
        (["labels", "--plot", "x.png", "explain", "2020-03-16"], "there is no option --plot here"),
        (["labels", "--timeline", "facts"], "there is no option --timeline here"),
        (["train"], "the following arguments are required: --now"),
        (["models"], "the following arguments are required: COMMAND"),
        (["runs", "show"], "the following arguments are required: RUN"),
        (["models", "promote", "v1"], "the following arguments are required: --reason"),
        (
            ["label", "--index", "a", "--out", "b.csv", "--labeler", "rule"],
            "there is no 'rule' here; did you mean 'rules'?",
        ),
        (["drift", "--last", "0"], "argument --last: '0' is not a whole number of at least 1"),
        (["events", "--limit", "-1"], "argument --limit: '-1' is not a whole number of at least 0"),
        (["messages", "retry", "x"], "argument ID: invalid int value: 'x'"),
    ],
)
def test_wrong_use_is_one_sentence_with_the_nearest_name(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.splitlines()[0] == f"regimed: {sentence}"
    assert said.err.splitlines()[1].startswith("try: regimed ")


def test_a_process_with_wrong_use_exits_with_2(regimed: Run) -> None:
    done = regimed("statu")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("regimed: there is no 'statu' here; did you mean 'status'?\n")


def test_no_command_at_all_is_wrong_use_with_help_beside_the_data(regimed: Run) -> None:
    done = regimed()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: regimed ")


def test_wrong_use_with_json_is_an_error_object(regimed: Run) -> None:
    error = error_of(regimed("models", "shw", "--json"))
    assert error == {
        "code": 2,
        "message": "there is no 'shw' here; did you mean 'show'?",
        "try": "regimed models --help",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("events",),
        ("messages", "list"),
        ("train", "--now"),
        ("runs", "list"),
        ("models", "verify"),
        ("drift",),
    ],
    ids=" ".join,
)
def test_a_directory_without_a_daemon_is_named_with_the_remedy(
    arguments: tuple[str, ...], regimed: Run, tmp_path: Path
) -> None:
    done = regimed(*arguments, "--dir", tmp_path, "--json")
    assert done.returncode == 2
    assert f"no daemon has run in {tmp_path}" in error_of(done)["message"]


def test_a_run_in_a_directory_that_was_not_laid_out_is_wrong_use(regimed: Run, tmp_path: Path) -> None:
    done = regimed("run", "--dir", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"run: regimed init {tmp_path}" in done.stderr
    assert list(tmp_path.iterdir()) == []


# Configuration


def test_all_faults_of_a_configuration_are_listed_at_once(installation: Installation) -> None:
    installation.layout.configuration.write_text(
        "[training]\nquorum = 99\nmodles = []\n[schedule]\nweekday = 'caturday'\n[gaet]\n", encoding="utf-8"
    )
    for command in (("config", "check"), ("config", "show"), ("run",)):
        done = installation.regimed(*command)
        assert (done.returncode, done.stdout) == (78, "")
        assert "has 4 faults" in done.stderr
        assert "training.quorum = 99: must be between 1 and 8" in done.stderr
        assert "training.modles: unknown setting (did you mean models?)" in done.stderr
        assert 'schedule.weekday = "caturday": allowed: monday, tuesday' in done.stderr
        assert "[gaet]: unknown table (did you mean gate?)" in done.stderr
    error = error_of(installation.regimed("config", "check", "--json"))
    assert error["code"] == 78
    assert error["message"].count("\n  - ") == 4
    assert not installation.layout.journal.exists()


def test_the_origin_of_a_setting_is_shown(installation: Installation) -> None:
    done = installation.regimed("config", "show", "--origin", env={"REGIMED_GATE__POLICY": "strict"})
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["gate.policy"].endswith('= "strict"  # REGIMED_GATE__POLICY')
    assert lines["training.quorum"].endswith(f"= 1  # {installation.layout.configuration}")
    assert lines["daemon.attempts_max"].endswith("= 5  # default")


# Directories


def test_init_lays_out_a_directory_and_leaves_what_is_there(regimed: Run, tmp_path: Path) -> None:
    root = tmp_path / "new"
    assert regimed("init", root).returncode == 0
    assert {path.name for path in root.iterdir()} == {"config.toml", "inbox", "quarantine", "state"}
    assert (root / "config.toml").read_text(encoding="utf-8") == (ROOT / "config.toml").read_text(
        encoding="utf-8"
    )
    (root / "config.toml").write_text("# mine\n", encoding="utf-8")
    assert regimed("init", root).returncode == 0
    assert (root / "config.toml").read_text(encoding="utf-8") == "# mine\n"


def test_the_directory_may_come_from_the_environment(installation: Installation, regimed: Run) -> None:
    done = regimed("status", "--json", env={"REGIMED_DIR": str(installation.layout.root)})
    assert json.loads(done.stdout)["directory"] == str(installation.layout.root)


def test_ingest_refuses_what_the_daemon_would_ignore(installation: Installation, tmp_path: Path) -> None:
    hidden, half = tmp_path / ".bars.csv", tmp_path / "bars.csv.part"
    for path in (hidden, half):
        path.write_text("symbol,date,close\n", encoding="utf-8")
        done = installation.regimed("ingest", path)
        assert done.returncode == 2
        assert "would be ignored for its name" in done.stderr
    assert installation.regimed("ingest", tmp_path / "none.csv").returncode == 2
    assert list(installation.layout.inbox.iterdir()) == []


# One-shot commands


@pytest.mark.slow
@pytest.mark.parametrize("labeler", ["rules", "reference"])
@pytest.mark.parametrize("with_fear", [True, False], ids=["fear", "no_fear"])
def test_label_writes_one_row_a_day(
    *, labeler: str, with_fear: bool, regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    fear = ["--fear", market.fear] if with_fear else []
    done = regimed("label", "--index", market.index, *fear, "--labeler", labeler, "--out", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    table = pd.read_csv(out)
    assert list(table.columns) == LABEL_COLUMNS
    assert table["date"].tolist() == market.days
    known = {"crash", "recovery", "high_volatility", "normal", "low_volatility", "unknown"}
    assert set(table["regime"]) <= known
    assert table["regime"].nunique() >= 4
    assert set(table["pending"].dropna()) <= known
    assert table["provisional"].dtype == bool
    assert table["provisional"].iloc[-1]
    assert not table["provisional"].iloc[0]


def test_the_default_labeler_is_rules_and_parquet_holds_the_same_as_csv(
    regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    given = ("label", "--index", market.index, "--fear", market.fear)
    assert regimed(*given, "--out", tmp_path / "default.parquet").returncode == 0
    assert regimed(*given, "--labeler", "rules", "--out", tmp_path / "rules.csv").returncode == 0
    parquet = pq.read_table(tmp_path / "default.parquet")
    assert parquet.column_names == LABEL_COLUMNS
    table, text = parquet.to_pandas(), pd.read_csv(tmp_path / "rules.csv")
    assert table["date"].astype(str).tolist() == text["date"].tolist()
    for column in ("regime", "reason", "provisional"):
        assert table[column].tolist() == text[column].tolist()
    assert table["pending"].fillna("-").tolist() == text["pending"].fillna("-").tolist()


@pytest.mark.slow
def test_label_and_features_refuse_files_that_are_not_there_or_cannot_be_written(
    regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    assert regimed("label", "--index", tmp_path / "none.csv", "--out", tmp_path / "a.csv").returncode == 2
    done = regimed("label", "--index", market.index, "--out", tmp_path / "a.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "must end in .csv or .parquet" in done.stderr
    done = regimed("label", "--index", market.index, "--out", tmp_path / "none" / "a.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_a_sentence(regimed: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("symbol,date,close\n^X,2024-01-02,-1\n", encoding="utf-8")
    done = regimed("label", "--index", bad, "--out", tmp_path / "a.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert "2024-01-02" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_features_of_a_file_have_all_columns_of_the_catalogue(
    regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    out = tmp_path / "features.parquet"
    sectors = market.folder / "sectors.csv"
    given = ("--bars", market.stock, "--index", market.index, "--fear", market.fear, "--sectors", sectors)
    done = regimed("features", "compute", *given, "--out", out)
    assert (done.returncode, done.stdout) == (0, "")
    listed = json.loads(regimed("features", "list", "--json").stdout)
    table = pq.read_table(out)
    assert table.column_names == ["symbol", "date", *(feature["name"] for feature in listed["features"])]
    assert len(listed["features"]) == 179
    assert table.num_rows == len(market.days)
    last = [table.column(name)[-1].as_py() for name in table.column_names[2:]]
    assert np.isfinite(np.array(last, dtype=float)).sum() > 150


@pytest.mark.slow
def test_sectors_without_their_columns_are_wrong_use(
    regimed: Run, market: SimulatedMarket, tmp_path: Path
) -> None:
    (tmp_path / "sectors.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    given = ("--bars", market.stock, "--index", market.index, "--sectors", tmp_path / "sectors.csv")
    done = regimed("features", "compute", *given, "--out", tmp_path / "a.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs the columns symbol and sector" in done.stderr


def test_a_simulated_market_is_the_same_for_the_same_seed(regimed: Run, tmp_path: Path) -> None:
    for folder, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        asked = ("--symbols", "2", "--days", "50", "--start", "2020-02-03", "--seed", seed)
        assert regimed("simulate", "--out", tmp_path / folder, *asked).returncode == 0
    names = {path.name for path in (tmp_path / "a" / "bars").iterdir()}
    assert names == {"S001.csv", "S002.csv", "^SIM.csv", "^SIMVIX.csv"}
    same = [(tmp_path / folder / "bars" / "S001.csv").read_bytes() for folder in "abc"]
    assert same[0] == same[1]
    assert same[0] != same[2]
    assert b"S001,2020-02-03," in same[0]
    truth = (tmp_path / "a" / "true_regimes.csv").read_text(encoding="utf-8").splitlines()
    assert truth[0] == "date,regime"
    assert len(truth) == 51


@pytest.mark.parametrize(
    ("option", "value", "code"), [("--symbols", "0", 1), ("--days", "10000000", 1), ("--start", "soon", 2)]
)
def test_a_market_that_cannot_be_is_refused(
    option: str, value: str, code: int, regimed: Run, tmp_path: Path
) -> None:
    done = regimed("simulate", "--out", tmp_path / "market", option, value)
    assert (done.returncode, done.stdout) == (code, "")
    assert value in done.stderr
    assert not (tmp_path / "market").exists()


# Weight


def test_the_version_is_printed(regimed: Run) -> None:
    done = regimed("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [["--version"], ["status", "--dir", "{root}"]], ids=["version", "status"]
)
def test_light_commands_import_no_heavy_library(arguments: list[str], installation: Installation) -> None:
    installation.start()
    installation.stop()
    given = [text.format(root=installation.layout.root) for text in arguments]
    assert heavy_after(given) == []


def heavy_after(arguments: list[str]) -> list[str]:
    code = (
        f"import sys; sys.argv = ['regimed', *{arguments!r}]; import regimed; regimed.main();"
        f" print('imported', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    return done.stdout.splitlines()[-1].split()[1:]
