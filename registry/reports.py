"""What the gate said of versions: JSON objects as text, kept to the byte and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.database import transaction
from registry.history import append_event, done_before
from registry.rows import number_of, object_of
from registry.types import EventKind, sha256_of, text_of_time

if TYPE_CHECKING:
    import sqlite3

    from registry.types import Deed, Event


def keep_report(connection: sqlite3.Connection, version: str, report: str, deed: Deed) -> Event:
    """Keep a report with its event in one transaction; once for a key."""
    champion = object_of(report).get("champion")
    digest = sha256_of(report)
    asked = {"version": version, "report_sha256": digest}
    with transaction(connection):
        if (done := done_before(connection, EventKind.REPORTED, deed.key, asked)) is not None:
            return done
        connection.execute(
            "INSERT INTO reports (version, key, body, sha256, at, champion) VALUES (?, ?, ?, ?, ?, ?)",
            (
                number_of(version),
                deed.key,
                report,
                digest,
                text_of_time(deed.at),
                None if champion is None else str(champion),
            ),
        )
        return append_event(connection, EventKind.REPORTED, version, deed, {"asked": asked})


def reports_on(connection: sqlite3.Connection, version: str) -> tuple[str, ...]:
    """Give all reports on a version as they were stored, oldest first."""
    rows = connection.execute(
        "SELECT body FROM reports WHERE version = ? ORDER BY number", (number_of(version),)
    )
    return tuple(body for (body,) in rows)


def latest_reports(connection: sqlite3.Connection) -> tuple[dict[str, object], ...]:
    """Give the latest report on every version that was judged, also of those that were deleted since."""
    rows = connection.execute(
        "SELECT body FROM reports WHERE number IN (SELECT max(number) FROM reports GROUP BY version)"
        " ORDER BY version"
    )
    return tuple(object_of(body) for (body,) in rows)
