"""What is measured of a sequence of labels: how calm, how early, how telling. Nothing here makes a label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.events import RARE_EVENTS
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

YEAR_DAYS: Final = 252
SHORT_DAYS: Final = 3
HORIZON_DAYS: Final = 10
RECOVERY: Final = (date(2020, 3, 24), date(2020, 6, 30))
PERIODS: Final = "market_periods.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A stretch of days in which a labeler should see trouble."""

    name: str
    first_day: date
    last_day: date


def episodes_of(folder: Path) -> tuple[Episode, ...]:
    """Give the catalogue's events but for the recovery, and the periods of the folder if it has any."""
    found = [
        Episode(name=event.id, first_day=event.first_day, last_day=event.last_day)
        for event in RARE_EVENTS
        if event.regime is not Regime.RECOVERY
    ]
    table = folder / PERIODS
    rows = table.read_text(encoding="utf-8").splitlines()[1:] if table.exists() else []
    for row in rows:
        kind, first, last = row.split(",")[:3]
        name = f"{kind} {first[:7]}"
        found.append(
            Episode(name=name, first_day=date.fromisoformat(first), last_day=date.fromisoformat(last))
        )
    return tuple(sorted(found, key=lambda episode: (episode.first_day, episode.name)))


def calm_figures(regimes: Sequence[Regime]) -> dict[str, float]:
    """Give switches a year, the median spell and the share of spells of at most three days."""
    lengths = [len(list(days)) for _, days in groupby(regimes)]
    return {
        "switches_a_year": (len(lengths) - 1) / (len(regimes) / YEAR_DAYS),
        "spell_median_days": float(np.median(lengths)),
        "spells_short_share": sum(length <= SHORT_DAYS for length in lengths) / len(lengths),
    }


def delay_of(
    episode: Episode, days: NDArray[np.datetime64], regimes: Sequence[Regime], alarm: Regime
) -> int | None:
    """Give the sessions from an episode's first to its first ``alarm``; ``None`` if it has none."""
    first, last = np.datetime64(episode.first_day), np.datetime64(episode.last_day)
    inside = np.flatnonzero((days >= first) & (days <= last))
    alarms = [at - int(inside[0]) for at in inside.tolist() if regimes[at] is alarm]
    return alarms[0] if alarms else None


def covers(episode: Episode, days: NDArray[np.datetime64]) -> bool:
    """Whether the days hold all of an episode."""
    return bool(np.datetime64(episode.first_day) >= days[0] and np.datetime64(episode.last_day) <= days[-1])


def recovery_share(days: NDArray[np.datetime64], regimes: Sequence[Regime]) -> float:
    """Give the share of the days from 24 March to 30 June 2020 that are called a recovery."""
    first, last = (np.datetime64(day) for day in RECOVERY)
    inside = np.flatnonzero((days >= first) & (days <= last))
    return sum(regimes[at] is Regime.RECOVERY for at in inside.tolist()) / len(inside)


def forward_log_volatility(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the log of the root mean square return of the next ten days; not a number at the end."""
    squares = np.diff(np.log(closes)) ** 2
    found = np.full(len(closes), np.nan)
    means = np.convolve(squares, np.full(HORIZON_DAYS, 1.0 / HORIZON_DAYS), mode="valid")
    found[: len(means)] = 0.5 * np.log(means)
    return found


def explained(target: NDArray[np.float64], regimes: Sequence[Regime], chosen: NDArray[np.bool_]) -> float:
    """Give the share of a target's variance that lies between regimes: R squared on their dummies."""
    kept = chosen & ~np.isnan(target)
    values = target[kept]
    names = np.array([regime.value for regime in regimes])[kept]
    within = sum(((values[names == name] - values[names == name].mean()) ** 2).sum() for name in set(names))
    return float(1.0 - within / ((values - values.mean()) ** 2).sum())


def changed_share(before: Sequence[Regime], after: Sequence[Regime]) -> float:
    """Give the share of days on which two sequences differ."""
    return sum(one is not other for one, other in zip(before, after, strict=True)) / len(before)
