"""How members become one, in store and out of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from regime.barrier.softmax import Correction
from regime.errors import FitFailedError
from regime.models.pool import Pool, calibrate, equal_weights, fit_calibration
from regime.models.stacking import Stack

A, B = np.log([[0.8, 0.1, 0.1]]), np.log([[0.2, 0.5, 0.3]])
NORMAL = np.array(["normal"])
WEIGHTED = Pool(kind="barrier_plus", weights={"a": 0.75, "b": 0.25, "c": 0.0})


def test_a_weighted_mean_of_probabilities() -> None:
    said = WEIGHTED.combine({"a": A, "b": B, "c": B}, NORMAL)
    assert said[0].tolist() == pytest.approx([0.65, 0.2, 0.15], abs=1e-12)


def test_a_missing_members_weight_goes_to_the_others() -> None:
    three = Pool(kind="barrier_plus", weights={"a": 0.3, "b": 0.1, "c": 0.6})
    said = three.combine({"a": A, "b": B}, NORMAL)
    assert said[0].tolist() == pytest.approx([0.65, 0.2, 0.15], abs=1e-12)


def test_a_member_without_a_weight_is_not_listened_to() -> None:
    alone = WEIGHTED.combine({"a": A, "stranger": B}, NORMAL)
    assert alone[0].tolist() == pytest.approx([0.8, 0.1, 0.1], abs=1e-12)


def test_without_a_member_of_weight_nothing_is_said() -> None:
    with pytest.raises(FitFailedError, match="without members cannot predict"):
        WEIGHTED.combine({"c": A}, NORMAL)


def test_a_stack_reads_its_members_by_name() -> None:
    stack = Stack(exponents=np.array([1.0, 0.0]), intercepts=np.zeros(3))
    pool = Pool(kind="stacking", weights=equal_weights(["a", "b"]), stack=stack)
    assert pool.combine({"b": B, "a": A}, NORMAL)[0].tolist() == pytest.approx([0.8, 0.1, 0.1], abs=1e-12)
    with pytest.raises(FitFailedError, match="the stack needs b;"):
        pool.combine({"a": A}, NORMAL)


def test_a_stored_pool_says_the_same_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    pool = Pool(
        kind="stacking",
        weights=equal_weights(["a", "b"]),
        stack=Stack(exponents=rng.normal(size=2), intercepts=rng.normal(size=3)),
        calibration=Correction(coefficients=rng.normal(size=(7, 3)), intercepts=rng.normal(size=3)),
    )
    again = Pool.from_json(json.loads(json.dumps(pool.to_json())))
    members = {name: np.log(rng.dirichlet(np.ones(3), size=20)) for name in ("a", "b")}
    regime = np.array(["crash", "recovery", "normal", "unknown"] * 5)
    assert again.combine(members, regime).tobytes() == pool.combine(members, regime).tobytes()
    plain = Pool.from_json(json.loads(json.dumps(WEIGHTED.to_json())))
    assert (plain.kind, dict(plain.weights), plain.stack, plain.calibration) == (
        "barrier_plus",
        {"a": 0.75, "b": 0.25, "c": 0.0},
        None,
        None,
    )


def test_calibration_learns_what_each_regime_adds() -> None:
    rng = np.random.default_rng(7)
    regime = np.repeat(["crash", "normal"], 4000)
    said = np.log(np.tile([0.3, 0.4, 0.3], (8000, 1)))
    came = np.where((regime == "crash")[:, np.newaxis], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2])
    y = (rng.random(8000)[:, np.newaxis] > came.cumsum(axis=1)).sum(axis=1).astype(np.int64)
    fitted = fit_calibration(said, regime, y)
    two = np.exp(calibrate(fitted, said[:2], np.array(["crash", "normal"])))
    assert two[0].tolist() == pytest.approx([0.6, 0.2, 0.2], abs=0.04)
    assert two[1].tolist() == pytest.approx([0.2, 0.6, 0.2], abs=0.04)


def test_calibration_tones_down_who_is_too_sure() -> None:
    rng = np.random.default_rng(8)
    true = rng.dirichlet(np.full(3, 2.0), size=6000)
    y = (rng.random(6000)[:, np.newaxis] > true.cumsum(axis=1)).sum(axis=1).astype(np.int64)
    sure = np.log(true**3 / (true**3).sum(axis=1, keepdims=True))
    regime = np.full(6000, "normal")
    corrected = np.exp(calibrate(fit_calibration(sure, regime, y), sure, regime))
    assert np.abs(corrected - true).mean() < 0.4 * np.abs(np.exp(sure) - true).mean()


def test_a_day_of_unknown_regime_gets_no_regimes_intercept() -> None:
    correction = Correction(coefficients=np.zeros((7, 3)), intercepts=np.zeros(3))
    correction.coefficients[2:, 0] = 5.0
    said = np.log([[0.2, 0.5, 0.3]] * 2)
    two = np.exp(calibrate(correction, said, np.array(["unknown", "recovery"])))
    assert two[0].tolist() == pytest.approx([0.2, 0.5, 0.3], abs=1e-12)
    assert two[1, 0] > 0.9


def test_equal_weights_of_nobody_are_none() -> None:
    assert equal_weights([]) == {}
