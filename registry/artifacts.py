"""Bytes kept under the name of their own hash, so that they cannot change unnoticed.

``blobs/ab/abcd…`` holds what hashes to ``abcd…``. A blob is written beside, synced, renamed, and its
folders synced, before anyone is told its name; so a name that was given is always there, whole, also
after a power cut. Files that begin with ``incoming-`` are what an interrupted writer left; nobody names them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from registry.errors import ArtifactCorruptError, ArtifactMissingError, ArtifactTooLargeError
from registry.types import MemberStatus, StoredArtifact, is_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from registry.types import Manifest

CHUNK_BYTES: Final = 1 << 20
INCOMING: Final = "incoming-"
BLOB_SIZE_MAX_BYTES: Final = 1 << 30
"""A forest of 500 unbounded trees on 10^5 rows takes some 500 MB; more is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobStore:
    """A folder of blobs.

    ``passed`` is told the name of each durable step as it is passed, so that a test can stop there.
    """

    folder: Path
    size_max_bytes: int
    passed: Callable[[str], None]

    def put(self, content: bytes | Path) -> StoredArtifact:
        """Keep bytes, or a copy of a file's bytes; what is there already is kept once.

        Raises
        ------
        ArtifactTooLargeError
            If there are more than ``size_max_bytes``; nothing is kept.
        OSError
            If the file cannot be read, or the disk is full; nothing is kept.
        """
        incoming = self.folder / f"{INCOMING}{os.urandom(8).hex()}"
        try:
            stored = self._write(incoming, _chunks(content))
            self.passed("blob_written")
            self._publish(incoming, stored)
            self.passed("blob_published")
        finally:
            incoming.unlink(missing_ok=True)
        return stored

    def get(self, sha256: str, size_max_bytes: int) -> bytes:
        """Give the bytes of a blob, after checking that they are the right ones.

        Raises
        ------
        ArtifactMissingError
            If there is no such blob.
        ArtifactTooLargeError
            If it is larger than ``size_max_bytes``; it is not read.
        ArtifactCorruptError
            If its bytes do not hash to its name.
        """
        with self._opened(sha256) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > size_max_bytes:
                raise ArtifactTooLargeError(
                    f"artifact {sha256} has {size} bytes, allowed are {size_max_bytes}"
                )
            content = b"".join(_read(descriptor, size + 1))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ArtifactCorruptError(
                f"artifact {sha256} was changed or damaged; restore the file from a backup or train again"
            )
        return content

    def problem(self, stored: StoredArtifact) -> str | None:
        """Tell what is wrong with a blob, ``None`` if nothing is; reads it in small pieces."""
        try:
            with self._opened(stored.sha256) as descriptor:
                size = os.fstat(descriptor).st_size
                if size != stored.size_bytes:
                    return f"has {size} bytes instead of {stored.size_bytes}"
                digest = hashlib.sha256()
                for chunk in _read(descriptor, size):
                    digest.update(chunk)
        except (ArtifactMissingError, OSError) as error:
            return str(error)
        return None if digest.hexdigest() == stored.sha256 else "has other bytes than its name says"

    def holds(self, stored: StoredArtifact) -> bool:
        """Tell whether a blob is there with the size it should have; its bytes are not read."""
        try:
            found = self._path(stored.sha256).lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == stored.size_bytes

    def remove(self, sha256: str) -> None:
        """Remove a blob that nothing names; one that comes back after a power cut is removed by the next."""
        self._path(sha256).unlink(missing_ok=True)
        self.passed("blob_removed")

    def remove_leftovers(self, before_s: float) -> int:
        """Remove what writers left that were killed before a POSIX time, and give how many bytes it was."""
        size = 0
        for path in self.folder.glob(f"{INCOMING}*"):
            found = path.lstat()
            if found.st_mtime < before_s:
                path.unlink(missing_ok=True)
                size += found.st_size
        return size

    def all(self) -> Iterator[StoredArtifact]:
        """Give every blob in the folder as its name and its present size claim it to be."""
        for path in sorted(self.folder.glob("??/*")):
            yield StoredArtifact(sha256=path.name, size_bytes=path.lstat().st_size)

    def _write(self, path: Path, chunks: Iterable[bytes]) -> StoredArtifact:
        digest, size = hashlib.sha256(), 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > self.size_max_bytes:
                    raise ArtifactTooLargeError(f"more than {self.size_max_bytes} bytes for one artifact")
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return StoredArtifact(sha256=digest.hexdigest(), size_bytes=size)

    def _publish(self, incoming: Path, stored: StoredArtifact) -> None:
        """Give the file its name; sync the folders in any case, as an earlier writer may have been killed."""
        target = self._path(stored.sha256)
        target.parent.mkdir(exist_ok=True)
        # Renaming over an equal file is harmless, and mends one that was damaged.
        incoming.rename(target)
        sync_folder(target.parent)
        sync_folder(self.folder)

    @contextmanager
    def _opened(self, sha256: str) -> Iterator[int]:
        path = self._path(sha256)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ArtifactMissingError(
                f"artifact {sha256} is missing; restore blobs/ from a backup or train again"
            ) from error
        except OSError as error:
            raise ArtifactCorruptError(f"artifact {sha256} cannot be read: {error}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ArtifactCorruptError(f"artifact {sha256} is no regular file; remove it and train again")
            yield descriptor
        finally:
            os.close(descriptor)

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ArtifactMissingError(f"{sha256!r} is no sha256, so no artifact has that name")
        return self.folder / sha256[:2] / sha256


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _read(descriptor: int, size_max_bytes: int) -> Iterator[bytes]:
    left = size_max_bytes
    while left > 0 and (chunk := os.read(descriptor, min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_artifacts(
    blobs: BlobStore, manifest: Manifest, artifacts: Mapping[str, bytes | Path]
) -> dict[str, StoredArtifact]:
    """Keep all artifacts of a version, whose fitted members must be those of its manifest.

    Raises
    ------
    ArtifactMissingError, ArtifactCorruptError
        If a fitted member has no artifact, or its bytes are not those of the manifest.
    """
    wanted = {
        name: member.sha256
        for name, member in manifest.members.items()
        if member.status is MemberStatus.FITTED
    }
    if missing := sorted(wanted.keys() - artifacts.keys()):
        raise ArtifactMissingError(f"no artifact is given for the fitted members {', '.join(missing)}")
    stored = {name: blobs.put(content) for name, content in artifacts.items()}
    for name, sha256 in wanted.items():
        if stored[name].sha256 != sha256:
            raise ArtifactCorruptError(
                f"the artifact of {name} is {stored[name].sha256}, its manifest says {sha256};"
                " it was changed or swapped after training, train again"
            )
    return stored


def keep_missing(
    blobs: BlobStore, artifacts: Mapping[str, bytes | Path], stored: Mapping[str, StoredArtifact]
) -> None:
    """Keep again what a prune removed before a row named it; the caller holds the lock that prunes take."""
    for name, artifact in stored.items():
        if not blobs.holds(artifact):
            blobs.put(artifacts[name])
