"""Evidence and golden predictions as bytes: parquet and npz, neither of which can carry code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.formats.parquet import table_of_parquet
from regime.models.ensemble import Inputs
from regime.scorecard import REGIME_PRIOR
from registry.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.models.ensemble import Ensemble
    from regime.predictions import Predictions
    from regime.training import TrainingResult
    from regime.training_set import TrainingSet

GOLDEN_ROWS: Final = 64
CANDIDATE: Final = "candidate"
PRIOR: Final = "prior"


def golden_bytes(rows: TrainingSet, result: TrainingResult) -> bytes:
    """Give rows spread over the history with the ensemble's probabilities of them."""
    at = np.linspace(0, len(rows) - 1, GOLDEN_ROWS).astype(np.intp)
    inputs = Inputs(
        X=rows.X[at],
        volatility=None if rows.volatility is None else rows.volatility[at],
        regime=rows.regime[at],
    )
    arrays = {"X": inputs.X, "regime": inputs.regime, "proba": result.ensemble.predict_proba(inputs)}
    if inputs.volatility is not None:
        arrays["volatility"] = inputs.volatility
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def golden_of_bytes(content: bytes) -> tuple[Inputs, NDArray[np.float64]]:
    """Give the golden rows and their probabilities."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        inputs = Inputs(X=stored["X"], volatility=stored.get("volatility"), regime=stored["regime"])
        return inputs, stored["proba"]


def ensemble_bytes(ensemble: Ensemble, feature_names: Sequence[str]) -> bytes:
    """Give what an ensemble is beside its members: the features that they see, and their pool."""
    facts = {
        "features": [feature_names[column] for column in ensemble.columns],
        "starts_from_barrier": ensemble.starts_from_barrier,
        "pool": ensemble.pool.to_json(),
    }
    return canonical_json(facts).encode()


def evidence_bytes(predictions: Predictions) -> bytes:
    """Give out-of-fold predictions of the ensemble and the regime prior as a parquet file."""
    columns: dict[str, object] = {
        "date": predictions.date.astype("datetime64[D]"),
        "symbol": pa.array(predictions.symbol.tolist()),
        "regime": pa.array(predictions.regime.tolist()),
        "fold": pa.array(predictions.fold.tolist()),
        "truth": predictions.truth,
    }
    for title, proba in ((CANDIDATE, predictions.ensemble), (PRIOR, predictions.baselines[REGIME_PRIOR])):
        for column, name in enumerate(predictions.classes):
            columns[f"{title}_{name}"] = proba[:, column]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd", write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def evidence_of_bytes(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Give the columns of stored evidence."""
    table = table_of_parquet(content)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    for name in ("symbol", "regime", "fold"):
        columns[name] = columns[name].astype(str)
    columns["date"] = columns["date"].astype("datetime64[D]")
    return columns


def common_rows(
    own: dict[str, NDArray[np.generic]], other: dict[str, NDArray[np.generic]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the positions of the (date, symbol) rows with the same outcome in both."""
    places = {
        (day, symbol): at for at, (day, symbol) in enumerate(zip(other["date"], other["symbol"], strict=True))
    }
    pairs = [
        (at, place)
        for at, key in enumerate(zip(own["date"], own["symbol"], strict=True))
        if (place := places.get(key)) is not None and own["truth"][at] == other["truth"][place]
    ]
    found = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]
