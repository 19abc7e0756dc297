"""What the account starts from: stored predictions that were made in time, who served, and what matured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.children.data import first_market
from daemon.children.fresh import CLOSES_UTC, in_time, target_of
from daemon.errors import UsageError
from daemon.markets import first_of
from regime.barrier.inputs import volatility_inputs
from regime.barrier.known import known_barrier
from regime.live_exam import LivePredictions, MadePredictions, live_predictions, made_in_time
from regime.prequential import JudgedRows, Outcomes, expanding_baselines
from regime.scorecard import REGIME_PRIOR
from regime.targets import compute_targets
from regime.types import Regime
from registry.types import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from daemon.adapters.ledger import Ledger
    from daemon.children.data import Market
    from daemon.layout import Layout
    from daemon.settings import Settings
    from regime.targets import TargetTable
    from regime.types import Bars, TargetSpec
    from registry.store import Registry
    from registry.types import Event, ModelVersion, Tenure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A directory's state as the account needs it.

    Parameters
    ----------
    market, target, targets
        The first market at the newest data version, and what came true of its bars row by row.
    close_utc
        When a close may be known, counted from midnight UTC.
    events, tenures, versions
        The registry's history, who served when, and the versions that are still there, by name.
    made, late
        Every version's predictions that were made in time, and how many others are stored.
    champion
        The matured predictions of whoever served when they were made, by date and symbol.
    rows, baselines
        The same rows with their truth, and what baselines knew of them.
    """

    market: Market
    target: TargetSpec
    targets: TargetTable
    close_utc: np.timedelta64
    events: tuple[Event, ...]
    tenures: tuple[Tenure, ...]
    versions: Mapping[str, ModelVersion]
    made: MadePredictions
    late: int
    champion: LivePredictions
    rows: JudgedRows
    baselines: Mapping[str, NDArray[np.float64]]

    def since(self, at: datetime) -> NDArray[np.bool_]:
        """Tell the judged rows of days whose next close could not be known at a UTC time, shape (n_rows,).

        A version that was registered then, or a verdict that was given then, counts from these days on.
        """
        moment = np.full(len(self.rows), np.datetime64(at.replace(tzinfo=None), "s"))
        return made_in_time(self.rows.date, moment, self.market.bars, close_utc=self.close_utc)


def registered(events: Iterable[Event]) -> dict[str, datetime]:
    """Give when each version was registered, oldest first, those that were deleted since included."""
    return {event.version: event.at for event in events if event.kind is EventKind.REGISTERED}


def read_state(layout: Layout, settings: Settings, ledger: Ledger, registry: Registry) -> State:
    """Read everything that predictions are judged by.

    Raises
    ------
    UsageError
        If no version has ever served.
    """
    tenures, events = registry.tenures(), registry.events()
    if not tenures:
        raise UsageError(
            f"no version has served in {layout.root} yet, so there is nothing to report;"
            f" see: regimed models list --dir {layout.root}"
        )
    versions = {version.name: version for version in registry.versions()}
    served = [versions[tenure.version] for tenure in tenures if tenure.version in versions]
    target = target_of(served[-1].manifest.target)
    market = first_market(str(layout.root), ledger.data_version(), settings)
    targets = compute_targets(market.bars, target)
    close_utc = CLOSES_UTC.get(first_of(settings.markets)[1].calendar, np.timedelta64(0, "h"))
    comparable = [
        name
        for name in registered(events)
        if name not in versions or target_of(versions[name].manifest.target) == target
    ]
    made, late = _stored(ledger, comparable, target.classes, market.bars, close_utc)
    champion = live_predictions(made.take(_served(made, tenures)), market.bars, targets, close_utc=close_utc)
    order = np.lexsort((champion.made.symbol, champion.made.date))
    champion = LivePredictions(
        made=champion.made.take(order),
        truth=champion.truth[order],
        waiting=champion.waiting,
        without_target=champion.without_target,
    )
    rows, baselines = _judged(champion, market, targets)
    return State(
        market=market,
        target=target,
        targets=targets,
        close_utc=close_utc,
        events=events,
        tenures=tenures,
        versions=versions,
        made=made,
        late=late,
        champion=champion,
        rows=rows,
        baselines=baselines,
    )


def _stored(
    ledger: Ledger, versions: Sequence[str], classes: tuple[str, ...], bars: Bars, close_utc: np.timedelta64
) -> tuple[MadePredictions, int]:
    """Give all versions' predictions that were made in time, and how many were not."""
    stored = {name: ledger.predictions_of(name) for name in versions}
    found = [
        in_time(name, rows if _is_of(rows, classes) else (), classes, bars, close_utc)
        for name, rows in stored.items()
    ]
    made = [each for each, _ in found]

    def joined(column: str) -> NDArray[Any]:
        return np.concatenate([getattr(each, column) for each in made])

    columns = ("date", "symbol", "regime", "version", "proba", "made_at")
    together = MadePredictions(**{name: joined(name) for name in columns}, classes=classes)
    return together, sum(late for _, late in found)


def _is_of(rows: Sequence[tuple[str, str, str, str, str]], classes: tuple[str, ...]) -> bool:
    """Tell whether predictions are of these classes; a deleted version may have had others."""
    return not rows or set(json.loads(rows[0][3])) == set(classes)


def _served(made: MadePredictions, tenures: Sequence[Tenure]) -> NDArray[np.intp]:
    """Give the positions of what was served: of each day and symbol the last prediction by who served then.

    Where champions change within the second of a prediction, both were champion.
    """
    since = np.array([tenure.since.replace(tzinfo=None) for tenure in tenures], dtype="datetime64[s]")
    champions = np.array(["", *(tenure.version for tenure in tenures)])
    after = np.searchsorted(since, made.made_at, side="right")
    before = np.searchsorted(since, made.made_at, side="left")
    is_last = champions[after] == made.version
    kept = np.flatnonzero(is_last | (champions[before] == made.version))
    order = kept[np.lexsort((is_last[kept], made.made_at[kept], made.symbol[kept], made.date[kept]))]
    day, symbol = made.date[order], made.symbol[order]
    is_final = np.append((day[1:] != day[:-1]) | (symbol[1:] != symbol[:-1]), True)[: len(order)]
    return np.asarray(order[is_final])


def _judged(
    champion: LivePredictions, market: Market, targets: TargetTable
) -> tuple[JudgedRows, dict[str, NDArray[np.float64]]]:
    made, bars = champion.made, market.bars
    names = {
        str(day): regime.value for day, regime in zip(market.labels.date, market.labels.regime, strict=True)
    }
    labelled = np.array([names.get(day, Regime.UNKNOWN.value) for day in bars.date.astype(np.str_).tolist()])
    known = targets.matured & (targets.label >= 0)
    outcomes = Outcomes(
        date=bars.date[known],
        regime=labelled[known],
        truth=targets.label[known].astype(np.int64),
        horizon_end=targets.horizon_end[known],
    )
    baselines = expanding_baselines(made.date, made.regime, outcomes, len(made.classes))
    rows = JudgedRows(
        date=made.date,
        symbol=made.symbol,
        regime=made.regime,
        truth=champion.truth,
        prior=baselines[REGIME_PRIOR],
        barrier=_barrier(made, market, targets),
        classes=made.classes,
    )
    return rows, baselines


def _barrier(made: MadePredictions, market: Market, targets: TargetTable) -> NDArray[np.float64]:
    """Give the volatility barrier of predicted rows as it was known then."""
    if not len(made):
        return np.empty((0, len(made.classes)))
    bars = market.bars
    order = np.lexsort((bars.symbol, bars.date))
    values = volatility_inputs(bars, market.index, market.fear, horizon_days=None).values.astype(np.float32)
    said = known_barrier(
        bars.date[order],
        values[order],
        targets.label[order].astype(np.int64),
        targets.horizon_end[order],
        targets.spec,
        since=made.date.min(),
    )
    return said[places_of(made.date, made.symbol, bars.date[order], bars.symbol[order])]


def places_of(
    date: NDArray[np.datetime64],
    symbol: NDArray[np.str_],
    among_date: NDArray[np.datetime64],
    among_symbol: NDArray[np.str_],
) -> NDArray[np.intp]:
    """Give where each (date, symbol) stands among others, shape (n_rows,); -1 where it is not."""
    places = {key: at for at, key in enumerate(zip(among_date.tolist(), among_symbol.tolist(), strict=True))}
    keys = zip(date.tolist(), symbol.tolist(), strict=True)
    return np.array([places.get(key, -1) for key in keys], dtype=np.intp)
