"""The ``jump`` labeler and its fit: against the package ``jumpmodels``, and one property of each at a time.

The figures of ``jumpmodels`` are of its version 0.1.1, not installed here: ``JumpModel(n_components=2,
jump_penalty=50.0, random_state=0).fit(rows, returns, sort_by="vol")`` on the days until 2012, then
``predict_online`` on all of them. ``rows`` are the features as pandas' ``ewm`` gives them from the 60th
return on, less their means of the days until 2012, in standard deviations, clipped at 3.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from arch.data import sp500

from regime.errors import HistoryTooShortError
from regime.labels import (
    SP500_1999_2012,
    Day,
    JumpLabeler,
    JumpParameters,
    JumpState,
    RulesLabeler,
    StateInvalidError,
    fit_jump,
    label_days,
)
from regime.types import Bars, Regime


@pytest.fixture(scope="module")
def index() -> Bars:
    closes = sp500.load()["Close"].dropna()
    return Bars.of_closes("^GSPC", closes.index.to_numpy(), closes.tolist())


def closes_until_2012(index: Bars) -> list[float]:
    return list(index.close[index.date < np.datetime64("2013-01-01")].tolist())


def test_the_frozen_parameters_are_those_of_their_command(index: Bars) -> None:
    fitted = fit_jump(closes_until_2012(index), np.random.default_rng(0))
    for name in ("means", "scales", "calm", "turbulent"):
        assert getattr(fitted, name) == pytest.approx(getattr(SP500_1999_2012, name), rel=1e-9)
    assert replace(SP500_1999_2012, penalty=fitted.penalty) == SP500_1999_2012


def test_the_centres_are_those_that_jumpmodels_finds() -> None:
    assert SP500_1999_2012.means == pytest.approx(
        [0.008178263731902249, 0.050828240472740024, 0.02887696059975248], rel=1e-9
    )
    assert SP500_1999_2012.scales == pytest.approx(
        [0.00512281541954476, 0.1652066225423883, 0.08900374448356803], rel=1e-9
    )
    assert SP500_1999_2012.calm == pytest.approx(
        [-0.45272193660550064, 0.3998830152740147, 0.5690475384097367], rel=1e-9
    )
    assert SP500_1999_2012.turbulent == pytest.approx(
        [0.7398045809099484, -0.7349011911483845, -1.0446770652983635], rel=1e-9
    )


def test_the_online_labels_are_those_of_jumpmodels(index: Bars) -> None:
    labels = label_days(index, None, JumpLabeler())
    changes = [
        str(labels.date[at + 1])
        for at, (before, after) in enumerate(pairwise(labels.regime))
        if before is not after
    ]
    assert changes[0] == "1999-03-31"  # the 60th return
    assert changes[1:] == [
        "2000-10-26",
        "2003-05-21",
        "2008-01-04",
        "2009-08-11",
        "2010-06-09",
        "2010-10-08",
        "2011-08-15",
        "2012-01-31",
        "2015-09-08",
        "2015-11-27",
        "2016-01-08",
        "2016-04-07",
        "2018-11-20",
    ]
    assert labels.regime[60] is Regime.NORMAL


def test_the_fit_does_not_hang_on_its_seed(index: Bars) -> None:
    closes = closes_until_2012(index)
    fits = [fit_jump(closes, np.random.default_rng(seed), restarts=4) for seed in (1, 2)]
    assert fits[0].turbulent == pytest.approx(fits[1].turbulent, rel=1e-9)


def test_the_reason_says_both_costs_and_pending_what_today_alone_would_be(index: Bars) -> None:
    labels = label_days(index, None, JumpLabeler())
    reason = dict(zip(labels.date.astype(str).tolist(), labels.reason, strict=True))
    assert reason["2018-11-20"].startswith("turbulent path is the cheaper, ")
    pending = dict(zip(labels.date.astype(str).tolist(), labels.pending, strict=True))
    assert pending["2018-11-19"] is Regime.HIGH_VOLATILITY
    assert pending["2018-11-20"] is None
    assert "more for calm; today alone costs " in reason["2018-11-20"]


def test_a_market_that_never_moves_is_in_one_state() -> None:
    labeler = JumpLabeler()
    _, labels = labeler.run(labeler.start(), [100.0] * 70, [None] * 70)
    assert {label.regime for label in labels[60:]} == {Regime.NORMAL}


def test_a_market_that_only_rises_is_calm() -> None:
    labeler = JumpLabeler()
    _, labels = labeler.run(labeler.start(), [100.0 + day for day in range(70)], [None] * 70)
    assert labels[-1].regime is Regime.NORMAL


def test_any_other_parameter_is_another_version() -> None:
    other = JumpLabeler(parameters=replace(SP500_1999_2012, penalty=51.0))
    assert other.version != JumpLabeler().version
    assert JumpLabeler().version.startswith("jump-")


def test_parameters_are_the_same_after_they_were_json() -> None:
    assert JumpParameters.from_json(SP500_1999_2012.to_json()) == SP500_1999_2012


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"means": [0.0, 0.0]}, "three features"),
        ({"scales": [0.0, 1.0, 1.0]}, "must be positive"),
        ({"kind": "rules"}, "another kind"),
        ({"extra": 1}, "extra"),
    ],
)
def test_parameters_that_are_none_are_refused(changes: dict[str, object], sentence: str) -> None:
    text = json.dumps(json.loads(SP500_1999_2012.to_json()) | changes)
    with pytest.raises(StateInvalidError, match=sentence):
        JumpParameters.from_json(text)


def test_a_state_of_another_labeler_is_refused() -> None:
    with pytest.raises(StateInvalidError, match="start from its own"):
        JumpLabeler().run(RulesLabeler().start(), [100.0], [18.0])
    with pytest.raises(StateInvalidError, match="another labeler"):
        JumpLabeler().restore(RulesLabeler().start().to_json())
    assert JumpLabeler().restore(JumpState().to_json()) == JumpState()


def test_too_few_closes_and_closes_that_never_vary_have_no_fit() -> None:
    with pytest.raises(HistoryTooShortError, match="needs 564 closes, has 500"):
        fit_jump([100.0 + day % 7 for day in range(500)], np.random.default_rng(0))
    with pytest.raises(HistoryTooShortError, match="never vary"):
        fit_jump([100.0] * 600, np.random.default_rng(0))


def test_an_explanation_says_what_the_other_state_would_cost() -> None:
    labeler = JumpLabeler()
    closes = [100.0 + day % 3 for day in range(70)]
    state, _ = labeler.run(labeler.start(), closes, [None] * 70)
    day = Day(date=np.datetime64("2024-01-02"), close=101.0, fear=None)
    explanation = labeler.explain(state, day)
    assert (explanation.fired, explanation.label.regime) == ("holds", Regime.HIGH_VOLATILITY)
    ways = {need.regime: need.sentence for need in explanation.others}
    assert ways[Regime.CRASH] == "the jump model has two states and never says it"
    assert ways[Regime.NORMAL].endswith("of 50 that a jump costs")


def test_before_its_first_label_the_explanation_counts_returns() -> None:
    labeler = JumpLabeler()
    day = Day(date=np.datetime64("2024-01-02"), close=101.0, fear=None)
    explanation = labeler.explain(labeler.start(), day)
    assert explanation.fired == "unknown"
    assert explanation.others[-2].sentence == "60 returns are needed, there are 0"
