"""A labeler of the user's own labels days like a built-in one, if it follows the protocol and is causal."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.errors import SettingsInvalidError
from daemon.label_settings import LabelsSettings
from daemon.labelers import check_labeler, labeler_of
from daemon.settings import ArchiveSettings, MarketSettings, Settings
from regime.errors import SettingInvalidError
from regime.labels import Day, JumpLabeler, RulesLabeler
from regime.labels.own import check_causal, own_labeler
from regime.types import Bars, DayLabel, Regime
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from regime.labels import State
    from regime.labels.rules import RulesState

GENERATOR = np.random.default_rng(2)
DAYS = [
    Day(date=np.datetime64("2020-01-01") + at, close=float(close), fear=float(fear))
    for at, (close, fear) in enumerate(
        zip(100 + GENERATOR.normal(size=120).cumsum(), GENERATOR.uniform(10, 40, 120), strict=True)
    )
]


class Own:
    """The rules under another name; the ways to be wrong are subclasses."""

    name = "own"
    version = "own-1"

    def __init__(self, *, has_fear: bool = True) -> None:
        self.has_fear = has_fear
        self.rules = RulesLabeler()

    def start(self) -> RulesState:
        return self.rules.start()

    def restore(self, text: str) -> RulesState:
        return self.rules.restore(text)

    def step(self, state: State, day: Day) -> tuple[State, DayLabel]:
        return self.rules.step(state, day)

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        return self.rules.run(state, closes, fears)


class SeesAhead(Own):
    """Calls a day a crash if it lies above the average of all days."""

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        state, _ = super().run(state, closes, fears)
        calm = DayLabel(regime=Regime.NORMAL, reason="x")
        high = [close > sum(closes) / len(closes) for close in closes]
        return state, tuple(replace(calm, regime=Regime.CRASH) if is_high else calm for is_high in high)


class Forgets(Own):
    """Does not keep all that it remembers in its state."""

    def restore(self, text: str) -> RulesState:
        assert text
        return self.start()


class StepsElsewhere(Own):
    """Labels one day by itself otherwise."""

    def step(self, state: State, day: Day) -> tuple[State, DayLabel]:
        return super().step(state, day)[0], DayLabel(regime=Regime.UNKNOWN, reason="x")


class LosesDays(Own):
    """Gives a label too few."""

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        state, labels = super().run(state, closes, fears)
        return state, labels[1:]


class Fails(Own):
    """Cannot do without fear."""

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[State, tuple[DayLabel, ...]]:
        raise ZeroDivisionError(f"{len(closes)} closes, {len(fears)} fears, {bool(state)}")


def path(name: str) -> str:
    return f"{__name__}:{name}"


def test_the_settings_give_the_labeler_that_a_path_names_with_what_it_asks_for() -> None:
    labeler = labeler_of(LabelsSettings(labeler=path("Own")), has_fear=False)
    assert isinstance(labeler, Own)
    assert (labeler.version, labeler.has_fear) == ("own-1", False)


def test_a_causal_labeler_passes() -> None:
    check_causal(Own(), DAYS)
    check_causal(JumpLabeler(), DAYS)
    check_causal(Own(), DAYS[:1])


@pytest.mark.parametrize(
    ("labeler", "sentence"),
    [
        (
            SeesAhead(),
            r"own labels 2020-\d\d-\d\d \w+ without the days after it, and \w+ with all days; a label",
        ),
        (Forgets(), r"own labels 2020-\d\d-\d\d \w+ from a saved state, and \w+ with all days; a label may"),
        (
            StepsElsewhere(),
            r"own labels 2020-04-25 unknown by step, and \w+ with all days; a label may depend",
        ),
        (LosesDays(), "own gives 119 labels for 120 days; give a regime.types.DayLabel for each"),
        (Fails(), "own failed on 120 days with ZeroDivisionError: 120 closes, 120 fears, True; correct it"),
    ],
)
def test_a_labeler_that_is_not_causal_is_refused_with_the_day(labeler: Own, sentence: str) -> None:
    with pytest.raises(SettingInvalidError, match=rf"^labels\.labeler: {sentence}"):
        check_causal(labeler, DAYS)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "builtins:dict",
            "gives dict, which lacks start, restore, step, run, name, version; follow the proto",
        ),
        ("regime.labels:RulesLabeler", "names itself 'rules', which is built in; give it a name of its own"),
        (
            "own_no:L",
            "cannot be used, since there is no module own_no; install it beside regimed, or put its",
        ),
    ],
)
def test_what_is_no_labeler_is_refused_with_the_setting_also_by_the_daemon(name: str, sentence: str) -> None:
    with pytest.raises(SettingInvalidError) as raised:
        own_labeler(name, has_fear=True)
    assert str(raised.value).startswith(f"labels.labeler: {name!r} {sentence}")
    with pytest.raises(SettingsInvalidError, match=r"labels\.labeler"):
        check_labeler(LabelsSettings(labeler=name))


def test_the_daemon_labels_with_a_labeler_of_ones_own_and_refuses_one_that_sees_ahead(tmp_path: Path) -> None:
    markets = {"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")}
    settings = replace(Settings(), markets=markets, archive=ArchiveSettings(enabled=False))
    desk = Desk(tmp_path, settings, datetime(2024, 3, 4, 12, tzinfo=UTC))
    days = np.busday_offset("2024-03-01", np.arange(-99, 1), roll="backward")
    closes, fears = [day.close for day in DAYS[:100]], [day.fear for day in DAYS[:100] if day.fear]
    bars = Bars.of_closes("^SIM", days, closes), Bars.of_closes("^SIMVIX", days, fears)
    with closing(desk.journal), desk.tools.registry:
        desk.configure(labels=LabelsSettings(labeler=path("SeesAhead")))
        (refused,) = desk.deliver(*bars).events
        assert (refused.name, refused.fields["code"]) == ("labeler.refused", "labeler_invalid")
        assert "a label may depend on its day and earlier ones only" in str(refused.fields["reason"])
        assert desk.tools.ledger.labeler_state("sim") is None
        desk.configure(labels=LabelsSettings(labeler=path("Own")))
        desk.deliver(Bars.of_closes("^SIM", ["2024-03-04"], [100.0]))
        state = desk.tools.ledger.labeler_state("sim")
        assert state is not None
        assert (state.labeler, state.through_day) == ("own-1", "2024-03-04")
        assert len(desk.tools.ledger.labels("sim", "own-1")) == 101
