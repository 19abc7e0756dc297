"""Monitors that tell when data or regimes are no longer those a model was trained on.

The monitors ``FeatureRange``, ``FeatureDrift`` and ``RegimeMix`` need numpy only. The online monitor,
which needs river, is imported from ``regime.drift.online`` where it is used.
"""

from regime.drift.alarms import RULES, Alarm, AlarmRule, AlarmState, Watch, raise_alarms
from regime.drift.bounds import FeatureRange, RangeReference, RangeState
from regime.drift.days import (
    AggregateDay,
    FeatureDay,
    RegimeDay,
    aggregate_day,
    feature_days,
    regime_days,
    rows_by_day,
)
from regime.drift.features import FeatureDrift, FeatureReference, FeatureState
from regime.drift.mix import MixReference, MixState, RegimeMix
from regime.drift.protocol import (
    Finding,
    Level,
    Monitor,
    Reading,
    Reference,
    ReferenceMismatchError,
    State,
    replay,
)
from regime.drift.stored import StoredUnreadableError

__all__ = [
    "RULES",
    "AggregateDay",
    "Alarm",
    "AlarmRule",
    "AlarmState",
    "FeatureDay",
    "FeatureDrift",
    "FeatureRange",
    "FeatureReference",
    "FeatureState",
    "Finding",
    "Level",
    "MixReference",
    "MixState",
    "Monitor",
    "RangeReference",
    "RangeState",
    "Reading",
    "Reference",
    "ReferenceMismatchError",
    "RegimeDay",
    "RegimeMix",
    "State",
    "StoredUnreadableError",
    "Watch",
    "aggregate_day",
    "feature_days",
    "raise_alarms",
    "regime_days",
    "replay",
    "rows_by_day",
]
