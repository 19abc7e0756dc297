"""A version as a folder of plain files, for other registries and other programs, and its way back in.

The folder says what it is made of in ``manifest.json``, and ``SHA256SUMS`` vouches for every file (check it
with ``sha256sum --check SHA256SUMS``). The hash of ``SHA256SUMS`` is the seal: who got it by another way
than the folder knows that nobody changed anything. Reading opens only names that follow from this code and
the manifest, never one that is written in the folder. Only the standard library is imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from registry.artifacts import BLOB_SIZE_MAX_BYTES
from registry.errors import (
    ArtifactCorruptError,
    ArtifactMissingError,
    ArtifactRefusedError,
    ArtifactTooLargeError,
    RegistryError,
)
from registry.rows import number_of, object_of
from registry.types import Manifest, MemberStatus, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUMS: Final = "SHA256SUMS"
MANIFEST: Final = "manifest.json"
SCORECARD: Final = "scorecard.json"
ORIGIN: Final = "origin.json"
REPORT: Final = "report.json"
README: Final = "README.md"

SUFFIXES: Final = {"xgboost_ubj": "ubj", "lightgbm_txt": "txt", "skops": "skops", "parts": "zip"}
"""Of a member's file, by its format; as in ``registry.formats``, which would bring every library along."""

NEEDED: Final = {
    "ensemble": "ensemble.json",
    "golden": "golden.npz",
    "evidence": "evidence.parquet",
    "scorecards": "scorecards.json",
    "drift_feature_range": "drift/feature_range.npz",
    "drift_feature_drift": "drift/feature_drift.npz",
    "drift_regime_mix": "drift/regime_mix.npz",
    "drift_aggregate_drift": "drift/aggregate_drift.npz",
}
"""The file of each artifact that every version has beside its members."""

EXTRA: Final = {
    "explanation": "explanation.json",
    "reliability": "reliability.json",
}
"""The file of each artifact that a version may have; any other name is refused."""

FILES_MAX: Final = 200
SUMS_MAX_BYTES: Final = 1 << 16
TEXT_MAX_BYTES: Final = 1 << 26
"""Cap on the bytes of a JSON file; 500 symbols take some 5 MB."""

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\x7f]{1,300})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a version was exported: its name there, when it was registered, and by which regimed."""

    version: str
    registered_at: str
    regimed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A version outside of a registry. ``report`` is the gate's last word there, ``None`` if it had none."""

    manifest: Manifest
    scorecard: Mapping[str, object]
    artifacts: Mapping[str, bytes]
    origin: Origin
    report: str | None


def files_of(bundle: Bundle, readme: str) -> dict[str, bytes]:
    """Give the files of a bundle by name, the list of their hashes last.

    Raises
    ------
    ArtifactRefusedError
        If it has an artifact that this code has no file for.
    """
    names = _names_of(bundle.manifest)
    if unknown := sorted(bundle.artifacts.keys() - names.keys()):
        raise ArtifactRefusedError(
            f"the artifacts {', '.join(unknown)} have no place in a folder; export with the newer regimed"
        )
    files = {
        README: readme.encode(),
        MANIFEST: bundle.manifest.to_json().encode(),
        SCORECARD: canonical_json(bundle.scorecard).encode(),
        ORIGIN: canonical_json(
            {
                "schema": 1,
                "version": bundle.origin.version,
                "registered_at": bundle.origin.registered_at,
                "regimed": bundle.origin.regimed,
            }
        ).encode(),
        **({} if bundle.report is None else {REPORT: bundle.report.encode()}),
        **{names[name]: content for name, content in sorted(bundle.artifacts.items())},
    }
    return {**files, SUMS: sums_of(files)}


def sums_of(files: Mapping[str, bytes]) -> bytes:
    r"""Give the list of hashes of files, as ``sha256sum`` writes it.

    >>> sums_of({"a": b""}).decode()[:12], sums_of({"a": b""}).decode()[-4:]
    ('e3b0c44298fc', '  a\n')
    """
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    return "".join(lines).encode()


def seal_of(files: Mapping[str, bytes]) -> str:
    """Give the hash of the list of hashes."""
    return hashlib.sha256(files[SUMS]).hexdigest()


def read_bundle(folder: Path) -> tuple[Bundle, str]:
    """Give the bundle in a folder, and its seal; nothing is parsed but JSON whose hash is right.

    Raises
    ------
    ArtifactMissingError, ArtifactCorruptError, ArtifactTooLargeError, ArtifactRefusedError
        If a file is missing, changed, too large, or has no business there; the sentence names it.
    ManifestInvalidError
        If the manifest is none.
    """
    listed, seal = _sums(folder)
    _check_names(folder, listed)
    texts = {
        name: _text(folder, name, listed) for name in (MANIFEST, SCORECARD, ORIGIN) if _needed(name, listed)
    }
    manifest = Manifest.of_json(texts[MANIFEST])
    if manifest.to_json() != texts[MANIFEST]:
        raise ArtifactRefusedError(
            f"{MANIFEST} is not written as regimed writes it; export the version again"
        )
    names = _names_of(manifest)
    strangers = listed.keys() - {README, MANIFEST, SCORECARD, ORIGIN, REPORT, *names.values()}
    if strangers:
        raise ArtifactRefusedError(
            f"{min(strangers)} is no file of an exported version; move it away, and export again"
        )
    artifacts = {
        name: _read(folder, file, listed[file], BLOB_SIZE_MAX_BYTES)
        for name, file in names.items()
        if file in listed or _is_needed(name, manifest)
        if _needed(file, listed)
    }
    _check_members(manifest, artifacts, names)
    if README in listed:
        _read(folder, README, listed[README], TEXT_MAX_BYTES)
    bundle = Bundle(
        manifest=manifest,
        scorecard=object_of(texts[SCORECARD]),
        artifacts=artifacts,
        origin=_origin(texts[ORIGIN]),
        report=_text(folder, REPORT, listed) if REPORT in listed else None,
    )
    return bundle, seal


def _names_of(manifest: Manifest) -> dict[str, str]:
    """Give the file of each artifact that a version of this manifest can have."""
    members = {
        name: f"members/{quote(name, safe='')}.{_suffix(name, member.format)}"
        for name, member in manifest.members.items()
        if member.status is MemberStatus.FITTED
    }
    if taken := sorted(members.keys() & (NEEDED.keys() | EXTRA.keys())):
        raise ArtifactRefusedError(f"a member may not be called {taken[0]}, which is another artifact's name")
    return {**NEEDED, **EXTRA, **members}


def _suffix(name: str, format_: str | None) -> str:
    if format_ not in SUFFIXES:
        raise ArtifactRefusedError(
            f"the member {name!r} is in the format {format_!r}, which is never loaded; the formats are"
            f" {', '.join(SUFFIXES)}"
        )
    return SUFFIXES[format_]


def _is_needed(name: str, manifest: Manifest) -> bool:
    return name in NEEDED or name in manifest.members


def _needed(name: str, listed: Mapping[str, str]) -> bool:
    if name not in listed:
        raise ArtifactMissingError(f"{name} is missing; get the whole folder again")
    return True


def _sums(folder: Path) -> tuple[dict[str, str], str]:
    if not folder.is_dir():
        raise ArtifactMissingError(f"{folder} is not a folder; give one that `regimed models export` wrote")
    content = _bytes(folder, SUMS, SUMS_MAX_BYTES)
    listed: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in listed:
            raise ArtifactCorruptError(f"{SUMS} has a line that is none of `sha256sum`: {line[:80]!r}")
        listed[match[2]] = match[1]
    return listed, hashlib.sha256(content).hexdigest()


def _check_names(folder: Path, listed: Mapping[str, str]) -> None:
    """Refuse whatever lies in the folder and is not listed, and what is listed and not there."""
    found = set(_files_in(folder, ""))
    if strangers := found - listed.keys() - {SUMS}:
        raise ArtifactRefusedError(f"{min(strangers)!r} is not in {SUMS}; move it away, or export again")
    if missing := listed.keys() - found:
        raise ArtifactMissingError(f"{min(missing)!r} is missing; get the whole folder again")


def _files_in(folder: Path, above: str) -> Iterator[str]:
    with os.scandir(folder) as scanned:
        entries = list(islice(scanned, FILES_MAX + 1))
    if len(entries) > FILES_MAX:
        raise ArtifactRefusedError(f"{folder} has more than {FILES_MAX} files; this is no exported version")
    for entry in entries:
        name = above + entry.name
        if entry.is_dir(follow_symlinks=False) and not above:
            yield from _files_in(folder / entry.name, f"{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name
        else:
            raise ArtifactRefusedError(f"{name!r} is no regular file; move it away, or export again")


def _text(folder: Path, name: str, listed: Mapping[str, str]) -> str:
    content = _read(folder, name, listed[name], TEXT_MAX_BYTES)
    try:
        text = content.decode()
        require_printable(json.loads(text), name)
    except (ValueError, RecursionError) as error:
        raise ArtifactRefusedError(f"{name} is no JSON: {error}; export the version again") from error
    return text


def require_printable(value: object, name: str) -> None:
    """Refuse JSON with a text that would do something to a terminal.

    Raises
    ------
    ArtifactRefusedError
        If a text, or a name, holds a control character.
    """
    match value:
        case str():
            if not value.isprintable():
                raise ArtifactRefusedError(f"{name} holds a text with control characters: {value[:80]!r}")
        case dict():
            for key, inner in value.items():
                require_printable(key, name)
                require_printable(inner, name)
        case list():
            for inner in value:
                require_printable(inner, name)
        case _:
            pass


def _read(folder: Path, name: str, sha256: str, size_max_bytes: int) -> bytes:
    content = _bytes(folder, name, size_max_bytes)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactCorruptError(f"{name} is not what {SUMS} says; it was damaged or changed")
    return content


def _bytes(folder: Path, name: str, size_max_bytes: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(folder / name, flags)
    except OSError as error:
        raise ArtifactMissingError(f"{name} cannot be read in {folder}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ArtifactRefusedError(f"{name} is no regular file; export the version again")
        if facts.st_size > size_max_bytes:
            raise ArtifactTooLargeError(f"{name} has {facts.st_size} bytes, allowed are {size_max_bytes}")
        return file.read(size_max_bytes)


def _check_members(manifest: Manifest, artifacts: Mapping[str, bytes], names: Mapping[str, str]) -> None:
    for name, member in manifest.members.items():
        if name in artifacts and hashlib.sha256(artifacts[name]).hexdigest() != member.sha256:
            raise ArtifactCorruptError(f"{names[name]} is not the artifact of the manifest; it was swapped")


def _origin(text: str) -> Origin:
    facts = object_of(text)
    with suppress(RegistryError, KeyError, TypeError, ValueError):
        origin = Origin(
            version=str(facts["version"]),
            registered_at=str(facts["registered_at"])[:32],
            regimed=str(facts["regimed"])[:32],
        )
        number_of(origin.version)
        return origin
    raise ArtifactRefusedError(f"{ORIGIN} does not say which version this was; export it again")
