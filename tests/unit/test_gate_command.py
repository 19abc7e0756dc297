"""``gate judge|explain|policy`` as a user meets them."""

from __future__ import annotations

import json
import tomllib
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from daemon.commands.gate import explain, judge_evidence
from daemon.commands.gate_policy import MEANINGS, policy_toml
from daemon.commands.gate_text import explanation_lines, forest_lines, judgement_lines
from daemon.errors import SettingsInvalidError, UsageError
from daemon.formats.evidence import read_evidence
from daemon.gate_plots import plot_gate
from daemon.gate_rules import policy_of
from daemon.layout import Layout
from regime.types import REGIMES, Regime
from registry.gate import GateReport, Kind, Status, Verdict, force
from registry.policy import ACCURACY, DEFAULT, PRESETS, Policy
from registry.policy_values import policy_from_mapping
from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus, sha256_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gate_judge.txt"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"
GAINS = {"crash": 0.08, "recovery": 0.0, "high_volatility": -0.06, "normal": 0.04}
"""What is added to the champion's probability of the truth; low_volatility has too few days."""
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HASH = "0" * 64
MODEL = "a model"


def lines_of(gains: dict[str, float], *, days: int = 24, spells: int = 2, noise: float = 0.02) -> list[str]:
    """Give a file without chance: spells of each regime, five symbols, three classes."""
    rows = ["date,symbol,regime,truth,candidate_a,candidate_b,candidate_c,champion_a,champion_b,champion_c"]
    first, at = date(2012, 1, 2).toordinal(), 0
    for _ in range(spells):
        for regime in REGIMES:
            for _ in range(days if regime in gains else 4):
                for symbol in range(5):
                    truth = (at + symbol) % 3
                    champion = 0.3 + 0.01 * ((7 * at + 3 * symbol) % 31)
                    candidate = champion + gains.get(regime, 0.0) + noise * ((at // 4 * 5 + symbol) % 7 - 3)
                    rows.append(
                        f"{date.fromordinal(first + at)},S{symbol},{regime},{'abc'[truth]},"
                        f"{spread(candidate, truth)},{spread(champion, truth)}"
                    )
                at += 1
    return rows


def spread(probability: float, truth: int) -> str:
    rest = (1 - probability) / 2
    return ",".join(repr(probability if place == truth else rest) for place in range(3))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evidence") / "rows.csv"
    path.write_text("\n".join([*lines_of(GAINS), ""]), encoding="utf-8")
    return path


def report_of(file: Path, policy: Policy = DEFAULT, kind: Kind = Kind.CHANGE) -> GateReport:
    return judge_evidence(read_evidence(file), policy, kind=kind, judged_before=0)


def validate(name: str, facts: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(facts)


# gate judge


def test_a_judged_file_exits_with_0_whatever_the_verdict(regimed: Run, file: Path) -> None:
    done = regimed("gate", "judge", "--evidence", file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    validate("gate-judge", facts)
    assert facts["verdict"] == "REJECT"
    assert facts["reason"] == "Harm is shown in high_volatility."
    assert facts["policy_hash"] == DEFAULT.hash
    assert list(facts["regimes"]) == [regime.value for regime in REGIMES]
    fields = ["status", "days", "rows", "episodes", "mean", "lcb", "ucb", "margin", "reason"]
    assert [list(told) for told in facts["regimes"].values()] == [fields] * 5
    assert [told["status"] for told in facts["regimes"].values()] == [
        "PASS",
        "PASS",
        "FAIL",
        "PASS",
        "INSUFFICIENT",
    ]
    assert facts["regimes"]["low_volatility"]["mean"] is None
    assert facts["regimes"]["crash"]["mean"] > 0.1
    assert facts["benefit"]["judged_before"] == 0


def test_the_text_for_people_is_the_golden_one(regimed: Run, file: Path) -> None:
    done = regimed("gate", "judge", "--evidence", file)
    assert done.stdout == GOLDEN.read_text(encoding="utf-8")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_fault_exits_with_65_and_names_file_and_row(regimed: Run, file: Path, tmp_path: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([*lines, lines[5], ""]), encoding="utf-8")
    done = regimed("gate", "judge", "--evidence", bad, "--json")
    assert (done.returncode, done.stdout) == (65, "")
    error = json.loads(done.stderr)
    validate("error", error)
    assert error["error"]["code"] == 65
    expected = f"bad.csv: row {len(lines) + 1} (S4 2012-01-02, 1 such rows): this symbol and day occur twice"
    assert error["error"]["message"].startswith(expected)


def test_other_faults_have_the_exit_codes_of_other_commands(regimed: Run, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "own.toml"
    bad.write_text("alpha = 2\nblocs = 3\n[weights]\nboom = 1\n", encoding="utf-8")
    for arguments, code, sentence in (
        (["--evidence", tmp_path / "none.csv"], 2, "none.csv is not a file"),
        (["--evidence", file, "--policy", "strct"], 2, "unknown policy 'strct': did you mean strict?"),
        (["--evidence", file, "--policy", bad], 78, "has 3 faults"),
        (["--evidence", file, "--trained-to", "soon"], 2, "'soon' is not a date"),
        (
            ["--evidence", file, "--trained-to", "2012-01-02"],
            65,
            "row 2 (S0 2012-01-02, 5 such rows): the day",
        ),
        (["--evidence", file, "--plot", tmp_path / "a.gif"], 2, "a plot is written as .png or .svg"),
        ([], 2, "the following arguments are required: --evidence"),
    ):
        done = regimed("gate", "judge", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert sentence in done.stderr


def test_a_refit_must_only_be_safe_and_a_later_change_needs_more(file: Path) -> None:
    safe = {regime.value: 0.0 for regime in REGIMES}
    path = file.parent / "safe.csv"
    path.write_text("\n".join([*lines_of(safe, noise=0.002), ""]), encoding="utf-8")
    assert report_of(path, kind=Kind.REFIT).verdict is Verdict.PROMOTE
    assert report_of(path, kind=Kind.REFIT).benefit is None
    assert report_of(path).verdict is Verdict.HOLD_EQUIVALENT
    later = judge_evidence(read_evidence(path), DEFAULT, kind=Kind.CHANGE, judged_before=3)
    assert later.benefit is not None
    assert later.benefit.threshold == pytest.approx(0.05 * 6 / (3.141592653589793**2 * 16) / 2)


def test_under_the_accuracy_policy_gains_are_told_in_accuracy(regimed: Run, file: Path) -> None:
    done = regimed("gate", "judge", "--evidence", file, "--policy", "accuracy", "--json")
    facts = json.loads(done.stdout)
    validate("gate-judge", facts)
    assert (facts["metric"], facts["policy_hash"]) == ("accuracy", ACCURACY.hash)
    assert facts["regimes"]["crash"]["margin"] == 0.03
    assert facts["regimes"]["crash"]["mean"] == report_of(file, ACCURACY).of(Regime.CRASH).accuracy_mean


def test_without_a_champion_gains_are_over_the_prior(regimed: Run, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "first.csv"
    path.write_text(file.read_text(encoding="utf-8").replace("champion_", "prior_"), encoding="utf-8")
    facts = json.loads(regimed("gate", "judge", "--evidence", path, "--json").stdout)
    validate("gate-judge", facts)
    assert facts["compared_with"] == "regime prior"
    assert facts["verdict"] == "HOLD_SUSPICIOUS"
    assert facts["regimes"]["crash"]["mean"] > 0.1


# gate policy


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_printed_policy_reads_back_as_the_same(name: str, tmp_path: Path) -> None:
    text = policy_toml(PRESETS[name])
    assert policy_from_mapping(tomllib.loads(text)) == PRESETS[name]
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    assert policy_of(str(tmp_path / "own.toml")).hash == PRESETS[name].hash


def test_every_field_of_a_policy_has_its_meaning() -> None:
    assert MEANINGS.keys() == DEFAULT.as_mapping().keys()
    tiny = replace(DEFAULT, probability_min=1e-10)
    assert policy_from_mapping(tomllib.loads(policy_toml(tiny))).hash == tiny.hash


def test_the_policy_command_prints_toml(regimed: Run) -> None:
    done = regimed("gate", "policy", "strict")
    assert policy_from_mapping(tomllib.loads(done.stdout)) == PRESETS["strict"]
    assert max(map(len, done.stdout.splitlines())) <= 100
    done = regimed("gate", "policy", "strct")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean strict?" in done.stderr


def test_a_policy_file_may_name_only_what_differs(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('base = "strict"\n[weights]\ncrash = 3\n', encoding="utf-8")
    policy = policy_of(str(own))
    assert (policy.name, policy.alpha, policy.weights.crash) == ("own", 0.05, 3.0)
    own.write_text("alpha =", encoding="utf-8")
    with pytest.raises(SettingsInvalidError, match="it is no TOML"):
        policy_of(str(own))


# gate explain


def manifest() -> Manifest:
    return Manifest(
        run_id="r1",
        recipe_hash=HASH,
        data_hash=HASH,
        data_version="17",
        feature_names=("idle",),
        feature_hash=HASH,
        feature_catalogue="1",
        target={"name": "near"},
        classes=("a", "b", "c"),
        settings={"seed": 1},
        settings_hash=HASH,
        seed=1,
        trained_from=date(2010, 1, 4),
        trained_to=date(2011, 12, 31),
        trained_rows=1304,
        packages={},
        members={"m": Member(status=MemberStatus.FITTED, format="lightgbm", sha256=sha256_of(MODEL))},
        created_at=NOON,
    )


def stored(root: Path, *reports: GateReport) -> Layout:
    """Give a directory with one version and its reports."""
    layout = Layout(root)
    layout.create()
    layout.journal.touch()
    with Registry.open(layout.registry) as registry:
        registry.register(manifest(), {"m": MODEL.encode()}, {"skill": None}, key="train:r1", at=NOON)
        for number, report in enumerate(reports):
            registry.store_report("v1", report.to_json(), actor="gate", at=NOON, key=f"judge:{number}")
    return layout


def asked(layout: Layout, **options: Any) -> Namespace:
    return Namespace(
        **{"dir": str(layout.root), "version": "v1", "plot": None, "json": False, "policy": False, **options}
    )


def test_explain_shows_every_number_of_the_last_report(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = report_of(file)
    layout = stored(tmp_path, first, force(first, "the desk wants it"))
    assert explain(asked(layout)) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "report 1: REJECT against champion, policy default\n" in text
    assert "FORCED: Forced by hand over REJECT: the desk wants it" in text
    crash = first.of(Regime.CRASH)
    for number in (crash.mean, crash.lcb, crash.ucb, crash.accuracy_mean, crash.accuracy_lcb):
        assert f"{number:+.4f}" in text
    assert "because 0 candidates were judged before on" in text
    assert "  benefit_alpha      0.05\n" in text
    assert explain(asked(layout, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    validate("gate-explain", facts)
    assert [report["verdict"] for report in facts["reports"]] == ["REJECT", "FORCED"]
    assert facts["policy"]["alpha"] == 0.1


def old(report: GateReport) -> GateReport:
    """Give a report as it was stored when it kept the hash of its policy alone."""
    return replace(report, rules=None, also=())


def test_explain_prints_the_policy_of_ones_own_that_a_version_was_judged_by(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = replace(DEFAULT, name="mine", alpha=0.2, sector_margin=0.05)
    layout = stored(tmp_path, report_of(file, mine))
    assert explain(asked(layout)) == 0
    assert "  alpha              0.2\n" in capsys.readouterr().out
    assert explain(asked(layout, policy=True)) == 0
    assert policy_from_mapping(tomllib.loads(capsys.readouterr().out)) == mine
    assert explain(asked(layout, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    validate("gate-explain", facts)
    assert policy_from_mapping(facts["policy"]) == mine


def test_of_an_old_report_explain_knows_the_policies_that_shipped_then(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = stored(tmp_path, old(report_of(file, replace(DEFAULT, block_days=None, first_gain_max=None))))
    assert explain(asked(layout, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    validate("gate-explain", facts)
    assert facts["reports"][0]["schema"] == 1
    assert (facts["policy"]["name"], facts["policy"]["first_gain_max"]) == ("default", None)


def test_explain_says_when_a_policy_does_not_ship(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = stored(tmp_path, old(report_of(file, replace(DEFAULT, name="mine", alpha=0.2))))
    assert explain(asked(layout)) == 0
    assert "The policy mine does not ship with this version" in capsys.readouterr().out
    with pytest.raises(UsageError, match="kept only the hash of its policy"):
        explain(asked(layout, policy=True))
    assert explain(asked(layout, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    validate("gate-explain", facts)
    assert facts["policy"] is None


def test_a_version_that_was_not_judged_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="v1 was not judged yet"):
        explain(asked(stored(tmp_path)))


# Plots


@pytest.mark.parametrize("columns", [80, 120])
def test_the_text_plot_shows_bounds_margin_zero_and_status(file: Path, columns: int) -> None:
    report = report_of(file)
    lines = list(forest_lines(report, DEFAULT.metric, columns))
    assert max(map(len, lines)) <= columns
    assert len(lines) == 8
    rows = dict(zip(REGIMES, lines[1:6], strict=True))
    assert rows[Regime.CRASH].split()[:2] == ["crash", "PASS"]
    assert rows[Regime.CRASH].index("│") < rows[Regime.CRASH].index("├") < rows[Regime.CRASH].index("●")
    harm = rows[Regime.HIGH_VOLATILITY]
    assert harm.index("├") < harm.index("✗") < harm.index("┤") < harm.index("┊") < harm.index("│")
    assert set(rows[Regime.LOW_VOLATILITY].removeprefix("low_volatility  INSUFFICIENT")) == {" ", "┊", "│"}


@pytest.mark.parametrize("columns", [80, 120])
def test_all_text_fits(file: Path, columns: int) -> None:
    report = report_of(file)
    for lines in (judgement_lines(report, columns), explanation_lines(report, report.rules, columns)):
        assert 60 < max(map(len, lines)) <= columns


def test_a_report_without_evidence_can_be_told_and_drawn(file: Path, tmp_path: Path) -> None:
    found = report_of(file)
    nothing: dict[str, Any] = {"mean": None, "lcb": None, "ucb": None, "accuracy_mean": None, "days": None}
    errors = [replace(each, status=Status.ERROR, **nothing) for each in found.regimes]
    empty = replace(
        found,
        verdict=Verdict.ERROR,
        regimes=tuple(errors),
        benefit=None,
        evidence_hash=None,
        evidence_from=None,
    )
    text = "\n".join(explanation_lines(empty, None, 80))
    assert "There was no evidence." in text
    plot_gate(empty, tmp_path / "empty.svg")
    assert "nothing was counted" in (tmp_path / "empty.svg").read_text(encoding="utf-8")


def test_the_picture_names_every_regime_with_its_status(file: Path, tmp_path: Path) -> None:
    report = report_of(file)
    plot_gate(report, tmp_path / "a.svg")
    plot_gate(report, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    for regime, count in (
        ("crash", 1),
        ("high volatility", 1),
        ("PASS", 4),
        ("FAIL", 2),
        ("INSUFFICIENT", 2),
    ):
        assert text.count(f">{regime}<") == count
    assert "too little evidence" in text
    plot_gate(report, tmp_path / "a.png")
    head = (tmp_path / "a.png").read_bytes()
    assert head[:4] == b"\x89PNG"
    assert (int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")) == (1200, 900)


# The page


def test_the_example_of_the_page_is_judged_as_the_page_says(regimed: Run, tmp_path: Path) -> None:
    blocks = PAGE.read_text(encoding="utf-8").split("```")
    example = next(block for block in blocks if block.startswith("csv\n")).removeprefix("csv\n")
    (tmp_path / "evidence.csv").write_text(example, encoding="utf-8")
    done = regimed("gate", "judge", "--evidence", tmp_path / "evidence.csv")
    assert done.stdout.startswith("HOLD_INSUFFICIENT: No regime has enough evidence to be tested.\n")


@pytest.mark.parametrize("word", [*Status, *Verdict])
def test_every_status_and_verdict_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE.read_text(encoding="utf-8")
