"""Everything that handlers may use, named in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.adapters.versions import bars_of, bring_up_panel
from daemon.feature_memory import FeatureMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from daemon.adapters.ledger import Ledger
    from daemon.adapters.quarantine import Quarantine
    from daemon.layout import Layout
    from daemon.ports import BarStore, Calendar, Children, Clock
    from daemon.settings import Settings
    from regime.types import Bars
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
    features: FeatureMemory = field(default_factory=FeatureMemory)

    def bars_of(
        self,
        data_version: int,
        symbols: Sequence[str] | None = None,
        *,
        last: int | None = None,
        since: np.datetime64 | None = None,
    ) -> Bars:
        """Give the bars of a data version; see ``daemon.adapters.versions``."""
        return bars_of(self.ledger.bars, self.bars, data_version, symbols, last=last, since=since)

    def bring_up_panel(self, *, symbols: Sequence[str] | None = None, late_max: int = 0) -> None:
        """Bring the panel of bars to the newest data version, so that reading them is quick.

        With ``late_max``, only if more parts with bars of the symbols came since.
        """
        bring_up_panel(self.ledger.bars, self.bars, symbols=symbols, late_max=late_max)
