"""Markets to compute features of: as ugly as they come, simulated, and real."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from arch.data import nasdaq, sp500, vix

from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

DAYS: Final = 300
FIRST_DAY: Final = np.datetime64("2015-01-01")
SECTORS: Final = {"A": "Energy", "B": "Energy", "C": "Utilities"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What features are computed from."""

    bars: Bars
    index: Bars
    fear: Bars
    sectors: Mapping[str, str]

    def until(self, day: np.datetime64) -> Market:
        """Give what was known at the close of a day."""
        parts = [part.take(part.date <= day) for part in (self.bars, self.index, self.fear)]
        return Market(bars=parts[0], index=parts[1], fear=parts[2], sectors=self.sectors)

    def last(self, count: int) -> Market:
        """Give the last ``count`` bars of each symbol, and all of its context."""
        return replace(self, bars=last_bars(self.bars, count))


def path_of(rng: np.random.Generator, days: int) -> NDArray[np.float64]:
    """Give closes of one of four tempers: wild, in ticks with many ties, periodic, with long halts."""
    temper = rng.integers(4)
    moves = rng.choice([0.001, 0.02, 0.2], size=days) * rng.standard_normal(days)
    if temper == 1:
        moves = rng.choice([-0.01, 0.0, 0.0, 0.01], size=days)
    elif temper == 2:
        moves = np.resize([0.01, -0.01], days)
    elif temper == 3:
        moves[rng.random(days // 30 + 1)[np.arange(days) // 30] < 0.5] = 0.0
    return np.asarray(np.exp(np.cumsum(moves) - moves.mean() * np.arange(days)))


def ugly_symbol(rng: np.random.Generator, symbol: str, date: NDArray[np.datetime64]) -> Bars:
    """Give bars with flat days, days and weeks without trades, in one price range of many."""
    days = len(date)
    close = np.maximum(path_of(rng, days) * rng.choice([0.05, 30.0, 4000.0]), 1e-3)
    if rng.random() < 0.5:
        close = np.maximum(np.round(close, 2), 0.01)
    gap, wide = rng.normal(0, 0.01, days), np.abs(rng.normal(0, 0.02, days))
    still = rng.random(days) < rng.choice([0.0, 0.3, 1.0])
    open_ = np.where(still, close, close * np.exp(gap))
    high = np.where(still, close, np.maximum(open_, close) * np.exp(wide))
    low = np.where(still, close, np.minimum(open_, close) * np.exp(-wide[::-1]))
    volume = np.round(rng.lognormal(10, 1, days))
    volume[rng.random(days) < rng.choice([0.0, 0.1, 1.0])] = 0.0
    return Bars.of(symbol, date, open_, high, low, close, volume)


def ugly_market(seed: int, days: int = DAYS) -> Market:
    """Give three symbols of different lengths with gaps, a market index and fear with missing days."""
    rng = np.random.default_rng(seed)
    calendar = FIRST_DAY + np.arange(days)
    index = ugly_symbol(rng, "^IDX", calendar[rng.random(days) > 0.02])
    parts = [
        ugly_symbol(rng, name, calendar[start:end][rng.random(end - start) > missing])
        for name, start, end, missing in (
            ("A", 0, days, 0.0),
            ("B", 0, days, 0.05),
            ("C", int(rng.integers(0, days - 30)), int(rng.integers(days - 28, days + 1)), 0.02),
        )
    ]
    fear = Bars.of_closes("^FEAR", calendar, 20 * np.exp(np.cumsum(rng.normal(0, 0.05, days))))
    hole = int(rng.integers(0, days - 12))
    fear = fear.take((np.arange(days) < hole) | (np.arange(days) >= hole + 12))
    return Market(bars=Bars.concat(parts), index=index, fear=fear, sectors=SECTORS)


def simulated_market(symbols: int, days: int) -> Market:
    """Give stocks of several sectors, the first of which has none."""
    made = simulate(SimulationSettings(symbols=symbols, days=days), np.random.default_rng(3))
    stocks = made.bars.take(~np.isin(made.bars.symbol, [INDEX, FEAR]))
    sectors = {name: sector for name, sector in made.sectors.items() if name != "S001"}
    index, fear = made.bars.of_symbol(INDEX), made.bars.of_symbol(FEAR)
    return Market(bars=stocks, index=index, fear=fear, sectors=sectors)


def real_market(first: str = "1999", last: str = "2018") -> Market:
    """Give the S&P 500, which is the index too, and the NASDAQ beside the VIX."""
    index, other = (
        bars_of_prices(name, data.load()[first:last]) for name, data in (("^GSPC", sp500), ("^IXIC", nasdaq))
    )
    fear = vix.load()["vix"].dropna()
    points = Bars.of_closes("^VIX", days_of(fear), fear.to_numpy(dtype=np.float64))
    return Market(bars=Bars.concat([index, other]), index=index, fear=points, sectors={"^GSPC": "Broad"})


def bars_of_prices(symbol: str, prices: pd.DataFrame) -> Bars:
    """Give bars of columns Open, High, Low, Close and Volume."""
    names = ("Open", "High", "Low", "Close", "Volume")
    return Bars.of(symbol, days_of(prices), *(prices[name].to_numpy(dtype=np.float64) for name in names))


def days_of(prices: pd.DataFrame | pd.Series[float]) -> NDArray[np.datetime64]:
    """Give the days of a frame's rows."""
    return prices.index.to_numpy().astype("datetime64[D]")


def scaled(bars: Bars, price: float, volume: float = 1.0) -> Bars:
    """Give the bars in other units of price and volume."""
    return replace(
        bars,
        open=bars.open * price,
        high=bars.high * price,
        low=bars.low * price,
        close=bars.close * price,
        volume=bars.volume * volume,
    )


def last_bars(bars: Bars, count: int) -> Bars:
    """Give the last ``count`` bars of each symbol."""
    parts = [bars.of_symbol(name) for name in bars.symbols()]
    return Bars.concat([part.take(np.arange(len(part)) >= len(part) - count) for part in parts])
