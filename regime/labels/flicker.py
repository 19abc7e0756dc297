"""How seldom the ``rules`` labeler changes its mind, as a promise that follows from its constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regime.labels.rules import RulesConstants


@dataclass(frozen=True, slots=True, kw_only=True)
class FlickerBounds:
    """What holds for any series, in sessions whose fear is known.

    ``crash_days_min`` is the shortest crash. ``crash_exits_apart`` lie at least between two exits from
    crash, and between two entries into it. Of the switches into other regimes than crash, two lie at least
    ``switches_apart`` and three at least ``three_switches_apart`` sessions apart, first to last.
    """

    crash_days_min: int
    crash_exits_apart: int
    switches_apart: int
    three_switches_apart: int


def flicker_bounds(constants: RulesConstants) -> FlickerBounds:
    """Give the bounds on flicker for constants of the ``rules`` labeler.

    A regime is left for another than crash when that one has been asked for on ``confirm_days`` sessions
    running, and on the session number ``dwell_days + 1`` after its entry at the earliest; only the alarm
    from normal or low_volatility to high_volatility needs no dwell. Two alarms never follow each other
    without such a slower switch between them. A crash is entered at once, but is left slowly; so it may
    come back the session after, and not be left again before it has had its days. See decision 013.

    >>> from regime.labels.rules import RulesConstants
    >>> bounds = flicker_bounds(RulesConstants())
    >>> bounds.crash_days_min, bounds.crash_exits_apart
    (6, 7)
    >>> bounds.switches_apart, bounds.three_switches_apart
    (3, 9)
    """
    slow = max(constants.dwell_days + 1, constants.confirm_days)
    quick = min(slow, max(1, constants.confirm_days))
    return FlickerBounds(
        crash_days_min=slow,
        crash_exits_apart=slow + 1,
        switches_apart=quick,
        three_switches_apart=slow + quick,
    )
