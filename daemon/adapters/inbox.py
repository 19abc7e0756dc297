"""Files in: events are hints, a scan is the truth, and a file is read only once it is whole.

A file is taken when it is a regular, visible file whose size and time stood still for two looks and that
no process has open for writing. It is copied to the state folder while it is hashed, so that what is
parsed is what was hashed. A file in the inbox is removed only after the journal has acknowledged it;
a watched archive folder is never changed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.errors import DaemonError
from daemon.files import fsync_folder
from daemon.layout import IGNORED_SUFFIXES
from daemon.ports import FoundFile
from daemon.records import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.ports import Clock
    from daemon.settings import WatchSettings

CHUNK_BYTES: Final = 1 << 20
LOOK_AGAIN_S: Final = 0.05
"""Between two looks at a file that stood still and is not whole, such as one that is being written."""

PARQUET_MAGIC: Final = b"PAR1"
INCOMPLETE_WAIT_S: Final = 5.0
"""A parquet file without its closing magic is waited for this long, then taken as it is (and refused)."""

UNENDED_WAIT_S: Final = 0.25
"""A text whose last line has no end may be half written by a program that opens it for each piece."""

UNCERTAIN_WAIT_S: Final = 2.0
"""How long a file must stand still where the kernel cannot tell whether somebody is writing it."""

Look = tuple[int, int, int]
"""Size, modification time in ns, inode: what must stand still."""


class FileUnreadableError(DaemonError):
    """The bytes of a file cannot be read."""


@dataclass(slots=True)
class _Seen:
    look: Look
    since_s: float


@dataclass(slots=True)
class _Watched:
    """What was seen of one root folder."""

    root: Path
    removable: bool
    young: dict[Path, _Seen] = field(default_factory=dict)
    taken: dict[Path, Look] = field(default_factory=dict)
    complained: set[Path] = field(default_factory=set)

    def forget(self, present: set[Path]) -> None:
        """Forget the files that are gone."""
        for gone in (self.young.keys() | self.taken.keys()) - present:
            self.young.pop(gone, None)
            self.taken.pop(gone, None)
            self.complained.discard(gone)


class Inbox:
    """Finds whole files in the inbox and in archive folders.

    Parameters
    ----------
    inbox
        The folder whose files are removed once taken.
    archive
        Folders that are only read.
    staging
        Where copies are kept, named by their sha256.
    """

    def __init__(
        self,
        *,
        inbox: Path,
        archive: Sequence[Path],
        staging: Path,
        clock: Clock,
        settings: WatchSettings,
        file_bytes_max: int,
    ) -> None:
        self._roots = [_Watched(inbox.resolve(), removable=True)]
        self._roots += [_Watched(folder.resolve(), removable=False) for folder in archive]
        self._staging = staging
        self._clock = clock
        self._settings = settings
        self._file_bytes_max = file_bytes_max
        self._complaints: list[Event] = []
        staging.mkdir(parents=True, exist_ok=True)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that are looked at, symbolic links resolved."""
        return tuple(root.root for root in self._roots)

    def has_young(self) -> bool:
        """Tell whether a file was seen that is not yet whole, so that another look is due soon."""
        return any(root.young.keys() - root.complained for root in self._roots)

    def patience_s(self) -> float:
        """Give how long to wait before young files are looked at again."""
        still_s = self._settings.still_ms / 1000
        now_s = self._clock.monotonic_s()
        is_new = any(now_s - seen.since_s < still_s for root in self._roots for seen in root.young.values())
        return still_s if is_new else max(still_s, LOOK_AGAIN_S)

    def collect(self) -> tuple[tuple[FoundFile, ...], tuple[Event, ...]]:
        """Look once; give the files that are whole, at most a batch, and what could not be read."""
        found: list[FoundFile] = []
        events, self._complaints = self._complaints, []
        for root in self._roots:
            present: set[Path] = set()
            for path, status in _walk(root, events):
                present.add(path)
                if len(found) < self._settings.batch_max and self._is_whole(root, path, status):
                    taken = self._take(root, path, events)
                    found += [taken] if taken else []
            root.forget(present)
        return tuple(found), tuple(events)

    def release(self, file: FoundFile) -> None:
        """Let go of a file that the journal has acknowledged: remove it from the inbox if unchanged.

        One that was not copied, or that cannot be removed, stays where it is and is not looked at again.
        """
        root = next(root for root in self._roots if file.path.is_relative_to(root.root))
        root.young.pop(file.path, None)
        if not file.removable:
            root.taken[file.path] = file.look
            return
        try:
            if _look(file.path.lstat()) == file.look:
                file.path.unlink()
                fsync_folder(file.path.parent)
        except FileNotFoundError:
            return  # somebody else removed it
        except OSError as error:
            root.taken[file.path] = file.look
            _complain(root, file.path, f"it cannot be removed: {error.strerror}", self._complaints)

    def _is_whole(self, root: _Watched, path: Path, status: os.stat_result) -> bool:
        look = _look(status)
        if root.taken.get(path) == look:
            return False
        now_s = self._clock.monotonic_s()
        seen = root.young.get(path)
        if seen is None or seen.look != look:
            root.young[path] = _Seen(look, now_s)
            root.complained.discard(path)
            return False
        age_s = now_s - seen.since_s
        if age_s * 1000 < self._settings.still_ms:
            return False
        return age_s >= _least_age_s(path)

    def _take(self, root: _Watched, path: Path, events: list[Event]) -> FoundFile | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            _complain(root, path, error.strerror or str(error), events)
            return None
        try:
            written = _is_being_written(descriptor)
            if written or (written is None and not self._stood_long(root, path)):
                return None
            before = _look(os.fstat(descriptor))
            is_too_large = before[0] > self._file_bytes_max
            if is_too_large:
                sha256 = hashlib.sha256(f"{path.name}:{before}".encode(errors="replace")).hexdigest()
            else:
                sha256 = self._copy(descriptor)
            if _look(os.fstat(descriptor)) != before:
                return None
        except FileUnreadableError as error:
            _complain(root, path, str(error), events)
            return None
        finally:
            os.close(descriptor)
        return FoundFile(
            path=path,
            name=printable(path.name),
            sha256=sha256,
            size_bytes=before[0],
            removable=root.removable and not is_too_large,
            look=before,
        )

    def _stood_long(self, root: _Watched, path: Path) -> bool:
        seen = root.young.get(path)
        return seen is None or self._clock.monotonic_s() - seen.since_s >= UNCERTAIN_WAIT_S

    def _copy(self, source: int) -> str:
        beside = self._staging / ".incoming"
        digest = hashlib.sha256()
        with beside.open("wb") as copy:
            for chunk in _chunks(source):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        name = digest.hexdigest()
        beside.replace(self._staging / name)
        fsync_folder(self._staging)
        return name


def _chunks(source: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(source, CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise FileUnreadableError(f"it cannot be read: {error.strerror}") from error


def printable(name: str) -> str:
    r"""Give a file name in which control characters and undecodable bytes are written out.

    >>> printable("a\nb.csv")
    'a\\nb.csv'
    """
    decoded = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in decoded)


def _walk(root: _Watched, events: list[Event]) -> Iterator[tuple[Path, os.stat_result]]:
    def unreadable(error: OSError) -> None:
        _complain(root, root.root / (error.filename or ""), error.strerror or str(error), events)

    for folder, folders, names in os.walk(root.root, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in folders):
            if path.is_symlink():
                _complain(root, path, "it is a link to a folder, which is not followed", events)
        for name in sorted(names):
            if name.startswith(".") or name.lower().endswith(IGNORED_SUFFIXES):
                continue
            path = Path(folder, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                _complain(root, path, error.strerror or str(error), events)
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status
            else:
                _complain(root, path, "it is not a regular file", events)


def _complain(root: _Watched, path: Path, reason: str, events: list[Event]) -> None:
    """Say once what cannot be read."""
    if path not in root.complained:
        root.complained.add(path)
        events.append(Event(name="watch.unreadable", fields={"path": printable(str(path)), "reason": reason}))


def _look(status: os.stat_result) -> Look:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _least_age_s(path: Path) -> float:
    """Give how long a file must stand still by what its end says."""
    if path.suffix == ".parquet":
        return 0.0 if _has_magic(path) else INCOMPLETE_WAIT_S
    return 0.0 if _ends_in_newline(path) else UNENDED_WAIT_S


def _ends_in_newline(path: Path) -> bool:
    return _end_of(path, 1) == b"\n"


def _has_magic(path: Path) -> bool:
    start, end = _end_of(path, len(PARQUET_MAGIC), whence=os.SEEK_SET), _end_of(path, len(PARQUET_MAGIC))
    return start != PARQUET_MAGIC or end == PARQUET_MAGIC  # not parquet at all: the formats will say so


def _end_of(path: Path, count: int, *, whence: int = os.SEEK_END) -> bytes:
    """Give the last bytes of a file, or the first ones; nothing if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        os.lseek(descriptor, -count if whence == os.SEEK_END else 0, whence)
        return os.read(descriptor, count)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _is_being_written(descriptor: int) -> bool | None:
    """Tell whether a process has the file open for writing; ``None`` where the kernel cannot tell.

    A read lease is granted only if nobody has. A file system without leases, and the kernel for a file of
    another user, answer with another error.
    """
    # Whoever opens the file for writing meanwhile makes the kernel send a signal, by default one that kills.
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
