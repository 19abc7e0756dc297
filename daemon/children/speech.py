"""How a child speaks to its parent: the job as JSON on standard input, JSON lines on standard output."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NICENESS: Final = 10
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def say_progress(done: int, total: int, what: str, left_s: float | None = None) -> None:
    """Tell the parent how far the work is, and how many seconds the rest may take if that is known."""
    _say({"progress": [done, total, what], "left_s": left_s})


def main_of(work: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Read the job, do the work, print the result, and give the exit code.

    Anything that a library prints goes to standard error, so that standard output holds only our lines.
    """
    _accept_limits()
    job = json.load(sys.stdin)
    sys.__stdout__ = os.fdopen(os.dup(1), "w", encoding="utf-8")  # type: ignore[misc]  # ours alone
    os.dup2(2, 1)
    _say({"result": work(job)})
    return 0


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def _accept_limits() -> None:
    parent = os.environ.get("REGIMED_CHILD_OF")
    if parent is None:
        return  # called by hand, in a terminal
    die_with_parent()
    if os.getppid() != int(parent):
        sys.exit("the daemon that started this child is gone")
    with suppress(PermissionError):  # under the hardened unit, which sets a niceness of its own
        os.nice(int(os.environ.get("REGIMED_CHILD_NICENESS", NICENESS)))
    limit_bytes = int(os.environ["REGIMED_CHILD_MEMORY_MIB"]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
