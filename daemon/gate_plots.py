"""A forest plot of a gate report: by regime the gain of a candidate, its bounds and the tolerated loss.

A status is told by marker and by word: colour only helps.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from daemon.figures import INK, PALE_INK, write_figure
from registry.gate_report import RegimeVerdict, Status
from registry.policy import Metric

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from registry.gate_report import GateReport

WIDTH, HEIGHT = 1200.0, 900.0
"""Of a figure, in pixels; boxes are left, bottom, width, height from the lower left corner."""
BOTTOM, TALL = 170.0, 590.0
"""Of both panels."""
POINT_SIZE: Final = 10.0


class Pen(NamedTuple):
    """How a status is drawn. Colours are of Okabe and Ito's palette (2008)."""

    colour: str
    marker: str
    fill: str


PENS: Final = {
    Status.PASS: Pen(colour="#0072b2", marker="o", fill="#0072b2"),
    Status.UNPROVEN: Pen(colour=INK, marker="D", fill="white"),
    Status.FAIL: Pen(colour="#d55e00", marker="X", fill="#d55e00"),
    Status.INSUFFICIENT: Pen(colour=PALE_INK, marker="_", fill="white"),
    Status.ERROR: Pen(colour=INK, marker="s", fill="white"),
}


class Panel(NamedTuple):
    """One comparison: what it is called, the left end, and the fields of `RegimeVerdict` that it shows."""

    title: str
    left: float
    wide: float
    percent: bool
    mean: str
    lcb: str
    ucb: str
    margin: str


LOG_LOSS: Final = Panel(
    "Log-loss saved, nats",
    left=290,
    wide=420,
    percent=False,
    mean="mean",
    lcb="lcb",
    ucb="ucb",
    margin="margin",
)
ACCURACY: Final = Panel(
    "Accuracy gained, points",
    left=750,
    wide=420,
    percent=True,
    mean="accuracy_mean",
    lcb="accuracy_lcb",
    ucb="accuracy_ucb",
    margin="accuracy_margin",
)
FLOOR: Final = Panel(
    "Log-loss saved over the regime prior, nats",
    left=290,
    wide=880,
    percent=False,
    mean="floor_mean",
    lcb="floor_lcb",
    ucb="floor_ucb",
    margin="floor_margin",
)
ACCURACY_FLOOR: Final = FLOOR._replace(title="Accuracy gained over the regime prior, points", percent=True)


def plot_gate(report: GateReport, path: Path) -> None:
    """Draw a report's gains by regime, in log-loss and in accuracy, with bounds and margins.

    Parameters
    ----------
    report
        Without a champion the gain over the regime prior is drawn instead, in the metric of the report.
    path
        Where to write: 1200 x 900 pixels as ``.png``, or ``.svg``. The same report gives the same bytes.

    Raises
    ------
    UsageError
        If the suffix is another.
    """
    write_figure(path, lambda: _figure(report))


def _figure(report: GateReport) -> Figure:
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    other = "the regime prior" if report.champion is None else report.champion
    _text(figure, 24, 866, f"{report.candidate} against {other}: {report.verdict}", size=15, weight="bold")
    for at, line in enumerate(textwrap.wrap(report.reason, 150)[:2]):
        _text(figure, 24, 836 - 22 * at, line)
    for panel in _panels(report):
        _draw(figure, report, panel)
    _write_statuses(figure, report)
    _write_legend(figure)
    _write_foot(figure, report)
    return figure


def _panels(report: GateReport) -> tuple[Panel, ...]:
    if report.champion is not None:
        return LOG_LOSS, ACCURACY
    return (FLOOR,) if report.metric is Metric.LOG_LOSS else (ACCURACY_FLOOR,)


def _draw(figure: Figure, report: GateReport, panel: Panel) -> None:
    axes = figure.add_axes(_box(panel.left, BOTTOM, panel.wide, TALL))
    scale = 100 if panel.percent else 1
    axes.axvline(0, color=INK, linewidth=1.0)
    for place, verdict in enumerate(report.regimes):
        margin = -scale * getattr(verdict, panel.margin)
        axes.plot(
            [margin, margin], [place - 0.36, place + 0.36], color=INK, linestyle=(0, (3, 2)), linewidth=1.4
        )
        _draw_gain(axes, verdict, panel, place, scale)
    axes.set_ylim(len(report.regimes) - 0.5, -0.5)
    axes.set_yticks([])
    axes.margins(x=0.08)
    axes.set_title(panel.title, fontsize=12, loc="left", pad=10)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.set_xlabel("worse  ←  candidate  →  better", fontsize=11)
    axes.grid(visible=True, axis="x", color="#000000", alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    for place in range(1, len(report.regimes)):
        axes.axhline(place - 0.5, color="#000000", alpha=0.12, linewidth=0.6)


def _draw_gain(axes: Axes, verdict: RegimeVerdict, panel: Panel, place: int, scale: int) -> None:
    mean, lcb, ucb = (getattr(verdict, name) for name in (panel.mean, panel.lcb, panel.ucb))
    if mean is None:
        whole = axes.get_yaxis_transform()
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
        told = "too little evidence" if verdict.status is Status.INSUFFICIENT else "not compared"
        axes.text(0.98, place, told, va="center", ha="right", color=PALE_INK, transform=whole, bbox=box)
        return
    pen = PENS[verdict.status]
    axes.plot(
        [scale * lcb, scale * ucb], [place, place], color=pen.colour, marker="|", markersize=12, linewidth=2.0
    )
    axes.plot([scale * mean], [place], linestyle="none", zorder=3, **_drawn(pen))
    axes.text(
        scale * mean,
        place - 0.17,
        f"{scale * mean:+.{1 if panel.percent else 3}f}",
        ha="center",
        va="bottom",
        fontsize=10,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _write_statuses(figure: Figure, report: GateReport) -> None:
    """Write what is said of each regime to the left of its row."""
    tall = TALL / len(report.regimes)
    for place, verdict in enumerate(report.regimes):
        middle = BOTTOM + TALL - (place + 0.5) * tall
        pen = PENS[verdict.status]
        figure.add_artist(
            Line2D(
                [38 / WIDTH], [middle / HEIGHT], transform=figure.transFigure, linestyle="none", **_drawn(pen)
            )
        )
        _text(figure, 60, middle + 16, verdict.regime.value.replace("_", " "), weight="bold")
        _text(figure, 60, middle - 5, verdict.status.value)
        _text(figure, 60, middle - 26, _counts(verdict), size=9, colour=PALE_INK)


def _counts(verdict: RegimeVerdict) -> str:
    if verdict.days is None:
        return "nothing was counted"
    return f"{verdict.days} days, {verdict.rows} rows, {verdict.episodes} episodes"


def _write_legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], linestyle="none", label=status.value, **_drawn(PENS[status]))
        for status in (Status.PASS, Status.UNPROVEN, Status.FAIL, Status.INSUFFICIENT)
    ]
    handles.append(Line2D([], [], color=INK, linestyle=(0, (3, 2)), linewidth=1.4, label="tolerated loss"))
    handles.append(
        Line2D([], [], color=INK, marker="|", markersize=12, linewidth=2.0, label="one-sided bounds")
    )
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(20 / WIDTH, 76 / HEIGHT),
        ncols=6,
        frameon=False,
        fontsize=10,
    )


def _write_foot(figure: Figure, report: GateReport) -> None:
    note = (
        "Marker and word are the regime's status over all of its tests. PASS: the lower bound is above the"
        " tolerated loss; FAIL: harm is shown; UNPROVEN: neither."
    )
    _text(figure, 24, 56, note, size=9, colour=PALE_INK)
    dates = "" if report.evidence_from is None else f", {report.evidence_from} to {report.evidence_to}"
    seen = f"{report.evidence_rows} rows{dates}; policy {report.policy} {report.policy_hash[:16]}"
    _text(figure, 24, 34, seen, size=9, colour=PALE_INK)


def _drawn(pen: Pen) -> dict[str, Any]:
    return {
        "color": pen.colour,
        "marker": pen.marker,
        "markerfacecolor": pen.fill,
        "markersize": POINT_SIZE,
        "markeredgewidth": 1.6,
    }


def _box(left: float, bottom: float, width: float, height: float) -> tuple[float, float, float, float]:
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
) -> None:
    figure.text(x / WIDTH, y / HEIGHT, text, fontsize=size, fontweight=weight, color=colour, va="center")
