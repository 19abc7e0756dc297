"""Fits on the workers of a dask cluster; needs the extra ``dask``.

Each array of a fold is sent to the scheduler once and shared by its models; a worker that dies takes none
with it. dask gives a fit whose worker died to another one, as often as the scheduler's ``allowed-failures``
says; after that it is a failure of that fit, and the quorum decides.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import dask
from distributed import Client, KilledWorker, get_worker, wait

from daemon.children.fit_cache import versions_salt
from daemon.children.fits import IN_FLIGHT, with_arrays
from daemon.errors import FitsLostError
from regime.fit_jobs import ArrayMemo, FitJob

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from distributed import Future

    from daemon.children.fits import Outcome, Work
    from regime.fit_jobs import Array

ENDS: Final = frozenset({"finished", "error", "cancelled"})
"""States of a fit that is done; one whose result was lost is done again by itself."""

POLL_S: Final = 1.0
"""How often it is looked whether there are workers at all, in seconds."""


class WorkerUnfitError(Exception):
    """A worker that would not give what a fit here gives."""


class DaskCluster:
    """Does fits on the workers of a cluster, each of which has one thread."""

    def __init__(self, client: Client, wait_s: float, work: Work, salt: str) -> None:
        self._client = client
        self._wait_s = wait_s
        self._work = work
        self._salt = salt
        self._sent = ArrayMemo(self._send, _release)
        self._workers = 0

    def _send(self, array: Array) -> Future[Any]:
        """Send an array as a task that gives it: scattered data would die with their worker."""
        return self._client.submit(as_it_is, array, pure=False)

    def room(self) -> int:
        """Give how many fits may be handed out at a time."""
        return IN_FLIGHT * max(1, self._workers)

    def submit(self, job: FitJob) -> Future[Any]:
        """Hand a fit out."""
        self._count_workers()
        values = with_arrays(job, self._sent.of)
        return self._client.submit(work_there, self._work, self._salt, **values, pure=False)

    def _count_workers(self) -> None:
        """Look how many workers there are; a scheduler that cannot be asked has none."""
        try:
            self._workers = len(self._client.nthreads())
        except (OSError, TimeoutError):
            self._workers = 0

    def wait(self, tickets: Collection[Future[Any]]) -> Collection[Future[Any]]:
        """Wait until at least one fit is done, and give those that are."""
        seen_at_s = time.monotonic()
        while not (done := [ticket for ticket in tickets if ticket.status in ENDS]):
            with suppress(TimeoutError, CancelledError):
                wait(list(tickets), timeout=POLL_S, return_when="FIRST_COMPLETED")
            self._count_workers()
            now_s = time.monotonic()
            seen_at_s = now_s if self._workers else seen_at_s
            if now_s - seen_at_s > self._wait_s:
                raise _gone(self._wait_s)
        return done

    def outcome(self, ticket: Future[Any], job: FitJob) -> Outcome:
        """Give what came of a fit that is done."""
        try:
            outcome: Outcome = ticket.result()
        except WorkerUnfitError as error:
            raise FitsLostError(str(error)) from error
        except KilledWorker as error:
            return job.failed(f"its dask worker died each time it was fitted: {error}"), None
        except CancelledError as error:
            raise _gone(self._wait_s) from error
        except Exception as error:  # what the model raises is a result already; this is the cluster's
            raise FitsLostError(
                f"the dask cluster could not do {job.model} {job.fold} ({type(error).__name__}: {error});"
                " install the same regimed where its scheduler and workers run"
            ) from error
        finally:
            ticket.release()
        return outcome


def _release(sent: Future[Any]) -> None:
    sent.release()


def _gone(wait_s: float) -> FitsLostError:
    return FitsLostError(
        f"the dask scheduler is gone or had no workers for {wait_s:g} s; start workers with one thread each,"
        " and train again: what was fitted is kept"
    )


def as_it_is(array: Array) -> Array:
    """Give an array: the task that holds it for all fits of a fold."""
    return array


def work_there(work: Work, salt: str, **values: Any) -> Outcome:
    """Do a fit on a worker, which must be able to give what a fit of the run itself gives."""
    worker = get_worker()
    if (threads := worker.state.nthreads) != 1:
        raise WorkerUnfitError(
            f"the dask worker {worker.address} has {threads} threads; start it with --nthreads 1, and more"
            " workers instead"
        )
    if versions_salt() != salt:
        raise WorkerUnfitError(
            f"the dask worker {worker.address} has other versions than the run"
            f" ({_differences(salt, versions_salt())}); install the same on both"
        )
    return work(FitJob(**values))


def _differences(ours: str, theirs: str) -> str:
    here, there = json.loads(ours), json.loads(theirs)
    return ", ".join(
        f"{name} {there.get(name)} for {here.get(name)}"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    )


@contextmanager
def dask_backend(address: str, wait_s: float, work: Work, salt: str) -> Iterator[DaskCluster]:
    """Give a connection to the scheduler at ``address``.

    Raises
    ------
    FitsLostError
        If it does not answer within ``wait_s`` seconds.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the last line of ours says what went wrong
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"})  # a fold is large
    try:
        client = Client(address, timeout=wait_s)
    except (OSError, TimeoutError, ValueError) as error:
        raise FitsLostError(
            f"the dask scheduler {address} does not answer within {wait_s:g} s; start it, or correct"
            " training.address"
        ) from error
    try:
        yield DaskCluster(client, wait_s, work, salt)
    finally:
        with suppress(OSError, TimeoutError):
            client.close()
