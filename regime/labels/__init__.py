"""Regime labels: causal, calm, each with its reason.

A ``Labeler`` reads one ``Day`` after the other; ``label_days`` labels a history, ``continue_labels`` the
days after it; ``final_regimes`` dates spells back once they are over. ``effective_fear`` is what labels are
made from where the fear index has holes, or where there is none.
"""

from regime.labels.difference import DifferingSpan, LabelDifference, label_difference
from regime.labels.drop import DropRule, FixedDrop, GaugeState, ScaledDrop
from regime.labels.explanation import ExplainingLabeler, Explanation, Need
from regime.labels.facts import Dwell, PastSpell, RegimeFacts, Transition, regime_facts
from regime.labels.fear import (
    BY_PROXY,
    FEAR_MEDIAN_MIN,
    PROXY_CLOSES_MIN,
    ProxyState,
    continue_proxy,
    effective_fear,
    fear_proxy,
)
from regime.labels.final import LOCAL_HIGH_DAYS, final_regimes
from regime.labels.flicker import FlickerBounds, flicker_bounds
from regime.labels.jump import SP500_1999_2012, JumpLabeler, JumpParameters, JumpState
from regime.labels.jump_fit import fit_jump
from regime.labels.presets import LABELERS, labeler_named
from regime.labels.protocol import Day, Labeler, State, StateInvalidError
from regime.labels.reference import ReferenceConstants, ReferenceLabeler, ReferenceState
from regime.labels.rules import RulesConstants, RulesLabeler, RulesState
from regime.labels.series import continue_labels, days_of, label_days
from regime.labels.spells import Spell, spells_of

__all__ = [
    "BY_PROXY",
    "FEAR_MEDIAN_MIN",
    "LABELERS",
    "LOCAL_HIGH_DAYS",
    "PROXY_CLOSES_MIN",
    "SP500_1999_2012",
    "Day",
    "DifferingSpan",
    "DropRule",
    "Dwell",
    "ExplainingLabeler",
    "Explanation",
    "FixedDrop",
    "FlickerBounds",
    "GaugeState",
    "JumpLabeler",
    "JumpParameters",
    "JumpState",
    "LabelDifference",
    "Labeler",
    "Need",
    "PastSpell",
    "ProxyState",
    "ReferenceConstants",
    "ReferenceLabeler",
    "ReferenceState",
    "RegimeFacts",
    "RulesConstants",
    "RulesLabeler",
    "RulesState",
    "ScaledDrop",
    "Spell",
    "State",
    "StateInvalidError",
    "Transition",
    "continue_labels",
    "continue_proxy",
    "days_of",
    "effective_fear",
    "fear_proxy",
    "final_regimes",
    "fit_jump",
    "flicker_bounds",
    "label_days",
    "label_difference",
    "labeler_named",
    "regime_facts",
    "spells_of",
]
