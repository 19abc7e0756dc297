"""``models mirror``: send to MLflow what it lacks of the registry, once and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.commands.context import print_json, print_table, reading_registry, settings_of
from daemon.commands.writing import writing
from daemon.errors import ChildFailedError, UsageError
from daemon.layout import layout_of
from daemon.mirror_registry import job_of
from daemon.mirror_state import MIRROR, MirrorState

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from daemon.layout import Layout


def mirror(options: argparse.Namespace) -> int:
    """Compare every version with what is there, and send what is missing; or only say what that is."""
    layout = layout_of(options)
    settings = settings_of(layout).mirror
    uri = options.to or settings.mlflow_uri
    if not uri:
        raise UsageError("no mirror is configured; set mirror.mlflow_uri, or say where with --to URI")
    with reading_registry(layout) as registry:
        versions = tuple(version.name for version in registry.versions())
        through = max((event.sequence for event in registry.events()), default=0)
    end = SubprocessChildren(SystemClock()).run(
        job_of(layout, settings, uri, versions, is_dry=options.dry_run)
    )
    result: Any = end.result or {"error": end.reason}
    if result["error"] is not None:
        raise ChildFailedError(f"the mirror is not up to date: {result['error']}; what was sent stays there")
    if uri == settings.mlflow_uri and not options.dry_run:
        _note_sent(layout, uri, through)
    facts = {
        "uri": uri,
        "model": settings.model,
        "dry_run": options.dry_run,
        "versions": len(versions),
        "sent": result["sent"],
        "aliases": result["aliases"],
    }
    if options.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _note_sent(layout: Layout, uri: str, through: int) -> None:
    """Let the daemon go on from here."""
    with writing(layout) as journal:
        state = MirrorState.of_json(journal.ledger.fact(MIRROR), uri).sent(through)
        journal.set_fact(MIRROR, state._replace(given_up=0).to_json())


def _print(facts: Mapping[str, Any]) -> None:
    if facts["sent"]:
        header = ("version", "run", "MLflow's version")
        print_table(header, [tuple(each.values()) for each in facts["sent"]])
    would = "would be " if facts["dry_run"] else ""
    held = ", ".join(f"{alias} {version}" for alias, version in sorted(facts["aliases"].items()))
    print(
        f"{len(facts['sent'])} of {facts['versions']} versions {would}sent to {facts['uri']}, model"
        f" {facts['model']}; aliases: {held or 'none'}"
    )
