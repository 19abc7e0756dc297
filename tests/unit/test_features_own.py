"""Columns of the user's own stand behind the 179, have a say in the hash, and see no future."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.children.data import Market
from regime.errors import FeatureMismatchError, SettingInvalidError
from regime.features import CATALOGUE, catalogue_hash
from regime.features.own import check_no_look_ahead, feature_hash, own_columns
from regime.labels import effective_fear, label_days, labeler_named
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

ALL = simulate(SimulationSettings(symbols=2, days=300), np.random.default_rng(1)).bars
BARS = ALL.take(ALL.symbol != FEAR)
INDEX_BARS = ALL.of_symbol(INDEX)
FEAR_BARS = effective_fear(INDEX_BARS, ALL.of_symbol(FEAR))
SHORT = Bars.of_closes("A", ["2024-01-02", "2024-01-03"], [2.0, 4.0])


def path(name: str) -> str:
    return f"{__name__}:{name}"


def gap(bars: Bars, index: Bars, fear: Bars) -> Mapping[str, NDArray[np.float64]]:
    assert len(index) >= len(np.unique(bars.date))
    assert len(fear) <= len(index)
    previous = np.append(np.nan, bars.close[:-1])
    previous[bars.first_rows()] = np.nan
    return {"gap": bars.open / previous - 1, "level": np.log(bars.close)}


def of_the_mean(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {"fine": bars.close, "share": bars.close / bars.close.mean()}


def of_tomorrow(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    following = np.append(bars.close[1:], np.nan)
    following[np.append(bars.first_rows()[1:], len(bars)) - 1] = np.nan
    return {"next": following}


def of_the_years(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {f"year_{year}": bars.close for year in np.unique(bars.date.astype("M8[Y]")).astype(str)}


def failing(_bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    raise KeyError("colour")


def changing(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    bars.close[0] = 1.0
    return {"close": bars.close}


def nothing(_bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {}


def too_short(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {"close": bars.close[1:]}


def infinite(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {"one_over": np.full(len(bars), np.inf)}


def badly_named(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {"Close Price": bars.close}


def no_numbers(bars: Bars, _index: Bars, _fear: Bars) -> Mapping[str, object]:
    return {"symbol": bars.symbol}


def market(own: str) -> Market:
    return Market(
        name="sim",
        bars=BARS,
        index=INDEX_BARS,
        fear=FEAR_BARS,
        labels=label_days(INDEX_BARS, ALL.of_symbol(FEAR), labeler_named("rules", has_fear=True)),
        own_features=own,
    )


def test_without_own_columns_the_table_and_its_hash_are_those_of_the_catalogue() -> None:
    table = market("").features()
    assert (len(table.names), table.catalogue_hash) == (179, catalogue_hash())
    assert feature_hash("", table.names) == catalogue_hash()


def test_own_columns_stand_behind_the_179_row_by_row() -> None:
    plain, table = market("").features(), market(path("gap")).features()
    assert table.names == (*(feature.name for feature in CATALOGUE), "own_gap", "own_level")
    assert np.array_equal(table.values[:, :179], plain.values, equal_nan=True)
    assert np.array_equal(table.values[:, 180], np.log(BARS.close))
    assert np.isnan(table.values[BARS.first_rows(), 179]).all()
    assert np.isfinite(table.values[:, 179]).sum() == len(BARS) - 3


def test_the_last_days_have_the_values_that_all_days_have() -> None:
    own = market(path("gap"))
    every, last = own.features(), own.features(last_days=7)
    assert len(last) == 21
    kept = every.date >= INDEX_BARS.date[-7]
    assert np.array_equal(last.values, every.values[kept], equal_nan=True)
    assert last.catalogue_hash == every.catalogue_hash


def test_the_hash_tells_functions_and_columns_apart_and_is_the_expected_one() -> None:
    table = market(path("gap")).features()
    assert table.catalogue_hash == feature_hash(path("gap"), table.names)
    others = {
        feature_hash("", table.names),
        feature_hash(path("gap"), table.names[:-1]),
        feature_hash(path("of_tomorrow"), table.names),
        table.catalogue_hash,
    }
    assert len(others) == 4


def test_another_text_or_version_of_the_module_makes_another_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a text of the same second and size is another one

    def hash_of(module: str, text: str) -> str:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return feature_hash(f"{module}:columns", ("own_a",))

    first = "def columns(bars, index, fear):\n    return {'a': bars.close}\n"
    second = "def columns(bars, index, fear):\n    return {'a': bars.open}\n"
    assert hash_of("own_text_a", first) != hash_of("own_text_b", first), "another path"
    found = [hash_of("own_versioned", f"__version__ = '{version}'\n{first}") for version in ("1", "1", "2")]
    assert found[0] == found[1] != found[2]
    import linecache  # noqa: PLC0415 - the text of a module that was written anew

    before = hash_of("own_text_c", first)
    linecache.clearcache()
    assert hash_of("own_text_c", second + "# longer than before\n") != before


def test_a_module_of_which_nothing_can_be_read_needs_a_version() -> None:
    with pytest.raises(
        FeatureMismatchError, match="source of 'math:hypot' cannot be read; give its module a"
    ):
        feature_hash("math:hypot", ("own_a",))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "failing",
            "raised KeyError: 'colour'; it must take (bars, index, fear) and give a mapping of names",
        ),
        ("changing", "raised ValueError: assignment destination is read-only; it must take"),
        ("no_numbers", "raised ValueError: could not convert string to float"),
        ("nothing", "gives no column; give one or more, or set it to ''"),
        ("too_short", "gives close of shape (1,); give one value for each of 2 bars"),
        ("infinite", "gives one_over with infinite values; what is not known must be NaN"),
        ("badly_named", "names a column 'Close Price'; use lower-case letters, digits and _, at most 60"),
    ],
)
def test_a_function_that_gives_no_columns_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(FeatureMismatchError) as raised:
        own_columns(path(name), SHORT, SHORT, SHORT)
    assert str(raised.value).startswith(f"features.own: {path(name)!r} {sentence}")


def test_a_path_that_gives_nothing_is_refused_with_the_setting() -> None:
    with pytest.raises(
        SettingInvalidError, match=r"features\.own: 'own_no:f' cannot be used, since there is"
    ):
        own_columns("own_no:f", SHORT, SHORT, SHORT)


def columns_of(name: str) -> dict[str, Any]:
    return own_columns(path(name), BARS, INDEX_BARS, FEAR_BARS)


def test_columns_that_see_no_future_pass() -> None:
    check_no_look_ahead(path("gap"), columns_of("gap"), BARS, INDEX_BARS, FEAR_BARS)


@pytest.mark.parametrize(("name", "column"), [("of_the_mean", "own_share"), ("of_tomorrow", "own_next")])
def test_a_column_that_sees_the_future_is_refused_with_its_name_and_the_day(name: str, column: str) -> None:
    day = INDEX_BARS.date[74]
    with pytest.raises(FeatureMismatchError) as raised:
        check_no_look_ahead(path(name), columns_of(name), BARS, INDEX_BARS, FEAR_BARS)
    first = day if name == "of_tomorrow" else INDEX_BARS.date[0]
    said = f"features.own: {path(name)!r} looks ahead: {column} of S001 on {first} is "
    assert str(raised.value).startswith(said)
    assert f" with bars through {day} and " in str(raised.value)


def test_columns_that_come_with_later_bars_are_refused() -> None:
    with pytest.raises(FeatureMismatchError, match=r"gives other columns for bars through .* than for all"):
        check_no_look_ahead(path("of_the_years"), columns_of("of_the_years"), BARS, INDEX_BARS, FEAR_BARS)


def test_training_is_refused_columns_that_look_ahead() -> None:
    with pytest.raises(FeatureMismatchError, match="looks ahead: own_next"):
        market(path("of_tomorrow")).features()
