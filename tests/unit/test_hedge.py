"""Weights that follow what has matured."""

from __future__ import annotations

import numpy as np
import pytest

from regime.errors import SettingInvalidError
from regime.models.hedge import Judged, hedge

DAYS = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
COUNT = len(DAYS)


def judged(lag: int = 1, prior: float = 0.9, barrier: float = 0.6, **loss: object) -> Judged:
    """Give one row a day; a number is a loss that stays."""
    return Judged(
        date=DAYS,
        horizon_end=DAYS + lag,
        loss={
            name: np.broadcast_to(np.asarray(each, dtype=np.float64), COUNT) for name, each in loss.items()
        },
        prior_loss=np.full(COUNT, prior),
        barrier_loss=np.full(COUNT, barrier),
    )


def test_weights_of_two_days_as_computed_by_hand() -> None:
    days = DAYS[:2]
    two = Judged(
        date=days,
        horizon_end=days + 1,
        loss={"a": np.array([0.5, 0.9]), "b": np.array([0.7, 0.7])},
        prior_loss=np.ones(2),
        barrier_loss=np.ones(2),
    )
    found = hedge(two)
    assert found.days.astype(str).tolist() == ["2020-01-01", "2020-01-02", "2020-01-03"]
    # exp(-.5 * .2) = .904837: a : b = 1 : .904837 after the first loss, 1 % of it spread evenly.
    first = 0.99 / 1.904837418 + 0.005
    assert found.weights[:2].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert found.weights[2].tolist() == [pytest.approx(first), pytest.approx(1 - first)]
    second = first * 0.904837418
    last = 0.99 * second / (second + 1 - first) + 0.005
    assert found.latest() == {"a": pytest.approx(last), "b": pytest.approx(1 - last)}


def test_rows_of_one_day_count_by_their_mean() -> None:
    day = DAYS[:1]
    one = Judged(date=day, horizon_end=day + 1, loss={"a": np.array([0.5]), "b": np.array([0.7])},
                 prior_loss=np.ones(1), barrier_loss=np.ones(1))  # fmt: skip
    many = Judged(
        date=np.repeat(day, 3),
        horizon_end=np.repeat(day, 3) + 1,
        loss={"a": np.array([0.4, 0.5, 0.6]), "b": np.array([0.7, 0.9, 0.5])},
        prior_loss=np.ones(3),
        barrier_loss=np.ones(3),
    )
    assert hedge(many).latest() == pytest.approx(hedge(one).latest(), abs=1e-12)


def test_only_losses_of_horizons_that_are_over_count() -> None:
    late = np.where(np.arange(COUNT) < 200, 0.5, 5.0)
    found = hedge(judged(lag=14, a=late, b=0.5))
    known = int(np.searchsorted(found.days, DAYS[200] + 14))
    assert found.weights[known].tolist() == [pytest.approx(0.5), pytest.approx(0.5)]
    assert found.weights[known + 1][0] < 0.2


def test_later_losses_change_no_earlier_weight() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.uniform(0.3, 0.9, size=(2, COUNT))
    changed = np.where(np.arange(COUNT) < 250, one, 3.0)
    before, after = hedge(judged(lag=10, a=one, b=other)), hedge(judged(lag=10, a=changed, b=other))
    until = int(np.searchsorted(before.days, DAYS[250] + 10)) + 1
    assert np.array_equal(before.weights[:until], after.weights[:until])
    assert not np.array_equal(before.weights[until], after.weights[until])


def test_members_wait_sixty_days_for_admission_and_then_only_good_ones_enter() -> None:
    found = hedge(judged(first=0.62, good=0.6, poor=0.7), admitted_first=frozenset({"first"}))
    # On day 0 nothing is known yet; after 60 days' losses the 61st weights are new.
    assert found.weights[60].tolist() == [1.0, 0.0, 0.0]
    assert (found.weights[61] > 0).tolist() == [False, True, False]


def test_a_member_no_better_than_the_regime_prior_never_enters() -> None:
    found = hedge(judged(prior=0.6, barrier=0.65, even=0.6, first=0.6), admitted_first=frozenset({"first"}))
    assert found.latest() == {"even": 0.0, "first": 1.0}


def test_a_member_that_falls_two_percent_behind_the_barrier_leaves() -> None:
    sliding = np.where(np.arange(COUNT) < 100, 0.6, 0.75)
    found = hedge(judged(sliding=sliding, steady=0.6), admitted_first=frozenset({"sliding", "steady"}))
    assert found.weights[100][0] > 0.4
    # (100 * .6 + n * .75) > 1.02 * .6 * (100 + n) first holds for n = 9.
    assert found.weights[109][0] > 0
    assert found.weights[110][0] == 0


def test_while_nobody_is_admitted_all_are() -> None:
    found = hedge(judged(prior=0.5, barrier=0.4, a=0.6, b=0.6))
    assert found.latest() == {"a": pytest.approx(0.5), "b": pytest.approx(0.5)}


def test_a_share_for_all_lets_a_member_return_within_weeks() -> None:
    at = np.arange(COUNT)
    calm = np.where(at < 200, 0.3, 2.0)
    crash = np.where(at < 200, 0.9, 0.3)
    found = hedge(judged(prior=9.0, barrier=9.0, calm=calm, crash=crash))
    assert found.weights[200][0] > 0.95
    assert found.weights[215][1] > 0.95


def test_a_member_that_is_absent_keeps_its_place_and_is_judged_on_the_days_it_was_there() -> None:
    at = np.arange(COUNT)
    guest = np.where(at % 2 == 0, 0.5, np.nan)
    found = hedge(judged(guest=guest, host=0.5))
    assert found.latest() == {"guest": pytest.approx(0.5), "host": pytest.approx(0.5)}
    assert np.isfinite(found.weights).all()


def test_weights_of_every_day_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    loss = rng.uniform(0.2, 1.5, size=(3, COUNT))
    loss[1, rng.random(COUNT) < 0.5] = np.nan
    found = hedge(judged(a=loss[0], b=loss[1], c=loss[2]))
    assert found.weights.shape == (COUNT + 1, 3)
    assert found.weights.sum(axis=1) == pytest.approx(np.ones(COUNT + 1), abs=1e-12)


def test_nobody_cannot_be_weighed() -> None:
    with pytest.raises(SettingInvalidError, match="no members to weigh"):
        hedge(judged())
