from __future__ import annotations

import numpy as np
import pytest

from registry.evidence import Evidence, EvidenceInvalidError

FINE = [[0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]


def evidence(**columns: object) -> Evidence:
    fine: dict[str, object] = {
        "date": np.array(["2020-03-02", "2020-03-02", "2020-03-03"], dtype="datetime64[D]"),
        "symbol": np.array(["SPY", "QQQ", "SPY"]),
        "regime": np.array(["crash", "crash", "unknown"]),
        "truth": np.array([0, 1, 2]),
        "candidate": np.array(FINE),
        "champion": np.array(FINE),
        "prior": np.array(FINE),
        "classes": ("sell", "hold", "buy"),
    }
    return Evidence(**(fine | columns))  # type: ignore[arg-type]  # wrong columns are the point


def refusal(**columns: object) -> tuple[str, str]:
    with pytest.raises(EvidenceInvalidError) as caught:
        evidence(**columns)
    return caught.value.code, str(caught.value)


def test_evidence_knows_its_length() -> None:
    assert len(evidence()) == 3


def test_rows_are_put_in_the_order_of_day_and_symbol() -> None:
    ordered = evidence().ordered()
    assert ordered.symbol.tolist() == ["QQQ", "SPY", "SPY"]
    assert ordered.truth.tolist() == [1, 0, 2]
    assert ordered.candidate[0].tolist() == [0.1, 0.8, 0.1]


def test_the_digest_sees_every_column_but_not_the_order() -> None:
    digests = {
        evidence(**change).digest()
        for change in (
            {"symbol": np.array(["SPY", "QQQ", "DIA"])},
            {"date": np.array(["2020-03-02", "2020-03-02", "2020-03-04"], dtype="datetime64[D]")},
            {"regime": np.array(["crash", "crash", "normal"])},
            {"truth": np.array([0, 1, 1])},
            {"candidate": np.array([*FINE[:2], [0.4, 0.2, 0.4]])},
            {"champion": np.array([*FINE[:2], [0.4, 0.2, 0.4]])},
            {"prior": None},
            {"classes": ("down", "flat", "up")},
        )
    }
    assert len(digests | {evidence().digest()}) == 9
    assert evidence().ordered().digest() == evidence().digest()


def test_a_missing_probability_is_refused_with_its_row() -> None:
    broken = np.array([*FINE[:2], [np.nan, 0.5, 0.5]])
    code, sentence = refusal(champion=broken)
    assert code == "probability"
    assert sentence.startswith("row 2 (SPY 2020-03-03, 1 such rows): a champion probability is missing")


@pytest.mark.parametrize("row", [[-0.1, 0.6, 0.5], [1.5, -0.5, 0.0], [np.inf, 0.0, 0.0]])
def test_a_number_outside_zero_and_one_is_no_probability(row: list[float]) -> None:
    assert refusal(candidate=np.array([row, *FINE[:2]]))[0] == "probability"


def test_probabilities_sum_to_one_within_a_millionth() -> None:
    assert len(evidence(prior=np.array([[0.2, 0.5, 0.3000009], *FINE[:2]]))) == 3
    code, sentence = refusal(prior=np.array([[0.2, 0.5, 0.300002], *FINE[:2]]))
    assert code == "probability"
    assert "row 0 (SPY 2020-03-02, 1 such rows): the prior probabilities do not sum to 1" in sentence


def test_a_symbol_has_one_row_a_day() -> None:
    code, sentence = refusal(symbol=np.array(["SPY", "SPY", "SPY"]))
    assert (code, sentence.split(":")[0]) == ("duplicate_row", "row 1 (SPY 2020-03-02, 1 such rows)")


@pytest.mark.parametrize("value", [-1, 3])
def test_a_truth_that_has_not_matured_is_refused(value: int) -> None:
    code, sentence = refusal(truth=np.array([0, value, 1]))
    assert code == "truth"
    assert "row 1 (QQQ 2020-03-02" in sentence


def test_a_truth_is_a_position_not_a_number_with_decimals() -> None:
    assert refusal(truth=np.array([0.0, 1.0, 2.0]))[0] == "truth"


def test_an_unheard_of_regime_is_refused() -> None:
    assert refusal(regime=np.array(["crash", "panic", "normal"]))[0] == "regime"


def test_a_day_without_a_date_is_refused() -> None:
    date = np.array(["2020-03-02", "NaT", "2020-03-03"], dtype="datetime64[D]")
    assert refusal(date=date)[0] == "date"


def test_dates_are_calendar_days() -> None:
    date = np.array(["2020-03-02", "2020-03-03", "2020-03-04"], dtype="datetime64[ns]")
    assert refusal(date=date)[0] == "date"


def test_every_row_has_every_column_and_every_class() -> None:
    assert refusal(candidate=np.array(FINE)[:, :2])[0] == "shape"
    assert refusal(regime=np.array(["crash", "crash"]))[0] == "shape"


def test_whole_numbers_are_no_probabilities() -> None:
    assert refusal(candidate=np.array([[0, 1, 0]] * 3))[0] == "probability"


def test_classes_are_named_once_each() -> None:
    assert refusal(classes=("sell", "hold", "hold"))[0] == "classes"


def test_without_champion_and_prior_there_is_nothing_to_compare_with() -> None:
    assert refusal(champion=None, prior=None)[0] == "baseline"
