"""What the recipes learn is what the registry's formats keep: every model comes back exactly equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from regime.models import MODELS, assemble, fit
from registry.formats import dump_model, load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def rows() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Give 400 rows of 6 features, some not known, of which one tells the class."""
    generator = np.random.default_rng(3)
    X = generator.normal(size=(400, 6)).astype(np.float32)
    y = np.digitize(X[:, 0] + generator.normal(size=400), [-0.7, 0.7]).astype(np.int64)
    X[::9, 2] = np.nan
    return X, y


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_fitted_model_is_assembled_again_from_the_registry(
    name: str, rows: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    X, y = rows
    model = fit(name, X, y, sample_weight=np.ones(len(y)), n_classes=3, seed=5)
    artifact = dump_model(model.parts())
    parts: Any = load_model(artifact.format, artifact.content, sha256=artifact.sha256)
    again = assemble(name, parts, n_classes=3)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert dump_model(again.parts()) == artifact
