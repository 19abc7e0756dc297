"""The card of a version: what it is and is not for, what it was made of, and what its evidence shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daemon.card_scores import ENSEMBLE, UNKNOWN, belief, evidence, gate, looks, members, worth
from daemon.layout import EXPLANATION, RELIABILITY, SCORECARDS
from daemon.page import Code, Page, Points, Section, Table
from regime.explanation import Explanation
from regime.reliability import Reliability
from regime.scorecard import REGIME_PRIOR, Scorecard
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from registry.store import Registry
    from registry.types import Manifest

SYMBOLS_SHOWN: Final = 40
AGAIN: Final = (
    "With the same bars (data hash), settings, seed and packages a run gives the same bytes; the stored"
    " golden rows show that a loaded version predicts what it predicted when it was trained."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that a card is made of. ``role`` is the alias that the version holds."""

    name: str
    role: str | None
    manifest: Manifest
    scorecard: Mapping[str, Any]
    cards: Mapping[str, Scorecard]
    explanation: Explanation | None
    reliability: Reliability | None
    report: Mapping[str, Any] | None


def told_of(registry: Registry, name: str) -> Told:
    """Read what a registry has of a version."""
    version = registry.version(name)
    stored = registry.artifacts(name)
    roles = [alias.value for alias, holder in registry.aliases().items() if holder == name]
    return told_from(
        name,
        version.manifest,
        registry.scorecard(name),
        lambda artifact: registry.get_blob(stored[artifact].sha256) if artifact in stored else None,
        role=", ".join(roles) or None,
        report=registry.report(name),
    )


def told_from(
    name: str,
    manifest: Manifest,
    scorecard: Mapping[str, Any],
    read: Callable[[str], bytes | None],
    *,
    role: str | None,
    report: Mapping[str, Any] | None,
) -> Told:
    """Read a version whose artifacts ``read`` gives by name, ``None`` if there is none of that name."""
    explanation, reliability = read(EXPLANATION), read(RELIABILITY)
    cards: dict[str, Any] = json.loads(read(SCORECARDS) or b"{}")
    return Told(
        name=name,
        role=role,
        manifest=manifest,
        scorecard=scorecard,
        cards={each: Scorecard.from_json(stored) for each, stored in cards.items()},
        explanation=None if explanation is None else Explanation.from_json(json.loads(explanation)),
        reliability=None if reliability is None else Reliability.from_json(json.loads(reliability)),
        report=report,
    )


def page_of(told: Told) -> Page:
    """Give the card of a version."""
    manifest = told.manifest
    verdict = UNKNOWN if told.report is None else told.report["verdict"]
    return Page(
        title=f"Model card: {told.name}",
        summary=(
            f"Trained {manifest.created_at:%Y-%m-%d} on days {manifest.trained_from} to"
            f" {manifest.trained_to}; role: {told.role or 'none'}; gate: {verdict}."
        ),
        sections=(
            _purpose(manifest),
            _data(told),
            _recipe(manifest),
            members(told.manifest, told.scorecard, told.cards),
            evidence(told.cards[ENSEMBLE]),
            worth(told.scorecard),
            belief(told.reliability),
            looks(told.explanation),
            gate(told.report),
            _limits(told),
            _again(told),
        ),
    )


def _purpose(manifest: Manifest) -> Section:
    target = manifest.target
    return Section(
        title="What it is for, and what not",
        blocks=(
            (
                f"For each symbol and day it gives, from what was known at the close, the probabilities of"
                f" {', '.join(manifest.classes)}: which barrier of the target {target['name']} is touched"
                f" first within {target['horizon_days']} sessions ({target['kind']}, up {target['up']}, down"
                f" {target['down']}), or none."
            ),
            Points(
                items=(
                    "For: ranking and sizing of ideas beside other evidence, and comparing recipes.",
                    (
                        "Not for: orders without a person or a risk limit; other horizons, intraday prices,"
                        " or markets unlike those it was trained on."
                    ),
                    "Not for: features of another hash; it refuses them.",
                )
            ),
        ),
    )


def _data(told: Told) -> Section:
    manifest = told.manifest
    symbols = sorted(told.cards[ENSEMBLE].symbols)
    more = f" and {len(symbols) - SYMBOLS_SHOWN} more" if len(symbols) > SYMBOLS_SHOWN else ""
    return Section(
        title="Data",
        blocks=(
            _facts(
                ("days", f"{manifest.trained_from} to {manifest.trained_to}"),
                ("rows", manifest.trained_rows),
                ("symbols in the evidence", f"{len(symbols)}: {', '.join(symbols[:SYMBOLS_SHOWN])}{more}"),
                ("data version", manifest.data_version),
                ("data hash", manifest.data_hash),
                ("features", f"{len(manifest.feature_names)} of catalogue {manifest.feature_catalogue}"),
                ("feature hash", manifest.feature_hash),
            ),
        ),
    )


def _recipe(manifest: Manifest) -> Section:
    return Section(
        title="Recipe",
        blocks=(
            _facts(
                ("run", manifest.run_id),
                ("recipe hash", manifest.recipe_hash),
                ("settings hash", manifest.settings_hash),
                *((name, json.dumps(value)) for name, value in sorted(manifest.settings.items())),
                ("packages", ", ".join(f"{name} {each}" for name, each in sorted(manifest.packages.items()))),
            ),
        ),
    )


def _limits(told: Told) -> Section:
    return Section(title="Limits", blocks=(Points(items=tuple(_limits_of(told))),))


def _limits_of(told: Told) -> Iterator[str]:
    scores = told.cards[ENSEMBLE]
    thin = [regime.value for regime in REGIMES if scores.skill(regime, REGIME_PRIOR) is None]
    if thin:
        yield f"Nothing is known of its skill in {', '.join(thin)}: too few rows."
    for regime in REGIMES:
        interval = scores.interval(regime, REGIME_PRIOR)
        if interval is not None and interval.high < 0:
            yield f"It is shown to be worse than the regime prior in {regime.value}."
    absent = told.scorecard["folds"][-1]["regimes_absent"]
    if absent:
        yield f"Its final fit saw no row of {', '.join(absent)}."
    yield "The evidence is of one history; spells of a regime are few, and rows of one day move together."
    yield "Costs, taxes, slippage and the effect of one's own orders are not in the target."
    yield "The final fit saw later days than the models that were examined, and was not examined itself."


def _again(told: Told) -> Section:
    return Section(
        title="How to reproduce it",
        blocks=(
            AGAIN,
            Code(
                text=f"regimed models verify\nregimed models show {told.name} --json\n"
                f"regimed models export {told.name} --format dir --to FOLDER\nregimed train --now"
            ),
        ),
    )


def _facts(*rows: tuple[str, object]) -> Table:
    return Table(header=("fact", "value"), rows=tuple((name, str(value)) for name, value in rows))
