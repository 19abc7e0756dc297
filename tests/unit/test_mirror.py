"""When the mirror is due, what a message covers, and how attempts that fail are spaced and end."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from daemon.adapters.ledger import IN_FORCE, InForce
from daemon.configuration import read_configuration
from daemon.errors import SettingsInvalidError
from daemon.messages import Lane, MirrorDue
from daemon.mirror_registry import UNMIRRORED, mirror_due
from daemon.mirror_state import MIRROR, MirrorState
from daemon.records import ChildEnd
from daemon.settings import MirrorSettings, Settings
from daemon.status import read_status
from registry.glance import events_after
from tests.desk import Desk
from tests.unit.test_trials import register

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daemon.records import Outcome

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
URI = "http://127.0.0.1:5000"
ON = MirrorSettings(mlflow_uri=URI, attempts_max=3, retry_wait_s=60.0, retry_wait_max_s=100.0, batch_max=3)
DOWN = ChildEnd(result=None, reason="it exceeded its time limit of 300 s")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, Settings(), NOON)
    with closing(made.journal), made.tools.registry:
        made.configure(mirror=ON)
        yield made


def due(desk: Desk) -> MirrorDue:
    (message,) = mirror_due(desk.tools)
    return message


def sent(*versions: str) -> ChildEnd:
    result: dict[str, object] = {
        "sent": [{"version": version, "run": "r", "mlflow_version": "1"} for version in versions],
        "aliases": {},
        "error": None,
    }
    return ChildEnd(result=result, reason=None)


def named(outcome: Outcome) -> list[str]:
    return [event.name for event in outcome.events]


def promote(desk: Desk, version: str, champion: str | None) -> None:
    desk.tools.registry.promote(
        version, expected_champion=champion, reason="it is better", actor="gate", at=NOON, key=version
    )


def state_of(desk: Desk) -> MirrorState:
    return MirrorState.of_json(desk.tools.ledger.fact(MIRROR), URI)


def test_a_mirror_that_is_not_configured_is_never_due(desk: Desk) -> None:
    register(desk, "r1")
    assert due(desk).versions == ("v1",)
    desk.configure(mirror=MirrorSettings())
    assert mirror_due(desk.tools) == ()


def test_a_version_and_an_alias_move_are_each_sent_once(desk: Desk) -> None:
    register(desk, "r1")
    message = due(desk)
    assert (message.through, message.versions, message.lane) == (1, ("v1",), Lane.MIRROR)
    job = desk.start(message).job
    assert (job["uri"], job["versions"], job["is_dry"]) == (URI, ["v1"], False)
    outcome = desk.complete(message, sent("v1"))
    assert (named(outcome), outcome.follow_ups) == (["mirror.sent"], ())
    assert mirror_due(desk.tools) == ()
    promote(desk, "v1", None)
    moved = due(desk)
    assert (moved.through, moved.versions) == (2, ("v1",))
    desk.complete(moved, sent())
    assert mirror_due(desk.tools) == ()


def test_asking_again_while_a_message_waits_adds_none(desk: Desk) -> None:
    register(desk, "r1")
    assert desk.journal.append([due(desk)], now=NOON) == (True,)
    assert desk.journal.append([due(desk)], now=NOON) == (False,)


def test_much_that_happened_goes_out_in_pieces_one_after_the_other(desk: Desk) -> None:
    for run in range(4):
        register(desk, f"r{run}")
    first = due(desk)
    assert (first.through, first.versions) == (3, ("v1", "v2", "v3"))
    outcome = desk.complete(first, sent("v1", "v2", "v3"))
    assert outcome.follow_ups == (MirrorDue(uri=URI, through=4, attempt=1, versions=("v4",)),)


def test_a_freeze_changes_nothing_that_a_mirror_shows(desk: Desk) -> None:
    register(desk, "r1")
    promote(desk, "v1", None)
    desk.complete(due(desk), sent("v1"))
    desk.tools.registry.freeze(reason="holidays", actor="me", at=NOON, key="f")
    assert mirror_due(desk.tools) == ()
    database = desk.tools.layout.registry / "registry.db"
    events = desk.tools.registry.events()
    assert events_after(database, 0) == sum(event.kind not in UNMIRRORED for event in events) == 2


def test_attempts_that_fail_wait_longer_each_time_up_to_the_longest_wait(desk: Desk) -> None:
    register(desk, "r1")
    for attempt, wait_s in ((1, 60), (2, 100)):
        message = due(desk)
        assert message.attempt == attempt
        outcome = desk.complete(message, DOWN)
        (event,) = outcome.events
        assert event.name == "mirror.failed"
        assert event.fields["error"] == DOWN.reason
        assert event.fields["retry_at"] == (desk.clock.now() + timedelta(seconds=wait_s)).isoformat()
        desk.clock.advance(timedelta(seconds=wait_s - 1))
        assert mirror_due(desk.tools) == ()
        desk.clock.advance(timedelta(seconds=1))
    assert due(desk).attempt == 3


def test_what_cannot_be_sent_is_given_up_and_what_comes_later_is_not(desk: Desk) -> None:
    register(desk, "r1")
    outcomes = []
    for _ in range(3):
        outcomes += named(desk.complete(due(desk), DOWN))
        desk.clock.advance(timedelta(seconds=100))
    assert outcomes == ["mirror.failed", "mirror.failed", "mirror.given_up"]
    assert mirror_due(desk.tools) == ()
    register(desk, "r2")
    message = due(desk)
    assert (message.versions, message.attempt) == (("v2",), 1)
    desk.complete(message, sent("v2"))
    assert (state_of(desk).error, state_of(desk).given_up) == (None, 1)


def test_a_success_after_failures_forgets_them(desk: Desk) -> None:
    register(desk, "r1")
    desk.complete(due(desk), DOWN)
    desk.clock.advance(timedelta(seconds=60))
    desk.complete(due(desk), sent("v1"))
    assert state_of(desk) == MirrorState(uri=URI, through=1)


def test_another_address_begins_anew_and_the_old_one_is_left_alone(desk: Desk) -> None:
    register(desk, "r1")
    waiting = due(desk)
    desk.complete(waiting, sent("v1"))
    desk.configure(mirror=MirrorSettings(mlflow_uri="http://127.0.0.1:5001"))
    assert due(desk).through == 1
    outcome: Any = desk.do(waiting)
    assert (outcome.records, outcome.events, outcome.follow_ups) == ((), (), ())


def test_a_failing_mirror_holds_up_no_other_lane(desk: Desk) -> None:
    register(desk, "r1")
    desk.journal.append([due(desk)], now=NOON)
    others = [lane for lane in Lane if lane is not Lane.MIRROR]
    assert desk.journal.next(others, now=NOON) is None
    assert desk.journal.next([Lane.MIRROR], now=NOON) is not None


def test_status_tells_how_far_the_mirror_is_behind_and_why(desk: Desk) -> None:
    layout = desk.tools.layout
    register(desk, "r1")
    register(desk, "r2")
    desk.complete(due(desk), DOWN)
    fact = InForce(markets=[], feeds=[], next_run=None, mirror=URI).to_json()
    with closing(type(desk.journal)(layout.journal)) as journal:
        journal.set_fact(IN_FORCE, fact)
        journal.set_fact(MIRROR, state_of(desk).to_json())
    status = read_status(layout, NOON)
    assert status.mirror == {
        "uri": URI, "behind": 2, "failing_since": NOON.isoformat(), "error": DOWN.reason, "given_up": 0
    }  # fmt: skip
    (reason,) = [each for each in status.reasons if each.problem.startswith("mirror")]
    assert reason.problem == f"mirror {URI} is 2 events behind: {DOWN.reason}"
    assert reason.since == NOON.isoformat()


def test_a_password_in_the_address_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[mirror]\nmlflow_uri = "http://me:secret@host"\n', encoding="utf-8")
    with pytest.raises(SettingsInvalidError, match="holds a password") as caught:
        read_configuration(path, {})
    assert "secret" not in str(caught.value)
