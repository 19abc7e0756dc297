"""Pictures of labels: price over its regimes, rare events above, fear below. For commands only."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from daemon.errors import UsageError
from daemon.figures import INK, PALE_INK, write_figure
from daemon.plot_events import LANE_PX, draw_events, place_events
from regime.labels import effective_fear
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from regime.events import RareEvent
    from regime.types import Bars, RegimeSeries

# Fills are of Okabe and Ito's palette (2008), which every common colour vision tells apart. Crash and
# high volatility are also told apart without any colour: one is hatched and darker.
FILL: Final = {
    Regime.CRASH: ("#d55e00", 0.60, "////"),
    Regime.RECOVERY: ("#009e73", 0.45, ""),
    Regime.HIGH_VOLATILITY: ("#f0c000", 0.45, ""),
    Regime.NORMAL: ("#ffffff", 1.0, ""),
    Regime.LOW_VOLATILITY: ("#56b4e9", 0.30, ""),
    Regime.UNKNOWN: ("#9a9a9a", 0.25, "...."),
}
WIDE_RANGE: Final = 10.0
"""From this ratio of the highest to the lowest price on, ticks at 1, 2, 5, 10 are the readable ones."""

LEFT, RIGHT, TOP, BOTTOM = 84.0, 1170.0, 623.0, 43.0
"""Edges of what is inside the axes, in pixels from the lower left corner."""


def plot_labels(
    index: Bars, fear: Bars | None, labels: RegimeSeries, path: Path, *, events: Sequence[RareEvent] = ()
) -> None:
    """Draw the labelled days: log price over its regimes, and the fear that they were made from.

    Parameters
    ----------
    index
        Bars of one symbol, the same that were labelled; earlier ones are not drawn, but the proxy needs them.
    fear
        Bars of its fear index as they are; ``None`` if there is none. Where a day's fear is carried
        forward or stands by proxy it is drawn as such.
    labels
        At least one day.
    path
        Where to write: 1200 x 720 pixels as ``.png``, or ``.svg``. The same input gives the same bytes.

    events
        Rare events, named above the price where their days are drawn.

    Raises
    ------
    UsageError
        If the suffix is another, or there is nothing to draw.
    """
    drawn = np.isin(index.date, labels.date)
    if not drawn.any():
        raise UsageError("there are no labelled days to draw; label an index first")
    write_figure(path, lambda: _figure(index, fear, labels, drawn, events))


def _figure(
    index: Bars,
    fear: Bars | None,
    labels: RegimeSeries,
    drawn: NDArray[np.bool_],
    events: Sequence[RareEvent],
) -> Figure:
    figure = Figure(figsize=(12.0, 7.2), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    first, last = (day.item() for day in labels.date[[0, -1]])
    lanes = place_events(events, first, last, RIGHT - LEFT)
    top = TOP - LANE_PX * lanes.lanes
    if lanes.lanes:
        lane_axes = figure.add_axes(_box(top + 1.0, TOP))
        draw_events(lane_axes, lanes, RIGHT - LEFT, ink=INK)
    middle = BOTTOM + (top - BOTTOM) * 0.27
    price_axes = figure.add_axes(_box(middle + 25.0, top))
    fear_axes = figure.add_axes(_box(BOTTOM, middle - 20.0), sharex=price_axes)
    days = index.date[drawn]
    for axes in (price_axes, fear_axes):
        _draw_bands(axes, labels)
        axes.grid(visible=True, axis="y", color="#000000", alpha=0.12, linewidth=0.6)
        axes.set_axisbelow(False)
        axes.spines[["top", "right"]].set_visible(False)
    _draw_price(price_axes, days, index.close[drawn])
    _draw_fear(fear_axes, index, fear, drawn)
    _label_dates(fear_axes, labels)
    _write_head(figure, index, labels)
    return figure


def _box(bottom: float, top: float) -> tuple[float, float, float, float]:
    """Give what lies between two heights, in pixels, as matplotlib wants it."""
    return LEFT / 1200, bottom / 720, (RIGHT - LEFT) / 1200, (top - bottom) / 720


def _draw_bands(axes: Axes, labels: RegimeSeries) -> None:
    """Fill the background, a band a spell; a spell ends where the next begins."""
    starts = [0, *(at for at in range(1, len(labels)) if labels.regime[at] is not labels.regime[at - 1])]
    edges = [*_numbers(labels.date[starts]).tolist(), _numbers(labels.date[-1:])[0] + 1.0]
    for regime, (colour, opacity, hatch) in FILL.items():
        bands = [
            (left, right - left)
            for start, (left, right) in zip(starts, pairwise(edges), strict=True)
            if labels.regime[start] is regime
        ]
        axes.broken_barh(
            bands,
            (0.0, 1.0),
            transform=axes.get_xaxis_transform(),
            facecolor=(colour, opacity),
            edgecolor=(INK, 0.55),
            hatch=hatch,
            linewidth=0.0,
            zorder=0.5,
        )


def _draw_price(axes: Axes, days: NDArray[np.datetime64], close: NDArray[np.float64]) -> None:
    axes.plot(_numbers(days), close, color=INK, linewidth=1.1)
    axes.set_yscale("log")
    is_wide = close.max() > WIDE_RANGE * close.min()
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5)) if is_wide else MaxNLocator(7, steps=[1, 2, 2.5, 5, 10])
    )
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda price, _: f"{price:,.10g}"))
    axes.set_ylabel("close, log scale")
    axes.tick_params(axis="x", length=0, labelbottom=False)


def _draw_fear(axes: Axes, index: Bars, fear: Bars | None, drawn: NDArray[np.bool_]) -> None:
    """Draw the effective fear: a full line where it is the day's own, a dashed one where it stands in."""
    effective = effective_fear(index, fear)
    points = np.full(len(index), np.nan)
    points[np.isin(index.date, effective.date)] = effective.close
    is_own = np.isin(index.date, fear.date) if fear is not None else np.zeros(len(index), dtype=bool)
    # A stand-in line reaches one day into what is own, or the two would not meet.
    touches = ~is_own | np.roll(~is_own, 1) | np.roll(~is_own, -1)
    x = _numbers(index.date)[drawn]
    handles: list[Line2D] = []
    for mask, style, colour, name in (
        (touches, (0, (2, 1)), PALE_INK, "carried forward or by proxy"),
        (is_own, "solid", INK, str(fear.symbol[0]) if fear is not None and len(fear) else ""),
    ):
        shown = np.where(mask, points, np.nan)[drawn]
        if not np.isnan(shown).all():
            handles += axes.plot(x, shown, color=colour, linestyle=style, linewidth=0.9, label=name)
    axes.set_ylabel("fear, VIX points")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if handles:
        axes.legend(
            handles=handles[::-1],
            loc="lower right",
            bbox_to_anchor=(1.0, 0.97),
            ncols=len(handles),
            fontsize=9,
            frameon=False,
            borderaxespad=0.0,
        )
    else:
        axes.text(0.5, 0.5, "no fear is known", transform=axes.transAxes, ha="center", color=PALE_INK)


def _label_dates(axes: Axes, labels: RegimeSeries) -> None:
    first, last = _numbers(labels.date[[0, -1]])
    axes.set_xlim(first, last + 1.0)
    locator = AutoDateLocator(minticks=5, maxticks=13)  # type: ignore[no-untyped-call]  # theirs
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]  # theirs
    axes.xaxis.set_major_formatter(formatter)


def _write_head(figure: Figure, index: Bars, labels: RegimeSeries) -> None:
    """Write what is shown, the regime of the last day, and the legend with each regime's share of days."""
    at = len(labels) - 1
    while at > 0 and labels.regime[at - 1] is labels.regime[-1]:
        at -= 1
    spans = f"{labels.date[0]} to {labels.date[-1]}"
    figure.text(0.07, 0.955, f"{index.symbol[0]}, {spans}", fontsize=14, fontweight="bold", color=INK)
    figure.text(
        0.975,
        0.957,
        f"{_spoken(labels.regime[-1])} since {labels.date[at]}  ·  labels by {labels.labeler}",
        ha="right",
        color=PALE_INK,
    )
    handles = [
        Patch(
            facecolor=(colour, opacity),
            edgecolor=(INK, 0.55),
            hatch=hatch,
            linewidth=0.5,
            label=f"{_spoken(regime)} {labels.regime.count(regime) / len(labels):.0%}",
        )
        for regime, (colour, opacity, hatch) in FILL.items()
        if regime in labels.regime
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.062, 0.945),
        ncols=len(handles),
        frameon=False,
        handlelength=2.2,
        handleheight=1.1,
    )


def _spoken(regime: Regime) -> str:
    return regime.value.replace("_", " ")


def _numbers(days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Give days as matplotlib counts them: since 1970."""
    return days.astype("datetime64[D]").astype(np.float64)
