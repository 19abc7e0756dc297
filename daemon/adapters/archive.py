"""The folder of the rare-event archive: for each event one parquet file and its manifest.

A manifest is written last and names the sha256 of its parquet, so that half a publication, a changed file
and a foreign one can be told apart. Publishing writes the new manifest under a hidden name first: whoever
is killed in between has left behind what the next one needs to finish.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daemon.errors import DaemonError
from daemon.files import fsync_folder, write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self

SCHEMA: Final = 1
PREFIX: Final = "event_"


class ArchiveRefusedError(DaemonError):
    """A file of the archive is not what its manifest says, or has none."""


class Refusal(NamedTuple):
    """A file of the folder that is not used, and why, with the remedy."""

    file: str
    sentence: str


class Manifest(NamedTuple):
    """What is known of an event's parquet without opening it; days are ISO days.

    ``inputs_sha256`` is of the bars, index, fear and labels that went in, ``sha256`` of the parquet.
    ``data_version`` is ``None`` for an archive made from files.
    """

    event: str
    origin: str
    first_day: str
    last_day: str
    nominal_regime: str
    weight: float
    rows: int
    symbols: list[str]
    first_sample_day: str
    last_sample_day: str
    label_counts: Mapping[str, int]
    class_counts: Mapping[str, int]
    left_out: Mapping[str, int]
    features: int
    catalogue_version: str
    catalogue_hash: str
    target: Mapping[str, Any]
    labeler: str
    data_version: int | None
    inputs_sha256: str
    sha256: str
    size_bytes: int

    def to_json(self) -> str:
        """Give the manifest as it is stored."""
        return json.dumps({"schema": SCHEMA, **self._asdict()}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored manifest.

        Raises
        ------
        ValueError
            If it is none.
        """
        fields = json.loads(text)
        if not isinstance(fields, dict) or fields.pop("schema", None) != SCHEMA:
            raise ValueError("it has not the schema of a manifest")
        if set(fields) != set(cls._fields):
            odd = sorted(set(fields) ^ set(cls._fields))
            raise ValueError(f"it lacks or has beside the right fields: {', '.join(odd)}")
        return cls(**fields)


class ArchiveFolder:
    """Publishes events, and refuses what is not as it was published.

    Readers need no lock: a parquet that is being replaced fails its checksum for a moment, unless it is read
    through ``read``, which looks again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to publish; waits for whoever has it. The kernel frees it however one ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._finish_interrupted()
            yield
        finally:
            os.close(descriptor)

    def parquet(self, event: str) -> Path:
        """Give the path of an event's samples."""
        return self.folder / f"{PREFIX}{event}.parquet"

    def manifest_file(self, event: str) -> Path:
        """Give the path of an event's manifest."""
        return self.folder / f"{PREFIX}{event}.json"

    def events(self) -> tuple[str, ...]:
        """Give the ids of the events that have a manifest, sorted."""
        found = sorted(self.folder.glob(f"{PREFIX}*.json")) if self.folder.is_dir() else []
        return tuple(path.name.removeprefix(PREFIX).removesuffix(".json") for path in found)

    def manifest(self, event: str) -> Manifest | None:
        """Give the manifest of an event, ``None`` if it was not built.

        Raises
        ------
        ArchiveRefusedError
            If it cannot be read or is of another event.
        """
        path = self.manifest_file(event)
        try:
            manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ArchiveRefusedError(
                f"{path.name} is no manifest: {error}; move it and its parquet away, then: {_rebuild(event)}"
            ) from error
        if manifest.event != event:
            raise ArchiveRefusedError(
                f"{path.name} is the manifest of {manifest.event}; move it away, then: {_rebuild(event)}"
            )
        return manifest

    def publish(self, content: bytes, manifest: Manifest) -> None:
        """Put an event's samples and manifest in place; whoever reads sees the old pair or the new one."""
        event = manifest.event
        write_durably(self._next(event), manifest.to_json().encode())
        write_durably(self.parquet(event), content)
        self._next(event).replace(self.manifest_file(event))
        fsync_folder(self.folder)

    def remove(self, event: str) -> bool:
        """Remove an event, manifest first; tell whether anything was there."""
        paths = (self._next(event), self.manifest_file(event), self.parquet(event))
        found = [path for path in paths if path.exists()]
        for path in found:
            path.unlink(missing_ok=True)
        if found:
            fsync_folder(self.folder)
        return bool(found)

    def read(self, event: str) -> tuple[bytes, Manifest]:
        """Give an event's samples as bytes of their parquet, checked against its manifest.

        Raises
        ------
        ArchiveRefusedError
            If it was not built, has changed since, or cannot be read.
        """
        manifest = self.manifest(event)
        if manifest is None:
            raise ArchiveRefusedError(f"{event} is not built; {_rebuild(event)}")
        content = self._content(event)
        if _sha256(content) != manifest.sha256:
            manifest = self.manifest(event)  # it may have been replaced between the two
            content = self._content(event)
        if manifest is None or _sha256(content) != manifest.sha256:
            manifest = self._upcoming(event)  # whoever replaced it was killed before the manifest's turn
        if manifest is None or _sha256(content) != manifest.sha256:
            raise ArchiveRefusedError(self._changed(event))
        return content, manifest

    def refusals(self) -> tuple[Refusal, ...]:
        """Give every file of the folder that is not as it was published, with the remedy."""
        if not self.folder.is_dir():
            return ()
        found = []
        for path in sorted(self.folder.iterdir()):
            sentence = None if _is_ours(path.name) else self._fault(path)
            if sentence is not None:
                found.append(Refusal(file=path.name, sentence=sentence))
        return tuple(found)

    def _fault(self, path: Path) -> str | None:
        """Say what is wrong with a file of the folder, ``None`` if nothing."""
        event = path.stem.removeprefix(PREFIX)
        is_named = path.name.startswith(PREFIX) and path.suffix in {".parquet", ".json"}
        if not is_named or path.is_symlink() or not path.is_file():
            return f"{path.name} does not belong into the archive; move it away"
        if self._is_half_published(event):
            return None  # whoever publishes next finishes it
        if path.suffix == ".json":
            return self._manifest_fault(event)
        if not self.manifest_file(event).exists():
            return (
                f"{path.name} has no manifest: it was not built here; move it away, then: {_rebuild(event)}"
            )
        return self._parquet_fault(event)

    def _manifest_fault(self, event: str) -> str | None:
        try:
            self.manifest(event)
        except ArchiveRefusedError as error:
            return str(error)
        return None if self.parquet(event).is_file() else self._without(event)

    def _parquet_fault(self, event: str) -> str | None:
        if self._manifest_fault(event) is not None:
            return None  # told of the manifest
        try:
            self.read(event)
        except ArchiveRefusedError as error:
            return str(error)
        return None

    def _content(self, event: str) -> bytes:
        try:
            return self.parquet(event).read_bytes()
        except FileNotFoundError as error:
            raise ArchiveRefusedError(self._without(event)) from error

    def _without(self, event: str) -> str:
        return f"{self.manifest_file(event).name} has lost its parquet; move it away, then: {_rebuild(event)}"

    def _changed(self, event: str) -> str:
        return (
            f"{self.parquet(event).name} is not what its manifest says: it was changed or damaged;"
            f" move both away, then: {_rebuild(event)}"
        )

    def _next(self, event: str) -> Path:
        return self.folder / f".{PREFIX}{event}.json.next"

    def _is_half_published(self, event: str) -> bool:
        """Tell whether the parquet in place is one whose manifest only waits for its name."""
        upcoming = self._upcoming(event)
        try:
            return upcoming is not None and _sha256(self.parquet(event).read_bytes()) == upcoming.sha256
        except FileNotFoundError:
            return False

    def _upcoming(self, event: str) -> Manifest | None:
        """Give the manifest that waits for its name, ``None`` if there is none or only half of it."""
        try:
            return Manifest.from_json(self._next(event).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _finish_interrupted(self) -> None:
        """Finish or undo what a killed publisher left; nobody else publishes meanwhile."""
        for path in sorted(self.folder.glob(f".{PREFIX}*.json.next")):
            event = path.name.removeprefix(f".{PREFIX}").removesuffix(".json.next")
            if self._is_half_published(event):
                path.replace(self.manifest_file(event))
            else:
                path.unlink()
        for path in self.folder.glob(".*.tmp"):
            if _is_ours(path.name):
                path.unlink()
        fsync_folder(self.folder)


def _is_ours(name: str) -> bool:
    """Tell whether a hidden file is one that publishing makes."""
    is_scratch = name.startswith((f".{PREFIX}", f"..{PREFIX}"))
    return name == ".lock" or (is_scratch and name.endswith((".next", ".tmp")))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _rebuild(event: str) -> str:
    return f"regimed archive build --event {event}"
