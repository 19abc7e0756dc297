"""``labels diff``: the days on which two labelers, or two data versions, say something else."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.label_sources import (
    chosen_market,
    labeler_in_force,
    labelers_of,
    stored_days,
    stored_series,
)
from daemon.errors import DataVersionGoneError, UsageError
from daemon.layout import layout_of
from regime.labels import continue_labels, label_difference

if TYPE_CHECKING:
    import argparse

    from daemon.adapters.ledger import Ledger
    from daemon.layout import Layout
    from daemon.settings import MarketSettings
    from regime.labels import LabelDifference, Labeler
    from regime.types import RegimeSeries


class _Side(NamedTuple):
    labeler: str
    data_version: int


def diff(options: argparse.Namespace) -> int:
    """Print where two labelled histories of a market differ: counts by regimes, and the days."""
    layout = layout_of(options)
    settings = settings_of(layout)
    name, market = chosen_market(settings, options.market)
    labelers = labelers_of(settings, market)
    with reading(layout) as ledger:
        in_force = labeler_in_force(ledger, name).labeler
        known = {labeler.version for labeler in labelers} | set(ledger.finals.labelers(name))
        before, after = (
            _Side(
                labeler=_version(asked, labelers, known) if asked else in_force,
                data_version=_data_version(version, ledger),
            )
            for asked, version in (
                (options.from_labeler, options.from_version),
                (options.to_labeler, options.to_version),
            )
        )
        if before == after:
            raise UsageError(
                f"both sides are {before.labeler} of data version {before.data_version}; name another with"
                " --from-labeler, --to-labeler, --from-version or --to-version"
            )
        was, was_source = _series(before, labelers, ledger, layout, name, market)
        now, now_source = _series(after, labelers, ledger, layout, name, market)
    found = label_difference(was, now)
    if options.json:
        print_json(
            {
                "market": name,
                "from": {**before._asdict(), "source": was_source, "days": len(was)},
                "to": {**after._asdict(), "source": now_source, "days": len(now)},
                **_facts(found),
            }
        )
    else:
        print(f"{before.labeler} of data version {before.data_version} ({was_source})")
        print(f"{after.labeler} of data version {after.data_version} ({now_source})")
        _print(found)
    return 0


def _facts(found: LabelDifference) -> dict[str, object]:
    return {
        "days": found.days,
        "differing": found.differing,
        "counts": [{"from": one, "to": other, "days": count} for one, other, count in found.counts],
        "spans": [
            {
                "from": span.before,
                "to": span.after,
                "first_day": str(span.first_day),
                "last_day": str(span.last_day),
                "days": span.days,
            }
            for span in found.spans
        ],
    }


def _print(found: LabelDifference) -> None:
    print(f"{found.differing} of {found.days} days differ")
    if not found.differing:
        return
    print()
    print_table(("from", "to", "days"), [(one.value, other.value, n) for one, other, n in found.counts])
    print()
    spans = [
        (str(span.first_day), str(span.last_day), span.days, span.before.value, span.after.value)
        for span in found.spans
    ]
    print_table(("first day", "last day", "days", "from", "to"), spans)


def _version(asked: str, labelers: tuple[Labeler, ...], known: set[str]) -> str:
    """Give the version of a labeler that was asked for by name or version."""
    names = {labeler.name: labeler.version for labeler in labelers}
    if asked in names:
        return names[asked]
    if asked in known:
        return asked
    choices = [*names, *sorted(known)]
    near = difflib.get_close_matches(asked, choices, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(choices)}"
    raise UsageError(f"there is no labeler {asked!r}; {hint}")


def _data_version(asked: int | None, ledger: Ledger) -> int:
    newest = ledger.data_version()
    if asked is not None and asked > newest:
        raise UsageError(f"there is no data version {asked}; the newest is {newest}")
    return asked or newest


def _series(
    side: _Side,
    labelers: tuple[Labeler, ...],
    ledger: Ledger,
    layout: Layout,
    name: str,
    market: MarketSettings,
) -> tuple[RegimeSeries, str]:
    """Give the labels of a side, computed from its bars, or stored if bars or labeler are there no more."""
    labeler = next((each for each in labelers if each.version == side.labeler), None)
    if labeler is not None:
        try:
            days = stored_days(ledger, layout, market, side.data_version)
        except DataVersionGoneError:
            days = ()
        if days:
            return continue_labels(labeler, labeler.start(), days)[1], "computed"
    stored = ledger.labels(name, side.labeler, through=side.data_version)
    if not stored:
        raise UsageError(
            f"there are neither labels of {side.labeler} at data version {side.data_version},"
            " nor bars to make them of"
        )
    return stored_series(side.labeler, stored), "stored"
