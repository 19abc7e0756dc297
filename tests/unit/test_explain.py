"""What a tree model looks at: contributions against Shapley's definition, rankings, samples, JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.errors import FeatureMismatchError, SettingInvalidError
from regime.explain import class_contributions, explain, stratified_sample
from regime.explanation import Explanation, ExplanationInvalidError
from regime.models import fit
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from regime.models import FittedModel

    Row = NDArray[np.float32]
    Trees = list[dict[str, Any]]

CLASSES = ("sell", "hold", "buy")
NAMES = ("noise", "rises", "falls", "gaps")
FEATURES = len(NAMES)
BOOSTERS = ("lightgbm", "xgboost")


def features(rows: int, seed: int) -> NDArray[np.float32]:
    """Give features of which every fifth value of the last is unknown."""
    X = np.random.default_rng(seed).normal(size=(rows, FEATURES)).astype(np.float32)
    X[::5, 3] = np.nan
    return X


def outcomes(X: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Give classes that rise with the second feature and fall with the third."""
    noise = np.random.default_rng(seed).normal(size=len(X))
    known = np.nan_to_num(X[:, 3])
    return np.digitize(X[:, 1] - X[:, 2] + 0.5 * known + noise, [-1.0, 1.0]).astype(np.int64)


@cache
def fitted(name: str, *, has_margin: bool = False) -> FittedModel:
    X = features(600, 1)
    margin = np.log(np.random.default_rng(4).dirichlet([5, 9, 5], size=len(X))) if has_margin else None
    return fit(name, X, outcomes(X, 2), sample_weight=np.ones(len(X)), n_classes=3, seed=7, margin=margin)


def regimes_of(rows: int, *, last: int = 0) -> NDArray[np.str_]:
    """Give normal and crash in turns, and at the end some rows of recovery."""
    names = np.where(np.arange(rows) % 2, "crash", "normal").astype("<U16")
    names[rows - last :] = "recovery"
    return names


def explained(name: str = "lightgbm", *, rows_max: int = 2000, last: int = 0, seed: int = 3) -> Explanation:
    X = features(600, 1)
    rng = np.random.default_rng(seed)
    return explain(fitted(name), X, regimes_of(600, last=last), NAMES, CLASSES, rows_max=rows_max, rng=rng)


# Contributions


def shapley(value: Callable[[frozenset[int]], float]) -> list[float]:
    """Give Shapley's (1953) values of all features by his formula, coalition by coalition."""
    values = []
    for feature in range(FEATURES):
        others = [other for other in range(FEATURES) if other != feature]
        total = 0.0
        for size in range(FEATURES):
            weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES)
            for coalition in combinations(others, size):
                known = frozenset(coalition)
                total += weight * (value(known | {feature}) - value(known))
        values.append(total)
    return values


def expected_by_lightgbm(node: dict[str, Any], x: Row, known: frozenset[int]) -> float:
    """Walk one dumped tree; where the feature is not known, average the branches by their rows."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    sides = {"left": node["left_child"], "right": node["right_child"]}
    at = node["split_feature"]
    if at in known:
        is_default = np.isnan(x[at]) and node["missing_type"] == "NaN"
        is_left = node["default_left"] if is_default else np.nan_to_num(x[at]) <= node["threshold"]
        return expected_by_lightgbm(sides["left" if is_left else "right"], x, known)
    rows = {side: child.get("internal_count", child.get("leaf_count")) for side, child in sides.items()}
    means = {side: expected_by_lightgbm(child, x, known) for side, child in sides.items()}
    return float(sum(rows[side] * means[side] for side in sides) / sum(rows.values()))


def expected_by_xgboost(node: dict[str, Any], x: Row, known: frozenset[int]) -> float:
    """Walk one dumped tree; where the feature is not known, average the branches by their cover."""
    if "leaf" in node:
        return float(node["leaf"])
    children = {child["nodeid"]: child for child in node["children"]}
    at = int(node["split"].removeprefix("f"))
    if at in known:
        chosen = node["yes"] if x[at] < np.float32(node["split_condition"]) else node["no"]
        chosen = node["missing"] if np.isnan(x[at]) else chosen
        return expected_by_xgboost(children[chosen], x, known)
    cover = sum(child["cover"] for child in children.values())
    means = [child["cover"] * expected_by_xgboost(child, x, known) for child in children.values()]
    return float(sum(means) / cover)


def trees_of(model: FittedModel) -> Trees:
    booster: Any = model.parts()["booster"]
    if model.name == "lightgbm":
        return [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    return [json.loads(tree) for tree in booster.get_dump(dump_format="json", with_stats=True)]


@pytest.mark.parametrize(
    ("name", "expected"), [("lightgbm", expected_by_lightgbm), ("xgboost", expected_by_xgboost)]
)
def test_contributions_are_the_shapley_values_of_the_trees(
    name: str, expected: Callable[[dict[str, Any], Row, frozenset[int]], float]
) -> None:
    model, X = fitted(name), features(6, 8)
    trees = trees_of(model)
    found = class_contributions(model, X)
    assert np.isnan(X).sum() == 2
    for row, x in enumerate(X):
        for class_ in range(3):

            def value(known: frozenset[int], x: Row = x, own: Trees = trees[class_::3]) -> float:
                return sum(expected(tree, x, known) for tree in own)

            by_definition = shapley(value)
            assert found[row, class_].tolist() == pytest.approx(by_definition, abs=2e-5)
    assert np.abs(found).max() > 0.05


@pytest.mark.parametrize("name", BOOSTERS)
def test_margin_and_contributions_make_the_prediction(name: str) -> None:
    model, X = fitted(name, has_margin=True), features(40, 9)
    margin = np.log(np.random.default_rng(5).dirichlet([5, 9, 5], size=len(X)))
    proba = model.predict_proba(X, margin)
    before_laplace = (proba * (600 + 3) - 1) / 600
    rest = np.log(before_laplace) - margin - class_contributions(model, X).sum(axis=2)
    bias = rest - rest.mean(axis=1, keepdims=True)
    assert np.ptp(bias, axis=0).tolist() == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_linear_model_has_no_trees_to_explain() -> None:
    X = features(200, 1)
    model = fit("logistic_regression", X, outcomes(X, 2), sample_weight=np.ones(200), n_classes=3, seed=1)
    with pytest.raises(SettingInvalidError, match="logistic_regression is no boosted tree model"):
        class_contributions(model, X)


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_model_of_other_columns_is_refused(name: str) -> None:
    with pytest.raises(FeatureMismatchError, match=f"{name} was fitted on 4 features and 3 are given"):
        class_contributions(fitted(name), features(5, 1)[:, :3])


# Rankings


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_features_that_decide_come_first_with_their_direction(name: str) -> None:
    top = explained(name).overall.top
    assert {each.feature for each in top[:2]} == {"rises", "falls"}
    signs = {each.feature: each.sign for each in top}
    assert (signs["rises"], signs["falls"]) == ("+", "-")
    assert top[0].share > 0.3


def test_shares_add_up_and_importance_falls() -> None:
    ranking = explained().overall
    assert len(ranking.top) == 4
    assert sum(each.share for each in ranking.top) == pytest.approx(1.0)
    assert sorted(ranking.importance, reverse=True) == [each.importance for each in ranking.top]
    assert ranking.importance[NAMES.index(ranking.top[0].feature)] == ranking.top[0].importance


def test_a_regime_of_fewer_than_fifty_rows_is_not_told() -> None:
    regimes = explained(last=49).regimes
    assert regimes[Regime.RECOVERY] is None
    assert regimes[Regime.LOW_VOLATILITY] is None
    crash = regimes[Regime.CRASH]
    assert crash is not None
    assert crash.rows == 275
    told = explained(last=50).regimes[Regime.RECOVERY]
    assert told is not None
    assert told.rows == 50


def test_overall_weighs_each_regime_by_all_its_rows_and_not_by_the_sample() -> None:
    found = explained(rows_max=150, last=100)
    rankings = [found.regimes[each] for each in (Regime.NORMAL, Regime.CRASH, Regime.RECOVERY)]
    by_regime = [ranking.importance[1] for ranking in rankings if ranking is not None]
    assert [ranking.rows for ranking in rankings if ranking is not None] == [50, 50, 50]
    expected = (250 * by_regime[0] + 250 * by_regime[1] + 100 * by_regime[2]) / 600
    assert found.overall.importance[1] == pytest.approx(expected)
    assert found.overall.rows == 150


def test_what_is_added_to_all_classes_counts_for_nothing() -> None:
    model, X = fitted("lightgbm"), features(100, 6)
    values = class_contributions(model, X)
    centred = values - values.mean(axis=1, keepdims=True)
    found = explain(
        model, X, np.full(100, "normal"), NAMES, CLASSES, rng=np.random.default_rng(0)
    ).overall.importance  # fmt: skip
    assert found == pytest.approx(np.abs(centred).mean(axis=(0, 1)).tolist())


def test_direction_is_not_told_where_the_upper_class_never_occurred() -> None:
    X = features(300, 1)
    y = np.minimum(outcomes(X, 2), 1)
    model = fit("lightgbm", X, y, sample_weight=np.ones(300), n_classes=3, seed=7)
    found = explain(model, X, regimes_of(300), NAMES, CLASSES, rng=np.random.default_rng(1))
    assert [each.direction for each in found.overall.top] == [None] * 4
    assert {each.sign for each in found.overall.top} == {"~"}


def test_direction_is_not_told_of_a_feature_that_is_hardly_known() -> None:
    X = features(600, 1)
    X[49:, 1] = np.nan
    found = explain(fitted("lightgbm"), X, regimes_of(600), NAMES, CLASSES, rng=np.random.default_rng(1))
    directions = {each.feature: each.direction for each in found.overall.top}
    assert directions["rises"] is None
    assert directions["falls"] is not None


def test_the_same_chance_gives_the_same_explanation() -> None:
    assert explained(rows_max=100, seed=3) == explained(rows_max=100, seed=3)
    assert explained(rows_max=100, seed=3) != explained(rows_max=100, seed=4)


@pytest.mark.parametrize(
    ("rows", "names", "rows_max", "sentence"),
    [
        (100, NAMES[:3], 2000, r"X has shape \(100, 4\), there are 3 feature names and 100 regimes"),
        (0, NAMES, 2000, "there are 0 rows and rows_max = 2000"),
        (100, NAMES, 49, "rows_max = 49; give rows, and explain at least 50"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    rows: int, names: tuple[str, ...], rows_max: int, sentence: str
) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises((FeatureMismatchError, SettingInvalidError), match=sentence):
        explain(
            fitted("lightgbm"),
            features(rows, 1),
            regimes_of(rows),
            names,
            CLASSES,
            rows_max=rows_max,
            rng=rng,
        )


# Samples


def test_what_a_small_regime_lacks_is_shared_by_the_others() -> None:
    codes = np.repeat([3, 0, 4], [500, 20, 500])
    drawn = codes[stratified_sample(codes, 100, np.random.default_rng(1))]
    assert np.bincount(drawn).tolist() == [20, 0, 0, 40, 40]


@given(
    sizes=st.lists(st.integers(0, 80), min_size=1, max_size=6).filter(any),
    rows_max=st.integers(50, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_sample_is_as_equal_as_the_regimes_allow(sizes: list[int], rows_max: int, seed: int) -> None:
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    drawn = stratified_sample(codes, rows_max, np.random.default_rng(seed))
    assert (np.diff(drawn) > 0).all()
    assert len(drawn) == min(rows_max, len(codes))
    counts = np.bincount(codes[drawn], minlength=len(sizes)).tolist()
    cut = [count for count, size in zip(counts, sizes, strict=True) if count < size]
    assert not cut or max(counts) - min(cut) <= 1


# JSON


def test_an_explanation_survives_its_json() -> None:
    found = explained(last=49)
    assert Explanation.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert [regime for regime, _ in found.rankings()] == [*REGIMES, None]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "explanation of format 2, 1 is read here"),
        ({"regimes": {}}, r"stored explanation is broken \(KeyError\('crash'\)\)"),
        ({"overall": None}, "stored explanation is broken"),
        (
            {"overall": {"rows": 1, "importance": [], "top": [{"feature": "a"}]}},
            "stored explanation is broken",
        ),
    ],
)
def test_a_stored_explanation_that_is_none_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ExplanationInvalidError, match=sentence):
        Explanation.from_json({**explained().to_json(), **change})


@pytest.mark.parametrize(("direction", "sign"), [(0.3, "+"), (-0.3, "-"), (0.29, "~"), (None, "~")])
def test_a_sign_is_given_to_a_clear_direction_alone(direction: float | None, sign: str) -> None:
    assert replace(explained().overall.top[0], direction=direction).sign == sign
