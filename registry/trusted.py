"""The types that an artifact in skops' format may hold: those of models that regimed fits, and no more.

skops itself trusts every scikit-learn estimator and many functions. A shorter list is easier to answer
for: what is not on it is neither written nor built. No type of regimed is on it, so that stored models
never depend on where its classes live. Who brings a model of another type names that type in the
configuration; nothing that is stored can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TRUSTED: Final[Mapping[str, frozenset[str]]] = {
    "DictNode": frozenset({"builtins.dict", "sklearn.utils._bunch.Bunch"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "TypeNode": frozenset({"builtins.str", "builtins.int"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "NdArrayNode": frozenset(
        {
            "numpy.bool",
            "numpy.float32",
            "numpy.float64",
            "numpy.int32",
            "numpy.int64",
            "numpy.ndarray",
            "numpy.uint64",
        }
    ),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "LossNode": frozenset(
        {"sklearn._loss._loss.CyHalfBinomialLoss", "sklearn._loss._loss.CyHalfMultinomialLoss"}
    ),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "ObjectNode": frozenset(
        {
            "sklearn._loss.link.Interval",
            "sklearn._loss.link.LogitLink",
            "sklearn._loss.link.MultinomialLogit",
            "sklearn._loss.loss.HalfBinomialLoss",
            "sklearn._loss.loss.HalfMultinomialLoss",
            "sklearn.calibration.CalibratedClassifierCV",
            "sklearn.calibration._CalibratedClassifier",
            "sklearn.calibration._SigmoidCalibration",
            "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
            "sklearn.dummy.DummyClassifier",
            "sklearn.ensemble._forest.ExtraTreesClassifier",
            "sklearn.ensemble._forest.RandomForestClassifier",
            "sklearn.ensemble._gb.GradientBoostingClassifier",
            "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
            "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
            "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
            "sklearn.ensemble._voting.VotingClassifier",
            "sklearn.frozen._frozen.FrozenEstimator",
            "sklearn.impute._base.SimpleImputer",
            "sklearn.isotonic.IsotonicRegression",
            "sklearn.kernel_approximation.Nystroem",
            "sklearn.linear_model._logistic.LogisticRegression",
            "sklearn.metrics._dist_metrics.EuclideanDistance64",
            "sklearn.naive_bayes.GaussianNB",
            "sklearn.neighbors._ball_tree.BallTree",
            "sklearn.neighbors._classification.KNeighborsClassifier",
            "sklearn.neighbors._kd_tree.KDTree",
            "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
            "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
            "sklearn.pipeline.Pipeline",
            "sklearn.preprocessing._data.StandardScaler",
            "sklearn.preprocessing._label.LabelBinarizer",
            "sklearn.preprocessing._label.LabelEncoder",
            "sklearn.svm._classes.LinearSVC",
            "sklearn.svm._classes.SVC",
            "sklearn.tree._classes.DecisionTreeClassifier",
            "sklearn.tree._classes.DecisionTreeRegressor",
            "sklearn.tree._classes.ExtraTreeClassifier",
        }
    ),
}
"""What each of skops' loaders may build; a loader that is not named here builds nothing."""

EXTENDED: Final = ("ObjectNode", "TypeNode", "FunctionNode")
"""The loaders that may also build what a configuration names: objects, types, functions."""


def trusted_with(types: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Give ``TRUSTED`` extended by full names of types, such as ``own_parts.Neighbours``.

    >>> "own_parts.Neighbours" in trusted_with(["own_parts.Neighbours"])["ObjectNode"]
    True
    """
    if not types:
        return TRUSTED
    more = {loader: TRUSTED.get(loader, frozenset()) | frozenset(types) for loader in EXTENDED}
    return {**TRUSTED, **more}


def listed(trusted: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Give all types that any loader may build, sorted.

    >>> len(listed(trusted_with(["own_parts.Neighbours"]))) - len(listed(TRUSTED))
    1
    """
    return tuple(sorted(frozenset[str]().union(*trusted.values())))
