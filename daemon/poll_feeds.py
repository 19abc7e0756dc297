"""A feed is due: a child asks it, and what it brings comes in through the inbox like any file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.feeds.staleness import is_stale
from daemon.markets import by_market, first_of
from daemon.records import ChildEnd, ChildJob, Event, FeedPolled, Outcome

if TYPE_CHECKING:
    from daemon.messages import FeedPollDue
    from daemon.tools import Tools

MEMORY_LIMIT_MIB = 2048


def poll_feed(message: FeedPollDue, tools: Tools) -> Outcome | ChildJob:
    """Ask a feed in a child process; one that was switched off meanwhile is left alone."""
    feed = tools.settings.feeds[message.feed]
    if not feed.enabled:
        return Outcome()
    state = tools.ledger.feed(message.feed)
    cursor = None if state is None or state.cursor is None else json.loads(state.cursor)
    return ChildJob(
        module="daemon.children.poll",
        job={
            "feed": message.feed,
            "base_url": feed.base_url,
            "symbols": list(feed.symbols),
            "start": feed.start_day,
            "cursor": cursor,
            "timeout_s": feed.timeout_s,
            "attempts_max": feed.attempts_max,
            "deadline_s": feed.deadline_s,
            "inbox": str(tools.layout.inbox),
            "today": tools.clock.now().date().isoformat(),
        },
        time_limit_s=2 * feed.deadline_s,
        memory_limit_mib=MEMORY_LIMIT_MIB,
    )


def take_feed_news(message: FeedPollDue, end: ChildEnd, tools: Tools) -> Outcome:
    """Keep the cursor; say what came, what failed, and whether the feed has gone stale."""
    result: Any = end.result or {"error": {"kind": "child", "sentence": end.reason}}
    error = result.get("error")
    state = tools.ledger.feed(message.feed)
    last_day = result.get("last_date") or (state.last_day if state else None)
    stale = _is_stale(message.feed, last_day, tools)
    polled = FeedPolled(
        feed=message.feed,
        cursor=None if result.get("cursor") is None else json.dumps(result["cursor"], sort_keys=True),
        last_day=last_day,
        error=None if error is None else error["sentence"],
        is_stale=stale,
    )
    events = [
        Event(
            name="feed.polled",
            fields={"feed": message.feed, "files": len(result["files"]), "last_day": last_day},
        )
        if error is None
        else Event(
            name="feed.failed",
            fields={"feed": message.feed, "kind": error["kind"], "error": error["sentence"]},
        )
    ]
    if stale:
        events.append(Event(name="feed.stale", fields={"feed": message.feed, "last_day": last_day}))
    return Outcome(records=(polled,), events=tuple(events))


def _is_stale(feed: str, last_day: str | None, tools: Tools) -> bool:
    """Judge a feed by the sessions of its first symbol's market, else those of the first market."""
    markets = tools.settings.markets
    name = next(iter(by_market(markets, tools.settings.feeds[feed].symbols[:1])), None)
    market = first_of(markets)[1] if name is None else markets[name]
    return is_stale(
        None if last_day is None else np.datetime64(last_day, "D"),
        today=np.datetime64(tools.clock.now().date(), "D"),
        sessions=tools.calendar.sessions(market.calendar),
        sessions_max=tools.settings.feeds[feed].stale_sessions,
    )
