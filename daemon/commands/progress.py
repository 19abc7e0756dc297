"""How far a run is, as facts and as a bar."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daemon.layout import Layout

BAR_WIDTH: Final = 30


def progress_of(layout: Layout, run_id: str) -> dict[str, Any] | None:
    """Give how far a run is: done, total and what, or ``None`` before it said anything."""
    try:
        said = json.loads((layout.run(run_id) / "progress.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    done, total, what = said["progress"]
    return {"done": done, "total": total, "what": what, "at": said["at"]}


def bar(done: int, total: int, what: str) -> str:
    """Give a progress bar as text.

    >>> bar(1, 2, "xgboost")
    '███████████████░░░░░░░░░░░░░░░ 1/2 xgboost'
    """
    filled = round(BAR_WIDTH * done / max(total, 1))
    return f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {done}/{total} {what}"
