"""Which symbols belong to which market, and when two markets claim the same."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.markets import by_market, common_symbol, market_of, symbols_of_first
from daemon.settings import MarketSettings
from tests.examples import examples

US = MarketSettings()
CRYPTO = MarketSettings(index="BTC-USD", fear="", calendar="24/7", symbols=("ETH-*", "SOL-USD"))
BOTH = {"us": US, "crypto": CRYPTO}


def test_the_first_market_has_what_no_other_claims() -> None:
    symbols = ["AAPL", "BTC-USD", "ETH-EUR", "SOL-EUR", "SOL-USD", "^GSPC", "^VIX"]
    assert by_market(BOTH, symbols) == {
        "us": ["AAPL", "SOL-EUR", "^GSPC", "^VIX"],
        "crypto": ["BTC-USD", "ETH-EUR", "SOL-USD"],
    }


def test_a_first_market_with_a_list_has_what_it_lists_and_the_rest_belongs_to_none() -> None:
    listed = {"us": MarketSettings(symbols=("AAPL", "M*")), "crypto": CRYPTO}
    assert market_of("MSFT", listed) == "us"
    assert market_of("^GSPC", listed) == "us"
    assert market_of("TSLA", listed) is None


def test_a_later_market_without_a_list_has_its_index_alone() -> None:
    markets = {"us": US, "eu": MarketSettings(index="^STOXX", fear="^V2TX")}
    assert by_market(markets, ["AAPL", "^STOXX", "^V2TX"]) == {"us": ["AAPL"], "eu": ["^STOXX", "^V2TX"]}


def test_a_shared_fear_index_belongs_to_the_first_that_names_it() -> None:
    assert market_of("^VIX", {"us": US, "small": MarketSettings(index="^RUT")}) == "us"


def test_patterns_tell_capitals_from_small_letters() -> None:
    assert market_of("eth-usd", BOTH) == "us"


def test_models_see_the_first_markets_symbols_without_any_fear_index() -> None:
    markets = {"us": US, "eu": MarketSettings(index="^STOXX", fear="^V2TX", symbols=("SAP",))}
    symbols = ["AAPL", "SAP", "^GSPC", "^STOXX", "^V2TX", "^VIX"]
    assert symbols_of_first(markets, symbols) == ["AAPL", "^GSPC"]


@pytest.mark.parametrize(
    ("one", "other", "symbol"),
    [
        ("AAPL", "AAPL", "AAPL"),
        ("AAPL", "MSFT", None),
        ("BTC-USD", "BTC-*", "BTC-USD"),
        ("BTC-*", "*-USD", "BTC-USD"),
        ("BTC-*", "ETH-*", None),
        ("*A", "*B", None),
        ("A?", "?B", "AB"),
        ("A??", "?B", None),
        ("[A-C]X", "[!AB]X", "CX"),
        ("[AB]*", "[CD]*", None),
        ("*.DE", "SAP.*", "SAP.DE"),
    ],
)
def test_two_patterns_clash_if_a_symbol_fits_both(one: str, other: str, symbol: str | None) -> None:
    assert common_symbol(one, other) == symbol


PATTERNS = st.text("AB*?", min_size=1, max_size=6)


@examples(200)
@given(one=PATTERNS, other=PATTERNS, symbol=st.text("AB", max_size=6))
def test_a_clash_names_a_symbol_of_both_and_none_means_there_is_none(
    one: str, other: str, symbol: str
) -> None:
    found = common_symbol(one, other)
    if found is None:
        assert not (fnmatchcase(symbol, one) and fnmatchcase(symbol, other))
    else:
        assert fnmatchcase(found, one)
        assert fnmatchcase(found, other)
