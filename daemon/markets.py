"""Which symbols belong to which market of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daemon.settings import MarketSettings


def first_of(markets: Mapping[str, MarketSettings]) -> tuple[str, MarketSettings]:
    """Give the market that models are trained on: the first of the configuration."""
    return next(iter(markets.items()))


def symbols_of_first(markets: Mapping[str, MarketSettings], symbols: Iterable[str]) -> list[str]:
    """Give the symbols of the first market: all but fear indices and the indices of other markets.

    >>> from daemon.settings import MarketSettings
    >>> symbols_of_first({"us": MarketSettings()}, ["AAPL", "^GSPC", "^VIX"])
    ['AAPL', '^GSPC']
    """
    _, first = first_of(markets)
    others = {market.fear for market in markets.values()}
    others |= {market.index for market in markets.values()} - {first.index}
    return [symbol for symbol in symbols if symbol not in others]
