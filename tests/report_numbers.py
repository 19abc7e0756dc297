"""Numbers of a plausible replay, drawn by chance: prices, regimes, scores, reliability, gains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

REGIMES: Final = ("crash", "recovery", "high_volatility", "normal", "low_volatility")
GROUPS: Final = ("overall", *REGIMES)
CLASSES: Final = ("sell", "hold", "buy")
SHARES: Final = dict(zip(GROUPS, (1.0, 0.05, 0.08, 0.17, 0.45, 0.25), strict=True))
SKILLS: Final = dict(zip(GROUPS, (0.112, 0.04, 0.09, 0.105, 0.12, 0.13), strict=True))
CRISES: Final = (
    ("gfc_2008", "Global financial crisis", 0.09, 0.13, -0.55, "crash"),
    ("flash_2010", "Flash crash", 0.185, 0.189, -0.10, "high_volatility"),
    ("euro_2011", "Euro crisis", 0.25, 0.265, -0.20, "crash"),
    ("taper_2013", "Taper tantrum", 0.36, 0.365, -0.06, "high_volatility"),
    ("china_2015", "China devaluation", 0.475, 0.482, -0.13, "high_volatility"),
    ("volmageddon_2018", "Volmageddon", 0.61, 0.614, -0.09, "high_volatility"),
    ("covid_2020", "Covid", 0.722, 0.728, -0.36, "crash"),
    ("inflation_2022", "Inflation bear", 0.83, 0.87, -0.22, "high_volatility"),
)
YOUNG: Final = 5
"""Sessions of a crisis that is too short to be drawn."""


def series(chance: np.random.Generator, sessions: int) -> tuple[list[float], list[float | None], list[str]]:
    drift, volatility = np.full(sessions, 0.0006), np.full(sessions, 0.0085)
    calm = np.sin(np.arange(sessions) / 260.0) > 0.3
    volatility[calm] = 0.0055
    regime = np.where(calm, "low_volatility", "normal").astype(object)
    for _, _, first, last, fall, nominal in CRISES:
        start, stop = int(first * sessions), int(last * sessions)
        if stop <= start + YOUNG:
            continue
        drift[start:stop] = np.log1p(fall) / (stop - start)
        volatility[start : stop + 40] = 0.018 if nominal == "crash" else 0.013
        regime[start : stop + 60] = "high_volatility"
        if nominal == "crash":
            regime[start + 4 : stop] = "crash"
            regime[stop : stop + 60] = "recovery"
            drift[stop : stop + 60] = 0.0022
    close = 1200 * np.exp(np.cumsum(drift + volatility * chance.standard_normal(sessions)))
    fear: list[float | None] = [
        round(float(v), 2) for v in 1800 * volatility * np.exp(0.15 * chance.standard_normal(sessions))
    ]
    for at in range(sessions // 3, min(sessions // 3 + 40, sessions)):
        fear[at] = None
    return [round(float(c), 2) for c in close], fear, regime.tolist()


def scores_of(
    chance: np.random.Generator, group: str, worse: float, sessions: int, *, share: float | None = None
) -> Document:
    days = int(sessions * (SHARES[group] if share is None else share))
    wide = 0.9 / max(days, 1) ** 0.5
    skill = SKILLS[group] + worse + chance.normal(0, wide / 4)
    known = days >= 10
    barrier = skill - 0.06
    return {
        "rows": 53 * days,
        "days": days,
        "spells": max(days // 40, 1),
        "accuracy": if_known(0.56 + skill / 2, known),
        "log_loss": if_known(0.98 * (1 - skill), known),
        "brier": if_known(0.58 * (1 - skill), known),
        "calibration_error": if_known(0.02 + wide / 10, known),
        "skill": if_known(skill, known),
        "skill_low": if_known(skill - wide, known),
        "skill_high": if_known(skill + wide, known),
        "skill_barrier": if_known(barrier, known),
        "skill_barrier_low": if_known(barrier - wide, known),
        "skill_barrier_high": if_known(barrier + wide, known),
    }


def if_known(value: float, known: bool) -> float | None:  # noqa: FBT001 - a leaf of the generator
    return round(float(value), 6) if known else None


def baseline(chance: np.random.Generator, group: str, level: float | None, sessions: int) -> Document:
    scores = scores_of(chance, group, (level or 0.0) - SKILLS[group], sessions)
    if not level:
        scores |= {"skill": level, "skill_low": None, "skill_high": None}
    return scores


def reliability(chance: np.random.Generator) -> list[Document]:
    return [
        {
            "class": name,
            "points": [
                {
                    "predicted": round(float(at), 6),
                    "observed": round(float(at + chance.normal(0, 0.02) - 0.05 * (at - 0.35)), 6),
                    "rows": int(60000 * np.exp(-6 * abs(at - 0.33))),
                    "low": round(float(at - 0.03 - 0.05 * abs(at - 0.3) - 0.05 * (at - 0.35)), 6),
                    "high": round(float(at + 0.03 + 0.05 * abs(at - 0.3) - 0.05 * (at - 0.35)), 6),
                }
                for at in np.linspace(0.05, 0.85, 9)
            ],
        }
        for name in CLASSES
    ]


def gain(chance: np.random.Generator, names: Sequence[str], worse: float) -> Document:
    days = list(names[::21])
    nats = np.cumsum(21 * (0.112 + worse) * 0.98 + chance.normal(0, 0.6, len(days)))
    return {"day": days, "nats": [round(float(each), 6) for each in nats]}
