"""``labels facts``: what the labels of a market say of the present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.label_sources import chosen_market, labeler_in_force, stored_series
from daemon.errors import UsageError
from daemon.layout import layout_of
from regime.labels import regime_facts

if TYPE_CHECKING:
    import argparse

    from regime.labels import RegimeFacts


def facts(options: argparse.Namespace) -> int:
    """Print the regime of now, how long regimes last, and what follows which."""
    layout = layout_of(options)
    market, _ = chosen_market(settings_of(layout), options.market)
    with reading(layout) as ledger:
        labeler = labeler_in_force(ledger, market).labeler
        series = stored_series(labeler, ledger.labels(market, labeler))
    found = regime_facts(series)
    if found is None:
        raise UsageError(f"market {market!r} has no labels yet; drop the bars of its index into the inbox")
    if options.json:
        print_json({"market": market, **_facts(found)})
    else:
        _print(market, found)
    return 0


def _facts(found: RegimeFacts) -> dict[str, object]:
    return {
        "labeler": found.labeler,
        "regime": found.regime,
        "since": str(found.since),
        "last_day": str(found.last_day),
        "days": found.days,
        "pending": found.pending,
        "expected_days": found.expected_days,
        "dwell": [
            {"regime": each.regime, "closed_spells": each.closed_spells, "mean_days": each.mean_days}
            for each in found.dwell
        ],
        "transitions": [
            {"from": each.before, "to": each.after, "count": each.count, "probability": each.probability}
            for each in found.transitions
        ],
        "share": {regime.value: share for regime, share in found.share.items()},
        "last_spells": [
            {
                "regime": spell.regime,
                "first_day": str(spell.first_day),
                "last_day": str(spell.last_day),
                "days": spell.days,
                "closed": spell.is_closed,
            }
            for spell in found.last_spells
        ],
    }


def _print(market: str, found: RegimeFacts) -> None:
    pending = f", {found.pending} pending" if found.pending else ""
    expected = "-" if found.expected_days is None else f"{found.expected_days:.1f}"
    print(f"{market}: {found.regime} since {found.since}{pending}, as of {found.last_day}")
    print(f"sessions so far: {found.days}; mean of closed spells of this regime: {expected}")
    print()
    rows = [
        (each.regime.value, each.closed_spells, each.mean_days, found.share.get(each.regime))
        for each in found.dwell
    ]
    print_table(("regime", "closed spells", "mean sessions", "share of days"), rows)
    print()
    moves = [
        (each.before.value, each.after.value, each.count, each.probability)
        for each in found.transitions
        if each.count
    ]
    print_table(("from", "to", "days", "probability"), moves)
    print()
    spells = [
        (str(spell.first_day), str(spell.last_day), spell.days, spell.regime.value)
        for spell in found.last_spells
    ]
    print_table(("first day", "last day", "sessions", "regime"), spells)
