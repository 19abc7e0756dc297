"""A new version beside the champion: only rows that both predicted, with one outcome, count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.children.stored import common_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Columns = dict[str, "NDArray[Any]"]


def columns(days: list[str], symbols: list[str], truth: list[int]) -> Columns:
    return {
        "date": np.array(days, dtype="datetime64[D]"),
        "symbol": np.array(symbols),
        "truth": np.array(truth),
    }


OWN = columns(["2024-01-02", "2024-01-02", "2024-01-03"], ["A", "B", "A"], [0, 1, 2])


def test_rows_are_matched_by_day_and_symbol_in_our_order() -> None:
    stored = columns(["2024-01-03", "2024-01-02", "2024-01-04"], ["A", "A", "B"], [2, 0, 1])
    own, other = common_rows(OWN, stored)
    assert own.tolist() == [0, 2]
    assert other.tolist() == [1, 0]


def test_a_row_whose_outcome_was_restated_since_is_not_compared() -> None:
    stored = columns(["2024-01-03", "2024-01-02"], ["A", "A"], [2, 1])
    own, other = common_rows(OWN, stored)
    assert own.tolist() == [2]
    assert other.tolist() == [0]


def test_versions_without_a_row_in_common_have_nothing_to_compare() -> None:
    own, other = common_rows(OWN, columns(["2020-01-02"], ["A"], [0]))
    assert len(own) == len(other) == 0
