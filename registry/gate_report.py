"""What the gate says: a verdict, a sentence for each regime, and every number that was used."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Never

from regime.types import REGIMES, Regime
from registry.policy import GateError, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 2
SCHEMAS: Final = (1, 2)
"""Those that are read. Reports of the first keep of their policy only the hash, and nothing also read."""


class ReportInvalidError(GateError):
    """A text is no gate report of a known schema, or a report may not be made that way."""


class Verdict(StrEnum):
    """What is to happen to a candidate."""

    PROMOTE = "PROMOTE"
    """It becomes champion."""
    SHADOW = "SHADOW"
    """It predicts beside the champion until fresh days decide."""
    HOLD_EQUIVALENT = "HOLD_EQUIVALENT"
    """No harm and no benefit is shown; the champion stays."""
    HOLD_INSUFFICIENT = "HOLD_INSUFFICIENT"
    """No regime has enough evidence to say anything."""
    HOLD_SUSPICIOUS = "HOLD_SUSPICIOUS"
    """It is too good, or too different, to be true; a person should look."""
    REJECT = "REJECT"
    """Harm is shown in some regime."""
    ERROR = "ERROR"
    """An invariant is broken; nothing was compared."""
    BOOTSTRAP = "BOOTSTRAP"
    """There was no champion and no floor is broken; it becomes the first."""
    FORCED = "FORCED"
    """A person overrides the gate and says why."""


ADMITTING: Final = (Verdict.PROMOTE, Verdict.BOOTSTRAP, Verdict.FORCED)
"""The verdicts after which the candidate may become champion."""


class Status(StrEnum):
    """What the evidence shows of one regime."""

    PASS = "PASS"  # noqa: S105 - no password
    """A loss beyond the margin is ruled out."""
    FAIL = "FAIL"
    """Harm is shown."""
    UNPROVEN = "UNPROVEN"
    """Neither; it is not called worse."""
    INSUFFICIENT = "INSUFFICIENT"
    """There are too few days, rows or episodes to test."""
    ERROR = "ERROR"
    """An invariant is broken; the regime was not judged."""


class Kind(StrEnum):
    """What a candidate is, seen from the champion."""

    REFIT = "refit"
    """The same recipe on newer data: it must be safe."""
    CHANGE = "change"
    """Another recipe: it must be safe and better."""
    BOOTSTRAP = "bootstrap"
    """There is no champion: it must not be worse than the regime prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariants:
    """Facts about an artifact that must hold before its predictions mean anything."""

    artifact_hash_matches: bool
    loads_in_fresh_process: bool
    golden_predictions_reproduce: bool
    probabilities_valid: bool
    feature_hash_matches: bool

    def broken(self) -> tuple[str, ...]:
        """Give the names of those that do not hold."""
        return tuple(name for name, holds in asdict(self).items() if holds is not True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeVerdict:
    """One regime's status with its numbers; None is "not known", which is never zero.

    ``mean``, ``lcb``, ``ucb`` and ``margin`` are the gain over the champion in nats of log-loss, its
    one-sided bounds and the tolerated loss; ``accuracy_*`` the same in share of rows; ``floor_*`` the
    same over the regime prior, in the metric of the report. A positive gain is in favour of the candidate.
    No mean stands without its bounds: a regime that was not tested has neither.
    """

    regime: Regime
    status: Status
    reason: str
    days: int | None
    rows: int | None
    episodes: int | None
    mean: float | None
    lcb: float | None
    ucb: float | None
    margin: float
    accuracy_mean: float | None
    accuracy_lcb: float | None
    accuracy_ucb: float | None
    accuracy_margin: float
    floor_status: Status | None
    floor_mean: float | None
    floor_lcb: float | None
    floor_ucb: float | None
    floor_margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """Whether a change is shown to be better, overall or in a crash alone.

    Shown if the smaller of the p-values lies under ``threshold``, that is ``alpha`` over the number of
    tests (Holm 1979, first step); ``alpha`` is what is left for this candidate after ``judged_before``.
    ``overall_mean`` is the weighted mean of the gains in the tested regimes and ``overall_p`` that of their
    tests combined, see `registry.statistics.combined_p`; 1 where the mean is no gain.
    """

    shown: bool
    metric: Metric
    judged_before: int
    alpha: float
    threshold: float
    overall_mean: float
    overall_p: float
    crash_mean: float | None
    crash_p: float | None


class Aspect(StrEnum):
    """What is read beside the regimes; it counts only where the policy asks for it."""

    SECTOR = "sector"
    CALIBRATION = "calibration"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was read beside the regimes, in a sentence and, where they are known, numbers.

    ``of`` is the sector or regime, None for the whole of an aspect. ``status`` is None where the policy does
    not ask, and the finding is told only. ``mean`` is the gain over the champion (or the regime prior,
    without one), positive in favour of the candidate: of a sector in the metric of the report with its
    one-sided bounds, of calibration in expected calibration error.
    """

    aspect: Aspect
    of: str | None
    status: Status | None
    reason: str
    mean: float | None = None
    lcb: float | None = None
    ucb: float | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """A verdict and everything that led to it; the same inputs give the same bytes.

    ``candidate`` and ``champion`` are version names. ``regimes`` has the five of `REGIMES`, in that
    order. ``benefit`` is None where none is asked for (a refit, a first champion) or nothing was
    compared. ``disagreement`` is the share of rows of the last days on which the most probable classes
    differ. ``invariants`` is None for predictions that come without an artifact. ``rules`` is the whole
    policy as `Policy.content` gives it, so that a report can be read by the rules it was made by when no
    program knows them any more; None in a report of schema 1. ``also`` is what was read beside the regimes.
    """

    verdict: Verdict
    reason: str
    candidate: str
    champion: str | None
    kind: Kind
    candidate_recipe_hash: str
    champion_recipe_hash: str | None
    champion_age_days: int | None
    policy: str
    policy_hash: str
    metric: Metric
    evidence_hash: str | None
    evidence_rows: int
    evidence_from: str | None
    evidence_to: str | None
    invariants: Invariants | None
    regimes: tuple[RegimeVerdict, ...]
    benefit: Benefit | None
    disagreement: float | None
    rules: Mapping[str, object] | None
    also: tuple[Finding, ...]

    def __post_init__(self) -> None:
        if tuple(each.regime for each in self.regimes) != REGIMES:
            raise ReportInvalidError(f"a report names the five regimes in order: {', '.join(REGIMES)}")

    @property
    def admits(self) -> bool:
        """Tell whether the candidate may become champion."""
        return self.verdict in ADMITTING

    def of(self, regime: Regime) -> RegimeVerdict:
        """Give what is said of one of the five regimes."""
        return self.regimes[REGIMES.index(regime)]

    def to_json(self) -> str:
        """Give the report as one line of JSON with sorted keys and no NaN."""
        content = {"schema": SCHEMA if self.rules is not None else 1, **asdict(self)}
        if self.rules is None:
            del content["rules"], content["also"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> GateReport:
        """Give the report that `to_json` wrote.

        Raises
        ------
        ReportInvalidError
            If the text is something else.
        """
        try:
            return _read(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReportInvalidError(
                f"this is no gate report of schema {' or '.join(map(str, SCHEMAS))} ({error});"
                " restore it from the registry"
            ) from error


def force(report: GateReport, reason: str) -> GateReport:
    """Give the report with the verdict FORCED and a person's reason; its numbers stay as they were.

    Raises
    ------
    ReportInvalidError
        If the reason is empty, or the report is an ERROR: a model that does not load, or not the model
        that was judged, cannot be forced into service.
    """
    if not reason.strip():
        raise ReportInvalidError("a forced verdict needs a reason; say why the gate is overridden")
    if report.verdict is Verdict.ERROR:
        raise ReportInvalidError(f"{report.candidate} cannot be forced: {report.reason}")
    return replace(
        report, verdict=Verdict.FORCED, reason=f"Forced by hand over {report.verdict}: {reason.strip()}"
    )


def _refuse_constant(constant: str) -> Never:
    msg = f"{constant} is no number"
    raise ValueError(msg)


def _read(text: str) -> GateReport:
    facts: dict[str, Any] = json.loads(text, parse_constant=_refuse_constant)
    schema = facts.pop("schema")
    if schema not in SCHEMAS:
        msg = f"it is of schema {schema}"
        raise ValueError(msg)
    if schema == 1:
        facts |= {"rules": None, "also": ()}
    elif not isinstance(facts["rules"], dict):
        msg = "it does not hold its policy"
        raise ValueError(msg)
    facts |= {
        "verdict": Verdict(facts["verdict"]),
        "kind": Kind(facts["kind"]),
        "metric": Metric(facts["metric"]),
        "invariants": facts["invariants"] and Invariants(**facts["invariants"]),
        "regimes": tuple(_read_regime(each) for each in facts["regimes"]),
        "also": tuple(_read_finding(each) for each in facts["also"]),
    }
    if facts["benefit"] is not None:
        facts["benefit"] = Benefit(**facts["benefit"] | {"metric": Metric(facts["benefit"]["metric"])})
    return GateReport(**facts)


def _read_regime(content: Mapping[str, object]) -> RegimeVerdict:
    facts: dict[str, Any] = dict(content)
    floor = facts["floor_status"]
    facts |= {
        "regime": Regime(facts["regime"]),
        "status": Status(facts["status"]),
        "floor_status": None if floor is None else Status(floor),
    }
    return RegimeVerdict(**facts)


def _read_finding(content: Mapping[str, object]) -> Finding:
    facts: dict[str, Any] = dict(content)
    status = facts["status"]
    facts |= {"aspect": Aspect(facts["aspect"]), "status": None if status is None else Status(status)}
    return Finding(**facts)
