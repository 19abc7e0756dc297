from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from regime.bootstrap import Interval
from regime.scorecard import Losses, Scorecard, ScorecardInvalidError, Tally
from regime.types import Regime

CLASSES = ("sell", "hold", "buy")
NOTHING = Tally(
    class_rows=(0, 0, 0),
    predictors={
        name: Losses(log_loss_sum=0.0, brier_sum=0.0, direction_hits=0.0, class_hits=(0, 0, 0))
        for name in ("model", "class_prior")
    },
)
SOME = Tally(
    class_rows=(1, 3, 1),
    predictors={
        "model": Losses(log_loss_sum=3.5, brier_sum=2.0, direction_hits=1.5, class_hits=(1, 2, 0)),
        "class_prior": Losses(log_loss_sum=5.0, brier_sum=3.0, direction_hits=1.0, class_hits=(0, 3, 0)),
    },
)


def days_of(*numbers: int) -> tuple[date, ...]:
    return tuple(date(2024, 1, 1) + timedelta(days=number) for number in numbers)


def card(
    days: dict[Regime, tuple[date, ...]],
    *,
    tally: Tally = SOME,
    classes: tuple[str, ...] = CLASSES,
    intervals: dict[str, dict[str, Interval]] | None = None,
) -> Scorecard:
    return Scorecard(
        classes=classes,
        regimes={regime: tally if days.get(regime) else NOTHING for regime in Regime},
        days={regime: days.get(regime, ()) for regime in Regime},
        symbols={"AAA": tally},
        sectors={"Energy": dict.fromkeys(days, tally)},
        intervals=intervals or {},
    )


def test_days_of_one_date_in_two_regimes_are_one_day_overall() -> None:
    both = card({Regime.CRASH: days_of(0, 1), Regime.NORMAL: days_of(1, 2)})
    assert (both.days_in(Regime.CRASH), both.days_in(Regime.NORMAL), both.days_in()) == (2, 2, 3)


def test_a_spell_ends_with_a_scored_day_in_another_regime() -> None:
    found = card({Regime.CRASH: days_of(0, 1, 3, 4), Regime.NORMAL: days_of(2, 5)})
    assert (found.spells_in(Regime.CRASH), found.spells_in(Regime.NORMAL), found.spells_in()) == (2, 2, 4)


def test_a_spell_goes_on_over_a_holiday_and_ends_with_a_gap_of_eleven_days() -> None:
    assert card({Regime.CRASH: days_of(0, 10, 20)}).spells_in(Regime.CRASH) == 1
    assert card({Regime.CRASH: days_of(0, 11)}).spells_in(Regime.CRASH) == 2


def test_a_regime_without_days_has_no_spell() -> None:
    assert card({Regime.CRASH: days_of(0)}).spells_in(Regime.NORMAL) == 0


def test_adding_counts_a_day_that_both_hold_once() -> None:
    total = card({Regime.CRASH: days_of(0, 1)}) + card({Regime.CRASH: days_of(1, 2)})
    assert (total.days_in(Regime.CRASH), total.spells_in(Regime.CRASH), total.tally().rows) == (3, 1, 10)


def test_adding_joins_spells_that_touch_and_parts_those_that_a_day_comes_between() -> None:
    crash = card({Regime.CRASH: days_of(0, 2)})
    assert (crash + card({Regime.NORMAL: days_of(1)})).spells_in(Regime.CRASH) == 2
    assert (crash + card({Regime.CRASH: days_of(1)})).spells_in(Regime.CRASH) == 1


def test_adding_sums_the_same_symbols_and_sectors_and_keeps_the_others() -> None:
    first = card({Regime.CRASH: days_of(0)})
    total = first + card({Regime.CRASH: days_of(1), Regime.NORMAL: days_of(2)})
    assert total.symbols["AAA"].class_rows == (2, 6, 2)
    rows = {regime: tally.rows for regime, tally in total.sectors["Energy"].items()}
    assert rows == {Regime.CRASH: 10, Regime.NORMAL: 5}


def test_intervals_do_not_add_up_and_go() -> None:
    interval = {"overall": {"class_prior": Interval(low=0.1, high=0.2, level=0.95)}}
    first = card({Regime.CRASH: days_of(0)}, intervals=interval)
    assert first.intervals == interval
    assert not (first + card({Regime.CRASH: days_of(1)})).intervals


def test_there_is_no_interval_of_a_skill_that_is_not_told_for_want_of_rows() -> None:
    interval = {"crash": {"class_prior": Interval(low=0.1, high=0.2, level=0.95)}}
    few, enough = (
        card(
            {Regime.CRASH: days_of(*range(40))},
            tally=replace(SOME, class_rows=(40, 120, ups)),
            intervals=interval,
        )
        for ups in (39, 40)
    )
    assert (few.skill(Regime.CRASH, "class_prior"), few.interval(Regime.CRASH, "class_prior")) == (None, None)
    assert enough.skill(Regime.CRASH, "class_prior") is not None
    assert enough.interval(Regime.CRASH, "class_prior") == interval["crash"]["class_prior"]


def test_cards_of_different_targets_do_not_add_up() -> None:
    with pytest.raises(ScorecardInvalidError, match="classes"):
        card({Regime.CRASH: days_of(0)}) + card({}, classes=("down", "flat", "up"))


def test_cards_with_different_baselines_do_not_add_up() -> None:
    alone = Tally(class_rows=(1, 3, 1), predictors={"model": SOME.predictors["model"]})
    with pytest.raises(ScorecardInvalidError, match="class_prior"):
        SOME + alone


def test_a_balanced_accuracy_leaves_out_classes_that_did_not_occur() -> None:
    tally = Tally(
        class_rows=(4, 4, 0),
        predictors={
            "model": Losses(log_loss_sum=8.0, brier_sum=4.0, direction_hits=2.0, class_hits=(1, 3, 0))
        },
    )
    assert tally.balanced_accuracy() == 0.5


def test_the_baselines_of_a_card_do_not_name_the_model() -> None:
    assert card({}).baselines == ("class_prior",)


def test_a_stored_card_comes_back_as_it_was() -> None:
    interval = {"crash": {"class_prior": Interval(low=-0.1, high=0.2, level=0.95)}}
    stored = card({Regime.CRASH: days_of(0, 1), Regime.UNKNOWN: days_of(3)}, intervals=interval)
    text = json.dumps(stored.to_json(), sort_keys=True, allow_nan=False)
    assert Scorecard.from_json(json.loads(text)) == stored


def test_a_stored_card_holds_sums_and_days_and_no_ratio() -> None:
    stored = card({Regime.CRASH: days_of(0)}).to_json()
    assert stored["regimes"]["crash"]["predictors"]["model"] == {
        "log_loss_sum": 3.5,
        "brier_sum": 2.0,
        "direction_hits": 1.5,
        "class_hits": [1, 2, 0],
    }
    assert stored["days"]["crash"] == ["2024-01-01"]
    assert sorted(stored) == [
        "classes",
        "days",
        "format",
        "intervals",
        "regimes",
        "sectors",
        "symbols",
    ]


def test_a_card_of_another_format_is_refused() -> None:
    with pytest.raises(ScorecardInvalidError, match="format 2"):
        Scorecard.from_json({**card({}).to_json(), "format": 2})


@pytest.mark.parametrize("part", ["regimes", "days", "symbols", "sectors", "intervals", "classes"])
@pytest.mark.parametrize("broken", [None, 7])
def test_a_broken_card_is_refused(part: str, broken: object) -> None:
    stored: dict[str, object] = {**card({Regime.CRASH: days_of(0)}).to_json(), part: broken}
    with pytest.raises(ScorecardInvalidError, match="broken"):
        Scorecard.from_json(stored)
