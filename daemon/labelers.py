"""The labeler of the settings: its constants are data, and a preset is a table of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.errors import SettingsInvalidError
from regime.errors import SettingInvalidError
from regime.labels import (
    FixedDrop,
    ReferenceConstants,
    ReferenceLabeler,
    RulesConstants,
    RulesLabeler,
    ScaledDrop,
    labeler_named,
)
from regime.labels.own import own_labeler
from regime.own import is_path

if TYPE_CHECKING:
    from daemon.label_settings import DropSettings, LabelsSettings
    from regime.labels import DropRule, Labeler


def labeler_of(settings: LabelsSettings, *, has_fear: bool) -> Labeler:
    """Give the labeler of the settings, with their constants.

    With a fear index of its own (``has_fear``) a market has the fixed drop rule, without one the rule
    scaled by its volatility. The parameters of ``jump`` are frozen and no settings. A path gives a labeler
    of the user's own, which is imported into this process.

    Raises
    ------
    SettingInvalidError
        If a path gives no labeler.

    >>> from daemon.label_settings import LabelsSettings, RulesSettings
    >>> labeler_of(LabelsSettings(rules=RulesSettings(crash_in=36.0)), has_fear=True).constants.crash_in
    36.0
    """
    if is_path(settings.labeler):
        return own_labeler(settings.labeler, has_fear=has_fear)
    drop = _drop_of(settings.drop, has_fear=has_fear)
    if settings.labeler == "rules":
        return RulesLabeler(constants=RulesConstants(drop=drop, **asdict(settings.rules)))
    if settings.labeler == "reference":
        return ReferenceLabeler(constants=ReferenceConstants(drop=drop, **asdict(settings.reference)))
    return labeler_named(settings.labeler, has_fear=has_fear)


def check_labeler(settings: LabelsSettings) -> None:
    """Refuse a labeler of the user's own that cannot be imported and made, before the daemon needs it.

    Raises
    ------
    SettingsInvalidError
        With the sentence on what is wrong.
    """
    try:
        labeler_of(settings, has_fear=True)
    except SettingInvalidError as error:
        raise SettingsInvalidError("the configuration", (str(error),)) from error


def _drop_of(settings: DropSettings, *, has_fear: bool) -> DropRule:
    if has_fear:
        return FixedDrop(return_max=settings.return_max)
    return ScaledDrop(
        floor=settings.floor,
        sigmas=settings.sigmas,
        window_days=settings.window_days,
        returns_min=settings.returns_min,
    )
