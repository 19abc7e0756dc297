"""A label as it is stored; in a module of its own, because ``status`` reads labels and little else."""

from __future__ import annotations

from typing import NamedTuple


class StoredLabel(NamedTuple):
    """One day's label as stored."""

    day: str
    regime: str
    reason: str
    pending: str | None
