"""A picture of a version: what its probabilities are worth, what it looks at, where it has skill.

Predictors are told apart by line style and marker, groups by their names: colour only helps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from daemon.figures import INK, PALE_INK, write_figure
from regime.reliability import BINS
from regime.scorecard import REGIME_PRIOR
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from regime.explanation import Explanation, Ranking
    from regime.reliability import Bins, Reliability
    from regime.scorecard import Scorecard
    from regime.types import Regime

WIDTH, HEIGHT = 1200.0, 900.0
"""Of a figure, in pixels; boxes below are left, bottom, width, height from the lower left corner."""

ENSEMBLE: Final = "ensemble"
"""As in ``regime.models.ensemble``, which would bring every model library along."""
KNOW_NOTHING: Final = ("majority", "class_prior")
"""Baselines that give every row of a fold the same probabilities: a curve of them is a point."""
POINT_ROWS: Final = 50
"""Rows of a bin below which a point says more of chance than of the model; ROWS in the counts stay shown."""
BARS: Final = 5
"""Features drawn of each regime."""
NAME_PX, SIGN_PX, BAR_PX, SHARE_PX = 214.0, 18.0, 92.0, 50.0
"""Room in a ranking for a feature's name, its sign, the longest bar, and the share behind that."""

FEATURES_MISSING: Final = "This version has no explanation: it is older, or lacks lightgbm and xgboost."
RELIABILITY_MISSING: Final = "This version has no reliability counts: it is older than they are."


class Pen(NamedTuple):
    """How one predictor is drawn. Colours are of Okabe and Ito's palette (2008)."""

    colour: str
    line: str
    marker: str
    fill: str


PENS: Final = (
    Pen(colour=INK, line="-", marker="o", fill=INK),
    Pen(colour="#d55e00", line="--", marker="s", fill="white"),
    Pen(colour="#0072b2", line="-.", marker="^", fill="white"),
    Pen(colour="#009e73", line=":", marker="D", fill="white"),
)


def plot_model(
    title: str,
    card: Scorecard,
    explanation: Explanation | None,
    reliability: Reliability | None,
    path: Path,
) -> None:
    """Draw a version's reliability with counts, its skill with intervals, and its top features by regime.

    Parameters
    ----------
    title
        What is drawn, such as the name of the version.
    card
        Of the ensemble, out of sample.
    explanation, reliability
        As they were stored; a sentence stands where there is none.
    path
        Where to write: 1200 x 900 pixels as ``.png``, or ``.svg``. The same input gives the same bytes.

    Raises
    ------
    UsageError
        If the suffix is another.
    """
    write_figure(path, lambda: _figure(title, card, explanation, reliability))


def _figure(
    title: str, card: Scorecard, explanation: Explanation | None, reliability: Reliability | None
) -> Figure:
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    _text(figure, 24, 866, title, size=14, weight="bold")
    _draw_reliability(figure, reliability)
    _draw_skill(figure, card)
    _draw_features(figure, explanation)
    return figure


def _draw_reliability(figure: Figure, reliability: Reliability | None) -> None:
    _text(figure, 24, 834, "Reliability out of fold", weight="bold")
    bins = None if reliability is None else reliability.bins(ENSEMBLE)
    if reliability is None or bins is None:
        sentence = (
            RELIABILITY_MISSING if reliability is None else "Fewer than 200 rows or 40 days to judge by."
        )
        _text(figure, 24, 804, sentence, colour=PALE_INK)
        return
    shown = (ENSEMBLE, *_told_baselines(reliability.predictors))
    gap, count = 24.0, len(reliability.classes)
    width = (770.0 - 92.0 + gap) / count - gap
    rows_max = max(max(each.rows) for each in bins)
    for at, name in enumerate(reliability.classes):
        left = 92.0 + at * (width + gap)
        curves = figure.add_axes(_box(left, 530, width, 262))
        counts = figure.add_axes(_box(left, 458, width, 56), sharex=curves)
        by_predictor = {each: found[at] for each in shown if (found := reliability.bins(each)) is not None}
        _draw_curves(curves, name, by_predictor)
        _draw_counts(counts, bins[at], rows_max)
        for axes, label in ((curves, "share that came true"), (counts, "rows")):
            axes.tick_params(axis="y", labelleft=at == 0)
            if at == 0:
                axes.set_ylabel(label, fontsize=10)
                axes.yaxis.set_label_coords(-52 / width, 0.5)
    note = (
        f"Probability given, in ten bins. Curves leave out bins of fewer than {POINT_ROWS} rows;"
        " rows are the ensemble's, on a log scale."
    )
    _text(figure, 24, 420, note, size=9, colour=PALE_INK)
    _write_legend(figure, shown)


def _write_legend(figure: Figure, shown: Sequence[str]) -> None:
    lines = [
        Line2D([], [], **_drawn(pen), label=name.replace("_", " "))
        for name, pen in zip(shown, PENS, strict=False)
    ]
    _legend(figure, lines, 215, 857, columns=len(lines))


def _legend(figure: Figure, handles: Sequence[Line2D], left: float, top: float, *, columns: int) -> None:
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left / WIDTH, top / HEIGHT),
        ncols=columns,
        frameon=False,
        handlelength=3.2,
        fontsize=10,
        labelspacing=0.3,
    )


def _drawn(pen: Pen) -> dict[str, Any]:
    return {
        "color": pen.colour,
        "linestyle": pen.line,
        "marker": pen.marker,
        "markerfacecolor": pen.fill,
        "markersize": 5.5,
        "linewidth": 1.4,
    }


def _draw_curves(axes: Axes, name: str, by_predictor: dict[str, Bins]) -> None:
    axes.plot([0, 1], [0, 1], color=PALE_INK, linewidth=0.8)
    # The model is drawn last, above its baselines.
    for (_, bins), pen in reversed(list(zip(by_predictor.items(), PENS, strict=False))):
        points = [point for point in bins.curve() if point.rows >= POINT_ROWS]
        axes.plot(
            [point.probability for point in points], [point.frequency for point in points], **_drawn(pen)
        )
    error = by_predictor[ENSEMBLE].calibration_error()
    told = "" if error is None else f"   ECE {100 * error:.1f} %"
    axes.set_title(f"{name}{told}", fontsize=11, loc="left")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    axes.tick_params(axis="x", labelbottom=False)
    _calm(axes)


def _draw_counts(axes: Axes, bins: Bins, rows_max: int) -> None:
    lefts = [at / BINS for at in range(BINS)]
    axes.bar(
        lefts, bins.rows, width=1 / BINS, align="edge", facecolor="#c8c8c8", edgecolor=INK, linewidth=0.6
    )
    axes.set_yscale("log")
    axes.set_ylim(1, 3 * rows_max)
    axes.yaxis.set_major_locator(FixedLocator([1, 100, 10_000]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rows, _: f"{rows:,.0f}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    axes.tick_params(labelsize=9)
    _calm(axes)


def _draw_skill(figure: Figure, card: Scorecard) -> None:
    _text(figure, 830, 834, "Skill, % of log-loss, with 95 % intervals", weight="bold")
    axes = figure.add_axes(_box(932, 458, 240, 312))
    axes.axvline(0, color=INK, linewidth=0.8)
    shown = _told_baselines(card.baselines)
    groups = (*REGIMES, None)
    for place, regime in enumerate(groups):
        for baseline, pen, shift in zip(shown, PENS[1:], _shifts(len(shown)), strict=False):
            _draw_one_skill(axes, card, baseline, regime, place + shift, pen)
        if all(card.skill(regime, baseline) is None for baseline in shown):
            _write_across(axes, place, "too few rows or days")
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_yticks(range(len(groups)), [_spoken(regime) for regime in groups])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    _calm(axes)
    axes.grid(visible=False, axis="y")
    handles = [
        Line2D([], [], **_drawn(pen), label=f"against {name.replace('_', ' ')}")
        for name, pen in zip(shown, PENS[1:], strict=False)
    ]
    _legend(figure, handles, 822, 829, columns=1)


def _write_across(axes: Axes, place: float, text: str) -> None:
    """Write a sentence where values would stand, and let no line cross it."""
    whole = axes.get_yaxis_transform()
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
    axes.text(0.02, place, text, va="center", fontsize=9, color=PALE_INK, transform=whole, bbox=box)


def _draw_one_skill(
    axes: Axes, card: Scorecard, baseline: str, regime: Regime | None, place: float, pen: Pen
) -> None:
    skill, interval = card.skill(regime, baseline), card.interval(regime, baseline)
    if skill is None:
        return
    if interval is not None:
        ends = [100 * interval.low, 100 * interval.high]
        axes.plot(ends, [place, place], color=pen.colour, marker="|", markersize=7, linewidth=1.4)
    axes.plot([100 * skill], [place], **_drawn(pen))


def _shifts(count: int) -> list[float]:
    """Give how far the baselines of a regime are drawn from its middle, so that none covers another."""
    return [0.24 * (at - (count - 1) / 2) for at in range(count)]


def _draw_features(figure: Figure, explanation: Explanation | None) -> None:
    if explanation is None:
        _text(figure, 24, 384, "What the model looks at", weight="bold")
        _text(figure, 24, 354, FEATURES_MISSING, colour=PALE_INK)
        return
    lower, upper = explanation.classes[0], explanation.classes[-1]
    _text(figure, 24, 384, f"What {explanation.model} looks at beside its margin", weight="bold")
    note = (
        f"share of all mean absolute contributions; + higher values speak for {upper}, - for {lower},"
        " ~ neither or mixed"
    )
    _text(figure, 1172, 385, note, size=9, colour=PALE_INK, align="right")
    rankings = explanation.rankings()
    largest = max(
        (ranking.top[0].share for _, ranking in rankings if ranking is not None and ranking.top),
        default=1.0,
    )
    for at, (regime, ranking) in enumerate(rankings):
        row, column = divmod(at, 3)
        axes = figure.add_axes(
            _box(24 + column * 387, 206 - row * 184, NAME_PX + SIGN_PX + BAR_PX + SHARE_PX, 140)
        )
        _draw_ranking(axes, _spoken(regime), ranking, largest)


def _draw_ranking(axes: Axes, title: str, ranking: Ranking | None, largest: float) -> None:
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlim(-(NAME_PX + SIGN_PX) * largest / BAR_PX, largest * (1 + SHARE_PX / BAR_PX))
    axes.set_ylim(BARS - 0.5, -0.5)
    axes.set_axis_off()
    if ranking is None or not ranking.top:
        told = "fewer than 50 rows" if ranking is None else "no feature is used"
        _write_across(axes, 0, told)
        return
    for place, each in enumerate(ranking.top[:BARS]):
        axes.barh(place, each.share, height=0.7, facecolor="#9cc3e0", edgecolor=INK, linewidth=0.6)
        for text, x, side in (
            (each.feature, -SIGN_PX, "right"),
            (each.sign, -SIGN_PX / 2, "center"),
            (f"{100 * each.share:.1f} %", BAR_PX * each.share / largest + 5, "left"),
        ):
            place_px = x * largest / BAR_PX
            axes.text(place_px, place, text, va="center_baseline", ha=side, fontsize=9, color=INK)


def _told_baselines(names: Iterable[str]) -> tuple[str, ...]:
    """Give the baselines worth a curve, the regime prior first."""
    others = sorted(set(names) - {*KNOW_NOTHING, REGIME_PRIOR, ENSEMBLE})
    return (REGIME_PRIOR, *others)[: len(PENS) - 1]


def _spoken(regime: Regime | None) -> str:
    return "all" if regime is None else regime.value.replace("_", " ")


def _calm(axes: Axes) -> None:
    axes.grid(visible=True, color="#000000", alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _box(left: float, bottom: float, width: float, height: float) -> tuple[float, float, float, float]:
    """Give a box in pixels as matplotlib wants it."""
    return left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT


def _text(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 11,
    weight: str = "normal",
    colour: str = INK,
    align: str = "left",
) -> None:
    figure.text(
        x / WIDTH, y / HEIGHT, text, fontsize=size, fontweight=weight, color=colour, ha=align, va="baseline"
    )
