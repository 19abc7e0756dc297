"""What a handler gives back: data, not effects.

A handler reads what it needs and returns an ``Outcome``; the journal applies its records, events and
follow-up messages in the one transaction that also marks the message as done. So a handler can be
read and tested as a function, and an effect happens exactly once or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.messages import Message
    from daemon.mirror_state import MirrorState
    from daemon.stored_label import LabelRevision, StoredFinal, StoredLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something a person or an alert rule may read; the name is one of ``events.toml``."""

    name: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTaken:
    """A file was parsed and its bars stored, or held nothing new."""

    sha256: str
    name: str
    size_bytes: int
    format: str
    symbols: tuple[str, ...]
    rows: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuarantined:
    """A file was refused; nothing of it was stored."""

    sha256: str
    name: str
    size_bytes: int
    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStored:
    """A part file of bars becomes visible as ``data_version``."""

    data_version: int
    part: str
    symbols: tuple[str, ...]
    rows: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class YearFile:
    """All bars of one calendar year in one file."""

    year: int
    part: str
    symbols: tuple[str, ...]
    rows: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsCompacted:
    """Year files take the place of all deltas through ``data_version``, and of older files of their years."""

    data_version: int
    files: tuple[YearFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredUnlisted:
    """Files that compactions through a data version retired are no longer listed, and may be deleted."""

    through: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsStored:
    """The labels of one market that are new or differ, and the labeler's state after the last day.

    So are ``finals``; those of ``withdrawn`` days are open again. ``revisions`` are what became different.
    """

    market: str
    labeler: str
    data_version: int
    labels: tuple[StoredLabel, ...]
    through_day: str
    state: str
    finals: tuple[StoredFinal, ...] = ()
    withdrawn: tuple[str, ...] = ()
    revisions: tuple[LabelRevision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedEvent:
    """A rare event as captured so far; ``same_as`` names the known events that it repeats."""

    id: str
    first_day: str
    last_day: str
    days: int
    fear_peak: float
    opened_on: str
    closed_on: str | None
    same_as: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsCaptured:
    """Capture looked at the days of a market: its state after the last, and events that are new or differ.

    With ``is_replay`` it looked at all days, and events that are not among these are no more.
    """

    market: str
    version: str
    through_day: str
    state: str
    events: tuple[CapturedEvent, ...]
    is_replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDropped:
    """A captured event is none, says a person; its days are not captured again."""

    id: str
    first_day: str
    last_day: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOutcome:
    """What became of an event, or of a file that is none, when the archive was built.

    ``inputs`` is the SHA-256 of the bars and labels that were looked at, empty if none were.
    """

    name: str
    outcome: str
    detail: str
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveChecked:
    """The archive was brought up to a data version; ``recipe`` says which events, and how they are made."""

    data_version: int
    recipe: str
    outcomes: tuple[ArchiveOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFeatures:
    """The features of one day: ``content`` holds floats, little-endian, symbol by symbol.

    ``complete`` counts the symbols whose features are all known.
    """

    day: str
    symbols: tuple[str, ...]
    complete: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesStored:
    """The features of days that are new or differ; those of days before ``kept_since`` are let go."""

    data_version: int
    catalogue_hash: str
    days: tuple[DayFeatures, ...]
    kept_since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened:
    """A training run exists from here on."""

    run_id: str
    job: str
    trigger: str
    period: str
    data_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClosed:
    """A run ended: ``succeeded`` with a version, or ``failed`` with the reason."""

    run_id: str
    outcome: str
    reason: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPrediction:
    """Class probabilities of one symbol for one day, made before the outcome is known."""

    version: str
    symbol: str
    day: str
    regime: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReading:
    """What a drift monitor saw on one day; ``None`` is not known."""

    monitor: str
    reference: str
    day: str
    level: str
    statistic: float | None
    threshold: float | None
    effective_n: float | None
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayScored:
    """Predictions and drift readings of a data version, and the monitors' states as base64 text."""

    data_version: int
    predictions: tuple[StoredPrediction, ...]
    readings: tuple[StoredReading, ...]
    states: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounted:
    """A version predicts beside the champion ``against``; ``days`` of that have matured.

    ``looks`` are the numbers of days at which it is looked at.
    """

    trial: str
    kind: str
    version: str
    against: str
    opened_at: str
    days: int
    looks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLooked:
    """A trial was judged on ``days`` fresh days; with an ``outcome`` it is over."""

    trial: str
    days: int
    verdict: str
    reason: str
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPolled:
    """A feed was asked: its cursor, the last day it has, what went wrong, and whether it has gone stale."""

    feed: str
    cursor: str | None
    last_day: str | None
    error: str | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTried:
    """The registry was sent to its mirror, or could not be: how far the mirror is now."""

    state: MirrorState


Record = (
    FileTaken
    | FileQuarantined
    | PartStored
    | BarsCompacted
    | RetiredUnlisted
    | LabelsStored
    | FeaturesStored
    | RunOpened
    | RunClosed
    | DayScored
    | TrialCounted
    | TrialLooked
    | FeedPolled
    | MirrorTried
    | EventsCaptured
    | EventDropped
    | ArchiveChecked
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that follows from a message, applied in one transaction."""

    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    follow_ups: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildJob:
    """Work for a child process: a module of ``daemon.children``, its job as JSON, its limits.

    The child reads the job on standard input and prints one JSON object per line: progress lines
    ``{"progress": [done, total, what], "left_s": seconds or null}``, and last its result
    ``{"result": {...}}``.
    """

    module: str
    job: Mapping[str, object]
    time_limit_s: float
    memory_limit_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnd:
    """How a child ended: with a result, or with the reason why there is none."""

    result: Mapping[str, object] | None
    reason: str | None
