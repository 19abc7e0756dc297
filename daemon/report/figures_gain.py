"""How gains add up over the days, and skill by year."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from daemon.report.figures_beats import Beat, beats_over_levels, levels
from daemon.report.figures_forest import mark
from daemon.report.figures_frame import Basis, Drawing, Figure
from daemon.report.figures_market import crash_shade, left_of, right_of
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import BOOTSTRAP, called, count, decimals, in_percent, plural, spoken
from daemon.report.svg import Scale, is_narrow, legend, padded, text
from daemon.report.svg_time import line_path_of, time_axis, time_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.report.page_numbers import Document


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
            f"By {policies[0]['gain']['day'][-1]} {called(policies[0]['name'])} had saved"
            f" {decimals(policies[0]['gain']['nats'][-1], 1, signed=True)} nats."
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
    parts = [crash_shade(document, scale, top, bottom), levels(y, scale), time_axis(scale, top, bottom)]
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
            interval=f"{BOOTSTRAP}, within each year",
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
        f"In {ahead} of {plural(len(years), 'year')} {called(policy['name'])} was ahead of the regime prior,"
        f" in {surely} with its whole interval."
    )


def _known_years(policy: Document) -> list[Document]:
    return [each for each in policy["years"] if each["skill"] is not None]


def _draw_years(policies: Sequence[Document], years: Sequence[int], width: float) -> Drawing:
    if is_narrow(width):
        policies = policies[:2]
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
            tip=f"{each['year']}, {spoken(policy['name'])}: {in_percent(each)}, {each['days']} days",
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
    body = beats_over_levels(beats, scale, top, bottom, percent=True)
    return Drawing(bottom + 32 + tall, joined((body, *names, drawn)))


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share
