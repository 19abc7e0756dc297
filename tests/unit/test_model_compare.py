"""``models compare``: two versions side by side, on a registry of versions that load."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from daemon.adapters.journal import Journal
from daemon.children import judge
from daemon.commands.model_compare import compare
from daemon.commands.times import now
from daemon.configuration import values_of
from daemon.errors import UsageError
from daemon.layout import Layout
from daemon.model_comparison import differences
from daemon.settings import Settings
from regime.features.own import feature_hash
from regime.types import REGIMES
from registry.policy import STRICT
from registry.store import Registry
from tests.served import CLASSES, FEATURES, promote, register_served

SCHEMA: Final = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "models-compare.json"
GAINS: Final = {"crash": 0.08, "recovery": 0.0, "high_volatility": -0.06, "normal": 0.04}
"""What the better version adds to the probability of the truth; low_volatility has too few days."""
SYMBOLS: Final = 5
DAYS: Final = 24
FEW: Final = 4
"""Of a regime's spell, of which each has two."""


def evidence(gains: dict[str, float], *, first_day: int = 0, start: str = "2012-01-02") -> bytes:
    """Give out-of-sample rows without chance: two spells of each regime, from one of their days on."""
    rows: dict[str, list[Any]] = {name: [] for name in ("date", "symbol", "regime", "truth")}
    proba: list[list[float]] = []
    spells = [(regime, DAYS if regime in GAINS else FEW) for _ in range(2) for regime in REGIMES]
    days = [regime for regime, length in spells for _ in range(length)]
    for at, regime in enumerate(days[first_day:], first_day):
        for symbol in range(SYMBOLS):
            truth = (at + symbol) % 3
            noise = 0.02 * ((at // 4 * 5 + symbol) % 7 - 3) if gains else 0.0
            sure = 0.3 + 0.01 * ((7 * at + 3 * symbol) % 31) + gains.get(regime, 0.0) + noise
            proba.append([sure if place == truth else (1 - sure) / 2 for place in range(3)])
            for name, value in zip(rows, (at, f"S{symbol}", regime.value, truth), strict=True):
                rows[name].append(value)
    columns: dict[str, Any] = {
        **rows,
        "date": np.datetime64(start) + np.array(rows["date"]),
        "fold": ["only"] * len(proba),
    }
    for place, name in enumerate(CLASSES):
        columns[f"candidate_{name}"] = np.array(proba)[:, place]
        columns[f"prior_{name}"] = np.full(len(proba), 1 / 3)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Give a registry of five versions, v1 champion; it is only read.

    v2 is another recipe, and knows nothing of the first day; v3 has other classes, v4 another target, and v5
    no day in common with v1.
    """
    layout = Layout(tmp_path_factory.mktemp("compared"))
    layout.create()
    Journal(layout.journal).close()
    reference = {"name": "reference", "kind": "first_touch", "up": 0.1, "down": 0.05, "horizon_days": 14}
    changed = {
        "recipe_hash": "another recipe",
        "settings": {"seed": 1, "weights": "auto", "models": ["lightgbm"]},
        "packages": {"numpy": "2.1", "xgboost": "3"},
        "trained_rows": 260,
    }
    versions: tuple[tuple[bytes, dict[str, Any]], ...] = (
        (evidence({}), {"settings": {"seed": 1, "weights": "uniqueness"}, "packages": {"numpy": "2.0"}}),
        (evidence(GAINS, first_day=1), changed),
        (evidence({}), {"classes": ("buy", "hold", "sell")}),
        (evidence({}), {"target": {**reference, "horizon_days": 20}}),
        (evidence({}, start="2015-01-02"), {}),
    )
    with Registry.open(layout.registry) as registry:
        for number, (rows, made) in enumerate(versions, 1):
            own = {"evidence": rows}
            hashed = feature_hash("", FEATURES)
            register_served(registry, f"r{number}", number, feature_hash=hashed, others=own, made=made)
        promote(registry, "v1", None)
    return layout


def asked(layout: Layout, a: str, b: str, **options: Any) -> Namespace:
    told = {"dir": str(layout.root), "version": a, "other": b, "policy": None, "plot": None, "json": False}
    return Namespace(**told | options)


def facts_of(
    layout: Layout, a: str, b: str, capsys: pytest.CaptureFixture[str], **options: Any
) -> dict[str, Any]:
    assert compare(asked(layout, a, b, json=True, **options)) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(facts)
    return facts


def text_of(layout: Layout, a: str, b: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert compare(asked(layout, a, b)) == 0
    text = capsys.readouterr().out
    assert 60 < max(map(len, text.splitlines())) <= 80
    return text


def test_what_was_made_differently_is_told(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(layout, "v2", "v1", capsys)
    assert (facts["a"]["version"], facts["a"]["rows"], facts["b"]["rows"]) == ("v2", 260, 200)
    assert facts["differs"] == {
        "recipe": True,
        "features": False,
        "settings": [
            {"name": "models", "a": ["lightgbm"], "b": None},
            {"name": "weights", "a": "auto", "b": "uniqueness"},
        ],
        "packages": [{"name": "numpy", "a": "2.1", "b": "2.0"}, {"name": "xgboost", "a": "3", "b": None}],
        "members": [],
        "features_only_a": [],
        "features_only_b": [],
    }


def test_only_rows_that_both_predicted_are_compared(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(layout, "v2", "v1", capsys)
    assert (facts["evidence"]["from"], facts["evidence"]["to"]) == ("2012-01-03", "2012-07-19")
    told = {name: (group["days"], group["rows"]) for name, group in facts["regimes"].items()}
    assert told == {
        "crash": (47, 235),
        "recovery": (48, 240),
        "high_volatility": (48, 240),
        "normal": (48, 240),
        "low_volatility": (8, 40),
        "overall": (199, 995),
    }


def test_a_gain_is_the_difference_of_both_and_has_the_bounds_of_the_gate(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = facts_of(layout, "v2", "v1", capsys)["regimes"]
    statuses = {name: group["status"] for name, group in groups.items()}
    assert statuses == {
        "crash": "PASS",
        "recovery": "PASS",
        "high_volatility": "FAIL",
        "normal": "PASS",
        "low_volatility": "INSUFFICIENT",
        "overall": None,
    }
    for name in ("recovery", "high_volatility", "normal"):
        loss = groups[name]["log_loss"]
        # 48 days are eight equal blocks, so that the mean of the blocks is that of the days.
        assert groups[name]["mean"] == pytest.approx(loss["b"] - loss["a"], abs=1e-9)
    for name in ("crash", "recovery", "high_volatility", "normal", "overall"):
        assert groups[name]["lcb"] < groups[name]["mean"] < groups[name]["ucb"]
    assert groups["low_volatility"]["mean"] is None
    assert groups["low_volatility"]["log_loss"]["a"] > 0
    assert groups["high_volatility"]["accuracy"]["a"] < groups["high_volatility"]["accuracy"]["b"]


def test_the_other_way_round_gains_change_their_sign(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    one = facts_of(layout, "v2", "v1", capsys)["regimes"]
    other = facts_of(layout, "v1", "v2", capsys)["regimes"]
    for name in ("crash", "high_volatility", "overall"):
        assert other[name]["mean"] == pytest.approx(-one[name]["mean"], abs=1e-9)
        assert other[name]["log_loss"]["a"] == pytest.approx(one[name]["log_loss"]["b"], abs=1e-9)


def test_the_preview_is_what_the_judge_then_says_and_is_stored_nowhere(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Layout(Path(shutil.copytree(layout.root, tmp_path / "copy")))
    with Registry.open_read_only(place.registry) as registry:
        before = registry.events()
    preview = facts_of(place, "v2", "v1", capsys)["preview"]
    with Registry.open_read_only(place.registry) as registry:
        assert registry.reports("v2") == ()
        assert registry.events() == before
    settings = values_of(Settings())
    judge.run({"root": str(place.root), "settings": settings, "version": "v2", "now": now().isoformat()})
    with Registry.open_read_only(place.registry) as registry:
        (body,) = registry.reports("v2")
    report = json.loads(body)
    assert (preview.pop("stored"), preview.pop("judged_before")) == (False, 0)
    assert preview["reason"] == "Harm is shown in high_volatility."
    assert preview == {key: report[key] for key in preview}
    assert facts_of(place, "v2", "v1", capsys)["preview"]["judged_before"] == 0
    assert facts_of(place, "v5", "v1", capsys)["preview"]["judged_before"] == 1


def test_another_policy_than_that_of_the_settings_may_be_asked(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(layout, "v2", "v1", capsys, policy="strict")
    assert (facts["policy"], facts["policy_hash"]) == ("strict", STRICT.hash)
    own = tmp_path / "own.toml"
    own.write_text('name = "mine"\nmetric = "accuracy"\n', encoding="utf-8")
    facts = facts_of(layout, "v2", "v1", capsys, policy=str(own))
    assert (facts["policy"], facts["metric"]) == ("mine", "accuracy")
    accuracy = facts["regimes"]["normal"]["accuracy"]
    assert facts["regimes"]["normal"]["mean"] == pytest.approx(accuracy["a"] - accuracy["b"], abs=1e-9)


def test_the_text_tells_the_same_in_80_columns(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    facts, text = facts_of(layout, "v2", "v1", capsys), text_of(layout, "v2", "v1", capsys)
    assert "  weights: auto in v2, uniqueness in v1\n" in text
    assert "No member differs.\n" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("crash", "over"))}
    overall = facts["regimes"]["overall"]
    assert rows["overall"][1:3] == ["199", "995"]
    assert rows["overall"][7:] == [f"{overall[name]:+.4f}" for name in ("mean", "lcb", "ucb")]
    said = " ".join(text.split())
    assert "(change, policy default): REJECT: Harm is shown in high_volatility." in said
    assert "This is a preview: it is stored nowhere, and counts in no ledger." in said


def test_a_version_does_not_differ_from_itself(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(layout, "v1", "v1", capsys)
    assert facts["differs"]["settings"] == facts["differs"]["packages"] == []
    assert facts["regimes"]["overall"]["mean"] == facts["regimes"]["overall"]["ucb"] == 0
    assert facts["preview"]["kind"] == "refit"
    assert "No setting differs.\n" in text_of(layout, "v1", "v1", capsys)


def test_without_a_common_row_nothing_is_known_of_who_is_better(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(layout, "v5", "v1", capsys)
    assert facts["regimes"]["overall"]["log_loss"] is None
    assert facts["preview"]["verdict"] == "HOLD_INSUFFICIENT"
    text = text_of(layout, "v5", "v1", capsys)
    assert "There is no out-of-sample row that v5 and v1 both predicted.\n" in text


def test_a_broken_artifact_is_an_error_of_the_preview_and_not_of_the_rows(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Layout(Path(shutil.copytree(layout.root, tmp_path / "copy")))
    with Registry.open_read_only(place.registry) as registry:
        digest = registry.artifacts("v2")["xgboost"].sha256
    (blob,) = (place.registry / "blobs").rglob(f"*{digest[2:]}*")
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[::-1])
    facts = facts_of(place, "v2", "v1", capsys)
    assert facts["preview"]["verdict"] == "ERROR"
    assert facts["preview"]["invariants"]["artifact_hash_matches"] is False
    assert facts["regimes"]["high_volatility"]["status"] == "FAIL"


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        ("v22", "v1", "there is no version 'v22'; did you mean v2?"),
        ("v1", "champion", "there is no version 'champion'; see: regimed models list"),
        ("v3", "v1", "their classes are buy, hold, sell and sell, hold, buy; compare versions of one target"),
        ("v4", "v1", "horizon_days 20.*and .*horizon_days 14.*; compare versions of one target"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(layout: Layout, a: str, b: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        compare(asked(layout, a, b))


def test_the_plot_is_that_of_the_preview(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(asked(layout, "v2", "v1", plot=str(tmp_path / "plot.svg"))) == 0
    assert capsys.readouterr().out == ""
    assert ">v2 against v1: REJECT<" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


NESTED: Final = st.recursive(
    st.one_of(st.integers(0, 2), st.text("ab", max_size=1)),
    lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=1), inner, max_size=3),
    max_leaves=6,
)
SETTINGS: Final = st.dictionaries(st.text("xyz", min_size=1, max_size=1), NESTED, max_size=3)


@given(a=SETTINGS, b=SETTINGS)
def test_differences_are_those_of_the_other_way_round(a: dict[str, object], b: dict[str, object]) -> None:
    assert differences(a, a) == ()
    turned = tuple((each.name, each.b, each.a) for each in differences(b, a))
    assert differences(a, b) == turned
    assert all(each.a != each.b for each in differences(a, b))
