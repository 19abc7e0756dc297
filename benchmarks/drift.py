"""Measure the drift monitors: time of a check, alarms without drift, delay with it.

``python -m benchmarks.drift [--json FILE] [--years N] [--seeds N]``. The market simulated here has the
two properties that ruin a naive alarm: features follow regimes, and they are autocorrelated and
correlated across symbols.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2, ks_2samp

from regime.drift import (
    Alarm,
    AlarmRule,
    AlarmState,
    FeatureDay,
    FeatureDrift,
    FeatureReference,
    FeatureState,
    Level,
    Reading,
    RegimeDay,
    RegimeMix,
    raise_alarms,
    replay,
)
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

N_FEATURES = 179
N_SYMBOLS = 20
REFERENCE_DAYS = 1_000
DAYS_A_YEAR = 252
WINDOW = 21
WEEKLY = AlarmRule(check_days=5, silent_days=0)  # the usual alarm: a check a week, nothing silenced
NAMES = tuple(f"feature_{at:03}" for at in range(N_FEATURES))
TRANSITIONS = np.array(  # crash, recovery, high, normal, low; mean stays of 12, 30, 25, 60 and 60 days
    [
        [1 - 1 / 12, 0.7 / 12, 0.3 / 12, 0.0, 0.0],
        [0.05 / 30, 1 - 1 / 30, 0.15 / 30, 0.7 / 30, 0.1 / 30],
        [0.28 / 25, 0.0, 1 - 1 / 25, 0.72 / 25, 0.0],
        [0.05 / 60, 0.0, 0.5 / 60, 1 - 1 / 60, 0.45 / 60],
        [0.0, 0.0, 0.1 / 60, 0.9 / 60, 1 - 1 / 60],
    ]
)
NERVOUS = TRANSITIONS.copy()  # normal times end three times as often, in a crash nine times as often
NERVOUS[3] = [0.45 / 60, 0.0, 2.1 / 60, 1 - 3 / 60, 0.45 / 60]

Row = dict[str, str | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The law of the simulated features: persistence, response to regimes, common factors."""

    persistence: NDArray[np.float64]
    level: NDArray[np.float64]
    scale: NDArray[np.float64]
    loadings: NDArray[np.float64]
    common: NDArray[np.float64]

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Market:
        """Draw features of which a quarter is fast, a third medium and the rest slow."""
        speed = generator.choice(3, N_FEATURES, p=[0.25, 0.35, 0.40])
        low, high = np.array([0.0, 0.8, 0.95])[speed], np.array([0.3, 0.95, 0.99])[speed]
        response = generator.choice([0.0, 0.5, 1.2], N_FEATURES, p=[0.35, 0.4, 0.25])
        level = generator.normal(size=(len(REGIMES), N_FEATURES)) * response
        scale = np.exp(generator.normal(0.0, 0.15, (len(REGIMES), N_FEATURES)))
        level[0] *= 1.6
        scale[0] *= 1.4
        return cls(
            persistence=generator.uniform(low, high),
            level=level,
            scale=scale,
            loadings=generator.normal(size=(6, N_FEATURES)) / np.sqrt(6),
            common=generator.uniform(0.3, 0.8, N_FEATURES),
        )

    def simulate(self, days: int, generator: np.random.Generator) -> list[FeatureDay]:
        """Simulate days after a warm-up of 300."""
        regimes = chain(TRANSITIONS, days + 300, generator)
        noise = np.zeros((N_SYMBOLS, N_FEATURES))
        mean = np.zeros(N_FEATURES)
        follow = np.minimum(self.persistence, 0.9)
        fresh = np.sqrt(1.0 - self.persistence**2)
        simulated = []
        for place, regime in enumerate(regimes):
            market = generator.standard_normal(6) @ self.loadings
            own = generator.standard_normal((N_SYMBOLS, N_FEATURES))
            shock = np.sqrt(self.common) * market + np.sqrt(1.0 - self.common) * own
            noise = self.persistence * noise + fresh * shock
            mean = follow * mean + (1.0 - follow) * self.level[regime]
            values = mean + noise * self.scale[regime]
            simulated.append(feature_day(place, int(regime), values))
        return simulated[300:]


def chain(transitions: NDArray[np.float64], days: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Simulate regimes, shape (days,), beginning in normal times."""
    cumulative = transitions.cumsum(axis=1)[:, :-1]
    regimes = np.empty(days, dtype=np.intp)
    now = 3
    for place, chance in enumerate(generator.random(days)):
        now = int((chance > cumulative[now]).sum())
        regimes[place] = now
    return regimes


def feature_day(place: int, regime: int, values: NDArray[np.float64]) -> FeatureDay:
    """Give the day that lies ``place`` days after an arbitrary first."""
    date = dt.date(1990, 1, 1) + dt.timedelta(days=place)
    return FeatureDay(date=date, regime=REGIMES[regime], names=NAMES, values=values)


def shifted(
    days: Sequence[FeatureDay], start: int, by: float, generator: np.random.Generator
) -> list[FeatureDay]:
    """Shift a random tenth of the features by ``by`` standard deviations from day ``start`` on."""
    spread = np.concatenate([day.values for day in days[:start:5]]).std(axis=0)
    spread[generator.permutation(N_FEATURES)[18:]] = 0.0
    moved = [
        FeatureDay(date=day.date, regime=day.regime, names=day.names, values=day.values + by * spread)
        for day in days[start:]
    ]
    return [*days[:start], *moved]


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Give the median time of ``call``."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def measure_speed(market: Market, generator: np.random.Generator) -> list[Row]:
    """Time one check of 179 features against 20,000 reference rows, the new rows arriving at once."""
    days = market.simulate(REFERENCE_DAYS, generator)
    monitor = FeatureDrift()
    reference = monitor.fit(days, generator)
    pooled = np.concatenate([day.values for day in days])
    state, _ = replay(monitor, reference, monitor.start(reference), days[-WINDOW:])
    rows: list[Row] = []
    for n in (N_SYMBOLS, 250, 5_000):
        sample = feature_day(REFERENCE_DAYS + 300, 3, generator.choice(pooled, n, axis=0))
        ours = milliseconds(partial(monitor.update, reference, state, sample), 21)
        theirs = milliseconds(partial(ks_2samp, sample.values, pooled, method="asymp"), 3)
        rows.append({"new_rows": n, "regimed_ms": ours, "scipy_ks_2samp_ms": theirs})
    return rows


def measure_size(market: Market, generator: np.random.Generator) -> list[Row]:
    """Give the bytes that are kept over restarts."""
    days = market.simulate(REFERENCE_DAYS, generator)
    monitor = FeatureDrift()
    reference = monitor.fit(days, generator)
    state, _ = replay(monitor, reference, monitor.start(reference), days[-WINDOW:])
    return [
        {"stored": "reference of 179 features", "kilobytes": len(reference.to_bytes()) / 1e3},
        {"stored": "state of 21 days", "kilobytes": len(state.to_bytes()) / 1e3},
    ]


def alarms_of(readings: Sequence[Reading], rule: AlarmRule | None = None) -> list[Alarm]:
    """Give the alarms that readings raise, with their monitor's rule or with ``rule``."""
    if rule is None:
        return list(raise_alarms(AlarmState(), readings)[1])
    return list(raise_alarms(AlarmState(), readings, {readings[0].monitor: rule})[1])


def naive_readings(reference: FeatureReference, days: Sequence[FeatureDay]) -> list[Reading]:
    """Read the usual alarm: any feature's KS test against all regimes, rows taken as independent."""
    monitor = FeatureDrift()
    pooled = (reference.above * reference.rows[:, None, :]).sum(axis=0) / reference.rows.sum(axis=0)
    critical = np.sqrt(-np.log(0.05 / N_FEATURES / 2) / 2)
    state: FeatureState = monitor.start(reference)
    readings = []
    for day in days:
        state, reading = monitor.update(reference, state, day)
        known = state.known.sum(axis=0)
        distance = np.abs(state.above.sum(axis=0) / known - pooled).max(axis=0)
        threshold = critical * np.sqrt(1 / known + 1 / reference.rows.sum(axis=0))
        warned = len(state.codes) == WINDOW and bool((distance > threshold).any())
        level = Level.WARN if warned else Level.NONE
        readings.append(
            Reading(monitor="naive", date=day.date, level=level, reference_id=reading.reference_id)
        )
    return readings


def row_of_alarms(what: str, readings: Sequence[Reading], alarms: Sequence[Alarm]) -> Row:
    """Count alarms a year and the share of days on which the statistic stood above its threshold."""
    years = len(readings) / DAYS_A_YEAR
    raised = {Level.WARN, Level.ALERT}
    return {
        "monitor": what,
        "years": years,
        "share_of_days_above": sum(reading.level in raised for reading in readings) / len(readings),
        "share_of_days_unknown": sum(not reading.level.known for reading in readings) / len(readings),
        "warnings_a_year": sum(alarm.level is Level.WARN for alarm in alarms) / years,
        "alerts_a_year": sum(alarm.level is Level.ALERT for alarm in alarms) / years,
    }


def measure_features(market: Market, seeds: int, years: int) -> tuple[list[Row], list[Row]]:
    """Count feature alarms without drift and the days until planted drift is found."""
    monitor = FeatureDrift()
    readings: list[Reading] = []
    naive: list[Reading] = []
    alarms: list[Alarm] = []
    naive_alarms: list[Alarm] = []
    delays: dict[float, list[int | None]] = {1.0: [], 0.5: []}
    for seed in range(seeds):
        generator = np.random.default_rng(1_000 + seed)
        days = market.simulate(REFERENCE_DAYS + years * DAYS_A_YEAR, generator)
        reference = monitor.fit(days[:REFERENCE_DAYS], generator)
        live = days[REFERENCE_DAYS:]
        quiet = replay(monitor, reference, monitor.start(reference), live)[1]
        usual = naive_readings(reference, live)
        readings += quiet
        naive += usual
        alarms += alarms_of(quiet)
        naive_alarms += alarms_of(usual, WEEKLY)
        for by, found in delays.items():
            start = REFERENCE_DAYS + DAYS_A_YEAR // 2
            drifted = shifted(days, start, by, generator)[start - WINDOW : start + DAYS_A_YEAR]
            found.append(delay(monitor, reference, drifted))
    false = [
        row_of_alarms("feature_drift", readings, alarms),
        row_of_alarms("iid KS, Bonferroni", naive, naive_alarms),
    ]
    return false, [row_of_delays(by, found) for by, found in delays.items()]


def delay(monitor: FeatureDrift, reference: FeatureReference, days: Sequence[FeatureDay]) -> int | None:
    """Give the days from a drift that starts after one window to the first alarm, if there is one."""
    readings = replay(monitor, reference, monitor.start(reference), days)[1]
    first = days[WINDOW].date
    found = [(alarm.reading.date - first).days for alarm in alarms_of(readings)]
    return next((days for days in found if days >= 0), None)


def row_of_delays(by: float, found: Sequence[int | None]) -> Row:
    """Sum up the delays of several runs; a run without an alarm counts as a late one."""
    late = [DAYS_A_YEAR if days is None else days for days in found]
    return {
        "planted": f"{by:g} sd in 10 % of features",
        "runs": float(len(found)),
        "median_delay_days": statistics.median(late),
        "found_within_21_days": sum(days <= WINDOW for days in late) / len(late),
        "found_within_63_days": sum(days <= 3 * WINDOW for days in late) / len(late),
    }


def measure_mix(seeds: int) -> list[Row]:
    """Count alarms of the regime mix without and with a change of the transition matrix."""
    rows = []
    for what, law in (("no drift", TRANSITIONS), ("normal ends 3x as often", NERVOUS)):
        readings: list[Reading] = []
        naive: list[Reading] = []
        alarms: list[Alarm] = []
        naive_alarms: list[Alarm] = []
        for seed in range(seeds):
            generator = np.random.default_rng(2_000 + seed)
            past = regime_days(chain(TRANSITIONS, 10 * DAYS_A_YEAR, generator))
            live = regime_days(chain(law, 10 * DAYS_A_YEAR, generator))
            monitor = RegimeMix()
            reference = monitor.fit(past, generator)
            judged = replay(monitor, reference, monitor.start(reference), live)[1][DAYS_A_YEAR:]
            usual = naive_mix(past, live)
            readings += judged
            naive += usual
            alarms += alarms_of(judged)
            naive_alarms += alarms_of(usual, WEEKLY)
        rows.append(row_of_alarms(f"regime_mix, {what}", readings, alarms))
        rows.append(row_of_alarms(f"iid chi2 p < .01, {what}", naive, naive_alarms))
    return rows


def regime_days(regimes: NDArray[np.intp]) -> list[RegimeDay]:
    """Give regimes as consecutive days."""
    first = dt.date(1990, 1, 1)
    return [
        RegimeDay(date=first + dt.timedelta(days=place), regime=REGIMES[regime])
        for place, regime in enumerate(regimes)
    ]


def naive_mix(past: Sequence[RegimeDay], live: Sequence[RegimeDay]) -> list[Reading]:
    """Read the usual alarm: a chi-squared test of a year's shares, days taken as independent."""
    expected = np.maximum([sum(day.regime is regime for day in past) for regime in REGIMES], 1) / len(past)
    flags = np.array([[day.regime is regime for regime in REGIMES] for day in live], dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(flags, DAYS_A_YEAR, axis=0).mean(axis=2)[1:]
    statistic = (DAYS_A_YEAR * (windows - expected) ** 2 / expected).sum(axis=1)
    critical = float(chi2.ppf(0.99, len(REGIMES) - 1))
    return [
        Reading(
            monitor="naive",
            date=day.date,
            level=Level.WARN if value > critical else Level.NONE,
            reference_id="naive",
        )
        for day, value in zip(live[DAYS_A_YEAR:], statistic.tolist(), strict=True)
    ]


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Print rows of equal keys as a table."""
    print(f"\n{title}")
    cells = [list(rows[0]), *[[shown(value) for value in row.values()] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def shown(value: str | float) -> str:
    """Give a cell's text."""
    return value if isinstance(value, str) else f"{value:,.3f}".rstrip("0").rstrip(".")


def main() -> None:
    """Run every measurement, print it and write it where it is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the tables here too")
    parser.add_argument("--seeds", type=int, default=8, help="simulated markets (default: 8)")
    parser.add_argument("--years", type=int, default=5, help="years of each (default: 5)")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    market = Market.draw(generator)
    false, delays = measure_features(market, arguments.seeds, arguments.years)
    tables = {
        "Time of one check, 179 features, 20,000 reference rows": measure_speed(market, generator),
        "Size": measure_size(market, generator),
        "Feature alarms without drift": false,
        "Feature alarms after planted drift, delay in trading days": delays,
        "Regime-mix alarms": measure_mix(arguments.seeds),
    }
    for title, rows in tables.items():
        print_table(title, rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(tables, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
