"""``events``: the ledger of everything that happened."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from daemon.commands.context import print_json, reading
from daemon.commands.times import local_time
from daemon.errors import UsageError
from daemon.layout import layout_of
from daemon.logs import catalogue

if TYPE_CHECKING:
    import argparse

    from daemon.adapters.ledger import StoredEvent

FOLLOW_S: Final = 0.5


def events(options: argparse.Namespace) -> int:
    """Print the last events, and with ``--follow`` those that come."""
    if options.name and not any(name.startswith(options.name) for name in catalogue()):
        raise UsageError(f"no event has a name that starts with {options.name!r}; see docs/events.md")
    layout = layout_of(options)
    with reading(layout) as ledger:
        found = ledger.events(name=options.name, limit=options.limit or None)
        last = ledger.last_event_id()
    if options.json and not options.follow:
        print_json({"events": [_facts(event) for event in found]})
        return 0
    for event in found:
        print_event(event, as_json=options.json)
    while options.follow:
        time.sleep(FOLLOW_S)
        with reading(layout) as ledger:
            found = ledger.events(after_id=last, name=options.name)
            last = ledger.last_event_id()
        for event in found:
            print_event(event, as_json=options.json)
    return 0


def _facts(event: StoredEvent) -> dict[str, object]:
    return {**event._asdict(), "level": catalogue()[event.name].level, "code": catalogue()[event.name].id}


def print_event(event: StoredEvent, *, as_json: bool) -> None:
    """Print one event as a line of text or of JSON."""
    if as_json:
        print(json.dumps(_facts(event)), flush=True)
        return
    level = catalogue()[event.name].level
    fields = " ".join(f"{name}={_short(value)}" for name, value in event.fields.items())
    print(f"{local_time(event.at)}  {level:<7}  {event.name:<18}  {fields}", flush=True)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):  # noqa: PLR2004 - a sha256
        return text[:12]
    return json.dumps(text) if " " in text else text
