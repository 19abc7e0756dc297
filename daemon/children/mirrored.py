"""A version in the words of an experiment tracker: parameters, metrics, tags and small files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

from daemon.card_scores import ENSEMBLE
from daemon.layout import SCORECARDS
from daemon.model_card import page_of, told_of
from daemon.page import markdown_of
from regime.scorecard import REGIME_PRIOR, Scorecard
from regime.types import REGIMES
from registry.types import canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.store import Registry
    from registry.types import Manifest, ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is sent of a version.

    ``content`` is the hash of its manifest; it never changes, nor do ``params``, ``metrics`` and ``tags``.
    ``told`` is the hash of ``files`` and ``verdict``, which do when it is judged or given a role.
    """

    version: ModelVersion
    content: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, bytes]
    verdict: Mapping[str, str]
    told: str


def copy_of(registry: Registry, version: ModelVersion) -> Copy:
    """Read a version, and say it in these words; what is not known is left out."""
    name, manifest = version.name, version.manifest
    scorecard = registry.scorecard(name)
    stored = registry.artifacts(name)
    cards: dict[str, Any] = json.loads(registry.get_blob(stored[SCORECARDS].sha256))
    reports = registry.reports(name)
    files = {
        "manifest.json": manifest.to_json().encode(),
        "scorecard.json": canonical_json(scorecard).encode(),
        "card.md": markdown_of(page_of(told_of(registry, name))).encode(),
        **({"report.json": reports[-1].encode()} if reports else {}),
    }
    verdict = _verdict(json.loads(reports[-1])) if reports else {}
    told = {name: sha256_of(content.decode()) for name, content in files.items()}
    return Copy(
        version=version,
        content=manifest.sha256(),
        params=_params(manifest),
        metrics=_metrics(Scorecard.from_json(cards[ENSEMBLE])),
        tags={
            "regimed.version": name,
            "regimed.run": manifest.run_id,
            "regimed.data_version": manifest.data_version,
            "regimed.data_hash": manifest.data_hash,
            "regimed.regimed": package_version("regimed"),
        },
        files=files,
        verdict=verdict,
        told=sha256_of(canonical_json({**told, **verdict})),
    )


def _verdict(report: Mapping[str, Any]) -> dict[str, str]:
    return {
        "regimed.verdict": str(report["verdict"]),
        "regimed.against": str(report["champion"] or "none"),
        "regimed.reason": str(report["reason"]),
    }


def _params(manifest: Manifest) -> dict[str, str]:
    facts: dict[str, object] = {
        **{f"settings.{name}": value for name, value in manifest.settings.items()},
        **{f"target.{name}": value for name, value in manifest.target.items()},
        "recipe_hash": manifest.recipe_hash,
        "feature_hash": manifest.feature_hash,
        "feature_catalogue": manifest.feature_catalogue,
        "features": len(manifest.feature_names),
        "seed": manifest.seed,
        "trained_from": manifest.trained_from.isoformat(),
        "trained_to": manifest.trained_to.isoformat(),
        "trained_rows": manifest.trained_rows,
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


def _metrics(scores: Scorecard) -> dict[str, float]:
    """Give skill against the regime prior, with its interval, and log-loss, by regime and over all."""
    found: dict[str, float | None] = {}
    for regime in (*REGIMES, None):
        name = "all" if regime is None else regime.value
        interval = scores.interval(regime, REGIME_PRIOR)
        found[f"skill/{name}"] = scores.skill(regime, REGIME_PRIOR)
        if interval is not None:
            found |= {f"skill/{name}.low": interval.low, f"skill/{name}.high": interval.high}
        found[f"log_loss/{name}"] = scores.tally(regime).log_loss()
        found[f"rows/{name}"] = scores.tally(regime).rows
    return {name: value for name, value in found.items() if value is not None}
