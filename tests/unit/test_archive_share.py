from __future__ import annotations

from datetime import date as calendar_day
from typing import Any

import numpy as np
import pytest

from regime.archive_share import EventDraw, draw_archive
from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.events import RARE_EVENTS, RareEvent
from regime.types import Regime
from regime.validation import SplitInputInvalidError

DAYS = np.arange("2000-01-01", "2010-01-01", dtype="datetime64[D]")
FROM = np.datetime64("2005-01-01")
BEFORE = np.datetime64("2008-01-01")


def event(id_: str, first: str, last: str, weight: float = 0.1) -> RareEvent:
    return RareEvent(
        id=id_,
        first_day=calendar_day.fromisoformat(first),
        last_day=calendar_day.fromisoformat(last),
        regime=Regime.CRASH,
        weight=weight,
    )


EARLY = event("early", "2001-01-01", "2001-03-31", 0.3)
LATE = event("late", "2003-01-01", "2003-03-31", 0.1)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_window_stays_and_events_before_it_make_the_share() -> None:
    drawn = draw_archive(DAYS, DAYS + 14, [EARLY, LATE], window_from=FROM, before=BEFORE, rng=rng())
    # 1095 days of 2005 to 2007 less the 14 whose horizon is not over; 1081 x 7 / 93 = 81.4.
    assert (drawn.rows_window, drawn.rows_archive) == (1081, 81)
    assert drawn.share_got == pytest.approx(0.07, abs=1e-3)
    assert (
        DAYS[drawn.rows[~drawn.is_archive]].tolist() == DAYS[(DAYS >= FROM) & (DAYS + 14 < BEFORE)].tolist()
    )


def test_events_share_the_rows_by_their_weights_and_rows_come_from_their_days() -> None:
    drawn = draw_archive(DAYS, DAYS + 14, [EARLY, LATE], window_from=FROM, before=BEFORE, rng=rng())
    assert drawn.by_event == {
        "early": EventDraw(rows_available=90, rows_drawn=61, none_because=None),
        "late": EventDraw(rows_available=90, rows_drawn=20, none_because=None),
    }
    of_events = DAYS[drawn.rows[drawn.is_archive]]
    assert np.bincount(of_events.astype("datetime64[Y]").astype(int) - 31).tolist() == [61, 0, 20]


def test_positions_are_ascending_and_none_occurs_twice() -> None:
    order = rng(3).permutation(len(DAYS))
    date = DAYS[order]
    drawn = draw_archive(date, date + 14, [EARLY, LATE], window_from=FROM, before=BEFORE, rng=rng())
    assert len(drawn.rows) == 1162
    assert (np.diff(drawn.rows) > 0).all()
    assert (date[drawn.rows[drawn.is_archive]] < FROM).all()


def test_an_event_with_too_few_rows_gives_all_and_the_others_the_rest() -> None:
    small = event("small", "2002-01-01", "2002-01-05", 10.0)
    drawn = draw_archive(DAYS, DAYS + 14, [small, LATE], window_from=FROM, before=BEFORE, rng=rng())
    assert [each.rows_drawn for each in drawn.by_event.values()] == [5, 76]


def test_no_row_is_repeated_if_there_are_fewer_than_asked_and_the_share_got_says_so() -> None:
    drawn = draw_archive(DAYS, DAYS + 14, [LATE], window_from=FROM, before=BEFORE, share=0.5, rng=rng())
    assert drawn.rows_archive == 90
    assert drawn.share_got == pytest.approx(90 / 1171)
    assert drawn.said() == (
        "archive: 90 rows beside 1081 of the window, 7.7% of all where 50.0% was asked (late 90)"
    )


def test_an_event_with_a_day_in_the_validation_block_gives_nothing_at_all() -> None:
    long = event("long", "2004-06-01", "2008-01-01")
    drawn = draw_archive(DAYS, DAYS + 14, [long, LATE], window_from=FROM, before=BEFORE, rng=rng())
    assert drawn.by_event["long"] == EventDraw(
        rows_available=0,
        rows_drawn=0,
        none_because="it lasts until 2008-01-01, and validation begins on 2008-01-01",
    )
    assert drawn.by_event["late"].rows_drawn == 81


def test_an_event_that_ends_before_the_block_gives_nothing_while_a_horizon_is_open() -> None:
    near = event("near", "2004-11-01", "2007-12-25")
    drawn = draw_archive(DAYS, DAYS + 14, [near], window_from=FROM, before=BEFORE, rng=rng())
    assert drawn.rows_archive == 0
    assert drawn.by_event["near"].none_because == (
        "the horizon of 8 of its rows is not over before 2008-01-01"
    )


def test_with_an_embargo_horizons_must_be_over_before_its_day() -> None:
    near = event("near", "2004-11-01", "2007-12-10")
    cut = np.datetime64("2007-12-20")
    days: dict[str, Any] = {"window_from": FROM, "before": BEFORE}
    free = draw_archive(DAYS, DAYS + 14, [near], **days, rng=rng())
    held = draw_archive(DAYS, DAYS + 14, [near], **days, horizon_before=cut, rng=rng())
    assert (free.rows_archive, held.rows_archive) == (61, 0)
    assert (DAYS[held.rows] + 14).max() == np.datetime64("2007-12-19")


def test_a_row_of_a_refused_event_is_not_drawn_through_another() -> None:
    long = event("long", "2003-03-01", "2009-01-01")
    drawn = draw_archive(DAYS, DAYS + 14, [LATE, long], window_from=FROM, before=BEFORE, rng=rng())
    assert drawn.by_event["late"].rows_available == 59
    assert DAYS[drawn.rows[drawn.is_archive]].max() == np.datetime64("2003-02-28")


def test_a_row_of_two_events_is_drawn_once_as_the_first_ones() -> None:
    twin = event("twin", "2003-01-01", "2003-04-10")
    drawn = draw_archive(DAYS, DAYS + 14, [LATE, twin], window_from=FROM, before=BEFORE, share=0.5, rng=rng())
    assert [each.rows_drawn for each in drawn.by_event.values()] == [90, 10]


def test_events_inside_the_window_and_events_without_data_say_why_they_give_nothing() -> None:
    recent, ancient = (
        event("recent", "2006-01-01", "2006-02-01"),
        event("ancient", "1987-10-01", "1987-12-01"),
    )
    drawn = draw_archive(DAYS, DAYS + 14, [recent, ancient], window_from=FROM, before=BEFORE, rng=rng())
    assert [each.none_because for each in drawn.by_event.values()] == ["it has no rows before the window"] * 2
    assert drawn.share_got == 0.0
    assert drawn.said().endswith("(no event)")


def test_an_event_whose_part_is_less_than_a_row_says_so() -> None:
    drawn = draw_archive(DAYS, DAYS + 14, [LATE], window_from=FROM, before=BEFORE, share=0, rng=rng())
    assert drawn.by_event["late"].none_because == "its part of the share is less than a row"


def test_a_horizon_that_is_not_known_is_not_over() -> None:
    horizon = DAYS + 14
    horizon[np.datetime64("2003-02-02") == DAYS] = np.datetime64("NaT")
    drawn = draw_archive(DAYS, horizon, [LATE], window_from=FROM, before=BEFORE, rng=rng())
    assert drawn.by_event["late"].none_because == (
        "the horizon of 1 of its rows is not over before 2008-01-01"
    )


def test_the_crash_of_2008_is_not_in_the_fold_that_begins_in_2009() -> None:
    days = np.arange("2000-01-01", "2012-01-01", dtype="datetime64[D]")
    drawn = draw_archive(
        days,
        days + 20,
        RARE_EVENTS,
        window_from=np.datetime64("2008-12-01"),
        before=np.datetime64("2009-01-01"),
        rng=rng(),
    )
    assert drawn.rows_archive == 0
    assert drawn.by_event["2008_financial_crisis"].none_because == (
        "it lasts until 2009-03-31, and validation begins on 2009-01-01"
    )


def test_the_same_seed_draws_the_same_rows_and_another_one_others() -> None:
    first, same, other = (
        draw_archive(DAYS, DAYS + 14, [LATE], window_from=FROM, before=BEFORE, share=0.05, rng=rng(seed))
        for seed in (1, 1, 2)
    )
    assert first.rows.tolist() == same.rows.tolist()
    assert first.rows.tolist() != other.rows.tolist()


@pytest.mark.parametrize("share", [-0.01, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(SettingInvalidError, match="share is"):
        draw_archive(DAYS, DAYS + 14, [LATE], window_from=FROM, before=BEFORE, share=share, rng=rng())


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SettingInvalidError, match="give days in this order"):
        draw_archive(DAYS, DAYS + 14, [LATE], window_from=BEFORE, before=FROM, rng=rng())


def test_a_window_without_rows_is_refused() -> None:
    late: dict[str, Any] = {"window_from": np.datetime64("2009-12-30"), "before": np.datetime64("2010-01-01")}
    with pytest.raises(HistoryTooShortError, match="no row from 2009-12-30"):
        draw_archive(DAYS, DAYS + 14, [LATE], **late, rng=rng())


def test_columns_and_events_that_contradict_themselves_are_refused() -> None:
    days: dict[str, Any] = {"window_from": FROM, "before": BEFORE}
    with pytest.raises(SplitInputInvalidError, match="horizons; give both"):
        draw_archive(DAYS, DAYS[1:], [LATE], **days, rng=rng())
    with pytest.raises(SplitInputInvalidError, match="horizon end on 1999-12-31, before it"):
        draw_archive(DAYS, DAYS - 1, [LATE], **days, rng=rng())
    with pytest.raises(SplitInputInvalidError, match="same id"):
        draw_archive(DAYS, DAYS + 14, [LATE, LATE], **days, rng=rng())
    with pytest.raises(SplitInputInvalidError, match="row 0 has no date"):
        draw_archive(np.array(["NaT"], dtype="datetime64[D]"), DAYS[:1], [LATE], **days, rng=rng())
