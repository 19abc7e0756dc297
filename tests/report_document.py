"""Documents of plausible replays, made by chance from a seed: for tests of the page and for looking at it.

``python -m tests.report_document FOLDER`` writes the document, its page and its figures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.report.figures import figures_of
from daemon.report.page import page_of
from tests.report_numbers import (
    CLASSES,
    CRISES,
    GROUPS,
    REGIMES,
    SHARES,
    baseline,
    gain,
    if_known,
    reliability,
    scores_of,
    series,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

POLICIES: Final = {
    "champion": ("Champion: what regimed said", "The stored predictions of each day's champion.", 0.0),
    "never_retrained": ("Never retrained: v1 for ever", "The first champion goes on predicting.", -0.034),
    "always_promote": ("Always promote: no gate", "The newest version predicts from its first day.", -0.011),
    "best_member": ("Best fixed model: lightgbm", "The one member that was best over all days.", -0.004),
    "shadow": ("Shadow: who predicted beside the champion", "Versions on trial or on probation.", -0.019),
}
BASELINES: Final = {
    "majority": ("Majority", None),
    "class_prior": ("Class prior", -0.02),
    "regime_prior": ("Regime prior", 0.0),
    "volatility_barrier": ("Volatility barrier", 0.083),
}
SHA: Final = "9f2c4e7a1b3d5f60718293a4b5c6d7e8f90112233445566778899aabbccddeef"
REASONS: Final = {
    "PROMOTE": "better in high volatility by 0.021 nats [0.009, 0.033], and no loss elsewhere",
    "REJECT": "worse in crash by 0.014 nats [0.003, 0.026]; the margin is 0.010",
    "SHADOW": "no harm is shown, but crash and recovery stay unproven with 31 days",
    "HOLD_EQUIVALENT": "no harm and no benefit is shown; the champion stays",
}


def document_of(*, sessions: int = 5030, retrains: int = 80, seed: int = 7) -> Document:
    """Give a document of so many sessions from 2005-01-03 on, as a replay would print it."""
    chance = np.random.default_rng(seed)
    days = np.busday_offset("2005-01-03", np.arange(sessions), roll="forward")
    close, fear, regime = series(chance, sessions)
    names = [str(day) for day in days]
    runs_at = np.linspace(0, sessions - 1, retrains + 2)[1:-1].astype(int)
    verdicts = _verdicts(chance, [names[at] for at in runs_at])
    champions = _champions(verdicts, names[0])
    return {
        "schema": 1,
        "kind": "replay",
        "title": f"Replay of us, {names[0]} to {names[-1]}",
        "market": {"name": "us", "index": "^SPX", "fear": "^VIX", "symbols": 53},
        "range": {"from": names[0], "to": names[-1], "sessions": sessions},
        "target": {
            "name": "reference",
            "sentence": "+10 % before -5 % within 14 closes",
            "classes": list(CLASSES),
        },
        "fingerprint": {
            "data": SHA,
            "settings": SHA[::-1],
            "decisions": SHA[8:] + SHA[:8],
            "regimed": "0.1.0",
            "fast": False,
            "packages": {"lightgbm": "4.6.0", "numpy": "2.3.1", "scikit-learn": "1.7.2", "xgboost": "3.0.2"},
        },
        "counts": {
            "predictions": 53 * sessions,
            "matured": 53 * (sessions - 14),
            "waiting": 53 * 14,
            "retrains": retrains,
            "failed_runs": 2,
            "versions": retrains - 2,
            "champions": len(champions),
            "alarms": 17,
        },
        "headline": _headline(sessions),
        "series": {"day": names, "close": close, "fear": fear, "regime": regime},
        "events": [
            {
                "id": key,
                "title": title,
                "first": names[int(first * sessions)],
                "last": names[int(last * sessions)],
                "nominal": nominal,
                "source": "catalogued",
                "scores": scores_of(chance, nominal, 0.0, sessions, share=last - first),
                "sentence": f"{title}: the champion was {chance.uniform(1, 9):.1f} % below the regime prior.",
            }
            for key, title, first, last, _, nominal in CRISES
        ],
        "champions": champions,
        "verdicts": verdicts,
        "looks": [
            {
                "day": each["day"],
                "trial": f"shadow:{each['version']}",
                "kind": "shadow",
                "version": each["version"],
                "against": each["against"],
                "days": 40,
                "verdict": "HOLD_EQUIVALENT",
                "outcome": None,
                "reason": "40 fresh days show no difference yet",
            }
            for each in verdicts
            if each["verdict"] == "SHADOW"
        ],
        "policies": [
            {
                "name": name,
                "title": title,
                "explained": explained,
                "in_hindsight": name == "best_member",
                "scores": {group: scores_of(chance, group, worse, sessions) for group in GROUPS},
                "years": [
                    {"year": year, **scores_of(chance, "overall", worse, 252)}
                    for year in range(int(names[0][:4]), int(names[-1][:4]) + 1)
                ],
                "reliability": reliability(chance),
                "gain": gain(chance, names, worse),
            }
            for name, (title, explained, worse) in POLICIES.items()
        ],
        "baselines": [
            {
                "name": name,
                "title": title,
                "scores": {group: baseline(chance, group, level, sessions) for group in GROUPS},
            }
            for name, (title, level) in BASELINES.items()
        ],
        "differences": [
            _difference(chance, name, title, than, worth)
            for name, title, than, worth in (
                ("retraining", "What retraining earned", "never_retrained", 0.034),
                ("gating", "What the gate earned", "always_promote", 0.006),
                ("weighting", "What weighting earned", "unweighted", -0.002),
                ("pooling", "What pooling earned", "best_member", 0.003),
            )
        ],
        "gate_record": [_decision(chance, each) for each in verdicts[1:]],
        "drift": [
            {
                "day": names[at],
                "monitor": str(chance.choice(["features", "mix", "errors"])),
                "level": "alert" if chance.random() < 0.3 else "warning",
                "sentence": "12 of 179 features moved beyond their bound for 10 days.",
            }
            for at in sorted(chance.integers(0, sessions, 17).tolist())
        ],
        "ablations": [
            {
                "day": verdicts[-1]["day"],
                "version": verdicts[-1]["version"],
                "name": name,
                "nats": worth,
                "low": worth - 0.004,
                "high": worth + 0.004,
                "sentence": f"Without {name} the log-loss differs by {worth:+.4f} nats.",
            }
            for name, worth in (("weights", 0.0012), ("archive", 0.0051), ("balance", -0.0007))
        ],
        "runs": [
            {
                "run": f"r{at + 1}",
                "day": each["day"],
                "trigger": "drift" if at % 9 == 5 else "schedule",
                "outcome": "succeeded",
                "version": each["version"],
                "verdict": each["verdict"],
                "reason": each["reason"],
            }
            for at, each in enumerate(verdicts)
        ]
        + [
            {
                "run": "r99",
                "day": names[-1],
                "trigger": "schedule",
                "outcome": "failed",
                "version": None,
                "verdict": None,
                "reason": "the training child was out of memory",
            }
        ],
        "notes": [
            "The market is simulated: prices are drawn from a seed, not from an exchange.",
            "Survivors only: symbols that were delisted before the last day are missing.",
        ],
    }


def young_document() -> Document:
    """Give a document of a daemon that has lived four days: series, and nothing that could be judged."""
    full = document_of(sessions=4, retrains=1)
    nothing = dict.fromkeys(
        (
            "accuracy", "log_loss", "brier", "calibration_error", "skill", "skill_low", "skill_high",
            "skill_barrier", "skill_barrier_low", "skill_barrier_high",
        )
    )  # fmt: skip
    empty = {group: {"rows": 0, "days": 0, "spells": 0, **nothing} for group in GROUPS}
    for each in full["policies"] + full["baselines"]:
        each["scores"] = empty
    for each in full["policies"]:
        each.update(years=[], reliability=[], gain={"day": [], "nats": []})
    full.update(
        kind="live",
        title="us, live since 2005-01-03",
        counts=dict.fromkeys(full["counts"], 0) | {"predictions": 212, "waiting": 212, "champions": 1},
        policies=full["policies"][:1],
        champions=[{**full["champions"][0], "verdict": "BOOTSTRAP"}],
        verdicts=full["verdicts"][:1],
    )
    for name in ("events", "looks", "differences", "gate_record", "drift", "ablations", "headline", "notes"):
        full[name] = []
    return full


def _headline(sessions: int) -> list[Document]:
    where = f"on {53 * sessions:,} rows of {sessions:,} days"
    against = {
        "champion_vs_prior": (0.112, 0.013, "regime_prior", "The champion's log-loss was 11.2 % lower"),
        "champion_vs_barrier": (
            0.031,
            0.013,
            "volatility_barrier",
            "The champion's log-loss was 3.1 % lower",
        ),
        "retraining": (0.034, 0.009, "never_retrained", "Retraining earned .0340 nats a prediction"),
        "gate_held": (0.74, None, "champion", "The gate was right in 74 % of what it held back"),
    }
    return [
        {
            "name": name,
            "sentence": f"{told} {where}.",
            "value": value,
            "low": None if wide is None else value - wide,
            "high": None if wide is None else value + wide,
            "rows": 53 * sessions,
            "days": sessions,
            "baseline": baseline,
        }
        for name, (value, wide, baseline, told) in against.items()
    ]


def _verdicts(chance: np.random.Generator, days: Sequence[str]) -> list[Document]:
    verdicts: list[Document] = []
    champion = None
    for at, day in enumerate(days):
        drawn = str(chance.choice([*REASONS], p=[0.2, 0.32, 0.18, 0.3]))
        verdict = drawn if champion else "BOOTSTRAP"
        verdicts.append(
            {
                "day": day,
                "version": f"v{at + 1}",
                "against": champion,
                "kind": "refit" if champion else None,
                "verdict": verdict,
                "reason": REASONS.get(verdict, "the first model that beats the regime prior"),
                "regimes": [_judged(chance, regime) for regime in REGIMES],
            }
        )
        if verdict in {"PROMOTE", "BOOTSTRAP"}:
            champion = f"v{at + 1}"
    return verdicts


def _judged(chance: np.random.Generator, regime: str) -> Document:
    mean, days = round(float(chance.normal(0, 0.01)), 6), int(900 * SHARES[regime])
    return {
        "regime": regime,
        "status": "INSUFFICIENT" if days < 60 else "PASS",
        "mean": mean,
        "lcb": mean - 0.01,
        "ucb": mean + 0.01,
        "margin": 0.01,
        "days": days,
        "rows": 53 * days,
        "episodes": 3,
    }


def _champions(verdicts: Sequence[Document], first: str) -> list[Document]:
    admitted = [each for each in verdicts if each["verdict"] in {"PROMOTE", "BOOTSTRAP"}]
    return [
        {
            "version": each["version"],
            "from": each["day"],
            "to": admitted[at + 1]["day"] if at + 1 < len(admitted) else None,
            "verdict": each["verdict"],
            "reason": each["reason"],
            "trained_to": first,
            "actor": "gate",
        }
        for at, each in enumerate(admitted)
    ]


def _difference(chance: np.random.Generator, name: str, title: str, than: str, worth: float) -> Document:
    scores: Document = {}
    for group in GROUPS:
        days = int(5000 * SHARES[group])
        nats, wide = worth + chance.normal(0, 0.004), 0.6 / days**0.5
        scores[group] = {
            "rows": 53 * days,
            "days": days,
            "nats": round(float(nats), 6),
            "low": round(float(nats - wide), 6),
            "high": round(float(nats + wide), 6),
        }
    if name == "weighting":
        scores["crash"] |= {"nats": None, "low": None, "high": None}
    return {
        "name": name,
        "title": title,
        "better": "champion",
        "than": than,
        "sentence": f"{title}: {scores['overall']['nats']:+.3f} nats a prediction.",
        "scores": scores,
    }


def _decision(chance: np.random.Generator, verdict: Document) -> Document:
    nats, wide, days = float(chance.normal(0.008, 0.02)), 0.016, 61
    known = chance.random() > 0.1
    held = verdict["verdict"] != "PROMOTE"
    nats = -nats if held else nats
    right = None if abs(nats) < wide or not known else (nats > 0) is not held
    told = {None: "not shown either way", True: "right", False: "wrong"}[right]
    return {
        "version": verdict["version"],
        "day": verdict["day"],
        "verdict": verdict["verdict"],
        "held": held,
        "against": verdict["against"],
        "rows": 53 * days,
        "days": days,
        "nats": if_known(nats, known),
        "low": if_known(nats - wide, known),
        "high": if_known(nats + wide, known),
        "right": right,
        "sentence": (
            f"{verdict['version']} was {'held back' if held else 'promoted'}; on the {days} days after it"
            f" ({53 * days:,} rows) its gain over {verdict['against']} was {nats:.4f} nats: {told}."
        ),
    }


def main(folder: Path) -> None:
    """Write the documents, their pages and the figures of the long one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in {"long": document_of(), "young": young_document()}.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / f"{name}.html").write_text(page_of(document), encoding="utf-8")
    for name, figure in figures_of(document_of()).items():
        (folder / name).write_text(figure, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
