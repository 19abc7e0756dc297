"""Logs: one flat JSON object a line, each an event of the public catalogue ``events.toml``.

The journal keeps every event in the transaction that caused it; the log is written afterwards and
carries the event's ``seq``, so a line that is written again after a crash can be told apart.
"""

from __future__ import annotations

import os
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TextIO

if "structlog" not in sys.modules:
    # structlog prints tracebacks with rich where it is installed, which other packages bring along; that
    # costs a resident process 12 MB and start-up time, and events of the catalogue have no tracebacks.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None means: cannot be imported
import structlog

if sys.modules.get("rich", structlog) is None:
    del sys.modules["rich"]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import EventDict, Processor, WrappedLogger

    from daemon.adapters.ledger import StoredEvent
    from daemon.settings import LogSettings

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SYSLOG_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """What the catalogue says of one event."""

    id: str
    level: str
    meaning: str
    action: str
    fields: Mapping[str, str]


@cache
def catalogue() -> Mapping[str, CatalogueEntry]:
    """Give the event catalogue by event name.

    >>> catalogue()["regime.changed"].id
    'RGM3002'
    """
    text = files("daemon").joinpath("events.toml").read_text(encoding="utf-8")
    return {name: CatalogueEntry(**entry) for name, entry in tomllib.loads(text).items()}


class EventLog:
    """Writes events to a stream, in the format and from the level that the settings ask for."""

    def __init__(self, settings: LogSettings, stream: TextIO = sys.stderr) -> None:
        self._level = LEVELS[settings.level]
        if settings.format == "console":
            render: Processor = structlog.dev.ConsoleRenderer(colors=stream.isatty())
        else:
            render = _render_for_journald if "JOURNAL_STREAM" in os.environ else _render
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[_name_first, render],
            wrapper_class=structlog.BoundLogger,
        )

    def write(self, event: StoredEvent) -> None:
        """Write one event of the journal if its level is high enough."""
        self._write(event.name, at=event.at, seq=event.id, fields=event.fields)

    def write_unstored(self, name: str, *, at: str, **fields: object) -> None:
        """Write an event that the journal could not keep."""
        self._write(name, at=at, seq=None, fields=fields)

    def _write(self, name: str, *, at: str, seq: int | None, fields: Mapping[str, object]) -> None:
        entry = catalogue()[name]
        if LEVELS[entry.level] >= self._level:
            self._logger.msg(name, at=at, level=entry.level, id=entry.id, seq=seq, **fields)


def _name_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put time, level and name where a reader looks first."""
    first = {name: event[name] for name in ("at", "level", "event")}
    return {**first, **event}


_render: Final = structlog.processors.JSONRenderer()


def _render_for_journald(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """Prefix the line with its syslog priority, which journald reads and removes."""
    return f"<{SYSLOG_PRIORITIES[event['level']]}>{_render(logger, method, event)!s}"
