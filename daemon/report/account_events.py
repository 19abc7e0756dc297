"""The rare events within the days of the account, and how the champion did in each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.report.account_words import event_sentence
from regime.events import CATALOGUED, DYNAMIC, RARE_EVENTS, RareEvent
from regime.prequential import scores_of
from regime.scorecard import OVERALL
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.adapters.ledger import Ledger
    from daemon.report.account_state import State

ASKED: Final = "asked"
TITLES: Final = {
    "2008_financial_crisis": "Financial crisis of 2008",
    "2011_debt_ceiling": "Debt ceiling of 2011",
    "2015_china_devaluation": "Devaluation of the yuan in 2015",
    "2018_volmageddon": "Volmageddon of 2018",
    "2020_covid_crash": "Covid crash of 2020",
    "2020_covid_recovery": "Covid recovery of 2020",
    "2022_inflation_bear_market": "Bear market of 2022",
    "2023_banking_mini_crisis": "Banking crisis of 2023",
    "2010_flash_crash": "Flash crash of May 2010",
    "2018_late_fall": "Fall of late 2018",
}
QUESTIONS: Final = (
    RareEvent(
        id="2010_flash_crash",
        first_day=date(2010, 5, 1),
        last_day=date(2010, 5, 31),
        regime=Regime.HIGH_VOLATILITY,
        weight=1.0,
    ),
    RareEvent(
        id="2018_late_fall",
        first_day=date(2018, 10, 1),
        last_day=date(2018, 12, 31),
        regime=Regime.CRASH,
        weight=1.0,
    ),
)
"""Days that people ask about and no training set is given more of."""


def events_of(state: State, ledger: Ledger, first: str, last: str) -> list[dict[str, Any]]:
    """Give the events that overlap the days from ``first`` to ``last``, by their first day."""
    found = [
        (source, event)
        for source, event in _known(state, ledger)
        if event.first_day.isoformat() <= last and event.last_day.isoformat() >= first
    ]
    return [
        _facts(state, source, event)
        for source, event in sorted(found, key=lambda each: (each[1].first_day, each[1].id))
    ]


def _known(state: State, ledger: Ledger) -> Iterator[tuple[str, RareEvent]]:
    yield from ((CATALOGUED, event) for event in RARE_EVENTS)
    yield from ((ASKED, event) for event in QUESTIONS)
    dropped = {drop.id for drop in ledger.archive.dropped()}
    for capture in ledger.archive.captured(state.market.name):
        if not capture.same_as and capture.id not in dropped:
            yield (
                DYNAMIC,
                RareEvent(
                    id=capture.id,
                    first_day=date.fromisoformat(capture.first_day),
                    last_day=date.fromisoformat(capture.last_day),
                    regime=Regime.CRASH,
                    weight=1.0,
                    origin=DYNAMIC,
                ),
            )


def _facts(state: State, source: str, event: RareEvent) -> dict[str, Any]:
    first, last = np.datetime64(event.first_day), np.datetime64(event.last_day)
    inside = (state.rows.date >= first) & (state.rows.date <= last)
    scores = scores_of(state.rows.take(inside), state.champion.made.proba[inside])[OVERALL]
    title = TITLES.get(event.id, f"Captured event from {event.first_day}")
    return {
        "id": event.id,
        "title": title,
        "first": event.first_day.isoformat(),
        "last": event.last_day.isoformat(),
        "nominal": event.regime.value,
        "source": source,
        "scores": asdict(scores) if scores.rows else None,
        "sentence": event_sentence(title, scores),
    }
