"""Which training rows a model sees, and how often: shares by regime, and fewer days that overlap less.

Sampling comes after the split and takes only training rows: a row drawn twice before it would stand on both
sides of the cut. What could not be done as asked is stated in the account, never hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.codes import regime_codes
from regime.errors import HistoryTooShortError, RegimeError, SettingInvalidError
from regime.types import REGIMES, Regime
from regime.weights import effective_sample_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NATURAL: Final = "natural"

REPLICATION_MAX: Final = 5
"""Copies of a row at most. More of the same rows teach a model those rows, not their regime."""

THIN_ANCHOR: Final = np.datetime64("1970-01-07", "D")
"""A Wednesday. With every fifth day all chosen days are of its weekday, and Wednesdays lose the fewest
sessions to the holidays of exchanges."""

SHARES: Final[Mapping[str, Mapping[Regime, float]]] = MappingProxyType(
    {
        "reference": MappingProxyType(
            {
                Regime.CRASH: 0.10,
                Regime.RECOVERY: 0.10,
                Regime.HIGH_VOLATILITY: 0.20,
                Regime.NORMAL: 0.40,
                Regime.LOW_VOLATILITY: 0.20,
            }
        ),
        "uniform": MappingProxyType(dict.fromkeys(REGIMES, 0.20)),
    }
)
"""The presets that don't depend on the rows; ``natural`` is the shares that the rows have. ``reference`` was
set by hand in the system before this one."""

PRESETS: Final = (NATURAL, *SHARES)


class SamplingInputInvalidError(RegimeError):
    """Rows cannot be sampled as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeDraw:
    """What became of the rows of one regime.

    ``share_asked`` is the preset's, ``share_got`` the regime's share of the rows drawn. ``replication`` is
    how often its most frequent row was drawn; ``None`` if it has no rows.
    """

    rows_in: int
    rows_out: int
    share_asked: float
    share_got: float
    replication: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAccount:
    """What a sample is made of.

    Parameters
    ----------
    preset
        Name of the shares that were asked for.
    rows_in, rows_asked, rows_out
        Rows there were, rows asked for, and rows drawn, repeats counted.
    by_regime
        The same by each of the five regimes.
    share_unfilled
        By regime, the share of all rows asked that it could not give, because it has no rows or each had
        been drawn as often as allowed. The other regimes gave it, in the ratios of their own shares.
    rows_distinct
        Different rows among those drawn.
    rows_effective
        Kish's effective sample size of the distinct rows, weighted by how often each was drawn.
    """

    preset: str
    rows_in: int
    rows_asked: int
    rows_out: int
    by_regime: Mapping[Regime, RegimeDraw]
    share_unfilled: Mapping[Regime, float]
    rows_distinct: int
    rows_effective: float

    def regimes_absent(self) -> tuple[Regime, ...]:
        """Give the regimes without a row: no sampling can make up for them."""
        return tuple(regime for regime, draw in self.by_regime.items() if not draw.rows_in)

    def said(self) -> str:
        """Give the account in one sentence for people.

        >>> sample(np.array(["crash"] * 2 + ["normal"] * 8), "natural",
        ...        rng=np.random.default_rng(1)).account.said()
        'sampling natural: 10 of 10 rows (10 distinct, 10.0 effective); no rows of recovery, ...'
        """
        drawn = f"sampling {self.preset}: {self.rows_out} of {self.rows_in} rows"
        parts = [f"{drawn} ({self.rows_distinct} distinct, {self.rows_effective:.1f} effective)"]
        if absent := self.regimes_absent():
            parts.append(f"no rows of {', '.join(absent)}")
        if self.share_unfilled:
            shares = ", ".join(f"{regime} {share:.1%}" for regime, share in self.share_unfilled.items())
            parts.append(f"shares that the other regimes filled: {shares}")
        if self.rows_out < self.rows_asked:
            parts.append(f"{self.rows_asked} rows were asked for")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Ascending positions of the rows drawn, repeats included, shape (n_drawn,), and their account."""

    rows: NDArray[np.intp]
    account: SampleAccount


def sample(
    regime: NDArray[np.str_],
    preset: str,
    *,
    rows: int | None = None,
    replication_max: int = REPLICATION_MAX,
    rng: np.random.Generator,
) -> Sample:
    """Draw training rows so that the regimes have the shares of a preset.

    A regime with more rows than its share is drawn without replacement. One with fewer gives each row as
    many whole times as fit, and a random part of its rows once more. What it cannot give, because it has no
    rows or would repeat one more often than ``replication_max``, the others give in the ratios of their
    shares. ``natural`` with as many rows as there are is every row once.

    Parameters
    ----------
    regime
        Shape (n_rows,): the regime of each training row as known at its close, one of the five.
    preset
        ``natural``, ``reference`` or ``uniform``.
    rows
        How many to draw; by default as many as there are, so that a fit costs the same.
    replication_max
        How often a row may be drawn at most.
    rng
        Source of chance; the same state draws the same rows.

    Raises
    ------
    SettingInvalidError
        If there is no such preset, or a number is below 1.
    HistoryTooShortError
        If there are no rows.
    SamplingInputInvalidError
        If a row's regime is ``unknown``: it has no share.

    >>> drawn = sample(np.array(["crash"] * 10 + ["normal"] * 90), "uniform", rng=np.random.default_rng(1))
    >>> drawn.account.by_regime[Regime.CRASH].rows_out, drawn.account.by_regime[Regime.NORMAL].rows_out
    (50, 50)
    """
    codes = _five_codes(regime)
    rows_asked = len(codes) if rows is None else rows
    _check_numbers(rows_asked, replication_max)
    rows_in = np.bincount(codes, minlength=len(REGIMES))
    shares = _shares_named(preset, rows_in)
    capacity = rows_in * replication_max
    rows_out = allot(rows_asked, shares, capacity)
    drawn = [_draw(np.flatnonzero(codes == code), count, rng) for code, count in enumerate(rows_out.tolist())]
    positions = np.sort(np.concatenate(drawn))
    return Sample(rows=positions, account=_account(preset, codes, shares, capacity, positions, rows_asked))


def allot(total: int, share: NDArray[np.float64], capacity: NDArray[np.integer]) -> NDArray[np.int64]:
    """Divide ``total`` things by shares, none beyond its capacity; what one cannot take goes to the others.

    Both arrays have shape (n,) and are not negative; shares need not sum to 1. The others take it in the
    ratios of their shares. Fractions are settled by largest remainder (Hamilton 1792), the first of equals.
    Less than ``total`` is given only if all that have a share are full.

    >>> allot(10, np.array([0.5, 0.3, 0.2]), np.array([2, 100, 100])).tolist()
    [2, 5, 3]
    """
    given = np.zeros(len(share), dtype=np.int64)
    is_open = (share > 0) & (capacity > 0)
    left = min(total, int(capacity[is_open].sum()))
    while left > 0:
        wanted = left * np.where(is_open, share, 0.0) / share[is_open].sum()
        is_full = is_open & (wanted >= capacity)
        if not is_full.any():
            return given + _rounded(wanted, left)
        given[is_full] = capacity[is_full]
        is_open &= ~is_full
        left -= int(capacity[is_full].sum())
    return given


def thin(
    date: NDArray[np.datetime64], every_days: int, *, anchor: np.datetime64 = THIN_ANCHOR
) -> NDArray[np.intp]:
    """Give the ascending positions of the rows on each n-th weekday, counted from a fixed day of 1970.

    Targets of neighbouring days overlap for most of their horizon: every fifth day holds nearly all they
    know at a fifth of the cost. The calendar counts, not the rows, so that a chosen day stays chosen
    whatever history is loaded, and all symbols of a day stay together.

    Monday to Friday are counted, holidays too: a chosen day without a session gives no rows. A weekend day,
    of markets that have them, is taken with the Monday after it. Multiples of five take always the same
    weekday.

    Parameters
    ----------
    date
        Shape (n_rows,), in any order.
    every_days
        1 takes all rows.
    anchor
        The weekday that is counted from, by default a Wednesday.

    Raises
    ------
    SettingInvalidError
        If ``every_days`` is below 1.

    >>> days = np.arange("2024-01-01", "2024-01-31", dtype="datetime64[D]")
    >>> days[thin(days, 5)].astype(str).tolist()
    ['2024-01-03', '2024-01-10', '2024-01-17', '2024-01-24']
    """
    if every_days < 1:
        raise SettingInvalidError(f"every_days = {every_days}; give 1 or more")
    weekdays = np.busday_count(anchor, date.astype("datetime64[D]"))
    return np.flatnonzero(weekdays % every_days == 0)


def _rounded(wanted: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Give whole numbers that sum to ``total``: the largest fractions are rounded up."""
    whole = np.floor(wanted).astype(np.int64)
    up = np.argsort(whole - wanted, kind="stable")[: total - int(whole.sum())]
    whole[up] += 1
    return whole


def _draw(rows: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Give whole copies of ``rows``, and some of them once more, ``count`` in all."""
    if not count:
        return rows[:0]
    copies, rest = divmod(count, len(rows))
    return np.concatenate((np.tile(rows, copies), rng.choice(rows, rest, replace=False)))


def _account(
    preset: str,
    codes: NDArray[np.intp],
    shares: NDArray[np.float64],
    capacity: NDArray[np.intp],
    positions: NDArray[np.intp],
    rows_asked: int,
) -> SampleAccount:
    times = np.bincount(positions, minlength=len(codes))
    by_regime = {
        regime: _regime_draw(times[codes == code], float(shares[code]), len(positions))
        for code, regime in enumerate(REGIMES)
    }
    wanted = allot(rows_asked, shares, np.full(len(REGIMES), rows_asked))
    return SampleAccount(
        preset=preset,
        rows_in=len(codes),
        rows_asked=rows_asked,
        rows_out=len(positions),
        by_regime=by_regime,
        share_unfilled={
            regime: (want - full) / rows_asked
            for regime, want, full in zip(REGIMES, wanted.tolist(), capacity.tolist(), strict=True)
            if want > full
        },
        rows_distinct=int(np.count_nonzero(times)),
        rows_effective=effective_sample_size(times.astype(np.float64)),
    )


def _regime_draw(times: NDArray[np.intp], share_asked: float, rows_out: int) -> RegimeDraw:
    return RegimeDraw(
        rows_in=len(times),
        rows_out=int(times.sum()),
        share_asked=share_asked,
        share_got=int(times.sum()) / rows_out,
        replication=int(times.max()) if len(times) else None,
    )


def _shares_named(preset: str, rows_in: NDArray[np.intp]) -> NDArray[np.float64]:
    if preset == NATURAL:
        return rows_in.astype(np.float64) / float(rows_in.sum())
    if preset not in SHARES:
        raise SettingInvalidError(f"sampling {preset!r} does not exist; use one of {', '.join(PRESETS)}")
    return np.array([SHARES[preset][regime] for regime in REGIMES])


def _five_codes(regime: NDArray[np.str_]) -> NDArray[np.intp]:
    codes = regime_codes(regime)
    if not len(codes):
        raise HistoryTooShortError("there are no training rows to sample; load more history")
    unknown = codes >= len(REGIMES)
    if unknown.any():
        raise SamplingInputInvalidError(
            f"row {int(unknown.argmax())} has the regime unknown ({int(unknown.sum())} such rows), which has"
            " no share; leave such rows out"
        )
    return codes


def _check_numbers(rows: int, replication_max: int) -> None:
    if rows < 1 or replication_max < 1:
        raise SettingInvalidError(
            f"rows = {rows}, replication_max = {replication_max}; give 1 or more for both"
        )
