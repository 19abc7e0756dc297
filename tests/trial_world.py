"""A directory in which versions are on trial: a simulated market, small versions, and days that go by.

The loop, the handlers, the journal and the registry are the real ones; the clock stands where a day ends.
Children run in this process, but for the one that tells whether a version can serve.
"""

from __future__ import annotations

import importlib
import io
import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from time import sleep
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.adapters.child import RUN_POLL_S, SubprocessChildren
from daemon.adapters.clock import ManualClock, SystemClock
from daemon.adapters.inbox import Inbox
from daemon.adapters.journal import Journal
from daemon.app import make_tools
from daemon.children.data import first_market
from daemon.children.references import drift_references
from daemon.children.stored import CANDIDATE, PRIOR, ensemble_bytes
from daemon.configuration import read_configuration
from daemon.formats import write_csv
from daemon.logs import EventLog
from daemon.loop import Loop
from daemon.messages import CandidateRegistered
from daemon.records import ChildEnd, Outcome, RunClosed, RunOpened
from daemon.settings import LogSettings
from regime.features.catalogue import CATALOGUE, CATALOGUE_VERSION, catalogue_hash
from regime.models import assemble, fit
from regime.models.ensemble import ENSEMBLE, Ensemble, Inputs
from regime.models.pool import Pool
from regime.simulator import SimulationSettings, simulate
from regime.targets import compute_targets
from regime.training_set import build_training_set
from regime.types import REGIMES, Regime, TargetSpec
from registry.formats import dump_model
from registry.types import Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.layout import Layout
    from daemon.messages import Message
    from daemon.records import ChildJob
    from regime.types import Bars
    from registry.store import Registry

CONFIGURATION: Final = """
[daemon]
idle_wait_s = 0.1
retry_wait_s = 0.1
[markets.sim]
index = "^SIM"
fear = "^SIMVIX"
calendar = "weekdays"
[gate]
shadow_looks = [10, 20]
probation_days = 20
[archive]
enabled = false
[features]
enabled = false
[schedule]
enabled = false
"""
DAYS: Final = 700
HISTORY: Final = 640
"""Days before the trials; this one and all later ones are labelled low volatility."""
TARGET: Final = TargetSpec(name="next", kind="first_touch", up=0.03, down=0.03, horizon_days=1)
HISTORY_MIX: Final = (0.27, 0.41, 0.32)
"""Shares of the classes in what versions are judged by before their trials."""
MODEL: Final = "logistic_regression"
NAMES: Final = tuple(feature.name for feature in CATALOGUE)
COLUMNS: Final = np.array([NAMES.index("rsi_14"), NAMES.index("rsi_28")], dtype=np.intp)
EVENING: Final = time(22, tzinfo=UTC)
TILT: Final = 0.2
IN_A_PROCESS: Final = "daemon.children.servable"
"""The child whose point is that nothing was loaded before."""


class Ended:
    """A child that has ended already."""

    def __init__(self, end: ChildEnd) -> None:
        self._end = end

    def poll(self) -> ChildEnd:
        return self._end

    def stop(self, grace_s: float) -> None:
        raise NotImplementedError(f"it has ended, {grace_s} s are too late")


class Children(SubprocessChildren):
    """Waits for each child; only one that needs it has a process of its own."""

    before_a_process: Callable[[], None] | None = None

    def start(self, job: ChildJob, *, progress_file: Path | None) -> Any:
        if job.module == IN_A_PROCESS:
            if self.before_a_process is not None:
                self.before_a_process()
            child = super().start(job, progress_file=progress_file)
            while (end := child.poll()) is None:
                sleep(RUN_POLL_S)
            return Ended(end)
        given = json.loads(json.dumps(job.job))
        result = json.loads(json.dumps(importlib.import_module(job.module).run(given)))
        return Ended(ChildEnd(result=result, reason=None))


class World:
    """A directory of regimed, and its loop with a clock that stands."""

    def __init__(self, layout: Layout, day: int = HISTORY) -> None:
        """Open a directory on which ``day`` days of the market have passed."""
        self.layout = layout
        market = simulate(
            SimulationSettings(symbols=12, days=DAYS, start=date(2022, 9, 1)), np.random.default_rng(1)
        )
        self.bars, self.days = market.bars, market.date
        self.day = day
        self.clock = ManualClock(self._evening())
        settings = read_configuration(layout.configuration, {}).settings
        layout.create()
        self.journal = Journal(layout.journal)
        self.children = Children(SystemClock())
        self.tools = make_tools(layout, settings, self.clock, self.journal.ledger, self.children)
        self.loop = Loop(
            journal=self.journal,
            inbox=Inbox(
                inbox=layout.inbox, archive=[], staging=layout.files, clock=self.clock,
                settings=settings.watch, file_bytes_max=settings.ingest.file_bytes_max,
            ),
            tools=self.tools,
            log=EventLog(LogSettings(), io.StringIO()),
            notifier=Silent(),
            installed_at=self.clock.now(),
        )  # fmt: skip

    def close(self) -> None:
        self.journal.close()
        self.registry.close()

    @property
    def registry(self) -> Registry:
        return self.tools.registry

    def _evening(self) -> datetime:
        return datetime.combine(self.days[self.day - 1].item(), EVENING)

    def bars_of_days(self, first: int, last: int) -> Bars:
        return self.bars.take((self.bars.date >= self.days[first]) & (self.bars.date <= self.days[last]))

    def write_day(self, day: int) -> Path:
        """Put a day's bars into the inbox."""
        path = self.layout.inbox / f"day_{day}.csv"
        write_csv(self.bars_of_days(day, day), path)
        return path

    def begin(self) -> None:
        """Take in all history."""
        write_csv(self.bars_of_days(0, HISTORY - 1), self.layout.inbox / "history.csv")
        self.work()

    def pass_days(self, days: int) -> None:
        """Let days go by: each evening its bars arrive, and all that follows from them is done."""
        for _ in range(days):
            self.write_day(self.day)
            self.day += 1
            self.clock.advance(self._evening() - self.clock.now())
            self.work()

    def work(self) -> None:
        """Turn the loop until nothing is left to do."""
        self.loop.files_may_have_come()
        while self.loop.turn() or self.loop._inbox.has_young():
            self.clock.advance(timedelta(milliseconds=250))
        failed = [event.fields for event in self.journal.ledger.events(name="message.")]
        assert not failed, failed
        assert not self.journal.ledger.pending_counts()

    def judge(self, version: str) -> None:
        """Let the gate judge a version as if a run had just registered it."""
        run = self.registry.version(version).manifest.run_id
        opened = RunOpened(run_id=run, job="retrain", trigger="manual", period=run, data_version=1)
        closed = RunClosed(run_id=run, outcome="succeeded", reason="", version=version)
        due = CandidateRegistered(run_id=run, version=version)
        self._finish_by_hand(Outcome(records=(opened, closed), follow_ups=(due,)), run)
        self.work()

    def _finish_by_hand(self, outcome: Outcome, period: str) -> None:
        from daemon.messages import RetrainDue  # noqa: PLC0415 - here only

        message: Message = RetrainDue(trigger="manual", period=period)
        self.journal.append([message], now=self.clock.now())
        pending = self.journal.next([message.lane], now=self.clock.now())
        assert pending is not None
        assert pending.message == message
        self.journal.finish(pending, outcome, now=self.clock.now())

    def register(self, run: str, mix: Sequence[float], *, doubtful: bool = False) -> str:
        """Register a version that always says ``mix``, nearly, and give its name.

        With ``doubtful`` all history shows it to be better in crashes and nothing about normal days, so that
        the gate lets fresh days decide; otherwise its history is no better and no worse than the prior.
        """
        ensemble = _ensemble_saying(mix)
        artifact = dump_model(ensemble.models[MODEL].parts())
        artifacts = {
            MODEL: artifact.content,
            ENSEMBLE: ensemble_bytes(ensemble, NAMES),
            "golden": _golden(ensemble),
            "evidence": self._evidence(TILT * doubtful),
            **self._references(),
        }
        members = {MODEL: Member(status=MemberStatus.FITTED, format=artifact.format, sha256=artifact.sha256)}
        manifest = Manifest(
            run_id=run, recipe_hash=f"recipe of {run}", data_hash="data", data_version="1",
            feature_names=NAMES, feature_hash=catalogue_hash(), feature_catalogue=CATALOGUE_VERSION,
            target=asdict(TARGET), classes=TARGET.classes, settings={}, settings_hash="settings", seed=1,
            trained_from=self.days[300].item(), trained_to=self.days[HISTORY - 1].item(), trained_rows=400,
            packages={}, members=members, created_at=self.clock.now(),
        )  # fmt: skip
        score = {"overall_skill": 0.0, "skill": dict.fromkeys(REGIMES, 0.0)}
        return self.registry.register(
            manifest, artifacts, score, key=f"train:{run}", at=self.clock.now()
        ).name

    @cache  # noqa: B019 - a world lives as long as its test
    def _references(self) -> dict[str, bytes]:
        market = first_market(str(self.layout.root), 1, self.tools.settings)
        features = market.features()
        rows, _ = build_training_set(
            features, market.bars, compute_targets(market.bars, TARGET), market.labels,
            feature_hash=catalogue_hash(),
        )  # fmt: skip
        return drift_references(market, rows, features)

    def promote_by_hand(self, version: str) -> None:
        """Make a version champion, as ``models promote`` does, at the time of this clock."""
        champion = self.registry.champion()
        self.registry.promote(
            version,
            expected_champion=None if champion is None else champion.name,
            reason="it looked good",
            actor="ann",
            at=self.clock.now(),
            key=f"by hand:{version}",
        )

    def damage_before_the_swap(self, version: str) -> None:
        """Give the golden predictions of a version other bytes when it is asked whether it can serve."""
        sha256 = self.registry.artifacts(version)["golden"].sha256
        path = self.layout.registry / "blobs" / sha256[:2] / sha256

        def damage() -> None:
            path.chmod(0o644)
            path.write_bytes(b"other bytes")

        self.children.before_a_process = damage

    def _evidence(self, tilt: float) -> bytes:
        """Give two crashes of 30 days and two times 60 normal days, and their outcomes."""
        day = np.repeat(np.r_[100:130, 200:230, 300:360, 420:480], 12)
        regime = np.where(day < 300, Regime.CRASH.value, Regime.NORMAL.value)
        truth = np.random.default_rng(5).choice(3, size=len(day), p=HISTORY_MIX)
        prior = np.tile(np.array(HISTORY_MIX), (len(day), 1))
        in_turn = np.where((day < 300) | ((day // 15) % 2 == 0), 1.0, -1.0)
        proba = prior.copy()
        proba[np.arange(len(day)), truth] *= np.exp(tilt * in_turn)
        proba /= proba.sum(axis=1, keepdims=True)
        columns: dict[str, object] = {
            "date": self.days[day],
            "symbol": pa.array([f"S{number:03d}" for number in range(1, 13)] * (len(day) // 12)),
            "regime": pa.array(regime.tolist()),
            "fold": pa.array(["2023"] * len(day)),
            "truth": truth,
        }
        for title, values in ((CANDIDATE, proba), (PRIOR, prior)):
            columns |= {f"{title}_{name}": values[:, at] for at, name in enumerate(TARGET.classes)}
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return sink.getvalue()


class Silent:
    """A service manager that does not listen."""

    def ready(self, status: str) -> None: ...

    def alive(self, status: str) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...


def _ensemble_saying(mix: Sequence[float]) -> Ensemble:
    """Fit rows whose classes have nothing to do with their features."""
    generator = np.random.default_rng(3)
    X = generator.normal(50.0, 15.0, size=(400, len(COLUMNS))).astype(np.float32)
    y = generator.permutation(np.repeat(np.arange(3), np.round(np.array(mix) * 400).astype(np.intp)))
    parts = fit(MODEL, X, y, sample_weight=np.ones(400), n_classes=3, seed=1).parts()
    return Ensemble(
        models={MODEL: assemble(MODEL, parts, n_classes=3)},
        columns=COLUMNS,
        barrier=None,
        starts_from_barrier=False,
        pool=Pool(kind="mean", weights={MODEL: 1.0}),
    )


def _rows(n_rows: int) -> NDArray[np.float32]:
    return np.random.default_rng(4).normal(size=(n_rows, len(NAMES))).astype(np.float32)


def _golden(ensemble: Ensemble) -> bytes:
    inputs = Inputs(X=_rows(16), volatility=None, regime=np.full(16, Regime.NORMAL.value))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        X=inputs.X,
        regime=inputs.regime,
        proba=ensemble.predict_proba(inputs),
    )
    return buffer.getvalue()


TRUE_MIX: Final = (0.04, 0.92, 0.04)
"""Shares of the classes on the days of the trials, nearly: what a good version says every day."""
BIASED: Final = (0.45, 0.35, 0.20)
"""What a mediocre version says."""
WRONG: Final = (0.65, 0.20, 0.15)
"""What a bad version says."""
WORST: Final = (0.80, 0.05, 0.15)
"""What one says that is worse still."""
TRIAL_DAYS: Final = 20
"""Days that go by until the last look."""


def lead_to_the_eve(layout: Layout) -> None:
    """Lead a directory to the eve of the last look at a shadow, v2, that is better than the champion, v1."""
    with closing(World(layout)) as world:
        world.begin()
        world.judge(world.register("r1", BIASED))
        world.judge(world.register("r2", TRUE_MIX, doubtful=True))
        world.pass_days(TRIAL_DAYS - 1)


def write_deciding_day(layout: Layout) -> None:
    """Put the bars of the day after the eve into the inbox."""
    with closing(World(layout, HISTORY + TRIAL_DAYS - 1)) as world:
        world.write_day(world.day)
