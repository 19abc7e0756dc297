"""``init``, ``run`` and ``ingest``: a directory, its daemon, and files for it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands.context import journal_faults_named, settings_of
from daemon.configuration import render_configuration
from daemon.errors import UsageError
from daemon.layout import IGNORED_SUFFIXES, Layout, layout_of
from daemon.settings import Settings
from regimed import __version__

if TYPE_CHECKING:
    import argparse


def init(options: argparse.Namespace) -> int:
    """Lay out a directory; what is there already stays as it is."""
    layout = Layout(Path(options.directory or options.dir).resolve())
    layout.create()
    if not layout.configuration.exists():
        layout.configuration.write_text(render_configuration(Settings()), encoding="utf-8")
    print(f"{layout.root} is ready. Next:")
    print(f"  edit {layout.configuration} (optional)")
    print(f"  regimed run --dir {layout.root}")
    print(f"  cp FILES {layout.inbox}/")
    return 0


def run(options: argparse.Namespace) -> int:
    """Run the daemon in the foreground until it is told to stop."""
    from daemon.app import run_daemon  # noqa: PLC0415 - init and ingest need none of its weight

    layout = layout_of(options)
    if not layout.configuration.exists():
        raise UsageError(f"{layout.root} is not a regimed directory; run: regimed init {layout.root}")
    with journal_faults_named(layout):
        run_daemon(layout, settings_of(layout), __version__)
    return 0


def ingest(options: argparse.Namespace) -> int:
    """Copy files into the inbox: beside, then renamed, so that the daemon sees each only when it is whole."""
    layout = layout_of(options)
    if not layout.inbox.is_dir():
        raise UsageError(f"{layout.root} is not a regimed directory; run: regimed init {layout.root}")
    sources = [Path(name) for name in options.files]
    for source in sources:
        if not source.is_file():
            raise UsageError(f"{source} is not a file")
        if source.name.startswith(".") or source.name.lower().endswith(IGNORED_SUFFIXES):
            raise UsageError(f"{source} would be ignored for its name; rename it")
    for source in sources:
        beside = layout.inbox / f".{source.name}.tmp"
        shutil.copyfile(source, beside)
        beside.replace(layout.inbox / source.name)
        print(f"{source} -> {layout.inbox / source.name}", file=sys.stderr)
    return 0
