"""What surrounds a symbol: index and fear as known on the day, the day's other symbols, the quarter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from regime.errors import SettingInvalidError
from regime.features import compute_features
from regime.types import Bars, FeatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS: Final = 40
DATE: Final = np.datetime64("2024-01-01") + np.arange(DAYS)
CLOSE: Final = 100.0 + np.resize([0.0, 3.0, 1.0, 4.0, 1.0, 5.0, 9.0], DAYS)


def bars_of(symbol: str, close: NDArray[np.float64], date: NDArray[np.datetime64] = DATE) -> Bars:
    return Bars.of(symbol, date, close, close + 1, close - 1, close, np.full(len(close), 1e6))


def column(table: FeatureTable, name: str, symbol: str = "A") -> NDArray[np.float64]:
    return np.asarray(table.values[table.symbol == symbol, table.names.index(name)])


def rising(rate: float) -> NDArray[np.float64]:
    return np.asarray(100 * np.exp(rate * np.arange(DAYS)))


def test_no_bars_have_no_features() -> None:
    table = compute_features(Bars.empty(), index=Bars.empty())
    assert table.values.shape == (0, 179)


def test_a_single_bar_has_what_needs_no_history() -> None:
    bars = bars_of("A", CLOSE[:1], DATE[:1])
    table = compute_features(bars, index=bars, fear=Bars.of_closes("^F", DATE[:1], [20.0]))
    known = [name for name, value in zip(table.names, table.values[0], strict=True) if not np.isnan(value)]
    assert known == [
        "candle_body",
        "upper_shadow",
        "lower_shadow",
        "fear_level",
        "quarter_sine",
        "quarter_cosine",
    ]


def test_rows_keep_the_order_of_the_bars() -> None:
    bars = Bars.concat([bars_of("B", CLOSE), bars_of("A", CLOSE[5:], DATE[5:])])
    table = compute_features(bars, index=bars_of("^I", CLOSE))
    assert table.symbol.tolist() == ["A"] * 35 + ["B"] * 40
    assert np.array_equal(table.date, bars.date)


def test_an_index_of_two_symbols_is_refused() -> None:
    two = Bars.concat([bars_of("^I", CLOSE), bars_of("^J", CLOSE)])
    with pytest.raises(SettingInvalidError, match=r"index holds the symbols \^I, \^J; give the bars of one"):
        compute_features(bars_of("A", CLOSE), index=two)


def test_fear_is_carried_for_five_bars_and_then_not_known() -> None:
    fear = Bars.of_closes("^F", DATE[:10], np.full(10, 20.0))
    level = column(compute_features(bars_of("A", CLOSE), index=Bars.empty(), fear=fear), "fear_level")
    assert level[:15] == pytest.approx(np.log(20.0))
    assert np.isnan(level[15:]).all()


def test_the_days_that_carry_are_those_of_the_symbol() -> None:
    weekly = DATE[::7]
    fear = Bars.of_closes("^F", DATE[:1], [20.0])
    bars = bars_of("A", CLOSE[: len(weekly)], weekly)
    level = column(compute_features(bars, index=Bars.empty(), fear=fear), "fear_level")
    assert level == pytest.approx(np.log(20.0))


def test_fear_of_tomorrow_is_not_known_today() -> None:
    fear = Bars.of_closes("^F", DATE[20:], np.full(20, 20.0))
    level = column(compute_features(bars_of("A", CLOSE), index=Bars.empty(), fear=fear), "fear_level")
    assert np.isnan(level[:20]).all()
    assert level[20:] == pytest.approx(np.log(20.0))


def test_index_features_are_of_the_index_also_where_the_symbol_paused() -> None:
    index = bars_of("^I", CLOSE)
    paused = (np.arange(DAYS) < 25) | (np.arange(DAYS) > 35)
    table = compute_features(bars_of("A", CLOSE[paused] * 2, DATE[paused]), index=index)
    assert column(table, "index_return_5")[-1] == pytest.approx(np.log(CLOSE[39] / CLOSE[34]))


def test_relative_strength_compares_the_same_days_over_a_pause() -> None:
    paused = (np.arange(DAYS) < 25) | (np.arange(DAYS) > 35)
    table = compute_features(
        bars_of("A", rising(0.03)[paused], DATE[paused]), index=bars_of("^I", rising(0.01))
    )
    assert column(table, "relative_strength_20")[-1] == pytest.approx(31 * 0.02)


def test_an_index_that_is_also_a_symbol_moves_with_itself() -> None:
    close = np.resize(CLOSE, 200)
    index = bars_of("^I", close, np.datetime64("2024-01-01") + np.arange(200))
    table = compute_features(index, index=index)
    names = ("beta_60", "index_correlation_60", "idiosyncratic_share_120", "relative_strength_120")
    assert [column(table, name, "^I")[-1] for name in names] == pytest.approx([1.0, 1.0, 0.0, 0.0])


def three_symbols(sectors: dict[str, str]) -> FeatureTable:
    bars = Bars.concat(
        [bars_of(name, rising(rate)) for name, rate in (("A", 0.01), ("B", 0.03), ("C", -0.01))]
    )
    return compute_features(bars, index=Bars.empty(), sectors=sectors)


def test_ranks_are_centred_and_ties_share() -> None:
    bars = Bars.concat(
        [bars_of("A", rising(0.01)), bars_of("B", rising(0.03)), bars_of("C", 7 * rising(0.01))]
    )
    table = compute_features(bars, index=Bars.empty())
    ranks = [column(table, "rank_momentum_20", name)[-1] for name in ("A", "B", "C")]
    assert ranks == pytest.approx([1 / 3, 5 / 6, 1 / 3])


def test_a_symbol_alone_is_in_the_middle() -> None:
    table = compute_features(bars_of("A", CLOSE), index=Bars.empty())
    names = ("rank_momentum_20", "dispersion_20", "sector_relative_20", "breadth_rising_5")
    assert [column(table, name)[-1] for name in names] == pytest.approx([0.5, 0.0, 0.0, 0.0])


def test_breadth_is_the_share_of_the_symbols_of_the_day() -> None:
    assert column(three_symbols({}), "breadth_rising_5")[-1] == pytest.approx(2 / 3)


def test_dispersion_is_the_deviation_across_symbols() -> None:
    expected = 20 * np.std([0.01, 0.03, -0.01])
    assert column(three_symbols({}), "dispersion_20")[-1] == pytest.approx(expected)


def test_a_symbol_is_compared_with_its_sector_and_without_one_with_all() -> None:
    table = three_symbols({"A": "Energy", "B": "Energy"})
    relative = [column(table, "sector_relative_20", name)[-1] for name in ("A", "B", "C")]
    assert relative == pytest.approx([-0.2, 0.2, -0.4])


def test_symbols_without_sectors_are_one_group() -> None:
    table = three_symbols({})
    relative = [column(table, "sector_relative_20", name)[-1] for name in ("A", "B", "C")]
    assert relative == pytest.approx([0.0, 0.4, -0.4])


def test_a_symbol_in_its_warm_up_is_not_compared() -> None:
    bars = Bars.concat([bars_of("A", rising(0.01)), bars_of("B", rising(0.03)[30:], DATE[30:])])
    table = compute_features(bars, index=Bars.empty())
    assert column(table, "rank_momentum_20")[-1] == pytest.approx(0.5)
    assert np.isnan(column(table, "rank_momentum_20", "B")).all()


def test_the_quarter_turns_once() -> None:
    date = np.array(["2024-01-01", "2024-02-15", "2024-04-01"], dtype="datetime64[D]")
    table = compute_features(bars_of("A", CLOSE[:3], date), index=Bars.empty())
    assert column(table, "quarter_cosine") == pytest.approx([1.0, np.cos(2 * np.pi * 45 / 91), 1.0])
    assert column(table, "quarter_sine") == pytest.approx([0.0, np.sin(2 * np.pi * 45 / 91), 0.0])
