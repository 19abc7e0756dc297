"""Loads an exported MLflow model with MLflow itself and predicts its golden rows.

``pip install 'regimed[mlflow]'``, then ``python benchmarks/mlflow_model.py FOLDER``, where FOLDER is what
``regimed models export VERSION --format mlflow --to FOLDER`` wrote. Not among the tests, which call the
loader that MLflow calls.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from daemon.children.stored import golden_of_bytes
from daemon.pyfunc import REGIME, VOLATILITY
from regime.barrier.inputs import COLUMNS
from registry.types import Manifest


def main(folder: Path) -> None:
    """Print the largest difference to what was predicted when the version was trained."""
    manifest = Manifest.of_json((folder / "version" / "manifest.json").read_text(encoding="utf-8"))
    inputs, expected = golden_of_bytes((folder / "version" / "golden.npz").read_bytes())
    assert inputs.volatility is not None
    table = pd.concat(
        [
            pd.DataFrame(inputs.X, columns=list(manifest.feature_names)),
            pd.DataFrame(inputs.volatility, columns=[VOLATILITY + name for name in COLUMNS]),
            pd.DataFrame({REGIME: inputs.regime}),
        ],
        axis=1,
    )
    given = mlflow.pyfunc.load_model(str(folder)).predict(table).to_numpy()
    difference = float(np.abs(given - expected).max())
    print(f"mlflow {mlflow.__version__}: {len(given)} golden rows, largest difference {difference:.1e}")
    assert difference <= 1e-9


if __name__ == "__main__":
    main(Path(sys.argv[1]))
