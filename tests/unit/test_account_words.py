"""Every sentence of the account carries its number, its interval, its rows and what it is held against."""

from __future__ import annotations

from dataclasses import replace

from daemon.report.account_words import (
    event_sentence,
    gain_sentence,
    gate_headline,
    record_sentence,
    skill_headline,
)
from regime.prequential import Gain, Scores

GAIN = Gain(rows=400, days=100, nats=0.012, low=0.003, high=0.02)
LOSS = Gain(rows=400, days=100, nats=-0.012, low=-0.02, high=-0.003)
OPEN = Gain(rows=400, days=100, nats=0.001, low=-0.02, high=0.02)
LITTLE = Gain(rows=40, days=10, nats=None, low=None, high=None)
SCORES = Scores(
    rows=1000, days=200, spells=3, accuracy=0.6, log_loss=0.9, prior_log_loss=1.0, barrier_log_loss=0.88,
    brier=0.5, calibration_error=0.02, skill=0.1, skill_low=0.05, skill_high=0.15,
    skill_barrier=-0.0227, skill_barrier_low=-0.05, skill_barrier_high=0.01,
)  # fmt: skip


def test_a_version_that_was_held_back_and_proved_worse_was_held_back_rightly() -> None:
    assert record_sentence("v7", "v3", LOSS, held=True) == (
        True,
        (
            "v7 was held back; on the 100 days after it (400 rows) it would have been worse than v3 by"
            " .0120 nats [.0030, .0200]: right."
        ),
    )


def test_a_version_that_was_held_back_and_proved_better_was_held_back_wrongly() -> None:
    right, sentence = record_sentence("v7", "v3", GAIN, held=True)
    assert right is False
    assert sentence.endswith("it would have been better than v3 by .0120 nats [.0030, .0200]: wrong.")


def test_a_version_that_was_promoted_is_right_where_it_was_better() -> None:
    assert [record_sentence("v7", "v3", gain, held=False)[0] for gain in (GAIN, LOSS)] == [True, False]


def test_days_that_do_not_tell_are_neither_right_nor_wrong() -> None:
    assert record_sentence("v7", "v3", OPEN, held=True)[0] is None
    right, sentence = record_sentence("v7", "v3", LITTLE, held=True)
    assert right is None
    assert sentence.endswith(
        "on the 10 days after it (40 rows) there is too little evidence to tell whether that was right."
    )


def test_a_difference_is_earned_or_cost_only_where_its_interval_leaves_out_nothing() -> None:
    said = [gain_sentence("the gate", gain, "no gate") for gain in (GAIN, LOSS, OPEN, LITTLE)]
    assert said == [
        "The gate earned .0120 nats [.0030, .0200] a prediction against no gate, on 400 rows of 100 days.",
        "The gate cost .0120 nats [.0030, .0200] a prediction against no gate, on 400 rows of 100 days.",
        (
            "The gate neither earned nor cost anything for sure against no gate: .0010 nats [-.0200, .0200] a"
            " prediction, on 400 rows of 100 days."
        ),
        "What the gate was worth is not known: there is too little evidence on 40 rows of 10 days.",
    ]
    same = replace(GAIN, nats=0.0, low=0.0, high=0.0)
    assert gain_sentence("the gate", same, "no gate").endswith("both said the same.")


def test_a_headline_says_on_which_side_of_the_baseline_the_champion_was() -> None:
    prior = skill_headline("champion_vs_prior", SCORES, "regime_prior", "the regime prior")
    barrier = skill_headline("champion_vs_barrier", SCORES, "volatility_barrier", "the barrier")
    assert (prior["value"], prior["low"], prior["rows"], prior["days"]) == (0.1, 0.05, 1000, 200)
    assert prior["sentence"] == (
        "The champion's log-loss was 10.0 % [5.0, 15.0] below that of the regime prior, on 1,000 rows of"
        " 200 days."
    )
    assert "2.3 % [-1.0, 5.0] above that of the barrier" in barrier["sentence"]


def test_the_gate_is_counted_by_what_followed_its_refusals_only() -> None:
    record = [
        {"held": held, "right": right, "rows": 10, "days": 5}
        for held, right in ((True, True), (True, True), (True, False), (True, None), (False, True))
    ]
    told = gate_headline(record)
    assert (told["value"], told["rows"], told["days"]) == (2 / 3, 40, 20)
    assert told["sentence"] == (
        "The gate held 4 versions back: 2 proved worse than the champion on the days that followed, 1 proved"
        " better, 1 neither."
    )
    assert gate_headline([])["value"] is None


def test_an_event_is_told_beside_both_baselines_and_few_days_prove_nothing() -> None:
    few = replace(SCORES, skill=None, skill_low=None, skill_high=None)
    assert event_sentence("Flash crash", few) == (
        "Flash crash (200 days, 1,000 rows): the champion was better than the regime prior by 10.0 % and"
        " worse than the volatility barrier by 2.3 % (log-loss 0.900); its most probable class came true in"
        " 60%. So few days prove nothing."
    )
    nothing = replace(SCORES, rows=0, log_loss=None)
    assert event_sentence("Flash crash", nothing) == "Flash crash: no prediction of these days has matured."
