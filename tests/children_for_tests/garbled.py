"""A child that does not speak as it should: it prints the bytes that its job tells, so many times."""

from __future__ import annotations

import os
import sys
from typing import Any


def run(job: dict[str, Any]) -> None:
    """Print, complain, and end without a result."""
    assert sys.__stdout__ is not None
    for _ in range(job["times"]):
        sys.__stdout__.buffer.write(job["bytes"].encode("latin-1"))
    sys.__stdout__.buffer.flush()
    sys.stderr.write(job["complaint"])
    sys.stderr.flush()
    os._exit(0)
