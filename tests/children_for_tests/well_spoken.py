"""A child that speaks as children should, and does what its job says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from daemon.children.speech import say_progress

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_S = 60.0


def add(job: dict[str, Any]) -> dict[str, Any]:
    return {"sum": job["left"] + job["right"]}


def report(_job: dict[str, Any]) -> dict[str, Any]:
    say_progress(1, 2, "half")
    say_progress(2, 2, "all", left_s=1.5)
    return {"done": True}


def tell_limits(_job: dict[str, Any]) -> dict[str, Any]:
    return {"niceness": os.nice(0), "threads": os.environ["OMP_NUM_THREADS"], "session": os.getsid(0)}


def chatter(_job: dict[str, Any]) -> dict[str, Any]:
    sys.stdout.write("a library says something, and does not end its line")
    sys.stdout.flush()
    os.write(1, b'{"result": {"from": "a C library"}}')
    return {"chattered": True}


def fail(_job: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("the work cannot be done")


def leave(_job: dict[str, Any]) -> dict[str, Any]:
    sys.exit(3)


def be_killed(_job: dict[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def take_memory(job: dict[str, Any]) -> dict[str, Any]:
    return {"bytes": len(bytearray(job["bytes"]))}


def sleep(_job: dict[str, Any]) -> dict[str, Any]:
    say_progress(0, 1, "asleep")
    time.sleep(LONG_S)
    return {}


def sleep_through_terminate(job: dict[str, Any]) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleep(job)


def leave_a_child_behind(_job: dict[str, Any]) -> dict[str, Any]:
    left = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG_S})"])
    return {"left": left.pid}


ACTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    act.__name__: act
    for act in (
        add,
        report,
        tell_limits,
        chatter,
        fail,
        leave,
        be_killed,
        take_memory,
        sleep,
        sleep_through_terminate,
        leave_a_child_behind,
    )
}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do what the job says."""
    return ACTS[job["act"]](job)
