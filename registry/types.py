"""The nouns of the registry: what a version is made of, who holds which alias, and what happened.

Only the standard library is imported, so that ``regimed status`` can read the registry within its budget.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from registry.errors import ManifestInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHA256_DIGITS: Final = 64


class Alias(StrEnum):
    """The roles that a version can hold; each is held by one version at most.

    ``champion`` serves, ``previous`` served before it, ``challenger`` is being judged and ``shadow``
    predicts beside the champion without being served.
    """

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"
    SHADOW = "shadow"


class EventKind(StrEnum):
    """What can happen to a registry."""

    REGISTERED = "registered"
    REPORTED = "reported"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ALIAS_SET = "alias_set"
    ALIAS_CLEARED = "alias_cleared"
    DELETED = "deleted"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"


class MemberStatus(StrEnum):
    """Whether one of a version's models is there."""

    FITTED = "fitted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a version: its artifact if it was fitted, the reason if it was not.

    ``format`` is one of ``registry.formats.FORMATS``, ``sha256`` the hash of the artifact's bytes.
    """

    status: MemberStatus
    format: str | None = None
    sha256: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.status is MemberStatus.FITTED:
            _require(
                bool(self.format) and is_sha256(self.sha256), "a fitted member needs a format and a sha256"
            )
        else:
            _require(
                bool(self.reason) and self.sha256 is None, "a failed member needs a reason and has no sha256"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that a version was made from: enough to make it again and to refuse what does not fit.

    ``target``, ``settings`` and ``packages`` are plain JSON values, copied and not to be changed.
    ``trained_from`` and ``trained_to`` are the first and last day of the ``trained_rows`` rows;
    ``created_at`` is the UTC time at which the run ended. ``members`` maps the name of each model to its
    fate. A model refuses rows whose features have another ``feature_hash``.

    Raises
    ------
    ManifestInvalidError
        If a name occurs twice, days are in the wrong order, a time is not UTC, nothing was fitted, or a
        value is not JSON (NaN is not: what is not known is ``None``).
    """

    run_id: str
    recipe_hash: str
    data_hash: str
    data_version: str
    feature_names: tuple[str, ...]
    feature_hash: str
    feature_catalogue: str
    target: Mapping[str, object]
    classes: tuple[str, ...]
    settings: Mapping[str, object]
    settings_hash: str
    seed: int
    trained_from: date
    trained_to: date
    trained_rows: int
    packages: Mapping[str, str]
    members: Mapping[str, Member]
    created_at: datetime

    def __post_init__(self) -> None:
        for name, listed in (("feature_names", self.feature_names), ("classes", self.classes)):
            _require(
                len(listed) > 0 and len(set(listed)) == len(listed), f"{name} are not one or more, each once"
            )
        _require(self.trained_from <= self.trained_to, "trained_from is after trained_to")
        _require(self.trained_rows > 0, "trained_rows is not positive")
        fitted = [member for member in self.members.values() if member.status is MemberStatus.FITTED]
        _require(bool(fitted), "no member was fitted")
        require_utc(self.created_at)
        for name in ("target", "settings", "packages"):
            # A private copy, as it will be read again: tuples are lists, text is all a key can be.
            object.__setattr__(self, name, json.loads(canonical_json(getattr(self, name))))

    def to_json(self) -> str:
        """Give the manifest as canonical JSON: sorted keys, no white space, the same text every time."""
        return canonical_json(
            {
                **asdict(self),
                "trained_from": self.trained_from.isoformat(),
                "trained_to": self.trained_to.isoformat(),
                "created_at": text_of_time(self.created_at),
            }
        )

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Give the manifest that ``to_json`` wrote.

        Raises
        ------
        ManifestInvalidError
            If the text is no manifest.
        """
        try:
            values = json.loads(text)
            return cls(
                **{
                    **values,
                    "feature_names": tuple(values["feature_names"]),
                    "classes": tuple(values["classes"]),
                    "trained_from": date.fromisoformat(values["trained_from"]),
                    "trained_to": date.fromisoformat(values["trained_to"]),
                    "created_at": datetime.fromisoformat(values["created_at"]),
                    "members": {
                        name: Member(**{**member, "status": MemberStatus(member["status"])})
                        for name, member in values["members"].items()
                    },
                }
            )
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ManifestInvalidError(
                f"this is not a manifest: {error!r}; train the version again"
            ) from error

    def sha256(self) -> str:
        """Give the hash of the canonical JSON, which identifies the manifest."""
        return sha256_of(self.to_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered version; it never changes.

    ``name`` is ``v1``, ``v2``, … in the order of registration and is never given twice. ``key`` is the
    deed that registered it.
    """

    name: str
    key: str
    manifest: Manifest
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """Where the bytes of an artifact are found: by their hash, and how many there are."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the registry's history.

    ``hash`` covers every other field and ``previous_hash``, so that no entry can be changed, removed or
    put in between without breaking the chain.
    """

    sequence: int
    at: datetime
    kind: EventKind
    version: str
    actor: str
    reason: str
    key: str
    body: Mapping[str, object]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """A time during which one version was champion; ``until`` is ``None`` while it still is."""

    version: str
    since: datetime
    until: datetime | None
    kind: EventKind
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that ``verify`` found wrong: with what, and how."""

    subject: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who asks for a change, why, when, and under which key it happens once only.

    ``at`` is a UTC time. ``key`` is unique a kind of event: the same deed under the same key changes
    nothing the second time.
    """

    key: str
    at: datetime
    actor: str
    reason: str

    def __post_init__(self) -> None:
        require_utc(self.at)
        for name in ("key", "actor", "reason"):
            _require(bool(getattr(self, name).strip()), f"{name} is empty")


def canonical_json(value: object) -> str:
    """Give ``value`` as the one JSON text that stands for it: sorted keys, no white space.

    Raises
    ------
    ManifestInvalidError
        If it holds what JSON has no word for, such as NaN, a date, or half a surrogate pair.

    >>> canonical_json({"b": (1, None), "a": "é"})
    '{"a":"é","b":[1,null]}'
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestInvalidError(f"not plain JSON ({error}); give numbers, text, lists and null") from error
    return text


def sha256_of(text: str) -> str:
    """Give the SHA-256 of a text in UTF-8, as 64 hexadecimal digits.

    >>> sha256_of("")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def is_sha256(text: str | None) -> bool:
    """Tell whether ``text`` is a SHA-256 in lower-case hexadecimal digits.

    >>> is_sha256("../../etc/passwd"), is_sha256("0" * 64)
    (False, True)
    """
    return text is not None and len(text) == SHA256_DIGITS and set(text) <= set("0123456789abcdef")


def require_utc(at: datetime) -> None:
    """Refuse a time that is not in UTC.

    Raises
    ------
    ManifestInvalidError
        If the time has no zone or another one.
    """
    _require(at.utcoffset() == timedelta(0), f"{at.isoformat()} is not a UTC time")


def text_of_time(at: datetime) -> str:
    """Give a UTC time as text that sorts like the time itself.

    >>> text_of_time(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2024-01-02T03:04:05.000000+00:00'
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _require(holds: bool, fault: str) -> None:  # noqa: FBT001 - the condition is the point
    if not holds:
        raise ManifestInvalidError(f"{fault}; correct it before it is registered")
