"""What was decided: champions, verdicts, looks, runs, alarms, and whether the gate was right afterwards."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.report.account_words import record_sentence
from regime.ablation import INGREDIENTS, Ablation
from regime.prequential import gains_of
from regime.scorecard import OVERALL
from registry.gate_report import GateReport, Verdict
from registry.types import EventKind, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from daemon.adapters.ledger import Ledger
    from daemon.report.account_policies import Recomputed
    from daemon.report.account_state import State
    from registry.store import Registry
    from registry.types import Tenure

    Mask = NDArray[np.bool_]

GATE: Final = "gate"
"""Who acts in the registry where nobody did by hand."""
SESSIONS_MAX: Final = 252
"""A verdict is held against the year after it: what a version would have said ten years later is another
question, and would make the account as slow as it is long."""
LOOK_KEY: Final = "look:"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A verdict of the gate, and whether the version that it is about became champion by it.

    ``window`` are the judged rows from the verdict until the champion changed, at most a year of them.
    ``is_moot`` tells that it changed before a day had passed, as where a person overrode the verdict.
    """

    report: GateReport
    at: datetime
    promoted: bool
    is_moot: bool
    window: Mask

    @property
    def version(self) -> str:
        """The version that was judged."""
        return self.report.candidate


def judgements_of(state: State, registry: Registry) -> tuple[Judged, ...]:
    """Give every verdict on a candidate, oldest first; looks at trials are told elsewhere."""
    reports = _reports(state, registry)
    found = []
    for event in state.events:
        if event.kind is not EventKind.REPORTED or event.key.startswith(LOOK_KEY):
            continue
        asked: Any = event.body["asked"]
        report = reports.get(asked["report_sha256"]) or reports.get(event.version)
        if report is not None:
            found.append(_judged(state, report, event.at))
    return tuple(found)


def _reports(state: State, registry: Registry) -> dict[str, GateReport]:
    """Give the stored reports by their hash; of a deleted version the last, by its name."""
    texts = [text for name in state.versions for text in registry.reports(name)]
    found = {sha256_of(text): GateReport.from_json(text) for text in texts}
    for facts in registry.latest_reports():
        name = str(facts["candidate"])
        if name not in state.versions:
            found[name] = GateReport.from_json(json.dumps(facts))
    return found


def _judged(state: State, report: GateReport, at: datetime) -> Judged:
    """Tell whether this verdict made the judged version champion, and which rows followed."""
    later = [tenure for tenure in state.tenures if tenure.since >= at]
    promoted = bool(later) and report.admits and later[0].version == report.candidate
    ends = later[1:] if promoted else later
    window = state.since(at)
    if ends:
        window &= ~state.since(ends[0].since)
    days = np.unique(state.rows.date[window])
    if len(days) > SESSIONS_MAX:
        window &= state.rows.date <= days[SESSIONS_MAX - 1]
    is_moot = bool(ends) and not window.any()
    return Judged(report=report, at=at, promoted=promoted, is_moot=is_moot, window=window)


def wanted_by_record(judged: Sequence[Judged]) -> dict[str, Mask]:
    """Give the rows that the record of the gate wants of each version."""
    wanted: dict[str, Mask] = {}
    for each in judged:
        if each.report.champion is None:
            continue
        for name in (each.version, each.report.champion):
            wanted[name] = wanted.get(name, np.zeros_like(each.window)) | each.window
    return wanted


def gate_record(state: State, judged: Sequence[Judged], found: Recomputed) -> list[dict[str, Any]]:
    """Hold every verdict against the days that followed it; ``nats`` are gained by the judged version."""
    record = []
    for each in judged:
        against = each.report.champion
        if against is None or each.is_moot or each.report.verdict is Verdict.ERROR:
            continue
        own, other = (found.of(name, state)[each.window] for name in (each.version, against))
        gain = gains_of(state.rows.take(each.window), own, other)[OVERALL]
        right, sentence = record_sentence(each.version, against, gain, held=not each.promoted)
        record.append(
            {
                "version": each.version,
                "day": day_of(each.at),
                "verdict": each.report.verdict.value,
                "held": not each.promoted,
                "against": against,
                **asdict(gain),
                "right": right,
                "sentence": sentence,
            }
        )
    return record


def verdicts(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Give the verdicts as plain facts, oldest first."""
    return [
        {
            "day": day_of(each.at),
            "version": each.version,
            "against": each.report.champion,
            "kind": each.report.kind.value,
            "verdict": each.report.verdict.value,
            "reason": each.report.reason,
            "regimes": [
                {
                    "regime": of.regime.value,
                    "status": of.status.value,
                    "mean": of.mean,
                    "lcb": of.lcb,
                    "ucb": of.ucb,
                    "margin": of.margin,
                    "days": of.days,
                    "rows": of.rows,
                    "episodes": of.episodes,
                }
                for of in each.report.regimes
            ],
        }
        for each in judged
    ]


def champions(state: State, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Give who served from when to when, by which verdict."""
    return [
        {
            "version": tenure.version,
            "from": day_of(tenure.since),
            "to": None if tenure.until is None else day_of(tenure.until),
            "verdict": _verdict_of(tenure, judged),
            "reason": tenure.reason,
            "trained_to": _trained_to(state, tenure.version),
            "actor": tenure.actor,
        }
        for tenure in state.tenures
    ]


def _verdict_of(tenure: Tenure, judged: Sequence[Judged]) -> str:
    """Give the verdict that led to a tenure; where none did, what the registry calls the deed.

    Whom the gate promotes though all history left a doubt was proven on fresh days.
    """
    if tenure.kind is not EventKind.PROMOTED:
        return tenure.kind.value.upper()
    if tenure.actor != GATE:
        return Verdict.FORCED.value
    own = [each for each in judged if each.version == tenure.version and each.at <= tenure.since]
    is_first = bool(own) and own[-1].report.verdict is Verdict.BOOTSTRAP
    return (Verdict.BOOTSTRAP if is_first else Verdict.PROMOTE).value


def _trained_to(state: State, version: str) -> str | None:
    known = state.versions.get(version)
    return None if known is None else known.manifest.trained_to.isoformat()


def looks(ledger: Ledger) -> list[dict[str, Any]]:
    """Give every look at a shadow or a probation."""
    return [
        {
            "day": look.at[:10],
            "trial": trial.id,
            "kind": trial.kind,
            "version": trial.version,
            "against": trial.against,
            "days": look.days,
            "verdict": look.verdict,
            "outcome": trial.outcome if look == trial.looked[-1] else None,
            "reason": look.reason,
        }
        for trial in ledger.trials.all()
        for look in trial.looked
    ]


def runs(ledger: Ledger, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Give every training run with the verdict on its version."""
    first = {each.version: each.report for each in reversed(judged)}
    found = []
    for run in ledger.runs():
        report = first.get(run.version or "")
        found.append(
            {
                "run": run.id,
                "day": run.opened_at[:10],
                "trigger": run.trigger,
                "outcome": run.outcome,
                "version": run.version,
                "verdict": None if report is None else report.verdict.value,
                "reason": run.reason or ("" if report is None else report.reason),
            }
        )
    return found


def drift(ledger: Ledger) -> list[dict[str, Any]]:
    """Give every alarm of a drift monitor, by day."""
    found = []
    for event in ledger.events(name="drift.detected"):
        facts = event.fields
        limit = facts["threshold"]
        against = "" if limit is None else f", {facts['statistic']} against {limit}"
        found.append(
            {
                "day": facts["day"],
                "monitor": facts["monitor"],
                "level": facts["alarm"],
                "sentence": f"{facts['monitor']} raised {facts['alarm']} on {facts['day']}{against}.",
            }
        )
    return sorted(found, key=lambda each: (str(each["day"]), str(each["monitor"])))


def ablations(state: State, registry: Registry) -> list[dict[str, Any]]:
    """Give what each version's ingredients were worth in its own walk-forward, when it was registered."""
    found = []
    for name, version in state.versions.items():
        for ingredient, ablation in ablations_of(registry, name).items():
            told = ablation.overall.log_loss
            interval = None if told is None else told.interval
            found.append(
                {
                    "day": day_of(version.registered_at),
                    "version": name,
                    "name": ingredient,
                    "nats": None if told is None else told.mean,
                    "low": None if interval is None else interval.low,
                    "high": None if interval is None else interval.high,
                    "sentence": f"{name}: {ablation.said(INGREDIENTS.get(ingredient, ingredient))}.",
                }
            )
    return found


def ablations_of(registry: Registry, version: str) -> dict[str, Ablation]:
    """Give the stored ablations of a version, none if it has none."""
    stored: Mapping[str, Any] = registry.scorecard(version)
    return {name: Ablation.from_json(each) for name, each in stored.get("ablations", {}).items()}


def day_of(at: datetime) -> str:
    """Give the UTC day of a time."""
    return at.date().isoformat()
