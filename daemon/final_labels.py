"""Final labels are decided beside the provisional ones, and every revision is written down with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.stored_label import BAR_RESTATED, FINAL, LABELER_CHANGED, SPELL_CLOSED, LabelRevision, StoredFinal
from regime.labels import final_regimes
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.adapters.ledger import LabelerState, Ledger
    from daemon.stored_label import StoredLabel
    from regime.types import Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The finals of one market that are new or differ, days whose final is open again, and revisions."""

    finals: tuple[StoredFinal, ...]
    withdrawn: tuple[str, ...]
    revisions: tuple[LabelRevision, ...]


def decide_finals(
    market: str,
    labeler: str,
    labels: Sequence[StoredLabel],
    index: Bars,
    *,
    known: LabelerState | None,
    continued: bool,
    ledger: Ledger,
) -> Decided:
    """Decide the finals after ``labels``: from the last open spell on if labelling went on, else all of them.

    Parameters
    ----------
    labels
        The labels that were made now: all of them, or those after the stored ones if ``continued``.
    known
        Where the market's labeler stood before, of this version or another.
    """
    start = ledger.finals.undecided_since(market, labeler) if continued else None
    if continued:
        labels = (*ledger.labels(market, labeler, since=start), *labels)
    first = 0 if start is None else int(np.searchsorted(index.date, np.datetime64(start, "D")))
    closes = index.close[first : first + len(labels)].tolist()
    regimes = {label.day: label.regime for label in labels}
    finals = final_regimes(closes, [Regime(regime) for regime in regimes.values()])
    found = {day: regime.value for day, regime in zip(regimes, finals, strict=False)}
    stored = {final.day: final.regime for final in ledger.finals.labels(market, labeler, since=start)}
    told = stored
    if known is not None and known.labeler != labeler:
        told = {final.day: final.regime for final in ledger.finals.labels(market, known.labeler)}
    cause = BAR_RESTATED if told is stored else LABELER_CHANGED
    return Decided(
        finals=tuple(StoredFinal(day, regime) for day, regime in found.items() if stored.get(day) != regime),
        withdrawn=tuple(day for day in stored if day not in found),
        revisions=() if known is None else _revisions(told, found, regimes, cause),
    )


def _revisions(
    told: Mapping[str, str], found: Mapping[str, str], provisional: Mapping[str, str], cause: str
) -> tuple[LabelRevision, ...]:
    """Give the finals that differ from what was told: the former final, or else the provisional regime."""
    revised = [
        LabelRevision(day=day, kind=FINAL, was=regime, became=found.get(day), cause=cause)
        for day, regime in told.items()
        if found.get(day) != regime
    ]
    if cause == BAR_RESTATED:
        revised += [
            LabelRevision(day=day, kind=FINAL, was=provisional[day], became=regime, cause=SPELL_CLOSED)
            for day, regime in found.items()
            if day not in told and regime != provisional[day]
        ]
    return tuple(sorted(revised))
