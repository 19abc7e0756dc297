"""A full disk is no fault of the work: it is told apart, so that the work can wait for room."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def disk_full_is_told() -> Iterator[None]:
    """Raise ``DiskFullError`` for whatever a library raises when there is no room to write."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise DiskFullError(f"a database cannot be written ({error}); make room on its disk") from error
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(
                f"{error.filename or 'a file'} cannot be written: {error.strerror}"
            ) from error
        raise
