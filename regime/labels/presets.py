"""The labelers by name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from regime.errors import SettingInvalidError
from regime.labels.drop import DropRule, FixedDrop, ScaledDrop
from regime.labels.jump import JumpLabeler
from regime.labels.reference import ReferenceConstants, ReferenceLabeler
from regime.labels.rules import RulesConstants, RulesLabeler

if TYPE_CHECKING:
    from regime.labels.protocol import Labeler

LABELERS: Final = ("rules", "reference", "jump")
"""Every name that ``labeler_named`` knows, the default first."""


def labeler_named(name: str, *, has_fear: bool) -> Labeler:
    """Give the labeler ``name`` with its default constants.

    With a fear index of its own (``has_fear``) a market has the fixed drop rule of -15 %, without one
    the rule scaled by its volatility. ``jump`` reads closes only, and is the same for both.

    Raises
    ------
    SettingInvalidError
        If there is no such labeler; the sentence names the nearest.

    >>> labeler_named("rules", has_fear=True).name
    'rules'
    >>> labeler_named("rules", has_fear=False).constants.drop.sigmas
    4.0
    """
    drop: DropRule = FixedDrop() if has_fear else ScaledDrop()
    if name == "rules":
        return RulesLabeler(constants=RulesConstants(drop=drop))
    if name == "reference":
        return ReferenceLabeler(constants=ReferenceConstants(drop=drop))
    if name == "jump":
        return JumpLabeler()
    nearest = get_close_matches(name, LABELERS, n=1, cutoff=0.0)[0]
    raise SettingInvalidError(
        f"there is no labeler {name!r}; did you mean {nearest!r}? Known: {', '.join(LABELERS)}"
    )
