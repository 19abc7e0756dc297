"""Durable files: written beside, flushed to the disk, renamed, and the folder flushed too."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from daemon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that a reader, also after a power cut, sees the old content or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    fsync_folder(path.parent)


def write_folder_durably(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files that is there whole or not at all; names may have folders in them.

    Raises
    ------
    UsageError
        If something other than an empty folder is there already, or its parent is no folder.
    """
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is not a folder; make it first")
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    beside.mkdir()
    try:
        for name, content in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        _publish(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _publish(beside: Path, target: Path) -> None:
    """Give the folder its name; the kernel itself refuses to put it over anything but an empty folder."""
    fsync_folder(beside)
    try:
        beside.rename(target)
    except OSError as error:
        if target.is_symlink() or target.exists():
            raise UsageError(f"{target} is not an empty folder; give the name of a new one") from error
        raise
    fsync_folder(target.parent)
