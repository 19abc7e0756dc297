"""What cannot be in well-formed settings: times that are none, values that contradict others."""

from __future__ import annotations

import json
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.markets import clashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.label_settings import LabelsSettings
    from daemon.settings import Settings


def contradictions_of(settings: Settings) -> list[str]:
    """Give a fault for each value that cannot be, or that cannot stand beside another."""
    checks: tuple[tuple[str, str, Callable[[str], object], str], ...] = (
        ("schedule.time", settings.schedule.time, time.fromisoformat, "must be a time HH:MM"),
        ("schedule.timezone", settings.schedule.timezone, ZoneInfo, "must be an IANA time zone"),
        *(
            (f"feeds.{name}.start_day", feed.start_day, _iso_day, "must be an ISO date")
            for name, feed in settings.feeds.items()
        ),
    )
    faults = []
    for key, value, read, wanted in checks:
        try:
            read(value)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            faults.append(f'{key} = "{value}": {wanted}')
    if settings.training.quorum > len(settings.training.models):
        faults.append(
            f"training.quorum = {settings.training.quorum}: must be at most the number of models,"
            f" {len(settings.training.models)}"
        )
    if len(set(settings.training.models)) < len(settings.training.models):
        faults.append(f"training.models = {json.dumps(settings.training.models)}: name each model once")
    if urlsplit(settings.mirror.mlflow_uri).password:
        faults.append(
            "mirror.mlflow_uri: holds a password, which would be shown; set MLFLOW_TRACKING_USERNAME and"
            " MLFLOW_TRACKING_PASSWORD for the daemon instead"
        )
    if settings.training.backend == "dask" and not settings.training.address:
        faults.append('training.address = "": name the scheduler, such as "tcp://10.0.0.1:8786"')
    if not settings.training.models:
        faults.append("training.models = []: name at least one model")
    faults.extend(_disorders(settings.labels))
    fears = {market.fear for market in settings.markets.values()}
    faults.extend(
        f'markets.{name}.index = "{market.index}": is empty or the fear index of a market'
        for name, market in settings.markets.items()
        if not market.index or market.index in fears
    )
    return faults + _clashes_of_markets(settings)


def _clashes_of_markets(settings: Settings) -> list[str]:
    return [
        f'markets.{clash.market}: "{clash.claim}" has {clash.symbol} in common with "{clash.other_claim}" of'
        f" markets.{clash.other}; a symbol belongs to one market"
        for clash in clashes(settings.markets)
    ]


def _disorders(labels: LabelsSettings) -> list[str]:
    """Give a fault for each pair of label constants that stands in the wrong order."""
    pairs = (
        (labels.rules, "rules", ("low_in", "low_out", "high_out", "high_in", "crash_in")),
        (labels.rules, "rules", ("high_out", "crash_out", "crash_in")),
        (labels.reference, "reference", ("low_below", "high_above", "crash_above")),
        (labels.drop, "drop", ("returns_min", "window_days")),
    )
    return [
        f"labels.{table}.{low} = {getattr(part, low):g}: must be at most {high}, {getattr(part, high):g}"
        for part, table, keys in pairs
        for low, high in pairwise(keys)
        if getattr(part, low) > getattr(part, high)
    ]


def _iso_day(text: str) -> None:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError("basic and week dates are ISO dates too, but not as numpy reads them")
