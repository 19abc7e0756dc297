"""The gate in time: champions and verdicts, what its decisions earned, and warnings of drift."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.report.figures_beats import Beat, beats_over_levels
from daemon.report.figures_frame import Basis, Drawing, Figure
from daemon.report.figures_market import crash_shade, left_of, right_of
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import BOOTSTRAP, RIGHT, interval, nats, newest, plural, spoken
from daemon.report.svg import CHARACTER, Scale, legend, rule, shape, text, told
from daemon.report.svg_time import bands, day_number, time_axis, time_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.report.page_numbers import Document
    from daemon.report.svg_time import Spell

WARNING: Final = "warning"
"""The level of drift that asks for nothing yet; every other is an alarm."""
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
ROWS: Final = ("up", "diamond", "circle", "cross")
"""Marks of verdicts from the top down; other marks stand in the first row."""


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
        f"{plural(len(verdicts), 'verdict')}: {admitted} made a champion at once, {refused} rejected;"
        f" {plural(len(champions), 'champion')} served."
    )


def _draw_champions(document: Document, width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    champions = [
        each for each in document["champions"] if not each["to"] or day_number(each["to"]) > scale.first
    ]
    bottom = 118.0
    verdicts = newest(document["verdicts"])
    older = document["verdicts"][: -len(verdicts)]
    parts = [time_axis(scale, 30, bottom), *_reigns(champions, scale)]
    parts += [_old(_days_of(older, kind), scale, _row_of(kind) - 4) for kind in ROWS]
    present = [_mark_of(each["verdict"]) for each in verdicts]
    for each, (kind, colour, _) in zip(verdicts, present, strict=True):
        against = f" against {each['against']}" if each["against"] else ""
        tip = f"{each['day']}: {each['version']}{against}: {each['verdict']}. {each['reason']}"
        parts.append(
            told(tip, shape(kind, scale.within(day_number(each["day"])), _row_of(kind), f"v {colour}"))
        )
    keys = [
        (shape(kind, 9, 6, f"v {colour}"), words) for kind, colour, words in sorted(dict.fromkeys(present))
    ]
    drawn, tall = legend(keys, scale.start, bottom + 30, width - scale.start)
    return Drawing(bottom + 32 + tall, joined((*parts, drawn)))


def _row_of(kind: str) -> float:
    return 50.0 + 17 * (ROWS.index(kind) if kind in ROWS else 0)


def _days_of(verdicts: Sequence[Document], kind: str) -> list[str]:
    return [each["day"] for each in verdicts if _mark_of(each["verdict"])[0] == kind]


def _old(days: Sequence[str], scale: Scale, top: float) -> Markup:
    """Give days as strokes that tell nothing of their own; what falls on one pixel is drawn once."""
    places = sorted({round(scale.within(day_number(day))) for day in days})
    path = "".join(f"M{x} {top:g}v8" for x in places)
    return tag("path", d=path, class_="old") if path else Markup("")


def _mark_of(verdict: str) -> tuple[str, str, str]:
    return VERDICTS.get(verdict, ("circle", "open", spoken(verdict).lower()))


def _reigns(champions: Sequence[Document], scale: Scale) -> list[Markup]:
    """Give who served when; two shades take turns. Of very many the oldest have no names."""
    named = len(champions) - len(newest(champions))
    shades = (
        bands(scale, [_spell(each, scale) for each in champions[turn:named:2]], 6, 20) for turn in (0, 1)
    )
    old = [tag("path", d=d, class_=f"reign e{turn}") for turn, d in enumerate(shades) if d]
    return old + [_reign(each, scale, at) for at, each in enumerate(champions[named:], start=named)]


def _spell(champion: Document, scale: Scale) -> Spell:
    first, end = int(scale.first), int(scale.last)
    last = day_number(champion["to"]) if champion["to"] else end
    return max(day_number(champion["from"]), first), min(last, end), champion["version"]


def _reign(champion: Document, scale: Scale, at: int) -> Markup:
    first, last, name = _spell(champion, scale)
    left, width = scale(first), max(scale(last) - scale(first), 1.0)
    parts = [tag("rect", x=left, y=6, width=width, height=20, class_=f"reign e{at % 2}")]
    if CHARACTER * len(name) + 6 <= width:
        parts.append(text(left + width / 2, 20, name, "tr", anchor="mid"))
    return told(f"{name} served from {champion['from']} to {champion['to'] or 'now'}", *parts)


def record_figure(document: Document) -> Figure | None:
    """Give what each decision of the gate earned; ``None`` if none could be measured."""
    measured = [each for each in document["gate_record"] if each["nats"] is not None]
    record = newest(measured)
    if not record:
        return None
    days = sum(each["days"] for each in record)
    return Figure(
        name="gate-record",
        title="Was the gate right?",
        reading=(
            "How each judged version did, or would have done, in the days that followed: its mean log-loss"
            " gain over the champion of its verdict, in nats. Above zero it was better, and promoting it was"
            " right; below zero holding it back was. Hollow where the interval spans zero."
        ),
        description=f"{plural(len(record), 'decision')}; the table below tells each.",
        basis=Basis(
            n=f"{_of_all(record, measured)} over {plural(days, 'day')}",
            interval=BOOTSTRAP,
            baseline="the champion that the version was judged against, at zero",
        ),
        draw=lambda width: _draw_record(document, record, width),
    )


def _of_all(drawn: Sequence[Document], known: Sequence[Document]) -> str:
    if len(drawn) == len(known):
        return plural(len(known), "decision")
    return f"the newest {len(drawn)} of {plural(len(known), 'decision')}"


def _draw_record(document: Document, record: Sequence[Document], width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    colours = {True: "good", False: "bad", None: "open"}
    beats = []
    for each in record:
        kind, colour = "circle" if each["held"] else "up", colours[each["right"]]
        pen = partial(shape, kind, class_=f"v {colour}", size=4)
        place = scale.within(day_number(each["day"]))
        deed = "held back" if each["held"] else "promoted"
        gain = f"{nats(each['nats'])} {interval(each['low'], each['high']) or ''}"
        told_of = f"{each['day']}: {each['version']} {deed}, {RIGHT[each['right']]}"
        tip = f"{told_of}: {gain} nats, {each['days']} days"
        beats.append(Beat(place, each["nats"], each["low"], each["high"], pen, tip))
    top, bottom = 10.0, 200.0
    body = beats_over_levels(beats, scale, top, bottom)
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


def drift_figure(document: Document) -> Figure | None:
    """Give warnings and alarms by monitor; ``None`` if there were none."""
    drift = document["drift"]
    if not drift:
        return None
    alarms = sum(each["level"] != WARNING for each in drift)
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
    drift = newest(document["drift"])
    older = document["drift"][: -len(drift)]
    for at, monitor in enumerate(monitors):
        y = 8.0 + 38 * at
        parts += [text(scale.start + 4, y + 11, monitor), rule(scale.start, y + 34, scale.stop, y + 34)]
        parts.append(_old([each["day"] for each in older if each["monitor"] == monitor], scale, y + 20))
        for each in drift:
            if each["monitor"] == monitor:
                colour = "open" if each["level"] == WARNING else "bad"
                drawn = shape("up", scale.within(day_number(each["day"])), y + 24, f"v {colour}")
                parts.append(told(f"{each['day']}, {each['level']}: {each['sentence']}", drawn))
    return Drawing(bottom + 26, joined(parts))
