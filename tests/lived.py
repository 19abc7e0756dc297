"""A directory with a history: three versions, and what they said day by day before it came true.

Nothing is made up but the market and the clock: real training, the real gate, a real journal and registry.
Only the daily children are spared: a day is predicted from features that were computed for all days at once.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.children import judge, train
from daemon.children.champion import load_version
from daemon.children.data import first_market
from daemon.configuration import render_configuration
from daemon.messages import CandidateRegistered, RetrainDue, ScoringDue, TrainingDue
from daemon.records import ChildEnd, DayScored, Outcome, StoredPrediction
from daemon.settings import ArchiveSettings, FeaturesSettings, MarketSettings, Settings
from regime.simulator import SimulationSettings, simulate
from registry.gate import GateReport, force
from registry.types import Alias
from tests.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.layout import Layout
    from regime.types import Bars

SYMBOLS: Final = 4
DAYS: Final = 1130
TRAINED_AT: Final = (900, 970, 1040)
"""Sessions after which a version is trained; the third has another recipe."""
FORCED: Final = "v2"
REASON: Final = "newer data"
AFTER_CLOSE: Final = timedelta(hours=22)
SETTINGS: Final = replace(
    Settings(),
    markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")},
    archive=ArchiveSettings(enabled=False),
    features=FeaturesSettings(enabled=False),
    training=replace(
        Settings().training,
        models=("logistic_regression",),
        quorum=1,
        fold_years=1,
        train_years_min=1.5,
        processes=1,
    ),
)


def live_through(root: Path) -> Layout:
    """Let a daemon live in ``root``, and give where its state lies."""
    bars = simulate(
        SimulationSettings(symbols=SYMBOLS, days=DAYS, start=date(2010, 1, 4)), np.random.default_rng(8)
    ).bars
    days = np.unique(bars.date)
    desk = Desk(root, SETTINGS, _evening(days[0]), is_stored=True)
    desk.tools.layout.configuration.write_text(render_configuration(SETTINGS), encoding="utf-8")
    with closing(desk.journal), desk.tools.registry:
        bounds = (0, *TRAINED_AT, DAYS)
        for first, end in pairwise(bounds):
            _pass_days(desk, bars, days[first:end])
            if end < DAYS:
                if end == TRAINED_AT[-1]:
                    other = replace(desk.tools.settings.training, ensemble="mean", weights="none")
                    desk.configure(training=other)
                _train(desk, period=str(days[end - 1]))
    return desk.tools.layout


def _evening(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC) + AFTER_CLOSE


def _turn(desk: Desk, day: np.datetime64) -> None:
    """Set the clock to the evening of a day; a batch of bars is told before its days are lived."""
    desk.clock.jump(_evening(day) - desk.clock.now())


def _pass_days(desk: Desk, bars: Bars, days: NDArray[np.datetime64]) -> None:
    """Let the bars of some days arrive, and whoever serves or is on trial predict each of them."""
    _turn(desk, days[-1])
    desk.deliver(bars.take((bars.date >= days[0]) & (bars.date <= days[-1])))
    registry, data_version = desk.tools.registry, desk.journal.ledger.data_version()
    if registry.champion() is None:
        return
    market = first_market(str(desk.tools.layout.root), data_version, desk.tools.settings)
    features = market.features(last_days=len(days))
    names = dict(zip(market.labels.date.tolist(), market.labels.regime, strict=True))
    regimes = np.array([names[day].value for day in features.date.tolist()])
    for alias in (Alias.CHAMPION, Alias.SHADOW):
        if (name := registry.aliases().get(alias)) is None:
            continue
        version = load_version(registry, registry.version(name))
        proba = version.ensemble.predict_proba(version.inputs_of(features, market, regimes))
        for day in days:
            _turn(desk, day)
            at = np.flatnonzero(features.date == day).tolist()
            told = tuple(_told(name, features.symbol[row], day, regimes[row], proba[row]) for row in at)
            scored = DayScored(data_version=data_version, predictions=told, readings=(), states={})
            message = ScoringDue(data_version=int(day.astype(np.int64)), champion=name)
            desk.apply(message, Outcome(records=(scored,)))


def _told(
    version: str, symbol: str, day: np.datetime64, regime: str, proba: NDArray[np.float64]
) -> StoredPrediction:
    return StoredPrediction(
        version=version,
        symbol=str(symbol),
        day=str(day),
        regime=str(regime),
        probabilities=dict(zip(("sell", "hold", "buy"), proba.round(6).tolist(), strict=True)),
    )


def _train(desk: Desk, period: str) -> None:
    """Train, judge, and let happen what follows."""
    (training,) = desk.do(RetrainDue(trigger="schedule", period=period)).follow_ups
    assert isinstance(training, TrainingDue)
    end = ChildEnd(result=train.run(dict(desk.start(training).job)), reason=None)
    (registered,) = desk.complete(training, end).follow_ups
    assert isinstance(registered, CandidateRegistered)
    verdict = ChildEnd(result=judge.run(dict(desk.start(registered).job)), reason=None)
    (judged,) = desk.complete(registered, verdict).follow_ups
    desk.do(judged)
    if registered.version == FORCED:
        _force(desk)


def _force(desk: Desk) -> None:
    """Make a version champion over the verdict, as a person does."""
    registry, at = desk.tools.registry, desk.clock.now()
    champion = registry.champion()
    assert champion is not None
    registry.promote(
        FORCED,
        expected_champion=champion.name,
        reason=REASON,
        actor="ada",
        at=at,
        key=f"by hand:{at.isoformat()}",
    )
    forced = force(GateReport.from_json(registry.reports(FORCED)[-1]), REASON)
    registry.store_report(FORCED, forced.to_json(), actor="ada", at=at, key=f"by hand:{at.isoformat()}")
