"""How the fits of a run are done: what is known comes from the cache, the rest in order or side by side.

Jobs are taken one by one as there is room, so that the rows of few folds are in memory at a time. Where a
fit is done makes no difference to the byte: its job carries everything, and every model runs on one thread.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import fields
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import numpy as np

from daemon.children.fit_cache import FitCache, versions_salt
from daemon.children.speech import die_with_parent
from daemon.errors import FitsLostError
from regime.fit_jobs import ArrayMemo, FitJob
from regime.memo import no_memo
from registry.errors import RegistryError
from registry.formats import dump_model

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from contextlib import AbstractContextManager

    from daemon.layout import Layout
    from daemon.settings import TrainingSettings
    from regime.fit_jobs import Array, FitResult
    from regime.memo import Memo
    from registry.formats import Artifact

    Outcome = tuple[FitResult, Artifact | None]
    Work = Callable[[FitJob], Outcome]

PACE_FITS: Final = 16
"""Fits that the pace is measured on: two folds of eight models, which take very different times."""

IN_FLIGHT: Final = 2
"""Fits handed out for each process, so that none waits while the next is prepared."""


def fit_only(job: FitJob) -> Outcome:
    """Do a fit that is not kept in a cache."""
    return job.run(), None


def fit_and_pack(job: FitJob) -> Outcome:
    """Do a fit, and give its model as bytes; without them where the registry has no format for it."""
    result, fitted = job.attempt()
    if fitted is None:
        return result, None
    try:
        return result, dump_model(fitted.parts())
    except RegistryError as error:
        print(f"cache of fits: {job.model} is not kept: {error}", file=sys.stderr, flush=True)
        return result, None


Ticket = TypeVar("Ticket")


class Backend(Protocol[Ticket]):
    """Where fits are done; a ticket stands for one that was handed out."""

    def room(self) -> int:
        """Give how many fits may be handed out at a time."""

    def submit(self, job: FitJob) -> Ticket:
        """Hand a fit out."""

    def wait(self, tickets: Collection[Ticket]) -> Collection[Ticket]:
        """Wait until at least one fit is done, and give those that are."""

    def outcome(self, ticket: Ticket, job: FitJob) -> Outcome:
        """Give what came of a fit that is done."""


class InOrder:
    """Does each fit at once, in this process."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def room(self) -> int:
        """Give how many fits may be handed out at a time."""
        return 1

    def submit(self, job: FitJob) -> Outcome:
        """Hand a fit out."""
        return self._work(job)

    def wait(self, tickets: Collection[Outcome]) -> Collection[Outcome]:
        """Wait until at least one fit is done, and give those that are."""
        return tuple(tickets)

    def outcome(self, ticket: Outcome, job: FitJob) -> Outcome:
        """Give what came of a fit that is done."""
        del job
        return ticket


class LocalProcesses:
    """Does fits in processes of this machine, which map the arrays of a fold from one file each."""

    def __init__(self, pool: ProcessPoolExecutor, processes: int, scratch: Path, work: Work) -> None:
        self._pool = pool
        self._processes = processes
        self._scratch = scratch
        self._work = work
        self._numbers = count()
        self._files = ArrayMemo(self._write, lambda path: path.unlink(missing_ok=True))

    def _write(self, array: Array) -> Path:
        path = self._scratch / f"{next(self._numbers)}.npy"
        np.save(path, array, allow_pickle=False)
        return path

    def room(self) -> int:
        """Give how many fits may be handed out at a time."""
        return IN_FLIGHT * self._processes

    def submit(self, job: FitJob) -> Future[Outcome]:
        """Hand a fit out."""
        return self._pool.submit(_work_on_files, self._work, with_arrays(job, self._files.of))

    def wait(self, tickets: Collection[Future[Outcome]]) -> Collection[Future[Outcome]]:
        """Wait until at least one fit is done, and give those that are."""
        return wait(tickets, return_when=FIRST_COMPLETED).done

    def outcome(self, ticket: Future[Outcome], job: FitJob) -> Outcome:
        """Give what came of a fit that is done."""
        try:
            return ticket.result()
        except BrokenProcessPool as error:
            raise FitsLostError(
                f"a process that fitted {job.model} {job.fold} or another model was killed, perhaps for lack"
                " of memory; lower training.processes and train again: what was fitted is kept"
            ) from error


def with_arrays(job: FitJob, handle_of: Callable[[Array], object]) -> dict[str, Any]:
    """Give the fields of a job with something that stands for each array."""
    values = {field.name: getattr(job, field.name) for field in fields(job)}
    return {
        name: handle_of(value) if isinstance(value, np.ndarray) else value for name, value in values.items()
    }


def _work_on_files(work: Work, values: dict[str, Any]) -> Outcome:
    arrays = {
        name: np.load(value, mmap_mode="r", allow_pickle=False) if isinstance(value, Path) else value
        for name, value in values.items()
    }
    return work(FitJob(**arrays))


def _begin(parent: int) -> None:
    """Tie a process of the pool to its parent, which may be gone already."""
    die_with_parent()
    if os.getppid() != parent:
        sys.exit("the run that started this process is gone")


class Fits(Generic[Ticket]):
    """Executes the jobs of a run, and tells how long the rest will take."""

    def __init__(
        self,
        backend: Backend[Ticket],
        cache: FitCache | None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._cache = cache
        self._clock_s = clock_s
        self._fitted_at_s: deque[float] = deque(maxlen=PACE_FITS + 1)

    def __call__(self, jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        """Give the results as they come, each once, in any order."""
        self._fitted_at_s.clear()
        handed_out: list[tuple[Ticket, FitJob]] = []
        for job in jobs:
            if (known := self._known(job)) is not None:
                yield known
                continue
            if not self._fitted_at_s:
                self._fitted_at_s.append(self._clock_s())
            handed_out.append((self._backend.submit(job), job))
            while len(handed_out) >= self._backend.room():
                yield from self._done(handed_out)
        while handed_out:
            yield from self._done(handed_out)

    def _known(self, job: FitJob) -> FitResult | None:
        return None if self._cache is None else self._cache.get(job)

    def _done(self, handed_out: list[tuple[Ticket, FitJob]]) -> Iterator[FitResult]:
        finished = {id(ticket) for ticket in self._backend.wait([ticket for ticket, _ in handed_out])}
        done = [pair for pair in handed_out if id(pair[0]) in finished]
        handed_out[:] = [pair for pair in handed_out if id(pair[0]) not in finished]
        for ticket, job in done:
            result, artifact = self._backend.outcome(ticket, job)
            if self._cache is not None and artifact is not None:
                self._cache.put(job, result, artifact)
            self._fitted_at_s.append(self._clock_s())
            yield result

    @property
    def memo(self) -> Memo:
        """What remembers arrays from run to run; see ``regime.memo``."""
        return no_memo if self._cache is None else self._cache.arrays

    def left_s(self, fits: int) -> float | None:
        """Give how long so many fits will take at the pace of the last ones, in seconds.

        ``None`` before one was fitted; what the cache knew is no fit and counts nowhere.
        """
        if len(self._fitted_at_s) < 2:  # noqa: PLR2004 - a start and an end
            return None
        took_s = self._fitted_at_s[-1] - self._fitted_at_s[0]
        return fits * took_s / (len(self._fitted_at_s) - 1)


@contextmanager
def executor(settings: TrainingSettings, layout: Layout, run: str) -> Iterator[Fits[Any]]:
    """Give what executes the jobs of a run, as the settings ask for.

    Raises
    ------
    FitsLostError
        While it executes: if processes or the dask scheduler are gone, or cannot be used.
    """
    salt = versions_salt()
    cache = FitCache(layout.fits, salt, settings.cache_mib) if settings.cache_mib else None
    work = fit_only if cache is None else fit_and_pack
    if settings.backend == "dask":
        with _dask_backend()(settings.address, settings.dask_wait_s, work, salt) as backend:
            yield Fits(backend, cache)
    elif settings.processes == 1:
        yield Fits(InOrder(work), cache)
    else:
        with local_processes(settings.processes, layout.run(run) / "scratch", work) as processes:
            yield Fits(processes, cache)


def _dask_backend() -> Callable[..., AbstractContextManager[Backend[Any]]]:
    try:
        from daemon.children.fits_dask import dask_backend  # noqa: PLC0415 - an extra that few install
    except ModuleNotFoundError as error:
        raise FitsLostError(
            f'training.backend is "dask" and {error.name} is not installed; pip install "regimed[dask]"'
        ) from error
    return dask_backend


@contextmanager
def local_processes(processes: int, scratch: Path, work: Work) -> Iterator[LocalProcesses]:
    """Give processes that die with this one; their arrays lie in ``scratch`` while they are needed."""
    shutil.rmtree(scratch, ignore_errors=True)  # an earlier attempt may have been killed
    scratch.mkdir(parents=True)
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        yield LocalProcesses(pool, processes, scratch, work)
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(scratch, ignore_errors=True)
