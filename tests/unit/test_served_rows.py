"""What a champion said while it served stands for it: without it no crash after its training would count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.children.served import with_served
from daemon.children.sides import evidence_of, known_of
from regime.live_exam import MadePredictions
from regime.types import Regime
from registry.gate import Ledger, Verdict, judge
from registry.policy import DEFAULT
from registry.store import Registry
from tests.served import CLASSES, NOON, register_served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SYMBOLS = ("S0", "S1", "S2", "S3", "S4")
CALM, CRASH = 300, 120
DAYS = np.datetime64("2020-01-01") + np.r_[0:150, 180:330, 330:390, 430:490]
"""Three hundred calm days in two spells, then two crashes forty days apart."""
REGIMES = np.array(["normal"] * CALM + ["crash"] * CRASH)
TRUTH = np.random.default_rng(1).integers(0, 3, size=(len(DAYS), len(SYMBOLS)))


def said(skill: float, seed: int) -> NDArray[np.float64]:
    """Give probabilities of every day and symbol, shape (n_days, n_symbols, 3), so near to the truth."""
    noise = np.random.default_rng(seed).dirichlet(np.full(3, 30.0), size=TRUTH.shape)
    proba: NDArray[np.float64] = (1 - skill) * noise + skill * np.eye(3)[TRUTH]
    return proba


def columns_of(proba: NDArray[np.float64], days: slice) -> dict[str, Any]:
    count = len(DAYS[days])
    rows = proba[days].reshape(-1, 3)
    return {
        "date": np.repeat(DAYS[days], len(SYMBOLS)),
        "symbol": np.array(SYMBOLS * count),
        "regime": np.repeat(REGIMES[days], len(SYMBOLS)),
        "fold": np.full(len(rows), "only"),
        "truth": TRUTH[days].reshape(-1),
        **{f"candidate_{name}": rows[:, at] for at, name in enumerate(CLASSES)},
        **{f"prior_{name}": np.full(len(rows), 1 / 3) for name in CLASSES},
    }


def parquet_of(columns: dict[str, Any]) -> bytes:
    table = pa.table({n: pa.array(c.tolist()) if c.dtype.kind == "U" else c for n, c in columns.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def made(proba: NDArray[np.float64], days: slice) -> MadePredictions:
    columns = columns_of(proba, days)
    return MadePredictions(
        date=columns["date"],
        symbol=columns["symbol"],
        regime=columns["regime"],
        version=np.full(len(columns["date"]), "v1"),
        proba=proba[days].reshape(-1, 3),
        made_at=columns["date"].astype("datetime64[s]") + np.timedelta64(21, "h"),
        classes=CLASSES,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry with a champion of the calm days, v1, and a refit that has seen both crashes, v2."""
    with Registry.open(tmp_path) as registry:
        evidence = {1: columns_of(said(0.3, 1), slice(0, CALM)), 2: columns_of(said(0.31, 2), slice(None))}
        for number, columns in evidence.items():
            register_served(registry, f"r{number}", number, others={"evidence": parquet_of(columns)})
        yield registry


def test_days_that_were_served_have_what_was_said_and_outcomes_that_have_matured() -> None:
    walk, live, later = said(0.3, 1), said(0.1, 3), columns_of(said(0.31, 2), slice(0, 20))
    found = with_served(columns_of(walk, slice(0, 10)), made(live, slice(8, 30)), later)
    assert found["date"].tolist() == np.repeat(DAYS[:20], len(SYMBOLS)).tolist()
    expected = np.concatenate([walk[:8], live[8:20]]).reshape(-1, 3)
    assert np.array_equal(np.column_stack([found[f"candidate_{name}"] for name in CLASSES]), expected)
    assert np.array_equal(found["truth"], TRUTH[:20].reshape(-1))


def test_evidence_of_a_version_that_served_no_matured_day_is_its_walk_forward() -> None:
    walk = columns_of(said(0.3, 1), slice(0, 10))
    assert (
        with_served(walk, made(said(0.1, 3), slice(30, 40)), columns_of(said(0.3, 2), slice(0, 20))) is walk
    )


def test_a_refit_can_be_shown_to_be_safe_in_a_crash_that_came_after_the_champions_training(
    registry: Registry,
) -> None:
    v1, v2 = registry.version("v1"), registry.version("v2")
    now = NOON + timedelta(days=30)

    def verdict(served: MadePredictions | None) -> tuple[Verdict, int | None]:
        report = judge(
            known_of(v2, now), known_of(v1, now), evidence_of(registry, v2, v1, served), DEFAULT, Ledger()
        )
        (crash,) = [each for each in report.regimes if each.regime is Regime.CRASH]
        return report.verdict, crash.days

    assert verdict(None) == (Verdict.SHADOW, 0)
    assert verdict(made(said(0.3, 4), slice(CALM, None))) == (Verdict.PROMOTE, CRASH)


def test_a_large_gain_over_an_old_fit_is_no_leak_and_one_over_its_walk_forward_is(registry: Registry) -> None:
    v1, v2 = registry.version("v1"), registry.version("v2")
    rows = evidence_of(registry, v2, v1, made(said(0.0, 4), slice(CALM, None)))
    assert rows is not None
    old = judge(known_of(v2, NOON), known_of(v1, NOON + timedelta(days=200)), rows, DEFAULT, Ledger())
    (crash,) = [each for each in old.regimes if each.regime is Regime.CRASH]
    assert crash.accuracy_mean is not None
    assert crash.accuracy_mean > DEFAULT.accuracy_gain_max
    assert old.verdict is Verdict.PROMOTE
    alike = judge(known_of(v2, NOON), known_of(v1, NOON), replace(rows, served=None), DEFAULT, Ledger())
    assert alike.verdict is Verdict.HOLD_SUSPICIOUS


def test_a_refit_that_is_worse_than_the_champion_was_in_a_crash_is_rejected(registry: Registry) -> None:
    v1, v2 = registry.version("v1"), registry.version("v2")
    served = made(said(0.5, 4), slice(CALM, None))
    report = judge(
        known_of(v2, NOON), known_of(v1, NOON), evidence_of(registry, v2, v1, served), DEFAULT, Ledger()
    )
    assert report.verdict is Verdict.REJECT
