"""Says once that a market has too little history for what its labels are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.records import Event
from regime.labels import PROXY_CLOSES_MIN, JumpLabeler, ReferenceLabeler, RulesLabeler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regime.labels import Labeler

DROP_RULE = "drop rule"
PROXY = "fear by proxy"
JUMP_MODEL = "jump model"


def lacking(labeler: Labeler, *, sessions: int, has_fear: bool) -> dict[str, int]:
    """Give what a market lacks after so many sessions of its index, with how many it needs.

    ``has_fear`` says whether the last session has a fear at all; where it has none although no history is
    lacking there is no proxy to wait for, and nothing is given.

    >>> lacking(RulesLabeler(), sessions=4, has_fear=True)
    {'drop rule': 11}
    >>> lacking(JumpLabeler(), sessions=4, has_fear=False)
    {'jump model': 61}
    """
    found: dict[str, int] = {}
    if isinstance(labeler, JumpLabeler):
        found[JUMP_MODEL] = labeler.parameters.warm_up_returns + 1
    elif isinstance(labeler, RulesLabeler | ReferenceLabeler):
        found[DROP_RULE] = labeler.constants.drop.closes_min
    if not has_fear and not isinstance(labeler, JumpLabeler):
        found[PROXY] = PROXY_CLOSES_MIN
    return {what: needed for what, needed in found.items() if sessions < needed}


def short_history(
    market: str, now: Mapping[str, int], before: Mapping[str, int], *, day: str, sessions: int
) -> tuple[Event, ...]:
    """Tell what is lacking after ``day``, unless it was lacking after the day that was labelled last.

    So a market that grows day by day is told of once, and again if its fear ends before the proxy can begin.
    """
    if not set(now) - set(before):
        return ()
    fields = {
        "market": market,
        "day": day,
        "lacks": list(now),
        "sessions": sessions,
        "sessions_needed": max(now.values()),
    }
    return (Event(name="labeler.short_history", fields=fields),)
