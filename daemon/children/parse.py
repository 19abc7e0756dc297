"""Parses one large file under limits.

Result: ``{"part": name, "format": format}`` of a part in the bar store, or ``{"code", "sentence"}`` of
the refusal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.adapters.bar_store import ParquetBarStore
from daemon.formats import FileRejectedError, read_bars


def run(job: dict[str, Any]) -> dict[str, object]:
    """Parse the file of a job into a part."""
    store = ParquetBarStore(Path(job["bars"]))
    limits = {name: job[name] for name in ("bytes_max", "rows_max", "bytes_decoded_max")}
    try:
        parsed = read_bars(Path(job["path"]), name=job["name"], symbols=job["symbols"], **limits)
    except FileRejectedError as error:
        return {"code": error.code, "sentence": str(error)}
    return {"part": store.write_part(parsed.bars), "format": parsed.format}
