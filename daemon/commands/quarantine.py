"""``quarantine list|show|release|drop``: files that were refused, and why."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from daemon.adapters.quarantine import Quarantine, QuarantinedFile
from daemon.commands.context import print_json, print_table
from daemon.commands.times import local_time, now
from daemon.commands.writing import writing
from daemon.errors import UsageError
from daemon.layout import layout_of

if TYPE_CHECKING:
    import argparse


def list_files(options: argparse.Namespace) -> int:
    """List refused files."""
    entries = Quarantine(layout_of(options).quarantine).entries()
    if options.json:
        print_json({"files": [entry._asdict() for entry in entries]})
    else:
        rows = [(entry.file, local_time(entry.at), entry.code, entry.sentence) for entry in entries]
        print_table(("file", "since", "code", "reason"), rows)
    return 0


def show(options: argparse.Namespace) -> int:
    """Say why a file was refused."""
    entry = _entry(options)
    if options.json:
        print_json(entry._asdict())
        return 0
    print(f"{entry.file}: {entry.code}")
    print(f"  {entry.sentence}")
    print(f"  refused {local_time(entry.at)}, sha256 {entry.sha256}")
    print(f"  mended the file? drop it into the inbox, then: regimed quarantine drop {entry.file}")
    print(f"  changed the settings instead? regimed quarantine release {entry.file}")
    return 0


def release(options: argparse.Namespace) -> int:
    """Let the daemon take a file in again, as after a change of settings; what is still wrong is refused."""
    entry = _entry(options)
    with writing(layout_of(options)) as journal:
        if not journal.readmit(entry.sha256, now=now()):
            raise UsageError(f"{entry.file} waits to be taken in already; see: regimed messages list")
    print(f"{entry.file} will be taken in again")
    return 0


def drop(options: argparse.Namespace) -> int:
    """Forget a refused file."""
    entry = _entry(options)
    Quarantine(layout_of(options).quarantine).drop(entry.file)
    print(f"{entry.file} is forgotten")
    return 0


def _entry(options: argparse.Namespace) -> QuarantinedFile:
    entries = {entry.file: entry for entry in Quarantine(layout_of(options).quarantine).entries()}
    if options.file not in entries:
        near = difflib.get_close_matches(options.file, entries, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{options.file!r} is not in quarantine{hint}")
    return entries[options.file]
