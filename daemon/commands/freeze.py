"""``models freeze|unfreeze``: whether the gate may promote by itself."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from daemon.commands.context import print_json
from daemon.commands.times import now
from daemon.commands.writing import writing
from daemon.layout import layout_of
from daemon.records import Event
from registry.store import Registry

if TYPE_CHECKING:
    import argparse


def freeze(options: argparse.Namespace) -> int:
    """Let the gate promote nothing by itself from now on."""
    return _set(options, frozen=True)


def unfreeze(options: argparse.Namespace) -> int:
    """Let the gate promote by itself again."""
    return _set(options, frozen=False)


def _set(options: argparse.Namespace, *, frozen: bool) -> int:
    layout, at, actor = layout_of(options), now(), getpass.getuser()
    with writing(layout) as journal, Registry.open(layout.registry) as registry:
        act = registry.freeze if frozen else registry.unfreeze
        event = act(reason=options.reason, actor=actor, at=at, key=f"by hand:{at.isoformat()}")
        fields = {"actor": actor, "reason": options.reason}
        frozen_event = Event(name="gate.frozen", fields=fields)
        unfrozen_event = Event(name="gate.unfrozen", fields=fields)
        journal.note([frozen_event if frozen else unfrozen_event], now=at)
    if options.json:
        print_json({"frozen": frozen, "champion": event.version, "reason": event.reason})
    else:
        print("automatic promotion is frozen" if frozen else "the gate may promote automatically again")
    return 0
