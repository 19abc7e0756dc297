"""The catalogue: 179 features in their fixed order, with a version and a hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from regime.features import (
    derived,
    market_context,
    market_structure,
    momentum,
    multi_timeframe,
    price_pattern,
    statistical,
    trend,
    volatility,
    volume,
)
from regime.features.feature import FearRule, IndexRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.features.feature import Feature

CATALOGUE_VERSION: Final = "1"
"""Raised when a value changes though its formula reads the same; models of another version are refused."""

CATALOGUE: Final[tuple[Feature, ...]] = (
    *momentum.FEATURES,
    *trend.FEATURES,
    *volume.FEATURES,
    *volatility.FEATURES,
    *price_pattern.FEATURES,
    *statistical.FEATURES,
    *market_structure.FEATURES,
    *multi_timeframe.FEATURES,
    *market_context.FEATURES,
    *derived.FEATURES,
)


def catalogue_hash(catalogue: Sequence[Feature] = CATALOGUE, version: str = CATALOGUE_VERSION) -> str:
    """Give the sha256, in hexadecimal, of the version and of the names and formulas in their order.

    >>> len(catalogue_hash())
    64
    """
    told = [version, *([feature.name, feature.formula] for feature in catalogue)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


_COMPARED_ALIKE: Final = (
    "breadth_above_sma_50",
    "breadth_above_sma_200",
    "breadth_rising_5",
    "dispersion_20",
    "quarter_sine",
    "quarter_cosine",
)
"""Made of all symbols or of the date: no index and no fear, and yet one number a day."""


def market_wide() -> frozenset[str]:
    """Give the names of features that all symbols share on a day.

    >>> len(market_wide())
    18
    """
    of_index = {feature.name for feature in CATALOGUE if isinstance(feature.rule, IndexRule | FearRule)}
    return frozenset({*of_index, *_COMPARED_ALIKE})
