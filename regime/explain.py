"""Explain a boosted tree model by exact Shapley values of its trees.

A contribution is the Shapley value of a feature for the score of a class (Lundberg et al. 2020, TreeSHAP with
branches averaged by what reached them in training, ``tree_path_dependent``). The boosters compute it
themselves; LightGBM averages by rows, XGBoost by their Hessians. Three choices are ours. Contributions are
centred over the classes of a row, because what is added to all scores changes no probability: a score is
then the log-odds of a class against the geometric mean of all. The importance of a feature is the mean over
rows and classes of the absolute contribution. And contributions are those beside the margin that a model
started from: they don't depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import lightgbm
import numpy as np
import xgboost
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from regime.codes import CODED_REGIMES, regime_codes
from regime.errors import FeatureMismatchError, SettingInvalidError
from regime.explanation import TOP, Attribution, Explanation, Ranking
from regime.models.fitted import as_float32
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.models import FittedModel

ROWS_MIN: Final = 50
"""Rows below which a regime, or a direction, is not told: by chance alone one correlation in twenty is then
beyond .28."""
ROWS_MAX: Final = 2000
"""Rows explained: 400 of each of five regimes, which place a mean within a twentieth of the spread."""
CONSTANT: Final = 1e-12
"""Of a spread no larger than this nothing is told; ranks of unequal values spread at least .28."""


def explain(
    model: FittedModel,
    X: NDArray[np.floating],
    regime: NDArray[np.str_],
    feature_names: Sequence[str],
    classes: Sequence[str],
    *,
    rows_max: int = ROWS_MAX,
    rng: np.random.Generator,
) -> Explanation:
    """Tell which features a tree model looks at, overall and in each regime.

    Parameters
    ----------
    model
        A fitted ``lightgbm`` or ``xgboost``.
    X
        Shape (n_rows, n_features): rows to explain, as a rule those it was fitted on. They say what the
        model learnt, not how good that is out of sample.
    regime
        Shape (n_rows,): the regime of each row as known at its close.
    feature_names
        Names of the columns of ``X``, the columns that the model was fitted on.
    classes
        Class names in the order of their ids, the lower barrier first and the upper one last.
    rows_max
        Rows explained at most, drawn in equal numbers from the regimes that are there; what a small one
        lacks is shared by the others.
    rng
        Source of chance of the sample; the same state gives the same explanation.

    Raises
    ------
    FeatureMismatchError
        If columns, names and model, or rows and regimes, don't fit together.
    SettingInvalidError
        If the model has no trees to explain, there are no rows, or ``rows_max`` is below 50.

    >>> from regime.models import fit
    >>> rng = np.random.default_rng(3)
    >>> X = rng.normal(size=(400, 2)).astype(np.float32)
    >>> y = np.digitize(X[:, 1] + rng.normal(size=400), [-1.0, 1.0])
    >>> model = fit("lightgbm", X, y, sample_weight=np.ones(400), n_classes=3, seed=1)
    >>> regimes = np.full(400, "normal")
    >>> found = explain(model, X, regimes, ("noise", "signal"), ("sell", "hold", "buy"), rng=rng)
    >>> found.overall.top[0].feature, found.overall.top[0].share > 0.7, found.overall.top[0].direction > 0.7
    ('signal', True, True)
    """
    _check(X, regime, feature_names, rows_max)
    codes = regime_codes(regime)
    sample = stratified_sample(codes, rows_max, rng)
    contributions = class_contributions(model, X[sample])
    cases = _Cases(
        X=np.asarray(X[sample], dtype=np.float64),
        contributions=contributions - contributions.mean(axis=1, keepdims=True),
        lean=_lean(contributions, _class_ids(model), len(classes)),
        names=tuple(feature_names),
    )
    of_row = codes[sample]
    present = np.bincount(codes, minlength=len(CODED_REGIMES)) / np.maximum(
        1, np.bincount(of_row, minlength=len(CODED_REGIMES))
    )
    return Explanation(
        model=model.name,
        classes=tuple(classes),
        feature_names=tuple(feature_names),
        overall=cases.ranking(np.arange(len(sample)), present[of_row]),
        regimes={each: cases.of_regime(of_row, each) for each in REGIMES},
    )


def stratified_sample(codes: NDArray[np.intp], rows_max: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw ascending positions of at most ``rows_max`` rows, as equally from the codes as they allow.

    ``codes`` has shape (n_rows,): the stratum of each row. A stratum smaller than its part is taken whole,
    and what it leaves is shared by the larger ones.

    >>> codes = np.repeat([0, 1, 2], [1000, 1000, 10])
    >>> np.bincount(codes[stratified_sample(codes, 100, np.random.default_rng(1))]).tolist()
    [45, 45, 10]
    """
    sizes = np.bincount(codes)
    drawn: list[NDArray[np.intp]] = []
    room = rows_max
    strata = [int(stratum) for stratum in np.argsort(sizes, kind="stable") if sizes[stratum]]
    for waiting, stratum in zip(range(len(strata), 0, -1), strata, strict=True):
        rows = np.flatnonzero(codes == stratum)
        count = min(len(rows), room // waiting)
        drawn.append(rng.choice(rows, size=count, replace=False))
        room -= count
    return np.sort(np.concatenate(drawn))


def class_contributions(model: FittedModel, X: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the scores' Shapley values in log-odds, shape (n_rows, n_classes_that_occurred, n_features).

    With the booster's expected score and the margin they add up to the scores whose softmax the model
    gives. The values of a row depend on that row and the model alone.

    Raises
    ------
    SettingInvalidError
        If the model is not one of the two boosters.
    FeatureMismatchError
        If the booster was fitted on another number of columns.
    """
    booster = model.parts().get("booster")
    n_classes = len(_class_ids(model))
    with threadpool_limits(limits=1):
        match booster:
            case lightgbm.Booster():
                _check_width(model.name, booster.num_feature(), X.shape[1])
                values = booster.predict(as_float32(X), pred_contrib=True, num_threads=1)
            case xgboost.Booster():
                _check_width(model.name, booster.num_features(), X.shape[1])
                matrix = xgboost.DMatrix(as_float32(X), nthread=1)
                values = booster.predict(matrix, pred_contribs=True)
            case _:
                raise SettingInvalidError(
                    f"{model.name} is no boosted tree model; explain lightgbm or xgboost"
                )
    # The last column of each class is the expected score, which no feature contributed.
    table = np.asarray(values, dtype=np.float64).reshape(len(X), n_classes, X.shape[1] + 1)
    return table[:, :, :-1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cases:
    """The explained rows: values and contributions, and ``lean``, upper minus lower class, if both exist."""

    X: NDArray[np.float64]
    contributions: NDArray[np.float64]
    lean: NDArray[np.float64] | None
    names: tuple[str, ...]

    def of_regime(self, codes: NDArray[np.intp], regime: Regime) -> Ranking | None:
        rows = np.flatnonzero(codes == CODED_REGIMES.index(regime))
        return None if len(rows) < ROWS_MIN else self.ranking(rows, np.ones(len(rows)))

    def ranking(self, rows: NDArray[np.intp], weight: NDArray[np.float64]) -> Ranking:
        """Rank the features on some rows; ``weight``, shape (n_rows,), is what each of them counts."""
        per_row = np.abs(self.contributions[rows]).mean(axis=1)
        importance = np.average(per_row, axis=0, weights=weight)
        whole = float(importance.sum())
        first = np.argsort(-importance, kind="stable")[:TOP]
        top = [
            Attribution(
                feature=self.names[column],
                importance=float(importance[column]),
                share=float(importance[column]) / whole,
                direction=self._direction(rows, int(column)),
            )
            for column in first
            if importance[column] > 0
        ]
        return Ranking(rows=len(rows), importance=tuple(importance.tolist()), top=tuple(top))

    def _direction(self, rows: NDArray[np.intp], column: int) -> float | None:
        if self.lean is None:
            return None
        known = rows[~np.isnan(self.X[rows, column])]
        if len(known) < ROWS_MIN:
            return None
        return _rank_correlation(self.X[known, column], self.lean[known, column])


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    ranks = np.stack([rankdata(first), rankdata(second)])
    off = ranks - ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(off).mean(axis=1))
    if spread.min() <= CONSTANT:
        return None
    return float(np.clip((off[0] * off[1]).mean() / spread.prod(), -1.0, 1.0))


def _lean(
    contributions: NDArray[np.float64], ids: NDArray[np.int64], class_count: int
) -> NDArray[np.float64] | None:
    """Give contributions to the upper class minus those to the lower; ``None`` if one never occurred."""
    if ids[0] != 0 or ids[-1] != class_count - 1:
        return None
    return contributions[:, -1] - contributions[:, 0]


def _class_ids(model: FittedModel) -> NDArray[np.int64]:
    return np.asarray(model.parts()["classes"], dtype=np.int64)


def _check(
    X: NDArray[np.floating], regime: NDArray[np.str_], feature_names: Sequence[str], rows_max: int
) -> None:
    if X.ndim != 2 or X.shape[1] != len(feature_names) or len(regime) != len(X):  # noqa: PLR2004 - a matrix
        raise FeatureMismatchError(
            f"X has shape {X.shape}, there are {len(feature_names)} feature names and {len(regime)} regimes;"
            " give one name a column and one regime a row"
        )
    if not len(X) or rows_max < ROWS_MIN:
        raise SettingInvalidError(
            f"there are {len(X)} rows and rows_max = {rows_max}; give rows, and explain at least {ROWS_MIN}"
        )


def _check_width(name: str, fitted: int, given: int) -> None:
    if fitted != given:
        raise FeatureMismatchError(
            f"{name} was fitted on {fitted} features and {given} are given;"
            " name the columns that it was fitted on"
        )
