"""Regimes as small integers, so that rows can be counted and summed by regime at numpy's speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import RegimeError
from regime.types import Regime

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODED_REGIMES: Final = tuple(Regime)
"""All six regimes; the code of a regime is its position here, and ``unknown`` is the last."""

REGIME_COUNT: Final = len(CODED_REGIMES) - 1
"""The five; the codes of regimes that are known are below it."""

_NAMES: Final = np.array([regime.value for regime in CODED_REGIMES])
_BY_NAME: Final = np.argsort(_NAMES)


class RegimeNameUnknownError(RegimeError):
    """A row carries a regime that does not exist."""


def regime_codes(regimes: NDArray[np.str_]) -> NDArray[np.intp]:
    """Give the position in ``CODED_REGIMES`` of each regime name, shape (n_rows,).

    Raises
    ------
    RegimeNameUnknownError
        If a name is none of the six.

    >>> regime_codes(np.array(["crash", "unknown", "normal"])).tolist()
    [0, 5, 3]
    """
    names = np.asarray(regimes, dtype=np.str_)
    place = np.searchsorted(_NAMES, names, sorter=_BY_NAME)
    codes = _BY_NAME[np.minimum(place, len(_NAMES) - 1)]
    wrong = _NAMES[codes] != names
    if wrong.any():
        at = int(wrong.argmax())
        raise RegimeNameUnknownError(
            f"row {at} has the regime {str(names[at])!r} ({int(wrong.sum())} such rows);"
            f" use one of {', '.join(_NAMES)}"
        )
    return codes
