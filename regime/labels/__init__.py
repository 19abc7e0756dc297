"""Regime labels: causal, calm, each with its reason.

A ``Labeler`` reads one ``Day`` after the other; ``label_days`` labels a history, ``continue_labels`` the
days after it. ``effective_fear`` is what labels are made from where the fear index has holes, or where
there is none.
"""

from regime.labels.drop import DropRule, FixedDrop, GaugeState, ScaledDrop
from regime.labels.fear import BY_PROXY, ProxyState, continue_proxy, effective_fear, fear_proxy
from regime.labels.jump import SP500_1999_2012, JumpLabeler, JumpParameters, JumpState
from regime.labels.jump_fit import fit_jump
from regime.labels.presets import LABELERS, labeler_named
from regime.labels.protocol import Day, Labeler, State, StateInvalidError
from regime.labels.reference import ReferenceConstants, ReferenceLabeler, ReferenceState
from regime.labels.rules import RulesConstants, RulesLabeler, RulesState
from regime.labels.series import continue_labels, days_of, label_days

__all__ = [
    "BY_PROXY",
    "LABELERS",
    "SP500_1999_2012",
    "Day",
    "DropRule",
    "FixedDrop",
    "GaugeState",
    "JumpLabeler",
    "JumpParameters",
    "JumpState",
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
    "fit_jump",
    "label_days",
    "labeler_named",
]
