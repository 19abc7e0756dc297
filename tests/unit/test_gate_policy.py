from __future__ import annotations

import json
from dataclasses import replace

import pytest

from regime.types import REGIMES, Regime
from registry.policy import (
    ACCURACY,
    DEFAULT,
    FORMER,
    STRICT,
    GateError,
    Metric,
    PolicyInvalidError,
    policy_named,
)
from registry.policy_values import policy_from_mapping


def faults_of(mapping: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(PolicyInvalidError) as caught:
        policy_from_mapping(mapping)
    return caught.value.faults


def test_the_default_margins_are_alike_in_log_loss_and_accuracy() -> None:
    assert [DEFAULT.margin(Metric.LOG_LOSS, each) for each in REGIMES] == [0.03, 0.05, 0.03, 0.02, 0.02]
    assert [DEFAULT.margin(Metric.ACCURACY, each) for each in REGIMES] == [0.03, 0.05, 0.03, 0.02, 0.02]
    assert [DEFAULT.weights.of(each) for each in REGIMES] == [2.0, 1.5, 1.0, 1.0, 1.0]


def test_presets_are_found_by_name() -> None:
    assert (policy_named("default"), policy_named("strict"), policy_named("accuracy")) == (
        DEFAULT,
        STRICT,
        ACCURACY,
    )


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PolicyInvalidError, match="did you mean strict"):
        policy_named("stict")


def test_the_presets_have_three_hashes() -> None:
    assert len({DEFAULT.hash, STRICT.hash, ACCURACY.hash}) == 3


def test_the_hash_does_not_depend_on_the_name_or_on_how_a_number_is_written() -> None:
    same = policy_from_mapping({"name": "mine", "weights": {"crash": 2}, "accuracy_gain_max": 0.150})
    assert (same.name, same.hash) == ("mine", DEFAULT.hash)
    assert policy_from_mapping({"safety_metrics": ["accuracy", "log_loss"]}).hash == DEFAULT.hash


def test_the_hash_changes_with_every_single_number() -> None:
    changes: list[dict[str, object]] = [
        {"metric": "accuracy"},
        {"safety_metrics": ["log_loss"]},
        {"alpha": 0.11},
        {"alpha_other": 0.11},
        {"blocks": 7},
        {"block_days": 21},
        {"days_min": 41},
        {"rows_min": 201},
        {"episodes_min": 3},
        {"episode_gap_days": 22},
        {"log_loss_margin": {"crash": 0.031}},
        {"accuracy_margin": {"normal": 0.021}},
        {"floor_required": True},
        {"regimes_required": ["crash", "recovery"]},
        {"weights": {"low_volatility": 0.8}},
        {"benefit_alpha": 0.04},
        {"accuracy_gain_max": 0.16},
        {"disagreement_max": 0.3},
        {"disagreement_days": 61},
        {"refresh_days": 91},
        {"probability_min": 0.001},
        {"first_gain_max": 0.6},
        {"calibration_margin": 0.0},
        {"sector_margin": 0.02},
        {"drift_alarms_max": 0},
    ]
    assert len({policy_from_mapping(change).hash for change in changes} | {DEFAULT.hash}) == 26


def test_a_question_that_a_policy_does_not_ask_leaves_its_hash_as_it_was() -> None:
    before = replace(DEFAULT, block_days=None, first_gain_max=None)
    assert before.hash == "cd66f9d44bcd6a8be0b9377e5a0299105b9b0a7452b629d8d24e13b12e9b662f"
    assert FORMER[0] == before


def test_a_look_at_a_former_champion_asks_the_tests_alone() -> None:
    asking = replace(DEFAULT, calibration_margin=0.01, sector_margin=0.02, drift_alarms_max=0)
    assert asking.tests_alone() == DEFAULT


def test_a_policy_survives_json() -> None:
    assert policy_from_mapping(json.loads(json.dumps(STRICT.as_mapping()))) == STRICT


def test_what_is_left_out_comes_from_the_base() -> None:
    policy = policy_from_mapping({"base": "strict", "log_loss_margin": {"crash": 0.05}})
    assert (policy.name, policy.alpha, policy.regimes_required) == ("own", 0.05, REGIMES)
    assert policy.log_loss_margin.of(Regime.CRASH) == 0.05
    assert policy.log_loss_margin.of(Regime.NORMAL) == 0.01


def test_all_faults_are_reported_at_once() -> None:
    faults = faults_of(
        {
            "alhpa": 0.1,
            "base": "lenient",
            "blocks": 8.0,
            "rows_min": True,
            "refresh_days": 0,
            "alpha": float("nan"),
            "metric": "brier",
            "floor_required": "yes",
            "name": "",
            "weights": {"crash": "2", "panic": 1.0},
            "accuracy_margin": 0.03,
            "regimes_required": ["unknown"],
            "safety_metrics": [],
            "sector_margin": "small",
            "drift_alarms_max": 0.5,
        }
    )
    assert [fault.split(":")[0] for fault in faults] == [
        "unknown base 'lenient'",
        "unknown key 'alhpa'",
        "unknown regime in weights 'panic'",
        "blocks = 8.0",
        "rows_min = True",
        "refresh_days = 0",
        "alpha = nan",
        "sector_margin = 'small'",
        "drift_alarms_max = 0.5",
        "accuracy_margin = 0.03",
        "weights.crash = '2'",
        "safety_metrics = []",
        "regimes_required = ['unknown']",
        "unknown metric 'brier'",
        "floor_required = 'yes'",
        "name = ''",
    ]


def test_a_fault_names_the_key_the_value_and_what_is_allowed() -> None:
    assert faults_of({"refresh_days": -1}) == ("refresh_days = -1: give a whole number from 1 to 3650",)
    assert faults_of({"alhpa": 0.1}) == ("unknown key 'alhpa': did you mean alpha?",)


def test_a_block_holds_a_week_or_more() -> None:
    assert faults_of({"days_min": 39}) == ("days_min = 39: 8 blocks need 40 days or more",)
    assert policy_from_mapping({"days_min": 20, "blocks": 4}).blocks == 4


def test_there_are_more_blocks_only_where_each_still_holds_twenty_days() -> None:
    days = range(DEFAULT.days_min, 2_000)
    blocks = [DEFAULT.blocks_of(each) for each in days]
    assert (blocks[0], blocks[-1]) == (8, 14)
    assert blocks == sorted(blocks)
    assert all(n == DEFAULT.blocks or each >= 20 * n for n, each in zip(blocks, days, strict=True))


def test_a_policy_that_asks_for_more_blocks_gets_them() -> None:
    assert replace(DEFAULT, blocks=20, days_min=100).blocks_of(100) == 20


def test_a_policy_cannot_be_made_with_a_wrong_number() -> None:
    with pytest.raises(PolicyInvalidError, match=r"alpha = 0\.9"):
        replace(DEFAULT, alpha=0.9)


def test_the_levels_are_divided_among_the_looks_and_the_hash_tells() -> None:
    look = STRICT.shared_among(4)
    assert (look.alpha, look.alpha_other, look.benefit_alpha) == (0.0125, 0.0125, 0.0125)
    assert look.name == "strict"
    assert look.hash != STRICT.hash
    assert STRICT.shared_among(1) == STRICT


def test_levels_cannot_be_divided_among_no_look() -> None:
    with pytest.raises(GateError, match="looks = 0: give one or more"):
        STRICT.shared_among(0)


def test_a_regime_that_must_pass_has_the_stricter_level() -> None:
    assert [DEFAULT.level(each) for each in REGIMES] == [0.1, 0.2, 0.2, 0.2, 0.2]
    assert [STRICT.level(each) for each in REGIMES] == [0.05] * 5
