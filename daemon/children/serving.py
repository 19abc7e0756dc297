"""A version that answers: golden-checked before it may, silent with a reason where it should not guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.children.champion import LoadedVersion, load_version, require_golden
from daemon.children.references import PREFIX
from regime.drift import FeatureRange
from regime.errors import FeatureMismatchError
from regime.models.ensemble import Inputs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from daemon.children.data import Market
    from daemon.settings import ServingSettings
    from regime.drift.bounds import RangeReference
    from regime.types import FeatureTable
    from registry.store import Registry
    from registry.types import ModelVersion

NAMED_MAX: Final = 3
"""Features that a reason names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a version says of a symbol after the close of a day: probabilities by class, or why none.

    Of ``probabilities`` and ``abstained`` exactly one is ``None``.
    """

    version: str
    symbol: str
    day: dt.date
    regime: str
    probabilities: Mapping[str, float] | None
    abstained: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingVersion:
    """A loaded version and the range of each feature on its training days."""

    loaded: LoadedVersion
    reference: RangeReference

    @property
    def version(self) -> ModelVersion:
        """The version that it is."""
        return self.loaded.version


def load_serving(
    registry: Registry, version: ModelVersion, *, trusted: Collection[str] = ()
) -> ServingVersion:
    """Load a version, and let it answer only if it gives its golden predictions.

    Raises
    ------
    RegistryError
        If an artifact is missing, changed or refused, or a golden prediction is another one.
    """
    loaded = load_version(registry, version, trusted=trusted)
    require_golden(registry, loaded)
    monitor = FeatureRange()
    stored = registry.artifacts(version.name)[PREFIX + monitor.name]
    reference = monitor.load_reference(registry.get_blob(stored.sha256))
    return ServingVersion(loaded=loaded, reference=reference)


def answer_day(
    serving: ServingVersion,
    market: Market,
    features: FeatureTable,
    day: np.datetime64,
    settings: ServingSettings,
) -> tuple[Prediction, ...]:
    """Answer for every symbol that has a bar on ``day``; known at the close of that day.

    Raises
    ------
    FeatureMismatchError
        If the features are not those of the version.
    """
    rows = features.take(features.date == day)
    regime = market.labels.regime[int(np.searchsorted(market.labels.date, day))]
    inputs = serving.loaded.inputs_of(rows, market, np.full(len(rows), regime.value))
    return answer_rows(serving, rows, inputs, settings)


def answer_rows(
    serving: ServingVersion, rows: FeatureTable, inputs: Inputs, settings: ServingSettings
) -> tuple[Prediction, ...]:
    """Answer for rows of features; a row that it abstains from is not shown to the models.

    Raises
    ------
    FeatureMismatchError
        If the features are not those of the version.
    """
    manifest = serving.version.manifest
    if rows.catalogue_hash != manifest.feature_hash:
        raise FeatureMismatchError(
            f"{serving.version.name} was trained on features {manifest.feature_hash[:12]}, these are"
            f" {rows.catalogue_hash[:12]}; compute them as the version's settings say"
        )
    reasons = abstentions(serving, rows, settings)
    at = np.flatnonzero([reason is None for reason in reasons])
    proba = np.full((len(rows), len(manifest.classes)), np.nan)
    if len(at):
        proba[at] = serving.loaded.ensemble.predict_proba(_inputs(inputs, at))
    return tuple(
        Prediction(
            version=serving.version.name,
            symbol=str(rows.symbol[row]),
            day=rows.date[row].item(),
            regime=str(inputs.regime[row]),
            probabilities=None if reason else _by_class(manifest.classes, proba[row]),
            abstained=reason,
        )
        for row, reason in enumerate(reasons)
    )


def abstentions(
    serving: ServingVersion, rows: FeatureTable, settings: ServingSettings
) -> tuple[str | None, ...]:
    """Give for each row why it should not be answered, ``None`` where it may be.

    Only features that the models see count; a value that is not finite lies outside.
    """
    seen = serving.loaded.ensemble.columns
    names = np.array(rows.names)[seen]
    values, reference = rows.values[:, seen], serving.reference
    missing = np.isnan(values)
    outside = np.isinf(values) | (values < reference.low[seen]) | (values > reference.high[seen])
    return tuple(
        abstention_by_age(serving.version, rows.date[row].item(), settings)
        or _too_many(missing[row], names, settings.missing_share_max, "not known")
        or _too_many(
            outside[row], names, settings.outside_share_max, "far outside the range of the training days"
        )
        or _infinite(values[row], names)
        for row in range(len(rows))
    )


def abstention_by_age(version: ModelVersion, day: dt.date, settings: ServingSettings) -> str | None:
    """Give why a version is too old for a day, ``None`` if it is not."""
    trained_to = version.manifest.trained_to
    days = (day - trained_to).days
    if not settings.age_max_days or days <= settings.age_max_days:
        return None
    return (
        f"{version.name} was trained to {trained_to}, {days} days before; serving.age_max_days is"
        f" {settings.age_max_days:g}"
    )


def _too_many(found: NDArray[np.bool_], names: NDArray[np.str_], share_max: float, what: str) -> str | None:
    if not len(found) or found.mean() <= share_max:
        return None
    named = ", ".join(names[found][:NAMED_MAX])
    return f"{found.sum()} of {len(found)} features are {what}, such as {named}"


def _infinite(values: NDArray[np.floating], names: NDArray[np.str_]) -> str | None:
    infinite = names[np.isinf(values)]
    return f"{infinite[0]} is infinite" if len(infinite) else None


def _by_class(classes: tuple[str, ...], proba: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(classes, proba.round(6).tolist(), strict=True))


def _inputs(inputs: Inputs, at: NDArray[np.intp]) -> Inputs:
    volatility = inputs.volatility
    return Inputs(
        X=inputs.X[at], volatility=None if volatility is None else volatility[at], regime=inputs.regime[at]
    )
