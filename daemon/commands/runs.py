"""``train --now``, ``runs list`` and ``runs show``: training runs."""

from __future__ import annotations

import difflib
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.lock import holder_of
from daemon.commands.context import print_json, print_table, reading
from daemon.commands.progress import bar, progress_of, times
from daemon.commands.times import age, local_time, now
from daemon.commands.writing import writing
from daemon.errors import UsageError
from daemon.layout import layout_of
from daemon.messages import RetrainDue

if TYPE_CHECKING:
    import argparse

    from daemon.adapters.ledger import StoredRun
    from daemon.layout import Layout

FOLLOW_S: Final = 0.3


def train(options: argparse.Namespace) -> int:
    """Leave a message that asks for a run at once; a stopped daemon takes it up when it starts."""
    layout = layout_of(options)
    at = now()
    due = RetrainDue(trigger="manual", period=at.isoformat())
    with writing(layout) as journal:
        journal.append([due], now=at)
    runs = holder_of(layout.lock) is not None
    if options.json:
        print_json({"asked": due.key, "daemon_is_running": runs})
    elif runs:
        print("asked for a run; follow it with: regimed runs show last --follow")
    else:
        print("asked for a run; the daemon is not running and takes it up when it starts")
    return 0


def list_runs(options: argparse.Namespace) -> int:
    """List training runs."""
    with reading(layout_of(options)) as ledger:
        runs = ledger.runs()
    if options.json:
        print_json({"runs": [run._asdict() for run in runs]})
        return 0
    rows = [
        (
            run.id,
            run.outcome,
            run.trigger,
            local_time(run.opened_at),
            _took(run),
            run.version,
            run.reason or "",
        )
        for run in runs
    ]
    print_table(("run", "outcome", "trigger", "opened", "took", "version", "reason"), rows)
    return 0


def show(options: argparse.Namespace) -> int:
    """Show one run, and with ``--follow`` its progress until it ends."""
    layout = layout_of(options)
    run = _run(layout, options.run)
    while options.follow and run.outcome == "running":
        _draw(progress_of(layout, run.id), run)
        time.sleep(FOLLOW_S)
        run = _run(layout, run.id)
    if options.follow and sys.stderr.isatty():
        print(file=sys.stderr)
    progress = progress_of(layout, run.id)
    if options.json:
        print_json({**run._asdict(), "progress": progress})
        return 0 if run.outcome != "failed" else 1
    for name, value in run._asdict().items():
        print(f"{name:<14}{value if value not in {None, ''} else '-'}")
    if progress is not None:
        print(f"{'progress':<14}{bar(progress['done'], progress['total'], progress['what'])}")
    if progress is not None and run.outcome == "running":
        print(f"{'time':<14}{times(progress, run.opened_at, now())}")
    return 0 if run.outcome != "failed" else 1


def _draw(progress: dict[str, Any] | None, run: StoredRun) -> None:
    if progress is not None and sys.stderr.isatty():
        text = bar(progress["done"], progress["total"], progress["what"])
        text += f" ({times(progress, run.opened_at, now())})"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _run(layout: Layout, name: str) -> StoredRun:
    with reading(layout) as ledger:
        runs = {run.id: run for run in ledger.runs()}
    if name == "last" and runs:
        return list(runs.values())[-1]
    if name not in runs:
        near = difflib.get_close_matches(name, runs, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; see: regimed runs list"
        raise UsageError(f"there is no run {name!r}{hint}")
    return runs[name]


def _took(run: StoredRun) -> str:
    return "-" if run.finished_at is None else age(run.opened_at, datetime.fromisoformat(run.finished_at))
