"""Messages: frozen facts with a unique key, stored by kind and JSON."""

from __future__ import annotations

import json

import pytest

from daemon.errors import JournalError
from daemon.handlers import HANDLERS
from daemon.messages import (
    KINDS,
    ArchiveDue,
    BarsArrived,
    CandidateJudged,
    CandidateRegistered,
    CompactionDue,
    EventDropDue,
    FeaturesDue,
    FeedPollDue,
    FileArrived,
    Lane,
    LookDue,
    LookJudged,
    Message,
    MirrorDue,
    PartsUnlisted,
    PredictionDue,
    RemovalDue,
    RetrainDue,
    ScoringDue,
    TrainingDue,
    kind_of,
    message_of,
)

EXAMPLES: dict[str, tuple[Message, str, Lane]] = {
    "file_arrived": (
        FileArrived(sha256="5a", name="spy {0}.csv", size_bytes=100),
        "file:5a",
        Lane.LOOP,
    ),
    "bars_arrived": (
        BarsArrived(data_version=7, symbols=("SPY", "^VIX"), first_day="2024-02-29"),
        "bars:7",
        Lane.LOOP,
    ),
    "compaction_due": (CompactionDue(data_version=65), "compact:65", Lane.COMPACT),
    "removal_due": (RemovalDue(through=65), "remove:65", Lane.LOOP),
    "parts_unlisted": (PartsUnlisted(through=65, parts=("5a.parquet",)), "unlisted:65", Lane.LOOP),
    "features_due": (FeaturesDue(data_version=7), "features:7", Lane.LOOP),
    "scoring_due": (ScoringDue(data_version=7, champion="v3"), "score:7:v3", Lane.SCORE),
    "prediction_due": (PredictionDue(data_version=7, version="v2"), "predict:7:v2", Lane.SCORE),
    "look_due": (
        LookDue(trial="shadow:v2:9", days=40, looks=4, is_last=False, data_version=7, at="2024-01-06"),
        "look:shadow:v2:9:40",
        Lane.SCORE,
    ),
    "look_judged": (
        LookJudged(
            trial="shadow:v2:9",
            kind="shadow",
            version="v2",
            against="v1",
            days=40,
            is_last=False,
            verdict="PROMOTE",
            reason="it is better",
            evidence=None,
        ),
        "looked:shadow:v2:9:40",
        Lane.LOOP,
    ),
    "archive_due": (ArchiveDue(data_version=7), "archive:7", Lane.ARCHIVE),
    "event_drop_due": (
        EventDropDue(event="dynamic_2011_09_30", reason="an aftershock"),
        "drop:dynamic_2011_09_30",
        Lane.LOOP,
    ),
    "retrain_due": (RetrainDue(trigger="manual", period="2024"), "retrain:manual:2024", Lane.LOOP),
    "training_due": (TrainingDue(run_id="r1", data_version=7), "train:r1", Lane.TRAIN),
    "candidate_registered": (CandidateRegistered(run_id="r1", version="v4"), "judge:v4", Lane.TRAIN),
    "candidate_judged": (
        CandidateJudged(version="v4", champion=None, verdict="BOOTSTRAP", reason="it is the first"),
        "judged:v4",
        Lane.LOOP,
    ),
    "feed_poll_due": (FeedPollDue(feed="cboe_vix", slot="noon"), "poll:cboe_vix:noon", Lane.FEED),
    "mirror_due": (
        MirrorDue(uri="http://host", through=7, attempt=2, versions=("v3",)),
        "mirror:http://host:7:2",
        Lane.MIRROR,
    ),
}


def test_every_kind_has_an_example_here_and_a_handler() -> None:
    assert EXAMPLES.keys() == KINDS.keys()
    assert set(HANDLERS) == set(KINDS.values())


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_message_comes_back_from_its_kind_and_json(kind: str) -> None:
    message, _, _ = EXAMPLES[kind]
    assert kind_of(message) == kind
    assert message_of(kind, message.to_json()) == message


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_key_names_the_happening_and_the_lane_where_it_is_worked_on(kind: str) -> None:
    message, key, lane = EXAMPLES[kind]
    assert message.key == key
    assert message.lane is lane


def test_json_is_canonical_so_that_equal_messages_are_equal_text() -> None:
    assert ScoringDue(champion="v3", data_version=7).to_json() == '{"champion":"v3","data_version":7}'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("from_the_future", "{}"),
        ("training_due", "not json"),
        ("training_due", '{"run_id": "r1"}'),
        ("training_due", json.dumps({"run_id": "r1", "data_version": 1, "colour": "red"})),
        ("training_due", "[1]"),
        ("training_due", "5"),
    ],
)
def test_what_another_version_wrote_is_an_error_that_names_the_remedy(kind: str, body: str) -> None:
    with pytest.raises(JournalError, match="written by another version: install that one"):
        message_of(kind, body)
