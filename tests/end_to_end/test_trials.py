"""Shadow, promotion, probation, rollback and freeze, on a real directory whose days are told by the test.

Children work in this process, and the daemon is "killed" before the journal knows of any deed: each message
is handled twice, and only the second time counts.
"""

from __future__ import annotations

import importlib
import io
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.adapters.clock import ManualClock
from daemon.adapters.journal import Journal
from daemon.app import make_tools
from daemon.children.champion import load_version
from daemon.children.stored import golden_of_bytes
from daemon.formats import write_csv
from daemon.handlers import COMPLETIONS, HANDLERS
from daemon.layout import Layout
from daemon.messages import CandidateJudged, FileArrived, Lane, RetrainDue
from daemon.records import ChildEnd, ChildJob, Outcome
from daemon.settings import (
    ArchiveSettings,
    FeaturesSettings,
    GateSettings,
    MarketSettings,
    Settings,
    TrainingSettings,
)
from daemon.status import read_status
from regime.models.ensemble import ENSEMBLE
from regime.models.pool import Pool
from regime.simulator import SimulationSettings, simulate
from registry.gate import GateReport, Status, Verdict
from registry.types import Alias, canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.adapters.journal import Pending
    from daemon.messages import Message
    from regime.models.ensemble import Ensemble
    from regime.types import Bars

DAYS = 10
"""Of each trial, which is looked at once."""
HORIZON = 10
SETTINGS = replace(
    Settings(),
    markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")},
    archive=ArchiveSettings(enabled=False),
    features=FeaturesSettings(enabled=False),
    training=TrainingSettings(
        target="triple_barrier",
        models=("logistic_regression",),
        quorum=1,
        fold_years=1,
        train_years_min=1,
        processes=1,
        ablation=False,
        rows_max=4000,
    ),
    gate=GateSettings(shadow_looks=(DAYS,), probation_days=DAYS),
)


class Life:
    """A directory with its journal, registry and clock, and a loop that dies before each deed is noted."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.clock = ManualClock(datetime(2015, 1, 1, tzinfo=UTC))
        self.journal = Journal(self.layout.journal)
        self.tools = make_tools(self.layout, SETTINGS, self.clock, self.journal.ledger)

    def work(self, *messages: Message) -> None:
        self.journal.append(messages, now=self.clock.now())
        while (pending := self.journal.next(list(Lane), now=self.clock.now())) is not None:
            self._outcome(pending)
            self.journal.finish(pending, self._outcome(pending), now=self.clock.now())

    def _outcome(self, pending: Pending) -> Outcome:
        done: Outcome | ChildJob = HANDLERS[type(pending.message)](pending.message, self.tools)
        if isinstance(done, Outcome):
            return done
        child = importlib.import_module(done.module)
        result = json.loads(json.dumps(child.run(json.loads(json.dumps(done.job)))))
        return COMPLETIONS[type(pending.message)](
            pending.message, ChildEnd(result=result, reason=None), self.tools
        )

    def take_in(self, bars: Bars) -> None:
        """Let bars arrive in the evening of their last day."""
        last = bars.date.max().astype("datetime64[s]").item().replace(tzinfo=UTC)
        self.clock.advance(last + timedelta(hours=22) - self.clock.now())
        path = self.layout.root / "bars.csv"
        write_csv(bars, path)
        content = path.read_bytes()
        sha256 = sha256_of(content.decode())
        (self.layout.files / sha256).write_bytes(content)
        self.work(FileArrived(sha256=sha256, name="bars.csv", size_bytes=len(content)))

    def told(self, name: str) -> list[dict[str, Any]]:
        return [dict(event.fields) for event in self.journal.ledger.events(name=name)]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(read_status(self.layout, self.clock.now()).to_json())
        return found

    def copy(self, version: str, exponent: float) -> str:
        """Register a version again, its probabilities raised to ``exponent`` unless that is 1."""
        registry = self.tools.registry
        loaded = load_version(registry, registry.version(version))
        artifacts: dict[str, bytes | Path] = {
            name: registry.get_blob(stored.sha256) for name, stored in registry.artifacts(version).items()
        }
        facts = json.loads(registry.get_blob(registry.artifacts(version)[ENSEMBLE].sha256))
        mean = [exponent / len(facts["pool"]["weights"])] * len(facts["pool"]["weights"])
        if exponent != 1:
            facts["pool"]["stack"] = {"exponents": mean, "intercepts": [0.0, 0.0, 0.0]}
        ensemble = replace(loaded.ensemble, pool=Pool.from_json(facts["pool"]))
        artifacts |= {
            ENSEMBLE: canonical_json(facts).encode(),
            "golden": golden_of(ensemble, registry.get_blob(registry.artifacts(version)["golden"].sha256)),
        }
        manifest = replace(loaded.version.manifest, run_id=f"copy {exponent}")
        score = registry.scorecard(version)
        return registry.register(manifest, artifacts, score, key=f"copy {exponent}", at=self.clock.now()).name

    def pass_all_history(self, version: str, champion: str) -> None:
        """Let all history have shown a version to be safe, also in crashes, of which fresh days have none."""
        registry = self.tools.registry
        report = GateReport.from_json(registry.reports(champion)[0])
        regimes = tuple(replace(each, status=Status.PASS) for each in report.regimes)
        given = replace(report, candidate=version, champion=champion, regimes=regimes, verdict=Verdict.SHADOW)
        at = self.clock.now()
        registry.store_report(version, given.to_json(), actor="gate", at=at, key=f"given {version}")


def golden_of(ensemble: Ensemble, known: bytes) -> bytes:
    inputs, _ = golden_of_bytes(known)
    arrays = {"X": inputs.X, "regime": inputs.regime, "proba": ensemble.predict_proba(inputs)}
    if inputs.volatility is not None:
        arrays["volatility"] = inputs.volatility
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    made = Life(tmp_path / "regimed")
    with closing(made.journal), made.tools.registry:
        yield made


def days_of(bars: Bars, first: int, last: int) -> Bars:
    days = np.unique(bars.date)
    chosen = days[first:last]
    return bars.take((bars.date >= chosen[0]) & (bars.date <= chosen[-1]))


def let_days_pass(life: Life, bars: Bars, first: int) -> int:
    """Let days arrive one by one, then as many at once as it takes until their outcomes are known."""
    for day in range(first, first + DAYS + 1):
        life.take_in(days_of(bars, day, day + 1))
    after = first + DAYS + 1 + HORIZON
    life.take_in(days_of(bars, first + DAYS + 1, after))
    return after


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fresh_days_promote_a_shadow_and_take_a_bad_champion_back(life: Life) -> None:
    bars = simulate(
        SimulationSettings(symbols=24, days=840, start=date(2015, 1, 5)), np.random.default_rng(3)
    ).bars
    life.take_in(days_of(bars, 0, 780))
    life.work(RetrainDue(trigger="manual", period="now"))
    registry = life.tools.registry
    assert registry.aliases() == {Alias.CHAMPION: "v1"}

    life.copy("v1", 1.0)
    life.pass_all_history("v2", "v1")
    life.work(CandidateJudged(version="v2", champion="v1", verdict="SHADOW", reason="not shown to be safe"))
    assert life.status()["shadow"] == {
        "version": "v2", "days": 0, "days_max": 10, "next_look": 10, "verdict": None, "outcome": None,
    }  # fmt: skip
    after = let_days_pass(life, bars, 780)
    (look,) = life.told("trial.looked")
    assert (look["kind"], look["version"], look["days"]) == ("shadow", "v2", DAYS)
    assert (look["verdict"], look["outcome"]) == ("PROMOTE", "promoted"), look
    assert registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
    assert life.status()["shadow"] is None

    life.copy("v2", -2.0)
    life.work(CandidateJudged(version="v3", champion="v2", verdict="PROMOTE", reason="a mistake"))
    let_days_pass(life, bars, after)
    look = life.told("trial.looked")[-1]
    assert (look["kind"], look["version"], look["champion"]) == ("probation", "v2", "v3")
    assert (look["verdict"], look["outcome"]) == ("PROMOTE", "rolled_back"), look
    (back,) = life.told("gate.rolled_back")
    report: Any = registry.report("v2")
    assert (back["version"], back["from"], back["evidence"]) == ("v2", "v3", report["evidence_hash"])
    assert registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v3"}

    assert life.status()["frozen"]["reason"] == back["reason"]
    life.work(CandidateJudged(version="v1", champion="v2", verdict="PROMOTE", reason="it is better"))
    assert registry.aliases()[Alias.CHAMPION] == "v2"
    assert "; but automatic promotion is frozen since " in life.told("gate.refused")[-1]["reason"]
    assert [tenure.version for tenure in registry.tenures()] == ["v1", "v2", "v3", "v2"]
    assert registry.verify() == []
    assert life.journal.ledger.dead_letters() == ()
