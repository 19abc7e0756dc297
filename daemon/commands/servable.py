"""Before an alias moves by hand: the version is loaded and examined in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.commands.context import reading_registry, settings_of
from daemon.errors import ChildFailedError
from daemon.hold_trials import servable_job
from registry.types import Alias

if TYPE_CHECKING:
    from daemon.layout import Layout


def previous_of(layout: Layout) -> str | None:
    """Give the version that served before, ``None`` if none did."""
    with reading_registry(layout) as registry:
        return registry.aliases().get(Alias.PREVIOUS)


def require_servable(layout: Layout, version: str | None) -> None:
    """Refuse a version that does not load, or does not predict what it predicted when it was trained.

    A version that is not there is left to the registry to refuse.

    Raises
    ------
    VersionUnknownError
        If there is no such version.
    ChildFailedError
        If it cannot serve; the sentence says why.
    """
    if version is None:
        return
    with reading_registry(layout) as registry:
        registry.version(version)
    settings = settings_of(layout)
    end = SubprocessChildren(SystemClock()).run(servable_job(version, layout, settings))
    reason = end.reason if end.result is None else end.result["reason"]
    if reason:
        raise ChildFailedError(f"{version} cannot serve, and the champion stays: {reason}")
