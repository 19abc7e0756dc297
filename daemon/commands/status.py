"""``status``: is it fine, since when, what to do."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.progress import bar
from daemon.commands.times import age, local_time, now
from daemon.layout import layout_of
from daemon.status import EXIT_CODES, Status, read_status, status_unreadable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

FACTS_INDENT: Final = 14
REGIMES: Final = ("crash", "recovery", "high_volatility", "normal", "low_volatility")
"""As in ``regime.types``, which would bring numpy along."""


def status(options: argparse.Namespace) -> int:
    """Print how the daemon is; the exit code is its health."""
    layout = layout_of(options)
    try:
        found = read_status(layout, now())
    except OSError as error:
        found = status_unreadable(layout, error, now())
    if options.json:
        print(found.to_json())
    else:
        for line in lines_of(found):
            print(_fitted(line) if sys.stdout.isatty() else line)
    return EXIT_CODES[found.health]


def _fitted(line: str) -> str:
    """Give a line in as many lines as the terminal's width makes of it, under its own indent."""
    width = os.get_terminal_size().columns
    if len(line) <= width:
        return line
    import textwrap  # noqa: PLC0415 - only for narrow terminals

    return textwrap.fill(line, width, subsequent_indent=" " * FACTS_INDENT, drop_whitespace=True)


def lines_of(found: Status) -> Iterator[str]:
    """Give a status as text, one fact a line, the most urgent first."""
    at = datetime.fromisoformat(found.now)
    yield f"{found.health.upper()}  {found.directory}"
    for reason in found.reasons:
        since = f" (since {local_time(reason.since)})" if reason.since else ""
        yield f"  ! {reason.problem}{since}"
        yield f"    try: {reason.do}"
    yield from _facts("daemon", _daemon(found.daemon, at))
    yield from _facts("inbox", _inbox(found.inbox))
    yield from _facts("data", _data(found.data))
    for market, facts in found.regimes.items():
        yield from _facts(f"regime {market}", _regime(facts))
    yield from _facts("champion", _champion(found.champion, at))
    if found.challenger:
        yield from _facts("challenger", [str(found.challenger["version"])])
    yield from _facts("shadow", _shadow(found.shadow))
    yield from _facts("probation", _probation(found.probation))
    yield from _facts("frozen", _frozen(found.frozen, at))
    yield from _facts("running", _running(found.running, at))
    yield from _facts("last run", _last_run(found.last_run, at))
    yield from _facts("next run", [_next_run(found.next_run)])
    for reading in found.drift:
        yield from _facts("drift", [f"{reading['monitor']}: {reading['level']} on {reading['date']}"])
    for name, feed in found.feeds.items():
        how = feed["error"] or ("stale" if feed["is_stale"] else "well")
        yield from _facts(f"feed {name}", [f"through {feed['last_day'] or '-'}, {how}"])
    yield from _facts("mirror", _mirror(found.mirror))
    for i, event in enumerate(found.events):
        yield f"  {'events' if i == 0 else '':<12}{local_time(str(event['at']))}  {event['name']}"


def _facts(title: str, facts: list[str]) -> Iterator[str]:
    for i, fact in enumerate(facts):
        yield f"  {title if i == 0 else '':<{FACTS_INDENT - 4}}  {fact}"


def _daemon(facts: Any, at: datetime) -> list[str]:
    if facts is None:
        return ["not running"]
    since = age(facts["started_at"], at)
    return [f"pid {facts['pid']}, version {facts['version']}, up {since}, {facts['restarts']} earlier starts"]


def _inbox(facts: Any) -> list[str]:
    return [f"{facts['pending']} pending, {facts['quarantined']} in quarantine"] if facts else []


def _data(facts: Any) -> list[str]:
    if not facts or not facts["version"]:
        return ["no bars yet"] if facts else []
    symbols = facts["symbols"]
    named = ", ".join(symbols[:6]) + (" …" if len(symbols) > 6 else "")  # noqa: PLR2004 - fits a line
    days = f"{facts['first_day']} to {facts['last_day']}"
    return [f"version {facts['version']}: {len(symbols)} symbols ({named}), {days}"]


def _regime(facts: Any) -> list[str]:
    pending = f", {facts['pending']} pending" if facts["pending"] else ""
    count = facts["symbols"]
    symbols = "" if count is None else f", {count} symbol{'' if count == 1 else 's'}"
    mean = facts["expected_days"]
    expected = "" if mean is None else f", {mean:.0f} in the mean of {facts['closed_spells']} earlier spells"
    return [
        f"{facts['label']} since {facts['since']}{pending}, as of {facts['last_day']}{symbols}",
        f"session {facts['days_in']} of it{expected}",
        facts["reason"],
    ]


def _champion(facts: Any, at: datetime) -> list[str]:
    if facts is None:
        return ["none yet; train one with: regimed train --now"]
    promoted = f"promoted {age(facts['promoted_at'], at)} ago ({facts['verdict']})"
    made = f"{facts['members']} models, trained through {facts['trained_to']}"
    lines = [f"{facts['version']}, {promoted}, {made}"]
    if facts["skill"]:
        skills = (f"{regime} {_percent(facts['skill'].get(regime))}" for regime in REGIMES)
        lines.append("skill against the regime prior: " + ", ".join(skills))
    return lines


def _shadow(facts: Any) -> list[str]:
    if facts is None:
        return []
    if facts["outcome"] is not None:
        return [f"{facts['version']}: {facts['outcome']} after {facts['days']} fresh days"]
    return [f"{facts['version']}, {_days(facts)}"]


def _probation(facts: Any) -> list[str]:
    if facts is None:
        return []
    return [f"{facts['version']}, while {facts['previous']} goes on beside it: {_days(facts)}"]


def _days(facts: Any) -> str:
    if facts["days_max"] is None:
        return "no day predicted yet"
    said = "" if facts["verdict"] is None else f", the last look said {facts['verdict']}"
    return f"{facts['days']} of {facts['days_max']} fresh days, next look at {facts['next_look']}{said}"


def _frozen(facts: Any, at: datetime) -> list[str]:
    if facts is None:
        return []
    why = f"{facts['reason']} ({facts['actor']})"
    return [
        f"nothing is promoted automatically since {age(facts['since'], at)}: {why}",
        "try: regimed models unfreeze --reason TEXT",
    ]


def _mirror(facts: Any) -> list[str]:
    if facts is None:
        return []
    how = facts["error"] or ("up to date" if not facts["behind"] else "well")
    return [f"{facts['uri']}, {facts['behind']} events behind, {how}"]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"


def _running(facts: Any, at: datetime) -> list[str]:
    if facts is None:
        return []
    text = f"{facts['id']} for {age(facts['opened_at'], at)}"
    if facts["total"]:
        text += f"  {bar(facts['done'], facts['total'], facts['what'])}"
    elif facts["what"]:
        text += f"  {facts['what']}"
    return [text]


def _last_run(facts: Any, at: datetime) -> list[str]:
    if facts is None:
        return ["none yet"]
    ended = f"{facts['id']} {facts['outcome']} {age(facts['finished_at'], at)} ago"
    return [ended + (f": {facts['version']}" if facts["version"] else f": {facts['reason']}")]


def _next_run(text: str | None) -> str:
    if text is None:
        return "none: the schedule is off"
    utc = datetime.fromisoformat(text)
    return f"{local_time(text)} here, {utc:%Y-%m-%d %H:%M} UTC"
