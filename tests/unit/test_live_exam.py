from __future__ import annotations

import numpy as np
import pytest

from regime.live_exam import (
    LivePredictionsInvalidError,
    MadePredictions,
    PredictedTooLateError,
    live_predictions,
    made_in_time,
)
from regime.targets import TargetTable, compute_targets
from regime.types import Bars, TargetSpec

SPEC = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=2)
DAYS = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
AAA = Bars.of_closes("AAA", DAYS, [100.0, 111.0, 111.0, 100.0])
BBB = Bars.of_closes("BBB", DAYS[:3], [100.0, 100.0, 90.0])
BARS = Bars.concat([AAA, BBB])


def targets() -> TargetTable:
    return compute_targets(BARS, SPEC)


def made(*rows: tuple[str, str, str, str], classes: tuple[str, ...] = SPEC.classes) -> MadePredictions:
    """Give predictions of (version, symbol, date, made_at)."""
    version, symbol, date, made_at = zip(*rows, strict=True)
    proba = np.tile([0.5, 0.3, 0.2], (len(rows), 1))
    proba[:, 0] += np.arange(len(rows)) / 100
    proba[:, 1] -= np.arange(len(rows)) / 100
    return MadePredictions(
        date=np.array(date, dtype="datetime64[D]"),
        symbol=np.array(symbol),
        regime=np.array(["normal"] * len(rows)),
        version=np.array(version),
        proba=proba,
        made_at=np.array(made_at, dtype="datetime64[s]"),
        classes=classes,
    )


def in_time(date: str, made_at: str) -> bool:
    (told,) = made_in_time(
        np.array([date], dtype="datetime64[D]"), np.array([made_at], dtype="datetime64[s]"), BARS
    )
    return bool(told)


def test_a_prediction_is_joined_with_what_came_true_after_its_horizon() -> None:
    predictions = made(
        ("v1", "BBB", "2024-01-02", "2024-01-02T22:00"),
        ("v1", "AAA", "2024-01-03", "2024-01-03T22:00"),
        ("v1", "AAA", "2024-01-02", "2024-01-02T22:00"),
    )
    live = live_predictions(predictions, BARS, targets())
    assert live.made.symbol.tolist() == ["AAA", "BBB", "AAA"]
    assert [str(day) for day in live.made.date] == ["2024-01-02", "2024-01-02", "2024-01-03"]
    assert live.truth.tolist() == [2, 0, 0]
    assert live.made.proba[:, 0].round(2).tolist() == [0.52, 0.5, 0.51]


def test_a_prediction_whose_horizon_is_not_over_waits_even_if_its_barrier_was_touched() -> None:
    predictions = made(
        ("v1", "BBB", "2024-01-03", "2024-01-03T22:00"), ("v1", "AAA", "2024-01-05", "2024-01-05T22:00")
    )
    live = live_predictions(predictions, BARS, targets())
    assert targets().label[5] == 0
    assert (len(live), live.waiting, live.without_target) == (0, {"v1": 2}, {"v1": 0})


def test_a_prediction_whose_bar_is_gone_has_no_target() -> None:
    predictions = made(
        ("v1", "CCC", "2024-01-02", "2024-01-02T22:00"), ("v1", "AAA", "2024-01-02", "2024-01-02T22:00")
    )
    live = live_predictions(predictions, BARS, targets())
    assert (len(live), live.waiting, live.without_target) == (1, {"v1": 0}, {"v1": 1})


def test_a_bar_that_has_no_target_at_all_does_not_wait_for_ever() -> None:
    spec = TargetSpec(name="x", kind="vol_scaled", up=1.0, down=1.0, horizon_days=2)
    live = live_predictions(
        made(("v1", "AAA", "2024-01-02", "2024-01-02T22:00")), BARS, compute_targets(BARS, spec)
    )
    assert (live.waiting, live.without_target) == ({"v1": 0}, {"v1": 1})


def test_versions_stand_side_by_side() -> None:
    predictions = made(
        ("v2", "AAA", "2024-01-02", "2024-01-02T22:00"),
        ("v1", "AAA", "2024-01-02", "2024-01-02T22:00"),
        ("v2", "AAA", "2024-01-04", "2024-01-04T22:00"),
    )
    live = live_predictions(predictions, BARS, targets())
    assert (live.waiting, live.made.version.tolist()) == ({"v1": 0, "v2": 1}, ["v1", "v2"])
    second = live.of_version("v2")
    assert (len(second), second.waiting, second.truth.tolist()) == (1, {"v2": 1}, [2])
    assert (len(live.of_version("v3")), live.of_version("v3").waiting) == (0, {"v3": 0})


def test_a_prediction_made_after_the_next_close_is_refused_by_name() -> None:
    predictions = made(
        ("v1", "AAA", "2024-01-02", "2024-01-02T22:00"), ("v1", "AAA", "2024-01-03", "2024-01-04T17:00")
    )
    with pytest.raises(
        PredictedTooLateError, match=r"row 1, v1 AAA 2024-01-03, was predicted at 2024-01-04T17"
    ):
        live_predictions(predictions, BARS, targets())
    assert made_in_time(predictions.date, predictions.made_at, BARS).tolist() == [True, False]


def test_the_last_second_before_the_next_close_is_in_time() -> None:
    assert in_time("2024-01-03", "2024-01-04T16:59:59") is True


def test_a_market_that_closes_at_midnight_has_its_own_next_close() -> None:
    predictions = made(("v1", "AAA", "2024-01-03", "2024-01-04T23:00"))
    live = live_predictions(predictions, BARS, targets(), close_utc=np.timedelta64(24, "h"))
    assert live.truth.tolist() == [0]


def test_the_close_of_another_symbol_ends_the_time_too() -> None:
    assert not (BARS.of_symbol("BBB").date == np.datetime64("2024-01-05")).any()
    assert in_time("2024-01-04", "2024-01-05T18:00") is False


def test_nothing_can_be_too_late_while_there_is_no_later_bar() -> None:
    assert in_time("2024-01-05", "2024-02-01T00:00") is True


def test_a_prediction_that_stands_twice_is_refused_by_name() -> None:
    row = ("v1", "AAA", "2024-01-02", "2024-01-02T22:00")
    with pytest.raises(LivePredictionsInvalidError, match="v1 AAA 2024-01-02 is predicted twice"):
        made(row, row)


def test_predictions_of_another_target_are_refused() -> None:
    predictions = made(("v1", "AAA", "2024-01-02", "2024-01-02T22:00"), classes=("down", "flat", "up"))
    with pytest.raises(LivePredictionsInvalidError, match=r"predict \('down', 'flat', 'up'\)"):
        live_predictions(predictions, BARS, targets())


def test_bars_of_other_targets_are_refused() -> None:
    with pytest.raises(LivePredictionsInvalidError, match="4 bars and 7 targets"):
        live_predictions(made(("v1", "AAA", "2024-01-02", "2024-01-02T22:00")), AAA, targets())


def test_columns_that_contradict_each_other_are_refused() -> None:
    good = made(("v1", "AAA", "2024-01-02", "2024-01-02T22:00"))
    columns = {name: getattr(good, name) for name in MadePredictions.__slots__}
    with pytest.raises(LivePredictionsInvalidError, match="different lengths"):
        MadePredictions(**{**columns, "symbol": np.array(["AAA", "BBB"])})
    with pytest.raises(LivePredictionsInvalidError, match="2 classes"):
        MadePredictions(**{**columns, "classes": ("sell", "buy")})
    with pytest.raises(LivePredictionsInvalidError, match="row 0 has no date"):
        MadePredictions(**{**columns, "made_at": np.array(["NaT"], dtype="datetime64[s]")})
