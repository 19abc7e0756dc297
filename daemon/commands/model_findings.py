"""What ``models show`` tells beside the scores: what a version looks at, and how far it can be believed."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from daemon.layout import EXPLANATION, RELIABILITY
from regime.explanation import Explanation
from regime.reliability import Reliability
from regime.scorecard import OVERALL
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from regime.explanation import Ranking
    from regime.reliability import Bins
    from regime.types import Regime
    from registry.store import Registry

SHOWN: Final = 5
"""Features that are printed by regime; ``--json`` has fifteen."""
LABEL_WIDTH: Final = 17
PAGE_WIDTH: Final = 80
EXPLANATION_MISSING: Final = "This version has no explanation: it is older, or lacks lightgbm and xgboost."
RELIABILITY_MISSING: Final = "This version has no reliability counts: it is older than they are."


def explanation_of(registry: Registry, version: str) -> Explanation | None:
    """Give the explanation of a version, ``None`` if it was trained without."""
    stored = _stored(registry, version, EXPLANATION)
    return None if stored is None else Explanation.from_json(stored)


def reliability_of(registry: Registry, version: str) -> Reliability | None:
    """Give the reliability of a version, ``None`` if it was trained without."""
    stored = _stored(registry, version, RELIABILITY)
    return None if stored is None else Reliability.from_json(stored)


def _stored(registry: Registry, version: str, name: str) -> Mapping[str, object] | None:
    artifact = registry.artifacts(version).get(name)
    if artifact is None:
        return None
    stored: dict[str, object] = json.loads(registry.get_blob(artifact.sha256))
    return stored


def explanation_facts(explanation: Explanation | None) -> dict[str, Any] | None:
    """Give an explanation as ``--json`` tells it."""
    if explanation is None:
        return None
    facts = explanation.to_json()
    del facts["format"]
    return facts


def reliability_facts(reliability: Reliability | None) -> dict[str, Any] | None:
    """Give bins and what is made of them, by predictor and regime; null where there is too little."""
    if reliability is None:
        return None
    return {
        "classes": list(reliability.classes),
        "predictors": {
            name: {
                OVERALL if regime is None else regime.value: _group(reliability, name, regime)
                for regime in (None, *REGIMES)
            }
            for name in reliability.predictors
        },
    }


def _group(reliability: Reliability, predictor: str, regime: Regime | None) -> dict[str, Any] | None:
    bins = reliability.bins(predictor, regime)
    if bins is None:
        return None
    return {
        "rows": sum(bins[0].rows),
        "days": reliability.days_in(regime),
        "calibration_error": reliability.calibration_error(predictor, regime),
        "classes": {name: _class(each) for name, each in zip(reliability.classes, bins, strict=True)},
    }


def _class(bins: Bins) -> dict[str, Any]:
    parts = bins.decomposition()
    return {
        "bins": asdict(bins),
        "calibration_error": bins.calibration_error(),
        "decomposition": None if parts is None else asdict(parts),
    }


def explanation_lines(explanation: Explanation | None) -> Iterator[str]:
    """Yield the top features by regime, in lines of at most 80 characters."""
    if explanation is None:
        yield EXPLANATION_MISSING
        return
    lower, upper = explanation.classes[0], explanation.classes[-1]
    yield from textwrap.wrap(
        f"What {explanation.model} looks at beside its margin, on rows that it was fitted on: share of all"
        f" mean absolute contributions; + higher values speak for {upper}, - for {lower}, ~ neither:",
        PAGE_WIDTH,
    )
    yield ""
    for regime, ranking in explanation.rankings():
        yield from _ranking_lines("all" if regime is None else regime.value, ranking)


def _ranking_lines(name: str, ranking: Ranking | None) -> Iterator[str]:
    if ranking is None:
        told = ["fewer than 50 rows"]
    else:
        told = [
            f"{each.feature} {each.sign} {100 * each.share:.0f} %".replace(" ", "\xa0")
            for each in ranking.top[:SHOWN]
        ] or ["no feature is used"]
    wrapped = textwrap.wrap(
        ", ".join(told),
        PAGE_WIDTH,
        initial_indent=name.ljust(LABEL_WIDTH),
        subsequent_indent=" " * LABEL_WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (line.replace("\xa0", " ") for line in wrapped)
