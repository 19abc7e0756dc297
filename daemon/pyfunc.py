"""An exported version behind MLflow's ``pyfunc``: MLflow calls ``_load_pyfunc`` of the module in MLmodel.

Nothing is unpickled: the data of the model are the files of ``registry.bundle``. MLflow is not imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from daemon.children.champion import ensemble_of
from regime.barrier.inputs import COLUMNS
from regime.errors import FeatureMismatchError
from regime.models.ensemble import Inputs
from registry.bundle import read_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regime.models.ensemble import Ensemble
    from registry.types import Manifest

REGIME: Final = "regime"
VOLATILITY: Final = "volatility."
"""Comes before the names of the columns from which volatility is forecast."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictor:
    """A version that predicts from a table: all that it needs, one row a symbol and day."""

    manifest: Manifest
    ensemble: Ensemble

    def predict(self, table: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's protocol
        """Give a column of probabilities for each class, with the index of ``table``.

        ``table`` has the columns that ``columns_of`` names, in any order: every feature, the regime of the
        day and, for an ensemble with a barrier, ``volatility.*``; NaN where a number is not known.

        Raises
        ------
        FeatureMismatchError
            If a column is missing, or a value is infinite.
        """
        if missing := [name for name in self.columns() if name not in table.columns]:
            raise FeatureMismatchError(
                f"{len(missing)} columns are missing, the first is {missing[0]!r}; compute the features with"
                " the regimed that trained the version"
            )
        volatility = None
        if self.ensemble.barrier is not None:
            volatility = _numbers(table, [VOLATILITY + name for name in COLUMNS])
        inputs = Inputs(
            X=_numbers(table, list(self.manifest.feature_names)),
            volatility=volatility,
            regime=table[REGIME].to_numpy().astype(str),
        )
        proba = self.ensemble.predict_proba(inputs)
        return pd.DataFrame(proba, columns=list(self.manifest.classes), index=table.index)

    def columns(self) -> tuple[str, ...]:
        """Give the names of the columns that it predicts from."""
        return columns_of(self.manifest.feature_names, has_barrier=self.ensemble.barrier is not None)


def columns_of(feature_names: tuple[str, ...], *, has_barrier: bool) -> tuple[str, ...]:
    """Give the names of the columns of a table to predict from.

    >>> columns_of(("rsi_14",), has_barrier=False)
    ('rsi_14', 'regime')
    """
    return (*feature_names, REGIME, *(VOLATILITY + name for name in COLUMNS if has_barrier))


def _numbers(table: pd.DataFrame, names: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.ascontiguousarray(table[names].to_numpy(dtype=np.float32))


def _load_pyfunc(path: str) -> Predictor:
    """Give the version in a folder of an exported model, every hash of which is checked.

    Types beside those of ``registry.trusted`` are refused: a folder cannot say whom to trust.
    """
    bundle, _ = read_bundle(Path(path))
    ensemble = ensemble_of(bundle.manifest, bundle.artifacts.__getitem__)
    return Predictor(manifest=bundle.manifest, ensemble=ensemble)
