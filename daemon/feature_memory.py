"""What the loop remembers of bars, so that a day's features take milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.settings import MarketSettings
    from regime.features.state import FeatureState


@dataclass(slots=True)
class FeatureMemory:
    """What the loop remembers from one day to the next: the last bars of the first market, at one version.

    It is a cache. Without it, or when the markets are others, it is made anew from the stored bars.
    """

    state: FeatureState | None = None
    data_version: int = 0
    markets: Mapping[str, MarketSettings] | None = None
