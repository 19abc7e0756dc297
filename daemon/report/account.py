"""The account of a directory: one document of what was predicted, what came of it, and what was decided.

It reads and writes nothing. The same state gives the same document, to the byte once it is JSON: all chance
is seeded, and no clock is looked at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.configuration import values_of
from daemon.markets import first_of
from daemon.report import account_record as record
from daemon.report.account_events import events_of
from daemon.report.account_policies import (
    ALWAYS_PROMOTE,
    BEST_MEMBER,
    CHAMPION,
    NEVER_RETRAINED,
    Policy,
    policies_of,
    recompute,
    recomputed_agrees,
    wanted_of,
)
from daemon.report.account_state import read_state, registered
from daemon.report.account_words import (
    counted,
    gain_headline,
    gain_sentence,
    gate_headline,
    policy_notes,
    skill_headline,
)
from regime.prequential import (
    bands_of,
    gain_of_difference,
    gains_of,
    running_gain,
    scores_by_year,
    scores_of,
)
from regime.scorecard import OVERALL, REGIME_PRIOR, VOLATILITY_BARRIER
from regime.targets import FIRST_TOUCH
from registry.types import canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.adapters.ledger import Ledger
    from daemon.layout import Layout
    from daemon.report.account_policies import Recomputed
    from daemon.report.account_state import State
    from daemon.settings import Settings
    from regime.ablation import Ablation
    from regime.prequential import Scores
    from regime.types import TargetSpec
    from registry.store import Registry

SCHEMA: Final = 1
DIGITS: Final = 6
LIVE: Final = "live"
TITLES: Final = {
    "majority": "Always the most frequent class so far",
    "class_prior": "Class frequencies so far",
    REGIME_PRIOR: "Class frequencies of the regime so far",
    VOLATILITY_BARRIER: "Volatility barrier: what fear alone says",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What the caller knows of the document: what it is of, over which days, and with which version of us.

    ``first`` and ``last`` are days; by default from the first prediction that was served to the last session.
    """

    regimed: str
    kind: str = LIVE
    first: str | None = None
    last: str | None = None
    fast: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A difference between policies that people ask for."""

    name: str
    title: str
    than: str
    what: str


QUESTIONS: Final = (
    _Question(name="retraining", title="What retraining earned", than=NEVER_RETRAINED, what="retraining"),
    _Question(name="gating", title="What the gate earned", than=ALWAYS_PROMOTE, what="the gate"),
    _Question(name="pooling", title="What the ensemble earned", than=BEST_MEMBER, what="the ensemble"),
)


def account_of(
    layout: Layout, settings: Settings, ledger: Ledger, registry: Registry, framing: Framing
) -> dict[str, Any]:
    """Give the document, as plain JSON values with floats of six digits.

    Raises
    ------
    UsageError
        If no version has ever served.
    """
    state = read_state(layout, settings, ledger, registry)
    judged = record.judgements_of(state, registry)
    wanted = wanted_of(state)
    for name, mask in record.wanted_by_record(judged).items():
        wanted[name] = wanted[name] | mask
    found = recompute(state, registry, wanted, trusted=settings.training.trusted_types)
    policies = policies_of(state, found)
    scored = {policy.name: scores_of(state.rows, policy.proba) for policy in policies}
    differences = [*_differences(state, policies), *_weighting(state, registry)]
    gate = record.gate_record(state, judged, found)
    first, last = _range(state, framing)
    market_name, market = first_of(settings.markets)
    runs, drift = record.runs(ledger, judged), record.drift(ledger)
    series = _series(state, first, last)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": framing.kind,
        "title": f"{framing.kind.capitalize()} of {market_name}, {first} to {last}",
        "market": {
            "name": market_name,
            "index": market.index,
            "fear": market.fear or None,
            "symbols": len(state.market.bars.symbols()),
        },
        "range": {"from": first, "to": last, "sessions": len(series["day"])},
        "target": _target(state.target),
        "fingerprint": _fingerprint(state, settings, ledger, framing),
        "counts": {
            "predictions": _served_count(state),
            "matured": len(state.rows),
            "waiting": sum(state.champion.waiting.values()),
            "late": state.late,
            "retrains": sum(run["outcome"] == "succeeded" for run in runs),
            "failed_runs": sum(run["outcome"] == "failed" for run in runs),
            "versions": len(registered(state.events)),
            "champions": len(state.tenures),
            "alarms": len(drift),
        },
        "headline": [
            *_skills(scored[CHAMPION][OVERALL]),
            *map(gain_headline, differences),
            gate_headline(gate),
        ],
        "series": series,
        "events": events_of(state, ledger, first, last),
        "champions": record.champions(state, judged),
        "verdicts": record.verdicts(judged),
        "looks": record.looks(ledger),
        "policies": [_policy(state, policy, scored[policy.name]) for policy in policies],
        "baselines": _baselines(state),
        "differences": differences,
        "gate_record": gate,
        "drift": drift,
        "ablations": record.ablations(state, registry),
        "runs": runs,
        "notes": [*framing.notes, *_notes(state, policies, found)],
    }
    document["fingerprint"]["decisions"] = _decisions(document, state)
    found_plain: dict[str, Any] = plain(document)
    return found_plain


def plain(value: Any) -> Any:
    """Give plain JSON values: floats of six digits, none of them negative zero, tuples as lists.

    >>> plain({"a": (1.23456789, -0.0)})
    {'a': [1.234568, 0.0]}
    """
    match value:
        case float():
            return round(value, DIGITS) + 0.0
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value


def _range(state: State, framing: Framing) -> tuple[str, str]:
    sessions = state.market.index.date
    served = state.champion.made.date
    first = framing.first or str(served[0] if len(served) else sessions[-1])
    return first, framing.last or str(sessions[-1])


def _target(target: TargetSpec) -> dict[str, Any]:
    if target.kind == FIRST_TOUCH:
        barriers = f"+{100 * target.up:g} % before -{100 * target.down:g} %"
    else:
        barriers = f"+{target.up:g} sigma before -{target.down:g} sigma"
    return {
        "name": target.name,
        "sentence": f"{barriers} within {target.horizon_days} closes",
        "classes": list(target.classes),
    }


def _fingerprint(state: State, settings: Settings, ledger: Ledger, framing: Framing) -> dict[str, Any]:
    newest = list(state.versions.values())[-1:]
    return {
        "data": ledger.bars.chain(ledger.data_version()),
        "settings": sha256_of(canonical_json(values_of(settings))),
        "decisions": "",
        "regimed": framing.regimed,
        "fast": framing.fast,
        "packages": dict(newest[0].manifest.packages) if newest else {},
    }


def _decisions(document: Mapping[str, Any], state: State) -> str:
    """Give the hash of all that was decided and said, so that two runs can be compared at a glance."""
    told = {name: document[name] for name in ("champions", "verdicts", "looks", "drift", "runs")}
    digest = hashlib.sha256(json.dumps(plain(told), sort_keys=True).encode())
    made = state.champion.made
    for text in (made.date.astype(np.str_), made.symbol, made.regime, made.version):
        digest.update("\n".join(text.tolist()).encode())
    digest.update(made.proba.round(DIGITS).astype("<f8").tobytes())
    return digest.hexdigest()


def _served_count(state: State) -> int:
    waiting, gone = state.champion.waiting, state.champion.without_target
    return len(state.rows) + sum(waiting.values()) + sum(gone.values())


def _series(state: State, first: str, last: str) -> dict[str, list[Any]]:
    index, fear, labels = state.market.index, state.market.fear, state.market.labels
    inside = (index.date >= np.datetime64(first)) & (index.date <= np.datetime64(last))
    days = index.date[inside].astype(np.str_).tolist()
    fears = dict(zip(fear.date.astype(np.str_).tolist(), fear.close.tolist(), strict=True))
    regimes = {str(day): regime.value for day, regime in zip(labels.date, labels.regime, strict=True)}
    return {
        "day": days,
        "close": index.close[inside].tolist(),
        "fear": [fears.get(day) for day in days],
        "regime": [regimes.get(day, "unknown") for day in days],
    }


def _skills(champion: Scores) -> list[dict[str, Any]]:
    return [
        skill_headline("champion_vs_prior", champion, REGIME_PRIOR, "the regime prior"),
        skill_headline("champion_vs_barrier", champion, VOLATILITY_BARRIER, "the volatility barrier"),
    ]


def _policy(state: State, policy: Policy, scores: Mapping[str, Scores]) -> dict[str, Any]:
    days, nats = running_gain(state.rows, policy.proba)
    return {
        "name": policy.name,
        "title": policy.title,
        "explained": policy.explained,
        "in_hindsight": policy.in_hindsight,
        "scores": {name: asdict(each) for name, each in scores.items()},
        "years": _years(state, policy.proba),
        "reliability": [
            {"class": name, "points": [asdict(band) for band in bands]}
            for name, bands in bands_of(state.rows, policy.proba).items()
        ],
        "gain": {"day": days.astype(np.str_).tolist(), "nats": nats.tolist()},
    }


def _years(state: State, proba: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [{"year": year, **asdict(each)} for year, each in scores_by_year(state.rows, proba).items()]


def _baselines(state: State) -> list[dict[str, Any]]:
    known = {**state.baselines, VOLATILITY_BARRIER: state.rows.barrier}
    return [
        {
            "name": name,
            "title": title,
            "scores": {group: asdict(each) for group, each in scores_of(state.rows, known[name]).items()},
        }
        for name, title in TITLES.items()
    ]


def _differences(state: State, policies: Sequence[Policy]) -> list[dict[str, Any]]:
    by_name = {policy.name: policy for policy in policies}
    champion = by_name[CHAMPION].proba
    found = []
    for question in QUESTIONS:
        if (other := by_name.get(question.than)) is None:
            continue
        gains = gains_of(state.rows, champion, other.proba)
        found.append(
            {
                "name": question.name,
                "title": question.title,
                "better": CHAMPION,
                "than": question.than,
                "sentence": gain_sentence(question.what, gains[OVERALL], f"“{other.title}”"),
                "scores": {group: asdict(gain) for group, gain in gains.items()},
            }
        )
    return found


def _weighting(state: State, registry: Registry) -> list[dict[str, Any]]:
    """Give what weighting was worth to the newest champion that measured it, in its own walk-forward."""
    for tenure in reversed(state.tenures):
        if tenure.version not in state.versions:
            continue
        ablation = record.ablations_of(registry, tenure.version).get("weights")
        if ablation is not None:
            return [_weighting_of(tenure.version, ablation)]
    return []


def _weighting_of(version: str, ablation: Ablation) -> dict[str, Any]:
    overall = gain_of_difference(ablation.overall)
    told = gain_sentence("weighting", overall, "the same recipe without weights")
    return {
        "name": "weighting",
        "title": "What weighting earned",
        "better": version,
        "than": "unweighted",
        "sentence": f"{told[:-1]}; measured by {version} in its own walk-forward, not day by day.",
        "scores": {
            OVERALL: asdict(overall),
            **{regime.value: asdict(gain_of_difference(each)) for regime, each in ablation.regimes.items()},
        },
    }


def _notes(state: State, policies: Sequence[Policy], found: Recomputed) -> list[str]:
    """Say what a reader must know to trust the numbers, and what is missing and why."""
    notes = [f"Every prediction was stored before the next close could be known; {state.late:,} were late."]
    notes.append(
        "Baselines learn month by month (the volatility barrier quarter by quarter) from outcomes that had"
        " matured before; regimes are those that were known on the day."
    )
    notes.append(f"Verdicts of the gate are held against at most {record.SESSIONS_MAX} sessions after them.")
    if not len(state.rows):
        notes.append("No prediction has matured yet: every score is missing, which is not zero.")
    again, same = recomputed_agrees(state, found)
    if again:
        notes.append(
            f"Computed again from the bars of now, {same:,} of {counted(again, 'served prediction')} came out"
            " as they were stored; the others saw bars that were corrected since."
        )
    notes += [f"{name} could not predict again: {why}" for name, why in found.missing.items()]
    return [*notes, *policy_notes(policies, len(state.rows))]
