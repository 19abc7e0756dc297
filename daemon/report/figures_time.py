"""Figures on the axis of time: champions and verdicts, gains, the gate's record, skill by year, drift."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.report.figures_forest import mark
from daemon.report.figures_frame import Basis, Drawing, Figure
from daemon.report.figures_market import crash_shade, left_of, right_of
from daemon.report.page_markup import Markup, joined, number, tag
from daemon.report.page_numbers import MOST_TOLD, count, decimals, in_percent, newest, plural, short, spoken
from daemon.report.svg import CHARACTER, Scale, is_narrow, legend, padded, rule, shape, text, ticks, told
from daemon.report.svg_time import day_number, line_path_of, time_axis, time_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.report.page_numbers import Document

OBSERVED: Final = "none: what happened is counted, not estimated"
VERDICTS: Final = {
    "PROMOTE": ("up", "good", "promoted"),
    "BOOTSTRAP": ("square", "good", "first champion"),
    "FORCED": ("down", "good", "forced by a person"),
    "SHADOW": ("diamond", "open", "tried as shadow"),
    "HOLD_EQUIVALENT": ("circle", "open", "held, no difference shown"),
    "HOLD_INSUFFICIENT": ("circle", "open", "held, too little evidence"),
    "HOLD_SUSPICIOUS": ("circle", "open", "held, too good to be true"),
    "REJECT": ("cross", "bad", "rejected"),
    "ERROR": ("cross", "bad", "not judged: an error"),
}
"""How a verdict is marked: shape, colour and words."""
LEVELS: Final = {"alarm": ("up", "bad"), "warning": ("up", "open")}


class Beat(NamedTuple):
    """A value at a place of the axis, with its interval."""

    place: float
    value: float
    low: float | None
    high: float | None
    pen: Callable[[float, float], Markup]
    tip: str
    line: str = "whisker"


def champions_figure(document: Document) -> Figure | None:
    """Give who served when, and every verdict; ``None`` before the first verdict."""
    champions, verdicts = document["champions"], document["verdicts"]
    if not verdicts and not champions:
        return None
    return Figure(
        name="champions",
        title="Champions and verdicts",
        finding=_champions_in_words(champions, verdicts),
        reading="Above, who served when; below, a mark for each verdict of the gate, which tells its reason.",
        description=(
            f"{plural(len(champions), 'champion')} and {plural(len(verdicts), 'verdict')}; the tables below"
            " list each with its reason."
        ),
        basis=Basis(
            n=f"{plural(len(verdicts), 'verdict')}, {plural(len(champions), 'champion')}",
            interval=f"{OBSERVED}; a verdict's own intervals are in the table",
            baseline="the champion of that day",
        ),
        draw=lambda width: _draw_champions(document, width),
    )


def _champions_in_words(champions: Sequence[Document], verdicts: Sequence[Document]) -> str:
    admitted = sum(_mark_of(each["verdict"])[1] == "good" for each in verdicts)
    refused = sum(_mark_of(each["verdict"])[1] == "bad" for each in verdicts)
    return (
        f"Of {plural(len(verdicts), 'candidate')} {admitted} became champion at once and {refused} were"
        f" rejected; {plural(len(champions), 'champion')} served."
    )


def _draw_champions(document: Document, width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    rows = ("up", "diamond", "circle", "cross")
    parts = [_reign(each, scale, at) for at, each in enumerate(document["champions"])]
    verdicts = document["verdicts"]
    told_one_by_one = newest(verdicts, MOST_TOLD)
    older = verdicts[: len(verdicts) - len(told_one_by_one)]
    for kind in rows:
        days = (scale(day_number(each["day"])) for each in older if _mark_of(each["verdict"])[0] == kind)
        path = "".join(f"M{number(x)} {46 + 17 * rows.index(kind)}v8" for x in days)
        parts += [tag("path", d=path, class_="old")] if path else []
    present = [_mark_of(each["verdict"]) for each in told_one_by_one]
    for each, (kind, colour, _) in zip(told_one_by_one, present, strict=True):
        place = rows.index(kind) if kind in rows else 0
        x, y = scale(day_number(each["day"])), 50.0 + 17 * place
        against = f" against {each['against']}" if each["against"] else ""
        tip = f"{each['day']}: {each['version']}{against}: {each['verdict']}. {each['reason']}"
        parts.append(told(tip, shape(kind, x, y, f"v {colour}")))
    bottom = 118.0
    keys = [(shape(kind, 9, 6, f"v {colour}"), words) for kind, colour, words in dict.fromkeys(present)]
    drawn, tall = legend(keys, scale.start, bottom + 30, width - scale.start)
    return Drawing(bottom + 32 + tall, joined((time_axis(scale, 30, bottom), *parts, drawn)))


def _mark_of(verdict: str) -> tuple[str, str, str]:
    return VERDICTS.get(verdict, ("circle", "open", spoken(verdict).lower()))


def _reign(champion: Document, scale: Scale, at: int) -> Markup:
    left = max(scale(day_number(champion["from"])), scale.start)
    right = scale(day_number(champion["to"])) if champion["to"] else scale.stop
    width = max(right - left, 1.0)
    name = champion["version"]
    tip = f"{name} served from {champion['from']} to {champion['to'] or 'now'}. {champion['reason']}"
    parts = [tag("rect", x=left, y=6, width=width, height=20, class_=f"reign e{at % 2}")]
    if CHARACTER * len(name) + 6 <= width:
        parts.append(text(left + width / 2, 20, name, "tr", anchor="mid"))
    return told(tip, *parts)


def gain_figure(document: Document) -> Figure | None:
    """Give how the log-loss gained over the regime prior adds up; ``None`` without matured days."""
    policies = [each for each in document["policies"] if each["gain"]["day"]]
    if not policies:
        return None
    overall = policies[0]["scores"]["overall"]
    ends = ", ".join(f"{spoken(each['name'])} {each['gain']['nats'][-1]:.1f}" for each in policies)
    return Figure(
        name="gain",
        title="Cumulative gain by policy",
        finding=(
            f"By {policies[0]['gain']['day'][-1]} {spoken(policies[0]['name'])} had saved"
            f" {decimals(policies[0]['gain']['nats'][-1], 0, signed=True)} nats."
        ),
        reading=(
            "Log-loss saved against the regime prior, in nats, added up over the days (a day counts as the"
            " mean of its symbols). A line that climbs is skill; the shaded days are crashes."
        ),
        description=f"At the end, in nats: {ends}.",
        basis=Basis(
            n=f"{plural(overall['days'], 'day')}, {count(overall['rows'])} predictions",
            interval="none drawn: sums are as observed; the interval of the mean is under “Skill by regime”",
            baseline="the regime prior, at zero",
        ),
        draw=lambda width: _draw_gain(document, policies, width),
        has_marks=False,
    )


def _draw_gain(document: Document, policies: Sequence[Document], width: float) -> Drawing:
    narrow = is_narrow(width)
    scale = time_scale(document, left_of(width), right_of(width) - (0 if narrow else 130))
    top, bottom = 12.0, 230.0 if narrow else 300.0
    low, high = padded((value for each in policies for value in each["gain"]["nats"]), share=0.03)
    y = Scale(first=low, last=high, start=bottom, stop=top)
    lines = [
        tag(
            "path",
            d=line_path_of(each["gain"]["day"], each["gain"]["nats"], scale, y),
            class_=f"line c{at % 5}",
        )
        for at, each in enumerate(policies)
    ]
    parts = [crash_shade(document, scale, top, bottom), _levels(y, scale), time_axis(scale, top, bottom)]
    parts += reversed(lines)
    if not narrow:
        return Drawing(bottom + 26, joined((*parts, _names(policies, y, scale.stop))))
    keys = [
        (tag("path", d="M0 6H18", class_=f"line c{at % 5}"), spoken(each["name"]))
        for at, each in enumerate(policies)
    ]
    drawn, tall = legend(keys, scale.start, bottom + 28, width - scale.start)
    return Drawing(bottom + 30 + tall, joined((*parts, drawn)))


def _names(policies: Sequence[Document], y: Scale, right: float) -> Markup:
    """Write names at the ends of lines, from the lowest up, none over another."""
    ends = sorted((y(each["gain"]["nats"][-1]), at) for at, each in enumerate(policies))
    placed: list[Markup] = []
    last = float("-inf")
    for place, at in ends:
        last = max(place + 4, last + 15)
        name = spoken(policies[at]["name"])
        placed.append(text(right + 8, last, name, f"t k{at % 5}"))
    return joined(placed)


def _levels(y: Scale, scale: Scale, *, percent: bool = False) -> Markup:
    """Give the horizontal lines with their values, and the stronger one at zero."""
    parts = [
        joined((rule(scale.start, y(at), scale.stop, y(at)),
                text(scale.start - 6, y(at) + 4, f"{short(at)}{'%' * percent}", anchor="end")))
        for at in ticks(min(y.first, y.last), max(y.first, y.last), 5)
    ]  # fmt: skip
    return joined((*parts, rule(scale.start, y(0), scale.stop, y(0), "zero")))


def record_figure(document: Document) -> Figure | None:
    """Give what each decision of the gate earned; ``None`` if none could be measured."""
    measured = [each for each in document["gate_record"] if each["nats"] is not None]
    record = newest(measured, MOST_TOLD)
    if not record:
        return None
    days = sum(each["days"] for each in record)
    return Figure(
        name="gate-record",
        title="Was the gate right?",
        reading=(
            "Each decision of the gate: the mean log-loss it saved until the next decision. Above zero it was"
            " right, below zero wrong; hollow where the interval spans zero."
        ),
        description=f"{plural(len(record), 'decision')}; the table below tells each.",
        basis=Basis(
            n=f"{len(record)} of {plural(len(measured), 'decision')}, the newest, over {plural(days, 'day')}",
            interval="95 %, block bootstrap by day",
            baseline="what the opposite decision would have given, at zero",
        ),
        draw=lambda width: _draw_record(document, record, width),
    )


def _draw_record(document: Document, record: Sequence[Document], width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    colours = {True: "good", False: "bad", None: "open"}
    beats = []
    for each in record:
        kind, colour = "circle" if each["held"] else "up", colours[each["right"]]
        pen = partial(shape, kind, class_=f"v {colour}", size=4)
        place = scale(day_number(each["day"]))
        tip = f"{each['day']}: {each['sentence']}"
        beats.append(Beat(place, each["nats"], each["low"], each["high"], pen, tip))
    top, bottom = 10.0, 200.0
    body = _beats(beats, scale, top, bottom)
    keys = [
        (shape(kind, 9, 6, f"v {colour}", 4), words)
        for kind, colour, words in (
            ("circle", "good", "held, rightly"),
            ("circle", "bad", "held, wrongly"),
            ("up", "good", "promoted, rightly"),
            ("up", "bad", "promoted, wrongly"),
            ("circle", "open", "not shown either way"),
        )
    ]
    drawn, tall = legend(keys, scale.start, bottom + 30, width - scale.start)
    shade = crash_shade(document, scale, top, bottom)
    return Drawing(bottom + 32 + tall, joined((shade, time_axis(scale, top, bottom), body, drawn)))


def _beats(
    beats: Sequence[Beat], scale: Scale, top: float, bottom: float, *, percent: bool = False
) -> Markup:
    known = (value for each in beats for value in (each.value, each.low, each.high) if value is not None)
    low, high = padded(known)
    y = Scale(first=low, last=high, start=bottom, stop=top)
    marks = []
    for place, value, least, most, pen, tip, line_class in beats:
        line = (
            Markup("") if least is None or most is None else rule(place, y(least), place, y(most), line_class)
        )
        marks.append(told(tip, line, pen(place, y(value))))
    return joined((_levels(y, scale, percent=percent), *marks))


def years_figure(document: Document) -> Figure | None:
    """Give skill by year; ``None`` if no year has enough evidence."""
    policies = drawn_years(document)
    if not policies:
        return None
    years = sorted({each["year"] for policy in policies for each in _known_years(policy)})
    days = sum(each["days"] for each in policies[0]["years"])
    names = ", ".join(spoken(each["name"]) for each in policies)
    return Figure(
        name="years",
        title="Skill by year",
        finding=_years_in_words(policies[0]),
        reading="Log-loss saved against the regime prior, in percent, for each calendar year.",
        description=f"Skill of {names} from {years[0]} to {years[-1]}; the table below has the numbers.",
        basis=Basis(
            n=f"{plural(days, 'day')} in {plural(len(years), 'year')}",
            interval="95 %, block bootstrap by day, within each year",
            baseline="the regime prior, at zero",
        ),
        draw=lambda width: _draw_years(policies, years, width),
    )


def drawn_years(document: Document) -> list[Document]:
    """Give the policies that are shown by year: the first three of which a year is known."""
    return [each for each in document["policies"][:3] if _known_years(each)]


def _years_in_words(policy: Document) -> str:
    years = _known_years(policy)
    ahead = sum(each["skill"] > 0 for each in years)
    surely = sum(each["skill_low"] is not None and each["skill_low"] > 0 for each in years)
    return (
        f"{spoken(policy['name']).capitalize()} was ahead of the regime prior in {ahead} of"
        f" {plural(len(years), 'year')}, in {surely} with its whole interval."
    )


def _known_years(policy: Document) -> list[Document]:
    return [each for each in policy["years"] if each["skill"] is not None]


def _draw_years(policies: Sequence[Document], years: Sequence[int], width: float) -> Drawing:
    scale = Scale(first=years[0] - 0.5, last=years[-1] + 0.5, start=left_of(width), stop=right_of(width))
    room = (scale.stop - scale.start) / (years[-1] - years[0] + 1)
    apart = min(room / (len(policies) + 1), 9.0)
    beats = [
        Beat(
            place=scale(each["year"]) + apart * (at - (len(policies) - 1) / 2),
            value=100 * each["skill"],
            low=_hundredfold(each["skill_low"]),
            high=_hundredfold(each["skill_high"]),
            pen=partial(mark, at, size=min(apart / 2.2, 3.8)),
            tip=f"{each['year']}, {spoken(policy['name'])}: {in_percent(each)}, {plural(each['days'], 'day')}",
            line=f"thin c{at}",
        )
        for at, policy in enumerate(policies)
        for each in _known_years(policy)
    ]
    top, bottom = 10.0, 220.0
    every = max(round(40 / room + 0.49), 1)
    names = (text(scale(year), bottom + 16, str(year), anchor="mid") for year in years[::every])
    keys = [(mark(at, 9, 6), spoken(each["name"])) for at, each in enumerate(policies)]
    drawn, tall = legend(keys, scale.start, bottom + 30, width - scale.start)
    body = _beats(beats, scale, top, bottom, percent=True)
    return Drawing(bottom + 32 + tall, joined((body, *names, drawn)))


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def drift_figure(document: Document) -> Figure | None:
    """Give warnings and alarms by monitor; ``None`` if there were none."""
    drift = document["drift"]
    if not drift:
        return None
    alarms = sum(each["level"] == "alarm" for each in drift)
    return Figure(
        name="drift",
        title="Drift",
        reading="Filled marks are alarms, hollow ones warnings; the shaded days are crashes.",
        description=f"{plural(alarms, 'alarm')} and {plural(len(drift) - alarms, 'warning')}.",
        basis=Basis(
            n=f"{plural(alarms, 'alarm')}, {plural(len(drift) - alarms, 'warning')} in"
            f" {plural(document['range']['sessions'], 'session')}",
            interval=OBSERVED,
            baseline="each monitor's own reference days",
        ),
        draw=lambda width: _draw_drift(document, width),
    )


def _draw_drift(document: Document, width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    monitors = sorted({each["monitor"] for each in document["drift"]})
    bottom = 12.0 + 38 * len(monitors)
    parts = [crash_shade(document, scale, 4, bottom), time_axis(scale, 4, bottom)]
    told_one_by_one = newest(document["drift"], MOST_TOLD)
    for at, monitor in enumerate(monitors):
        y = 8.0 + 38 * at
        older = document["drift"][: len(document["drift"]) - len(told_one_by_one)]
        days = (scale(day_number(each["day"])) for each in older if each["monitor"] == monitor)
        path = "".join(f"M{number(x)} {y + 20:g}v8" for x in days)
        parts += [tag("path", d=path, class_="old")] if path else []
        parts += [text(scale.start + 4, y + 11, monitor), rule(scale.start, y + 34, scale.stop, y + 34)]
        for each in told_one_by_one:
            if each["monitor"] == monitor:
                kind, colour = LEVELS.get(each["level"], ("circle", "open"))
                drawn = shape(kind, scale(day_number(each["day"])), y + 24, f"v {colour}")
                parts.append(told(f"{each['day']}, {each['level']}: {each['sentence']}", drawn))
    return Drawing(bottom + 26, joined(parts))
