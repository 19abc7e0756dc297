"""A market to rehearse with: regimes, an index with its fear index, sectors and symbols, all by chance.

The market walks through the five regimes. Each has its drift and its volatility; volatility drifts towards
that of the regime it is in, and the fear index is a noisy reading of it. Symbols follow the index, their
sector and their own luck, with jumps. The numbers are round ones near those of US equities since 1990;
nothing is fitted, and nothing learned here says anything about a real market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError
from regime.types import Bars, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

INDEX: Final = "^SIM"
FEAR: Final = "^SIMVIX"
SYMBOLS_MAX: Final = 999
DAYS_MAX: Final = 12_600
"""Fifty years: further on, an exponential of drift alone could leave the range of prices."""
YEAR_DAYS: Final = 252

SECTORS: Final = (
    "Communication Services",
    "Consumer Discretionary",
    "Consumer Staples",
    "Energy",
    "Financials",
    "Health Care",
    "Industrials",
    "Information Technology",
    "Materials",
    "Real Estate",
    "Utilities",
)
"""The eleven sectors of the Global Industry Classification Standard (MSCI and S&P, 2018)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """How the index moves in one regime, how long it stays, and where it goes from there.

    ``drift`` and ``volatility`` are in log returns a year; a spell lasts ``days_min`` sessions and then
    ends each day with the same chance, after ``days_mean`` on average; ``followed_by`` are chances.
    """

    drift: float
    volatility: float
    days_min: int
    days_mean: int
    followed_by: Mapping[Regime, float]


DYNAMICS: Final[Mapping[Regime, Dynamics]] = {
    Regime.CRASH: Dynamics(
        drift=-2.4,
        volatility=0.46,
        days_min=15,
        days_mean=28,
        followed_by={Regime.RECOVERY: 0.85, Regime.HIGH_VOLATILITY: 0.15},
    ),
    Regime.RECOVERY: Dynamics(
        drift=1.4,
        volatility=0.27,
        days_min=40,
        days_mean=60,
        followed_by={Regime.NORMAL: 0.7, Regime.HIGH_VOLATILITY: 0.3},
    ),
    Regime.HIGH_VOLATILITY: Dynamics(
        drift=-0.1,
        volatility=0.26,
        days_min=10,
        days_mean=40,
        followed_by={Regime.NORMAL: 0.75, Regime.CRASH: 0.25},
    ),
    Regime.NORMAL: Dynamics(
        drift=0.08,
        volatility=0.16,
        days_min=15,
        days_mean=80,
        followed_by={Regime.LOW_VOLATILITY: 0.5, Regime.HIGH_VOLATILITY: 0.4, Regime.CRASH: 0.1},
    ),
    Regime.LOW_VOLATILITY: Dynamics(
        drift=0.12,
        volatility=0.11,
        days_min=20,
        days_mean=110,
        followed_by={Regime.NORMAL: 0.9, Regime.HIGH_VOLATILITY: 0.1},
    ),
}

REVERSION: Final = 0.15
"""The part of the way that log volatility goes to its regime's level each day."""
VOLATILITY_NOISE: Final = 0.05
"""Standard deviation of the daily shock to log volatility."""
FEAR_PREMIUM: Final = 1.08
"""Implied volatility stands above realised volatility: sellers of insurance are paid."""
FEAR_NOISE: Final = 0.04
FEAR_LEVERAGE: Final = 2.0
"""A fall of the index by 1 % lifts fear by 2 % on the same day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """What to simulate: ``symbols`` stocks over ``days`` weekdays from ``start`` on.

    Raises
    ------
    SettingInvalidError
        If there is not at least one symbol and day, or more than 999 symbols or 12,600 days.
    """

    symbols: int = 20
    days: int = 20 * YEAR_DAYS
    start: date = date(2005, 1, 3)

    def __post_init__(self) -> None:
        for name, value, most in (("symbols", self.symbols, SYMBOLS_MAX), ("days", self.days, DAYS_MAX)):
            if not 1 <= value <= most:
                raise SettingInvalidError(f"{name} is {value}; give a whole number from 1 to {most}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """A simulated market.

    ``bars`` holds the stocks ``S001``, ``S002``, ..., the index ``^SIM`` and its fear index ``^SIMVIX``
    (closes only, in VIX points). ``regime`` is the truth on each of ``date``, both of shape (n_days,): what
    the market was made from, which no labeler can know. ``sectors`` gives every stock its sector.
    """

    bars: Bars
    date: NDArray[np.datetime64]
    regime: tuple[Regime, ...]
    sectors: Mapping[str, str]


def simulate(settings: SimulationSettings, rng: np.random.Generator) -> Simulation:
    """Give a market made by chance, the same one for the same settings and generator state.

    >>> from collections import Counter
    >>> market = simulate(SimulationSettings(symbols=2, days=1000), np.random.default_rng(1))
    >>> market.bars.symbols()
    ('S001', 'S002', '^SIM', '^SIMVIX')
    >>> len(market.bars), sum(Counter(market.regime).values())
    (4000, 1000)
    """
    first = np.datetime64(settings.start, "D")
    days = np.busday_offset(first, np.arange(settings.days), roll="forward")
    regimes = _regimes(settings.days, rng)
    volatility = _volatility(regimes, rng)
    index_return = _index_return(regimes, volatility, rng)
    fear = _fear(volatility, index_return, rng)
    names = tuple(f"S{number:03d}" for number in range(1, settings.symbols + 1))
    sector = np.arange(settings.symbols) % len(SECTORS)
    returns = np.vstack([_stock_returns(sector, index_return, volatility, rng), index_return])
    return Simulation(
        bars=_bars((*names, INDEX), days, returns, fear, rng),
        date=days,
        regime=regimes,
        sectors={name: SECTORS[at] for name, at in zip(names, sector, strict=True)},
    )


def _regimes(days: int, rng: np.random.Generator) -> tuple[Regime, ...]:
    """Walk through the regimes, spell by spell, from a normal one on."""
    regimes: list[Regime] = []
    regime = Regime.NORMAL
    while len(regimes) < days:
        dynamics = DYNAMICS[regime]
        more = rng.geometric(1.0 / (dynamics.days_mean - dynamics.days_min))
        regimes += [regime] * (dynamics.days_min + int(more))
        followers = tuple(dynamics.followed_by)
        regime = followers[rng.choice(len(followers), p=tuple(dynamics.followed_by.values()))]
    return tuple(regimes[:days])


def _volatility(regimes: tuple[Regime, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the index's volatility a year on each day, shape (n_days,): it follows its regime's level."""
    levels = np.log([DYNAMICS[regime].volatility for regime in regimes])
    shocks = VOLATILITY_NOISE * rng.standard_normal(len(regimes))
    logs = np.empty(len(regimes))
    last = levels[0]
    for day, (level, shock) in enumerate(zip(levels.tolist(), shocks.tolist(), strict=True)):
        last += REVERSION * (level - last) + shock
        logs[day] = last
    return np.exp(logs)


def _index_return(
    regimes: tuple[Regime, ...], volatility: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give the index's log return on each day, shape (n_days,)."""
    drift = np.array([DYNAMICS[regime].drift for regime in regimes], dtype=np.float64)
    return drift / YEAR_DAYS + volatility / sqrt(YEAR_DAYS) * rng.standard_normal(len(regimes))


def _fear(
    volatility: NDArray[np.float64], index_return: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give the fear index's close in VIX points on each day, shape (n_days,)."""
    noise = FEAR_NOISE * rng.standard_normal(len(volatility)) - FEAR_LEVERAGE * index_return
    points: NDArray[np.float64] = np.clip(100.0 * FEAR_PREMIUM * volatility * np.exp(noise), 8.0, 95.0)
    return points.round(2)


def _stock_returns(
    sector: NDArray[np.int64],
    index_return: NDArray[np.float64],
    volatility: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Give log returns, shape (n_symbols, n_days): index, sector, own luck, and a jump now and then.

    Sector and own volatility move with the square root of the index's, so that correlations rise in a
    crash; a jump comes every two years and is 7 % either way.
    """
    shape = (len(sector), len(index_return))
    scale = np.sqrt(volatility / YEAR_DAYS)
    beta = rng.uniform(0.7, 1.4, size=(len(sector), 1))
    sector_return = 0.22 * scale * rng.standard_normal((len(SECTORS), shape[1]))
    own = rng.uniform(0.35, 0.65, size=(len(sector), 1)) * scale * rng.standard_normal(shape)
    jumps = (rng.random(shape) < 1 / (2 * YEAR_DAYS)) * 0.07 * rng.standard_normal(shape)
    return np.asarray(beta * index_return + sector_return[sector] + own + jumps)


def _bars(
    names: tuple[str, ...],
    days: NDArray[np.datetime64],
    returns: NDArray[np.float64],
    fear: NDArray[np.float64],
    rng: np.random.Generator,
) -> Bars:
    """Give bars of ``names``, whose log returns have shape (n_names, n_days), and of the fear index.

    A third of a day's return comes overnight; the range beyond open and close, and the volume, grow with
    the size of the return. Rows are laid out in the order that ``Bars`` asks for.
    """
    first = rng.uniform(20.0, 200.0, size=(len(names), 1))
    close = first * np.exp(np.cumsum(returns, axis=1))
    size = np.abs(returns)
    spread = 0.5 * np.median(size, axis=1, keepdims=True) + 0.2 * size
    opened = close * np.exp(-returns * rng.normal(2 / 3, 0.2, size=returns.shape))
    high = np.maximum(opened, close) * np.exp(spread * rng.exponential(size=returns.shape))
    low = np.minimum(opened, close) * np.exp(-spread * rng.exponential(size=returns.shape))
    surprise = size / size.mean(axis=1, keepdims=True)
    activity = np.exp(0.3 * surprise + 0.25 * rng.standard_normal(returns.shape))
    volume = np.round(rng.uniform(1e6, 2e7, size=first.shape) * np.minimum(activity, 50.0))

    unknown = np.full(len(days), np.nan)
    return Bars(
        symbol=np.repeat([*names, FEAR], len(days)),
        date=np.tile(days, len(names) + 1),
        open=np.append(_priced(opened), unknown),
        high=np.append(_priced(high), unknown),
        low=np.append(_priced(low), unknown),
        close=np.append(_priced(close), fear),
        volume=np.append(volume, unknown),
    )


def _priced(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give prices as a feed would: to a hundredth of a cent, and never nothing."""
    return np.asarray(np.maximum(np.round(prices, 4), 1e-4))
