"""Polls one feed and puts what is new into the inbox.

Job: ``{"feed", "base_url", "symbols", "start", "cursor", "timeout_s", "attempts_max", "deadline_s",
"inbox", "today"}``, days as ISO dates, ``cursor`` as the last result gave it or null; optional are
``backoff_s`` (1.0) and ``body_bytes_max`` (64 MiB).

Result: ``{"ok", "files", "cursor", "last_date", "error"}``: the names that were put into the inbox, the
cursor to keep (also after a failure, since some symbols may have succeeded), the last day that all symbols
have reached or null, and ``{"kind", "sentence"}`` or null. A poll that fails is a result, not a crash.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import numpy as np
import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from daemon.feeds import (
    Feed,
    FeedCursor,
    FeedError,
    FeedFault,
    Fetched,
    Outcome,
    Request,
    Restated,
    Unchanged,
    feeds_of,
)
from daemon.files import write_durably

BACKOFF_S: Final = 1.0
BACKOFF_MAX_S: Final = 60.0
BODY_BYTES_MAX: Final = 64 * 2**20
CHUNK_BYTES: Final = 64 * 2**10
RETRIED_FAULTS: Final = frozenset(
    {FeedFault.UNREACHABLE, FeedFault.TIMEOUT, FeedFault.TRUNCATED, FeedFault.BUSY}
)
"""Faults that may pass by themselves, and that the other symbols of the feed would meet too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how often to ask; ``ends_at_s`` is on the monotonic clock."""

    timeout_s: float
    attempts_max: int
    ends_at_s: float
    backoff_s: float
    body_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes


class TriedError(FeedError):
    """One attempt failed; the next should wait at least ``wait_s``."""

    def __init__(self, kind: FeedFault, sentence: str, wait_s: float = 0.0) -> None:
        super().__init__(kind, sentence)
        self.wait_s = wait_s


def run(job: dict[str, Any]) -> dict[str, object]:
    """Poll every symbol of a feed, and give what came, how far it got, and the first fault."""
    cursors = {symbol: FeedCursor.of_json(cursor) for symbol, cursor in (job["cursor"] or {}).items()}
    files: list[str] = []
    faults: list[FeedError] = []
    feeds: tuple[Feed, ...] = ()
    try:
        feeds = feeds_of(
            job["feed"],
            symbols=job["symbols"],
            start=np.datetime64(job["start"], "D"),
            base_url=job["base_url"],
        )
    except FeedError as error:
        faults.append(error)
    bounds = _bounds(job)
    for feed in feeds:
        try:
            cursors[feed.symbol] = _poll_one(feed, cursors.get(feed.symbol, FeedCursor()), job, bounds, files)
        except FeedError as error:
            faults.append(error)
            if error.kind in RETRIED_FAULTS:
                break
    return {
        "ok": not faults,
        "files": files,
        "cursor": {symbol: cursor.to_json() for symbol, cursor in cursors.items()},
        "last_date": _last_date([cursors.get(feed.symbol, FeedCursor()) for feed in feeds]),
        "error": _said(faults),
    }


def _bounds(job: dict[str, Any]) -> Bounds:
    return Bounds(
        timeout_s=job["timeout_s"],
        attempts_max=job["attempts_max"],
        ends_at_s=time.monotonic() + job["deadline_s"],
        backoff_s=job.get("backoff_s", BACKOFF_S),
        body_bytes_max=job.get("body_bytes_max", BODY_BYTES_MAX),
    )


def _poll_one(
    feed: Feed, cursor: FeedCursor, job: dict[str, Any], bounds: Bounds, files: list[str]
) -> FeedCursor:
    """Poll one symbol, put what is new into the inbox, and give the cursor to keep."""
    today = np.datetime64(job["today"], "D")
    outcome = _ask(feed, cursor, today, bounds)
    if isinstance(outcome, Restated):
        outcome = _ask(feed, FeedCursor(), today, bounds)
    match outcome:
        case Fetched():
            _put(Path(job["inbox"]) / outcome.file_name, outcome.body)
            files.append(outcome.file_name)
            return outcome.cursor
        case Unchanged():
            return outcome.cursor
        case Restated():
            raise AssertionError("an empty cursor has no anchor that could be restated")


def _ask(feed: Feed, cursor: FeedCursor, today: np.datetime64, bounds: Bounds) -> Outcome:
    answer = fetch(feed.request(cursor, today), bounds)
    return feed.accept(answer.status, answer.headers, answer.body, cursor)


def _put(path: Path, body: bytes) -> None:
    try:
        write_durably(path, body)
    except OSError as error:
        raise FeedError(
            FeedFault.INBOX, f"{path.name} cannot be written ({error}); check room and owner of the inbox"
        ) from error


def fetch(request: Request, bounds: Bounds) -> Answer:
    """Ask until there is a whole answer, within the bounds.

    Waits double from attempt to attempt with jitter, and are at least what the server asks for
    (Retry-After); a wait that would pass the deadline is not begun.

    Raises
    ------
    FeedError
        With the fault of the last attempt.
    """
    with urllib3.PoolManager() as pool:
        for attempt in range(bounds.attempts_max):
            try:
                return _fetch_once(pool, request, bounds)
            except TriedError as error:
                fault = error
            backoff_s = min(bounds.backoff_s * 2**attempt, BACKOFF_MAX_S) * SystemRandom().uniform(0.5, 1.5)
            wait_s = max(backoff_s, fault.wait_s)
            if attempt + 1 == bounds.attempts_max or time.monotonic() + wait_s >= bounds.ends_at_s:
                break
            time.sleep(wait_s)
    raise FeedError(fault.kind, f"{fault} (attempts: {attempt + 1}); the next poll asks again")


def _fetch_once(pool: urllib3.PoolManager, request: Request, bounds: Bounds) -> Answer:
    now_s = time.monotonic()
    ends_at_s = min(now_s + bounds.timeout_s, bounds.ends_at_s)
    if ends_at_s <= now_s:
        raise TriedError(FeedFault.TIMEOUT, f"no time is left to ask {request.url}")
    try:
        response = pool.request(
            "GET",
            request.url,
            headers=request.headers,
            timeout=urllib3.Timeout(total=ends_at_s - now_s),
            retries=False,
            preload_content=False,
        )
        body = _read(response, request.url, ends_at_s, bounds.body_bytes_max)
    except HTTPError as error:
        kind = _fault_of(error)
        raise TriedError(kind, f"{request.url} gives no whole answer ({error})") from error
    answer = Answer(status=response.status, headers=response.headers, body=body)
    _refuse_passing(answer, request.url)
    return answer


def _fault_of(error: HTTPError) -> FeedFault:
    match error:
        case NewConnectionError():  # urllib3 counts a refused connection among the timeouts
            return FeedFault.UNREACHABLE
        case Urllib3TimeoutError():
            return FeedFault.TIMEOUT
        case ProtocolError():
            return FeedFault.TRUNCATED
        case _:
            return FeedFault.UNREACHABLE


def _read(response: urllib3.BaseHTTPResponse, url: str, ends_at_s: float, bytes_max: int) -> bytes:
    """Read a body piece by piece, so that neither its size nor a trickle has no bound."""
    body = bytearray()
    try:
        while piece := response.read1(CHUNK_BYTES):
            body += piece
            if len(body) > bytes_max:
                raise FeedError(FeedFault.TOO_LARGE, f"{url} sends more than {bytes_max} bytes; not taken")
            if time.monotonic() > ends_at_s:
                raise TriedError(FeedFault.TIMEOUT, f"{url} is too slow, {len(body)} bytes came")
    finally:
        response.close()
    return bytes(body)


def _refuse_passing(answer: Answer, url: str) -> None:
    """Refuse an answer that a later attempt may replace: too many requests, or a fault of the server."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TriedError(FeedFault.BUSY, f"{url} answers HTTP {answer.status}", _retry_after_s(answer))


def _retry_after_s(answer: Answer) -> float:
    try:
        return urllib3.Retry().parse_retry_after(answer.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


def _last_date(cursors: list[FeedCursor]) -> str | None:
    days = [cursor.last_date for cursor in cursors]
    return min((day for day in days if day is not None), default=None) if None not in days else None


def _said(faults: list[FeedError]) -> dict[str, str] | None:
    if not faults:
        return None
    return {"kind": faults[0].kind, "sentence": " | ".join(str(fault) for fault in faults)}
