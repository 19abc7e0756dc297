"""``drift``: what the drift monitors see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.commands.context import print_json, print_table, reading
from daemon.layout import layout_of

if TYPE_CHECKING:
    import argparse


def drift(options: argparse.Namespace) -> int:
    """Print the last readings of each monitor."""
    with reading(layout_of(options)) as ledger:
        readings = ledger.readings(last=options.last)
        alarms = ledger.events(name="drift.detected")
    if options.json:
        print_json({"readings": list(readings), "alarms": [dict(alarm.fields) for alarm in alarms]})
        return 0
    if not readings:
        print("no readings yet: the monitors start with the first champion")
        return 0
    print_table(
        ("monitor", "date", "level", "statistic", "threshold", "effective n", "detail"),
        [
            (
                reading["monitor"],
                reading["date"],
                reading["level"],
                reading["statistic"],
                reading["threshold"],
                reading["effective_n"],
                _detail(reading["detail"]),
            )
            for reading in readings
        ],
    )
    print(f"\n{len(alarms)} alarms so far; drift acts on nothing yet")
    return 0


def _detail(detail: dict[str, Any]) -> str:
    """Name what moved most."""
    worst = [finding["name"] for finding in detail["findings"]]
    return f"{detail['tested']} tested; {', '.join(worst)}" if worst else f"{detail['tested']} tested"
