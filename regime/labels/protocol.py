"""What a labeler is: a machine that reads one day after the other and says its regime and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from regime.errors import RegimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from regime.types import DayLabel


class StateInvalidError(RegimeError):
    """A saved labeler state is damaged, or belongs to another labeler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a labeler may know of one market at the close of one day.

    ``close`` is the index's close; ``fear`` is in VIX points (18, not 0.18), ``None`` if it is not known.
    ``fear_note`` says where a fear that is not the day's own came from, or why there is none; it is
    printed with the reason and changes no label.

    >>> import numpy as np
    >>> Day(date=np.datetime64("2024-01-02"), close=4742.83, fear=13.2).fear
    13.2
    """

    date: np.datetime64
    close: float
    fear: float | None
    fear_note: str = ""


class State(Protocol):
    """All that a labeler remembers of the past: immutable, and exact as JSON."""

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote.

        Raises
        ------
        StateInvalidError
            If the text is not a state of this kind.
        """


class Labeler(Protocol):
    """A causal labeler of one market: the label of a day depends on that day and earlier ones only.

    ``version`` is the name and a hash of every constant: labels of different versions are never mixed.
    A method that takes a state raises ``StateInvalidError`` for one of another labeler.
    """

    @property
    def name(self) -> str:
        """The name in settings and commands."""

    @property
    def version(self) -> str:
        """The name and a hash of the constants."""

    def start(self) -> State:
        """Give the state before the first day."""

    def restore(self, text: str) -> State:
        """Give a state from its JSON."""

    def step(self, state: State, day: Day) -> tuple[State, DayLabel]:
        """Label one day; give the state after it and the label."""

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        """Label consecutive days, both of shape (n_days,); as ``step`` for each, without its objects."""
