"""The features of a day, as the daemon computes and keeps them when bars arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.adapters.bar_store import MemoryBarStore
from daemon.adapters.calendar import SessionTables
from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.quarantine import Quarantine
from daemon.day_features import remember_bars
from daemon.feature_memory import FeatureMemory
from daemon.handlers import HANDLERS
from daemon.layout import Layout
from daemon.messages import BarsArrived, FeaturesDue
from daemon.records import Outcome, PartStored
from daemon.settings import ArchiveSettings, FeaturesSettings, MarketSettings, Settings
from daemon.tools import Tools
from regime.features import CATALOGUE, catalogue_hash, compute_features
from regime.labels import effective_fear
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.types import Bars
from registry.store import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.adapters.feature_ledger import StoredFeatures
    from daemon.messages import Message

SIMULATED = MarketSettings(index=INDEX, fear=FEAR, calendar="weekdays")
KEEP_DAYS = 5


class Desk:
    """The tools of the handlers, and a journal that their outcomes go into."""

    def __init__(self, root: Path) -> None:
        layout, clock = Layout(root), SystemClock()
        layout.create()
        self.journal = Journal(":memory:")
        children = SubprocessChildren(clock)
        self.tools = Tools(
            settings=replace(
                Settings(),
                markets={"sim": SIMULATED, "other": MarketSettings(index="^OTHER", fear="^OTHERVIX")},
                archive=ArchiveSettings(enabled=False),
                features=FeaturesSettings(keep_days=KEEP_DAYS),
            ),
            layout=layout,
            clock=clock,
            ledger=self.journal.ledger,
            bars=MemoryBarStore(),
            calendar=SessionTables(layout.sessions, children, clock),
            children=children,
            quarantine=Quarantine(layout.quarantine),
            registry=Registry.open(layout.registry),
        )

    def store(self, bars: Bars) -> int:
        """Store bars as the next data version."""
        version = self.tools.ledger.data_version() + 1
        stored = PartStored(
            data_version=version,
            part=self.tools.bars.write_part(bars),
            symbols=bars.symbols(),
            rows=len(bars),
            first_day=str(bars.date.min()),
            last_day=str(bars.date.max()),
        )
        arrived = BarsArrived(data_version=version, symbols=stored.symbols, first_day=stored.first_day)
        self._finish(arrived, Outcome(records=(stored,)))
        return version

    def refresh(self, version: int) -> Outcome:
        """Handle the message that features are due, and apply what follows."""
        message = FeaturesDue(data_version=version)
        outcome = HANDLERS[FeaturesDue](message, self.tools)
        assert isinstance(outcome, Outcome)
        self._finish(message, outcome)
        return outcome

    def take(self, bars: Bars) -> Outcome:
        return self.refresh(self.store(bars))

    def restart(self) -> None:
        self.tools = replace(self.tools, features=FeatureMemory())

    def stored(self, day: str) -> StoredFeatures:
        found = self.tools.ledger.features.of_day(day)
        assert found is not None
        return found

    def _finish(self, message: Message, outcome: Outcome) -> None:
        now = self.tools.clock.now()
        self.journal.append([message], now=now)
        found = self.journal._connection.execute("SELECT id FROM messages WHERE key = ?", (message.key,))
        self.journal.finish(Pending(id=found.fetchone()[0], message=message, attempts=0), outcome, now=now)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def market() -> Bars:
    return simulate(SimulationSettings(symbols=3, days=320), np.random.default_rng(5)).bars


def truth(bars: Bars, day: str) -> NDArray[np.float32]:
    """Give the features of a day from all of history."""
    index, fear = bars.of_symbol(INDEX), bars.of_symbol(FEAR)
    own = bars.take(~np.isin(bars.symbol, [FEAR, "^OTHER"]))
    table = compute_features(own, index=index, fear=effective_fear(index, fear if len(fear) else None))
    return np.asarray(table.values[table.date == np.datetime64(day)], dtype=np.float32)


def values_of(stored: StoredFeatures) -> NDArray[np.float32]:
    return np.frombuffer(stored.content, dtype="<f4").reshape(len(stored.symbols), len(CATALOGUE))


def days_of(bars: Bars) -> list[str]:
    return [str(day) for day in np.unique(bars.date)]


def test_a_day_at_a_time_gives_what_all_history_gives(desk: Desk, market: Bars) -> None:
    days = days_of(market)
    desk.take(market.take(market.date < np.datetime64(days[-4])))
    for day in days[-4:]:
        (event,) = desk.take(market.take(market.date == np.datetime64(day))).events
        assert (event.name, event.fields["day"], event.fields["days"]) == ("features.computed", day, 1)
        stored = desk.stored(day)
        np.testing.assert_array_equal(values_of(stored), truth(market, day))
        assert stored.symbols == tuple(s for s in market.symbols() if s != FEAR)
        assert (stored.complete, stored.catalogue_hash) == (4, catalogue_hash())


def test_a_new_history_keeps_the_features_of_its_last_days_only(desk: Desk, market: Bars) -> None:
    desk.take(market)
    assert desk.tools.ledger.features.days() == tuple(days_of(market)[-KEEP_DAYS:])


def test_a_restart_changes_nothing(desk: Desk, market: Bars) -> None:
    last = days_of(market)[-1]
    desk.take(market.take(market.date < np.datetime64(last)))
    desk.restart()
    desk.take(market.take(market.date == np.datetime64(last)))
    np.testing.assert_array_equal(values_of(desk.stored(last)), truth(market, last))


def test_what_is_remembered_is_restored_before_the_next_bars_come(desk: Desk, market: Bars) -> None:
    desk.take(market)
    desk.restart()
    remember_bars(desk.tools)
    assert desk.tools.features.data_version == 1
    assert desk.tools.features.state is not None
    assert len(desk.tools.features.state) == 4


def test_bars_that_are_missing_stop_no_daemon(desk: Desk, market: Bars) -> None:
    desk.store(market)
    desk.tools = replace(desk.tools, bars=MemoryBarStore(), features=FeatureMemory())
    remember_bars(desk.tools)
    assert desk.tools.features.state is None


def test_a_restated_bar_renews_its_day_and_the_days_after_it(desk: Desk, market: Bars) -> None:
    days = days_of(market)
    desk.take(market)
    old = market.take((market.symbol == "S001") & (market.date == np.datetime64(days[-3])))
    restated = replace(old, close=old.close * 0.99, low=old.low * 0.98)
    (event,) = desk.take(restated).events
    assert event.fields["days"] == 3
    now = Bars.concat([market, restated])
    for day in days[-KEEP_DAYS:]:
        np.testing.assert_array_equal(values_of(desk.stored(day)), truth(now, day))
    assert desk.stored(days[-4]).data_version == 1
    assert desk.stored(days[-3]).data_version == 2


def test_a_bar_restated_long_ago_renews_what_is_kept(desk: Desk, market: Bars) -> None:
    days = days_of(market)
    desk.take(market)
    old = market.take((market.symbol == "S001") & (market.date == np.datetime64(days[100])))
    restated = replace(old, close=old.close * 0.99, low=old.low * 0.98)
    desk.take(restated)
    now = Bars.concat([market, restated])
    np.testing.assert_array_equal(values_of(desk.stored(days[-1])), truth(now, days[-1]))


def test_the_index_may_come_after_the_symbols(desk: Desk, market: Bars) -> None:
    last = days_of(market)[-1]
    is_last = market.date == np.datetime64(last)
    desk.take(market.take(~is_last))
    is_stock = ~np.isin(market.symbol, [INDEX, FEAR])
    desk.take(market.take(is_last & is_stock))
    desk.take(market.take(is_last & ~is_stock))
    np.testing.assert_array_equal(values_of(desk.stored(last)), truth(market, last))


def test_without_an_index_nothing_is_computed(desk: Desk, market: Bars) -> None:
    assert desk.take(market.of_symbol("S001")) == Outcome()


def test_what_newer_bars_will_change_is_left_to_them(desk: Desk, market: Bars) -> None:
    last = days_of(market)[-1]
    first = desk.store(market.take(market.date < np.datetime64(last)))
    second = desk.store(market.take(market.date == np.datetime64(last)))
    assert desk.refresh(first) == Outcome()
    assert [event.fields["data_version"] for event in desk.refresh(second).events] == [second]


def test_an_index_of_another_market_is_no_symbol_of_the_first(desk: Desk, market: Bars) -> None:
    index = market.of_symbol(INDEX)
    desk.take(Bars.concat([market, replace(index, symbol=np.full(len(index), "^OTHER"))]))
    last = days_of(market)[-1]
    assert "^OTHER" not in desk.stored(last).symbols
    np.testing.assert_array_equal(values_of(desk.stored(last)), truth(market, last))


def test_another_market_in_the_configuration_is_computed_anew(desk: Desk, market: Bars) -> None:
    days = days_of(market)
    desk.take(market.take(market.date < np.datetime64(days[-1])))
    no_fear = replace(SIMULATED, fear="")
    desk.tools = replace(desk.tools, settings=replace(desk.tools.settings, markets={"sim": no_fear}))
    desk.take(market.take(market.date == np.datetime64(days[-1])))
    stored = desk.stored(days[-1])
    assert FEAR in stored.symbols
    own = market.take(market.symbol != FEAR)
    at = [stored.symbols.index(symbol) for symbol in own.symbols()]
    momentum = [feature.name for feature in CATALOGUE].index("momentum_20")
    np.testing.assert_array_equal(values_of(stored)[at, momentum], truth(own, days[-1])[:, momentum])


def test_a_symbol_that_another_market_claims_meanwhile_is_computed_no_more(desk: Desk, market: Bars) -> None:
    days = days_of(market)
    desk.take(market.take(market.date < np.datetime64(days[-1])))
    assert "S001" in desk.stored(days[-2]).symbols
    markets = dict(desk.tools.settings.markets)
    markets["other"] = replace(markets["other"], symbols=("S001",))
    desk.tools = replace(desk.tools, settings=replace(desk.tools.settings, markets=markets))
    desk.take(market.take(market.date == np.datetime64(days[-1])))
    assert "S001" not in desk.stored(days[-1]).symbols


def test_a_market_that_is_refused_has_no_features_and_no_fault(desk: Desk, market: Bars) -> None:
    fear = market.of_symbol(FEAR)
    fractions = replace(fear, close=fear.close / 100)
    assert desk.take(Bars.concat([market, fractions])) == Outcome()
