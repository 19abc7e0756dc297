"""A training run: rows, walk-forward, final fit, drift references, and a version in the registry.

Result: ``{"version": name, "members": count, "failed": [model, ...]}``. A run that was killed after it had
registered its version finds it by its key and is done.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xgboost

from daemon.adapters.ledger import Ledger
from daemon.capture import archived_events
from daemon.children.against_champion import CHAMPION, against_champion
from daemon.children.data import first_market, settings_of
from daemon.children.explanations import explanations
from daemon.children.fits import executor
from daemon.children.references import drift_references
from daemon.children.rehearsal import rehearse_models
from daemon.children.speech import say_progress
from daemon.children.stored import ensemble_bytes, evidence_bytes, golden_bytes
from daemon.layout import SCORECARDS, Layout
from regime.barrier.inputs import volatility_inputs
from regime.barrier.members import BARRIER
from regime.barrier.parts import parts_of
from regime.features import CATALOGUE_VERSION
from regime.features.own import feature_hash
from regime.models.ensemble import ENSEMBLE
from regime.recipe import TrainingSettings
from regime.scorecard import REGIME_PRIOR
from regime.targets import compute_targets, target_named
from regime.training import train
from regime.training_set import TrainingSet, build_training_set
from regime.types import REGIMES
from regime.validation import WalkForward
from registry.formats import dump_model
from registry.readonly import open_read_only
from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus, canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daemon.settings import Settings
    from regime.training import TrainingResult
    from regime.training_set import TrainingSetAccount

WHERE_FITTED: Final = frozenset(
    {"processes", "backend", "address", "dask_wait_s", "cache_mib", "time_limit_s", "memory_limit_mib"}
)
"""Settings that decide where and how long fits are done, and nothing of what they give."""

PACKAGES: Final = ("numpy", "pandas", "scikit-learn", "lightgbm", "river", "skops")


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Train a candidate and register it."""
    layout = Layout(Path(job["root"]))
    key = f"train:{job['run']}"
    with Registry.open(layout.registry) as registry:
        known = next((version for version in registry.versions() if version.key == key), None)
    if known is not None:
        members = known.manifest.members
        return _result(known.name, {name: member.status for name, member in members.items()})
    settings = settings_of(job)
    say_progress(0, 0, "computing features")
    market = first_market(job["root"], job["data_version"], settings)
    features = market.features()
    rehearse_models(settings, len(features.names))
    targets = compute_targets(market.bars, target_named(settings.training.target))
    volatility = volatility_inputs(
        market.bars, market.index, market.fear, horizon_days=targets.spec.horizon_days
    )
    rows, account = build_training_set(
        features,
        market.bars,
        targets,
        market.labels,
        feature_hash=feature_hash(settings.features.own, features.names),
        volatility=volatility,
    )
    with closing(open_read_only(layout.journal)) as connection:
        events = archived_events(Ledger(connection), settings)
    with executor(settings.training, layout, job["run"]) as execute:
        result = train(
            rows,
            training_settings(settings),
            execute=execute,
            events=events,
            memo=execute.memo,
            report=lambda progress: say_progress(
                progress.done, progress.total, progress.what, execute.left_s(progress.total - progress.done)
            ),
        )
    manifest, artifacts = _version(job, settings, rows, result)
    artifacts |= drift_references(market, rows, features)
    with Registry.open(layout.registry) as registry:
        beside = against_champion(registry, result.predictions, dict(manifest.target))
        scorecard = {**_scorecard(result, account), CHAMPION: beside}
        version = registry.register(manifest, artifacts, scorecard, key=key, at=manifest.created_at)
    return _result(version.name, {name: member.status for name, member in manifest.members.items()})


def _result(version: str, statuses: Mapping[str, MemberStatus]) -> dict[str, Any]:
    failed = [name for name, status in statuses.items() if status is MemberStatus.FAILED]
    return {"version": version, "members": len(statuses) - len(failed), "failed": failed}


def training_settings(settings: Settings) -> TrainingSettings:
    """Give the recipe that the configuration asks for."""
    asked = settings.training
    return TrainingSettings(
        models=asked.models,
        ensemble=asked.ensemble,
        start_from=asked.start_from,
        calibration=asked.calibration,
        market_features=asked.market_features,
        weights=asked.weights,
        sampling=asked.sampling,
        replication_max=asked.replication_max,
        window_years=asked.window_years or None,
        archive_share=asked.archive_share,
        rows_max=asked.rows_max,
        ablation=asked.ablation,
        crisis_exam=asked.crisis_exam,
        walk_forward=WalkForward(
            fold_years=asked.fold_years,
            train_years_min=asked.train_years_min,
            embargo_days=asked.embargo_days,
        ),
        quorum=asked.quorum,
        seed=asked.seed,
    )


def _version(
    job: dict[str, Any],
    settings: Settings,
    rows: TrainingSet,
    result: TrainingResult,
) -> tuple[Manifest, dict[str, bytes]]:
    members: dict[str, Member] = {}
    artifacts: dict[str, bytes] = {}
    for name in settings.training.models:
        if name in result.ensemble.models:
            _keep(
                name,
                result.ensemble.models[name].parts(),
                members,
                artifacts,
                settings.training.trusted_types,
            )
        else:
            reasons = [failure.sentence for failure in result.failures if failure.model == name]
            members[name] = Member(status=MemberStatus.FAILED, reason="; ".join(reasons))
    if result.ensemble.barrier is not None:
        _keep(BARRIER, parts_of(result.ensemble.barrier), members, artifacts)
    artifacts[ENSEMBLE] = ensemble_bytes(result.ensemble, rows.feature_names)
    artifacts["golden"] = golden_bytes(rows, result)
    artifacts["evidence"] = evidence_bytes(result.predictions)
    cards = {name: card.to_json() for name, card in result.scorecards.items()}
    artifacts[SCORECARDS] = canonical_json(cards).encode()
    artifacts |= explanations(rows, result)
    recipe = {name: value for name, value in asdict(settings.training).items() if name not in WHERE_FITTED}
    manifest = Manifest(
        run_id=job["run"],
        recipe_hash=result.recipe_hash,
        data_hash=result.data_hash,
        data_version=str(job["data_version"]),
        feature_names=rows.feature_names,
        feature_hash=rows.feature_hash,
        feature_catalogue=CATALOGUE_VERSION,
        target=asdict(rows.target),
        classes=rows.target.classes,
        settings=recipe,
        settings_hash=sha256_of(canonical_json(recipe)),
        seed=settings.training.seed,
        trained_from=rows.date[0].item(),
        trained_to=rows.date[-1].item(),
        trained_rows=len(rows),
        packages={**{name: package_version(name) for name in PACKAGES}, "xgboost": xgboost.__version__},
        members=members,
        created_at=datetime.fromisoformat(job["opened_at"]),
    )
    return manifest, artifacts


def _keep(
    name: str,
    parts: Mapping[str, object],
    members: dict[str, Member],
    artifacts: dict[str, bytes],
    trusted: Collection[str] = (),
) -> None:
    artifact = dump_model(parts, trusted=trusted)
    members[name] = Member(status=MemberStatus.FITTED, format=artifact.format, sha256=artifact.sha256)
    artifacts[name] = artifact.content


def _scorecard(result: TrainingResult, account: TrainingSetAccount) -> dict[str, object]:
    """Give what people look at first; the scorecards of all members are an artifact."""
    card = result.scorecards[ENSEMBLE]
    return {
        "skill": {regime.value: card.skill(regime, REGIME_PRIOR) for regime in REGIMES},
        "overall_skill": card.skill(None, REGIME_PRIOR),
        "account": asdict(account),
        "folds": [_fold(fold) for fold in result.account],
        "weights": dict(result.ensemble.pool.weights),
        "ablations": {name: ablation.to_json() for name, ablation in result.ablations.items()},
        "crisis": {
            event: {name: card.skill(None, REGIME_PRIOR) for name, card in cards.items()}
            for event, cards in result.crisis.items()
        },
        "failures": [asdict(failure) for failure in result.failures],
    }


def _fold(account: Any) -> dict[str, object]:
    return asdict(account)
