"""Which rows a fit learns from, how often, and how much each counts; and an account of all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.archive_share import draw_archive
from regime.fit_jobs import FINAL, job_seed
from regime.sampling import NATURAL, sample, thin
from regime.types import REGIMES
from regime.validation import DAYS_A_YEAR
from regime.weights import (
    UNIQUENESS,
    effective_sample_size,
    regime_weights,
    uniqueness_of_rows,
    uniqueness_weights,
    weight_share,
    weights_named,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.events import RareEvent
    from regime.recipe import TrainingSettings
    from regime.training_set import TrainingSet
    from regime.types import Regime
    from regime.validation import Fold

SAMPLE: Final = "sample"
ARCHIVE: Final = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAccount:
    """What the models of one fold, or of the final fit, were fitted and judged on.

    Parameters
    ----------
    fold
        Its name.
    rows_available
        Rows that the split allows: matured, purged, after the embargo.
    every_days
        1, or n where only each n-th session was taken because there were more than ``rows_max``.
    rows_trained, rows_validated
        Rows that were learnt from, repeats included, and rows that were predicted.
    rows_distinct
        Rows without their repeats.
    rows_effective
        Kish's sample size under the weights, blind to overlap in time.
    weights
        The preset that was used, which ``auto`` chose.
    weight_share
        Share of the total training weight by regime, ``None`` where a regime has no rows.
    regimes_absent
        Regimes without a row: nothing was learnt about them.
    archive
        Rows drawn by rare event; empty where none was asked for.
    """

    fold: str
    rows_available: int
    every_days: int
    rows_trained: int
    rows_distinct: int
    rows_validated: int
    rows_effective: float
    weights: str
    weight_share: Mapping[Regime, float | None]
    regimes_absent: tuple[Regime, ...]
    archive: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitRows:
    """The rows of one fit, ascending and with repeats, and their weights; ``validate`` is None at the end."""

    name: str
    train: NDArray[np.intp]
    validate: NDArray[np.intp] | None
    sample_weight: NDArray[np.float64]
    account: FitAccount


def choose_rows(
    training_set: TrainingSet,
    settings: TrainingSettings,
    fold: Fold | None,
    *,
    weights: str,
    events: Sequence[RareEvent],
) -> FitRows:
    """Choose the rows of a fold, or with ``None`` of the final fit, from what the split allows.

    In this order, each after the split and of its training rows only: window and archive, each n-th session,
    over-sampling, weights. Chance comes from the run's seed and the fold's name.
    """
    name = FINAL if fold is None else fold.name
    available = np.arange(len(training_set)) if fold is None else fold.train
    rows, archive = _in_window(training_set, settings, fold, available, events)
    every_days = -(-len(rows) // settings.rows_max)
    if every_days > 1:
        rows = rows[thin(training_set.date[rows], every_days)]
    if settings.sampling != NATURAL:
        rng = np.random.default_rng(_seed(settings, SAMPLE, name))
        rows = rows[
            sample(
                training_set.regime[rows],
                settings.sampling,
                replication_max=settings.replication_max,
                rng=rng,
            ).rows
        ]
    sample_weight = weigh(training_set, rows, weights)
    account = FitAccount(
        fold=name,
        rows_available=len(available),
        every_days=every_days,
        rows_trained=len(rows),
        rows_distinct=len(np.unique(rows)),
        rows_validated=0 if fold is None else len(fold.validate),
        rows_effective=effective_sample_size(sample_weight),
        weights=weights,
        weight_share=weight_share(training_set.regime[rows], sample_weight),
        regimes_absent=tuple(
            regime for regime in REGIMES if regime.value not in set(training_set.regime[rows].tolist())
        ),
        archive=archive,
    )
    validate = None if fold is None else fold.validate
    return FitRows(name=name, train=rows, validate=validate, sample_weight=sample_weight, account=account)


def renamed(rows: FitRows, name: str) -> FitRows:
    """Give the same rows under another name, that of a control beside them."""
    return replace(rows, name=name)


def weigh(training_set: TrainingSet, rows: NDArray[np.intp], preset: str) -> NDArray[np.float64]:
    """Give the weights of rows under a preset, shape (n_rows,), with mean 1."""
    if preset == UNIQUENESS:
        return uniqueness_weights(
            uniqueness_of_rows(
                training_set.symbol[rows], training_set.date[rows], training_set.label_end[rows]
            )
        )
    regimes = training_set.regime[rows]
    return regime_weights(regimes, weights_named(preset, regimes))


def _seed(settings: TrainingSettings, what: str, name: str) -> int:
    """Give the seed of a draw; fits that stand beside a fold draw as it does."""
    return job_seed(settings.seed, what, name.partition("/")[0])


def _in_window(
    training_set: TrainingSet,
    settings: TrainingSettings,
    fold: Fold | None,
    available: NDArray[np.intp],
    events: Sequence[RareEvent],
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Give the rows of the rolling window and of the archive, and the archive's rows by event."""
    if settings.window_years is None:
        return available, {}
    date = training_set.date
    one_day = np.timedelta64(1, "D")
    before = date[-1] + one_day if fold is None else fold.validate_from
    window_from = before - np.timedelta64(round(settings.window_years * DAYS_A_YEAR), "D")
    if not settings.archive_share:
        return available[date[available] >= window_from], {}
    last_end = training_set.horizon_end[available].max() + one_day
    drawn = draw_archive(
        date,
        training_set.horizon_end,
        events,
        window_from=window_from,
        before=max(before, last_end) if fold is None else before,
        horizon_before=last_end,
        share=settings.archive_share,
        rng=np.random.default_rng(_seed(settings, ARCHIVE, FINAL if fold is None else fold.name)),
    )
    return drawn.rows, {event: each.rows_drawn for event, each in drawn.by_event.items()}
