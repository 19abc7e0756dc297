"""What ``models show`` tells of how a version was made: members, weights, rows, worth of choices."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_table
from daemon.model_card import NAMED, VOLATILITY_BARRIER
from regime.ablation import Ablation
from regime.scorecard import REGIME_PRIOR, Scorecard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE_WIDTH: Final = 80


def print_members(cards: Mapping[str, Any], weights: Mapping[str, float]) -> None:
    """Print everyone's skill against both baselines, best first, with the weight in the ensemble."""
    named = {name: Scorecard.from_json(card) for name, card in cards.items()}
    rows = sorted(
        (
            (
                name,
                _percent(card.skill(None, REGIME_PRIOR)),
                _percent(_against(card, VOLATILITY_BARRIER)),
                _interval(card, VOLATILITY_BARRIER),
                "-" if name not in weights else f"{100 * weights[name]:.0f} %",
            )
            for name, card in named.items()
        ),
        key=lambda row: -_number(row[1]),
    )
    print_table(("member", "vs prior %", "vs barrier %", "95 %", "weight"), rows)


def account_lines(scorecard: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the final fit learnt from, what choices were worth, and the second exam if it was held."""
    if "ablations" not in scorecard:
        yield "How this version was made is not told: it is older than that."
        return
    yield from _rows_lines(scorecard["folds"][-1])
    yield from _champion_lines(scorecard.get("champion"))
    for name, stored in scorecard["ablations"].items():
        yield from _wrapped(Ablation.from_json(stored).said(NAMED.get(name, name)))
    for event, skills in scorecard.get("crisis", {}).items():
        yield from _wrapped(
            f"{event}, left out: "
            + ", ".join(f"{name} {_percent(skill)} %" for name, skill in skills.items() if skill is not None)
        )


def _rows_lines(final: Mapping[str, Any]) -> Iterator[str]:
    every = final["every_days"]
    thinned = "" if every == 1 else f", each {every}th session of {final['rows_available']} rows"
    shares = ", ".join(
        f"{regime} {100 * share:.0f} %"
        for regime, share in final["weight_share"].items()
        if share is not None
    )
    yield from _wrapped(
        f"final fit: {final['rows_trained']} rows ({final['rows_distinct']} distinct{thinned}),"
        f" worth {final['rows_effective']:.0f} under the weights {final['weights']!r};"
        f" weight by regime: {shares}"
    )
    if final["regimes_absent"]:
        yield from _wrapped(f"no row of {', '.join(final['regimes_absent'])}: nothing was learnt about it")


def _champion_lines(beside: Mapping[str, Any] | None) -> Iterator[str]:
    if beside is None:
        return
    low_high = beside["interval"]
    interval = "" if low_high is None else f" [{_percent(low_high[0])}, {_percent(low_high[1])}]"
    by_regime = ", ".join(f"{regime} {_percent(skill)}" for regime, skill in beside["skill"].items())
    yield from _wrapped(
        f"against {beside['version']}, champion then, on {beside['rows']} rows:"
        f" skill {_percent(beside['overall_skill'])} %{interval}; {by_regime}"
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, PAGE_WIDTH, subsequent_indent="  ", break_long_words=False)


def _against(card: Scorecard, baseline: str) -> float | None:
    return card.skill(None, baseline) if baseline in card.baselines else None


def _interval(card: Scorecard, baseline: str) -> str:
    interval = card.interval(None, baseline) if baseline in card.baselines else None
    return "-" if interval is None else f"{100 * interval.low:+.1f}…{100 * interval.high:+.1f}"


def _percent(skill: float | None) -> str:
    return "-" if skill is None else f"{100 * skill:+.1f}"


def _number(text: str) -> float:
    return float("-inf") if text == "-" else float(text)
