"""Lines of the report: few points, no extreme lost, and no error that adds up."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from daemon.report.svg import Scale, line_path, ticks
from daemon.report.svg_time import spells_of, thinned, time_axis
from tests.examples import examples

VALUES = st.floats(-1e6, 1e6)


@examples(40)
@given(st.lists(VALUES, min_size=1, max_size=400), st.integers(8, 60))
def test_a_thinned_line_keeps_its_ends_and_its_extremes(values: list[float], most: int) -> None:
    points = list(enumerate(values))

    kept = thinned(points, most)

    assert len(kept) <= most
    assert kept == sorted(set(kept))
    assert {points[0], points[-1]} <= set(kept)
    kept_values = [value for _, value in kept]
    assert (min(kept_values), max(kept_values)) == (min(values), max(values))


@examples(40)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=1, max_size=50))
def test_the_steps_of_a_path_add_up_to_its_rounded_points(points: list[tuple[float, float]]) -> None:
    numbers = [
        float(each) for each in re.findall(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]\d+)?", line_path(points, 2))
    ]
    across, down = accumulate(numbers[0::2]), accumulate(numbers[1::2])

    for (x, y), (px, py) in zip(points, zip(across, down, strict=True), strict=True):
        assert abs(x - px) <= 0.0051
        assert abs(y - py) <= 0.0051


@examples(40)
@given(VALUES, st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_lie_within_what_is_drawn_and_are_not_too_many(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)

    assert len(found) <= most + 1
    assert all(low - 1e-6 * span <= each <= low + span * (1 + 1e-6) for each in found)


@examples(40)
@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.integers(1, 40_000), st.sampled_from([332.0, 884.0]))
def test_names_of_days_never_touch_and_never_leave_the_axis(first: date, days: int, width: float) -> None:
    last = first + timedelta(days=days)
    scale = Scale(first=first.toordinal(), last=last.toordinal(), start=50, stop=50 + width)

    places = [float(each) for each in re.findall(r'<text x="([\d.]+)"', time_axis(scale, 0, 100))]

    assert all(50 <= place <= 50 + width for place in places)
    assert all(after - before >= 40 for before, after in pairwise(places))


@examples(40)
@given(st.lists(st.sampled_from(["crash", "normal", "recovery"]), min_size=1, max_size=60))
def test_spells_cover_every_day_once_and_change_their_name(names: list[str]) -> None:
    days = [3 * at for at in range(len(names))]

    spells = spells_of(days, names, days[-1] + 1)

    assert [name for first, last, name in spells for day in days if first <= day < last] == names
    assert all(one[1] == other[0] and one[2] != other[2] for one, other in pairwise(spells))
