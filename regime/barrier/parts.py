"""The barrier members as named arrays and one booster, which the registry can store, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from regime.barrier.forecast import VolatilityForecaster
from regime.barrier.members import BARRIER_MEMBERS, BarrierModel, MemberFit
from regime.barrier.softmax import Correction
from regime.models.fitted import ModelPartsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lightgbm
    from numpy.typing import NDArray

    from regime.types import TargetSpec

_OF_FORECASTER = ("center", "scale", "coefficients")
_OF_MEMBER = ("center", "scale", "coefficients", "intercepts")


def parts_of(model: BarrierModel) -> dict[str, object]:
    """Give the parts of a model; ``model_of`` makes one of them that says exactly the same."""
    parts: dict[str, object] = {f"har_{name}": getattr(model.forecaster, name) for name in _OF_FORECASTER}
    for name, fit in model.fits.items():
        parts[f"{name}_center"], parts[f"{name}_scale"] = fit.center, fit.scale
        parts[f"{name}_coefficients"] = fit.correction.coefficients
        parts[f"{name}_intercepts"] = fit.correction.intercepts
    if model.forecaster.trees is not None:
        parts["trees"] = model.forecaster.trees
    return parts


def model_of(parts: Mapping[str, object], target: TargetSpec) -> BarrierModel:
    """Put a model together from its parts.

    Raises
    ------
    ModelPartsError
        If a part is missing or not known.
    """
    expected = {f"har_{name}" for name in _OF_FORECASTER}
    expected |= {f"{member}_{name}" for member in BARRIER_MEMBERS for name in _OF_MEMBER}
    if {*parts} - {"trees"} != expected:
        raise ModelPartsError(
            f"the barrier is made of {sorted(expected)}, the store gives {sorted(parts)};"
            " read it with the version of regimed that wrote it, or train again"
        )

    def array(name: str) -> NDArray[np.float64]:
        return np.asarray(parts[name], dtype=np.float64)

    forecaster = VolatilityForecaster(
        **{name: array(f"har_{name}") for name in _OF_FORECASTER},
        trees=cast("lightgbm.Booster | None", parts.get("trees")),
    )
    fits = {
        member: MemberFit(
            center=array(f"{member}_center"),
            scale=array(f"{member}_scale"),
            correction=Correction(
                coefficients=array(f"{member}_coefficients"), intercepts=array(f"{member}_intercepts")
            ),
        )
        for member in BARRIER_MEMBERS
    }
    return BarrierModel(forecaster=forecaster, fits=fits, target=target)
