"""``archive build|list|show|verify|drop``: the samples of rare events."""

from __future__ import annotations

import difflib
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.adapters.archive import ArchiveFolder, ArchiveRefusedError
from daemon.adapters.lock import holder_of
from daemon.capture import archived_events, capture_settings
from daemon.children.archive import Assignment, build_archive, is_current
from daemon.children.data import Market, first_market
from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.progress import bar, progress_of
from daemon.commands.tables import read_bars_file
from daemon.commands.times import local_time, now
from daemon.commands.writing import writing
from daemon.errors import UsageError
from daemon.formats.samples import SAMPLE_FIELDS, table_of_samples
from daemon.keep_archive import PROGRESS
from daemon.labelers import labeler_of
from daemon.layout import layout_of
from daemon.messages import EventDropDue
from regime.event_capture import captured_events, market_days
from regime.events import DYNAMIC, RARE_EVENTS, event_named
from regime.labels import days_of, effective_fear, label_days
from regime.targets import target_named
from regime.types import Regime

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from daemon.adapters.archive import Manifest
    from daemon.adapters.archive_ledger import StoredArchiveOutcome, StoredCapture
    from daemon.adapters.ledger import Ledger
    from daemon.children.archive import EventOutcome
    from daemon.layout import Layout
    from daemon.settings import Settings
    from regime.events import RareEvent

LINE: Final = 80
WRONG: Final = frozenset({"empty", "refused"})
THERE: Final = frozenset({"built", "unchanged", "due"})


class Entry(NamedTuple):
    """An event as ``archive list`` shows it; ``note`` says why it is in its state."""

    event: str
    origin: str
    first_day: str
    last_day: str
    nominal_regime: str
    weight: float
    state: str
    note: str
    rows: int | None
    symbols: int | None


# Building


def build(options: argparse.Namespace) -> int:
    """Build the events that are due: of a directory, or of files."""
    given = [name for name in ("bars", "index", "fear", "out") if getattr(options, name)]
    folder, assignment = _of_files(options) if given else _of_directory(options)
    only = tuple(event_named(id_, assignment.events).id for id_ in options.event or ())
    outcomes = build_archive(folder, assignment, _draw, only=only)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    mine = {*only, *(path.name for id_ in only for path in (folder.parquet(id_), folder.manifest_file(id_)))}
    facts = [outcome for outcome in outcomes if not only or outcome.name in mine]
    code = _code(facts, is_choice=bool(only))
    if options.json:
        keys = ("name", "outcome", "detail", "origin", "rows", "symbols")
        rows = [{key: getattr(outcome, key) for key in keys} for outcome in facts]
        print_json({"folder": str(folder.folder), "dry_run": options.dry_run, "outcomes": rows})
    else:
        _print_outcomes(facts)
    return code


def _of_directory(options: argparse.Namespace) -> tuple[ArchiveFolder, Assignment]:
    layout = layout_of(options)
    settings = settings_of(layout)
    with reading(layout) as ledger:
        events, data_version = archived_events(ledger, settings), ledger.data_version()
    if not data_version:
        raise UsageError("there are no bars yet; drop price files into the inbox, or give --bars and --index")
    assignment = Assignment(
        events=events,
        market=first_market(str(layout.root), data_version, settings),
        target=target_named(settings.training.target),
        data_version=data_version,
        is_rehearsal=options.dry_run,
    )
    return ArchiveFolder(layout.archive), assignment


def _of_files(options: argparse.Namespace) -> tuple[ArchiveFolder, Assignment]:
    missing = [f"--{name}" for name in ("bars", "index", "out") if not getattr(options, name)]
    if missing:
        raise UsageError(f"an archive of files needs {', '.join(missing)} too; or leave out all of them")
    settings = settings_of(layout_of(options))
    index = read_bars_file(options.index)
    given = read_bars_file(options.fear) if options.fear else None
    labeler = labeler_of(settings.labels, has_fear=given is not None)
    labels, fear = label_days(index, given, labeler), effective_fear(index, given)
    captured = captured_events(
        market_days(days_of(index, given), labels.regime, has_fear_index=given is not None),
        capture_settings(settings.archive),
        known=RARE_EVENTS,
        weight=settings.archive.weight,
        same_share=settings.archive.same_share,
    )
    assignment = Assignment(
        events=(*RARE_EVENTS, *captured),
        market=Market(name="files", bars=read_bars_file(options.bars), index=index, fear=fear, labels=labels),
        target=target_named(settings.training.target),
        data_version=None,
        is_rehearsal=options.dry_run,
    )
    return ArchiveFolder(Path(options.out).resolve()), assignment


def _draw(done: int, total: int, what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{bar(done, total, what)}", end="", file=sys.stderr, flush=True)


def _code(outcomes: Sequence[EventOutcome], *, is_choice: bool) -> int:
    """Give 1 if an event is empty or a file refused, or nothing is there that was asked for."""
    found = {outcome.outcome for outcome in outcomes}
    is_short = bool(found - THERE) if is_choice else not found & THERE
    return 1 if found & WRONG or is_short else 0


def _print_outcomes(outcomes: Sequence[EventOutcome]) -> None:
    rows = [(one.name, one.outcome, one.rows or None, one.symbols or None) for one in outcomes]
    print_table(("event", "outcome", "rows", "symbols"), rows)
    for one in outcomes:
        if one.detail:
            print(f"{one.name}: {one.detail}")


# Looking


def list_events(options: argparse.Namespace) -> int:
    """List the events, of the catalogue and captured, and how far each is archived."""
    layout = layout_of(options)
    entries, is_pending = _entries(layout)
    progress = progress_of(layout, PROGRESS) if is_pending else None
    if options.json:
        events = [entry._asdict() for entry in entries]
        print_json({"build_is_pending": is_pending, "progress": progress, "events": events})
        return 0
    header = ("event", "state", "rows", "symbols", "weight")
    widths = [max(len(entry.event) for entry in entries), 8, 6, 8, 6]
    print("  ".join(name.upper().ljust(width) for name, width in zip(header, widths, strict=True)).rstrip())
    for entry in entries:
        cells = (entry.event, entry.state, entry.rows or "-", entry.symbols or "-", f"{entry.weight:.2f}")
        print("  ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        print(f"  {entry.origin}, {entry.nominal_regime}, {entry.first_day} to {entry.last_day}")
        if entry.note:
            print(textwrap.fill(entry.note, LINE, initial_indent="  ", subsequent_indent="  "))
    if is_pending:
        print("a build waits or is under way; `regimed archive build --dry-run` says what is due")
    if progress is not None:
        print(bar(progress["done"], progress["total"], progress["what"]))
    return 0


def show(options: argparse.Namespace) -> int:
    """Show one event: its manifest, and what the labeler says of its days."""
    layout = layout_of(options)
    entries, _ = _entries(layout)
    entry = _entry(options.event, entries)
    try:
        manifest = ArchiveFolder(layout.archive).manifest(entry.event)
    except ArchiveRefusedError:
        manifest = None  # the entry's note says what is wrong
    if options.json:
        print_json({**entry._asdict(), "manifest": None if manifest is None else manifest._asdict()})
        return 0
    for name, value in entry._asdict().items():
        print(f"{name.replace('_', ' '):<18}{'-' if value in {None, ''} else value}")
    if manifest is not None:
        _print_manifest(manifest)
    return 0


def _print_manifest(manifest: Manifest) -> None:
    facts = {
        "samples": f"{manifest.first_sample_day} to {manifest.last_sample_day}",
        "left out": ", ".join(f"{name.replace('_', ' ')} {rows}" for name, rows in manifest.left_out.items()),
        "features": f"{manifest.features}, catalogue {manifest.catalogue_version}"
        f" ({manifest.catalogue_hash[:12]})",
        "target": f"{manifest.target['name']}, {manifest.target['horizon_days']} days",
        "labeler": manifest.labeler,
        "data version": manifest.data_version,
        "sha256": manifest.sha256,
    }
    for name, fact in facts.items():
        print(f"{name:<18}{'-' if fact is None else fact}")
    print()
    counts = [
        (regime, rows, f"{rows / manifest.rows:.1%}", "nominal" if regime == manifest.nominal_regime else "")
        for regime, rows in manifest.label_counts.items()
        if rows or regime == manifest.nominal_regime
    ]
    print_table(("label", "rows", "share", "of the event"), counts)
    print()
    classes = [(name, rows, f"{rows / manifest.rows:.1%}") for name, rows in manifest.class_counts.items()]
    print_table(("class", "rows", "share"), classes)


def verify(options: argparse.Namespace) -> int:
    """Check every file of the archive against its manifest, and every manifest against its event."""
    layout = layout_of(options)
    folder = ArchiveFolder(layout.archive)
    known = {entry.event for entry in _entries(layout)[0] if entry.state not in {"dropped", "same", "open"}}
    findings = [{"subject": refusal.file, "problem": refusal.sentence} for refusal in folder.refusals()]
    wrong = {finding["subject"] for finding in findings}
    for event in folder.events():
        if wrong & {folder.manifest_file(event).name, folder.parquet(event).name}:
            continue
        problem = _contradiction(folder, event) if event in known else f"{event} is no event of the archive"
        if problem is not None:
            sentence = f"{problem}; run: regimed archive build, or move both its files away"
            findings.append({"subject": folder.parquet(event).name, "problem": sentence})
    if options.json:
        print_json({"events": len(folder.events()), "findings": findings})
    elif findings:
        print("\n".join(f"{finding['subject']}: {finding['problem']}" for finding in findings))
    else:
        print(f"{len(folder.events())} events are as they were built")
    return 1 if findings else 0


def _contradiction(folder: ArchiveFolder, event: str) -> str | None:
    """Say how the samples of an event contradict its manifest, ``None`` if they don't."""
    content, manifest = folder.read(event)
    try:
        table = table_of_samples(content)
    except ValueError as error:
        return f"its samples cannot be read: {error}"
    ids = set(table.column("event_id").unique().to_pylist())
    labels = table.column("label").value_counts().to_pylist()
    found = {
        "events": ids,
        "rows": table.num_rows,
        "features": table.num_columns - len(SAMPLE_FIELDS),
        "symbols": sorted(table.column("symbol").unique().to_pylist()),
        "labels": {one["values"]: one["counts"] for one in labels},
    }
    told = {
        "events": {event},
        "rows": manifest.rows,
        "features": manifest.features,
        "symbols": manifest.symbols,
        "labels": {label: rows for label, rows in manifest.label_counts.items() if rows},
    }
    wrong = [name for name in told if told[name] != found[name]]
    return f"its samples and its manifest differ in {', '.join(wrong)}" if wrong else None


# Dropping


def drop(options: argparse.Namespace) -> int:
    """Leave a message that a captured event is none."""
    layout = layout_of(options)
    entry = _entry(options.event, _entries(layout)[0])
    if entry.origin != DYNAMIC:
        raise UsageError(f"{entry.event} is of the catalogue; only captured events can be dropped")
    if entry.state in {"dropped", "same"}:
        raise UsageError(f"{entry.event} is not in the archive: {entry.note}")
    due = EventDropDue(event=entry.event, reason=options.reason)
    runs = holder_of(layout.lock) is not None
    if not options.dry_run:
        with writing(layout) as journal:
            journal.append([due], now=now())
    if options.json:
        print_json({"asked": due.key, "dry_run": options.dry_run, "daemon_is_running": runs})
    elif options.dry_run:
        print(f"would drop {entry.event}, {entry.first_day} to {entry.last_day}, {entry.rows or 0} rows")
    elif runs:
        print(f"{entry.event} will be dropped")
    else:
        print(f"{entry.event} will be dropped when the daemon runs; it is not running")
    return 0


# Entries


def _entry(id_: str, entries: Sequence[Entry]) -> Entry:
    found = {entry.event: entry for entry in entries}
    if id_ not in found:
        near = difflib.get_close_matches(id_, found, n=1)
        raise UsageError(
            f"there is no event {id_!r}; "
            + (f"did you mean {near[0]}?" if near else "see: regimed archive list")
        )
    return found[id_]


def _entries(layout: Layout) -> tuple[tuple[Entry, ...], bool]:
    """Give every event with its state, and whether a build waits."""
    settings, folder = settings_of(layout), ArchiveFolder(layout.archive)
    refusals = {refusal.file: refusal.sentence for refusal in folder.refusals()}
    with reading(layout) as ledger:
        outcomes = {outcome.name: outcome for outcome in ledger.archive.outcomes()}
        captured = ledger.archive.captured(next(iter(settings.markets)))
        entries = [
            *(
                _archived(event, folder, settings, refusals, outcomes.get(event.id))
                for event in archived_events(ledger, settings)
            ),
            *_not_archived(captured, settings, ledger),
        ]
        is_pending = bool(ledger.pending_counts().get("archive_due"))
    return tuple(sorted(entries, key=lambda entry: (entry.first_day, entry.event))), is_pending


def _archived(
    event: RareEvent,
    folder: ArchiveFolder,
    settings: Settings,
    refusals: Mapping[str, str],
    outcome: StoredArchiveOutcome | None,
) -> Entry:
    files = (folder.manifest_file(event.id).name, folder.parquet(event.id).name)
    refused = [refusals[file] for file in files if file in refusals]
    manifest = None if refused else folder.manifest(event.id)
    if refused:
        state, note = "refused", refused[0]
    elif manifest is not None:
        market = next(iter(settings.markets.values()))
        labeler = labeler_of(settings.labels, has_fear=bool(market.fear)).version
        is_built = is_current(manifest, event, target_named(settings.training.target), labeler)
        state = "built" if is_built else "stale"
        note = "" if is_built else "its features, target, labeler or days are others now; it is built again"
    elif outcome is not None and outcome.outcome != "built":
        state, note = outcome.outcome, outcome.detail
    else:
        state, note = "waiting", "its bars have not come, or its build waits"
    days = (str(event.first_day), str(event.last_day))
    return _entry_of(event.id, event.origin, days, event.regime, event.weight, (state, note), manifest)


def _not_archived(captured: Sequence[StoredCapture], settings: Settings, ledger: Ledger) -> list[Entry]:
    """Give the captured events that are not, or not yet, in the archive."""
    dropped = {drop.id: drop for drop in ledger.archive.dropped()}
    found = {event.id: (event.first_day, event.last_day) for event in captured}
    found |= {drop.id: (drop.first_day, drop.last_day) for drop in dropped.values()}
    known = {event.id: event for event in captured}
    entries = []
    for id_, days in found.items():
        if id_ in dropped:
            state, note = "dropped", f"{local_time(dropped[id_].at)}: {dropped[id_].reason}"
        elif known[id_].same_as:
            state, note = "same", f"the same as {', '.join(known[id_].same_as)}"
        elif known[id_].closed_on is None:
            state, note = "open", f"{known[id_].days} days so far; it is archived when it is over"
        else:
            continue
        entries.append(
            _entry_of(id_, DYNAMIC, days, Regime.CRASH, settings.archive.weight, (state, note), None)
        )
    return entries


def _entry_of(
    id_: str,
    origin: str,
    days: tuple[str, str],
    regime: Regime,
    weight: float,
    state: tuple[str, str],
    manifest: Manifest | None,
) -> Entry:
    return Entry(
        event=id_,
        origin=origin,
        first_day=days[0],
        last_day=days[1],
        nominal_regime=regime.value,
        weight=weight,
        state=state[0],
        note=state[1],
        rows=None if manifest is None else manifest.rows,
        symbols=None if manifest is None else len(manifest.symbols),
    )
