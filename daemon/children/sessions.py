"""Computes the trading sessions of an exchange calendar.

Job: ``{"calendar": "XNYS", "first": day, "last": day}``; result: ``{"sessions": [day, ...]}``.
"""

from __future__ import annotations

import exchange_calendars


def run(job: dict[str, str]) -> dict[str, object]:
    """Give the session days of a calendar between two days, or as far as the calendar knows them."""
    calendar = exchange_calendars.get_calendar(job["calendar"], start=job["first"], end=job["last"])
    return {"sessions": [day.strftime("%Y-%m-%d") for day in calendar.sessions]}
