"""Builds the archive of rare events from stored bars, event by event; what is built already is left alone.

Result: ``{"data_version", "recipe", "outcomes": [{"name", "outcome", "detail", "inputs", …}]}``.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.adapters.archive import ArchiveFolder, Manifest
from daemon.adapters.ledger import Ledger
from daemon.capture import archive_recipe, archived_events
from daemon.children.data import first_market, settings_of
from daemon.children.speech import say_progress
from daemon.formats.samples import samples_bytes
from daemon.layout import Layout
from regime.event_samples import EventEmptyError, cut_inputs, event_samples, missing_days, recipe_of
from regime.events import DYNAMIC
from regime.features import CATALOGUE_VERSION
from regime.targets import target_named
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.children.data import Market
    from regime.event_samples import EventSamples
    from regime.events import RareEvent
    from regime.types import TargetSpec

    Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOutcome:
    """What became of an event or a file.

    ``outcome`` is ``built``, ``unchanged``, ``waiting`` (for bars), ``empty``, ``refused``, ``due`` (would be
    built) or ``removed`` (a captured event that is none any more).
    """

    name: str
    outcome: str
    detail: str = ""
    inputs: str = ""
    origin: str = ""
    rows: int = 0
    symbols: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What to build: events, of which market and target, and whether only to say what would be done.

    ``data_version`` is ``None`` for bars from files.
    """

    events: tuple[RareEvent, ...]
    market: Market
    target: TargetSpec
    data_version: int | None
    is_rehearsal: bool = False


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Bring the archive of a directory up to a data version."""
    layout, settings = Layout(Path(job["root"])), settings_of(job)
    say_progress(0, 0, "reading bars")
    with closing(open_read_only(layout.journal)) as connection:
        events = archived_events(Ledger(connection), settings)
    market = first_market(job["root"], job["data_version"], settings)
    assignment = Assignment(
        events=events,
        market=market,
        target=target_named(settings.training.target),
        data_version=job["data_version"],
    )
    outcomes = build_archive(ArchiveFolder(layout.archive), assignment, say_progress)
    return {
        "data_version": job["data_version"],
        "recipe": archive_recipe(events, settings),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }


def build_archive(
    folder: ArchiveFolder, assignment: Assignment, report: Report, *, only: Sequence[str] = ()
) -> tuple[EventOutcome, ...]:
    """Build the events that are due, all or ``only`` some, and give what became of each.

    An event is due if its files are not there, or were made of other bars, labels or features. Files that
    were changed or don't belong there are left as they are, and named.
    """
    wanted = [event for event in assignment.events if not only or event.id in only]
    outcomes = []
    with folder.locked():
        refusals = {refusal.file: refusal.sentence for refusal in folder.refusals()}
        for done, event in enumerate(wanted):
            report(done, len(wanted), event.id)
            refused = {path.name for path in (folder.parquet(event.id), folder.manifest_file(event.id))}
            if not refused & refusals.keys():
                outcomes.append(_build_event(folder, event, assignment))
        if not only:
            outcomes += _remove_others(folder, assignment, refusals)
    report(len(wanted), len(wanted), "done")
    outcomes += [
        EventOutcome(name=file, outcome="refused", detail=sentence) for file, sentence in refusals.items()
    ]
    return tuple(outcomes)


def _build_event(folder: ArchiveFolder, event: RareEvent, assignment: Assignment) -> EventOutcome:
    market, target = assignment.market, assignment.target
    missing = missing_days(event, market.index, target)
    if missing is not None:
        return EventOutcome(name=event.id, outcome="waiting", detail=missing, origin=event.origin)
    inputs = cut_inputs(
        event, market.bars, index=market.index, fear=market.fear, labels=market.labels, target=target
    )
    digest = inputs.digest()
    known = folder.manifest(event.id)
    if (
        known is not None
        and is_current(known, event, target, inputs.labeler)
        and known.inputs_sha256 == digest
    ):
        return _outcome("unchanged", known)
    if assignment.is_rehearsal:
        return EventOutcome(name=event.id, outcome="due", inputs=digest, origin=event.origin)
    try:
        samples = event_samples(inputs, target)
    except EventEmptyError as error:
        return EventOutcome(
            name=event.id, outcome="empty", detail=str(error), inputs=digest, origin=event.origin
        )
    content = samples_bytes(samples)
    manifest = _manifest(samples, content, digest, assignment.data_version)
    folder.publish(content, manifest)
    return _outcome("built", manifest)


def is_current(manifest: Manifest, event: RareEvent, target: TargetSpec, labeler: str) -> bool:
    """Tell whether an event is archived as it would be now, from whatever bars."""
    found = (
        manifest.origin, manifest.first_day, manifest.last_day, manifest.nominal_regime, manifest.weight,
        manifest.catalogue_hash, dict(manifest.target), manifest.labeler,
    )  # fmt: skip
    recipe = recipe_of(target, labeler)
    return found == (
        event.origin, str(event.first_day), str(event.last_day), event.regime.value, event.weight,
        recipe["catalogue_hash"], recipe["target"], recipe["labeler"],
    )  # fmt: skip


def _outcome(outcome: str, manifest: Manifest) -> EventOutcome:
    return EventOutcome(
        name=manifest.event,
        outcome=outcome,
        inputs=manifest.inputs_sha256,
        origin=manifest.origin,
        rows=manifest.rows,
        symbols=len(manifest.symbols),
    )


def _manifest(samples: EventSamples, content: bytes, inputs: str, data_version: int | None) -> Manifest:
    event = samples.event
    target = asdict(samples.target_spec)
    return Manifest(
        event=event.id,
        origin=event.origin,
        first_day=str(event.first_day),
        last_day=str(event.last_day),
        nominal_regime=event.regime.value,
        weight=event.weight,
        rows=len(samples),
        symbols=list(samples.symbols()),
        first_sample_day=str(samples.date.min()),
        last_sample_day=str(samples.date.max()),
        label_counts=samples.label_counts(),
        class_counts=samples.class_counts(),
        left_out=asdict(samples.left_out),
        features=len(samples.feature_names),
        catalogue_version=CATALOGUE_VERSION,
        catalogue_hash=samples.catalogue_hash,
        target={**target, "classes": list(target["classes"])},
        labeler=samples.labeler,
        data_version=data_version,
        inputs_sha256=inputs,
        sha256=sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def _remove_others(
    folder: ArchiveFolder, assignment: Assignment, refusals: dict[str, str]
) -> list[EventOutcome]:
    """Remove captured events that are none any more; name catalogued ones that no catalogue knows."""
    known = {event.id for event in assignment.events}
    outcomes = []
    for event in folder.events():
        if event in known or folder.manifest_file(event).name in refusals:
            continue
        manifest = folder.manifest(event)
        if manifest is not None and manifest.origin == DYNAMIC:
            if not assignment.is_rehearsal:
                folder.remove(event)
            outcomes.append(EventOutcome(name=event, outcome="removed", origin=DYNAMIC))
        else:
            file = folder.manifest_file(event).name
            refusals[file] = f"{file} is of no event of the catalogue; move it and its parquet away"
    return outcomes
