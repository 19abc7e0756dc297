"""What the daemon does, as tables: who handles which message, who completes what a child did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.compaction import compact, delete_unlisted, note_compaction, unlist_retired
from daemon.day_features import refresh_features
from daemon.hold_trials import (
    act_on_look,
    act_on_proof,
    look,
    note_look,
    predict_beside,
    store_predictions,
)
from daemon.keep_archive import build_archive, drop_event, store_archive
from daemon.messages import (
    ArchiveDue,
    BarsArrived,
    CandidateJudged,
    CandidateRegistered,
    CompactionDue,
    EventDropDue,
    FeaturesDue,
    FeedPollDue,
    FileArrived,
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
)
from daemon.mirror_registry import mirror, note_mirrored
from daemon.poll_feeds import poll_feed, take_feed_news
from daemon.relabel import relabel
from daemon.retrain import abandon_run, act_on_verdict, close_run, judge, note_verdict, open_run, train
from daemon.score_day import score_day, store_scores
from daemon.take_in import take_in_file, take_in_parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.records import ChildEnd, ChildJob, Outcome
    from daemon.tools import Tools

    Handler = Callable[[Any, Tools], Outcome | ChildJob]
    Completion = Callable[[Any, ChildEnd, Tools], Outcome]
    Abandonment = Callable[[Any, str], Outcome]

HANDLERS: Final[dict[type[Message], Handler]] = {
    FileArrived: take_in_file,
    BarsArrived: relabel,
    FeaturesDue: refresh_features,
    CompactionDue: compact,
    RemovalDue: unlist_retired,
    PartsUnlisted: delete_unlisted,
    ScoringDue: score_day,
    PredictionDue: predict_beside,
    LookDue: look,
    LookJudged: act_on_look,
    ArchiveDue: build_archive,
    EventDropDue: drop_event,
    FeedPollDue: poll_feed,
    MirrorDue: mirror,
    RetrainDue: open_run,
    TrainingDue: train,
    CandidateRegistered: judge,
    CandidateJudged: act_on_verdict,
}
COMPLETIONS: Final[dict[type[Message], Completion]] = {
    FileArrived: take_in_parsed,
    CompactionDue: note_compaction,
    ScoringDue: store_scores,
    PredictionDue: store_predictions,
    LookDue: note_look,
    LookJudged: act_on_proof,
    ArchiveDue: store_archive,
    FeedPollDue: take_feed_news,
    MirrorDue: note_mirrored,
    TrainingDue: close_run,
    CandidateRegistered: note_verdict,
}
ABANDONMENTS: Final[dict[type[Message], Abandonment]] = {TrainingDue: abandon_run}
"""What has to be put right when a message becomes a dead letter."""
