"""Names rare events in a picture: brackets in lanes above the price, so that they never cross it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from regime.events import CATALOGUED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from matplotlib.axes import Axes

    from regime.events import RareEvent

LANES_MAX: Final = 5
LANE_PX: Final = 21.0
GAP_PX: Final = 8.0
"""Between two events of one lane."""
BRACKET_PX: Final = 3.0
"""Drawn at least as wide as this, or a month of 35 years would not be seen."""
FONT_SIZE: Final = 8.5


class Placed(NamedTuple):
    """An event's place in pixels from the left edge, and the lane it stands in, 0 the lowest."""

    name: str
    left: float
    right: float
    text: float
    lane: int


class Lanes(NamedTuple):
    """The events that have a place, how many lanes they need, and how many events found none."""

    events: tuple[Placed, ...]
    lanes: int
    left_out: int


def place_events(events: Sequence[RareEvent], first: date, last: date, width: float) -> Lanes:
    """Give each event that the days from ``first`` to ``last`` show a place that no other one touches.

    Catalogued events are placed before captured ones, in the lowest lane that has room for bracket and name;
    an event for which none of ``LANES_MAX`` lanes has room is left out.

    Parameters
    ----------
    width
        Of the axes, in pixels.
    """
    day_px = width / ((last - first).days + 1)
    taken: list[list[tuple[float, float]]] = []
    placed: list[Placed] = []
    shown = [event for event in events if event.last_day >= first and event.first_day <= last]
    for event in sorted(shown, key=lambda event: (event.origin != CATALOGUED, event.first_day)):
        left = max(0, (event.first_day - first).days) * day_px
        right = min(width, ((event.last_day - first).days + 1) * day_px)
        right = max(right, left + BRACKET_PX)
        name = _name_of(event)
        half = _width_of(name) / 2
        text = min(max((left + right) / 2, half), width - half)
        span = (min(left, text - half) - GAP_PX / 2, max(right, text + half) + GAP_PX / 2)
        lane = _free_lane(taken, span)
        if lane < LANES_MAX:
            taken[lane:] = [[*taken[lane], span], *taken[lane + 1 :]] if lane < len(taken) else [[span]]
            placed.append(Placed(name=name, left=left, right=right, text=text, lane=lane))
    return Lanes(events=tuple(placed), lanes=len(taken), left_out=len(shown) - len(placed))


def _name_of(event: RareEvent) -> str:
    if event.origin == CATALOGUED:
        return event.id.replace("_", " ")
    return f"captured {event.first_day}"


def _free_lane(taken: Sequence[Sequence[tuple[float, float]]], span: tuple[float, float]) -> int:
    for lane, spans in enumerate(taken):
        if all(span[1] <= left or right <= span[0] for left, right in spans):
            return lane
    return len(taken)


def _width_of(name: str) -> float:
    """Measure a name in pixels at 100 dots an inch."""
    figure = Figure(dpi=100)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # theirs
    return float(figure.text(0, 0, name, fontsize=FONT_SIZE).get_window_extent(renderer).width)


def draw_events(axes: Axes, lanes: Lanes, width: float, *, ink: str) -> None:
    """Draw brackets under their names, in axes that are ``width`` pixels wide and a lane's height a lane."""
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, LANE_PX * lanes.lanes)
    axes.set_axis_off()
    for event in lanes.events:
        bottom = event.lane * LANE_PX + 1.0
        tick = bottom + 3.5
        axes.plot(
            [event.left, event.left, event.right, event.right],
            [bottom, tick, tick, bottom],
            color=ink,
            linewidth=0.9,
            solid_capstyle="butt",
            solid_joinstyle="miter",
            clip_on=False,
        )
        axes.text(event.text, tick + 1.5, event.name, fontsize=FONT_SIZE, color=ink, ha="center", va="bottom")
    note = "events" if not lanes.left_out else f"{lanes.left_out} more\nevents"
    axes.text(-8.0, 1.0, note, fontsize=FONT_SIZE, color=ink, ha="right", va="bottom")
