"""Both feeds against a real HTTP server that replays bodies of the sources' form, good and bad."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from daemon.children.poll import run as poll
from daemon.formats import read_bars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIX = b"DATE,OPEN,HIGH,LOW,CLOSE\n06/26/2024,12.81,13.24,12.37,12.55\n06/27/2024,12.69,12.77,12.21,12.24\n"
VIX_NEXT = VIX + b"06/28/2024,12.24,12.76,11.87,12.44\n"
HTML = b"<!DOCTYPE html><html><body>Will be right back...</body></html>"
NOT_FOUND = b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'
DAY_S = 86_400
JUNE_3 = 1_717_421_400
"""2024-06-03 09:30 in New York; the chart below has a bar on each of the days after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server says: ``length`` is the Content-Length that it claims."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    is_stalled: bool = False


class Server:
    """Gives its replies in turn, the last one again and again, and remembers what was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.is_over = threading.Event()
        self.url = ""

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        self.paths.append(path)
        self.headers.append(headers)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    server = Server(*replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = server.reply(self.path, dict(self.headers))
            if reply.is_stalled:
                server.is_over.wait(timeout=30)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_port}"
    try:
        yield server
    finally:
        server.is_over.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


def chart(
    closes: list[float], *, first: int = 0, factor: float = 1.0, symbol: str = "SPY", is_open: bool = False
) -> bytes:
    """Give a chart whose bars lie on successive days, the ``first``-th day after 2024-06-03 first."""
    stamps = [JUNE_3 + (first + i) * DAY_S for i in range(len(closes))]
    end = stamps[-1] + 6 * 3600
    meta = {
        "symbol": symbol,
        "exchangeTimezoneName": "America/New_York",
        "dataGranularity": "1d",
        "regularMarketTime": end - 60 * is_open,
        "currentTradingPeriod": {"regular": {"start": stamps[-1], "end": end}},
    }
    prices = dict.fromkeys(("open", "high", "low", "close"), closes) | {"volume": [1000] * len(closes)}
    adjusted = [{"adjclose": [close * factor for close in closes]}]
    result = {"meta": meta, "timestamp": stamps, "indicators": {"quote": [prices], "adjclose": adjusted}}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def job_of(server: Server, inbox: Path, feed: str = "cboe_vix", **facts: object) -> dict[str, Any]:
    symbols = {"cboe_vix": ["^VIX"], "yahoo_chart": ["SPY"]}
    return {
        "feed": feed,
        "base_url": server.url,
        "symbols": symbols.get(feed, []),
        "start": "2024-01-01",
        "cursor": None,
        "timeout_s": 20.0,
        "attempts_max": 3,
        "deadline_s": 60.0,
        "backoff_s": 0.0,
        "inbox": str(inbox),
        "today": "2024-07-01",
        **facts,
    }


def closes_of(path: Path) -> list[float]:
    return [float(close) for close in read_bars(path, name=path.name).bars.close]


def test_the_vix_comes_as_a_file_in_the_inbox(tmp_path: Path) -> None:
    with serving(
        Reply(body=VIX, headers={"ETag": '"a"', "Last-Modified": "Thu, 27 Jun 2024 22:00:00 GMT"})
    ) as server:
        result = poll(job_of(server, tmp_path))
    assert server.paths == ["/api/global/us_indices/daily_prices/VIX_History.csv"]
    assert (result["ok"], result["files"], result["last_date"], result["error"]) == (
        True,
        ["VIX_History.csv"],
        "2024-06-27",
        None,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["VIX_History.csv"]
    assert (tmp_path / "VIX_History.csv").read_bytes() == VIX


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    modified = "Thu, 27 Jun 2024 22:00:00 GMT"
    first = Reply(body=VIX, headers={"ETag": '"a"', "Last-Modified": modified})
    with serving(first, Reply(status=304)) as server:
        before = poll(job_of(server, tmp_path))
        after = poll(job_of(server, tmp_path, cursor=before["cursor"]))
    assert server.headers[1]["If-None-Match"] == '"a"'
    assert server.headers[1]["If-Modified-Since"] == modified
    assert after == {**before, "files": []}


@pytest.mark.parametrize(("feed", "body"), [("cboe_vix", VIX), ("yahoo_chart", chart([10.0, 11.0, 12.0]))])
def test_the_same_body_again_changes_nothing(feed: str, body: bytes, tmp_path: Path) -> None:
    with serving(Reply(body=body)) as server:
        before = poll(job_of(server, tmp_path, feed))
        after = poll(job_of(server, tmp_path, feed, cursor=before["cursor"]))
    assert len(before["files"]) == 1  # type: ignore[arg-type]  # a list
    assert after == {**before, "files": []}


def test_news_after_the_cursor_is_a_file_again(tmp_path: Path) -> None:
    with serving(Reply(body=VIX), Reply(body=VIX_NEXT)) as server:
        before = poll(job_of(server, tmp_path))
        after = poll(job_of(server, tmp_path, cursor=before["cursor"]))
    assert (after["files"], after["last_date"]) == (["VIX_History.csv"], "2024-06-28")
    assert closes_of(tmp_path / "VIX_History.csv") == [12.55, 12.24, 12.44]


def test_yahoo_is_asked_from_the_start_and_then_for_the_last_days(tmp_path: Path) -> None:
    first = chart([10.0 + i for i in range(20)])
    with serving(Reply(body=first), Reply(body=chart([18.0 + i for i in range(13)], first=8))) as server:
        before = poll(job_of(server, tmp_path, "yahoo_chart"))
        after = poll(job_of(server, tmp_path, "yahoo_chart", cursor=before["cursor"]))
    queries = [parse_qs(urlsplit(path).query) for path in server.paths]
    assert urlsplit(server.paths[0]).path == "/v8/finance/chart/SPY"
    assert [query["period1"] for query in queries] == [["1704067200"], ["1718064000"]]  # 01-01, 06-11
    assert queries[0]["interval"] == ["1d"]
    assert (before["last_date"], after["last_date"]) == ("2024-06-22", "2024-06-23")
    assert after["files"] == ["yahoo_chart_SPY_from_2024-06-11.json"]


def test_a_restated_last_day_is_taken(tmp_path: Path) -> None:
    replies = [Reply(body=chart([10.0, 11.0, 12.0])), Reply(body=chart([10.0, 11.0, 12.5]))]
    with serving(*replies) as server:
        before = poll(job_of(server, tmp_path, "yahoo_chart"))
        after = poll(job_of(server, tmp_path, "yahoo_chart", cursor=before["cursor"]))
    assert len(server.paths) == 2
    assert after["files"] == ["yahoo_chart_SPY_from_2024-06-03.json"]
    assert closes_of(tmp_path / "yahoo_chart_SPY_from_2024-06-03.json") == [10.0, 11.0, 12.5]


def test_after_a_dividend_the_whole_history_is_asked_for_again(tmp_path: Path) -> None:
    closes = [10.0 + i for i in range(20)]
    replies = [
        Reply(body=chart(closes)),
        Reply(body=chart(closes[8:], first=8, factor=0.99)),
        Reply(body=chart(closes, factor=0.99)),
    ]
    with serving(*replies) as server:
        before = poll(job_of(server, tmp_path, "yahoo_chart"))
        after = poll(job_of(server, tmp_path, "yahoo_chart", cursor=before["cursor"]))
    assert len(server.paths) == 3
    assert "period1=1704067200" in server.paths[2]
    assert after["files"] == ["yahoo_chart_SPY_from_2024-06-03.json"]
    assert closes_of(tmp_path / "yahoo_chart_SPY_from_2024-06-03.json")[0] == pytest.approx(9.9, rel=1e-12)


def test_the_price_of_an_open_session_is_no_close(tmp_path: Path) -> None:
    with serving(Reply(body=chart([10.0, 11.0, 12.0], is_open=True))) as server:
        result = poll(job_of(server, tmp_path, "yahoo_chart"))
    assert result["last_date"] == "2024-06-04"


def test_one_symbol_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    replies = [
        Reply(body=chart([10.0, 11.0], symbol="AAA")),
        Reply(body=NOT_FOUND, status=404),
        Reply(body=chart([10.0, 11.0, 12.0], symbol="CCC")),
    ]
    with serving(*replies) as server:
        result: Any = poll(job_of(server, tmp_path, "yahoo_chart", symbols=["AAA", "BBB", "CCC"]))
    assert result["ok"] is False
    assert result["files"] == [
        "yahoo_chart_AAA_from_2024-06-03.json",
        "yahoo_chart_CCC_from_2024-06-03.json",
    ]
    assert sorted(result["cursor"]) == ["AAA", "CCC"]
    assert result["last_date"] is None
    assert result["error"]["kind"] == "status"
    assert result["error"]["sentence"].startswith("BBB: HTTP 404")


def test_all_symbols_tell_the_day_that_all_have_reached(tmp_path: Path) -> None:
    replies = [Reply(body=chart([1.0, 2.0], symbol="AAA")), Reply(body=chart([1.0, 2.0, 3.0], symbol="^B"))]
    with serving(*replies) as server:
        result = poll(job_of(server, tmp_path, "yahoo_chart", symbols=["AAA", "^B"]))
    assert server.paths[1].startswith("/v8/finance/chart/%5EB?")
    assert result["last_date"] == "2024-06-04"


@pytest.mark.parametrize(
    "passing",
    [
        Reply(status=429, body=b"Too Many Requests\r\n", headers={"Retry-After": "0"}),
        Reply(status=429, headers={"Retry-After": "soon"}),
        Reply(status=503),
        Reply(body=VIX[:40], length=len(VIX)),
    ],
)
def test_what_may_pass_is_tried_again(passing: Reply, tmp_path: Path) -> None:
    with serving(passing, passing, Reply(body=VIX)) as server:
        result = poll(job_of(server, tmp_path))
    assert len(server.paths) == 3
    assert (result["ok"], result["last_date"]) == (True, "2024-06-27")


@pytest.mark.parametrize(
    ("reply", "kind", "asked"),
    [
        (Reply(status=429, body=b"Too Many Requests"), "busy", 3),
        (Reply(status=429, headers={"Retry-After": "3600"}), "busy", 1),
        (Reply(status=500), "busy", 3),
        (Reply(body=VIX[:40], length=len(VIX)), "truncated", 3),
        (Reply(body=HTML), "body", 1),
        (Reply(body=b"No data"), "body", 1),
        (Reply(body=b""), "body", 1),
        (Reply(body=VIX[:-30]), "body", 1),
        (Reply(body=b"DATE,T10Y2Y\n2024-06-27,1.5\n"), "symbol", 1),
        (Reply(status=404, body=NOT_FOUND), "status", 1),
        (Reply(status=403, body=HTML), "status", 1),
        (Reply(status=301, headers={"Location": "http://127.0.0.1/"}), "status", 1),
        (Reply(body=VIX * 10_000), "too_large", 1),
    ],
)
def test_what_is_no_history_brings_nothing(reply: Reply, kind: str, asked: int, tmp_path: Path) -> None:
    cursor = {"^VIX": {"last_date": "2024-06-25", "etag": '"a"'}}
    with serving(reply) as server:
        result: Any = poll(job_of(server, tmp_path, cursor=cursor, body_bytes_max=2**19))
    assert (result["ok"], result["files"], result["error"]["kind"]) == (False, [], kind)
    assert len(server.paths) == asked
    assert result["last_date"] == "2024-06-25"
    assert result["cursor"]["^VIX"]["etag"] == '"a"'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("feed", ["cboe_vix", "yahoo_chart"])
def test_an_old_copy_is_not_taken_for_news(feed: str, tmp_path: Path) -> None:
    body = VIX if feed == "cboe_vix" else chart([10.0, 11.0])
    cursor = {"^VIX": {"last_date": "2024-06-28"}, "SPY": {"last_date": "2024-06-28"}}
    with serving(Reply(body=body)) as server:
        result: Any = poll(job_of(server, tmp_path, feed, cursor=cursor))
    assert result["error"]["kind"] == "went_back"
    assert result["last_date"] == "2024-06-28"


def test_yahoo_answering_about_another_symbol_is_refused(tmp_path: Path) -> None:
    with serving(Reply(body=chart([10.0], symbol="QQQ"))) as server:
        result: Any = poll(job_of(server, tmp_path, "yahoo_chart"))
    assert result["error"]["kind"] == "symbol"


def test_a_server_that_stalls_is_left_after_the_time_limit(tmp_path: Path) -> None:
    with serving(Reply(is_stalled=True)) as server:
        result: Any = poll(job_of(server, tmp_path, timeout_s=0.1, attempts_max=2))
    assert result["error"]["kind"] == "timeout"
    assert len(server.paths) == 2


def test_a_server_that_fails_all_is_not_asked_for_the_other_symbols(tmp_path: Path) -> None:
    with serving(Reply(status=429)) as server:
        result: Any = poll(job_of(server, tmp_path, "yahoo_chart", symbols=["A", "B", "C"]))
    assert len(server.paths) == 3
    assert result["error"]["kind"] == "busy"


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with serving(Reply()) as server:
        pass
    result: Any = poll(job_of(server, tmp_path))
    assert result["error"]["kind"] == "unreachable"


def test_an_inbox_that_cannot_be_written_is_said_and_the_cursor_stays(tmp_path: Path) -> None:
    with serving(Reply(body=VIX)) as server:
        result: Any = poll(job_of(server, tmp_path / "missing"))
    assert result["error"]["kind"] == "inbox"
    assert (result["cursor"], result["last_date"]) == ({}, None)


@pytest.mark.parametrize(
    ("feed", "symbols"), [("cboe_vix", ["SPY"]), ("yahoo_chart", []), ("yahoo_chart", ["../x"]), ("fred", [])]
)
def test_a_job_that_cannot_be_asks_nobody(feed: str, symbols: list[str], tmp_path: Path) -> None:
    with serving(Reply(body=VIX)) as server:
        result: Any = poll(job_of(server, tmp_path, feed, symbols=symbols))
    assert result["error"]["kind"] == "job"
    assert server.paths == []


def test_the_child_speaks_json_on_standard_output(tmp_path: Path) -> None:
    with serving(Reply(body=VIX)) as server:
        command = [sys.executable, "-m", "daemon.children", "daemon.children.poll"]
        job = json.dumps(job_of(server, tmp_path))
        child = subprocess.run(command, input=job, capture_output=True, text=True, check=True)
    assert json.loads(child.stdout)["result"]["files"] == ["VIX_History.csv"]
