"""Everything that handlers may use, named in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.adapters.ledger import Ledger
    from daemon.adapters.quarantine import Quarantine
    from daemon.layout import Layout
    from daemon.ports import BarStore, Calendar, Children, Clock
    from daemon.settings import Settings
    from registry.store import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a handler works with; it writes to the journal only through the outcome that it returns."""

    settings: Settings
    layout: Layout
    clock: Clock
    ledger: Ledger
    bars: BarStore
    calendar: Calendar
    children: Children
    quarantine: Quarantine
    registry: Registry
