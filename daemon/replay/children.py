"""Children of a replay: the daemon's own, without what their start costs.

Starting an interpreter and importing the libraries takes two seconds, which a replay of twenty years would
pay many times a day. So a child is forked from a process that has loaded modules and nothing else, which is
as fresh as one of the daemon; and what only predicts, every day anew with the same few versions, is done in
the process of the replay, which keeps the versions that it has loaded and proven.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from importlib import import_module
from multiprocessing.reduction import DupFd
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.child import SubprocessChild, environment
from daemon.adapters.clock import SystemClock
from daemon.records import ChildEnd

if TYPE_CHECKING:
    from collections.abc import Collection
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from pathlib import Path
    from typing import IO

    from daemon.children.champion import LoadedVersion
    from daemon.children.data import Market
    from daemon.records import ChildJob
    from daemon.settings import Settings
    from registry.store import Registry
    from registry.types import ModelVersion

PREDICTING: Final = frozenset({"daemon.children.score", "daemon.children.predict"})
KEPT_VERSIONS: Final = 4
"""Champion, shadow, challenger, and who is on probation."""
LOOK_S: Final = 1.0
"""Between two looks at the progress of a child and at its limits."""


class Ended:
    """A child that has ended."""

    def __init__(self, end: ChildEnd) -> None:
        self._end = end

    def poll(self) -> ChildEnd:
        """Give how it ended."""
        return self._end

    def stop(self, grace_s: float) -> None:
        """End it, which it has already."""


class ReplayChildren:
    """Works on each job at once, most in a forked process, and waits for its end.

    What happens in which order must not depend on how long anything takes.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedVersion] = {}
        self._seen: tuple[int, Market] | None = None
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["daemon.replay.preloaded"])
        self._clock = SystemClock()  # limits are of real time, whatever day is replayed

    def start(self, job: ChildJob, *, progress_file: Path | None) -> Ended:
        """Work on a job; its latest progress is kept in ``progress_file``."""
        if job.module in PREDICTING:
            return Ended(self._predict(job))
        child = SubprocessChild(job, progress_file, self._clock, self._fork)
        try:
            while (end := child.poll()) is None:
                child.wait(LOOK_S)
        except BaseException:
            child.stop(grace_s=0)
            raise
        return Ended(end)

    def run(self, job: ChildJob) -> ChildEnd:
        """Work on a short job."""
        return self.start(job, progress_file=None).poll()

    def _predict(self, job: ChildJob) -> ChildEnd:
        try:
            return ChildEnd(
                result=import_module(job.module).run(job.job, load=self._load, see=self._see), reason=None
            )
        except Exception as error:  # noqa: BLE001 - whatever ends a child is the reason that its parent hears
            return ChildEnd(result=None, reason=f"it ended with {type(error).__name__}: {error}")

    def _load(
        self, registry: Registry, version: ModelVersion, *, trusted: Collection[str] = ()
    ) -> LoadedVersion:
        from daemon.children.champion import load_proven  # noqa: PLC0415 - the libraries of all models

        loaded = self._loaded.pop(version.name, None) or load_proven(registry, version, trusted=trusted)
        self._loaded[version.name] = loaded  # behind the others, as the one that was used last
        if len(self._loaded) > KEPT_VERSIONS:
            del self._loaded[next(iter(self._loaded))]
        return loaded

    def _see(self, root: str, data_version: int, settings: Settings) -> Market:
        """Give the market of a day to all versions that predict on it."""
        from daemon.replay.market import remembered_market  # noqa: PLC0415 - the libraries of all models

        if self._seen is None or self._seen[0] != data_version:
            self._seen = data_version, remembered_market(root, data_version, settings)
        return self._seen[1]

    def _fork(self, job: ChildJob, *streams: IO[bytes]) -> _Forked:
        grouped, tell = self._context.Pipe(duplex=False)
        given = (DupFd(stream.fileno()) for stream in streams)
        process = self._context.Process(target=_work, args=(job.module, environment(job), tell, *given))
        process.start()
        tell.close()
        with grouped:
            grouped.poll(None)  # until it has a group, which is what can be stopped
        return _Forked(process)


class _Forked:
    """A forked process, asked in the words of ``subprocess.Popen``."""

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid is not None  # noqa: S101 - it was started
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self._process.exitcode


def _work(module: str, variables: dict[str, str], tell: Connection, *streams: Any) -> None:
    """Be the child: with its streams, its variables, and a process group of its own to be stopped by."""
    os.setpgid(0, 0)
    tell.close()
    os.environ.update(variables, REGIMED_CHILD_OF=str(os.getppid()), REGIMED_CHILD_NICENESS="0")
    for place, stream in enumerate(streams):
        os.dup2(stream.detach(), place)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    speech = import_module("daemon.children.speech")
    sys.exit(speech.main_of(import_module(module).run))
