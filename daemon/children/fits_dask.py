"""Fits on the workers of a dask cluster; needs the extra ``dask``.

Each array of a fold is sent once and shared by its models. dask gives a fit whose worker died to another
one, as often as the scheduler's ``allowed-failures`` says; after that it is a failure of that fit, and the
quorum decides. Arrays that died with all workers that held them are sent again.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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

ATTEMPTS_MAX: Final = 4
"""How often a fit is handed out whose arrays are lost before it starts."""

POLL_S: Final = 1.0
"""How often it is looked whether there are workers at all."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A fit that was handed out; its future is another one after each attempt."""

    job: FitJob
    future: Future[Any]
    attempts: int = 1


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
        """Send an array to every worker, so that it outlives all but the last."""
        try:
            sent: Future[Any] = self._client.scatter(array, broadcast=True, hash=False, timeout=self._wait_s)
        except (OSError, TimeoutError) as error:
            raise _no_workers(self._wait_s) from error
        return sent

    def _sent_of(self, array: Array) -> Future[Any]:
        if self._sent.of(array).status != "finished":
            self._sent.forget(array)
        return self._sent.of(array)

    def room(self) -> int:
        """Give how many fits may be handed out at a time."""
        return IN_FLIGHT * max(1, self._workers)

    def submit(self, job: FitJob) -> Ticket:
        """Hand a fit out."""
        self._count_workers()
        return Ticket(job=job, future=self._handed_out(job))

    def _count_workers(self) -> None:
        self._workers = len(self._client.nthreads())

    def _handed_out(self, job: FitJob) -> Future[Any]:
        values = with_arrays(job, self._sent_of)
        return self._client.submit(work_there, self._work, self._salt, **values, pure=False)

    def wait(self, tickets: Collection[Ticket]) -> Collection[Ticket]:
        """Wait until at least one fit is done, and give those that are."""
        lonely_since_s: float | None = None
        while not (done := [ticket for ticket in tickets if self._is_done(ticket)]):
            with suppress(TimeoutError, CancelledError):
                wait([ticket.future for ticket in tickets], timeout=POLL_S, return_when="FIRST_COMPLETED")
            lonely_since_s = self._lonely_since_s(lonely_since_s)
        return done

    def _is_done(self, ticket: Ticket) -> bool:
        """Tell whether a fit is done; one that lost its arrays is handed out again."""
        if ticket.future.status in {"cancelled", "lost"} and self._has_scheduler():
            if ticket.attempts == ATTEMPTS_MAX:
                return True
            ticket.attempts += 1
            ticket.future = self._handed_out(ticket.job)
        return ticket.future.status in {"finished", "error"}

    def _has_scheduler(self) -> bool:
        return bool(self._client.status == "running")

    def _lonely_since_s(self, since_s: float | None) -> float | None:
        """Give since when there is nobody to work, ``None`` if there is; not longer than the limit."""
        if self._has_scheduler():
            self._count_workers()
            if self._workers:
                return None
        now_s = time.monotonic()
        if since_s is not None and now_s - since_s > self._wait_s:
            raise _no_workers(self._wait_s)
        return now_s if since_s is None else since_s

    def outcome(self, ticket: Ticket, job: FitJob) -> Outcome:
        """Give what came of a fit that is done."""
        try:
            outcome: Outcome = ticket.future.result()
        except WorkerUnfitError as error:
            raise FitsLostError(str(error)) from error
        except KilledWorker as error:
            return job.failed(f"its dask worker died each time it was fitted: {error}"), None
        except CancelledError:
            return job.failed(f"its rows were lost with dask workers {ATTEMPTS_MAX} times"), None
        finally:
            ticket.future.release()
        return outcome


def _release(sent: Future[Any]) -> None:
    sent.release()


def _no_workers(wait_s: float) -> FitsLostError:
    return FitsLostError(
        f"the dask scheduler is gone or had no workers for {wait_s:g} s; start workers with one thread each,"
        " and train again: what was fitted is kept"
    )


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
