"""Who served at a date: every champion of a day, or the one of a moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daemon.commands.model_history import at_date
from daemon.errors import UsageError
from registry.types import EventKind, Tenure


def tenure(version: str, since: str, until: str | None) -> Tenure:
    return Tenure(
        version=version,
        since=datetime.fromisoformat(since).replace(tzinfo=UTC),
        until=None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC),
        kind=EventKind.PROMOTED,
        actor="gate",
        reason="better",
    )


TENURES = (
    tenure("v1", "2024-03-01T10:00", "2024-03-05T12:00"),
    tenure("v2", "2024-03-05T12:00", "2024-03-05T18:00"),
    tenure("v3", "2024-03-05T18:00", None),
)


@pytest.mark.parametrize(
    ("asked", "versions"),
    [
        ("2024-02-29", []),
        ("2024-03-01", ["v1"]),
        ("2024-03-05", ["v1", "v2", "v3"]),
        ("2024-03-06", ["v3"]),
        ("2024-03-01T09:59", []),
        ("2024-03-05T11:59:59", ["v1"]),
        ("2024-03-05T12:00", ["v2"]),
        ("2024-03-05T20:00+03:00", ["v2"]),
        ("2031-01-01T00:00", ["v3"]),
    ],
)
def test_a_day_gives_all_that_served_on_it_and_a_time_the_one(asked: str, versions: list[str]) -> None:
    assert [each.version for each in at_date(TENURES, asked)] == versions


def test_what_is_no_date_is_said() -> None:
    with pytest.raises(UsageError, match=r"'1\.3\.2024' is no date; write it as 2024-03-01"):
        at_date(TENURES, "1.3.2024")
