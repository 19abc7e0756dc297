"""Trials day by day: a better shadow is promoted, a worse one dropped, a better former champion returns."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from daemon.children import judge
from daemon.configuration import values_of
from registry.gate import GateReport
from registry.looks import is_of_look
from registry.types import Alias, EventKind
from tests.end_to_end.test_json_facts import validate
from tests.trial_world import HISTORY, TRIAL_DAYS, WORST, WRONG, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Installation

    Make = Callable[[Path], Installation]

pytestmark = pytest.mark.slow


@pytest.fixture
def place(eve: Installation, installation_at: Make, tmp_path: Path) -> Installation:
    """Give a directory of its own on the eve of the last look at a shadow, v2."""
    copied = installation_at(tmp_path / "regimed")
    shutil.copytree(eve.layout.root, copied.layout.root)
    return copied


def told(world: World, *names: str) -> list[dict[str, Any]]:
    """Give the fields of the events of these names, in order."""
    return [dict(event.fields) for event in world.journal.ledger.events() if event.name in names]


def deeds(world: World) -> list[tuple[str, str, str]]:
    """Give what happened to aliases and freezes: what, to whom, by whom."""
    silent = (EventKind.REGISTERED, EventKind.REPORTED)
    return [
        (each.kind, each.version, each.actor) for each in world.registry.events() if each.kind not in silent
    ]


def trial_of(world: World, kind: str, version: str, against: str) -> Any:
    (found,) = [
        trial
        for trial in world.journal.ledger.trials.all()
        if (trial.kind, trial.version, trial.against) == (kind, version, against)
    ]
    return found


def test_on_the_eve_of_a_look_status_tells_how_far_the_shadow_is(place: Installation) -> None:
    status = place.facts("status", code=3)
    validate("status", status)
    assert status["champion"]["version"] == "v1"
    assert status["shadow"] == {
        "version": "v2", "days": 19, "days_max": 20, "next_look": 20, "verdict": "HOLD_INSUFFICIENT",
        "outcome": None,
    }  # fmt: skip
    assert status["probation"] is None


@pytest.mark.timeout(900)
def test_fresh_days_promote_a_better_shadow_drop_a_worse_one_and_bring_the_former_champion_back(
    place: Installation,
) -> None:
    with closing(World(place.layout, HISTORY + TRIAL_DAYS - 1)) as world:
        world.pass_days(1)

        # The better shadow is champion, and the former one predicts on beside it.
        assert world.registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
        assert trial_of(world, "shadow", "v2", "v1").outcome == "promoted"
        (promoted,) = [fields for fields in told(world, "gate.promoted") if fields["version"] == "v2"]
        assert (promoted["previous"], promoted["verdict"]) == ("v1", "PROMOTE")
        assert promoted["reason"].startswith("After 20 fresh days: Better than v1")
        status = place.facts("status", code=3)
        assert (status["champion"]["version"], status["shadow"]) == ("v2", None)
        assert (status["probation"]["version"], status["probation"]["previous"]) == ("v2", "v1")

        # A person promotes a bad version, and the gate doubts a worse one.
        world.promote_by_hand(world.register("r3", WRONG))
        world.judge(world.register("r4", WORST, doubtful=True))
        assert world.registry.aliases()[Alias.SHADOW] == "v4"
        world.pass_days(TRIAL_DAYS + 1)  # what v2 said on the first evening it said as champion

        # The worse shadow is dropped, the better former champion is back, and nothing is promoted by itself.
        assert world.registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v3"}
        shadow, probation = (
            trial_of(world, "shadow", "v4", "v3"), trial_of(world, "probation", "v2", "v3")
        )  # fmt: skip
        assert (shadow.outcome, shadow.looked[-1].verdict) == ("dropped", "REJECT")
        assert (probation.outcome, probation.looked[-1].verdict) == ("rolled_back", "PROMOTE")
        (dropped,) = told(world, "trial.dropped")
        assert (dropped["version"], dropped["champion"], dropped["days"]) == ("v4", "v3", 20)
        (back,) = told(world, "gate.rolled_back")
        assert (back["version"], back["from"]) == ("v2", "v3")
        assert [report for report in world.registry.reports("v2") if back["evidence"] in report]
        (frozen,) = told(world, "gate.frozen")
        assert frozen["reason"].startswith("v3 was rolled back: After 20 fresh days")
        assert deeds(world) == [
            ("promoted", "v1", "gate"),
            ("alias_set", "v2", "gate"),
            ("promoted", "v2", "gate"),
            ("promoted", "v3", "ann"),
            ("alias_set", "v4", "gate"),
            ("alias_cleared", "v4", "gate"),
            ("rolled_back", "v2", "gate"),
        ]
        assert world.registry.frozen() == world.registry.events()[-1]

        assert world.registry.verify() == []

    status = place.facts("status", code=3)
    assert (status["champion"]["version"], status["frozen"]["actor"]) == ("v2", "gate")
    assert place.facts("models", "unfreeze", "--reason", "it was my mistake")["frozen"] is False
    assert place.facts("status", code=3)["frozen"] is None
    tenures = place.facts("models", "history")["tenures"]
    assert [(each["version"], each["actor"]) for each in tenures] == [
        ("v1", "gate"), ("v2", "gate"), ("v3", "ann"), ("v2", "gate"),
    ]  # fmt: skip


def test_a_judgement_that_is_repeated_is_the_same_report(place: Installation) -> None:
    with closing(World(place.layout, HISTORY + TRIAL_DAYS - 1)) as world:
        job = {"root": str(place.layout.root), "settings": values_of(world.tools.settings), "version": "v2"}
        once = judge.run({**job, "now": world.clock.now().isoformat()})
        again = judge.run({**job, "now": world.clock.now().isoformat()})
        assert once == again
        report: Any = world.registry.report("v2")
        assert report["benefit"]["judged_before"] == 0
        at_looks = [is_of_look(GateReport.from_json(report)) for report in world.registry.reports("v2")]
        assert at_looks == [False, True, False]


@pytest.mark.timeout(900)
def test_a_proven_shadow_that_no_longer_gives_its_golden_predictions_is_not_swapped_in(
    place: Installation,
) -> None:
    with closing(World(place.layout, HISTORY + TRIAL_DAYS - 1)) as world:
        world.damage_before_the_swap("v2")
        world.pass_days(1)
        assert world.registry.aliases() == {Alias.CHAMPION: "v1"}
        assert trial_of(world, "shadow", "v2", "v1").outcome == "dropped"
        (fault,) = told(world, "trial.unservable")
        assert (fault["version"], fault["champion"], fault["kind"]) == ("v2", "v1", "shadow")
        assert deeds(world)[-1] == ("alias_cleared", "v2", "gate")
        assert world.registry.events()[-1].reason == fault["reason"]
