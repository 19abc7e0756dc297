"""A feed of the daemon against a server on this machine: news comes in through the inbox, failure is said."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Installation

FIRST = datetime(2023, 1, 2, 14, 30, tzinfo=UTC)
DAYS = [FIRST + timedelta(weeks=i // 5, days=i % 5) for i in range(300)]
"""The openings of three hundred weekdays."""


def chart() -> dict[str, Any]:
    closes = [100.0 + (i % 7) + i / 10 for i in range(len(DAYS))]
    quote = {
        "open": closes,
        "high": [close + 1 for close in closes],
        "low": [close - 1 for close in closes],
        "close": closes,
        "volume": [1000] * len(closes),
    }
    shut = DAYS[-1].replace(hour=21)
    meta = {
        "symbol": "^TST",
        "gmtoffset": -18000,
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": int(shut.timestamp()),
        "currentTradingPeriod": {
            "regular": {"start": int(DAYS[-1].timestamp()), "end": int(shut.timestamp())}
        },
        "dataGranularity": "1d",
    }
    result = {
        "meta": meta,
        "timestamp": [int(day.timestamp()) for day in DAYS],
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": closes}]},
    }
    return {"chart": {"result": [result], "error": None}}


class Server(ThreadingHTTPServer):
    """Answers every request with ``answer``, and keeps the paths that were asked for."""

    answer: tuple[int, bytes] = (200, json.dumps(chart()).encode())

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def configure(place: Installation, port: int) -> None:
    place.layout.configuration.write_text(
        f"""
[markets.test]
index = "^TST"
fear = ""
calendar = "weekdays"
[feeds.yahoo_chart]
enabled = true
base_url = "http://127.0.0.1:{port}"
symbols = ["^TST"]
start_day = "2023-01-01"
poll_every_s = 86400
attempts_max = 1
[schedule]
enabled = false
""",
        encoding="utf-8",
    )


def test_what_a_feed_brings_comes_in_like_a_file_and_is_labelled(
    installation: Installation,
) -> None:
    with serving() as server:
        configure(installation, server.server_port)
        installation.start()
        polled = installation.wait_for("feed.polled")
        assert polled.fields == {"feed": "yahoo_chart", "files": 1, "last_day": str(DAYS[-1].date())}
        installation.wait_for("labels.stored")
        installation.wait_until_idle()
        assert server.asked[0].startswith("/v8/finance/chart/%5ETST?")
        labels = installation.facts("labels")["labels"]
        assert [label["date"] for label in labels] == [str(day.date()) for day in DAYS]
        feed = installation.facts("status", code=1)["feeds"]["yahoo_chart"]
        assert (feed["last_day"], feed["error"]) == (str(DAYS[-1].date()), None)
        assert len(installation.events("feed.stale")) == 1
        assert installation.stop() == 0
        assert len(server.asked) == 1


def test_a_page_instead_of_prices_is_a_failed_poll_and_nothing_is_taken(installation: Installation) -> None:
    with serving() as server:
        server.answer = (200, b"<!DOCTYPE html><html><body>Please accept our cookies</body></html>")
        configure(installation, server.server_port)
        installation.start()
        failed = installation.wait_for("feed.failed")
        assert failed.fields["feed"] == "yahoo_chart"
        installation.wait_until_idle()
        said = installation.facts("status", code=1)
        assert said["feeds"]["yahoo_chart"]["error"] == failed.fields["error"]
        assert said["reasons"][0]["problem"] == f"feed yahoo_chart: {failed.fields['error']}"
        assert said["data"]["version"] == 0
        assert installation.events("ingest.") == ()
        assert installation.stop() == 0


@pytest.mark.slow
def test_a_server_that_is_down_is_a_failed_poll(installation: Installation) -> None:
    with serving() as server:
        port = server.server_port
    configure(installation, port)
    installation.start()
    failed = installation.wait_for("feed.failed")
    assert failed.fields["kind"] == "unreachable"
    assert installation.stop() == 0
