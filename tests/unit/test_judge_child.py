"""The judge as the daemon starts it: a process that loads a version and keeps a report."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.adapters.journal import Journal
from daemon.configuration import values_of
from daemon.layout import Layout
from daemon.settings import GateSettings, Settings
from regime.features.own import feature_hash
from regime.models import fit
from registry.gate import GateReport, Verdict
from registry.gate_report import Aspect
from registry.store import Registry
from tests.served import CLASSES, FEATURES, NOON, promote, register_served

if TYPE_CHECKING:
    from pathlib import Path

DAYS, SYMBOLS = 160, 8
NAMES = [f"S{at}" for at in range(SYMBOLS)]


def evidence(*, leak: float, seed: int = 5) -> bytes:
    """Give what boosted trees said of the second half of a market, fitted on the first.

    Its one feature knows a little of the outcome. With a ``leak`` it is also, by so much, the outcome
    itself: tomorrow's close that was joined to today.
    """
    generator = np.random.default_rng(seed)
    outcome = generator.normal(size=2 * DAYS * SYMBOLS)
    truth = np.digitize(outcome, [-0.7, 0.7]).astype(np.int64)
    feature = 0.3 * outcome + generator.normal(size=len(outcome)) + leak * outcome
    X = np.column_stack([feature, generator.normal(size=len(outcome))]).astype(np.float32)
    half = DAYS * SYMBOLS
    model = fit("lightgbm", X[:half], truth[:half], sample_weight=np.ones(half), n_classes=3, seed=1)
    proba = model.predict_proba(X[half:])
    prior = np.bincount(truth[:half], minlength=3) / half
    days = np.datetime64("2020-01-01") + np.arange(DAYS) + 40 * (np.arange(DAYS) // (DAYS // 2))
    columns: dict[str, Any] = {
        "date": np.repeat(days, SYMBOLS),
        "symbol": pa.array(NAMES * DAYS),
        "regime": pa.array(["crash"] * half),
        "fold": pa.array(["only"] * half),
        "truth": truth[half:],
    }
    for at, name in enumerate(CLASSES):
        columns[f"candidate_{name}"] = proba[:, at].astype(np.float64) / proba.sum(axis=1)
        columns[f"prior_{name}"] = np.full(half, prior[at])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def laid_out(root: Path, *, leaks: tuple[float, ...]) -> Layout:
    """Give a directory with a version for each leak, none of them judged."""
    layout = Layout(root)
    layout.create()
    Journal(layout.journal).close()
    with Registry.open(layout.registry) as registry:
        for number, leak in enumerate(leaks, 1):
            parts = {"evidence": evidence(leak=leak)}
            register_served(
                registry, f"r{number}", number, feature_hash=feature_hash("", FEATURES), others=parts
            )
    return layout


def judged(layout: Layout, version: str, gate: GateSettings | None = None) -> GateReport:
    """Let the judge's process judge a version, and give the report that it kept."""
    settings = replace(Settings(), gate=gate or GateSettings())
    job = {
        "root": str(layout.root),
        "settings": values_of(settings),
        "version": version,
        "now": NOON.isoformat(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "daemon.children", "daemon.children.judge"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])["result"]
    with Registry.open_read_only(layout.registry) as registry:
        report = GateReport.from_json(registry.reports(version)[-1])
    assert (said["verdict"], said["reason"]) == (report.verdict.value, report.reason)
    return report


@pytest.mark.slow
def test_a_first_model_that_has_seen_the_future_is_held_and_an_honest_one_is_not(tmp_path: Path) -> None:
    layout = laid_out(tmp_path, leaks=(3.0, 0.0))
    leaking = judged(layout, "v1")
    assert leaking.verdict is Verdict.HOLD_SUSPICIOUS
    assert leaking.reason.startswith("Leak suspected: a first champion that avoids more than 40%")
    assert judged(layout, "v2").verdict is Verdict.BOOTSTRAP


@pytest.mark.slow
def test_the_daemon_judges_by_a_policy_of_ones_own_and_reads_sectors_and_drift(tmp_path: Path) -> None:
    layout = laid_out(tmp_path, leaks=(0.0, 0.1))
    (tmp_path / "mine.toml").write_text('name = "mine"\nsector_margin = 0.05\n', encoding="utf-8")
    sectors = "".join(f"{name},{'Energy' if at % 2 else 'Utilities'}\n" for at, name in enumerate(NAMES))
    (tmp_path / "sectors.csv").write_text(f"symbol,sector\n{sectors}", encoding="utf-8")
    with Registry.open(layout.registry) as registry:
        promote(registry, "v1", None)
    gate = GateSettings(policy="mine.toml", sectors="sectors.csv")
    report = judged(layout, "v2", gate)
    assert report.rules is not None
    assert (report.policy, report.rules["sector_margin"]) == ("mine", 0.05)
    assert [each.of for each in report.also if each.aspect is Aspect.SECTOR] == ["Energy", "Utilities"]
    (drift,) = [each for each in report.also if each.aspect is Aspect.DRIFT]
    assert drift.reason == "It is not known whether the features drift."
    (tmp_path / "mine.toml").write_text('name = "later"\n', encoding="utf-8")
    assert judged(layout, "v2", gate).policy == "later"
    assert judged(layout, "v2", gate).policy == "later"
    with Registry.open_read_only(layout.registry) as registry:
        assert len(registry.reports("v2")) == 2
