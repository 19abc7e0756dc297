"""``models prune``: delete versions that nothing needs, and say what is kept and why."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_json, print_table, reading_registry, settings_of
from daemon.commands.times import now
from daemon.commands.writing import writing
from daemon.layout import layout_of
from daemon.records import Event
from registry.errors import VersionNeededError
from registry.retention import Retention
from registry.store import Registry
from registry.types import Deed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from datetime import datetime

    from daemon.layout import Layout
    from registry.retention import Plan

MIB: Final = 2**20


def prune(options: argparse.Namespace) -> int:
    """Delete by the policy of the configuration, each version with its event; or only say what would be."""
    layout, at = layout_of(options), now()
    asked = settings_of(layout).registry
    retention = Retention(last=asked.keep_last, served_days=asked.keep_served_days)
    policy = {"keep_last": retention.last, "keep_served_days": retention.served_days}
    facts = _planned(layout, retention, at) if options.dry_run else _pruned(layout, retention, at)
    facts = {"dry_run": options.dry_run, "policy": policy, **facts}
    if options.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _planned(layout: Layout, retention: Retention, at: datetime) -> dict[str, Any]:
    with reading_registry(layout) as registry:
        pruner = registry.pruner()
        plan = pruner.plan(retention, at)
        return _facts(plan, plan.deleted, pruner.freed_bytes(plan.deleted), pruner.disk_bytes())


def _pruned(layout: Layout, retention: Retention, at: datetime) -> dict[str, Any]:
    reason = f"keep_last = {retention.last}, keep_served_days = {retention.served_days:g}"
    with writing(layout) as journal, Registry.open(layout.registry) as registry:
        pruner = registry.pruner()
        plan = pruner.plan(retention, at)
        deleted: list[str] = []
        for version in plan.deleted:
            deed = Deed(key=f"prune:{version}", at=at, actor=getpass.getuser(), reason=reason)
            try:
                pruner.delete(version, deed)
            except VersionNeededError:
                continue  # it was given a role since the plan was made
            deleted.append(version)
        freed, left = pruner.collect(at), pruner.disk_bytes()
        if deleted or freed:
            fields = {"versions": deleted, "freed_bytes": freed, "disk_bytes": left}
            journal.note([Event(name="models.pruned", fields=fields)], now=at)
    return _facts(plan, tuple(deleted), freed, left)


def _facts(plan: Plan, deleted: tuple[str, ...], freed_bytes: int, disk_bytes: int) -> dict[str, Any]:
    return {
        "deleted": list(deleted),
        "kept": [{"version": version, "because": because} for version, because in plan.kept.items()],
        "freed_bytes": freed_bytes,
        "disk_bytes": disk_bytes,
    }


def _print(facts: Mapping[str, Any]) -> None:
    print_table(("kept", "because it"), [(row["version"], row["because"]) for row in facts["kept"]])
    would = "would be " if facts["dry_run"] else ""
    print(
        f"{', '.join(facts['deleted']) or 'no version'} {would}deleted,"
        f" {facts['freed_bytes'] / MIB:.1f} MiB {would}freed;"
        f" the artifacts take {facts['disk_bytes'] / MIB:.1f} MiB{' now' if facts['dry_run'] else ''}"
    )
