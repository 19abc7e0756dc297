"""Members multiplied together, each with an exponent of its own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from regime.models import stacking
from regime.models.stacking import fit_stack, geometric_mean

RNG = np.random.default_rng(4)
TRUE = RNG.dirichlet(np.full(3, 1.5), size=1500)
Y = np.array([RNG.choice(3, p=each) for each in TRUE])
NOISE = np.log(RNG.dirichlet(np.full(3, 5.0), size=1500))


def test_the_geometric_mean_needs_no_data() -> None:
    members = [np.log([[0.8, 0.1, 0.1]]), np.log([[0.2, 0.4, 0.4]])]
    # sqrt(.8 * .2) = .4 against twice sqrt(.1 * .4) = .2
    said = np.exp(geometric_mean(2, 3).log_probabilities(members))
    assert said[0].tolist() == pytest.approx([0.5, 0.25, 0.25], abs=1e-12)


def test_a_member_that_knows_gets_the_exponent_and_one_of_noise_nearly_none() -> None:
    stack = fit_stack([np.log(TRUE), NOISE], Y)
    assert stack.exponents[0] == pytest.approx(1.0, abs=0.12)
    assert abs(stack.exponents[1]) < 0.15


def test_a_member_too_sure_of_itself_is_toned_down() -> None:
    stack = fit_stack([3 * np.log(TRUE)], Y)
    assert stack.exponents[0] == pytest.approx(1 / 3, abs=0.06)


def test_without_a_ridge_one_member_of_two_classes_is_logistic_regression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacking, "RIDGE", 0.0)
    of_two = np.log(RNG.dirichlet([2.0, 2.0], size=800))
    y = (RNG.random(800) < np.exp(of_two[:, 1])).astype(np.int64)
    stack = fit_stack([of_two], y)
    odds = (of_two[:, 1] - of_two[:, 0])[:, np.newaxis]
    theirs = LogisticRegression(C=1e9, tol=1e-10).fit(odds, y)
    assert stack.exponents[0] == pytest.approx(theirs.coef_[0, 0], abs=2e-3)
    said = np.exp(stack.log_probabilities([of_two]))
    assert np.abs(said - theirs.predict_proba(odds)).max() < 1e-3


def test_a_strong_ridge_is_the_geometric_mean_but_for_class_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacking, "RIDGE", 1e6)
    assert fit_stack([np.log(TRUE), NOISE], Y).exponents == pytest.approx([0.5, 0.5], abs=1e-5)


def test_the_same_rows_give_the_same_bytes() -> None:
    one, two = (fit_stack([np.log(TRUE), NOISE], Y) for _ in range(2))
    assert one.exponents.tobytes() == two.exponents.tobytes()
    assert one.intercepts.tobytes() == two.intercepts.tobytes()


def test_what_is_said_of_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    members = [np.log(TRUE), NOISE, 0.5 * NOISE, 2 * NOISE, np.log(TRUE[::-1])]
    stack = fit_stack(members, Y)
    whole = stack.log_probabilities(members)
    for count in range(1, 60):
        assert np.array_equal(stack.log_probabilities([each[:count] for each in members]), whole[:count])
