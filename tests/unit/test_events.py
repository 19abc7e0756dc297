"""The catalogue of rare events, and when a found event is one that is known."""

from __future__ import annotations

from datetime import date

import pytest

from regime.events import (
    CATALOGUED,
    DYNAMIC,
    RARE_EVENTS,
    EventUnknownError,
    RareEvent,
    event_named,
    overlap_days,
    same_as,
)
from regime.types import REGIMES, Regime


def found(first: str, last: str) -> RareEvent:
    return RareEvent(
        id="found",
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        regime=Regime.CRASH,
        weight=0.1,
        origin=DYNAMIC,
    )


def test_the_catalogue_is_that_of_the_mission() -> None:
    rows = [
        (event.id, str(event.first_day), str(event.last_day), event.regime.value, event.weight)
        for event in RARE_EVENTS
    ]
    assert rows == [
        ("2008_financial_crisis", "2008-09-01", "2009-03-31", "crash", 0.20),
        ("2011_debt_ceiling", "2011-07-01", "2011-08-31", "high_volatility", 0.05),
        ("2015_china_devaluation", "2015-08-01", "2015-09-30", "high_volatility", 0.05),
        ("2018_volmageddon", "2018-02-01", "2018-02-28", "crash", 0.10),
        ("2020_covid_crash", "2020-02-20", "2020-03-23", "crash", 0.15),
        ("2020_covid_recovery", "2020-03-24", "2020-06-30", "recovery", 0.15),
        ("2022_inflation_bear_market", "2022-01-01", "2022-12-31", "high_volatility", 0.20),
        ("2023_banking_mini_crisis", "2023-03-01", "2023-04-30", "high_volatility", 0.10),
    ]


def test_the_weights_of_the_catalogue_add_up_to_one() -> None:
    assert sum(event.weight for event in RARE_EVENTS) == pytest.approx(1.0, abs=1e-12)


def test_no_two_events_of_the_catalogue_share_a_day() -> None:
    shared = [
        (one.id, other.id)
        for at, one in enumerate(RARE_EVENTS)
        for other in RARE_EVENTS[at + 1 :]
        if overlap_days(one, other)
    ]
    assert shared == []


def test_events_of_the_catalogue_have_one_of_the_five_regimes_and_say_where_they_are_from() -> None:
    assert {event.regime for event in RARE_EVENTS} <= set(REGIMES)
    assert {event.origin for event in RARE_EVENTS} == {CATALOGUED}


def test_an_unknown_event_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        EventUnknownError, match=r"no event '2008_crisis'; did you mean 2008_financial_crisis\?"
    ):
        event_named("2008_crisis")
    with pytest.raises(EventUnknownError, match="known: 2008_financial_crisis, 2011"):
        event_named("x")


@pytest.mark.parametrize(
    ("first", "last", "weight", "origin"),
    [
        ("2020-03-02", "2020-03-01", 0.1, DYNAMIC),
        ("2020-03-01", "2020-03-01", 0.0, DYNAMIC),
        ("2020-03-01", "2020-03-01", 0.1, "guessed"),
    ],
    ids=["backwards", "weightless", "of no origin"],
)
def test_what_is_no_event_cannot_be_made(first: str, last: str, weight: float, origin: str) -> None:
    with pytest.raises(ValueError, match="x is no event"):
        RareEvent(
            id="x",
            first_day=date.fromisoformat(first),
            last_day=date.fromisoformat(last),
            regime=Regime.CRASH,
            weight=weight,
            origin=origin,
        )


@pytest.mark.parametrize(
    ("first", "last", "share", "ids"),
    [
        ("2008-10-02", "2009-03-25", 0.5, ("2008_financial_crisis",)),
        ("2020-03-06", "2020-04-16", 0.5, ("2020_covid_recovery", "2020_covid_crash")),
        ("2020-03-06", "2020-04-16", 1.0, ("2020_covid_recovery", "2020_covid_crash")),
        ("2011-09-30", "2011-10-04", 0.5, ()),
        ("2011-08-27", "2011-09-05", 0.5, ("2011_debt_ceiling",)),
        ("2011-08-27", "2011-09-06", 0.5, ()),
    ],
    ids=["inside", "two together", "wholly covered", "none", "just half", "just under half"],
)
def test_an_event_is_the_same_as_those_that_cover_enough_of_its_days(
    first: str, last: str, share: float, ids: tuple[str, ...]
) -> None:
    assert same_as(found(first, last), RARE_EVENTS, share_min=share) == ids


def test_days_that_two_known_events_cover_are_counted_once() -> None:
    known = [found("2010-01-01", "2010-01-04"), found("2010-01-01", "2010-01-04")]
    assert same_as(found("2010-01-01", "2010-01-10"), known, share_min=0.5) == ()
