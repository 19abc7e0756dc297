"""Refused files, kept beside the reason why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.files import write_durably

if TYPE_CHECKING:
    from pathlib import Path

REASON_SUFFIX: Final = ".reason.json"
NAME_BYTES_MAX: Final = 200
"""File systems allow 255; a hash, the suffix of the reason and that of a file being written are added."""


class QuarantinedFile(NamedTuple):
    """A refused file and its reason; ``at`` is ISO UTC."""

    file: str
    name: str
    sha256: str
    code: str
    sentence: str
    at: str


class Quarantine:
    """Keeps refused files in a folder, each with ``FILE.reason.json`` beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, staged: Path, *, name: str, sha256: str, code: str, sentence: str, at: str) -> None:
        """Copy a staged file here under its own name, or with its hash if that name is taken by another."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._free_name(_safe(name), sha256)
        if staged.exists():
            beside = self._folder / f".{sha256}.tmp"
            beside.write_bytes(staged.read_bytes())
            beside.replace(self._folder / file)
        entry = QuarantinedFile(file=file, name=name, sha256=sha256, code=code, sentence=sentence, at=at)
        text = json.dumps(entry._asdict(), indent=1, ensure_ascii=False)
        write_durably(self._folder / (file + REASON_SUFFIX), text.encode())

    def entries(self) -> tuple[QuarantinedFile, ...]:
        """Give what is in quarantine, by file name."""
        if not self._folder.is_dir():
            return ()
        return tuple(_read(path) for path in sorted(self._folder.glob("*" + REASON_SUFFIX)))

    def drop(self, file: str) -> bool:
        """Forget a refused file; tell whether it was there."""
        reason = self._folder / (file + REASON_SUFFIX)
        if "/" in file or not reason.exists():
            return False
        (self._folder / file).unlink(missing_ok=True)
        reason.unlink()
        return True

    def forget(self, sha256: str) -> None:
        """Drop whatever has these bytes: they were taken in after all."""
        for entry in self.entries():
            if entry.sha256 == sha256:
                self.drop(entry.file)

    def _free_name(self, name: str, sha256: str) -> str:
        reason = self._folder / (name + REASON_SUFFIX)
        if not reason.exists() or _read(reason).sha256 == sha256:
            return name
        stem, dot, suffix = name.rpartition(".")
        return f"{stem}.{sha256[:8]}.{suffix}" if dot else f"{name}.{sha256[:8]}"


def _safe(name: str) -> str:
    """Give a name that is no path, is not taken for a reason, and leaves room for suffixes.

    >>> _safe("../spy.csv"), _safe("spy.reason.json")
    ('.._spy.csv', 'spy.reason_json')
    """
    flat = name.replace("/", "_").replace(REASON_SUFFIX, ".reason_json")
    return flat.encode()[:NAME_BYTES_MAX].decode("utf-8", "ignore")


def _read(reason: Path) -> QuarantinedFile:
    return QuarantinedFile(**json.loads(reason.read_text(encoding="utf-8")))
