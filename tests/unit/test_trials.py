"""Shadow, probation and freeze: who is tried, what a look leads to, and that all of it happens once."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from daemon.errors import ChildFailedError
from daemon.messages import CandidateJudged, LookDue, LookJudged, PredictionDue, ScoringDue
from daemon.records import ChildEnd, Outcome, TrialLooked
from daemon.settings import ArchiveSettings, FeaturesSettings, GateSettings, MarketSettings, Settings
from daemon.trials import TrialKind, rivals, trials_of
from registry.errors import AliasRefusedError
from registry.glance import Frozen, glance
from registry.types import Alias, Manifest, Member, MemberStatus
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.messages import Message
    from daemon.trials import Trial

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FOREST = b"the trees of a forest"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    settings = replace(
        Settings(),
        markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")},
        archive=ArchiveSettings(enabled=False),
        features=FeaturesSettings(enabled=False),
    )
    made = Desk(tmp_path, settings, NOON)
    with closing(made.journal), made.tools.registry:
        yield made


def register(desk: Desk, run: str, target: str = "reference") -> str:
    """Put a version into the registry, as a training child does."""
    member = Member(status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(FOREST).hexdigest())
    manifest = Manifest(
        run_id=run,
        recipe_hash="recipe",
        data_hash="data",
        data_version="1",
        feature_names=("return_1",),
        feature_hash="features",
        feature_catalogue="1",
        target={"name": target},
        classes=("sell", "hold", "buy"),
        settings={"seed": 1},
        settings_hash="settings",
        seed=1,
        trained_from=date(2022, 3, 1),
        trained_to=date(2024, 1, 29),
        trained_rows=500,
        packages={"scikit-learn": "1.9.1"},
        members={"random_forest": member},
        created_at=NOON,
    )
    return desk.tools.registry.register(
        manifest, {"random_forest": FOREST}, {"rows": 500}, key=f"train:{run}", at=NOON
    ).name


def judged(version: str, champion: str | None, verdict: str) -> CandidateJudged:
    return CandidateJudged(version=version, champion=champion, verdict=verdict, reason="so it is")


def looked(trial: Trial, verdict: str, days: int = 40, *, is_last: bool = False) -> LookJudged:
    return LookJudged(
        trial=trial.id,
        kind=trial.kind.value,
        version=trial.version,
        against=trial.against,
        days=days,
        is_last=is_last,
        verdict=verdict,
        reason="so the days say",
        evidence="e" * 64,
    )


def with_shadow(desk: Desk) -> Trial:
    """Make v1 champion and v2 its shadow."""
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    desk.do(judged(register(desk, "r2"), "v1", "SHADOW"))
    return counted(desk, TrialKind.SHADOW, 0)


def with_probation(desk: Desk) -> Trial:
    """Make v2 champion in place of v1."""
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    desk.do(judged(register(desk, "r2"), "v1", "PROMOTE"))
    return counted(desk, TrialKind.PROBATION, 0)


def counted(desk: Desk, kind: TrialKind, days: int) -> Trial:
    """Let the child of a prediction say that so many fresh days have matured."""
    trial = open_trial(desk, kind)
    result: dict[str, Any] = {
        "day": "2024-01-29",
        "predictions": [],
        "counted": [{"trial": trial.facts(), "days": days}],
    }
    message = PredictionDue(data_version=days, version=trial.version)
    desk.complete(message, ChildEnd(result=result, reason=None))
    return trial


def open_trial(desk: Desk, kind: TrialKind) -> Trial:
    (trial,) = [each for each in trials_of(desk.tools.registry.events()) if each.kind is kind]
    return trial


def names(outcome: Outcome) -> list[str]:
    return [event.name for event in outcome.events]


def handled_twice(desk: Desk, message: Message) -> Outcome:
    """Handle a message, as if the daemon was killed before it was finished, and again a while later."""
    from daemon.handlers import HANDLERS  # noqa: PLC0415 - the desk does the rest

    interrupted = HANDLERS[type(message)](message, desk.tools)
    desk.clock.advance(timedelta(minutes=5))
    outcome = desk.do(message)
    assert outcome == interrupted
    return outcome


def swapped(desk: Desk, message: LookJudged, fault: str = "") -> Outcome:
    """Let a child tell whether a proven version can serve, and kill the daemon after the deed."""
    from daemon.handlers import COMPLETIONS, HANDLERS  # noqa: PLC0415 - the desk does the rest

    job = desk.start(message)
    assert (job.module, job.job["version"]) == ("daemon.children.servable", message.version)
    end = ChildEnd(result={"reason": fault}, reason=None)
    interrupted = COMPLETIONS[type(message)](message, end, desk.tools)
    desk.clock.advance(timedelta(minutes=5))
    again = HANDLERS[type(message)](message, desk.tools)
    assert again == interrupted
    return desk.apply(message, interrupted)


# Who is tried against whom.


@pytest.mark.parametrize("verdict", ["SHADOW", "HOLD_INSUFFICIENT"])
def test_whom_the_gate_doubts_becomes_shadow_and_predicts_beside_the_champion(
    desk: Desk, verdict: str
) -> None:
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    outcome = handled_twice(desk, judged(register(desk, "r2"), "v1", verdict))
    assert names(outcome) == ["gate.refused", "trial.opened"]
    assert outcome.events[1].fields == {
        "version": "v2", "alias": "shadow", "champion": "v1", "replaced": None, "reason": "so it is",
    }  # fmt: skip
    assert outcome.follow_ups == (
        ScoringDue(data_version=0, champion="v1"),
        PredictionDue(data_version=0, version="v2"),
    )
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.SHADOW: "v2"}


def test_a_new_candidate_does_not_cut_the_trial_of_a_shadow_short(desk: Desk) -> None:
    before = with_shadow(desk)
    outcome = handled_twice(desk, judged(register(desk, "r3"), "v1", "SHADOW"))
    assert names(outcome) == ["gate.refused"]
    assert outcome.events[0].fields["reason"] == "so it is It waits, since v2 is on trial already."
    assert rivals(desk.tools.registry.events()) == ("v2",)
    assert open_trial(desk, TrialKind.SHADOW) == before


def test_a_shadow_that_is_older_than_the_champion_gives_way(desk: Desk) -> None:
    with_shadow(desk)
    desk.do(judged(register(desk, "r3"), "v1", "PROMOTE"))
    outcome = handled_twice(desk, judged(register(desk, "r4"), "v3", "SHADOW"))
    assert outcome.events[1].fields["replaced"] == "v2"
    assert open_trial(desk, TrialKind.SHADOW).version == "v4"


def test_a_shadow_of_another_target_gives_way(desk: Desk) -> None:
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    desk.do(judged(register(desk, "r2", target="vol_scaled"), "v1", "SHADOW"))
    outcome = desk.do(judged(register(desk, "r3"), "v1", "SHADOW"))
    assert outcome.events[1].fields["replaced"] == "v2"


@pytest.mark.parametrize("verdict", ["REJECT", "HOLD_EQUIVALENT", "HOLD_SUSPICIOUS", "ERROR"])
def test_whom_the_gate_refuses_does_not_predict(desk: Desk, verdict: str) -> None:
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    outcome = desk.do(judged(register(desk, "r2"), "v1", verdict))
    assert names(outcome) == ["gate.refused"]
    assert rivals(desk.tools.registry.events()) == ()


def test_after_a_promotion_the_former_champion_goes_on_predicting(desk: Desk) -> None:
    trial = with_probation(desk)
    assert (trial.id, trial.version, trial.against) == ("probation:v1:4", "v1", "v2")


def test_a_shadow_is_tried_anew_when_the_champion_changes(desk: Desk) -> None:
    before = with_shadow(desk)
    desk.do(judged(register(desk, "r3"), "v1", "PROMOTE"))
    after = open_trial(desk, TrialKind.SHADOW)
    assert (before.version, before.against) == ("v2", "v1")
    assert (after.version, after.against) == ("v2", "v3")
    assert after.id != before.id
    assert rivals(desk.tools.registry.events()) == ("v2", "v1")


def test_versions_with_other_targets_are_not_judged_against_each_other(desk: Desk) -> None:
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    desk.do(judged(register(desk, "r2", target="vol_scaled"), "v1", "SHADOW"))
    job = desk.start(PredictionDue(data_version=0, version="v2"))
    assert (job.module, job.job["version"], job.job["trials"]) == ("daemon.children.predict", "v2", [])


# Days mature, and looks are due.


def test_a_look_is_due_once_enough_fresh_days_have_matured(desk: Desk) -> None:
    trial = with_shadow(desk)
    result = {"day": "2024-01-29", "predictions": [], "counted": [{"trial": trial.facts(), "days": 61}]}
    due = PredictionDue(data_version=7, version="v2")
    outcome = desk.complete(due, ChildEnd(result=result, reason=None))
    assert [message.key for message in outcome.follow_ups] == [f"look:{trial.id}:40", f"look:{trial.id}:60"]
    first = outcome.follow_ups[0]
    assert isinstance(first, LookDue)
    assert (first.looks, first.is_last, first.data_version, first.at) == (4, False, 7, NOON.isoformat())
    stored = desk.tools.ledger.trials.of_id(trial.id)
    assert stored is not None
    assert (stored.days, stored.looks, stored.next_look) == (61, (40, 60, 90, 120), 40)
    job = desk.start(first)
    assert job.job["trial"] == trial.facts()


def test_a_version_that_lost_its_role_neither_predicts_nor_is_looked_at(desk: Desk) -> None:
    trial = with_shadow(desk)
    desk.do(looked(trial, "REJECT"))
    assert desk.do(PredictionDue(data_version=0, version="v2")) == Outcome()
    due = LookDue(trial=trial.id, days=60, looks=4, is_last=False, data_version=0, at=NOON.isoformat())
    assert desk.do(due) == Outcome()
    assert desk.do(looked(trial, "PROMOTE", days=60)) == Outcome()


# What a look leads to.


def test_a_shadow_that_fresh_days_prove_is_promoted_once(desk: Desk) -> None:
    trial = with_shadow(desk)
    outcome = swapped(desk, looked(trial, "PROMOTE"))
    assert names(outcome) == ["trial.looked", "gate.promoted"]
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
    assert [tenure.version for tenure in desk.tools.registry.tenures()] == ["v1", "v2"]
    assert outcome.follow_ups == (
        ScoringDue(data_version=0, champion="v2"),
        PredictionDue(data_version=0, version="v1"),
    )


def test_a_shadow_that_an_early_look_does_not_decide_goes_on(desk: Desk) -> None:
    trial = with_shadow(desk)
    outcome = desk.do(looked(trial, "SHADOW"))
    assert names(outcome) == ["trial.looked"]
    stored = desk.tools.ledger.trials.of_id(trial.id)
    assert stored is not None
    assert (stored.outcome, stored.next_look, stored.looked[0].verdict) == (None, 60, "SHADOW")
    assert desk.tools.registry.aliases()[Alias.SHADOW] == "v2"


def test_a_shadow_that_the_last_look_does_not_prove_is_dropped_with_the_reason(desk: Desk) -> None:
    trial = with_shadow(desk)
    outcome = handled_twice(desk, looked(trial, "HOLD_INSUFFICIENT", days=120, is_last=True))
    assert names(outcome) == ["trial.looked", "trial.dropped"]
    assert outcome.events[1].fields["reason"] == "so the days say"
    assert Alias.SHADOW not in desk.tools.registry.aliases()
    assert desk.tools.registry.events()[-1].reason == "so the days say"


def test_a_shadow_that_is_harmful_is_dropped_at_once(desk: Desk) -> None:
    outcome = desk.do(looked(with_shadow(desk), "REJECT"))
    (record,) = outcome.records
    assert isinstance(record, TrialLooked)
    assert record.outcome == "dropped"


def test_a_former_champion_that_proves_better_returns_and_freezes_promotion(desk: Desk) -> None:
    trial = with_probation(desk)
    outcome = swapped(desk, looked(trial, "PROMOTE"))
    assert names(outcome) == ["trial.looked", "gate.rolled_back", "gate.frozen"]
    assert outcome.events[1].fields == {
        "version": "v1", "from": "v2", "reason": "so the days say", "evidence": "e" * 64,
    }  # fmt: skip
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.PREVIOUS: "v2"}
    frozen = desk.tools.registry.frozen()
    assert frozen is not None
    assert (frozen.actor, frozen.reason) == ("gate", "so the days say")
    assert trials_of(desk.tools.registry.events()) == ()
    assert desk.tools.registry.verify() == []


def test_a_proven_shadow_that_cannot_serve_is_set_aside_with_the_reason(desk: Desk) -> None:
    trial = with_shadow(desk)
    outcome = swapped(desk, looked(trial, "PROMOTE"), fault="golden predictions differ")
    assert names(outcome) == ["trial.looked", "trial.unservable"]
    assert outcome.events[0].fields["outcome"] == "dropped"
    assert outcome.events[1].fields == {
        "trial": trial.id, "kind": "shadow", "version": "v2", "champion": "v1",
        "reason": "golden predictions differ",
    }  # fmt: skip
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1"}
    assert desk.tools.registry.events()[-1].reason == "golden predictions differ"


def test_a_former_champion_that_cannot_serve_does_not_return(desk: Desk) -> None:
    trial, end = with_probation(desk), ChildEnd(result={"reason": "a blob is missing"}, reason=None)
    outcome = desk.complete(looked(trial, "PROMOTE"), end)
    assert names(outcome) == ["trial.looked", "trial.unservable"]
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
    assert desk.tools.registry.frozen() is None
    assert desk.do(looked(trial, "PROMOTE", days=60)) == Outcome()


def test_what_could_not_be_found_out_is_tried_again_and_moves_nothing(desk: Desk) -> None:
    trial = with_shadow(desk)
    with pytest.raises(ChildFailedError, match="whether v2 can serve is not known: it was killed"):
        desk.complete(looked(trial, "PROMOTE"), ChildEnd(result=None, reason="it was killed"))
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.SHADOW: "v2"}


def test_a_freeze_that_comes_while_a_proven_shadow_is_examined_keeps_it_from_serving(desk: Desk) -> None:
    message = looked(with_shadow(desk), "PROMOTE")
    desk.start(message)
    desk.tools.registry.freeze(reason="an odd week", actor="ann", at=NOON, key="by hand")
    outcome = desk.complete(message, ChildEnd(result={"reason": ""}, reason=None))
    assert names(outcome) == ["trial.looked", "gate.refused"]
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.SHADOW: "v2"}


def test_a_rollback_need_not_freeze(desk: Desk) -> None:
    desk.configure(gate=GateSettings(freeze_after_rollback=False))
    outcome = swapped(desk, looked(with_probation(desk), "PROMOTE"))
    assert names(outcome) == ["trial.looked", "gate.rolled_back"]
    assert desk.tools.registry.frozen() is None


def test_a_champion_that_is_not_shown_to_be_worse_passes_its_probation(desk: Desk) -> None:
    trial = with_probation(desk)
    outcome = desk.do(looked(trial, "HOLD_EQUIVALENT", days=60, is_last=True))
    assert names(outcome) == ["trial.looked", "trial.passed"]
    assert desk.tools.registry.aliases()[Alias.CHAMPION] == "v2"
    assert desk.do(looked(trial, "PROMOTE", days=61)) == Outcome()


def test_a_former_champion_stops_predicting_when_its_trial_is_over(desk: Desk) -> None:
    desk.do(looked(with_probation(desk), "HOLD_EQUIVALENT", days=60, is_last=True))
    assert desk.do(PredictionDue(data_version=0, version="v1")) == Outcome()


# Frozen.


def test_under_a_freeze_a_verdict_promotes_nothing_and_says_why(desk: Desk) -> None:
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    desk.tools.registry.freeze(reason="an odd week", actor="ann", at=NOON, key="by hand")
    outcome = handled_twice(desk, judged(register(desk, "r2"), "v1", "PROMOTE"))
    assert names(outcome) == ["gate.refused", "trial.opened"]
    assert outcome.events[0].fields["reason"] == (
        "so it is; but automatic promotion is frozen since 2024-03-01 (an odd week);"
        " lift it with: regimed models unfreeze"
    )
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.CHALLENGER: "v2"}


def test_under_a_freeze_a_proven_shadow_stays_in_the_shadow_for_a_person_to_promote(desk: Desk) -> None:
    trial = with_shadow(desk)
    desk.tools.registry.freeze(reason="an odd week", actor="ann", at=NOON, key="by hand")
    outcome = desk.do(looked(trial, "PROMOTE"))
    assert names(outcome) == ["trial.looked", "gate.refused"]
    assert desk.tools.registry.aliases() == {Alias.CHAMPION: "v1", Alias.SHADOW: "v2"}
    stored = desk.tools.ledger.trials.of_id(trial.id)
    assert stored is not None
    assert (stored.outcome, stored.next_look) == ("proven", None)


def test_a_freeze_is_lifted_by_hand_and_both_are_in_the_history(desk: Desk) -> None:
    registry = desk.tools.registry
    desk.do(judged(register(desk, "r1"), None, "BOOTSTRAP"))
    registry.freeze(reason="an odd week", actor="ann", at=NOON, key="one")
    with pytest.raises(AliasRefusedError, match="frozen already"):
        registry.freeze(reason="again", actor="ann", at=NOON, key="two")
    registry.unfreeze(reason="it was the feed", actor="bob", at=NOON, key="three")
    assert registry.frozen() is None
    assert [(event.kind, event.actor, event.reason) for event in registry.events()[-2:]] == [
        ("frozen", "ann", "an odd week"),
        ("unfrozen", "bob", "it was the feed"),
    ]
    assert registry.verify() == []


def test_without_a_champion_there_is_nothing_to_freeze(desk: Desk) -> None:
    with pytest.raises(AliasRefusedError, match="no champion yet"):
        desk.tools.registry.freeze(reason="why not", actor="ann", at=NOON, key="one")


# What status and the commands say.


def test_status_tells_of_shadow_probation_and_freeze(desk: Desk) -> None:
    with_probation(desk)
    desk.tools.registry.freeze(reason="an odd week", actor="ann", at=NOON, key="by hand")
    seen = glance(desk.tools.layout.registry / "registry.db")
    assert (seen.shadow, seen.previous) == (None, "v1")
    assert seen.frozen == Frozen(since="2024-03-01T12:00:00.000000+00:00", actor="ann", reason="an odd week")
    desk.tools.registry.unfreeze(reason="all is well", actor="ann", at=NOON, key="by hand")
    assert glance(desk.tools.layout.registry / "registry.db").frozen is None


def test_after_a_rollback_that_freezes_the_glance_says_so(desk: Desk) -> None:
    swapped(desk, looked(with_probation(desk), "PROMOTE"))
    frozen = glance(desk.tools.layout.registry / "registry.db").frozen
    assert frozen is not None
    assert (frozen.actor, frozen.reason) == ("gate", "so the days say")
