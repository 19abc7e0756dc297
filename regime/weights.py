"""How much each training row counts, by its regime or by how much of its own it says."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.codes import CODED_REGIMES, regime_codes
from regime.errors import SettingInvalidError
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NONE: Final = "none"
UNIQUENESS: Final = "uniqueness"
WEIGHTS_CHOSEN: Final = "auto"
"""The preset that is chosen in each fold out of ``WEIGHTS_CANDIDATES``."""
WEIGHTS_CANDIDATES: Final = (NONE, "reference", UNIQUENESS, "inverse_frequency")

RATIO_MAX: Final = 10.0
"""Bound of ``inverse_frequency``: a regime of a few rows must not outweigh all others together."""

WEIGHTS: Final[Mapping[str, Mapping[Regime, float]]] = MappingProxyType(
    {
        "reference": MappingProxyType(
            {
                Regime.CRASH: 2.0,
                Regime.RECOVERY: 1.5,
                Regime.HIGH_VOLATILITY: 1.3,
                Regime.NORMAL: 1.0,
                Regime.LOW_VOLATILITY: 0.8,
            }
        ),
        "none": MappingProxyType(dict.fromkeys(REGIMES, 1.0)),
    }
)
"""The presets that don't depend on the rows. ``reference`` was set by hand in the system before this one."""


def weights_named(name: str, regimes: NDArray[np.str_]) -> Mapping[Regime, float]:
    """Give the weight of each regime by a preset's name, for training rows with ``regimes``.

    Raises
    ------
    SettingInvalidError
        If there is no such preset.

    >>> weights_named("reference", np.array(["normal"]))[Regime.CRASH]
    2.0
    """
    if name == "inverse_frequency":
        return inverse_frequency(regimes)
    if name not in WEIGHTS:
        known = ", ".join((*WEIGHTS, "inverse_frequency"))
        raise SettingInvalidError(f"weights {name!r} do not exist; use one of {known}")
    return WEIGHTS[name]


def inverse_frequency(regimes: NDArray[np.str_]) -> Mapping[Regime, float]:
    """Give weights under which every regime that occurs counts the same in total.

    No weight is more than ten times the smallest. A regime without rows has weight 1, which no row
    carries; rows of ``unknown`` are not counted.

    >>> inverse_frequency(np.array(["normal", "normal", "normal", "crash"]))[Regime.CRASH]
    2.0
    """
    rows = np.bincount(regime_codes(regimes), minlength=len(CODED_REGIMES))[: len(REGIMES)]
    present = rows > 0
    weights = np.ones(len(REGIMES))
    if present.any():
        weights[present] = rows.sum() / (present.sum() * rows[present])
        weights[present] = np.minimum(weights[present], RATIO_MAX * weights[present].min())
    return dict(zip(REGIMES, weights.tolist(), strict=True))


def regime_weights(regimes: NDArray[np.str_], weights: Mapping[Regime, float]) -> NDArray[np.float64]:
    """Give the ``sample_weight`` of rows by their regime, shape (n_rows,), with mean 1.

    Mean 1 keeps regularisation and learning rates what they are without weights. Rows of ``unknown``
    weigh what ``normal`` weighs.

    Raises
    ------
    SettingInvalidError
        If ``weights`` lacks one of the five regimes, or one is not positive and finite.

    >>> regime_weights(np.array(["crash", "normal"]), WEIGHTS["reference"]).round(3).tolist()
    [1.333, 0.667]
    """
    missing = [regime.value for regime in REGIMES if regime not in weights]
    if missing:
        raise SettingInvalidError(f"weights lack {', '.join(missing)}; give all five regimes")
    by_code = np.array([weights[regime] for regime in (*REGIMES, Regime.NORMAL)], dtype=np.float64)
    return _with_mean_one(by_code[regime_codes(regimes)], by_code)


def uniqueness_weights(uniqueness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the ``sample_weight`` of rows by their average label uniqueness, with mean 1.

    Lopez de Prado (2018, section 4.5): a row that shares its returns with many others tells less. Both
    have shape (n_rows,); the uniqueness is that of ``uniqueness_of_rows``, or of
    ``regime.targets.average_uniqueness`` where bars are at hand.

    Raises
    ------
    SettingInvalidError
        If a value is not positive and finite: the row has no known label and must not train.

    >>> uniqueness_weights(np.array([0.25, 0.75])).tolist()
    [0.5, 1.5]
    """
    return _with_mean_one(uniqueness, uniqueness)


def uniqueness_of_rows(
    symbol: NDArray[np.str_],
    date: NDArray[np.datetime64],
    label_end: NDArray[np.datetime64],
    sessions: NDArray[np.datetime64] | None = None,
) -> NDArray[np.float64]:
    """Give how much of its own the label of each training row is, shape (n_rows,), in (0, 1].

    What ``regime.targets.average_uniqueness`` says of bars, for rows of which the bars are not at hand: a
    label spans the sessions after its day up to its end, each session is shared by c labels of the
    symbol, and the mean of 1 / c over them is the uniqueness (Lopez de Prado 2018, section 4.4). Exactly
    these rows are counted, a repeated row each time, so that nothing after a fold's cut has a say.

    Both functions agree if all ``sessions`` are given and no symbol misses one. Without them only days on
    which a row stands or a label ends are sessions: the labels that reach beyond the last row may then be
    off by some hundredths, and among thinned rows the days left out have no say.

    Parameters
    ----------
    symbol, date, label_end
        Shape (n_rows,), in any order: the key of each row, and the day on which its label was decided.
    sessions
        Further trading days, in any order and number; they may go beyond the rows.

    Raises
    ------
    SettingInvalidError
        If a label does not end after its day: the row has no known label and must not train.

    >>> days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> uniqueness_of_rows(np.array(["SPY", "SPY"]), days[:2], days[[2, 2]]).tolist()
    [0.75, 0.5]
    """
    _check_label_ends(symbol, date, label_end)
    days = np.unique(np.concatenate((date, label_end) if sessions is None else (date, label_end, sessions)))
    width = len(days) + 1
    names, codes = np.unique(symbol, return_inverse=True)
    first = codes * width + np.searchsorted(days, date, side="right")
    stop = codes * width + np.searchsorted(days, label_end, side="right")
    cells = len(names) * width
    concurrent = np.cumsum(np.bincount(first, minlength=cells) - np.bincount(stop, minlength=cells))
    share = np.divide(1.0, concurrent, out=np.zeros(cells), where=concurrent > 0)
    before = np.concatenate(([0.0], np.cumsum(share)))
    uniqueness: NDArray[np.float64] = (before[stop] - before[first]) / (stop - first)
    return uniqueness


def weight_share(
    regimes: NDArray[np.str_], sample_weight: NDArray[np.float64]
) -> Mapping[Regime, float | None]:
    """Give the share of the total weight that each regime carries; ``None`` for a regime without rows.

    The shares of all six, ``unknown`` included, sum to 1.

    >>> weight_share(np.array(["crash", "normal"]), np.array([3.0, 1.0]))[Regime.CRASH]
    0.75
    """
    codes = regime_codes(regimes)
    rows = np.bincount(codes, minlength=len(CODED_REGIMES))
    mass = np.bincount(codes, weights=sample_weight, minlength=len(CODED_REGIMES))
    total = float(mass.sum())
    return {
        regime: float(mass[code]) / total if rows[code] and total > 0 else None
        for code, regime in enumerate(CODED_REGIMES)
    }


def effective_sample_size(sample_weight: NDArray[np.float64]) -> float:
    """Give how many equally weighted rows have the same variance of a mean: (sum w)^2 / sum w^2.

    Kish (1965, section 11.7). It knows only of weights: rows that overlap in time count in full.

    >>> round(effective_sample_size(np.array([1.0, 1.0, 2.0])), 3)
    2.667
    """
    squares = float(np.square(sample_weight).sum())
    return float(sample_weight.sum()) ** 2 / squares if squares > 0 else 0.0


def _check_label_ends(
    symbol: NDArray[np.str_], date: NDArray[np.datetime64], label_end: NDArray[np.datetime64]
) -> None:
    if not len(symbol) == len(date) == len(label_end):
        raise SettingInvalidError(
            f"{len(symbol)} symbols, {len(date)} days and {len(label_end)} label ends; give every row all"
        )
    wrong = ~(label_end > date)  # NaT compares false, so that an unknown end is wrong too
    if wrong.any():
        at = int(wrong.argmax())
        raise SettingInvalidError(
            f"{symbol[at]} {date[at]} has its label end on {label_end[at]} ({int(wrong.sum())} such rows);"
            " leave rows out whose label is not known"
        )


def _with_mean_one(weights: NDArray[np.float64], checked: NDArray[np.float64]) -> NDArray[np.float64]:
    wrong = ~((checked > 0) & (checked < np.inf))
    if wrong.any():
        raise SettingInvalidError(
            f"a weight is {checked[wrong.argmax()]}; give positive finite weights, or leave the row out"
        )
    return weights / weights.mean() if len(weights) else weights
