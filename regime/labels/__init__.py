"""Regime labels: causal, calm, each with its reason.

A ``Labeler`` reads one ``Day`` after the other; ``label_days`` labels a history, ``continue_labels`` the
days after it. ``effective_fear`` is what labels are made from where the fear index has holes, or where
there is none.
"""

from regime.labels.drop import DropRule, FixedDrop, GaugeState, ScaledDrop
from regime.labels.fear import (
    BY_PROXY,
    FEAR_MEDIAN_MIN,
    PROXY_CLOSES_MIN,
    ProxyState,
    continue_proxy,
    effective_fear,
    fear_proxy,
)
from regime.labels.presets import LABELERS, labeler_named
from regime.labels.protocol import Day, Labeler, State, StateInvalidError
from regime.labels.reference import ReferenceConstants, ReferenceLabeler, ReferenceState
from regime.labels.rules import RulesConstants, RulesLabeler, RulesState
from regime.labels.series import continue_labels, days_of, label_days

__all__ = [
    "BY_PROXY",
    "FEAR_MEDIAN_MIN",
    "LABELERS",
    "PROXY_CLOSES_MIN",
    "Day",
    "DropRule",
    "FixedDrop",
    "GaugeState",
    "Labeler",
    "ProxyState",
    "ReferenceConstants",
    "ReferenceLabeler",
    "ReferenceState",
    "RulesConstants",
    "RulesLabeler",
    "RulesState",
    "ScaledDrop",
    "State",
    "StateInvalidError",
    "continue_labels",
    "continue_proxy",
    "days_of",
    "effective_fear",
    "fear_proxy",
    "label_days",
    "labeler_named",
]
