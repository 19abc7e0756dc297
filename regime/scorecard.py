"""Scores as counts and sums, by regime, sector and symbol; ratios are made when somebody asks.

A ratio of nothing is ``None``: an empty regime has no accuracy, least of all 0. Every sum is kept for the
model and for each baseline on the same rows, so that no number needs to be shown without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar, cast

from regime.bootstrap import DAYS_MIN, Interval
from regime.errors import RegimeError
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REGIME_PRIOR: Final = "regime_prior"
"""The baseline that skill is told against."""
VOLATILITY_BARRIER: Final = "volatility_barrier"
"""The baseline that has only rediscovered volatility: scaled fear in the closed formula, recalibrated on what
had matured before."""
MODEL: Final = "model"
"""Name of the judged model among the predictors of a tally; the others are its baselines."""

OVERALL: Final = "overall"
"""Key of the figures over all rows, beside those of each regime."""

ROWS_MIN: Final = 200
"""Rows that skill needs, beside ``DAYS_MIN`` days."""

SPELL_GAP_DAYS: Final = 10
"""Calendar days; scored days further apart belong to two spells. Sessions of US exchanges have been at most 7
apart since 1934 (September 2001)."""

JSON_FORMAT: Final = 1

Key = TypeVar("Key")


class ScorecardInvalidError(RegimeError):
    """Scorecards can't be added, or what was stored is none."""


class LossesJson(TypedDict):
    """``Losses`` as plain JSON."""

    log_loss_sum: float
    brier_sum: float
    direction_hits: float
    class_hits: list[int]


class TallyJson(TypedDict):
    """``Tally`` as plain JSON."""

    class_rows: list[int]
    predictors: dict[str, LossesJson]


class ScorecardJson(TypedDict):
    """``Scorecard`` as plain JSON; days are ISO dates, levels and bounds numbers."""

    format: int
    classes: list[str]
    regimes: dict[str, TallyJson]
    days: dict[str, list[str]]
    symbols: dict[str, TallyJson]
    sectors: dict[str, dict[str, TallyJson]]
    intervals: dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What one predictor scored on the rows of a tally.

    Parameters
    ----------
    log_loss_sum
        Sum over rows of -log(probability of the true class).
    brier_sum
        Sum over rows of the squared differences of all class probabilities from the truth, 0 to 2 a row
        (Brier 1950).
    direction_hits
        Among rows that reached a barrier, how often the class of that barrier was given a higher
        probability than the class of the other; a tie is half a hit.
    class_hits
        By true class, rows of which the most probable class came true.
    """

    log_loss_sum: float
    brier_sum: float
    direction_hits: float
    class_hits: tuple[int, ...]

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            log_loss_sum=self.log_loss_sum + other.log_loss_sum,
            brier_sum=self.brier_sum + other.brier_sum,
            direction_hits=self.direction_hits + other.direction_hits,
            class_hits=_added(self.class_hits, other.class_hits),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts and sums of one group of rows, for the model and every baseline.

    ``class_rows`` counts the rows by true class, first the lower barrier, last the upper one. The ratios
    take the name of a predictor, by default the model's.

    >>> losses = Losses(log_loss_sum=4.0, brier_sum=2.0, direction_hits=1.0, class_hits=(1, 2, 0))
    >>> tally = Tally(class_rows=(2, 2, 0), predictors={"model": losses})
    >>> tally.accuracy(), tally.balanced_accuracy(), tally.log_loss()
    (0.75, 0.75, 1.0)
    """

    class_rows: tuple[int, ...]
    predictors: Mapping[str, Losses]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.class_rows)

    def hits(self, predictor: str = MODEL) -> int:
        """Give the number of rows whose most probable class came true."""
        return sum(self.predictors[predictor].class_hits)

    def accuracy(self, predictor: str = MODEL) -> float | None:
        """Give the share of hits."""
        return _ratio(self.hits(predictor), self.rows)

    def balanced_accuracy(self, predictor: str = MODEL) -> float | None:
        """Give the mean, over the classes that occur, of the share of hits within the class."""
        hits = self.predictors[predictor].class_hits
        shares = [hit / rows for hit, rows in zip(hits, self.class_rows, strict=True) if rows]
        return _ratio(sum(shares), len(shares))

    def log_loss(self, predictor: str = MODEL) -> float | None:
        """Give the mean log-loss of a row, in nats."""
        return _ratio(self.predictors[predictor].log_loss_sum, self.rows)

    def brier(self, predictor: str = MODEL) -> float | None:
        """Give the mean Brier score of a row, 0 to 2."""
        return _ratio(self.predictors[predictor].brier_sum, self.rows)

    def direction_accuracy(self, predictor: str = MODEL) -> float | None:
        """Give the share of direction hits among the rows that reached a barrier; .5 is a coin."""
        return _ratio(self.predictors[predictor].direction_hits, self.class_rows[0] + self.class_rows[-1])

    def skill(self, baseline: str) -> float | None:
        """Give 1 - log-loss / log-loss of the baseline, or ``None`` with fewer than 200 rows."""
        loss = _ratio(self.predictors[MODEL].log_loss_sum, self.predictors[baseline].log_loss_sum)
        return None if loss is None or self.rows < ROWS_MIN else 1 - loss

    def __add__(self, other: Tally) -> Tally:
        if self.predictors.keys() != other.predictors.keys():
            raise ScorecardInvalidError(
                f"predictors {sorted(self.predictors)} and {sorted(other.predictors)} do not add up;"
                " score both with the same baselines"
            )
        return Tally(
            class_rows=_added(self.class_rows, other.class_rows),
            predictors={name: losses + other.predictors[name] for name, losses in self.predictors.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """How a model and its baselines did on a set of rows.

    Parameters
    ----------
    classes
        Class names in the order of the probability columns.
    regimes
        The tally of each of the six regimes, ``unknown`` included, so that they add up to all rows.
    days
        By regime, the ascending days that have a row in it. The days themselves are kept, not their
        number, because rows of one day may come from two scorecards.
    symbols
        The tally of each symbol over all regimes; its days are its rows.
    sectors
        By sector and regime, the tallies of those that have rows. Symbols without a sector are ``unknown``.
    intervals
        By ``overall`` or regime, then by baseline, the interval of the skill; absent where not known.
    """

    classes: tuple[str, ...]
    regimes: Mapping[Regime, Tally]
    days: Mapping[Regime, tuple[date, ...]]
    symbols: Mapping[str, Tally]
    sectors: Mapping[str, Mapping[Regime, Tally]]
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The names of the baselines, sorted."""
        return tuple(sorted(self.regimes[Regime.UNKNOWN].predictors.keys() - {MODEL}))

    def tally(self, regime: Regime | None = None) -> Tally:
        """Give the counts and sums of a regime, or of all rows."""
        if regime is not None:
            return self.regimes[regime]
        return reduce(Tally.__add__, self.regimes.values())

    def days_in(self, regime: Regime | None = None) -> int:
        """Give the number of days with a row in the regime, or with any row."""
        return len(self._days() if regime is None else self.days[regime])

    def spells_in(self, regime: Regime | None = None) -> int:
        """Give the number of spells of a regime, or of all regimes together.

        A spell is a run of scored days with a row in the regime. It ends with a scored day without one,
        or with a gap of more than ten calendar days.
        """
        if regime is None:
            return sum(self.spells_in(each) for each in self.days)
        inside = frozenset(self.days[regime])
        scored = self._days()
        begun = sum(
            day in inside and (before not in inside or (day - before).days > SPELL_GAP_DAYS)
            for before, day in pairwise(scored)
        )
        return begun + (bool(scored) and scored[0] in inside)

    def skill(self, regime: Regime | None, baseline: str) -> float | None:
        """Give 1 - log-loss / log-loss of the baseline, in a regime or (``None``) over all rows.

        ``None`` where the evidence is insufficient: fewer than 40 days or 200 rows.
        """
        return None if self.days_in(regime) < DAYS_MIN else self.tally(regime).skill(baseline)

    def interval(self, regime: Regime | None, baseline: str) -> Interval | None:
        """Give the interval of ``skill``; ``None`` where it is not known, or the skill is not."""
        if self.skill(regime, baseline) is None:
            return None
        return self.intervals.get(OVERALL if regime is None else regime.value, {}).get(baseline)

    def __add__(self, other: Scorecard) -> Scorecard:
        """Give the scorecard of both sets of rows, which must be disjoint; intervals don't add up and go.

        Raises
        ------
        ScorecardInvalidError
            If classes or baselines differ.
        """
        if self.classes != other.classes:
            raise ScorecardInvalidError(
                f"classes {self.classes} and {other.classes} do not add up; score the same target"
            )
        return Scorecard(
            classes=self.classes,
            regimes=_merged(self.regimes, other.regimes),
            days={regime: tuple(sorted({*days, *other.days[regime]})) for regime, days in self.days.items()},
            symbols=_merged(self.symbols, other.symbols),
            sectors={
                sector: _merged(self.sectors.get(sector, {}), other.sectors.get(sector, {}))
                for sector in sorted({*self.sectors, *other.sectors})
            },
        )

    def to_json(self) -> ScorecardJson:
        """Give the scorecard as plain JSON values: counts, sums, days and intervals, no ratios."""
        return {
            "format": JSON_FORMAT,
            "classes": list(self.classes),
            "regimes": _tallies_to_json(self.regimes),
            "days": {regime.value: [day.isoformat() for day in days] for regime, days in self.days.items()},
            "symbols": _tallies_to_json(self.symbols),
            "sectors": {sector: _tallies_to_json(tallies) for sector, tallies in self.sectors.items()},
            "intervals": {
                group: {
                    baseline: {"low": each.low, "high": each.high, "level": each.level}
                    for baseline, each in intervals.items()
                }
                for group, intervals in self.intervals.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Scorecard:
        """Give the scorecard that ``to_json`` stored.

        Raises
        ------
        ScorecardInvalidError
            If it is of another format, or incomplete.
        """
        if stored.get("format") != JSON_FORMAT:
            raise ScorecardInvalidError(
                f"scorecard of format {stored.get('format')!r}, this version reads {JSON_FORMAT}; score again"
            )
        try:
            return _scorecard_of_json(cast("ScorecardJson", stored))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScorecardInvalidError(f"stored scorecard is broken ({error!r}); score again") from error

    def _days(self) -> list[date]:
        return sorted({day for days in self.days.values() for day in days})


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _added(first: Iterable[int], second: Iterable[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _merged(first: Mapping[Key, Tally], second: Mapping[Key, Tally]) -> dict[Key, Tally]:
    common = {key: tally + second[key] for key, tally in first.items() if key in second}
    return {**first, **second, **common}


def _tallies_to_json(tallies: Mapping[Regime, Tally] | Mapping[str, Tally]) -> dict[str, TallyJson]:
    return {
        str(key): {
            "class_rows": list(tally.class_rows),
            "predictors": {
                name: {
                    "log_loss_sum": losses.log_loss_sum,
                    "brier_sum": losses.brier_sum,
                    "direction_hits": losses.direction_hits,
                    "class_hits": list(losses.class_hits),
                }
                for name, losses in tally.predictors.items()
            },
        }
        for key, tally in tallies.items()
    }


def _scorecard_of_json(stored: ScorecardJson) -> Scorecard:
    return Scorecard(
        classes=tuple(stored["classes"]),
        regimes={regime: _tally_of_json(stored["regimes"][regime.value]) for regime in Regime},
        days={regime: tuple(map(date.fromisoformat, stored["days"][regime.value])) for regime in Regime},
        symbols={symbol: _tally_of_json(tally) for symbol, tally in stored["symbols"].items()},
        sectors={
            sector: {Regime(name): _tally_of_json(tally) for name, tally in tallies.items()}
            for sector, tallies in stored["sectors"].items()
        },
        intervals={
            group: {
                baseline: Interval(low=each["low"], high=each["high"], level=each["level"])
                for baseline, each in intervals.items()
            }
            for group, intervals in stored["intervals"].items()
        },
    )


def _tally_of_json(stored: TallyJson) -> Tally:
    return Tally(
        class_rows=tuple(stored["class_rows"]),
        predictors={
            name: Losses(
                log_loss_sum=losses["log_loss_sum"],
                brier_sum=losses["brier_sum"],
                direction_hits=losses["direction_hits"],
                class_hits=tuple(losses["class_hits"]),
            )
            for name, losses in stored["predictors"].items()
        },
    )
