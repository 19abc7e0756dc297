"""The drop rule: how far a market must fall in ten days to be called a crash."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

TEN_DAYS: Final = 10
PEAK_DAYS: Final = 253
"""Closes that a labeler remembers: the 252 before today, one trading year, and today's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedDrop:
    """A ten-day return at or below ``return_max`` is a crash: for equity indices with a fear index.

    The -15 % are the mission's (reference parameters of regime labelling).
    """

    return_max: float = -0.15

    @property
    def closes_min(self) -> int:
        """How many closes there must be before there is a drop rule."""
        return TEN_DAYS + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledDrop:
    """A drop is measured in the market's own volatility: -max(floor, sigmas x sd x sqrt(10)).

    sd is the sample standard deviation of the last ``window_days`` daily log returns, today's included.
    With fewer than ``returns_min`` of them there is no drop rule at all. The threshold is -15 % at a
    volatility of 19 % a year, near the S&P 500's, which is why four sigmas are the default; a fixed -15 %
    would call most days of a cryptocurrency a crash. Limit: a single jump widens its own yardstick, which
    only matters in the first year or two of a history.
    """

    floor: float = 0.04
    sigmas: float = 4.0
    window_days: int = 756
    returns_min: int = 252

    @property
    def closes_min(self) -> int:
        """How many closes there must be before there is a drop rule."""
        return max(TEN_DAYS, self.returns_min) + 1


DropRule = FixedDrop | ScaledDrop


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeState:
    """What a ``DropGauge`` remembers: recent closes, and the sums of their log returns and squares.

    The sums are kept, not recomputed, so that a resumed gauge continues to the last bit.
    """

    closes: tuple[float, ...] = ()
    return_sum: float = 0.0
    square_sum: float = 0.0


class DropGauge:
    """Follows the closes of one market: its ten-day return, its drop threshold, its one-year high.

    Private to a labeler's run; ``state`` is what it passes on. O(1) a day.

    >>> gauge = DropGauge(FixedDrop(), GaugeState())
    >>> for close in [100.0] * 10 + [84.0]:
    ...     gauge.observe(close)
    >>> gauge.is_drop, round(gauge.ten_day_return, 2)
    (True, -0.16)
    """

    __slots__ = ("_closes", "_scale", "_square_sum", "_sum", "is_known", "ten_day_return", "threshold")

    def __init__(self, rule: DropRule, state: GaugeState) -> None:
        self._scale = rule if isinstance(rule, ScaledDrop) else None
        scale_days = rule.window_days + 1 if isinstance(rule, ScaledDrop) else 0
        self._closes = deque(state.closes, maxlen=max(PEAK_DAYS, scale_days))
        self._sum = state.return_sum
        self._square_sum = state.square_sum
        self.is_known = False
        self.ten_day_return = 0.0
        self.threshold = rule.return_max if isinstance(rule, FixedDrop) else 0.0

    @property
    def state(self) -> GaugeState:
        """What a later gauge needs to continue."""
        return GaugeState(closes=tuple(self._closes), return_sum=self._sum, square_sum=self._square_sum)

    @property
    def is_drop(self) -> bool:
        """Whether today's ten-day return is a crash drop; false while the rule is not known."""
        return self.is_known and self.ten_day_return <= self.threshold

    @property
    def is_calm(self) -> bool:
        """Whether the ten-day return is better than a third of a crash drop, or no rule is known."""
        return not self.is_known or self.ten_day_return > self.threshold / 3

    @property
    def drop_sentence(self) -> str:
        """What a reason says of a crash drop."""
        return f"10-day return {self.ten_day_return:.2%}, at or below {self.threshold:.2%}"

    @property
    def year_high(self) -> float:
        """The highest close of the last 253 days, today's included."""
        return max(list(self._closes)[-PEAK_DAYS:])

    def lowest(self, days: int) -> float:
        """Give the lowest of the last ``days`` closes, today's included."""
        return min(list(self._closes)[-days:])

    def observe(self, close: float) -> None:
        """Take the next close."""
        closes = self._closes
        if self._scale is not None:
            self._slide(self._scale, close)
        closes.append(close)
        self.is_known = len(closes) > TEN_DAYS
        if self._scale is not None:
            self._rescale(self._scale)
        if self.is_known:
            self.ten_day_return = close / closes[-1 - TEN_DAYS] - 1.0

    def _slide(self, rule: ScaledDrop, close: float) -> None:
        """Let the return of ``close`` into the sums, and the oldest out when the window is full."""
        closes = self._closes
        if not closes:
            return
        window = rule.window_days
        if len(closes) > window:
            self._add(log(closes[-window] / closes[-window - 1]), -1)
        self._add(log(close / closes[-1]), 1)

    def _add(self, log_return: float, sign: int) -> None:
        self._sum += sign * log_return
        self._square_sum += sign * log_return * log_return

    def _rescale(self, rule: ScaledDrop) -> None:
        """Set the threshold from the returns in the window; it is not known while they are too few."""
        count = min(len(self._closes) - 1, rule.window_days)
        self.is_known = self.is_known and count >= rule.returns_min
        if self.is_known:
            variance = max(self._square_sum - self._sum * self._sum / count, 0.0) / (count - 1)
            self.threshold = -max(rule.floor, rule.sigmas * sqrt(variance) * sqrt(TEN_DAYS))
