"""What is read beside the regimes: sectors, calibration, drift. Told always, asked only by some policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from registry.gate_report import Aspect, Finding, Status
from registry.policy import Metric
from registry.statistics import DECIMALS, block_test, daily_means, hits, log_losses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from regime.types import Regime
    from registry.evidence import Evidence
    from registry.policy import Policy

BINS: Final = 10
"""Of a probability, from 0 to 1, as scorecards have them."""


def read_also(
    evidence: Evidence | None,
    tested: Collection[Regime],
    alarms: Sequence[str] | None,
    policy: Policy,
    *,
    is_first: bool,
) -> tuple[Finding, ...]:
    """Give what is read of sectors, of calibration in the regimes that were tested, and of drift.

    ``alarms`` names the drift monitors of features that are in alarm, None where that is not known;
    ``is_first`` says that there is no champion, which has no monitors that could be in alarm.
    """
    rows = None if evidence is None else evidence.ordered()
    drift = _first_drift() if is_first else _drift(alarms, policy)
    return (*_sectors(rows, policy), *_calibration(rows, tested, policy), drift)


def harmed_sectors(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Name the sectors in which a policy asked for no harm and harm is shown."""
    return tuple(
        f"sector {each.of}"
        for each in findings
        if each.aspect is Aspect.SECTOR and each.status is Status.FAIL and each.of is not None
    )


def open_questions(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Give the reasons of what a policy asked beside the regimes and did not get.

    A single sector with too few days is no obstacle, as a regime is none; an aspect of which nothing is
    known is one. Harm in a sector is no question, see `harmed_sectors`.
    """
    return tuple(
        each.reason
        for each in findings
        if (each.status is Status.FAIL and each.aspect is not Aspect.SECTOR)
        or (each.status is Status.INSUFFICIENT and each.of is None)
    )


def calibration_error(probabilities: NDArray[np.float64], truth: NDArray[np.integer]) -> float:
    """Give the expected calibration error (Naeini et al. 2015), the mean over classes, 0 to 1.

    The probabilities of a class, shape (n_rows, n_classes), are cut into ten bins of equal width; of each
    the gap between what was said and what came true is taken, weighted by its rows.

    >>> calibration_error(np.array([[0.25, 0.75], [0.25, 0.75]]), np.array([0, 1]))
    0.25
    """
    gaps = probabilities - (truth[:, None] == np.arange(probabilities.shape[1]))
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    total = sum(
        float(np.abs(np.bincount(bin_, weights=gap)).sum()) for bin_, gap in zip(bins.T, gaps.T, strict=True)
    )
    return round(total / probabilities.size, DECIMALS)


def _sectors(rows: Evidence | None, policy: Policy) -> Iterator[Finding]:
    if rows is None or rows.sector is None:
        yield _not_known(Aspect.SECTOR, policy.sector_margin, "The evidence names no sectors.")
        return
    who, other = _other(rows)
    gain = _score(rows.candidate, rows, policy) - _score(other, rows, policy)
    for sector in np.unique(rows.sector[rows.sector != ""]).tolist():
        inside = rows.sector == sector
        yield _sector(sector, rows.date[inside], gain[inside], who, policy)


def _sector(
    sector: str, date: NDArray[np.datetime64], gain: NDArray[np.float64], who: str, policy: Policy
) -> Finding:
    daily, margin = daily_means(date, gain), policy.sector_margin
    if len(daily) < policy.days_min or len(date) < policy.rows_min:
        reason = (
            f"Too little evidence: {len(daily)} of {policy.days_min} days, {len(date)} of"
            f" {policy.rows_min} rows."
        )
        return Finding(
            aspect=Aspect.SECTOR, of=sector, status=_asked(margin, Status.INSUFFICIENT), reason=reason
        )
    test = block_test(daily, policy.blocks_of(len(daily)))
    lcb, ucb = test.lower(policy.alpha), test.upper(policy.alpha)
    tolerated = 0.0 if margin is None else margin
    if lcb > -tolerated:
        status, what = Status.PASS, f"No worse than the {who}"
    elif ucb < 0 and test.mean < -tolerated / 2:
        status, what = Status.FAIL, f"Worse than the {who}"
    else:
        status, what = Status.UNPROVEN, f"Not shown to be worse than the {who}"
    told = "" if margin is None else f", margin {margin:.4f}"
    return Finding(
        aspect=Aspect.SECTOR,
        of=sector,
        status=_asked(margin, status),
        reason=f"{what} in {_spoken(policy.metric)}: gain {test.mean:+.4f} [{lcb:+.4f}, {ucb:+.4f}]{told}.",
        mean=test.mean,
        lcb=lcb,
        ucb=ucb,
        margin=margin,
    )


def _calibration(rows: Evidence | None, tested: Collection[Regime], policy: Policy) -> Iterator[Finding]:
    margin = policy.calibration_margin
    if rows is None or not tested:
        yield _not_known(Aspect.CALIBRATION, margin, "No regime has enough evidence to be measured.")
        return
    who, other = _other(rows)
    for regime in tested:
        inside = rows.regime == regime.value
        own = calibration_error(rows.candidate[inside], rows.truth[inside])
        theirs = calibration_error(other[inside], rows.truth[inside])
        gain = round(theirs - own, DECIMALS) + 0.0
        worse = margin is not None and gain < -margin
        told = "" if margin is None else f"; it may be {margin:.4f} larger"
        yield Finding(
            aspect=Aspect.CALIBRATION,
            of=regime.value,
            status=_asked(margin, Status.FAIL if worse else Status.PASS),
            reason=f"Expected calibration error {own:.4f} in {regime}, {theirs:.4f} of the {who}{told}.",
            mean=gain,
            margin=margin,
        )


def _first_drift() -> Finding:
    return Finding(
        aspect=Aspect.DRIFT,
        of=None,
        status=None,
        reason="There is no champion, so no drift monitor that could be in alarm.",
    )


def _drift(alarms: Sequence[str] | None, policy: Policy) -> Finding:
    most = policy.drift_alarms_max
    if alarms is None:
        return _not_known(Aspect.DRIFT, most, "It is not known whether the features drift.")
    named = f"Drift monitors of features in alarm: {', '.join(alarms) or 'none'}"
    return Finding(
        aspect=Aspect.DRIFT,
        of=None,
        status=_asked(most, Status.FAIL if most is not None and len(alarms) > most else Status.PASS),
        reason=f"{named}." if most is None else f"{named}; {most} may be.",
    )


def _not_known(aspect: Aspect, asked: float | None, reason: str) -> Finding:
    return Finding(aspect=aspect, of=None, status=_asked(asked, Status.INSUFFICIENT), reason=reason)


def _asked(asked: float | None, status: Status) -> Status | None:
    return None if asked is None else status


def _other(rows: Evidence) -> tuple[str, NDArray[np.float64]]:
    """Give with whom the candidate is compared, and the probabilities: evidence has one or the other."""
    if rows.champion is not None:
        return "champion", rows.champion
    assert rows.prior is not None  # noqa: S101 - evidence cannot be made without both
    return "regime prior", rows.prior


def _score(probabilities: NDArray[np.float64], rows: Evidence, policy: Policy) -> NDArray[np.float64]:
    match policy.metric:
        case Metric.LOG_LOSS:
            return -log_losses(probabilities, rows.truth, policy.probability_min)
        case Metric.ACCURACY:
            return hits(probabilities, rows.truth)


def _spoken(metric: Metric) -> str:
    return metric.replace("_", "-")
