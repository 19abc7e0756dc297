"""Controls beside a run: the same rows without one of its choices, so that the choice has a measured worth.

Two quick models stand for all: LightGBM and logistic regression, one of trees and one of lines. Their mean
with the choice is compared with their mean without it, on the same out-of-fold rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.ablation import paired_difference
from regime.fit_jobs import job_seed
from regime.fit_rows import choose_rows, renamed
from regime.fitting import PlannedFits
from regime.sampling import NATURAL
from regime.scoring import log_losses
from regime.validation import Fold
from regime.weights import NONE, WEIGHTS_CANDIDATES, WEIGHTS_CHOSEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.ablation import Ablation
    from regime.events import RareEvent
    from regime.fitting import Results
    from regime.recipe import TrainingSettings
    from regime.training_set import TrainingSet

CONTROL_MODELS: Final = ("lightgbm", "logistic_regression")
INNER_SHARE: Final = 0.2
"""Latest share of a fold's training days on which ``auto`` compares weight presets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Control:
    """One choice that is taken back: its name, and the settings and weights without it."""

    name: str
    settings: TrainingSettings
    unweighted: bool


def controls_of(settings: TrainingSettings) -> tuple[Control, ...]:
    """Give a control for each choice of the recipe that a user might regret."""
    if not settings.ablation:
        return ()
    found = []
    if settings.weights != NONE:
        found.append(Control(name="weights", settings=settings, unweighted=True))
    if settings.archive_share:
        found.append(Control(name="archive", settings=replace(settings, archive_share=0.0), unweighted=False))
    if settings.sampling != NATURAL:
        found.append(Control(name="sampling", settings=replace(settings, sampling=NATURAL), unweighted=False))
    return tuple(found)


def control_models(settings: TrainingSettings) -> tuple[str, ...]:
    """Give the models that stand for all; where neither is trained, the first one."""
    return tuple(name for name in CONTROL_MODELS if name in settings.models) or settings.models[:1]


def plan_controls(
    training_set: TrainingSet,
    settings: TrainingSettings,
    folds: Sequence[Fold],
    weights: Mapping[str, str],
    events: Sequence[RareEvent],
) -> list[PlannedFits]:
    """Give the fits of every control in every fold, named ``fold/control``."""
    return [
        PlannedFits(
            rows=renamed(
                choose_rows(
                    training_set,
                    control.settings,
                    fold,
                    weights=NONE if control.unweighted else weights[fold.name],
                    events=events,
                ),
                f"{fold.name}/{control.name}",
            ),
            models=control_models(settings),
        )
        for control in controls_of(settings)
        for fold in folds
    ]


def measure_controls(
    training_set: TrainingSet, settings: TrainingSettings, folds: Sequence[Fold], results: Results
) -> dict[str, Ablation]:
    """Give what each choice did, by name; a control that failed in a fold leaves that fold out."""
    found = {}
    for control in controls_of(settings):
        compared = [
            (fold, with_it, without_it)
            for fold in folds
            if (with_it := _mean(settings, fold.name, results)) is not None
            and (without_it := _mean(settings, f"{fold.name}/{control.name}", results)) is not None
        ]
        if compared:
            rows = np.concatenate([fold.validate for fold, _, _ in compared])
            found[control.name] = paired_difference(
                training_set.date[rows],
                training_set.regime[rows],
                training_set.y[rows],
                np.concatenate([with_it for _, with_it, _ in compared]),
                np.concatenate([without_it for _, _, without_it in compared]),
                rng=np.random.default_rng(job_seed(settings.seed, control.name, "ablation")),
            )
    return found


def plan_choice(
    training_set: TrainingSet, settings: TrainingSettings, folds: Sequence[Fold | None], names: Sequence[str]
) -> list[PlannedFits]:
    """Give the fits by which ``auto`` chooses weights in each fold: every preset on an inner split.

    The inner split is of the fold's training rows only: the last fifth of their days is predicted by what
    had matured before it.
    """
    if settings.weights != WEIGHTS_CHOSEN:
        return []
    plain = replace(settings, window_years=None, archive_share=0.0)
    return [
        PlannedFits(
            rows=choose_rows(
                training_set, plain, replace(inner, name=f"{name}/{preset}"), weights=preset, events=()
            ),
            models=control_models(settings),
        )
        for fold, name in zip(folds, names, strict=True)
        for inner in [_inner(training_set, fold, settings.walk_forward.embargo_days)]
        for preset in WEIGHTS_CANDIDATES
    ]


def chosen_weights(
    training_set: TrainingSet,
    settings: TrainingSettings,
    names: Sequence[str],
    plan: Sequence[PlannedFits],
    results: Results,
) -> dict[str, str]:
    """Give the preset of each fold: the settings', or the best on its inner split."""
    if settings.weights != WEIGHTS_CHOSEN:
        return dict.fromkeys(names, settings.weights)
    losses: dict[str, dict[str, float]] = {name: {} for name in names}
    for planned in plan:
        name, _, preset = planned.rows.name.partition("/")
        proba = _mean(settings, planned.rows.name, results)
        if proba is not None and planned.rows.validate is not None:
            losses[name][preset] = float(log_losses(training_set.y[planned.rows.validate], proba).mean())
    return {
        name: min(found, key=lambda preset: found[preset]) if found else NONE
        for name, found in losses.items()
    }


def _inner(training_set: TrainingSet, fold: Fold | None, embargo_days: int) -> Fold:
    rows = np.arange(len(training_set)) if fold is None else fold.train
    date, horizon_end = training_set.date[rows], training_set.horizon_end[rows]
    sessions = np.unique(date)
    cut = sessions[round(len(sessions) * (1 - INNER_SHARE)) - 1]
    learnable = np.searchsorted(sessions, horizon_end) + embargo_days < np.searchsorted(sessions, cut)
    train, validate = rows[learnable], rows[date >= cut]
    return Fold(
        name="inner",
        train=train,
        validate=validate,
        train_to=training_set.date[train].max() if len(train) else cut,
        validate_from=cut,
        validate_to=date.max(),
    )


def _mean(settings: TrainingSettings, name: str, results: Results) -> NDArray[np.float64] | None:
    probas = [results[model, name].proba for model in control_models(settings)]
    given = [proba for proba in probas if proba is not None]
    return None if not given else np.asarray(np.mean(given, axis=0))
