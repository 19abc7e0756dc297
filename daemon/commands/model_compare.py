"""``models compare``: two versions side by side, and what the gate would say of one against the other."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.children.served import served_by
from daemon.children.sides import (
    candidate_of,
    drift_alarms,
    evidence_of,
    known_of,
    ledger_against,
    with_sectors,
)
from daemon.commands.context import print_json, reading_registry, settings_of
from daemon.commands.gate_text import CHAMPION, gain_of
from daemon.commands.model_compare_text import comparison_lines
from daemon.commands.times import now
from daemon.errors import UsageError
from daemon.gate_rules import policy_of, sectors_of
from daemon.layout import layout_of
from daemon.model_comparison import compared, made_differently
from regime.scorecard import OVERALL
from registry.gate import judge

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daemon.layout import Layout
    from daemon.model_comparison import Comparison, Difference, Made, Score
    from daemon.settings import Settings
    from registry.evidence import Evidence
    from registry.gate import GateReport
    from registry.store import Registry
    from registry.types import ModelVersion

NEAR: Final = 0.5
"""Of two names of two characters, one is alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two versions and all that is told of them; ``preview`` is kept nowhere."""

    a: ModelVersion
    b: ModelVersion
    made: Made
    on_rows: Comparison
    preview: GateReport
    judged_before: int


def compare(options: argparse.Namespace) -> int:
    """Show two versions side by side; nothing is stored, and nothing counts as a judgement."""
    layout = layout_of(options)
    with reading_registry(layout) as registry:
        a, b = (_version(registry, name) for name in (options.version, options.other))
        told = _compared(registry, layout, a, b, options.policy)
    if options.plot:
        from daemon.gate_plots import plot_gate  # noqa: PLC0415 - brings matplotlib, slow to start

        plot_gate(told.preview, Path(options.plot))
    if options.json:
        print_json(_facts(told))
    elif not options.plot:
        print(*comparison_lines(told), sep="\n")
    return 0


def _version(registry: Registry, name: str) -> ModelVersion:
    known = [version.name for version in registry.versions()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
        hint = f"did you mean {near[0]}?" if near else "see: regimed models list"
        raise UsageError(f"there is no version {name!r}; {hint}")
    return registry.version(name)


def _compared(
    registry: Registry, layout: Layout, a: ModelVersion, b: ModelVersion, policy_asked: str | None
) -> Compared:
    settings, at = settings_of(layout), now()
    policy = policy_of(settings.gate.policy, layout.root) if policy_asked is None else policy_of(policy_asked)
    evidence = with_sectors(_common(registry, layout, settings, a, b), sectors_of(settings.gate, layout.root))
    ledger = ledger_against(registry, a, b)
    champion = registry.champion()
    # The monitors watch what the champion was trained on; of another version they know nothing.
    alarms = drift_alarms(layout) if champion is not None and champion.name == b.name else None
    return Compared(
        a=a,
        b=b,
        made=made_differently(a.manifest, b.manifest),
        on_rows=compared(evidence, policy),
        preview=judge(
            candidate_of(registry, a, at, settings),
            replace(known_of(b, at), drift_alarms=alarms),
            evidence,
            policy,
            ledger,
        ),
        judged_before=ledger.judged_before,
    )


def _common(
    registry: Registry, layout: Layout, settings: Settings, a: ModelVersion, b: ModelVersion
) -> Evidence:
    """Give the rows that both predicted out of sample; what B said while it served stands for it then.

    Raises
    ------
    UsageError
        If the two predict different things.
    """
    if a.manifest.classes != b.manifest.classes:
        raise UsageError(
            f"{a.name} and {b.name} cannot be compared: their classes are {', '.join(a.manifest.classes)}"
            f" and {', '.join(b.manifest.classes)}; compare versions of one target"
        )
    evidence = evidence_of(registry, a, b, served_by(layout, settings, b, through=None))
    if evidence is None:
        told = [", ".join(f"{key} {value}" for key, value in each.manifest.target.items()) for each in (a, b)]
        raise UsageError(
            f"{a.name} and {b.name} cannot be compared: their targets are ({told[0]}) and ({told[1]});"
            " compare versions of one target"
        )
    return evidence


def _facts(told: Compared) -> dict[str, Any]:
    preview, made = told.preview, told.made
    report = json.loads(preview.to_json())
    return {
        "a": _side(told.a),
        "b": _side(told.b),
        "differs": {
            "recipe": told.a.manifest.recipe_hash != told.b.manifest.recipe_hash,
            "features": told.a.manifest.feature_hash != told.b.manifest.feature_hash,
            "settings": _listed(made.settings),
            "packages": _listed(made.packages),
            "members": _listed(made.members),
            "features_only_a": list(made.features_only_a),
            "features_only_b": list(made.features_only_b),
        },
        "policy": preview.policy,
        "policy_hash": preview.policy_hash,
        "metric": preview.metric.value,
        "evidence": {
            "hash": preview.evidence_hash,
            "from": preview.evidence_from,
            "to": preview.evidence_to,
        },
        "regimes": _groups(told.on_rows, preview),
        "preview": {
            "stored": False,
            "judged_before": told.judged_before,
            **{key: report[key] for key in ("verdict", "reason", "kind", "invariants", "benefit", "also")},
        },
    }


def _groups(on_rows: Comparison, preview: GateReport) -> dict[str, Any]:
    by_regime = {
        verdict.regime.value: {
            **_score(on_rows.scores[verdict.regime.value]),
            **gain_of(verdict, preview.metric, CHAMPION)._asdict(),
            "status": verdict.status.value,
            "reason": verdict.reason,
        }
        for verdict in on_rows.verdicts
    }
    gain = dict.fromkeys(("mean", "lcb", "ucb")) if on_rows.gain is None else on_rows.gain._asdict()
    overall = {**_score(on_rows.scores[OVERALL]), **gain, "margin": None, "status": None, "reason": None}
    return {**by_regime, OVERALL: overall}


def _score(score: Score) -> dict[str, Any]:
    return {
        "rows": score.rows,
        "days": score.days,
        "log_loss": None if score.log_loss is None else score.log_loss._asdict(),
        "accuracy": None if score.accuracy is None else score.accuracy._asdict(),
    }


def _side(version: ModelVersion) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.name,
        "run": manifest.run_id,
        "recipe_hash": manifest.recipe_hash,
        "feature_hash": manifest.feature_hash,
        "features": len(manifest.feature_names),
        "data_version": manifest.data_version,
        "trained_from": manifest.trained_from.isoformat(),
        "trained_to": manifest.trained_to.isoformat(),
        "rows": manifest.trained_rows,
    }


def _listed(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [each._asdict() for each in found]
