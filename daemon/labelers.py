"""The labeler of the settings: its constants are data, and a preset is a table of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from regime.labels import (
    FixedDrop,
    ReferenceConstants,
    ReferenceLabeler,
    RulesConstants,
    RulesLabeler,
    ScaledDrop,
    labeler_named,
)

if TYPE_CHECKING:
    from daemon.settings import DropSettings, LabelsSettings
    from regime.labels import DropRule, Labeler


def labeler_of(settings: LabelsSettings, *, has_fear: bool) -> Labeler:
    """Give the labeler of the settings, with their constants.

    With a fear index of its own (``has_fear``) a market has the fixed drop rule, without one the rule
    scaled by its volatility. The parameters of ``jump`` are frozen and no settings.

    >>> from daemon.settings import LabelsSettings, RulesSettings
    >>> labeler_of(LabelsSettings(rules=RulesSettings(crash_in=36.0)), has_fear=True).constants.crash_in
    36.0
    """
    drop = _drop_of(settings.drop, has_fear=has_fear)
    if settings.labeler == "rules":
        return RulesLabeler(constants=RulesConstants(drop=drop, **asdict(settings.rules)))
    if settings.labeler == "reference":
        return ReferenceLabeler(constants=ReferenceConstants(drop=drop, **asdict(settings.reference)))
    return labeler_named(settings.labeler, has_fear=has_fear)


def _drop_of(settings: DropSettings, *, has_fear: bool) -> DropRule:
    if has_fear:
        return FixedDrop(return_max=settings.return_max)
    return ScaledDrop(
        floor=settings.floor,
        sigmas=settings.sigmas,
        window_days=settings.window_days,
        returns_min=settings.returns_min,
    )
