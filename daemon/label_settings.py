"""The settings of regime labels: which labeler, and every constant of those that ship."""

from __future__ import annotations

from dataclasses import dataclass, field

from daemon import own
from daemon.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSettings:
    """The constants of the labeler ``rules``; another value is another version of it."""

    crash_in: float = setting(35.0, "fear above which a crash begins, in VIX points", low=1, high=200)
    crash_out: float = setting(28.0, "fear below which a crash may end, in VIX points", low=1, high=200)
    high_in: float = setting(
        25.0, "fear above which high_volatility is asked for, in VIX points", low=1, high=200
    )
    high_out: float = setting(22.0, "fear down to which it is held, in VIX points", low=1, high=200)
    low_in: float = setting(
        14.0, "fear below which low_volatility is asked for, in VIX points", low=1, high=200
    )
    low_out: float = setting(16.0, "fear up to which it is held, in VIX points", low=1, high=200)
    dwell_days: int = setting(
        5, "sessions that a regime is held at least after its first; a crash interrupts", low=0, high=252
    )
    confirm_days: int = setting(
        3, "sessions running that must ask for a regime other than crash", low=1, high=252
    )
    recovery_rise: float = setting(
        0.15, "rise of the close off the trough of a crash for a recovery, as a share", low=0.01, high=2
    )
    recovery_fear_share: float = setting(
        0.70, "a recovery needs fear at or below this share of its peak in the crash", low=0.05, high=1
    )
    recovery_fear_max: float = setting(45.0, "and at or below this, in VIX points", low=1, high=200)
    recovery_low_age_days: int = setting(
        5, "and sessions since the last new low of the crash", low=0, high=252
    )
    recovery_out: float = setting(20.0, "fear below which a recovery is over, in VIX points", low=1, high=200)
    recovery_days_max: int = setting(
        126, "sessions after which a recovery is over in any case", low=1, high=1260
    )
    relapse_share: float = setting(
        1.25,
        "fear above crash_in and above this share of the fear at its start ends a recovery in a crash",
        low=1,
        high=10,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSettings:
    """The constants of the labeler ``reference``; another value is another version of it."""

    crash_above: float = setting(35.0, "fear above which a day is a crash, in VIX points", low=1, high=200)
    high_above: float = setting(
        25.0, "fear above which a day is high_volatility, in VIX points", low=1, high=200
    )
    low_below: float = setting(
        15.0, "fear below which a day is low_volatility, in VIX points", low=1, high=200
    )
    recovery_rise: float = setting(
        0.10, "rise of the close off its low for a recovery, as a share", low=0.01, high=2
    )
    recovery_days: int = setting(
        20, "sessions of that low, and since the last crash drop for a recovery", low=1, high=253
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSettings:
    """What ``rules`` and ``reference`` call a crash by price alone: a fall within ten days."""

    return_max: float = setting(
        -0.15,
        "with a fear index: ten-day return at or below which a day is a crash, as a share",
        low=-0.9,
        high=-0.01,
    )
    floor: float = setting(
        0.04, "without one: smallest ten-day fall that is a crash, as a share", low=0, high=0.9
    )
    sigmas: float = setting(
        4.0, "without one: that fall in standard deviations of ten-day returns, at least", low=0.5, high=20
    )
    window_days: int = setting(
        756, "without one: daily returns that the deviation is measured on", low=20, high=5040
    )
    returns_min: int = setting(
        252, "without one: with fewer daily returns price makes no crash", low=2, high=5040
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsSettings:
    """Regime labels."""

    labeler: str = setting(
        "rules",
        "what labels the days; jump knows normal and high_volatility only",
        choices=("rules", "reference", "jump"),
        group=own.LABELERS,
    )
    rules: RulesSettings = field(default_factory=RulesSettings)
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    drop: DropSettings = field(default_factory=DropSettings)
