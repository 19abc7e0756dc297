"""A market that computes once what several versions ask of it on the same day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.children.data import Market, first_market

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from daemon.settings import Settings
    from regime.types import FeatureTable


def remembered_market(root: str, data_version: int, settings: Settings) -> RememberedMarket:
    """Give the first market of a data version; see ``daemon.children.data.first_market``."""
    market = first_market(root, data_version, settings)
    return RememberedMarket(**{name: getattr(market, name) for name in Market.__dataclass_fields__})


class RememberedMarket(Market):
    """A market whose features and volatility inputs are kept: the same rows are the same arrays."""

    def features(self, *, last_days: int | None = None) -> FeatureTable:
        """Give the features as ``Market`` does, computed once."""
        found: FeatureTable = self._once(last_days, lambda: Market.features(self, last_days=last_days))
        return found

    def volatility(self, rows: FeatureTable) -> NDArray[np.float32]:
        """Give the inputs of volatility forecasts as ``Market`` does, computed once."""
        asked = (rows.symbol.tobytes(), rows.date.tobytes())
        found: NDArray[np.float32] = self._once(asked, lambda: Market.volatility(self, rows))
        return found

    def _once(self, asked: object, compute: Callable[[], Any]) -> Any:
        known: dict[str, Any] = self.__dict__
        key = repr(asked)
        if key not in known:
            known[key] = compute()
        return known[key]
