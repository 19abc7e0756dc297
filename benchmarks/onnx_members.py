"""Converts the fitted part of each model to ONNX, and compares what both say of the same rows.

``pip install skl2onnx onnxmltools onnxruntime`` beside regimed, then ``python -m benchmarks.onnx_members``.
Random rows; in the second column a twentieth of the numbers is not known. Only what scikit-learn, XGBoost
or LightGBM fitted is converted: not the standardisation, not the margin of the barrier, not the pool.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxmltools
import onnxruntime
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx

from regime.models import MODELS, fit
from regime.models.inputs import standardise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.models.fitted import FittedModel

ROWS: Final = 4000
FEATURES: Final = 40
SEEN: Final = ("random_forest", "extra_trees", "xgboost", "lightgbm")
"""Models that see what is not known; the others are given it as zero by ``standardise``."""


def said(model: FittedModel, X: NDArray[np.float32]) -> tuple[Any, NDArray[np.float64]]:
    """Give the converted part, and what the part itself says."""
    parts: Any = model.parts()
    inputs = [("X", FloatTensorType([None, X.shape[1]]))]
    if model.name == "xgboost":
        wanted = parts["booster"].predict(xgboost.DMatrix(X))
        return onnxmltools.convert_xgboost(parts["booster"], initial_types=inputs), wanted
    if model.name == "lightgbm":
        converted = onnxmltools.convert_lightgbm(parts["booster"], initial_types=inputs, zipmap=False)
        return converted, parts["booster"].predict(X)
    part = parts["kernel"] if model.name == "svm" else parts["estimator"]
    wanted = part.transform(X) if model.name == "svm" else part.predict_proba(X)
    options = None if model.name == "svm" else {id(part): {"zipmap": False}}
    return to_onnx(part, X[:1], options=options), wanted


def difference(model: FittedModel, X: NDArray[np.float32]) -> str:
    """Give the largest difference between a part and its conversion, or why there is none."""
    parts = model.parts()
    if model.name not in SEEN:
        X = standardise(X, parts["center"], parts["scale"])  # type: ignore[arg-type]  # arrays, both
    try:
        converted, wanted = said(model, X)
    except Exception as error:  # noqa: BLE001 - a converter raises what it likes
        return type(error).__name__
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: X})[-1]
    return f"{np.abs(got - wanted).max():.1e}"


def main() -> None:
    """Print a row for each model."""
    print(", ".join(f"{name} {version(name)}" for name in ("skl2onnx", "onnxmltools", "onnxruntime")))
    generator = np.random.default_rng(1)
    X = generator.normal(size=(ROWS, FEATURES)).astype(np.float32)
    y = (X[:, 0] + generator.normal(size=ROWS) > 0).astype(np.int64) + (X[:, 1] > 1)
    holed = np.where(generator.random(X.shape) < 1 / 20, np.float32(np.nan), X)
    for name in MODELS:
        found = [
            difference(fit(name, rows, y, sample_weight=np.ones(ROWS), n_classes=3, seed=7), rows)
            for rows in (X, holed)
        ]
        print(f"{name:<24} {found[0]:>24} {found[1]:>24}")


if __name__ == "__main__":
    main()
