"""How far a run is, as facts and as a bar."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.layout import Layout

BAR_WIDTH: Final = 30


def progress_of(layout: Layout, run_id: str) -> dict[str, Any] | None:
    """Give how far a run is: done, total, what, when, and how many seconds were left then.

    ``None`` before it said anything; the seconds are ``None`` while it has no pace.
    """
    try:
        said = json.loads((layout.run(run_id) / "progress.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    done, total, what = said["progress"]
    return {"done": done, "total": total, "what": what, "at": said["at"], "left_s": said.get("left_s")}


def bar(done: int, total: int, what: str) -> str:
    """Give a progress bar as text.

    >>> bar(1, 2, "xgboost")
    '███████████████░░░░░░░░░░░░░░░ 1/2 xgboost'
    """
    filled = round(BAR_WIDTH * done / max(total, 1))
    return f"{'█' * filled}{'░' * (BAR_WIDTH - filled)} {done}/{total} {what}"


def times(progress: Mapping[str, Any], opened_at: str, now: datetime) -> str:
    """Give how long a run has taken, and how long it may still take, as far as it has told.

    >>> times({"done": 1, "total": 3, "left_s": 300.0, "at": "2024-01-01T00:10:00+00:00"},
    ...       "2024-01-01T00:00:00+00:00", datetime.fromisoformat("2024-01-01T00:11:00+00:00"))
    '11 min, about 4 min left'
    """
    taken = span((now - datetime.fromisoformat(opened_at)).total_seconds())
    if progress["left_s"] is None:
        return f"{taken}, time left unknown"
    left_s = progress["left_s"] - (now - datetime.fromisoformat(progress["at"])).total_seconds()
    return f"{taken}, about {span(left_s)} left"


def span(seconds: float) -> str:
    """Give a length of time in one or two units; what is below 0 is over.

    >>> span(59.4), span(90), span(3 * 3600 + 125), span(-1)
    ('59 s', '1 min', '3 h 2 min', '0 s')
    """
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours > 0:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes > 0 else f"{max(0, int(seconds))} s"
