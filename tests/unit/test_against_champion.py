"""A new version beside the champion: only rows that both predicted count."""

from __future__ import annotations

import numpy as np

from daemon.children.against_champion import common_rows

DAYS = np.array(["2024-01-02", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
SYMBOLS = np.array(["A", "B", "A"])


def test_rows_are_matched_by_day_and_symbol_in_our_order() -> None:
    stored = {
        "date": np.array(["2024-01-03", "2024-01-02", "2024-01-04"], dtype="datetime64[D]"),
        "symbol": np.array(["A", "A", "B"]),
    }
    own, other = common_rows(DAYS, SYMBOLS, stored)
    assert own.tolist() == [0, 2]
    assert other.tolist() == [1, 0]


def test_versions_without_a_row_in_common_have_nothing_to_compare() -> None:
    stored = {"date": np.array(["2020-01-02"], dtype="datetime64[D]"), "symbol": np.array(["A"])}
    own, other = common_rows(DAYS, SYMBOLS, stored)
    assert len(own) == len(other) == 0
