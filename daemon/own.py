"""Names of parts that users bring along: paths, or entry points of packages that stand for paths."""

from __future__ import annotations

from typing import Final

from regime.own import is_path

MODELS: Final = "regimed.models"
FEATURES: Final = "regimed.features"
LABELERS: Final = "regimed.labelers"


def path_of(name: str, group: str) -> str | None:
    """Give the path that a name stands for: itself, or that of an entry point; ``None`` if there is none.

    Nothing is imported. Packages are only searched for a name that is no path.

    >>> path_of("own_parts:bayes", MODELS), path_of("no such name", MODELS)
    ('own_parts:bayes', None)
    """
    if is_path(name):
        return name
    from importlib.metadata import entry_points  # noqa: PLC0415 - few configurations need it

    found = {f"{entry.module}:{entry.attr}" for entry in entry_points(group=group, name=name) if entry.attr}
    return min(found, default=None)
