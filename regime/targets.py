"""What is predicted: which of two price barriers a close reaches first within a horizon.

A target is data (``TargetSpec``), stored with every model version. A row's label uses closes after the
row's day, so it is known only later: from the day its barrier is reached, or from its horizon's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError
from regime.types import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.types import Bars

FIRST_TOUCH: Final = "first_touch"
VOL_SCALED: Final = "vol_scaled"

LOWER, NEITHER, UPPER = range(3)
"""Class ids by what was reached first; ``TargetSpec.classes`` has their names, by default sell, hold, buy."""

PENDING: Final = -1
"""Label of a row whose class is not known (yet)."""

SIGMA_DECAY: Final = 0.97
"""Weight of yesterday's variance: RiskMetrics (1996, section 5.3.2) for horizons of weeks; days take .94."""

SIGMA_RETURNS: Final = 126
"""Returns that a sigma is made of, 98 % of the weight of an endless memory; a fixed number, so that the
target of a day is the same whatever history was loaded."""

TOUCH_TOLERANCE: Final = 1e-9
"""Relative: a close this near to a barrier touches it. 100 to 110 is a touch of 10 % in every currency,
although 1.1 is not a binary fraction."""

TARGETS: Final[Mapping[str, TargetSpec]] = MappingProxyType(
    {
        "reference": TargetSpec(name="reference", kind=FIRST_TOUCH, up=0.10, down=0.05, horizon_days=14),
        "triple_barrier": TargetSpec(
            name="triple_barrier", kind=FIRST_TOUCH, up=0.05, down=0.05, horizon_days=10
        ),
        "vol_scaled": TargetSpec(name="vol_scaled", kind=VOL_SCALED, up=1.0, down=1.0, horizon_days=10),
    }
)
"""The presets by name. ``vol_scaled`` puts its barriers one standard deviation of the ten-day return away:
that asks the same of a calm stock and of a wild one, in 2017 and in 2008."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetTable:
    """Targets aligned row by row with the bars they were computed from.

    Parameters
    ----------
    spec
        What was asked.
    label
        int8, shape (n_bars,): class id, or ``PENDING``.
    label_end
        datetime64[D], shape (n_bars,): the day of the last close that the label depends on (the touch, or
        the horizon's end); NaT while the label is pending.
    horizon_end
        datetime64[D], shape (n_bars,): the day of the full horizon; NaT if it lies beyond the data. It
        doesn't depend on the outcome, so purging by it selects no class.
    """

    spec: TargetSpec
    label: NDArray[np.int8]
    label_end: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]

    @property
    def matured(self) -> NDArray[np.bool_]:
        """Whether the full horizon has passed, shape (n_bars,); only such rows train or validate.

        A row that touched a barrier early is known before it is matured. Taking it earlier than its
        neighbours that still wait for their ``hold`` would be a selection.
        """
        return ~np.isnat(self.horizon_end)

    def __len__(self) -> int:
        return len(self.label)


def target_named(name: str) -> TargetSpec:
    """Give the preset of that name.

    Raises
    ------
    SettingInvalidError
        If there is none.

    >>> target_named("reference").horizon_days
    14
    """
    if name not in TARGETS:
        raise SettingInvalidError(f"target {name!r} does not exist; use one of {', '.join(TARGETS)}")
    return TARGETS[name]


def compute_targets(bars: Bars, spec: TargetSpec) -> TargetTable:
    """Give the target of every bar: which barrier a later close of its symbol reaches first.

    Entry is at the close. The barriers of ``first_touch`` stand at close x (1 + up) and close x (1 - down);
    those of ``vol_scaled`` at close x exp(up s) and close x exp(-down s), where s is the symbol's EWMA
    sigma at entry times the square root of the horizon. The next ``horizon_days`` closes are looked at, in
    order (triple-barrier labels: Lopez de Prado 2018, section 3.4). The label of a day never depends on
    closes after its ``label_end``, nor on the unit of the prices.

    A row without a sigma (``vol_scaled`` in its first 126 returns, or a price that has not moved) has no
    target at all: its label stays pending and both its dates NaT.

    Raises
    ------
    SettingInvalidError
        If the spec makes no sense: unknown kind, barriers or horizon not positive, classes not distinct.

    >>> days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]")
    >>> from regime.types import Bars
    >>> bars = Bars.of_closes("SPY", days, [100.0, 104.0, 110.0])
    >>> spec = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=2)
    >>> table = compute_targets(bars, spec)
    >>> table.label.tolist(), str(table.label_end[0])
    ([2, -1, -1], '2024-01-03')
    """
    check_spec(spec)
    upper, lower = _barriers(bars, spec)
    last = _last_rows(bars)
    label, closes = _first_touches(bars.close, last, (upper, lower), spec.horizon_days)
    row = np.arange(len(bars))
    matured = (row + spec.horizon_days <= last) & np.isfinite(upper)
    is_hold = matured & (label == PENDING)
    label[is_hold] = NEITHER
    closes[is_hold] = spec.horizon_days
    return TargetTable(
        spec=spec,
        label=label,
        label_end=_days_after(bars.date, closes, label != PENDING),
        horizon_end=_days_after(bars.date, np.full(len(bars), spec.horizon_days), matured),
    )


def check_spec(spec: TargetSpec) -> None:
    """Refuse a spec that no target can be computed from.

    Raises
    ------
    SettingInvalidError
        Naming everything that is wrong.
    """
    faults = []
    if spec.kind not in (FIRST_TOUCH, VOL_SCALED):
        faults.append(f"kind is {spec.kind!r}, use {FIRST_TOUCH} or {VOL_SCALED}")
    if not 0 < spec.up < np.inf:
        faults.append(f"up is {spec.up}, give a positive distance")
    if not 0 < spec.down < (1 if spec.kind == FIRST_TOUCH else np.inf):
        faults.append(f"down is {spec.down}, give a positive distance (below 1 if it is a fraction)")
    if spec.horizon_days < 1:
        faults.append(f"horizon_days is {spec.horizon_days}, give at least 1")
    if len(spec.classes) != UPPER + 1 or len(set(spec.classes)) != UPPER + 1:
        faults.append(f"classes are {spec.classes}, give three different names: lower, neither, upper")
    if faults:
        raise SettingInvalidError(f"target {spec.name!r}: {'; '.join(faults)}")


def average_uniqueness(bars: Bars, targets: TargetTable, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give how much of its own each label is, shape (n_bars,): 1 if it shares no return with another.

    A label at row t depends on the returns from t to its ``label_end``. Each of these returns is shared by
    c labels of the symbol; the average of 1 / c over them is the label's uniqueness (Lopez de Prado 2018,
    section 4.4). Only rows of ``counted``, shape (n_bars,), are counted and get a number; pass the
    training rows, so that nothing after them has a say. The others, and pending ones, are NaN.

    >>> from regime.types import Bars
    >>> bars = Bars.of_closes("SPY", ["2024-01-01", "2024-01-02", "2024-01-03"], [100.0, 100.0, 110.0])
    >>> spec = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=2)
    >>> average_uniqueness(bars, compute_targets(bars, spec), np.ones(3, dtype=bool)).tolist()
    [0.75, 0.5, nan]
    """
    rows = np.flatnonzero(counted & (targets.label != PENDING))
    ends = _rows_of_days(bars, rows, targets.label_end[rows])
    change = np.zeros(len(bars) + 1)
    np.add.at(change, rows + 1, 1)
    np.add.at(change, ends + 1, -1)
    concurrent = np.cumsum(change)
    share = np.divide(1.0, concurrent, out=np.zeros_like(concurrent), where=concurrent > 0)
    before = np.concatenate(([0.0], np.cumsum(share)))
    uniqueness = np.full(len(bars), np.nan)
    uniqueness[rows] = (before[ends + 1] - before[rows + 1]) / (ends - rows)
    return uniqueness


def _barriers(bars: Bars, spec: TargetSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the upper and lower barrier as ratios to the entry close; NaN where there are none."""
    if spec.kind == FIRST_TOUCH:
        return np.full(len(bars), 1 + spec.up), np.full(len(bars), 1 - spec.down)
    scale = ewma_sigma(bars) * np.sqrt(spec.horizon_days)
    return np.exp(spec.up * scale), np.exp(-spec.down * scale)


def ewma_sigma(bars: Bars) -> NDArray[np.float64]:
    """Give each bar's volatility as known at its close, in log returns per bar, shape (n_bars,).

    The root of the exponentially weighted mean of the last 126 squared log returns of the symbol, decay
    .97, weights scaled to sum 1, mean return taken as zero (RiskMetrics 1996, section 5.2.1). NaN before
    there are so many, and where nothing moved.

    >>> from regime.types import Bars
    >>> days = np.arange("2024-01-01", "2024-06-01", dtype="datetime64[D]")
    >>> bars = Bars.of_closes("SPY", days, np.exp(0.01 * (np.arange(len(days)) % 2)))
    >>> ewma_sigma(bars)[-1].round(6)
    np.float64(0.01)
    """
    weights = SIGMA_DECAY ** np.arange(SIGMA_RETURNS)
    weights /= weights.sum()
    sigma = np.full(len(bars), np.nan)
    last = np.unique(_last_rows(bars))
    first = np.concatenate(([0], last[:-1] + 1)) if len(last) else last
    for start, stop in zip(first, last + 1, strict=True):
        if stop - start > SIGMA_RETURNS:
            squares = np.diff(np.log(bars.close[start:stop])) ** 2
            sigma[start + SIGMA_RETURNS : stop] = np.sqrt(np.convolve(squares, weights, "valid"))
    sigma[sigma == 0] = np.nan
    return sigma


def _last_rows(bars: Bars) -> NDArray[np.intp]:
    """Give, for each row, the row of its symbol's last bar."""
    if not len(bars):
        return np.empty(0, dtype=np.intp)
    is_last = np.append(bars.symbol[1:] != bars.symbol[:-1], np.True_)
    last = np.flatnonzero(is_last)
    return np.repeat(last, np.diff(last, prepend=-1))


def _first_touches(
    close: NDArray[np.float64],
    last: NDArray[np.intp],
    barriers: tuple[NDArray[np.float64], NDArray[np.float64]],
    horizon: int,
) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    """Give the barrier that each row reaches first, else ``PENDING``, and after how many closes.

    All rows step through the horizon together: ``horizon`` passes over the table instead of one a row.
    """
    upper, lower = barriers[0] * (1 - TOUCH_TOLERANCE), barriers[1] * (1 + TOUCH_TOLERANCE)
    row = np.arange(len(close))
    label = np.full(len(close), PENDING, dtype=np.int8)
    closes = np.zeros(len(close), dtype=np.intp)
    for step in range(1, min(horizon, len(close) - 1) + 1):
        is_open = (label[:-step] == PENDING) & (row[step:] <= last[:-step])
        ratio = close[step:] / close[:-step]
        for reached, side in ((ratio >= upper[:-step], UPPER), (ratio <= lower[:-step], LOWER)):
            touched = np.flatnonzero(is_open & reached)
            label[touched] = side
            closes[touched] = step
    return label, closes


def _days_after(
    date: NDArray[np.datetime64], closes: NDArray[np.intp], known: NDArray[np.bool_]
) -> NDArray[np.datetime64]:
    """Give the day that many rows later where ``known``, else NaT."""
    days = np.full(len(date), np.datetime64("NaT"), dtype="datetime64[D]")
    rows = np.flatnonzero(known)
    days[rows] = date[rows + closes[rows]]
    return days


def _rows_of_days(bars: Bars, rows: NDArray[np.intp], days: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Give the row at which the symbol of each of ``rows`` has its bar of ``days``."""
    last = _last_rows(bars)
    # One ascending key for (symbol, day): the symbol's last row stands for its name.
    key = (last << 32) + bars.date.astype(np.int64)
    return np.searchsorted(key, (last[rows] << 32) + days.astype(np.int64))
