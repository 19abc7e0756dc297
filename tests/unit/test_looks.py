"""What the gate asks at a look: a share of its level, and proof where it is missing."""

from __future__ import annotations

import numpy as np
import pytest

from regime.types import REGIMES, Regime
from registry.looks import look_policy, required_at_look
from registry.policy import DEFAULT, STRICT


def test_a_look_spends_its_share_of_every_level() -> None:
    policy = look_policy(STRICT, days=60, looks=4, required=REGIMES)
    assert (policy.alpha, policy.benefit_alpha) == (0.0125, 0.0125)
    assert policy.regimes_required == REGIMES
    assert policy.hash != STRICT.hash


@pytest.mark.parametrize(
    ("days", "blocks", "days_min"), [(10, 2, 10), (20, 2, 20), (40, 4, 40), (60, 6, 40), (120, 12, 40)]
)
def test_a_block_of_fresh_days_holds_ten_of_them(days: int, blocks: int, days_min: int) -> None:
    policy = look_policy(DEFAULT, days=days, looks=1, required=(Regime.NORMAL,))
    assert (policy.blocks_of(days), policy.days_min) == (blocks, days_min)


def test_quiet_days_do_not_prove_what_a_crash_has_to() -> None:
    quiet = np.array(["normal"] * 30)
    assert required_at_look(DEFAULT, quiet) == (Regime.CRASH, Regime.NORMAL)
    assert required_at_look(DEFAULT, quiet, passed=(Regime.CRASH,)) == (Regime.NORMAL,)
