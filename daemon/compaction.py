"""Many deltas become a file a year; what those replace is kept for a while, then deleted.

A compaction changes no content and makes no data version. Files are deleted in two steps: first the journal
stops to list them, then they go. So a file is listed or on its way out, wherever the daemon was killed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from daemon.errors import ChildFailedError, PartMissingError
from daemon.messages import CompactionDue, PartsUnlisted, RemovalDue
from daemon.records import BarsCompacted, ChildJob, Event, Outcome, RetiredUnlisted, YearFile

if TYPE_CHECKING:
    from daemon.records import ChildEnd
    from daemon.settings import BarsSettings
    from daemon.tools import Tools


def compaction_due(data_version: int, settings: BarsSettings) -> tuple[CompactionDue, ...]:
    """Give the compaction that a new data version makes due, if it is the one delta too many.

    Told by the number alone, so that a daemon that was killed compacts the same as one that was not.
    """
    return () if data_version % (settings.deltas_max + 1) else (CompactionDue(data_version=data_version),)


def compact(message: CompactionDue, tools: Tools) -> Outcome | ChildJob:
    """Compact in a child process, unless a later compaction has done it already."""
    if tools.ledger.bars.is_compacted(message.data_version):
        return Outcome()
    return ChildJob(
        module="daemon.children.compact",
        job={"root": str(tools.layout.root), "data_version": message.data_version},
        time_limit_s=tools.settings.bars.time_limit_s,
        memory_limit_mib=tools.settings.bars.memory_limit_mib,
    )


def note_compaction(message: CompactionDue, end: ChildEnd, tools: Tools) -> Outcome:
    """Let year files take the place of deltas."""
    if end.result is None:
        raise ChildFailedError(f"data version {message.data_version} could not be compacted: {end.reason}")
    found: Any = end.result["files"]
    files = tuple(YearFile(**{**file, "symbols": tuple(file["symbols"])}) for file in found)
    for file in files:
        if not tools.bars.has(file.part):  # it was there before under this name, and went meanwhile
            raise PartMissingError(file.part)
    live = tools.ledger.bars.parts(through=message.data_version)
    fields = {
        "data_version": message.data_version,
        "deltas": sum(part.year is None for part in live),
        "years": [str(file.year) for file in files],
        "rows": sum(file.rows for file in files),
    }
    return Outcome(
        records=(BarsCompacted(data_version=message.data_version, files=files),),
        events=(Event(name="bars.compacted", fields=fields),),
    )


def removal_due(tools: Tools) -> tuple[RemovalDue, ...]:
    """Give the removal of retired files that are old enough and that no run or message needs."""
    kept_since = tools.clock.now() - timedelta(days=tools.settings.bars.keep_retired_days)
    through = tools.ledger.bars.removable(retired_before=kept_since.isoformat())
    return () if through is None else (RemovalDue(through=through),)


def unlist_retired(message: RemovalDue, tools: Tools) -> Outcome:
    """Stop to list the retired files; data versions before can be read no more."""
    parts = tools.ledger.bars.retired(through=message.through)
    fields = {"oldest_data_version": message.through, "files": len(parts)}
    return Outcome(
        records=(RetiredUnlisted(through=message.through),),
        events=(Event(name="bars.removed", fields=fields),),
        follow_ups=(PartsUnlisted(through=message.through, parts=parts),),
    )


def delete_unlisted(message: PartsUnlisted, tools: Tools) -> Outcome:
    """Delete files, but those that are listed again under the same name, because equal bars came again."""
    listed = tools.ledger.bars.listed_among(message.parts)
    for part in message.parts:
        if part not in listed:
            tools.bars.remove(part)
    return Outcome()
