"""``serve``: the report on a loopback address for as long as somebody looks at it, and nothing else.

For a machine without a browser: ``ssh -L 8733:127.0.0.1:8733 host``. Only this machine can connect, and only
who asks by a loopback name is answered, so that no site which a browser has open can read the report by
giving its own name this address (DNS rebinding). Nothing is written.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import TYPE_CHECKING, Final

from daemon.commands.context import reading
from daemon.commands.report import document_of, text_of
from daemon.commands.times import now
from daemon.errors import DaemonError, UsageError
from daemon.layout import layout_of
from daemon.status import read_status
from regime.errors import RegimeError
from registry.errors import RegistryError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from daemon.layout import Layout

ADDRESS: Final = "127.0.0.1"
NAMES: Final = (ADDRESS, "localhost")
LOOK_S: Final = 1.0
"""Between two looks at whether anybody still asks."""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def serve(options: argparse.Namespace) -> int:
    """Serve the report until it is interrupted, or nobody has asked for a while."""
    pages = Pages(layout_of(options))
    try:
        server = _Server((ADDRESS, options.port), pages)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "there are ports from 0 to 65535"
        raise UsageError(f"port {options.port} cannot be used: {why}; name another with --port") from error
    with server:
        pages.report()  # so that what cannot be told is told before anybody is invited
        address = f"http://{ADDRESS}:{server.server_port}/"
        print(f"{address}  until Ctrl-C, or {options.minutes} minutes after the last look", flush=True)
        server.serve_while_asked(60.0 * options.minutes)
    return 0


class Pages:
    """What is served of a directory, made anew when something has happened there."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._made: tuple[int, str, str] | None = None

    def report(self) -> str:
        """Give the page of the report."""
        return self._current()[1]

    def document(self) -> str:
        """Give the report as JSON."""
        return self._current()[2]

    def status(self) -> str:
        """Give how the daemon is, as JSON."""
        return read_status(self._layout, now()).to_json() + "\n"

    def _current(self) -> tuple[int, str, str]:
        with reading(self._layout) as ledger:
            last = ledger.events(limit=1)
        at = last[0].id if last else 0
        if self._made is None or self._made[0] != at:
            document = document_of(self._layout)
            self._made = at, import_module("daemon.report.page").page_of(document), text_of(document)
        return self._made


class _Server(HTTPServer):
    """Answers one request after the other, and knows when the last one came."""

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        super().__init__(address, _Answer)
        self.routes: dict[str, tuple[str, Callable[[], str]]] = {
            "/": ("text/html", pages.report),
            "/report.json": ("application/json", pages.document),
            "/status.json": ("application/json", pages.status),
        }
        self.timeout = LOOK_S
        self.asked_s = time.monotonic()

    def serve_while_asked(self, patience_s: float) -> None:
        while time.monotonic() - self.asked_s < patience_s:
            self.handle_request()


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    server_version = "regimed"
    sys_version = ""
    timeout = 5.0  # seconds; a connection that says nothing holds up the others no longer

    def do_GET(self) -> None:
        """Answer with a page, a document or a status, if it was asked for by a loopback name."""
        self.server.asked_s = time.monotonic()
        if self.headers.get("Host", "").rpartition(":")[0] not in NAMES:
            self._say(
                HTTPStatus.MISDIRECTED_REQUEST, f"ask for http://{ADDRESS}:{self.server.server_port}/\n"
            )
        elif self.path not in self.server.routes:
            self._say(HTTPStatus.NOT_FOUND, f"there are {', '.join(self.server.routes)}\n")
        else:
            self._answer(*self.server.routes[self.path])

    do_HEAD = do_GET  # noqa: N815 - as the library names it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library names it
        """Say nothing: whoever serves a page to himself needs no log of it."""

    def _answer(self, kind: str, text: Callable[[], str]) -> None:
        try:
            found = text()
        except (DaemonError, RegimeError, RegistryError, OSError) as error:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")
        else:
            self._say(HTTPStatus.OK, found, kind)

    def _say(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
