"""Giving memory back: allocators keep what a large file needed for a moment, an idle daemon need not."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa


def give_back_memory() -> None:
    """Return freed memory to the system."""
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError):  # the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)
