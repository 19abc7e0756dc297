"""``models live``: what came of the predictions that a version made day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.data import first_market
from daemon.children.fresh import CLOSES_UTC, in_time, target_of
from daemon.children.stored import evidence_of_bytes
from daemon.commands.context import print_json, print_table, reading, reading_registry, settings_of
from daemon.errors import UsageError
from daemon.layout import layout_of
from daemon.markets import first_of
from regime.live_exam import LivePredictions, live_predictions
from regime.scorecard import OVERALL, REGIME_PRIOR
from regime.scoring import regime_prior, score
from regime.targets import compute_targets
from regime.types import REGIMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.scorecard import Scorecard
    from regime.types import Regime

    Stored = Sequence[tuple[str, str, str, str, str]]

COLUMNS: Final = ("rows", "days", "accuracy", "log_loss", "prior_log_loss", "skill")


def live(options: argparse.Namespace) -> int:
    """Join a version's stored predictions with what has matured since."""
    layout = layout_of(options)
    with reading_registry(layout) as registry:
        version = registry.version(options.version) if options.version else registry.champion()
        if version is None:
            raise UsageError("there is no champion yet; name a version, see: regimed models list")
        evidence = evidence_of_bytes(registry.get_blob(registry.artifacts(version.name)["evidence"].sha256))
    with reading(layout) as ledger:
        data_version, stored = ledger.data_version(), ledger.predictions_of(version.name)
    settings = settings_of(layout)
    bars = first_market(str(layout.root), data_version, settings).bars
    _, market = first_of(settings.markets)
    target = target_of(version.manifest.target)
    close_utc = CLOSES_UTC.get(market.calendar, np.timedelta64(0, "h"))
    made, late = in_time(version.name, stored, target.classes, bars, close_utc)
    joined = live_predictions(made, bars, compute_targets(bars, target), close_utc=close_utc)
    facts = {
        "version": version.name,
        "bars_to": str(bars.date.max()),
        "matured": len(joined),
        "waiting": joined.of_version(version.name).waiting[version.name],
        "without_target": joined.of_version(version.name).without_target[version.name],
        "late": late,
        "scores": scores(joined, evidence),
    }
    if options.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def scores(joined: LivePredictions, evidence: Mapping[str, NDArray[np.generic]]) -> dict[str, dict[str, Any]]:
    """Give the scores by regime and overall; what there is too little evidence for is ``None``.

    The regime prior is that of the version's own out-of-sample rows, which it had before it predicted.
    """
    made = joined.made
    prior = regime_prior(
        evidence["truth"].astype(np.int64), evidence["regime"].astype(np.str_), made.regime, len(made.classes)
    )
    card = score(
        made.date, made.symbol, made.regime, joined.truth, made.proba, {REGIME_PRIOR: prior}, made.classes
    )
    of = {regime.value: _scores(card, regime) for regime in REGIMES}
    return {**of, OVERALL: _scores(card, None)}


def _scores(card: Scorecard, regime: Regime | None) -> dict[str, Any]:
    tally = card.tally(regime)
    values = (
        tally.rows,
        card.days_in(regime),
        tally.accuracy(),
        tally.log_loss(),
        tally.log_loss(REGIME_PRIOR),
        card.skill(regime, REGIME_PRIOR),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _print(facts: Mapping[str, Any]) -> None:
    for name in ("version", "bars_to", "matured", "waiting", "without_target", "late"):
        print(f"{name:<16}{facts[name]}")
    print("\nMade before the outcome was known; skill = 1 - log-loss / log-loss of the regime prior:\n")
    rows = [(group, *told.values()) for group, told in facts["scores"].items()]
    print_table(("regime", *COLUMNS), rows)
