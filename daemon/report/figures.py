"""All figures of the report, in reading order, and each as a file of its own."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from daemon.report.figures_forest import Axis, Group, Row, draw_forest
from daemon.report.figures_frame import Basis, Figure, figure_svg
from daemon.report.figures_gain import gain_figure, years_figure
from daemon.report.figures_gate import champions_figure, drift_figure, record_figure
from daemon.report.figures_market import market_figure
from daemon.report.figures_reliability import reliability_figure
from daemon.report.page_numbers import BOOTSTRAP, GROUPS, MINUS, by_name, count, in_percent, plural, spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.report.page_numbers import Document

SKILL: Final = Axis(unit="%", factor=100, places=1, left="worse than the prior", right="better")
WORTH: Final = Axis(unit="nats", factor=1, places=3, left="cost", right="earned")
MOST_POLICIES: Final = 5
"""There are so many marks that differ without colour; all policies stand in the tables."""


def figures_of(document: Document) -> dict[str, str]:
    """Give every figure that has evidence, as the name and the content of an SVG file.

    Parameters
    ----------
    document
        The report document.

    Returns
    -------
    :
        Names end in ``.svg``. The same document gives the same bytes.
    """
    style = figure_style()
    makers = (
        market_figure,
        champions_figure,
        skill_figure,
        gain_figure,
        years_figure,
        differences_figure,
        record_figure,
        events_figure,
        reliability_figure,
        drift_figure,
        ablations_figure,
    )
    drawn = (make(document) for make in makers)
    return {f"{each.name}.svg": figure_svg(each, style) for each in drawn if each is not None}


def figure_style() -> str:
    """Give the style of figures: colours for light, dark and paper, and classes."""
    folder = files("daemon.report")
    return "".join(
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("colours.css", "figures.css")
    )


def skill_figure(document: Document) -> Figure | None:
    """Give skill by regime, of policies and the volatility barrier; ``None`` without evidence."""
    forecasts = [
        *document["policies"][: MOST_POLICIES - 1],
        *(each for each in document["baselines"] if each["name"] == "volatility_barrier"),
    ]
    groups = [_skills(forecasts, group) for group in GROUPS]
    if all(row.value is None for group in groups for row in group.rows):
        return None
    return Figure(
        name="skill",
        title="Skill by regime",
        finding=_skill_in_words(document),
        reading="Log-loss saved against the regime prior, in percent.",
        description="; ".join(_in_words(group) for group in groups),
        basis=Basis(
            n="beside each regime",
            interval=BOOTSTRAP,
            baseline="the regime prior, at zero; the volatility barrier stands among the rows",
        ),
        draw=lambda width: draw_forest(groups, SKILL, width),
    )


def _skill_in_words(document: Document) -> str:
    """Say where the champion was best and worst, with intervals."""
    champion = by_name(document["policies"], "champion")
    if champion is None or champion["scores"]["overall"]["skill"] is None:
        return ""
    said = f"Over all days the champion saved {in_percent(champion['scores']['overall'])} of the log-loss"
    known = [group for group in GROUPS[1:] if (champion["scores"].get(group) or {}).get("skill") is not None]
    if not known:
        return f"{said}."
    best, worst = (
        end(known, key=lambda group: float(champion["scores"][group]["skill"])) for end in (max, min)
    )
    ends = (f"{in_percent(champion['scores'][each])} in {spoken(each)}" for each in (best, worst))
    return f"{said}: from {' to '.join(ends)}."


def _skills(forecasts: Sequence[Document], group: str) -> Group:
    rows = [
        Row(
            spoken(each["name"]),
            at,
            scores["skill"],
            scores["skill_low"],
            scores["skill_high"],
            plural(scores["days"], "day"),
        )
        for at, each in enumerate(forecasts)
        if (scores := each["scores"].get(group)) is not None
    ]
    first = next((each["scores"][group] for each in forecasts if group in each["scores"]), None)
    if all(row.value is None for row in rows):
        rows = [Row("all of them", 0, None, None, None, "")]
    return Group(spoken(group), _counts(first), rows)


def _counts(scores: Document | None) -> str:
    return "" if scores is None else f"{plural(scores['days'], 'day')}, {count(scores['rows'])} rows"


def _in_words(group: Group) -> str:
    known = (f"{row.label} {100 * row.value:.1f} %" for row in group.rows if row.value is not None)
    return f"{group.heading}: {', '.join(known) or 'not enough evidence'}"


def differences_figure(document: Document) -> Figure | None:
    """Give what retraining, gating and weighting earned or cost; ``None`` without evidence."""
    groups = [
        Group(
            each["title"],
            f"{spoken(each['better'])} {MINUS} {spoken(each['than'])}",
            [_worth(spoken(group), 0, scores) for group, scores in each["scores"].items()],
        )
        for each in document["differences"]
    ]
    if all(row.value is None for group in groups for row in group.rows):
        return None
    return Figure(
        name="differences",
        title="What it earned or cost",
        reading="Mean log-loss gained per prediction by doing so, in nats.",
        description=" ".join(each["sentence"] for each in document["differences"]),
        basis=Basis(
            n="days of each row in its mark and in the table",
            interval=BOOTSTRAP,
            baseline="the policy that does without it, at zero",
        ),
        draw=lambda width: draw_forest(groups, WORTH, width),
    )


def _worth(label: str, pen: int, scores: Document) -> Row:
    n = plural(scores["days"], "day") if "days" in scores else ""
    return Row(label, pen, scores["nats"], scores["low"], scores["high"], n)


def events_figure(document: Document) -> Figure | None:
    """Give the champion's skill in each event; ``None`` without evidence."""
    rows = [
        Row(
            each["title"],
            0,
            scores["skill"],
            scores["skill_low"],
            scores["skill_high"],
            plural(scores["days"], "day"),
        )
        for each in document["events"]
        if (scores := each["scores"]) is not None
    ]
    if all(row.value is None for row in rows):
        return None
    days = sum(each["scores"]["days"] for each in document["events"] if each["scores"] is not None)
    return Figure(
        name="events",
        title="The champion in each event",
        finding=_events_in_words(rows),
        reading="Log-loss saved against the regime prior on the event's days, in percent.",
        description=_in_words(Group("Skill", "", rows)),
        basis=Basis(
            n=f"{plural(len(rows), 'event')}, {plural(days, 'day')}; each event's own in the table",
            interval=BOOTSTRAP,
            baseline="the regime prior, at zero",
        ),
        draw=lambda width: draw_forest([Group("", "", rows)], SKILL, width),
    )


def _events_in_words(rows: Sequence[Row]) -> str:
    better = sum(row.low is not None and row.low > 0 for row in rows)
    worse = sum(row.high is not None and row.high < 0 for row in rows)
    return (
        f"Of {plural(len(rows), 'event')} the champion was surely better than the regime prior in {better},"
        f" surely worse in {worse}; the others show neither."
    )


def ablations_figure(document: Document) -> Figure | None:
    """Give what each part of the training was worth; ``None`` without evidence."""
    newest = document["ablations"][-1]["version"] if document["ablations"] else None
    own = [each for each in document["ablations"] if each["version"] == newest]
    rows = [_worth(spoken(each["name"]), 0, each) for each in own]
    if all(row.value is None for row in rows):
        return None
    return Figure(
        name="ablations",
        title="What each part of the training is worth",
        reading="Mean log-loss that the part gains against training without it, in nats, in walk-forward.",
        description=" ".join(each["sentence"] for each in own),
        basis=Basis(
            n=f"{plural(len(rows), 'ablation')} of {newest}, the newest version that was measured",
            interval=BOOTSTRAP,
            baseline="the same training without the part, at zero",
        ),
        draw=lambda width: draw_forest([Group("", "", rows)], WORTH, width),
    )
