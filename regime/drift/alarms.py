"""From readings to alarms: how often a monitor is asked, what repeats, and what stays silent.

Consecutive windows share most of their days, so a monitor that is asked daily asks the same question
many times. A check a week, a repetition before an alert and one alarm for as long as a condition lasts
keep the alarms few enough to be read; that it still lasts is told by the readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from regime.drift.protocol import Level, Reading
from regime.drift.stored import Fact, loaded_date, pack, stored_date, unpack

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

_STATE: Final = "drift_alarms"
_SEVERITY: Final = MappingProxyType({Level.INFO: 1, Level.WARN: 2, Level.ALERT: 3})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """How the readings of one monitor become alarms; days are days with a reading.

    Parameters
    ----------
    check_days
        A reading is looked at this many days after the last one looked at.
    alert_warnings, alert_checks
        A warning becomes an alert when ``alert_warnings`` of the last ``alert_checks`` checks warned;
        0 warnings: never.
    silent_days
        An alarm follows a check of the same or a higher level only after so many days (the refractory
        period), whether that check raised an alarm itself or was silent.
    """

    check_days: int = 1
    alert_warnings: int = 0
    alert_checks: int = 0
    silent_days: int = 21


RULES: Final[Mapping[str, AlarmRule]] = MappingProxyType(
    {
        "feature_range": AlarmRule(),
        "feature_drift": AlarmRule(check_days=5, alert_warnings=2, alert_checks=3),
        "regime_mix": AlarmRule(check_days=5),
        "aggregate_drift": AlarmRule(),
    }
)
"""Weekly checks of statistics over weeks and months, daily ones of statistics of single days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One event: the level to be announced and the reading that led to it."""

    level: Level
    reading: Reading

    def facts(self) -> dict[str, object]:
        """Give the alarm as values that JSON can hold: the reading's, with the alarm's level."""
        return {**self.reading.facts(), "level": self.level.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one monitor; days are counted from its first reading.

    ``checked`` is the day of the last check, ``warned`` the days of the last checks that warned,
    ``held`` the day of the last check at each level.
    """

    date: dt.date
    reference_id: str
    day: int = 1
    checked: int | None = None
    warned: tuple[int, ...] = ()
    held: tuple[tuple[Level, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    """What is remembered of all monitors, by name; empty before the first reading."""

    watches: tuple[tuple[str, Watch], ...] = ()

    def active(self) -> tuple[str, ...]:
        """Give the monitors whose last check warned or alerted, also where the alarm itself was silent."""
        return tuple(
            name
            for name, watch in self.watches
            if any(level in (Level.WARN, Level.ALERT) and day == watch.checked for level, day in watch.held)
        )

    def to_bytes(self) -> bytes:
        """Give the state as bytes, about 1 kB."""
        facts: dict[str, Fact] = {name: _watch_facts(watch) for name, watch in self.watches}
        return pack(_STATE, facts, {})

    @classmethod
    def from_bytes(cls, stored: bytes) -> AlarmState:
        """Give the state that ``to_bytes`` stored."""
        facts, _ = unpack(_STATE, stored)
        named = cast("dict[str, dict[str, Fact]]", facts)
        return cls(watches=tuple((name, _loaded_watch(named[name])) for name in sorted(named)))


def raise_alarms(
    previous: AlarmState, readings: Iterable[Reading], rules: Mapping[str, AlarmRule] = RULES
) -> tuple[AlarmState, tuple[Alarm, ...]]:
    """Give the state after ``readings`` and the alarms they raise, at most one a reading.

    Readings of one monitor come in date order; one that is not later than the last seen of its monitor
    changes nothing. A reading without enough evidence is no check: it neither warns nor clears. A new
    reference forgets earlier warnings, yet not the silence. Monitors without a rule of
    their own are checked daily.

    >>> import datetime as dt
    >>> reading = Reading(
    ...     monitor="feature_range", date=dt.date(2024, 1, 2), level=Level.ALERT, reference_id="a"
    ... )
    >>> state, alarms = raise_alarms(AlarmState(), [reading])
    >>> len(alarms), len(raise_alarms(state, [reading])[1])
    (1, 0)
    """
    watches = dict(previous.watches)
    alarms = []
    for reading in readings:
        last = watches.get(reading.monitor)
        if last is not None and reading.date <= last.date:
            continue
        rule = rules.get(reading.monitor, AlarmRule())
        watch, level = _look(_next_day(last, reading), rule, reading.level)
        watches[reading.monitor] = watch
        if level is not None:
            alarms.append(Alarm(level=level, reading=reading))
    return AlarmState(watches=tuple(sorted(watches.items()))), tuple(alarms)


def _next_day(last: Watch | None, reading: Reading) -> Watch:
    if last is None:
        return Watch(date=reading.date, reference_id=reading.reference_id)
    same = last.reference_id == reading.reference_id
    return Watch(
        date=reading.date,
        reference_id=reading.reference_id,
        day=last.day + 1,
        checked=last.checked,
        warned=last.warned if same else (),
        held=last.held,
    )


def _look(watch: Watch, rule: AlarmRule, level: Level) -> tuple[Watch, Level | None]:
    """Give the watch after today's reading and the level of the alarm it raises, if any."""
    early = watch.checked is not None and watch.day - watch.checked < rule.check_days
    if early or not level.known:
        return watch, None
    memory = rule.alert_checks * rule.check_days
    warned = tuple(day for day in watch.warned if watch.day - day < memory)
    if level is Level.WARN and rule.alert_warnings:
        warned = (*warned, watch.day)
        level = Level.ALERT if len(warned) >= rule.alert_warnings else Level.WARN
    held = dict(watch.held) | ({level: watch.day} if level in _SEVERITY else {})
    after = Watch(
        date=watch.date,
        reference_id=watch.reference_id,
        day=watch.day,
        checked=watch.day,
        warned=warned,
        held=tuple(sorted(held.items())),
    )
    return after, level if level in _SEVERITY and not _silent(watch, rule, level) else None


def _silent(watch: Watch, rule: AlarmRule, level: Level) -> bool:
    return any(
        watch.day - day < rule.silent_days and _SEVERITY[earlier] >= _SEVERITY[level]
        for earlier, day in watch.held
    )


def _watch_facts(watch: Watch) -> dict[str, Fact]:
    return {
        "date": stored_date(watch.date),
        "reference_id": watch.reference_id,
        "day": watch.day,
        "checked": watch.checked,
        "warned": list(watch.warned),
        "held": {level.value: day for level, day in watch.held},
    }


def _loaded_watch(facts: dict[str, Fact]) -> Watch:
    date = loaded_date(facts["date"])
    assert date is not None, "a watch begins with a reading"  # noqa: S101 - wrong code
    held = cast("dict[str, int]", facts["held"])
    return Watch(
        date=date,
        reference_id=str(facts["reference_id"]),
        day=cast("int", facts["day"]),
        checked=cast("int | None", facts["checked"]),
        warned=tuple(cast("list[int]", facts["warned"])),
        held=tuple(sorted((Level(level), day) for level, day in held.items())),
    )
