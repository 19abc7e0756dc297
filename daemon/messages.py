"""Everything that happens, as frozen messages.

A message is named by its ``kind`` (never by an import path), is stored as JSON, and has a unique ``key``:
a message whose key the journal already holds is not appended again, which is what makes a second
sighting of a file or a second tick of the schedule harmless. Days are ISO dates, times ISO UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar, Final

from daemon.errors import JournalError


class Lane(StrEnum):
    """Where a message is worked on: in the loop itself, or in a child process of one kind at a time."""

    LOOP = "loop"
    SCORE = "score"
    TRAIN = "train"
    FEED = "feed"
    COMPACT = "compact"
    ARCHIVE = "archive"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages."""

    key_template: ClassVar[str]
    lane: ClassVar[Lane] = Lane.LOOP

    @property
    def key(self) -> str:
        """Name the happening uniquely."""
        return self.key_template.format(**self._fields())

    def to_json(self) -> str:
        """Give the fields as canonical JSON."""
        return json.dumps(self._fields(), sort_keys=True, separators=(",", ":"))

    def _fields(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileArrived(Message):
    """A whole file was copied to staging under its sha256."""

    key_template: ClassVar[str] = "file:{sha256}"
    sha256: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsArrived(Message):
    """Bars of a file were stored as ``data_version``; ``first_day`` is the first that is new or differs."""

    key_template: ClassVar[str] = "bars:{data_version}"
    data_version: int
    symbols: tuple[str, ...]
    first_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionDue(Message):
    """The deltas through a data version are to become year files."""

    key_template: ClassVar[str] = "compact:{data_version}"
    lane: ClassVar[Lane] = Lane.COMPACT
    data_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalDue(Message):
    """What compactions through a data version retired is old enough, and nobody needs it."""

    key_template: ClassVar[str] = "remove:{through}"
    through: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsUnlisted(Message):
    """Files of bars are no longer listed and are to be deleted."""

    key_template: ClassVar[str] = "unlisted:{through}"
    through: int
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesDue(Message):
    """The features of the days that a data version brought or changed are due."""

    key_template: ClassVar[str] = "features:{data_version}"
    data_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringDue(Message):
    """Predictions and drift readings are due for a data version and champion."""

    key_template: ClassVar[str] = "score:{data_version}:{champion}"
    lane: ClassVar[Lane] = Lane.SCORE
    data_version: int
    champion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionDue(Message):
    """Predictions of a version that does not serve are due for a data version, beside the champion's."""

    key_template: ClassVar[str] = "predict:{data_version}:{version}"
    lane: ClassVar[Lane] = Lane.SCORE
    data_version: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDue(Message):
    """A trial has ``days`` matured fresh days and is judged on them, as one of ``looks`` looks.

    What the data version ``data_version`` brought and all before it counts, whatever came since.
    """

    key_template: ClassVar[str] = "look:{trial}:{days}"
    lane: ClassVar[Lane] = Lane.SCORE
    trial: str
    days: int
    looks: int
    is_last: bool
    data_version: int
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookJudged(Message):
    """The gate has spoken about a trial; ``evidence`` is the hash of the rows that it saw."""

    key_template: ClassVar[str] = "looked:{trial}:{days}"
    trial: str
    kind: str
    version: str
    against: str
    days: int
    is_last: bool
    verdict: str
    reason: str
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveDue(Message):
    """Bars of a data version, or a captured event, may have changed what the archive holds."""

    key_template: ClassVar[str] = "archive:{data_version}"
    lane: ClassVar[Lane] = Lane.ARCHIVE
    data_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDropDue(Message):
    """A person decided that a captured event is none, and said why."""

    key_template: ClassVar[str] = "drop:{event}"
    event: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainDue(Message):
    """A retrain is due by schedule or by hand; ``period`` names the slot."""

    key_template: ClassVar[str] = "retrain:{trigger}:{period}"
    trigger: str
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDue(Message):
    """A run was opened and its child process is to be started."""

    key_template: ClassVar[str] = "train:{run_id}"
    lane: ClassVar[Lane] = Lane.TRAIN
    run_id: str
    data_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRegistered(Message):
    """A run put a version into the registry, which is to be judged."""

    key_template: ClassVar[str] = "judge:{version}"
    lane: ClassVar[Lane] = Lane.TRAIN
    run_id: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateJudged(Message):
    """The gate has spoken about a version; ``champion`` is whom it was compared with."""

    key_template: ClassVar[str] = "judged:{version}"
    version: str
    champion: str | None
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPollDue(Message):
    """A feed is to be asked for news; ``slot`` is the time that made it due."""

    key_template: ClassVar[str] = "poll:{feed}:{slot}"
    lane: ClassVar[Lane] = Lane.FEED
    feed: str
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorDue(Message):
    """What happened to ``versions`` up to the registry's event ``through`` is to be sent to a mirror."""

    key_template: ClassVar[str] = "mirror:{uri}:{through}:{attempt}"
    lane: ClassVar[Lane] = Lane.MIRROR
    uri: str
    through: int
    attempt: int
    versions: tuple[str, ...]


KINDS: Final[dict[str, type[Message]]] = {
    "file_arrived": FileArrived,
    "bars_arrived": BarsArrived,
    "compaction_due": CompactionDue,
    "removal_due": RemovalDue,
    "parts_unlisted": PartsUnlisted,
    "features_due": FeaturesDue,
    "scoring_due": ScoringDue,
    "prediction_due": PredictionDue,
    "look_due": LookDue,
    "look_judged": LookJudged,
    "archive_due": ArchiveDue,
    "event_drop_due": EventDropDue,
    "retrain_due": RetrainDue,
    "training_due": TrainingDue,
    "candidate_registered": CandidateRegistered,
    "candidate_judged": CandidateJudged,
    "feed_poll_due": FeedPollDue,
    "mirror_due": MirrorDue,
}
_NAMES: Final = {kind: name for name, kind in KINDS.items()}


def kind_of(message: Message) -> str:
    """Give the stored name of a message's class."""
    return _NAMES[type(message)]


def message_of(kind: str, body: str) -> Message:
    """Rebuild a message from its stored name and JSON.

    >>> due = RetrainDue(trigger="manual", period="2024-01-06T21:00:00+00:00")
    >>> message_of(kind_of(due), due.to_json()) == due
    True
    """
    try:
        values: dict[str, object] = json.loads(body)
        return KINDS[kind](
            **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise JournalError(
            f"the journal holds a message of kind {kind!r} that this regimed cannot read ({error});"
            " it was written by another version: install that one, or move the state folder aside"
        ) from error
