"""The catalogue as a page for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from regime.features.catalogue import CATALOGUE, CATALOGUE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regime.features.feature import Feature

_INTRODUCTION: Final = """\
# Features

This page is generated from the catalogue, version {version}: {count} features in the order of a model's
columns.

Every value is scale-free (prices or volumes times a constant change nothing), depends on a fixed number of a
symbol's last bars, and uses nothing that was not known at the close of its day. It is NaN on the symbol's
first *warm-up* bars, where one of the *look-back* bars lacks a field that the formula needs, and where the
index or fear has not been known for more than five of the symbol's bars. It is never infinite: each formula
says what it is when its denominator is nothing.

`x[n]` is the value n bars ago. `mean`, `sum`, `deviation` (sample), `highest`, `lowest` and the like take the
last n values, today included. `log return` is log(close / close[1]), `change` is close - close[1],
`true range` is max(high, close[1]) - min(low, close[1]), `typical` is (high + low + close) / 3. A
`decaying_mean` weighs by decay^age and an `exponential_mean` by (1 - 2 / (span + 1))^age, both over a finite
window whose weights sum to 1. Ties are differences of less than 1e-9; values within 1e-10 of zero are zero.
"""


def catalogue_markdown() -> str:
    """Give the catalogue as a Markdown page, one table a family.

    >>> catalogue_markdown().count("| `")
    179
    """
    families = groupby(CATALOGUE, key=lambda feature: feature.family)
    sections = [_section(family, features) for family, features in families]
    introduction = _INTRODUCTION.format(version=CATALOGUE_VERSION, count=len(CATALOGUE))
    return "\n".join([introduction, *sections])


def _section(family: str, features: Iterable[Feature]) -> str:
    rows = [_row(feature) for feature in features]
    title = f"## {family.replace('_', ' ').capitalize()} ({len(rows)})"
    head = "| name | formula | inputs | look-back | warm-up | source |\n|---|---|---|---:|---:|---|"
    return "\n".join([title, "", head, *rows, ""])


def _row(feature: Feature) -> str:
    formula = feature.formula.replace("|", "\\|")
    inputs = ", ".join(feature.inputs)
    cells = (f"`{feature.name}`", formula, inputs, feature.look_back, feature.warm_up, feature.source)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
