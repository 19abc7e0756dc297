"""Rare events that nobody catalogued: found causally, one day after the other.

A day qualifies if fear stands at 40 or more and at least half of the last ten sessions are labelled a crash.
Three such days running open an episode, which begins with the first of them. Each later one extends it;
twenty sessions without any close it, and from then on it never changes. What is known of a day uses that
day and earlier ones, so the episodes of a history's first days are those that its whole tells of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final, Self

from regime.errors import SettingInvalidError
from regime.events import DYNAMIC, RareEvent, same_as
from regime.labels.fear import BY_PROXY
from regime.labels.saving import json_of, reading_state, version_of
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from regime.labels import Day

KIND: Final = "event_capture"
OPENED: Final = "opened"
EXTENDED: Final = "extended"
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """When an episode is one.

    Parameters
    ----------
    fear_min
        Fear in VIX points from which a day may qualify. 40 is the mission's.
    crash_share_min, window_days
        At least this share of the last ``window_days`` sessions, the day's own included, is labelled a
        crash. One half is the mission's. Ten sessions are the horizon of the drop rule that the labels are
        made with; sessions before the history began count as no crash.
    days_min
        Days running that must qualify. Three is the mission's.
    gap_days
        Sessions without a qualifying day after which an episode is over; a qualifying day before that goes
        on with it. Twenty, a month of trading, make one episode of the winter of 2008/09, whose fear fell
        below 40 for sixteen sessions, and keep August and October 2011 apart.

    Raises
    ------
    SettingInvalidError
        Naming everything that is wrong.
    """

    fear_min: float = 40.0
    crash_share_min: float = 0.5
    window_days: int = 10
    days_min: int = 3
    gap_days: int = 20

    def __post_init__(self) -> None:
        faults = [
            f"{name} is {value:g}, give {wanted}"
            for name, value, is_right, wanted in (
                ("fear_min", self.fear_min, self.fear_min > 0, "a positive number of VIX points"),
                ("crash_share_min", self.crash_share_min, 0 <= self.crash_share_min <= 1, "a share"),
                ("window_days", self.window_days, self.window_days >= 1, "at least 1"),
                ("days_min", self.days_min, self.days_min >= 1, "at least 1"),
                ("gap_days", self.gap_days, self.gap_days >= 1, "at least 1"),
            )
            if not is_right
        ]
        if faults:
            raise SettingInvalidError(f"event capture: {'; '.join(faults)}")

    @property
    def version(self) -> str:
        """The name of the rule and a hash of its numbers."""
        return version_of(KIND, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDay:
    """What capture may know of a market at the close of one day; ``fear`` is ``None`` if it is not known."""

    date: date
    fear: float | None
    regime: Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A rare event as captured so far.

    ``first_day`` and ``last_day`` are its first and last qualifying day, ``days`` counts those that qualify,
    ``opened_on`` and ``closed_on`` are the days on which that could first be known. An episode is named by
    its first day.
    """

    first_day: date
    last_day: date
    days: int
    fear_peak: float
    opened_on: date
    closed_on: date | None = None

    @property
    def id(self) -> str:
        """The name of the event that it is.

        >>> day = date(2020, 3, 6)
        >>> Episode(first_day=day, last_day=day, days=1, fear_peak=42.0, opened_on=day).id
        'dynamic_2020_03_06'
        """
        return f"{DYNAMIC}_{self.first_day:%Y_%m_%d}"

    def event(self, *, weight: float) -> RareEvent:
        """Give it as an event of the archive; what it is captured for is a crash."""
        return RareEvent(
            id=self.id,
            first_day=self.first_day,
            last_day=self.last_day,
            regime=Regime.CRASH,
            weight=weight,
            origin=DYNAMIC,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeChange:
    """What a day did to an episode: ``opened``, ``extended`` or ``closed``, and how it stands after it."""

    kind: str
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureState:
    """All that capture remembers: whether the last sessions were crash, and the run or episode of now.

    ``crashes`` holds at most as many sessions as the window, the latest last. ``run`` are the qualifying
    days up to now, in the form of an episode that is not open yet; ``quiet_days`` counts the sessions since
    the open episode's last qualifying day.
    """

    crashes: tuple[bool, ...] = ()
    run: Episode | None = None
    episode: Episode | None = None
    quiet_days: int = 0

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""
        return json_of(
            KIND,
            _Saved(
                crashes="".join("1" if crash else "0" for crash in self.crashes),
                run=_saved(self.run),
                episode=_saved(self.episode),
                quiet_days=self.quiet_days,
            ),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote.

        Raises
        ------
        StateInvalidError
            If the text is not a state of capture.
        """
        with reading_state(KIND, text) as fields:
            return cls(
                crashes=tuple(mark == "1" for mark in fields.pop("crashes")),
                run=_restored(fields.pop("run")),
                episode=_restored(fields.pop("episode")),
                **fields,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    crashes: str
    run: dict[str, object] | None
    episode: dict[str, object] | None
    quiet_days: int


def _saved(episode: Episode | None) -> dict[str, object] | None:
    if episode is None:
        return None
    return {
        "first_day": episode.first_day.isoformat(),
        "last_day": episode.last_day.isoformat(),
        "days": episode.days,
        "fear_peak": episode.fear_peak,
        "opened_on": episode.opened_on.isoformat(),
    }


def _restored(fields: dict[str, object] | None) -> Episode | None:
    if fields is None:
        return None
    days = {
        name: date.fromisoformat(str(fields.pop(name))) for name in ("first_day", "last_day", "opened_on")
    }
    return Episode(**days, **fields)  # type: ignore[arg-type]  # JSON; what is wrong is raised by the caller


def step(
    state: CaptureState, settings: CaptureSettings, day: MarketDay
) -> tuple[CaptureState, EpisodeChange | None]:
    """Look at one day; give the state after it, and what it did to an episode. O(1) in the history.

    >>> days = [MarketDay(date=date(2008, 10, day), fear=45.0, regime=Regime.CRASH) for day in (6, 7, 8)]
    >>> state, changes = capture(CaptureState(), CaptureSettings(window_days=2), days)
    >>> [(change.kind, change.episode.days) for change in changes], state.episode.first_day.day
    ([('opened', 3)], 6)
    """
    after, changes = capture(state, settings, (day,))
    return after, changes[0] if changes else None


def capture(
    state: CaptureState, settings: CaptureSettings, days: Iterable[MarketDay]
) -> tuple[CaptureState, tuple[EpisodeChange, ...]]:
    """Look at consecutive days, in order of time; give the state after the last, and every change."""
    machine = _Machine(settings, state)
    changes = tuple([change for day in days if (change := machine.advance(day)) is not None])
    return machine.state, changes


def qualifies(settings: CaptureSettings, *, fear: float | None, crash_days: int) -> bool:
    """Tell whether a day qualifies that ends a window with so many crash days.

    >>> settings = CaptureSettings()
    >>> sum(qualifies(settings, fear=40.0, crash_days=days) for days in range(11))
    6
    """
    is_crash = crash_days >= settings.crash_share_min * settings.window_days
    return fear is not None and fear >= settings.fear_min and is_crash


class _Machine:
    """The state, mutable for the length of one pass."""

    __slots__ = ("_crash_days", "_crashes", "_episode", "_quiet_days", "_run", "_settings")

    def __init__(self, settings: CaptureSettings, state: CaptureState) -> None:
        self._settings = settings
        self._crashes = deque(state.crashes, maxlen=settings.window_days)
        self._crash_days = sum(self._crashes)
        self._run = state.run
        self._episode = state.episode
        self._quiet_days = state.quiet_days

    @property
    def state(self) -> CaptureState:
        return CaptureState(
            crashes=tuple(self._crashes), run=self._run, episode=self._episode, quiet_days=self._quiet_days
        )

    def advance(self, day: MarketDay) -> EpisodeChange | None:
        self._count(is_crash=day.regime is Regime.CRASH)
        if not qualifies(self._settings, fear=day.fear, crash_days=self._crash_days):
            self._run = None
            return self._rest(day)
        assert day.fear is not None  # noqa: S101 - it qualifies
        if self._episode is None:
            return self._begin(day, day.fear)
        self._quiet_days = 0
        self._episode = _extended(self._episode, day.date, day.fear)
        return EpisodeChange(kind=EXTENDED, episode=self._episode)

    def _count(self, *, is_crash: bool) -> None:
        if len(self._crashes) == self._settings.window_days:
            self._crash_days -= self._crashes[0]
        self._crashes.append(is_crash)
        self._crash_days += is_crash

    def _begin(self, day: MarketDay, fear: float) -> EpisodeChange | None:
        """Go on with the run of qualifying days, which may open an episode."""
        if self._run is None:
            self._run = Episode(
                first_day=day.date, last_day=day.date, days=1, fear_peak=fear, opened_on=day.date
            )
        else:
            self._run = replace(_extended(self._run, day.date, fear), opened_on=day.date)
        if self._run.days < self._settings.days_min:
            return None
        self._episode, self._run, self._quiet_days = self._run, None, 0
        return EpisodeChange(kind=OPENED, episode=self._episode)

    def _rest(self, day: MarketDay) -> EpisodeChange | None:
        """Count a day that does not qualify, which may close the episode."""
        if self._episode is None:
            return None
        self._quiet_days += 1
        if self._quiet_days < self._settings.gap_days:
            return None
        closed = replace(self._episode, closed_on=day.date)
        self._episode, self._quiet_days = None, 0
        return EpisodeChange(kind=CLOSED, episode=closed)


def _extended(episode: Episode, day: date, fear: float) -> Episode:
    return replace(episode, last_day=day, days=episode.days + 1, fear_peak=max(episode.fear_peak, fear))


def market_days(
    days: Sequence[Day], regimes: Sequence[Regime], *, has_fear_index: bool
) -> tuple[MarketDay, ...]:
    """Give what capture may know of each labelled day; ``regimes`` are those of ``days``.

    Where the market has a fear index, the proxy is no stand-in for it: the proxy is a rank, by which some
    days of every history stand above 40, and until the fear index has come all of them would be captured.

    >>> from regime.labels import days_of
    >>> from regime.types import Bars
    >>> index = Bars.of_closes("^GSPC", ["2020-03-06", "2020-03-09"], [2972.37, 2746.56])
    >>> fear = Bars.of_closes("^VIX", index.date, [41.94, 54.46])
    >>> days = market_days(days_of(index, fear), [Regime.CRASH] * 2, has_fear_index=True)
    >>> [day.fear for day in days]
    [41.94, 54.46]
    """
    return tuple(
        [
            MarketDay(
                date=date.fromisoformat(str(day.date)),
                fear=None if has_fear_index and day.fear_note == BY_PROXY else day.fear,
                regime=regime,
            )
            for day, regime in zip(days, regimes, strict=True)
        ]
    )


def captured_events(
    days: Sequence[MarketDay],
    settings: CaptureSettings,
    *,
    known: Sequence[RareEvent],
    weight: float,
    same_share: float,
) -> tuple[RareEvent, ...]:
    """Give the new events of a whole history: closed episodes that repeat none of those ``known``.

    >>> days = [MarketDay(date=date(1998, 9, day), fear=45.0, regime=Regime.CRASH) for day in range(1, 11)]
    >>> days += [MarketDay(date=date(1998, 10, day), fear=30.0, regime=Regime.NORMAL) for day in range(1, 29)]
    >>> [event.id for event in captured_events(
    ...     days, CaptureSettings(), known=(), weight=0.1, same_share=0.5)]
    ['dynamic_1998_09_05']
    """
    _, changes = capture(CaptureState(), settings, days)
    events = (change.episode.event(weight=weight) for change in changes if change.kind == CLOSED)
    return tuple(event for event in events if not same_as(event, known, share_min=same_share))
