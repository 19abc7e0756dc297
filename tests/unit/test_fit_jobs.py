"""Keys of fits: what decides a model is in them, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from regime.fit_jobs import ArrayMemo, FitJob, hash_array
from regime.models import parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray


def job(**changes: Any) -> FitJob:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2)).astype(np.float32)
    made = FitJob(
        model="logistic_regression",
        fold="2010",
        X=X,
        y=(X[:, 0] > 0).astype(np.int64),
        sample_weight=np.ones(60),
        X_validate=X[:5].copy(),
        n_classes=2,
        seed=1,
        margin=np.log(np.full((60, 2), 0.5)),
        margin_validate=np.log(np.full((5, 2), 0.5)),
    )
    return replace(made, **changes)


def key(one: FitJob) -> str:
    return one.key(hash_array, salt="")


def changed(array: NDArray[Any]) -> NDArray[Any]:
    other = array.copy()
    other.flat[-1] += 1
    return other


@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "margin"])
def test_one_value_of_the_training_rows_makes_another_key(name: str) -> None:
    assert key(job(**{name: changed(getattr(job(), name))})) != key(job())


@pytest.mark.parametrize(
    "changes", [{"model": "mlp"}, {"n_classes": 3}, {"seed": 2}, {"margin": None}], ids=str
)
def test_each_fact_that_decides_a_fit_makes_another_key(changes: dict[str, Any]) -> None:
    assert key(job(**changes)) != key(job())


def test_a_parameter_of_the_models_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(job())
    monkeypatch.setattr(parameters, "LOGISTIC_RIDGE", 2.0)
    assert key(job()) != before


def test_the_salt_makes_another_key() -> None:
    assert job().key(hash_array, salt="numpy 2.3") != job().key(hash_array, salt="numpy 2.4")


def test_rows_to_predict_and_the_name_of_the_fold_leave_the_key() -> None:
    other = job(fold="2011", X_validate=None, margin_validate=None)
    assert key(other) == key(job())


def test_rows_to_predict_and_their_margin_make_another_validate_key() -> None:
    one = job()
    assert one.X_validate is not None
    assert one.margin_validate is not None
    keys = {
        one.validate_key(hash_array),
        job(X_validate=changed(one.X_validate)).validate_key(hash_array),
        job(margin_validate=changed(one.margin_validate)).validate_key(hash_array),
        job(margin_validate=None).validate_key(hash_array),
    }
    assert len(keys) == 4
    assert job(X=changed(one.X)).validate_key(hash_array) == one.validate_key(hash_array)


def test_the_final_fit_has_no_validate_key() -> None:
    assert job(X_validate=None).validate_key(hash_array) is None


def test_nan_is_one_whatever_its_bits_and_the_order_in_memory_tells_nothing() -> None:
    plain = np.array([[1.0, np.nan], [2.0, 3.0]], dtype=np.float32)
    odd = plain.copy()
    odd.view(np.uint32)[0, 1] = 0xFFC0_0001
    assert np.isnan(odd[0, 1])
    assert odd.tobytes() != plain.tobytes()
    assert hash_array(odd) == hash_array(plain) == hash_array(np.asfortranarray(plain))


def test_the_same_bytes_in_another_shape_or_type_are_another_array() -> None:
    array = np.zeros((2, 3))
    assert len({hash_array(array), hash_array(array.reshape(3, 2)), hash_array(array.view(np.int64))}) == 3


def test_an_array_that_jobs_share_is_hashed_once() -> None:
    hashed: list[int] = []

    def counting(array: NDArray[Any]) -> str:
        hashed.append(len(array))
        return hash_array(array)

    memo = ArrayMemo(counting)
    jobs = [replace(job_of, model=model) for job_of in [job()] for model in ("mlp", "svm", "lightgbm")]
    keys = {one.key(memo.of, salt="") for one in jobs}
    assert len(keys) == 3
    assert hashed == [60, 60, 60, 60]


def test_what_was_made_of_an_array_goes_with_the_array() -> None:
    dropped: list[int] = []
    memo = ArrayMemo(len, dropped.append)
    array, other = np.zeros(3), np.zeros(4)
    assert (memo.of(array), memo.of(other), len(memo)) == (3, 4, 2)
    del array
    assert (len(memo), dropped) == (1, [3])
    memo.forget(other)
    assert (len(memo), dropped) == (0, [3, 4])
