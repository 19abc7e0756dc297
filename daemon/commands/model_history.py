"""``models history``: which version served when, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_json, print_table, reading_registry
from daemon.commands.times import local_time
from daemon.errors import UsageError
from daemon.layout import layout_of
from registry.history import tenure_at

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from registry.types import Tenure

DAY_DIGITS: Final = len("2024-03-01")


def history(options: argparse.Namespace) -> int:
    """Show every time as champion, or those of a day or a moment."""
    with reading_registry(layout_of(options)) as registry:
        tenures = registry.tenures()
        standing = {version.name for version in registry.versions()}
    shown = tenures if options.at is None else at_date(tenures, options.at)
    rows = [_row(tenure, standing) for tenure in shown]
    if options.json:
        print_json({"at": options.at, "tenures": rows})
    elif rows:
        _print(rows)
    else:
        print(f"no version served{f' at {options.at}' if options.at else ' yet'}")
    return 0


def at_date(tenures: Sequence[Tenure], asked: str) -> tuple[Tenure, ...]:
    """Give who served at any moment of a UTC day, or at one moment; nobody is an empty answer.

    Raises
    ------
    UsageError
        If ``asked`` is neither a day nor a time.
    """
    try:
        at = datetime.fromisoformat(asked)
    except ValueError as error:
        raise UsageError(f"{asked!r} is no date; write it as 2024-03-01 or 2024-03-01T14:30") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if len(asked) > DAY_DIGITS:
        served = tenure_at(tenures, at)
        return () if served is None else (served,)
    end = at + timedelta(days=1)
    return tuple(
        tenure for tenure in tenures if tenure.since < end and (tenure.until is None or tenure.until > at)
    )


def _row(tenure: Tenure, standing: set[str]) -> dict[str, Any]:
    return {
        "version": tenure.version,
        "since": tenure.since.isoformat(),
        "until": None if tenure.until is None else tenure.until.isoformat(),
        "by": tenure.kind.value,
        "actor": tenure.actor,
        "reason": tenure.reason,
        "deleted": tenure.version not in standing,
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("version", "since", "until", "by", "actor", "reason"),
        [
            (
                f"{row['version']}{' (deleted)' if row['deleted'] else ''}",
                local_time(row["since"]),
                "now" if row["until"] is None else local_time(row["until"]),
                row["by"],
                row["actor"],
                row["reason"],
            )
            for row in rows
        ],
    )
