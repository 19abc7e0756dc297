"""Several markets in one daemon: calendars, labels, what is lacking, and fear in another unit."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.adapters.ledger import InForce
from daemon.commands.status import _facts
from daemon.handlers import COMPLETIONS
from daemon.messages import FeaturesDue, FeedPollDue
from daemon.records import ChildEnd, LabelsStored, Outcome
from daemon.settings import ArchiveSettings, FeedSettings, MarketSettings, Settings
from daemon.status import _regimes
from regime.types import Bars
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


STOCKS = MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")
COINS = MarketSettings(index="BTC-USD", fear="", calendar="24/7", symbols=("ETH-*",))
POLL = FeedPollDue(feed="yahoo_chart", slot="2024-03-04T06:00:00+00:00")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    markets = {"stocks": STOCKS, "coins": COINS}
    settings = replace(Settings(), markets=markets, archive=ArchiveSettings(enabled=False))
    made = Desk(tmp_path, settings, datetime(2024, 3, 4, 12, tzinfo=UTC))
    with closing(made.journal), made.tools.registry:
        yield made


def calm(symbol: str, days: list[str] | np.ndarray[Any, Any], level: float = 100.0) -> Bars:
    """Give closes that hardly move."""
    return Bars.of_closes(symbol, days, [level * (1 + 0.001 * (day % 3)) for day in range(len(days))])


def every_day(last: str, count: int) -> np.ndarray[Any, Any]:
    return np.datetime64(last) - np.arange(count)[::-1]


def weekdays(last: str, count: int) -> np.ndarray[Any, Any]:
    return np.busday_offset(last, np.arange(-count + 1, 1), roll="backward")


def names(outcome: Outcome) -> list[str]:
    return [event.name for event in outcome.events]


def test_each_symbol_is_held_against_the_calendar_of_its_market(desk: Desk) -> None:
    weekend = ["2024-03-02", "2024-03-03"]
    coins = [calm("BTC-USD", weekend), calm("ETH-USD", weekend), calm("^SIMVIX", weekend, 20.0)]
    assert names(desk.take_in(*coins)) == ["ingest.accepted"]
    whole = Bars.of("S001", weekend[:1], [9.0], [9.0], [9.0], [9.0], [1.0])
    refused = desk.take_in(whole)
    assert [event.fields["code"] for event in refused.events] == ["non_session_day"]
    coin = replace(whole, symbol=np.array(["ETH-EUR"]))
    assert names(desk.take_in(coin)) == ["ingest.accepted"]


def test_a_symbol_of_no_market_has_no_calendar(desk: Desk) -> None:
    desk.configure(markets={"stocks": replace(STOCKS, symbols=("S*",)), "coins": COINS})
    whole = Bars.of("GOLD", ["2024-03-02"], [9.0], [9.0], [9.0], [9.0], [1.0])
    assert names(desk.take_in(whole)) == ["ingest.accepted"]


def test_both_markets_are_labelled_each_with_its_own_days(desk: Desk) -> None:
    stock_days, coin_days = weekdays("2024-03-01", 30), every_day("2024-03-03", 600)
    outcome = desk.deliver(
        calm("^SIM", stock_days), calm("^SIMVIX", stock_days, 18.0), calm("BTC-USD", coin_days)
    )
    records = {
        record.market: record.through_day for record in outcome.records if isinstance(record, LabelsStored)
    }
    assert records == {"stocks": "2024-03-01", "coins": "2024-03-03"}
    state = desk.tools.ledger.labeler_state("coins")
    assert state is not None
    stored = {label.day: label for label in desk.tools.ledger.labels("coins", state.labeler)}
    assert list(stored) == coin_days.astype(str).tolist()
    assert stored["2024-03-02"].regime == "normal"
    assert stored["2024-03-02"].reason.endswith("(fear by proxy)")


def test_a_market_without_fear_says_once_how_much_history_it_lacks(desk: Desk) -> None:
    first = desk.deliver(calm("BTC-USD", every_day("2024-03-01", 100)))
    assert names(first) == ["labels.stored", "labeler.unknown", "labeler.short_history"]
    assert first.events[2].fields == {
        "market": "coins",
        "day": "2024-03-01",
        "lacks": ["drop rule", "fear by proxy"],
        "sessions": 100,
        "sessions_needed": 505,
    }
    second = desk.deliver(calm("BTC-USD", ["2024-03-02"]))
    assert names(second) == ["labels.stored", "labeler.unknown"]
    history = desk.deliver(calm("BTC-USD", every_day("2023-11-22", 500)))
    assert "labeler.short_history" not in names(history)
    assert "labeler.unknown" not in names(history)


def test_a_market_with_fear_lacks_the_drop_rule_for_ten_sessions(desk: Desk) -> None:
    days = weekdays("2024-03-01", 11)
    told = [
        desk.deliver(calm("^SIM", days[at : at + 1]), calm("^SIMVIX", days[at : at + 1], 18.0))
        for at in range(11)
    ]
    lacking = [event.fields for one in told for event in one.events if event.name == "labeler.short_history"]
    assert lacking == [
        {
            "market": "stocks",
            "day": str(days[0]),
            "lacks": ["drop rule"],
            "sessions": 1,
            "sessions_needed": 11,
        }
    ]


def test_fear_that_ends_before_the_proxy_can_begin_is_a_new_episode(desk: Desk) -> None:
    days = weekdays("2024-03-01", 30)
    desk.deliver(calm("^SIM", days[:20]), calm("^SIMVIX", days[:20], 18.0))
    carried = desk.deliver(calm("^SIM", days[20:25]))
    assert names(carried) == ["labels.stored"]
    ended = desk.deliver(calm("^SIM", days[25:26]))
    assert names(ended)[-2:] == ["labeler.unknown", "labeler.short_history"]
    assert ended.events[-1].fields["lacks"] == ["fear by proxy"]
    assert "labeler.short_history" not in names(desk.deliver(calm("^SIM", days[26:27])))
    mended = desk.deliver(calm("^SIMVIX", days[20:27], 18.0))
    assert "labeler.unknown" not in names(mended)
    again = desk.deliver(calm("^SIM", days[27:]), calm("S001", days[27:]))
    assert "labeler.short_history" not in names(again)


@pytest.mark.parametrize("count", [1, 30])
def test_a_fear_index_written_as_fractions_is_refused_and_nothing_else_changes(
    desk: Desk, count: int
) -> None:
    days = weekdays("2024-03-01", 30)
    desk.deliver(calm("^SIM", days), calm("^SIMVIX", days[:29], 18.0))
    before = desk.tools.ledger.labeler_state("stocks")
    outcome = desk.take_in(calm("^SIMVIX", days[-count:], 0.18))
    assert (names(outcome), outcome.follow_ups) == (["ingest.quarantined"], ())
    (entry,) = desk.tools.quarantine.entries()
    assert entry.code == "fear_unit"
    assert entry.sentence.startswith("^SIMVIX has a median of 0.18")
    assert entry.sentence.endswith(
        " and fear is given in VIX points (18, not 0.18); multiply it by 100, or correct fear in the market's"
        " configuration"
    )
    assert desk.tools.ledger.data_version() == 1
    assert desk.tools.ledger.labeler_state("stocks") == before


def test_a_fear_index_in_fractions_that_was_stored_before_it_was_one_stops_its_market_alone(
    desk: Desk,
) -> None:
    days = weekdays("2024-03-01", 30)
    desk.configure(markets={"stocks": replace(STOCKS, fear=""), "coins": COINS})
    desk.deliver(calm("^SIM", days), calm("^SIMVIX", days, 0.18))
    desk.configure(markets={"stocks": STOCKS, "coins": COINS})
    outcome = desk.deliver(calm("^SIM", ["2024-03-04"]), calm("BTC-USD", every_day("2024-03-03", 600)))
    assert names(outcome) == ["labeler.refused", "labels.stored"]
    assert (outcome.events[0].fields["market"], outcome.events[0].fields["code"]) == ("stocks", "fear_unit")
    assert "multiply it by 100" in str(outcome.events[0].fields["reason"])
    assert outcome.follow_ups == ()
    mended = desk.deliver(calm("^SIMVIX", [*days, "2024-03-04"], 18.0))
    assert "labels.stored" in names(mended)
    assert mended.follow_ups == (FeaturesDue(data_version=3),)


def test_a_feed_is_stale_by_the_calendar_of_its_symbols_market(desk: Desk) -> None:
    found: dict[str, object] = {"cursor": None, "files": [], "last_date": "2024-03-01", "error": None}

    def polled(symbol: str) -> list[str]:
        desk.configure(feeds={"yahoo_chart": FeedSettings(enabled=True, symbols=(symbol,), stale_sessions=2)})
        return names(COMPLETIONS[FeedPollDue](POLL, ChildEnd(result=found, reason=None), desk.tools))

    assert polled("^SIM") == ["feed.polled"]
    assert polled("BTC-USD") == ["feed.polled", "feed.stale"]


def test_status_counts_the_symbols_of_each_market(desk: Desk) -> None:
    stock_days, coin_days = weekdays("2024-03-01", 30), every_day("2024-03-03", 20)
    stocks = [calm(symbol, stock_days) for symbol in ("^SIM", "^SIMVIX", "S001")]
    desk.deliver(*stocks, calm("BTC-USD", coin_days), calm("ETH-USD", coin_days))
    markets = {name: (m.index, m.fear, list(m.symbols)) for name, m in desk.tools.settings.markets.items()}
    in_force = InForce(markets=list(markets), feeds=[], next_run=None, claims=markets)
    regimes = _regimes(desk.tools.ledger, InForce.of_json(in_force.to_json()))
    assert {name: facts["symbols"] for name, facts in regimes.items()} == {"stocks": 3, "coins": 2}
    before = _regimes(desk.tools.ledger, in_force._replace(claims=None))
    assert {name: facts["symbols"] for name, facts in before.items()} == {"stocks": None, "coins": None}


def test_a_long_name_of_a_market_stands_apart_from_its_regime() -> None:
    assert list(_facts("regime emerging_markets", ["crash"])) == ["  regime emerging_markets  crash"]
    assert list(_facts("regime us", ["crash"])) == ["  regime us   crash"]
