"""``labels explain``: which rule gave a day its label, with the numbers, and what another would take."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from daemon.commands.context import print_json, reading, settings_of
from daemon.commands.days import day_of
from daemon.commands.label_sources import chosen_market, labeler_in_force, labelers_of, stored_days
from daemon.errors import UsageError
from daemon.layout import layout_of
from regime.labels import ExplainingLabeler

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daemon.adapters.final_ledger import StoredRevision
    from daemon.adapters.ledger import Ledger
    from daemon.settings import MarketSettings
    from daemon.stored_label import StoredLabel
    from regime.labels import Day, Explanation, Labeler


class _Stored(NamedTuple):
    label: StoredLabel
    final: str | None
    revisions: tuple[StoredRevision, ...]


def explain(options: argparse.Namespace) -> int:
    """Print what a day's label was made from, computed again from the stored bars up to that day."""
    layout = layout_of(options)
    settings = settings_of(layout)
    name, market = chosen_market(settings, options.market)
    day = str(day_of(options.date))
    with reading(layout) as ledger:
        version = labeler_in_force(ledger, name).labeler
        stored = _stored(ledger, name, version, day)
        data_version = ledger.data_version()
        days = stored_days(ledger, layout, market, data_version)
    at = [str(each.date) for each in days].index(day)
    labeler = _explaining(labelers_of(settings, market), version)
    explanation = _explanation(labeler, days[: at + 1])
    facts = {
        "market": name,
        "labeler": version,
        "data_version": data_version,
        **_facts(stored, explanation, days[at], market),
    }
    if options.json:
        print_json(facts)
    else:
        _print(name, stored, explanation, days[at], market)
    return 0


def _stored(ledger: Ledger, market: str, labeler: str, day: str) -> _Stored:
    labels = {label.day: label for label in ledger.labels(market, labeler)}
    if day not in labels:
        near = [max((known for known in labels if known < day), default=None)]
        near += [min((known for known in labels if known > day), default=None)]
        named = " and ".join(known for known in near if known)
        raise UsageError(f"{day} has no label; the nearest labelled days are {named}")
    finals = ledger.finals.labels(market, labeler, since=day)
    return _Stored(
        label=labels[day],
        final=finals[0].regime if finals and finals[0].day == day else None,
        revisions=ledger.finals.revisions(market, day),
    )


def _explaining(labelers: Sequence[Labeler], version: str) -> ExplainingLabeler:
    for labeler in labelers:
        if labeler.version == version and isinstance(labeler, ExplainingLabeler):
            return labeler
    raise UsageError(
        f"the labels are those of {version}, which these settings do not make or which cannot explain itself;"
        " `regimed labels` has the stored reasons"
    )


def _explanation(labeler: ExplainingLabeler, days: Sequence[Day]) -> Explanation:
    """Explain the last of some days, all those of the index up to it."""
    past, last = days[:-1], days[-1]
    state, _ = labeler.run(labeler.start(), [day.close for day in past], [day.fear for day in past])
    return labeler.explain(state, last)


def _wrapped(line: str) -> str:
    """Give a line as a terminal shows it whole; whoever reads a pipe gets it in one piece."""
    if not sys.stdout.isatty():
        return line
    return textwrap.fill(line, os.get_terminal_size().columns, subsequent_indent="    ")


def _source(day: Day, market: MarketSettings) -> str:
    return day.fear_note or f"close of {market.fear}"


def _facts(stored: _Stored, explanation: Explanation, day: Day, market: MarketSettings) -> dict[str, object]:
    return {
        "date": stored.label.day,
        "regime": stored.label.regime,
        "reason": stored.label.reason,
        "pending": stored.label.pending,
        "final": stored.final,
        "computed": {
            "regime": explanation.label.regime,
            "reason": explanation.label.reason,
            "fired": explanation.fired,
            "agrees": explanation.label.regime == stored.label.regime,
        },
        "close": day.close,
        "fear": {"value": day.fear, "source": _source(day, market)},
        "ten_day_return": explanation.ten_day_return,
        "drop_threshold": explanation.drop_threshold,
        "bands": dict(explanation.bands),
        "dwell": {"days": explanation.age_days, "needed": explanation.dwell_days},
        "confirmation": {"days": explanation.pending_days, "needed": explanation.confirm_days},
        "crash": None if explanation.crash is None else dict(explanation.crash),
        "others": [
            {"regime": need.regime, "ways": list(need.ways), "waits": need.waits}
            for need in explanation.others
        ],
        "revisions": [revision._asdict() for revision in stored.revisions],
    }


def _print(name: str, stored: _Stored, explanation: Explanation, day: Day, market: MarketSettings) -> None:
    final = f"final: {stored.final}" if stored.final else "not final yet"
    print(f"{name} {stored.label.day}: {stored.label.regime} ({explanation.fired}; {final})")
    print(f"  reason        {stored.label.reason}")
    if explanation.label.regime != stored.label.regime:
        print(f"  computed now  {explanation.label.regime}: {explanation.label.reason}")
    fear = "unknown" if day.fear is None else f"{day.fear:.2f}"
    print(f"  close         {day.close:g}")
    print(f"  fear          {fear} ({_source(day, market)})")
    if explanation.ten_day_return is not None and explanation.drop_threshold is not None:
        threshold = f"a drop at {explanation.drop_threshold:.2%}"
        print(f"  10-day return {explanation.ten_day_return:.2%} ({threshold})")
    if explanation.bands:
        bands = ", ".join(f"{edge} {value:g}" for edge, value in explanation.bands.items())
        print(f"  bands         {bands}")
    if explanation.dwell_days is not None:
        print(f"  in regime     {explanation.age_days} sessions since entry, dwell {explanation.dwell_days}")
        pending = f"{explanation.label.pending} asked for on " if explanation.label.pending else ""
        print(f"  confirmation  {pending}{explanation.pending_days} of {explanation.confirm_days} sessions")
    if explanation.crash is not None:
        print(
            "  crash         " + ", ".join(f"{what} {value:g}" for what, value in explanation.crash.items())
        )
    for need in explanation.others:
        print(_wrapped(f"  {need.regime}: {need.sentence}"))
    for revision in stored.revisions:
        change = f"{revision.was} -> {revision.became or 'open'}"
        print(f"  revised       {revision.at}: {revision.kind} {change}, {revision.cause}")
