"""Names of rare events in pictures: in the days shown, never one over another, never outside."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.plot_events import Placed, place_events
from daemon.plots import plot_labels
from regime.events import DYNAMIC, RARE_EVENTS, RareEvent
from regime.labels import label_days, labeler_named
from regime.types import Bars, Regime

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH = 1086.0


def weekdays(count: int) -> NDArray[np.datetime64]:
    days = np.datetime64("2019-06-03") + np.arange(2 * count)
    return days[np.is_busday(days)][:count]


def captured(first: date, days: int = 20) -> RareEvent:
    return RareEvent(
        id=f"dynamic_{first:%Y_%m_%d}",
        first_day=first,
        last_day=first + timedelta(days=days),
        regime=Regime.CRASH,
        weight=0.1,
        origin=DYNAMIC,
    )


def span(event: Placed) -> tuple[float, float]:
    """Give where bracket and name stand together; letters of this size are 6.3 pixels wide, or more."""
    half = len(event.name) * 6.3 / 2
    return min(event.left, event.text - half), max(event.right, event.text + half)


def overlaps(one: Placed, other: Placed) -> bool:
    (left, right), (other_left, other_right) = span(one), span(other)
    return one.lane == other.lane and left < other_right and other_left < right


@pytest.mark.parametrize(
    ("first", "last", "names", "lanes"),
    [
        (date(1990, 1, 2), date(2024, 12, 31), 8, 5),
        (date(2004, 1, 2), date(2024, 6, 28), 8, 3),
        (date(2020, 1, 2), date(2020, 12, 31), 2, 2),
        (date(2022, 1, 3), date(2022, 12, 30), 1, 1),
        (date(2013, 1, 2), date(2013, 12, 31), 0, 0),
    ],
)
def test_the_events_of_one_year_and_of_35_have_names_that_touch_no_other(
    first: date, last: date, names: int, lanes: int
) -> None:
    found = place_events(RARE_EVENTS, first, last, WIDTH)
    assert (len(found.events), found.lanes, found.left_out) == (names, lanes, 0)
    assert not [pair for pair in combinations(found.events, 2) if overlaps(*pair)]
    assert all(event.left >= 0 and event.right <= WIDTH for event in found.events)


def test_a_bracket_stands_over_the_days_of_its_event() -> None:
    (event,) = place_events(
        [captured(date(2020, 1, 11), 19)], date(2020, 1, 1), date(2020, 4, 9), 1000.0
    ).events
    assert (event.left, event.right, event.text) == (100.0, 300.0, 200.0)


def test_an_event_that_is_shown_in_part_has_a_bracket_to_the_edge() -> None:
    (event,) = place_events(RARE_EVENTS[-2:-1], date(2022, 7, 1), date(2023, 6, 30), WIDTH).events
    assert event.left == 0.0
    assert event.right == pytest.approx(WIDTH * 184 / 365)


def test_a_month_of_a_hundred_years_is_still_seen() -> None:
    (event,) = place_events(
        [captured(date(2020, 3, 6), 1)], date(1950, 1, 1), date(2049, 12, 31), WIDTH
    ).events
    assert event.right - event.left == 3.0


def test_of_too_many_events_the_catalogued_keep_their_place_and_the_others_are_counted() -> None:
    crowd = [captured(date(2020, 1, 1) + timedelta(days=days)) for days in range(1, 20)]
    found = place_events([*crowd, *RARE_EVENTS], date(1990, 1, 2), date(2024, 6, 28), WIDTH)
    names = [event.name for event in found.events]
    assert {event.id.replace("_", " ") for event in RARE_EVENTS} <= set(names)
    assert found.lanes == 5
    assert found.left_out == len(crowd) + len(RARE_EVENTS) - len(names) > 0


def test_a_captured_event_is_named_by_its_day() -> None:
    (event,) = place_events([captured(date(2020, 3, 6))], date(2020, 1, 1), date(2020, 12, 31), WIDTH).events
    assert event.name == "captured 2020-03-06"


def test_a_picture_names_the_events_of_its_days_alone(tmp_path: Path) -> None:
    days = weekdays(300)
    index = Bars.of_closes("^IDX", days, [100.0 + day % 7 for day in range(300)])
    fear = Bars.of_closes("^VIX", days, np.full(300, 18.0))
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    plot_labels(index, fear, labels, tmp_path / "labels.svg", events=RARE_EVENTS)
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    assert "2020 covid crash" in text
    assert "2018 volmageddon" not in text


def test_fear_by_proxy_is_drawn_where_its_history_is_longer_than_the_picture(tmp_path: Path) -> None:
    days = weekdays(600)
    index = Bars.of_closes("^IDX", days, [100.0 + day % 7 for day in range(600)])
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    last = type(labels)(
        labeler=labels.labeler,
        date=labels.date[-50:],
        regime=labels.regime[-50:],
        reason=labels.reason[-50:],
        pending=labels.pending[-50:],
        provisional=labels.provisional[-50:],
    )
    plot_labels(index, None, last, tmp_path / "labels.svg")
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    assert "carried forward or by proxy" in text
    assert f"{days[550]} to {days[599]}" in text
