"""A labeler of the user's own, by its path: any that follows the ``Labeler`` protocol and sees no future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from regime.errors import SettingInvalidError
from regime.labels.presets import LABELERS
from regime.own import made
from regime.types import DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.labels.protocol import Day, Labeler

SETTING: Final = "labels.labeler"
CUTS: Final = (0.25, 0.5, 0.75, 0.99)
"""Shares of the history after which it is cut off to see whether earlier labels change."""
STEPS: Final = 5
"""Days at the end that are also labelled one by one."""
_METHODS: Final = ("start", "restore", "step", "run")


def own_labeler(path: str, *, has_fear: bool) -> Labeler:
    """Make the labeler that a path names: a class or factory, which may take ``has_fear``.

    Raises
    ------
    SettingInvalidError
        If the path gives something else, or its name is that of a built-in labeler.

    >>> own_labeler("regime.labels.jump:JumpLabeler", has_fear=True)
    Traceback (most recent call last):
    regime.errors.SettingInvalidError: labels.labeler: ... names itself 'jump', which is built in; ...
    """
    labeler = made(path, SETTING, has_fear=has_fear)
    lacking = [name for name in _METHODS if not callable(getattr(labeler, name, None))]
    lacking += [name for name in ("name", "version") if not isinstance(getattr(labeler, name, None), str)]
    if lacking:
        raise SettingInvalidError(
            f"{SETTING}: {path!r} gives {type(labeler).__name__}, which lacks {', '.join(lacking)};"
            " follow the protocol regime.labels.Labeler"
        )
    found = cast("Labeler", labeler)
    if found.name in LABELERS:
        raise SettingInvalidError(
            f"{SETTING}: {path!r} names itself {found.name!r}, which is built in; give it a name of its own"
        )
    return found


def check_causal(labeler: Labeler, days: Sequence[Day]) -> None:
    """Refuse a labeler that labels the first days of a history otherwise once later days are known.

    The history is cut off at four days: what comes before must get the same labels alone, and what comes
    after the same labels from the state that was saved as JSON. The last days are labelled one by one too.

    Raises
    ------
    SettingInvalidError
        If a label differs, which names the day, or the labeler fails or gives no labels.
    """
    try:
        _compare(labeler, days)
    except SettingInvalidError:
        raise
    except Exception as error:  # foreign code raises what it likes
        raise SettingInvalidError(
            f"{SETTING}: {labeler.name} failed on {len(days)} days with {type(error).__name__}: {error};"
            " correct it"
        ) from error


def _compare(labeler: Labeler, days: Sequence[Day]) -> None:
    closes, fears = [day.close for day in days], [day.fear for day in days]
    _, labels = labeler.run(labeler.start(), closes, fears)
    _check_labels(labeler, labels, len(days))
    for cut in sorted({int(share * len(days)) for share in CUTS}):
        state, before = labeler.run(labeler.start(), closes[:cut], fears[:cut])
        _check_same(labeler, days[:cut], before, labels[:cut], "without the days after it")
        restored = labeler.restore(state.to_json())
        _, after = labeler.run(restored, closes[cut:], fears[cut:])
        _check_same(labeler, days[cut:], after, labels[cut:], "from a saved state")
    steps = max(0, len(days) - STEPS)
    state, _ = labeler.run(labeler.start(), closes[:steps], fears[:steps])
    stepped = []
    for day in days[steps:]:
        state, label = labeler.step(state, day)
        stepped.append(label)
    _check_same(labeler, days[steps:], stepped, labels[steps:], "by step")


def _check_labels(labeler: Labeler, labels: Sequence[object], n_days: int) -> None:
    wrong = [label for label in labels if not isinstance(label, DayLabel) or label.regime not in set(Regime)]
    if wrong or len(labels) != n_days:
        raise SettingInvalidError(
            f"{SETTING}: {labeler.name} gives {len(labels) - len(wrong)} labels for {n_days} days; give a"
            " regime.types.DayLabel for each"
        )


def _check_same(
    labeler: Labeler, days: Sequence[Day], found: Sequence[DayLabel], expected: Sequence[DayLabel], how: str
) -> None:
    if len(found) != len(expected):
        raise SettingInvalidError(
            f"{SETTING}: {labeler.name} gives {len(found)} labels for {len(expected)} days {how};"
            " give one each"
        )
    for day, one, other in zip(days, found, expected, strict=True):
        if one != other:
            raise SettingInvalidError(
                f"{SETTING}: {labeler.name} labels {day.date} {one.regime} {how}, and {other.regime} with all"
                " days; a label may depend on its day and earlier ones only"
            )
