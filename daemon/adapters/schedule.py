"""APScheduler as a tick: it only says that it is time to look; the journal decides what is due."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S: Final = 60


class Ticker:
    """Calls ``tick`` from a thread, once a minute, however late an earlier call was."""

    def __init__(self, tick: Callable[[], None], every_s: float = TICK_S) -> None:
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_job(
            tick, "interval", seconds=every_s, misfire_grace_time=None, coalesce=True, max_instances=1
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=False)
