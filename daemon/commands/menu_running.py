"""The commands around a running daemon: its directory, its state, what it refused, what waits."""

from __future__ import annotations

from typing import Final

from daemon.commands.menu_entry import Command, arg, at_least

RUNNING: Final = (
    Command(
        words=("init",),
        text="lay out a directory: config.toml, inbox/, quarantine/, state/",
        target="daemon.commands.directory:init",
        arguments=(arg("directory", metavar="DIR", nargs="?", help="default: --dir"),),
    ),
    Command(words=("run",), text="run the daemon until SIGTERM", target="daemon.commands.directory:run"),
    Command(
        words=("status",),
        text="how the daemon is; exit 0 healthy, 1 degraded, 3 not running, 4 unknown",
        target="daemon.commands.status:status",
        facts=True,
    ),
    Command(
        words=("ingest",),
        text="copy files into the inbox, so that a half-written file is never seen",
        target="daemon.commands.directory:ingest",
        arguments=(arg("files", nargs="+", metavar="FILE", help="prices in a known format"),),
    ),
    Command(
        words=("quarantine", "list"),
        text="list refused files",
        target="daemon.commands.quarantine:list_files",
        facts=True,
    ),
    Command(
        words=("quarantine", "show"),
        text="say why a file was refused",
        target="daemon.commands.quarantine:show",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
        facts=True,
    ),
    Command(
        words=("quarantine", "release"),
        text="let the daemon take a refused file in again, as after a change of settings",
        target="daemon.commands.quarantine:release",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
    ),
    Command(
        words=("quarantine", "drop"),
        text="forget a refused file",
        target="daemon.commands.quarantine:drop",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
    ),
    Command(
        words=("events",),
        text="the ledger of events",
        target="daemon.commands.events:events",
        arguments=(
            arg("--name", default="", help="only events whose name starts so, such as gate."),
            arg("--limit", type=at_least(0), default=20, help="how many of the last, default: 20; 0 for all"),
            arg("--follow", action="store_true", help="go on as events happen"),
        ),
        facts=True,
    ),
    Command(
        words=("messages", "list"),
        text="list waiting messages by kind, and dead letters",
        target="daemon.commands.messages:list_messages",
        facts=True,
    ),
    Command(
        words=("messages", "retry"),
        text="give a dead letter another chance",
        target="daemon.commands.messages:retry",
        arguments=(arg("id", metavar="ID", type=int, help="as `messages list` shows it"),),
    ),
)
