"""Columns of the user's own beside the 179: checked, aligned, and made to prove that they see no future."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import FeatureMismatchError
from regime.features.catalogue import catalogue_hash
from regime.own import imported
from regime.types import Bars, FeatureTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    OwnFeatures = Callable[[Bars, Bars, Bars], Mapping[str, object]]

SETTING: Final = "features.own"
PREFIX: Final = "own_"
CUTS: Final = (0.25, 0.5, 0.75)
"""Shares of the history after which it is cut off to see whether earlier values change."""
RELATIVE_TOLERANCE: Final = 1e-6
SCALE_TOLERANCE: Final = 1e-9
"""Values are narrowed to single precision (1.2e-7), so that smaller differences are rounding; beside that
a share of the column's largest value, for values that nearly cancel. Chosen by the authors of regimed."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


def own_columns(path: str, bars: Bars, index: Bars, fear: Bars) -> dict[str, NDArray[np.float64]]:
    """Compute the columns that a path's function gives for ``bars``, each under its name with the prefix.

    The function is called with ``(bars, index, fear)``: the bars of all symbols sorted by symbol and date,
    those of the index, and the effective fear by day. It gives, by name, values of shape (n_bars,) in the
    order of ``bars``, NaN where not known; row t must be known at the close of its day.

    Raises
    ------
    SettingInvalidError
        If the path cannot be imported.
    FeatureMismatchError
        If the function raises, or gives another thing.

    >>> bars = Bars.of_closes("A", ["2024-01-02", "2024-01-03"], [2.0, 4.0])
    >>> own_columns("operator:attrgetter", bars, bars, bars)
    Traceback (most recent call last):
    regime.errors.FeatureMismatchError: features.own: 'operator:attrgetter' raised TypeError: ...
    """
    compute: OwnFeatures = imported(path, SETTING)  # type: ignore[assignment]  # checked by what it gives
    try:
        given = dict(compute(_locked(bars), _locked(index), _locked(fear)))
        columns = {name: np.array(values, dtype=np.float64) for name, values in given.items()}
    except Exception as error:  # foreign code raises what it likes
        raise FeatureMismatchError(
            f"{SETTING}: {path!r} raised {type(error).__name__}: {error}; it must take (bars, index, fear)"
            " and give a mapping of names to numbers"
        ) from error
    if not columns:
        raise FeatureMismatchError(f"{SETTING}: {path!r} gives no column; give one or more, or set it to ''")
    for name, values in columns.items():
        _check_column(path, name, values, len(bars))
    return {PREFIX + name: values for name, values in columns.items()}


def _locked(bars: Bars) -> Bars:
    """Give bars that foreign code can read but not change."""
    views = {field.name: getattr(bars, field.name).view() for field in fields(bars)}
    for view in views.values():
        view.flags.writeable = False
    return Bars(**views)


def _check_column(path: str, name: object, values: NDArray[np.float64], n_bars: int) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FeatureMismatchError(
            f"{SETTING}: {path!r} names a column {name!r}; use lower-case letters, digits and _, at most 60"
        )
    if values.shape != (n_bars,):
        raise FeatureMismatchError(
            f"{SETTING}: {path!r} gives {name} of shape {values.shape}; give one value for each of"
            f" {n_bars} bars"
        )
    if np.isinf(values).any():
        raise FeatureMismatchError(
            f"{SETTING}: {path!r} gives {name} with infinite values; what is not known must be NaN"
        )


def with_own(table: FeatureTable, path: str, columns: Mapping[str, NDArray[np.float64]]) -> FeatureTable:
    """Give a table with further columns, shape (n_rows,) each, and the hash of both."""
    names = (*table.names, *columns)
    values = np.empty((len(names), len(table)), dtype=table.values.dtype)
    values[: len(table.names)] = table.values.T
    for row, column in enumerate(columns.values(), start=len(table.names)):
        values[row] = column
    return FeatureTable(
        symbol=table.symbol,
        date=table.date,
        names=names,
        values=values.T,
        catalogue_hash=feature_hash(path, names),
    )


def feature_hash(path: str, names: Sequence[str]) -> str:
    """Give the hash of the features in force: of the catalogue, or of it and the user's own columns.

    Parameters
    ----------
    path
        The function of the user's own columns, empty for none.
    names
        All names of the table that it is asked for; only those with the prefix have a say.

    >>> feature_hash("", ["rsi_14"]) == catalogue_hash()
    True
    """
    if not path:
        return catalogue_hash()
    own = [name for name in names if name.startswith(PREFIX)]
    facts = repr((catalogue_hash(), path, _source(path), own))
    return hashlib.sha256(facts.encode()).hexdigest()


def _source(path: str) -> str:
    """Give what tells one state of the code from another: its module's version, or else its text."""
    function = imported(path, SETTING)
    module = sys.modules.get(getattr(function, "__module__", None) or path.partition(":")[0])
    version = getattr(module, "__version__", None)
    if version is not None:
        return f"version {version}"
    try:
        return inspect.getsource(module)  # type: ignore[arg-type]  # no module is a TypeError, too
    except (OSError, TypeError) as error:
        raise FeatureMismatchError(
            f"{SETTING}: the source of {path!r} cannot be read; give its module a __version__, so that"
            " a change is noticed"
        ) from error


def check_no_look_ahead(
    path: str,
    columns: Mapping[str, NDArray[np.float64]],
    bars: Bars,
    index: Bars,
    fear: Bars,
) -> None:
    """Refuse columns of which a value changes when the days after it are taken away.

    The history is cut off at three days, and everything is computed again from what is left.

    Parameters
    ----------
    columns
        What ``own_columns`` gave for all of ``bars``.

    Raises
    ------
    FeatureMismatchError
        If a value at or before one of those days is another then; it names the column and the day.
    """
    days = np.unique(bars.date)
    for share in CUTS:
        last = days[int(share * (len(days) - 1))]
        kept = bars.date <= last
        cut = bars.take(kept)
        again = own_columns(path, cut, _until(index, last), _until(fear, last))
        if list(again) != list(columns):
            raise FeatureMismatchError(
                f"{SETTING}: {path!r} gives other columns for bars through {last} than for all;"
                " give the same ones for any history"
            )
        for name, values in columns.items():
            _check_same(path, name, values[kept], again[name], cut, last)


def _check_same(
    path: str,
    name: str,
    values: NDArray[np.float64],
    again: NDArray[np.float64],
    bars: Bars,
    last: np.datetime64,
) -> None:
    scale = SCALE_TOLERANCE * float(np.nanmax(np.abs(values), initial=0.0))
    differs = ~np.isclose(again, values, rtol=RELATIVE_TOLERANCE, atol=scale, equal_nan=True)
    if differs.any():
        at = int(differs.argmax())
        raise FeatureMismatchError(
            f"{SETTING}: {path!r} looks ahead: {name} of {bars.symbol[at]} on {bars.date[at]} is"
            f" {again[at]:g} with bars through {last} and {values[at]:g} with all; use what was known then"
        )


def _until(bars: Bars, last: np.datetime64) -> Bars:
    return bars.take(bars.date <= last)
