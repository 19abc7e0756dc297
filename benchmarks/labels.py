"""Measure labelers on one market: how calm, how early, how telling, and how much of the past they take back.

``python -m benchmarks.labels --data DIR [--json FILE] [--plot FILE]``, or ``REGIMED_DATA=DIR``. ``DIR`` holds
files of bars in any format that regimed reads, an index and its fear index among them; with a table
``market_periods.csv`` (kind,start,end) there, delays are measured for its periods as well. Labels begin with
the first bar, figures on ``--from``. Peers take part where they are installed: ``hmmlearn``, ``statsmodels``.
``--rules recovery_rise=0.24`` measures the rules with other constants beside the default ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.archive import print_rows
from benchmarks.label_figures import (
    YEAR_DAYS,
    calm_figures,
    changed_share,
    covers,
    delay_of,
    episodes_of,
    explained,
    forward_log_volatility,
    recovery_share,
)
from benchmarks.label_peers import peers, run_peer
from daemon.figures import INK, PALE_INK
from daemon.formats.folder import read_folder
from daemon.plots import FILL
from regime.labels import (
    LABELERS,
    JumpLabeler,
    Labeler,
    RulesConstants,
    RulesLabeler,
    label_days,
    labeler_named,
)
from regime.types import Bars, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from benchmarks.label_figures import Episode

REPETITIONS: Final = 10
NOISE: Final = 0.02
NOISE_DRAWS: Final = 10
SPLIT: Final = np.datetime64("2013-01-01")
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """An index, its fear index, and the days on which labelers are compared."""

    index: Bars
    fear: Bars
    chosen: NDArray[np.bool_]

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The days that are compared."""
        return self.index.date[self.chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """What a labeler said of the compared days, and what that cost; ``None``: it reads no fear."""

    name: str
    regimes: tuple[Regime, ...]
    alarm: Regime
    revised_mean: float
    revised_max: float
    noise_share: float | None
    day_us: float


def market_of(options: argparse.Namespace) -> Market:
    """Give the market of a folder."""
    bars, _ = read_folder(Path(options.data))
    index, fear = bars.of_symbol(options.index), bars.of_symbol(options.fear)
    chosen = (index.date >= np.datetime64(options.first)) & (index.date <= np.datetime64(options.last))
    assert len(fear), f"the folder has no bars of {options.fear}"
    assert chosen.any(), f"the folder has no bars of {options.index} in these days"
    return Market(index=index, fear=fear, chosen=chosen)


def regimes_of(labeler: Labeler, market: Market, fear: Bars | None = None) -> tuple[Regime, ...]:
    """Give the labels of the compared days."""
    labels = label_days(market.index, market.fear if fear is None else fear, labeler)
    return tuple(labels.regime[at] for at in np.flatnonzero(market.chosen))


def labelers_of(options: argparse.Namespace) -> dict[str, Labeler]:
    """Give the labelers of the project, and the rules with the constants of the command line if any."""
    found = {name: labeler_named(name, has_fear=True) for name in LABELERS}
    if options.rules:
        constants = tomllib.loads("\n".join(options.rules))
        found["rules, other"] = RulesLabeler(constants=replace(RulesConstants(), **constants))
    return found


def measure_own(name: str, labeler: Labeler, market: Market) -> Contestant:
    """Measure a labeler of the project."""
    regimes = regimes_of(labeler, market)
    revised = _revised_of_prefixes(labeler, market, regimes)
    reads_fear = not isinstance(labeler, JumpLabeler)
    took = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        label_days(market.index, market.fear, labeler)
        took.append(time.perf_counter() - start)
    return Contestant(
        name=name,
        regimes=regimes,
        alarm=Regime.CRASH if Regime.CRASH in regimes else Regime.HIGH_VOLATILITY,
        revised_mean=statistics.mean(revised),
        revised_max=max(revised),
        noise_share=_noise_share(labeler, market, regimes) if reads_fear else None,
        day_us=1e6 * statistics.median(took) / len(market.index),
    )


def _revised_of_prefixes(labeler: Labeler, market: Market, regimes: tuple[Regime, ...]) -> list[float]:
    """Label what was known at the end of each year; give the shares that later days have changed."""
    found = []
    for year in np.unique(market.days.astype("datetime64[Y]"))[:-1]:
        known = market.index.date < (year + 1).astype("datetime64[D]")
        fear = market.fear.take(market.fear.date < (year + 1).astype("datetime64[D]"))
        prefix = Market(index=market.index.take(known), fear=fear, chosen=market.chosen[known])
        early = regimes_of(labeler, prefix)
        found.append(changed_share(early, regimes[: len(early)]))
    return found


def _noise_share(labeler: Labeler, market: Market, regimes: tuple[Regime, ...]) -> float:
    """Give the share of days that another reading of fear changes, each day's wrong by chance by 2 %."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(NOISE_DRAWS):
        points = market.fear.close * np.exp(NOISE * rng.standard_normal(len(market.fear)))
        noisy = Bars.of_closes(str(market.fear.symbol[0]), market.fear.date, points)
        shares.append(changed_share(regimes, regimes_of(labeler, market, noisy)))
    return statistics.mean(shares)


def measure_peers(market: Market) -> list[Contestant]:
    """Measure the peers, each refitted at the end of every year."""
    found = []
    for name, peer in peers().items():
        start = time.perf_counter()
        last = np.flatnonzero(market.chosen)[-1] + 1
        days, closes = market.index.date[:last], market.index.close[:last]
        regimes, revised = run_peer(peer, days, closes, market.days[0])
        found.append(
            Contestant(
                name=name,
                regimes=regimes,
                alarm=Regime.HIGH_VOLATILITY,
                revised_mean=statistics.mean(revised),
                revised_max=max(revised),
                noise_share=None,
                day_us=1e6 * (time.perf_counter() - start) / len(regimes),
            )
        )
    return found


def figures_of(contestant: Contestant, market: Market) -> Row:
    """Give the figures of one contestant."""
    target = forward_log_volatility(market.index.close)[market.chosen]
    days, regimes = market.days, contestant.regimes
    everything = np.ones(len(days), dtype=bool)
    has_recovery = days[0] <= np.datetime64("2020-03-24") and days[-1] >= np.datetime64("2020-06-30")
    return {
        "labeler": contestant.name,
        **calm_figures(regimes),
        "alarm_share": regimes.count(contestant.alarm) / len(regimes),
        "covid_recovery_share": recovery_share(days, regimes) if has_recovery else None,
        "revised_mean": contestant.revised_mean,
        "revised_max": contestant.revised_max,
        "explained": explained(target, regimes, everything),
        "explained_before_2013": explained(target, regimes, days < SPLIT) if days[0] < SPLIT else None,
        "explained_since_2013": explained(target, regimes, days >= SPLIT) if days[-1] >= SPLIT else None,
        "noise_share": contestant.noise_share,
        "day_us": contestant.day_us,
        "ms_15_years": contestant.day_us * 15 * YEAR_DAYS / 1e3,
    }


def delays_of(episodes: tuple[Episode, ...], contestants: list[Contestant], market: Market) -> list[Row]:
    """Give sessions to the first alarm of each episode that the days hold, a column a contestant."""
    return [
        {
            "episode": episode.name,
            **{one.name: delay_of(episode, market.days, one.regimes, one.alarm) for one in contestants},
        }
        for episode in episodes
        if covers(episode, market.days)
    ]


def shown(rows: list[Row]) -> list[Row]:
    """Give rows with numbers as they are read."""
    return [{key: _shown(value) for key, value in row.items()} for row in rows]


def _shown(value: object) -> object:
    if not isinstance(value, float):
        return "-" if value is None else value
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def draw(market: Market, contestants: list[Contestant], path: Path) -> None:
    """Draw the index, and under it what each labeler said, a strip each."""
    figure = Figure(figsize=(12, 1.9 + 0.62 * len(contestants)), dpi=100)
    FigureCanvasAgg(figure)
    heights = [3.2, *[1.0] * len(contestants)]
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.12, left=0.135, right=0.905, top=0.91, bottom=0.07
    )
    price = figure.add_subplot(grid[0])
    price.plot(market.days, market.index.close[market.chosen], color=INK, linewidth=0.9)
    price.set_yscale("log")
    price.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    price.yaxis.set_minor_locator(NullLocator())
    price.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:,.0f}"))
    price.set_xlim(market.days[0], market.days[-1])
    price.tick_params(labelbottom=False)
    price.spines[["top", "right"]].set_visible(False)
    for row, contestant in enumerate(contestants, start=1):
        axes = figure.add_subplot(grid[row], sharex=price)
        _draw_strip(axes, market.days, contestant)
        axes.tick_params(labelbottom=row == len(contestants))
    span = f"{market.days[0]} to {market.days[-1]}"
    figure.text(0.135, 0.95, f"{market.index.symbol[0]}, {span}", fontsize=12, color=INK)
    _draw_legend(figure)
    figure.savefig(path, metadata={"Software": None})


def _draw_strip(axes: Axes, days: NDArray[np.datetime64], contestant: Contestant) -> None:
    numbers = days.astype("datetime64[D]").astype(np.float64)
    regimes = contestant.regimes
    starts = [0, *(at for at in range(1, len(regimes)) if regimes[at] is not regimes[at - 1])]
    ends = [*numbers[starts[1:]].tolist(), numbers[-1] + 1.0]
    for start, end in zip(starts, ends, strict=True):
        colour, opacity, _ = FILL[regimes[start]]
        axes.axvspan(numbers[start], end, facecolor=(colour, min(1.0, opacity * 1.5)), linewidth=0)
    axes.set_yticks([])
    axes.set_ylabel(contestant.name, rotation=0, ha="right", va="center", color=INK)
    switches = calm_figures(regimes)["switches_a_year"]
    axes.text(
        1.008, 0.5, f"{switches:.1f} switches\na year", transform=axes.transAxes, va="center", color=PALE_INK
    )


def _draw_legend(figure: Figure) -> None:
    handles = [
        Patch(
            facecolor=(colour, min(1.0, opacity * 1.5)),
            edgecolor=(INK, 0.4),
            linewidth=0.5,
            label=regime.value.replace("_", " "),
        )
        for regime, (colour, opacity, _) in FILL.items()
        if regime is not Regime.UNKNOWN
    ]
    figure.legend(handles=handles, loc="upper right", ncols=len(handles), frameon=False, fontsize=10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("REGIMED_DATA"), help="a folder of bars")
    parser.add_argument("--index", default="^GSPC", help="symbol of the index, default: ^GSPC")
    parser.add_argument("--fear", default="^VIX", help="symbol of its fear index, default: ^VIX")
    parser.add_argument("--from", dest="first", default="2007-01-01", help="first day, default: 2007-01-01")
    parser.add_argument("--to", dest="last", default="2100-01-01", help="last day, default: that of the data")
    parser.add_argument("--rules", nargs="*", metavar="KEY=VALUE", help="also the rules with these constants")
    parser.add_argument("--no-peers", action="store_true", help="only the labelers of the project")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--plot", type=Path, help="also draw the labels there, .png or .svg")
    options = parser.parse_args()
    if not options.data:
        parser.error("give a folder of bars with --data or REGIMED_DATA")
    market = market_of(options)
    contestants = [measure_own(name, labeler, market) for name, labeler in labelers_of(options).items()]
    contestants += [] if options.no_peers else measure_peers(market)
    rows = [figures_of(contestant, market) for contestant in contestants]
    delays = delays_of(episodes_of(Path(options.data)), contestants, market)
    print(f"{market.index.symbol[0]}, {market.days[0]} to {market.days[-1]}, {len(market.days)} days")
    print_rows("Labelers", shown(_turned(rows)))
    print_rows("Sessions from the start of an episode to the first alarm", shown(delays))
    if options.json:
        figures: Mapping[str, object] = {"labelers": rows, "delays": delays}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        draw(market, contestants, options.plot)


def _turned(rows: list[Row]) -> list[Row]:
    """Give a row a figure, with a column a labeler."""
    return [
        {"figure": key, **{str(row["labeler"]): row[key] for row in rows}}
        for key in rows[0]
        if key != "labeler"
    ]


if __name__ == "__main__":
    main()
