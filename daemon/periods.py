"""What the schedule makes due, as messages with the keys of their slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.messages import FeedPollDue, RetrainDue
from daemon.slots import last_slot, poll_slot

if TYPE_CHECKING:
    from datetime import datetime

    from daemon.messages import Message
    from daemon.settings import Settings


def due_messages(settings: Settings, *, installed_at: datetime, now: datetime) -> tuple[Message, ...]:
    """Give what is due; asking again gives the same keys, so that nothing happens twice.

    Only the latest missed retraining slot is given, and none before the daemon was first started.
    """
    due: list[Message] = []
    if settings.schedule.enabled:
        slot = last_slot(settings.schedule, now)
        if slot > installed_at:
            due.append(RetrainDue(trigger="schedule", period=slot.isoformat()))
    due += [
        FeedPollDue(feed=name, slot=poll_slot(feed, now).isoformat())
        for name, feed in settings.feeds.items()
        if feed.enabled
    ]
    return tuple(due)
