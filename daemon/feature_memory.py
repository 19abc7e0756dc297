"""What the loop remembers of bars, so that a day's features take milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.settings import MarketSettings
    from regime.features.state import FeatureState


@dataclass(slots=True)
class FeatureMemory:
    """What the loop remembers from one day to the next: the last bars of the first market, at one version.

    It is a cache. Without it, or when it is of another market, it is made anew from the stored bars.
    """

    state: FeatureState | None = None
    data_version: int = 0
    market: MarketSettings | None = None
