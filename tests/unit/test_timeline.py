"""Labels in a terminal: letters and their places, colours, and widths."""

from __future__ import annotations

import argparse
import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.commands.labels import labels as show_labels
from daemon.commands.timeline import colour_is_wanted, timeline, width_of_output
from daemon.errors import UsageError
from regime.types import Regime, RegimeSeries

if TYPE_CHECKING:
    from collections.abc import Mapping


def series(first: str, last: str, spells: Mapping[str, Regime], *, every_day: bool = False) -> RegimeSeries:
    """Give labels of the weekdays or of all days, normal but from the days on that are given."""
    days = np.arange(first, np.datetime64(last) + 1, dtype="datetime64[D]")
    days = days if every_day else days[np.is_busday(days)]
    regimes, now = [], Regime.NORMAL
    for day in days.astype(str).tolist():
        now = spells.get(day, now)
        regimes.append(now)
    return RegimeSeries(
        labeler="rules-12345678",
        date=days,
        regime=tuple(regimes),
        reason=("",) * len(days),
        pending=(None,) * len(days),
        provisional=np.zeros(len(days), dtype=bool),
    )


LONG = series(
    "1990-01-02",
    "2024-06-28",
    {
        "2008-09-15": Regime.CRASH,
        "2009-04-01": Regime.RECOVERY,
        "2009-09-01": Regime.HIGH_VOLATILITY,
        "2010-03-01": Regime.LOW_VOLATILITY,
        "2024-06-24": Regime.UNKNOWN,
    },
)


def lines_of(labels: RegimeSeries, *, columns: int = 80, has_colour: bool = False) -> list[str]:
    return list(timeline("us", labels, columns=columns, has_colour=has_colour))


def line(labels: RegimeSeries, period: str) -> str:
    (found,) = [text for text in lines_of(labels) if text.startswith(f"{period} ")]
    return found


def test_a_long_history_has_a_line_a_year_and_a_letter_a_week() -> None:
    said = lines_of(LONG)
    assert said[0] == "us, 1990-01-02 to 2024-06-28, rules-12345678"
    assert said[1] == "A letter a week, that of its gravest regime."
    assert sum(bool(re.match(r"\d{4} ", text)) for text in said) == 35
    assert line(LONG, "2008") == f"2008  {'N' * 36}{'C' * 17}  30   -   -  70   -"
    assert line(LONG, "2009") == f"2009  {'C' * 13}{'R' * 21}{'H' * 19}  25  42  34   -   -"


def test_a_day_of_crash_is_seen_in_its_week() -> None:
    one = series("2020-01-01", "2023-12-29", {"2021-03-03": Regime.CRASH, "2021-03-04": Regime.NORMAL})
    assert line(one, "2021")[6:59] == "N" * 8 + "C" + "N" * 44


def test_a_last_year_ends_where_the_labels_end_and_unknown_days_are_marks() -> None:
    assert line(LONG, "2024") == f"2024  {'L' * 25}?{' ' * 27}   -   -   -   -  96"


def test_a_short_range_has_a_line_a_month_and_a_letter_a_day() -> None:
    short = series("2020-02-03", "2020-03-31", {"2020-02-27": Regime.CRASH})
    said = lines_of(short)
    assert said[1] == "A letter a day."
    assert said[3] == "         1   5    10   15   20   25       C%  R%  H%  N%  L%"
    assert said[-1].endswith(". no session")
    assert line(short, "2020-02") == "2020-02    NNNNN..NNNNN..NNNNN..NNNCC     10   -   -  90   -"
    assert line(short, "2020-03") == "2020-03   CCCCC..CCCCC..CCCCC..CCCCC..CC 100   -   -   -   -"


def test_a_market_that_never_closes_has_a_letter_on_every_day() -> None:
    coins = series("2024-02-01", "2024-02-29", {"2024-02-03": Regime.HIGH_VOLATILITY}, every_day=True)
    assert line(coins, "2024-02")[9:40] == "NN" + "H" * 27 + "  "


def test_a_month_without_any_session_is_an_empty_line() -> None:
    shut = series("2024-01-31", "2024-03-01", {})
    dates = shut.date.astype("datetime64[M]") != np.datetime64("2024-02")
    at = np.flatnonzero(dates)
    holed = RegimeSeries(
        labeler=shut.labeler,
        date=shut.date[at],
        regime=(Regime.NORMAL,) * len(at),
        reason=("",) * len(at),
        pending=(None,) * len(at),
        provisional=shut.provisional[at],
    )
    assert line(holed, "2024-02").split() == ["2024-02", "-", "-", "-", "-", "-"]


def test_the_legend_names_what_occurs_with_its_share() -> None:
    legend = " ".join(lines_of(LONG)[-2:])
    assert "C crash 2%" in legend
    assert "? unknown 0%" in legend
    assert "no session" not in legend
    assert "recovery" not in " ".join(lines_of(series("2024-01-01", "2024-01-31", {}))[-2:])


@pytest.mark.parametrize("columns", [62, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    short = series("2023-01-02", "2024-06-28", {"2023-03-01": Regime.CRASH, "2023-04-03": Regime.RECOVERY})
    for labels in (LONG, short):
        assert max(map(len, lines_of(labels, columns=columns))) <= columns


def test_colours_change_nothing_but_the_background_of_letters() -> None:
    painted = "\n".join(lines_of(LONG, has_colour=True))
    assert f"\x1b[48;5;166;38;5;16m{'C' * 17}\x1b[0m" in painted
    assert "mN\x1b" not in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == "\n".join(lines_of(LONG))


def test_a_timeline_is_for_people_and_not_for_machines() -> None:
    asked = argparse.Namespace(timeline=True, json=True, plot=None)
    with pytest.raises(UsageError, match="--timeline is for people"):
        show_labels(asked)


def test_output_that_is_no_terminal_has_no_colour_and_room_for_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert (colour_is_wanted(), width_of_output()) == (False, 79)
