"""Tells whether a version can serve, in a process in which nothing of it was loaded before.

Result: ``{"reason"}``: why it cannot, ``""`` if it can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.children.data import settings_of
from daemon.children.serving import load_serving
from daemon.layout import Layout
from regime.errors import RegimeError
from registry.errors import RegistryError
from registry.store import Registry


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Load one version and compare its golden predictions."""
    trusted = settings_of(job).training.trusted_types
    with Registry.open_read_only(Layout(Path(job["root"])).registry) as registry:
        try:
            load_serving(registry, registry.version(job["version"]), trusted=trusted)
        except (RegistryError, RegimeError) as error:
            return {"reason": str(error)}
    return {"reason": ""}
