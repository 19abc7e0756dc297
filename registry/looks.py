"""What the gate asks when it looks at fresh days, which two versions predicted side by side.

A look is the same gate on fewer days and at a share of its level, so that all looks of a trial together
err no more often than one judgement does (Bonferroni over the looks).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.types import REGIMES
from registry.gate import Status
from registry.policy import DAYS_PER_BLOCK_MIN

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from regime.types import Regime
    from registry.gate import GateReport
    from registry.policy import Policy

BLOCKS_MIN: Final = 2
"""Fewer have no spread."""
ONE_OF: Final = ", one of "
"""In the name of a look's policy."""
BLOCK_DAYS: Final = 10
"""Of a block of fresh days: blocks of five hang together, and err more often than their level says."""
ANY_GAIN: Final = 1.0
"""What was predicted before the outcome was known cannot leak, however large the gain."""


def look_policy(policy: Policy, *, days: int, looks: int, required: Collection[Regime]) -> Policy:
    """Give the policy of one of ``looks`` looks at ``days`` fresh days.

    Levels are divided by the number of looks. Fresh days lie next to each other, so one episode is enough,
    and a regime has as many blocks as hold ten days each: the fewest days of a look make four of them.

    >>> from registry.policy import DEFAULT
    >>> at = look_policy(DEFAULT, days=40, looks=4, required=REGIMES[:1])
    >>> at.alpha, at.blocks_of(40), at.blocks_of(60), at.days_min, at.episodes_min
    (0.025, 4, 6, 40, 1)
    """
    days_min = min(policy.days_min, max(days, BLOCKS_MIN * DAYS_PER_BLOCK_MIN))
    blocks = max(BLOCKS_MIN, min(policy.blocks, days_min // BLOCK_DAYS))
    return replace(
        policy.shared_among(looks),
        name=f"{policy.name}{ONE_OF}{looks} looks",
        blocks=blocks,
        block_days=BLOCK_DAYS,
        days_min=days_min,
        episodes_min=1,
        regimes_required=tuple(regime for regime in REGIMES if regime in required),
        accuracy_gain_max=ANY_GAIN,
    )


def required_at_look(
    policy: Policy, regime: NDArray[np.str_], passed: Collection[Regime] = ()
) -> tuple[Regime, ...]:
    """Give the regimes that must PASS at a look, of which ``regime`` holds that of each row.

    The regime that most rows are in, and those of the policy that have not passed yet: a candidate that was
    not shown to be safe in a crash is not promoted by quiet days.

    >>> from registry.policy import DEFAULT
    >>> [each.value for each in required_at_look(DEFAULT, np.array(["normal", "normal", "recovery"]))]
    ['crash', 'normal']
    """
    counts = {each: int(np.count_nonzero(regime == each.value)) for each in REGIMES}
    most = max(REGIMES, key=counts.__getitem__)
    missing = set(policy.regimes_required) - set(passed)
    return tuple(each for each in REGIMES if each in missing or each is most)


def is_of_look(report: GateReport) -> bool:
    """Tell whether a report is that of a look, not of all history."""
    return ONE_OF in report.policy


def passed_in(report: GateReport) -> tuple[Regime, ...]:
    """Give the regimes in which a report says PASS."""
    return tuple(each.regime for each in report.regimes if each.status is Status.PASS)
