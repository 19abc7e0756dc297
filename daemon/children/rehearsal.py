"""Parts of the user's own are tried on a little data before anything long begins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regime.errors import RegimeError, SettingInvalidError
from regime.features import CATALOGUE
from regime.features.own import check_no_look_ahead, own_columns
from regime.labels import days_of, effective_fear
from regime.labels.own import check_causal, own_labeler
from regime.models import assemble, check_models, fit
from regime.own import is_path
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from registry.errors import RegistryError
from registry.formats import dump_model, load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from daemon.settings import Settings
    from regime.types import Bars

ROWS: Final = 400
CLASSES: Final = 3
DAYS: Final = 400
UNKNOWN_SHARE: Final = 0.05
SEED: Final = 20240106


def rehearse_models(settings: Settings, n_features: int) -> None:
    """Fit, store, load and ask every model of the user's own on made-up rows of ``n_features``.

    So a classifier that cannot be stored is refused before it is trained for hours.

    Raises
    ------
    SettingInvalidError
        With one sentence on the first that cannot be used.
    """
    for name in settings.training.models:
        if is_path(name):
            _rehearse_model(name, n_features, settings.training.trusted_types)


def _rehearse_model(name: str, n_features: int, trusted: Collection[str]) -> None:
    check_models([name])
    try:
        differs = _differs_when_loaded(name, n_features, trusted)
    except RegistryError as error:
        raise SettingInvalidError(f"training.models: {name!r} cannot be stored: {error}") from error
    except Exception as error:  # foreign code raises what it likes
        raise SettingInvalidError(
            f"training.models: {name!r} cannot be used, a fit on made-up rows raised {type(error).__name__}:"
            f" {error}; correct the classifier"
        ) from error
    if differs:
        raise SettingInvalidError(
            f"training.models: {name!r} predicts something else after it was stored and loaded;"
            " keep all that it needs in attributes"
        )


def _differs_when_loaded(name: str, n_features: int, trusted: Collection[str]) -> bool:
    generator = np.random.default_rng(SEED)
    # Few distinct values, since some libraries take long to sort many of them into bins.
    X = np.round(generator.normal(size=(ROWS, n_features)), 1).astype(np.float32)
    y = np.digitize(X[:, 0] + generator.normal(size=ROWS), [-0.5, 0.5])
    X[generator.random(X.shape) < UNKNOWN_SHARE] = np.nan
    margin = np.log(np.full((ROWS, CLASSES), 1 / CLASSES))
    weights = generator.uniform(0.5, 2.0, ROWS)
    model = fit(name, X, y, sample_weight=weights, n_classes=CLASSES, seed=SEED, margin=margin)
    artifact = dump_model(model.parts(), trusted=trusted)
    parts: Any = load_model(artifact.format, artifact.content, sha256=artifact.sha256, trusted=trusted)
    again = assemble(name, parts, CLASSES)
    return not np.allclose(again.predict_proba(X, margin), model.predict_proba(X, margin), rtol=0, atol=1e-9)


def faults_of_own(settings: Settings) -> tuple[str, ...]:
    """Give one sentence on each part of the user's own that cannot be used; all of them are imported."""
    labeler, features = settings.labels.labeler, settings.features.own
    faults: list[str] = []
    n_features = len(CATALOGUE)
    if is_path(labeler):
        faults += _fault_of(lambda: _rehearse_labeler(labeler))
    if features:
        try:
            n_features += _rehearse_features(features)
        except RegimeError as error:
            faults.append(str(error))
    for name in filter(is_path, settings.training.models):
        trusted = settings.training.trusted_types
        faults += _fault_of(partial(_rehearse_model, name, n_features, trusted))
    return tuple(faults)


def _fault_of(attempt: Callable[[], object]) -> tuple[str, ...]:
    try:
        attempt()
    except RegimeError as error:
        return (str(error),)
    return ()


def _rehearse_labeler(path: str) -> None:
    bars = _made_up_bars()
    days = days_of(bars.of_symbol(INDEX), bars.of_symbol(FEAR))
    for has_fear in (True, False):
        check_causal(own_labeler(path, has_fear=has_fear), days)


def _rehearse_features(path: str) -> int:
    """Try the function on a made-up market, and give how many columns it adds."""
    bars = _made_up_bars()
    index = bars.of_symbol(INDEX)
    context = (
        bars.take(bars.symbol != FEAR),
        index,
        effective_fear(index, bars.of_symbol(FEAR)),
    )
    columns = own_columns(path, *context)
    check_no_look_ahead(path, columns, *context)
    return len(columns)


def _made_up_bars() -> Bars:
    return simulate(SimulationSettings(symbols=3, days=DAYS), np.random.default_rng(SEED)).bars
