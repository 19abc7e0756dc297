"""Child processes: started with limits, listened to without blocking, never outliving the daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from daemon.records import ChildEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import IO

    from daemon.ports import Clock
    from daemon.records import ChildJob

    Start = Callable[[ChildJob, IO[bytes], IO[bytes], IO[bytes]], "Process"]
    """Starts a job, in a session of its own, with standard input, output and error."""

OUTPUT_BYTES_MAX: Final = 64 * 2**20
ERROR_BYTES_KEPT: Final = 4000
KILL_WAIT_S: Final = 5.0
RUN_POLL_S: Final = 0.02


class Process(Protocol):
    """What is asked of a running process; ``subprocess.Popen`` is one."""

    @property
    def pid(self) -> int:
        """Its number, which is that of its process group too."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, below 0 for a signal; ``None`` as far as it is known to run."""

    def poll(self) -> int | None:
        """Look whether it has ended, and give its exit code; never blocks."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raise ``subprocess.TimeoutExpired`` after ``timeout`` seconds."""


def interpreter(job: ChildJob, given: IO[bytes], output: IO[bytes], errors: IO[bytes]) -> Process:
    """Start ``python -m daemon.children MODULE``."""
    return subprocess.Popen(
        # -P: nothing is imported from where we stand
        [sys.executable, "-P", "-m", "daemon.children", job.module],
        stdin=given,
        stdout=output,
        stderr=errors,
        start_new_session=True,
        env={**os.environ, **environment(job), "REGIMED_CHILD_OF": str(os.getpid())},
    )


def environment(job: ChildJob) -> dict[str, str]:
    """Give the variables that tell a child its limits."""
    return {
        "REGIMED_CHILD_MEMORY_MIB": str(job.memory_limit_mib),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


class SubprocessChildren:
    """Starts an interpreter for each job; see ``daemon.children.speech`` for the other side."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def start(self, job: ChildJob, *, progress_file: Path | None) -> SubprocessChild:
        """Start a child that works on ``job``; its latest progress is kept in ``progress_file``."""
        return SubprocessChild(job, progress_file, self._clock)

    def run(self, job: ChildJob) -> ChildEnd:
        """Start a short child and wait for its end, at most its time limit."""
        child = self.start(job, progress_file=None)
        while (end := child.poll()) is None:
            time.sleep(RUN_POLL_S)
        return end


class SubprocessChild:
    """One running child; its output goes to unnamed files, so that neither side ever blocks on a pipe."""

    def __init__(
        self, job: ChildJob, progress_file: Path | None, clock: Clock, start: Start = interpreter
    ) -> None:
        self._clock = clock
        self._progress_file = progress_file
        self._time_limit_s = job.time_limit_s
        self._deadline_s = clock.monotonic_s() + job.time_limit_s
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._read_to = 0
        self._result: Mapping[str, object] | None = None
        with tempfile.TemporaryFile() as given:
            given.write(json.dumps(job.job).encode())
            given.seek(0)
            self._process = start(job, given, self._output, self._errors)

    def poll(self) -> ChildEnd | None:
        """Give how it ended, or ``None`` while it runs; never blocks."""
        ended = self._process.poll() is not None
        said_bytes = os.fstat(self._output.fileno()).st_size
        if said_bytes > OUTPUT_BYTES_MAX:
            return self._kill(f"it said {said_bytes:,} bytes, more than {OUTPUT_BYTES_MAX:,}")
        self._take_in(self._new_lines(said_bytes))
        if ended:
            return self._end()
        if self._clock.monotonic_s() > self._deadline_s:
            return self._kill(f"it exceeded its time limit of {self._time_limit_s:g} s")
        return None

    def _kill(self, reason: str) -> ChildEnd:
        self.stop(grace_s=0)
        return ChildEnd(result=None, reason=reason)

    def wait(self, patience_s: float) -> None:
        """Wait for its end, at most so long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=patience_s)

    def stop(self, grace_s: float) -> None:
        """End it and its own children: asked first, killed after ``grace_s``."""
        for sign, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, KILL_WAIT_S)):
            if self._process.poll() is None:
                os.killpg(self._process.pid, sign)
                try:
                    self._process.wait(timeout=wait_s)
                except subprocess.TimeoutExpired:
                    continue
        self._clean_up()

    def _clean_up(self) -> None:
        self._kill_leftovers()
        self._output.close()
        self._errors.close()

    def _kill_leftovers(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # the whole group is gone, as it should be

    def _new_lines(self, size: int) -> list[dict[str, object]]:
        text = os.pread(self._output.fileno(), size - self._read_to, self._read_to)
        whole = text.rpartition(b"\n")[0]
        self._read_to += len(whole) + 1 if whole else 0
        lines = []
        for line in whole.splitlines():
            try:
                lines.append(json.loads(line))
            except (ValueError, RecursionError):
                continue  # not one of our lines; the end tells whether a result came
        return [line for line in lines if isinstance(line, dict)]

    def _take_in(self, lines: list[dict[str, object]]) -> None:
        """Keep the result if it is there, and the latest progress."""
        for line in lines:
            if isinstance(result := line.get("result"), dict):
                self._result = result
        said = [line for line in lines if "progress" in line]
        if said and self._progress_file is not None:
            beside = self._progress_file.with_suffix(".tmp")
            latest = {"progress": said[-1]["progress"], "left_s": said[-1].get("left_s")}
            beside.write_text(json.dumps({**latest, "at": self._clock.now().isoformat()}))
            beside.replace(self._progress_file)

    def _end(self) -> ChildEnd:
        code = self._process.returncode
        assert code is not None  # noqa: S101 - it has ended
        is_well = code == 0 and self._result is not None
        end = ChildEnd(
            result=self._result if is_well else None, reason=None if is_well else self._reason(code)
        )
        self._clean_up()
        return end

    def _reason(self, code: int) -> str:
        size = os.fstat(self._errors.fileno()).st_size
        kept = os.pread(self._errors.fileno(), ERROR_BYTES_KEPT, max(0, size - ERROR_BYTES_KEPT))
        lines = kept.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        if code < 0:
            return f"it was killed by signal {-code} ({signal.strsignal(-code)})"
        if "MemoryError" in last or "bad_alloc" in last:
            return f"it ran out of memory: {last}"
        if code == 0:
            return f"it ended without a result: {last}"
        return f"it ended with exit code {code}: {last}"
