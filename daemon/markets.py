"""Which symbols belong to which market of the configuration.

A market has its index, what its list of symbols names (exactly, or by a shell pattern), and nothing else; the
first market with an empty list has everything that no other market claims. A fear index is a symbol of the
market that names it only for its calendar: it is no asset, so no market's features or models see it.
"""

from __future__ import annotations

import re
import string
from fnmatch import fnmatchcase
from itertools import combinations, product
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daemon.settings import MarketSettings

_WILD: Final = re.compile(r"[*?\[]")
_TOKEN: Final = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_ALPHABET: Final = string.ascii_uppercase + string.digits + string.ascii_lowercase + string.punctuation


class Claims(Protocol):
    """What a market says of its symbols."""

    @property
    def index(self) -> str:
        """Its index."""

    @property
    def fear(self) -> str:
        """Its fear index, empty if it has none."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names and shell patterns."""


class StatedClaims:
    """Claims as a running daemon states them, for readers that do not read the configuration.

    No dataclass, because importing those would take a tenth of the time of ``status``; and no tuple with
    names, because ``index`` is a method of tuples.
    """

    __slots__ = ("fear", "index", "symbols")

    def __init__(self, *, index: str, fear: str, symbols: tuple[str, ...]) -> None:
        self.index = index
        self.fear = fear
        self.symbols = symbols


def first_of(markets: Mapping[str, MarketSettings]) -> tuple[str, MarketSettings]:
    """Give the market that models are trained on: the first of the configuration."""
    return next(iter(markets.items()))


def fears_of(markets: Mapping[str, Claims]) -> frozenset[str]:
    """Give the fear indices of all markets."""
    return frozenset(market.fear for market in markets.values() if market.fear)


def by_market(markets: Mapping[str, Claims], symbols: Iterable[str]) -> dict[str | None, list[str]]:
    """Give the symbols by the name of their market, under ``None`` those that belong to none.

    >>> us = StatedClaims(index="^GSPC", fear="^VIX", symbols=())
    >>> crypto = StatedClaims(index="BTC-USD", fear="", symbols=("ETH-*",))
    >>> by_market({"us": us, "crypto": crypto}, ["AAPL", "BTC-USD", "ETH-USD", "^VIX"])
    {'us': ['AAPL', '^VIX'], 'crypto': ['BTC-USD', 'ETH-USD']}
    """
    names: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    for name, market in markets.items():
        for claim in (market.index, market.fear, *market.symbols):
            if _is_pattern(claim, market):
                patterns.append((claim, name))
            else:
                names.setdefault(claim, name)
    first = next(iter(markets))
    rest = None if markets[first].symbols else first
    found: dict[str | None, list[str]] = {}
    for symbol in symbols:
        own = names.get(symbol) or _by_pattern(symbol, patterns) or rest
        found.setdefault(own, []).append(symbol)
    return found


def market_of(symbol: str, markets: Mapping[str, Claims]) -> str | None:
    """Give the name of the market that a symbol belongs to, ``None`` if to none.

    >>> market_of("AAPL", {"eu": StatedClaims(index="^STOXX", fear="", symbols=("*.DE",))}) is None
    True
    """
    (name,) = by_market(markets, [symbol])
    return name


def symbols_of_first(markets: Mapping[str, MarketSettings], symbols: Iterable[str]) -> list[str]:
    """Give the symbols of the first market that are no fear index.

    >>> from daemon.settings import MarketSettings
    >>> symbols_of_first({"us": MarketSettings()}, ["AAPL", "^GSPC", "^VIX"])
    ['AAPL', '^GSPC']
    """
    fears = fears_of(markets)
    name, _ = first_of(markets)
    return [symbol for symbol in by_market(markets, symbols).get(name, []) if symbol not in fears]


class Clash(NamedTuple):
    """Two markets claim a symbol: who, by which words, and one such symbol."""

    market: str
    claim: str
    other: str
    other_claim: str
    symbol: str


def clashes(markets: Mapping[str, Claims]) -> Iterator[Clash]:
    """Give every two claims of different markets that one symbol could fulfil; the later market stands first.

    Two markets may share a fear index; that an index is no fear index is another rule.

    >>> us = StatedClaims(index="^GSPC", fear="", symbols=("*-USD",))
    >>> crypto = StatedClaims(index="BTC-USD", fear="", symbols=("ETH-*",))
    >>> [clash.symbol for clash in clashes({"us": us, "crypto": crypto})]
    ['BTC-USD', 'ETH-USD']
    """
    for (other, theirs), (name, own) in combinations(markets.items(), 2):
        for claim, their_claim in _pairs(own, theirs):
            symbol = common_symbol(claim, their_claim)
            if symbol:
                yield Clash(market=name, claim=claim, other=other, other_claim=their_claim, symbol=symbol)


def _pairs(own: Claims, theirs: Claims) -> Iterator[tuple[str, str]]:
    """Give every pair of claims of two markets that must have no symbol in common."""
    yield from product((own.index, *own.symbols), (theirs.index, *theirs.symbols))
    if own.fear != theirs.fear:
        yield from product([own.fear], theirs.symbols)
        yield from product(own.symbols, [theirs.fear])


def common_symbol(one: str, other: str) -> str | None:
    """Give a short symbol that both names or shell patterns fit, ``None`` if no symbol does.

    >>> common_symbol("BTC-*", "*-USD"), common_symbol("BTC-*", "ETH-*")
    ('BTC-USD', None)
    """
    if not _WILD.search(one):
        return one if one == other or (_WILD.search(other) and fnmatchcase(one, other)) else None
    if not _WILD.search(other):
        return other if fnmatchcase(other, one) else None
    return _witness(_TOKEN.findall(one), _TOKEN.findall(other))


def _witness(one: list[str], other: list[str]) -> str | None:
    """Walk both patterns at once: what is reached is the text so far, by the place in each of them."""
    reached: dict[tuple[int, int], str] = {(0, 0): ""}
    for i in range(len(one) + 1):
        for j in range(len(other) + 1):
            text = reached.get((i, j))
            if text is None:
                continue
            left = one[i] if i < len(one) else None
            right = other[j] if j < len(other) else None
            if left == "*":
                reached.setdefault((i + 1, j), text)
            if right == "*":
                reached.setdefault((i, j + 1), text)
            if left is not None and right is not None and (left, right) != ("*", "*"):
                letter = _letter(left, right)
                if letter is not None:
                    reached.setdefault((i + (left != "*"), j + (right != "*")), text + letter)
    return reached.get((len(one), len(other)))


def _letter(left: str, right: str) -> str | None:
    """Give a letter that fits both tokens."""
    candidates = [part for part in (left, right) if len(part) == 1 and part not in "*?"]
    return next(
        (
            letter
            for letter in (*candidates, *_ALPHABET)
            if fnmatchcase(letter, left) and fnmatchcase(letter, right)
        ),
        None,
    )


def _is_pattern(claim: str, market: Claims) -> bool:
    return claim in market.symbols and _WILD.search(claim) is not None


def _by_pattern(symbol: str, patterns: list[tuple[str, str]]) -> str | None:
    return next((name for pattern, name in patterns if fnmatchcase(symbol, pattern)), None)
