"""Everything that a directory holds, wall-clock stamps aside, so that two lives can be compared."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from daemon.adapters.archive import ArchiveFolder
from daemon.layout import Layout
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUERIES: Final = {
    "files": "SELECT sha256, name, size_bytes, status, format, symbols, rows, first_day, last_day, code,"
    " sentence FROM files ORDER BY sha256",
    "parts": "SELECT data_version, part, symbols, rows, first_day, last_day FROM parts ORDER BY data_version",
    "labels": "SELECT market, labeler, day, data_version, regime, reason, pending FROM labels"
    " ORDER BY market, labeler, day, data_version",
    "labelers": "SELECT market, labeler, data_version, through_day, state FROM labelers ORDER BY market",
    "runs": "SELECT id, job, trigger, data_version, outcome, reason, version FROM runs ORDER BY id",
    "predictions": "SELECT version, symbol, day, data_version, regime, probabilities FROM predictions"
    " ORDER BY version, symbol, day, data_version",
    "trials": "SELECT id, kind, version, against, days, looks, outcome FROM trials ORDER BY id",
    "looks": "SELECT trial, days, verdict, reason FROM looks ORDER BY trial, days",
    "readings": "SELECT monitor, reference, day, data_version, level, statistic, threshold, effective_n,"
    " detail FROM readings ORDER BY monitor, reference, day",
    "monitors": "SELECT name, state FROM monitors ORDER BY name",
    "messages": "SELECT kind, state, count(*) FROM messages WHERE kind <> 'archive_due' OR state <> 'done'"
    " GROUP BY kind, state ORDER BY kind, state",
    "captured": "SELECT * FROM captured_events ORDER BY market, id",
    "captures": "SELECT * FROM captures ORDER BY market",
    "archived": "SELECT name, outcome, detail, inputs FROM archive_outcomes ORDER BY name",
    "events": "SELECT name, count(*) FROM events WHERE name NOT LIKE 'daemon.%'"
    " AND name NOT LIKE 'storage.%' AND name NOT IN ('ingest.duplicate', 'archive.built')"
    " GROUP BY name ORDER BY name",
}
"""What each event's effect was, exactly once. A file that was journalled but not yet removed when the
daemon was killed is seen again, which is told as a duplicate and changes nothing. How often an event is
archived while its bars still arrive is a matter of when one looks; what is archived in the end is not."""


def snapshot_of(root: Path) -> dict[str, object]:
    """Give all that a stopped daemon's directory holds but the times at which it came to be."""
    layout = Layout(root)
    with closing(open_read_only(layout.journal)) as connection:
        found: dict[str, object] = {
            name: connection.execute(query).fetchall() for name, query in QUERIES.items()
        }
    with Registry.open_read_only(layout.registry) as registry:
        found["versions"] = [
            (version.name, version.key, _timeless(version.manifest.to_json(), "created_at"))
            for version in registry.versions()
        ]
        names = [version.name for version in registry.versions()]
        found["scorecards"] = [registry.scorecard(name) for name in names]
        found["artifacts"] = [registry.artifacts(name) for name in names]
        found["reports"] = [[json.loads(report) for report in registry.reports(name)] for name in names]
        found["aliases"] = registry.aliases()
        found["deeds"] = [(event.kind, event.version, event.actor) for event in registry.events()]
        found["problems"] = registry.verify()
    found["archive"] = _archive_of(layout)
    for name in ("files", "bars", "registry/blobs"):
        found[f"names in {name}"] = _names_in(layout.state / name)
    found["names in inbox"] = _names_in(layout.inbox)
    found["names in quarantine"] = _names_in(layout.quarantine)
    return found


def _timeless(text: str, *stamps: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(text).items() if name not in stamps}


def _archive_of(layout: Layout) -> dict[str, object]:
    """Give the sha256 of each archived event, and its manifest without when it was built."""
    folder = ArchiveFolder(layout.archive)
    return {event: _timeless(folder.read(event)[1].to_json(), "data_version") for event in folder.events()}


def _names_in(folder: Path) -> list[str]:
    """Give the files of a folder; hidden ones are scratch that the next use writes over."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, object]]:
    """Give the function that takes everything in; see ``snapshot_of``."""
    return snapshot_of
