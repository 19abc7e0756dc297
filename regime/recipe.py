"""The recipe of a training run: everything that decides what is learnt, beside the rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.barrier import inputs as barrier_inputs
from regime.barrier import parameters as barrier_parameters
from regime.errors import SettingInvalidError
from regime.models import MODELS, is_model_name, own_facts_of, parameters
from regime.models.pool import CALIBRATIONS, POOLS
from regime.sampling import PRESETS
from regime.validation import WalkForward
from regime.weights import UNIQUENESS, WEIGHTS_CHOSEN, weights_named

if TYPE_CHECKING:
    from regime.training_set import TrainingSet

ROWS_MIN: Final = 1000
"""Below this the five folds of five regimes hold a few days each, and nothing can be told apart."""

FROM_BARRIER: Final = "barrier"
FROM_NOTHING: Final = "nothing"
STARTS: Final = (FROM_BARRIER, FROM_NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What defines a training run beside its rows.

    Parameters
    ----------
    models
        Names out of ``MODELS`` or paths (``regime.models.is_model_name``), each once.
    ensemble
        How members become one: ``barrier_plus``, ``mean`` or ``stacking``; see ``regime.models.pool``.
    start_from
        What the models start from: ``barrier``, whose log-probabilities they correct, or ``nothing``.
    calibration
        ``none``, or ``regime``: the ensemble is recalibrated by regime on what has matured.
    market_features
        Whether the models see features that are the same for all symbols of a day.
    weights
        Weight preset by name (``regime.weights``), or ``auto``: the best on inner purged validation.
    sampling
        Sampling preset by name; see ``regime.sampling``.
    replication_max
        How often over-sampling may repeat a row.
    window_years
        Length of a rolling training window; ``None``: all matured history.
    archive_share
        Share of training rows that are drawn from rare events before the window; 0: none.
    rows_max
        Rows of a fit above which only each n-th session is taken.
    walk_forward
        How folds are cut.
    crisis_exam
        Whether every rare event is also predicted by models that never saw it.
    ablation
        Whether unweighted controls are fitted, so that the report can say what weighting did.
    quorum
        Models that must be fitted in each fold and in the final fit.
    rows_min
        Rows below which training is refused.
    seed
        Seed of every fit, not negative.

    Raises
    ------
    SettingInvalidError
        Naming every setting that cannot be.
    """

    models: tuple[str, ...] = tuple(MODELS)
    ensemble: str = "barrier_plus"
    start_from: str = FROM_BARRIER
    calibration: str = "none"
    market_features: bool = False
    weights: str = "reference"
    sampling: str = "natural"
    replication_max: int = 5
    window_years: float | None = None
    archive_share: float = 0.0
    rows_max: int = 25_000
    walk_forward: WalkForward = field(default_factory=WalkForward)
    crisis_exam: bool = False
    ablation: bool = True
    quorum: int = 5
    rows_min: int = ROWS_MIN
    seed: int = 20240106

    def __post_init__(self) -> None:
        faults = [sentence for is_fault, sentence in self._faults() if is_fault]
        if faults:
            raise SettingInvalidError("; ".join(faults))
        if self.weights not in (WEIGHTS_CHOSEN, UNIQUENESS):
            weights_named(self.weights, np.array([], dtype=np.str_))

    def _faults(self) -> tuple[tuple[bool, str], ...]:
        unknown = [name for name in self.models if not is_model_name(name)]
        return (
            (
                bool(unknown),
                f"models {unknown} do not exist, use {', '.join(MODELS)} or package.module:attribute",
            ),
            (len(set(self.models)) != len(self.models), f"models are {self.models}, name each once"),
            (self.ensemble not in POOLS, f"ensemble = {self.ensemble!r}, use {', '.join(POOLS)}"),
            (self.start_from not in STARTS, f"start_from = {self.start_from!r}, use {', '.join(STARTS)}"),
            (
                self.calibration not in CALIBRATIONS,
                f"calibration = {self.calibration!r}, use {', '.join(CALIBRATIONS)}",
            ),
            (self.sampling not in PRESETS, f"sampling = {self.sampling!r}, use {', '.join(PRESETS)}"),
            (self.replication_max < 1, f"replication_max = {self.replication_max}, give at least 1"),
            (
                self.window_years is not None and not self.window_years > 0,
                f"window_years = {self.window_years}, give more than 0, or none for all history",
            ),
            (not 0 <= self.archive_share < 1, f"archive_share = {self.archive_share}, give 0 to below 1"),
            (
                self.archive_share > 0 and self.window_years is None,
                f"archive_share = {self.archive_share} without window_years; all history holds the events",
            ),
            (self.rows_max < 1, f"rows_max = {self.rows_max}, give at least 1"),
            (
                not 1 <= self.quorum <= len(self.models),
                f"quorum = {self.quorum}, give 1 to {len(self.models)}, the number of models",
            ),
            (self.rows_min < 1, f"rows_min = {self.rows_min}, give at least 1"),
            (self.seed < 0, f"seed = {self.seed}, give 0 or more"),
        )


def recipe_hash(training_set: TrainingSet, settings: TrainingSettings) -> str:
    """Give the SHA-256 of everything but the rows that decides what is learnt.

    Settings, model parameters, feature catalogue, labeler and target. Two runs with the same hash differ
    only in their data, so that the gate may treat one as a refit of the other.
    """
    facts = {
        "settings": asdict(settings),
        "parameters": [
            {name: value for name, value in vars(module).items() if name.isupper()}
            for module in (parameters, barrier_parameters)
        ],
        "volatility": barrier_inputs.VERSION,
        "features": training_set.feature_hash,
        "labeler": training_set.labeler,
        "target": asdict(training_set.target),
        **({"own": own} if (own := own_facts_of(settings.models)) else {}),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
