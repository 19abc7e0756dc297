from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.codes import RegimeNameUnknownError
from regime.errors import HistoryTooShortError
from regime.scoring import (
    PredictionsInvalidError,
    baseline_probabilities,
    brier_scores,
    class_prior,
    log_losses,
    majority,
    regime_prior,
    score,
)
from regime.types import Regime

if TYPE_CHECKING:
    from regime.scorecard import Scorecard

CLASSES = ("sell", "hold", "buy")
DATE = np.array(["2024-01-02", "2024-01-02", "2024-01-03", "2024-01-03"], dtype="datetime64[D]")
SYMBOL = np.array(["AAA", "BBB", "AAA", "BBB"])
REGIME = np.array(["normal", "normal", "crash", "crash"])
TRUTH = np.array([2, 1, 0, 0])
PROBA = np.array([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
EVEN = np.full((4, 3), 1 / 3)


def card(**changed: np.ndarray) -> Scorecard:
    columns = {
        "date": DATE,
        "symbol": SYMBOL,
        "regime": REGIME,
        "truth": TRUTH,
        "proba": PROBA,
        **changed,
    }
    return score(
        columns["date"],
        columns["symbol"],
        columns["regime"],
        columns["truth"],
        columns["proba"],
        {"even": EVEN},
        CLASSES,
    )


def many(days: int, symbols: int = 5) -> tuple[np.ndarray, np.ndarray]:
    date = np.repeat(np.datetime64("2024-01-01", "D") + np.arange(days), symbols)
    return date, np.tile(np.array([f"S{number}" for number in range(symbols)]), days)


def skilled(days: int, rng: np.random.Generator | None = None) -> Scorecard:
    date, symbol = many(days)
    rows = len(date)
    truth = np.arange(rows) % 3
    proba = np.full((rows, 3), 0.25)
    proba[np.arange(rows), truth] = 0.5
    half = np.full((rows, 3), 0.25)
    half[:, 1] = 0.5
    return score(date, symbol, np.full(rows, "normal"), truth, proba, {"half": half}, CLASSES, rng=rng)


def test_the_class_prior_counts_every_class_one_row_more() -> None:
    assert class_prior(np.array([1, 1, 1, 1, 0, 0, 1]), 2, 3).tolist() == [[0.3, 0.6, 0.1]] * 2


def test_the_majority_is_as_sure_as_it_is_frequent_and_knows_nothing_else() -> None:
    answer = majority(np.array([1, 1, 1, 1, 0, 0, 1]), 2, 3)
    assert answer[1].tolist() == pytest.approx([0.2, 0.6, 0.2])


def test_the_regime_prior_is_drawn_towards_the_class_prior_by_two_hundred_rows() -> None:
    truth = np.concatenate([np.zeros(600, int), np.ones(3397, int)])
    regime = np.array(["crash"] * 600 + ["normal"] * 3397)
    prior = regime_prior(truth, regime, np.array(["crash"]), 3)
    # The class prior of sell is 601 / 4000; (600 + 200 * .15025) / 800 is what stands here.
    assert prior[0, 0] == pytest.approx(0.7875625)


def test_an_absent_or_unknown_regime_gets_the_class_prior() -> None:
    truth, regime = np.array([1, 1, 1, 1, 0, 0, 1]), np.array(["normal"] * 5 + ["unknown"] * 2)
    prior = regime_prior(truth, regime, np.array(["crash", "unknown"]), 3)
    assert prior.tolist() == pytest.approx([pytest.approx([0.3, 0.6, 0.1])] * 2)


def test_baselines_need_training_rows() -> None:
    none = np.array([], dtype=np.int64)
    with pytest.raises(HistoryTooShortError, match="training rows"):
        baseline_probabilities(none, none.astype(str), np.array(["crash"]), 3)


def test_a_baseline_refuses_class_ids_that_do_not_exist() -> None:
    with pytest.raises(PredictionsInvalidError, match="class id 3"):
        class_prior(np.array([0, 3]), 1, 3)


def test_all_baselines_are_probabilities_of_the_rows_asked_for() -> None:
    found = baseline_probabilities(np.array([0, 1]), np.array(["crash"] * 2), np.array(["normal"] * 4), 3)
    assert {name: proba.shape for name, proba in found.items()} == {
        "majority": (4, 3),
        "class_prior": (4, 3),
        "regime_prior": (4, 3),
    }


def test_log_loss_is_bounded_so_that_one_row_cannot_decide() -> None:
    losses = log_losses(np.array([0, 0]), np.array([[0.0, 1.0], [1e-9, 1.0]]))
    assert losses.tolist() == pytest.approx([13.815510557964274] * 2)


def test_log_loss_of_an_even_guess_is_the_log_of_the_classes() -> None:
    assert log_losses(TRUTH, EVEN).tolist() == pytest.approx([1.0986122886681098] * 4)


def test_the_brier_score_runs_from_zero_to_two() -> None:
    assert brier_scores(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])).tolist() == [0.0, 2.0]


def test_counts_and_sums_are_kept_by_regime() -> None:
    crash = card().tally(Regime.CRASH)
    assert (crash.rows, crash.class_rows, crash.hits(), crash.hits("even")) == (2, (2, 0, 0), 1, 2)
    assert crash.predictors["model"].log_loss_sum == pytest.approx(np.log(2) + np.log(4))
    assert crash.predictors["model"].brier_sum == pytest.approx(0.375 + 0.875)


def test_the_overall_tally_holds_all_rows() -> None:
    overall = card().tally()
    assert (overall.rows, overall.class_rows, overall.predictors["model"].class_hits) == (
        4,
        (2, 1, 1),
        (1, 0, 1),
    )
    assert overall.accuracy() == 0.5
    assert overall.balanced_accuracy() == pytest.approx((0.5 + 0.0 + 1.0) / 3)
    assert overall.log_loss("even") == pytest.approx(1.0986122886681098)


def test_an_empty_regime_has_no_accuracy() -> None:
    recovery = card().tally(Regime.RECOVERY)
    ratios = (
        recovery.accuracy(),
        recovery.balanced_accuracy(),
        recovery.log_loss(),
        recovery.brier(),
        recovery.direction_accuracy(),
        recovery.skill("even"),
    )
    assert (recovery.rows, ratios) == (0, (None,) * 6)


def test_direction_counts_only_rows_that_reached_a_barrier_and_a_tie_is_half_a_hit() -> None:
    overall = card().tally()
    assert overall.direction_accuracy() == pytest.approx(2 / 3)
    assert overall.direction_accuracy("even") == 0.5


def test_rows_of_unknown_regime_count_overall_and_in_no_other_regime() -> None:
    unknown = card(regime=np.array(["normal", "unknown", "crash", "crash"]))
    assert (unknown.tally().rows, unknown.tally(Regime.UNKNOWN).rows, unknown.tally(Regime.NORMAL).rows) == (
        4,
        1,
        1,
    )


def test_every_symbol_has_its_tally() -> None:
    symbols = card().symbols
    assert {name: (tally.rows, tally.hits()) for name, tally in symbols.items()} == {
        "AAA": (2, 2),
        "BBB": (2, 0),
    }


def test_sectors_are_counted_by_regime_and_a_symbol_without_one_is_unknown() -> None:
    found = score(
        DATE, SYMBOL, REGIME, TRUTH, PROBA, {}, CLASSES, sector={"AAA": "Energy", "ZZZ": "Utilities"}
    ).sectors
    assert {name: {each: tally.rows for each, tally in group.items()} for name, group in found.items()} == {
        "Energy": {Regime.CRASH: 1, Regime.NORMAL: 1},
        "unknown": {Regime.CRASH: 1, Regime.NORMAL: 1},
    }


def test_no_rows_give_a_card_of_nothing() -> None:
    none = np.array([], dtype=np.str_)
    empty = score(DATE[:0], none, none, TRUTH[:0], PROBA[:0], {"even": EVEN[:0]}, CLASSES)
    assert (empty.tally().rows, empty.days_in(), empty.spells_in(), empty.skill(None, "even")) == (
        0,
        0,
        0,
        None,
    )
    assert empty.tally().accuracy() is None


def test_skill_is_one_minus_the_ratio_of_log_losses() -> None:
    found = skilled(40)
    # The baseline gives the truth .5 in a third of the rows and .25 in the others.
    assert found.skill(None, "half") == pytest.approx(1 - 200 / (67 + 133 * 2), abs=1e-12)
    assert found.skill(Regime.NORMAL, "half") == found.skill(None, "half")


def test_skill_of_fewer_than_forty_days_or_two_hundred_rows_is_not_known() -> None:
    assert skilled(39).skill(None, "half") is None
    assert skilled(40).skill(Regime.CRASH, "half") is None
    date, symbol = many(199, symbols=1)
    proba = np.full((199, 3), 1 / 3)
    one_symbol = score(
        date, symbol, np.full(199, "crash"), np.zeros(199, int), proba, {"even": proba}, CLASSES
    )
    assert one_symbol.skill(Regime.CRASH, "even") is None


def test_intervals_stand_beside_the_skill_they_belong_to() -> None:
    found = skilled(60, np.random.default_rng(1))
    skill, interval = found.skill(None, "half"), found.interval(Regime.NORMAL, "half")
    assert skill is not None
    assert interval is not None
    assert interval.low < skill < interval.high
    assert found.interval(None, "half") is not None
    assert found.interval(Regime.CRASH, "half") is None


def test_without_a_source_of_chance_there_are_no_intervals() -> None:
    assert skilled(60).interval(None, "half") is None


def test_a_symbol_and_day_that_occur_twice_are_refused() -> None:
    with pytest.raises(PredictionsInvalidError, match="AAA 2024-01-02 occurs twice"):
        card(symbol=np.array(["AAA", "AAA", "AAA", "BBB"]))


@pytest.mark.parametrize("truth", [-1, 3])
def test_a_truth_that_is_no_class_id_is_refused(truth: int) -> None:
    with pytest.raises(PredictionsInvalidError, match="row 2"):
        card(truth=np.array([0, 1, truth, 0]))


@pytest.mark.parametrize(
    "row", [[np.nan, 0.5, 0.5], [-0.1, 0.6, 0.5], [0.3, 0.3, 0.3], [np.inf, 0.0, 0.0], [0.5, 0.5, 1e-4]]
)
def test_what_is_no_probability_is_refused(row: list[float]) -> None:
    proba = PROBA.copy()
    proba[3] = row
    with pytest.raises(PredictionsInvalidError, match="row 3"):
        card(proba=proba)


def test_probabilities_in_float32_are_accepted() -> None:
    single = card(proba=PROBA.astype(np.float32))
    assert single.tally().log_loss() == pytest.approx(card().tally().log_loss(), abs=1e-6)


def test_probabilities_of_another_shape_are_refused() -> None:
    with pytest.raises(PredictionsInvalidError, match="model has shape"):
        card(proba=PROBA[:, :2])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(PredictionsInvalidError, match="different lengths"):
        card(regime=np.append(REGIME, "crash"))


def test_a_regime_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RegimeNameUnknownError):
        card(regime=np.array(["normal", "normal", "crash", "panic"]))


def test_a_baseline_may_not_take_the_name_of_the_model() -> None:
    with pytest.raises(PredictionsInvalidError, match="another name"):
        score(DATE, SYMBOL, REGIME, TRUTH, PROBA, {"model": EVEN}, CLASSES)
