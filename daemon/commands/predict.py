"""``predict``: the champion's class probabilities for a day, or why it abstains."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.commands.context import print_json, print_table, reading, reading_registry, settings_of
from daemon.commands.days import day_of
from daemon.errors import UsageError
from daemon.layout import layout_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np

    from daemon.children.data import Market
    from daemon.children.serving import Prediction
    from registry.types import ModelVersion


def predict(options: argparse.Namespace) -> int:
    """Predict the last day, or a given one, from what was known at its close."""
    layout = layout_of(options)
    with reading(layout) as ledger:
        data_version = ledger.data_version()
    if data_version == 0:
        raise UsageError(f"there are no bars yet; drop price files into {layout.inbox}")
    asked = None if options.date is None else day_of(options.date)
    settings = settings_of(layout)
    with reading_registry(layout) as registry:
        champion = registry.champion()
        if champion is None:
            raise UsageError("there is no champion yet; train one with: regimed train --now")
        from daemon.children.data import first_market  # noqa: PLC0415 - only for what can be answered

        market = first_market(str(layout.root), data_version, settings)
        day = _known_day(asked, market)
        from daemon.children.serving import answer_day, load_serving  # noqa: PLC0415 - every model library

        serving = load_serving(registry, champion, trusted=settings.training.trusted_types)
    days = int((market.index.date >= day).sum())
    features = market.features(last_days=days)
    predictions = answer_day(serving, market, features, day, settings.serving)
    if options.json:
        told = [{**asdict(each), "day": str(day)} for each in predictions]
        print_json({"date": str(day), "champion": champion.name, "predictions": told})
    else:
        _print(predictions, day, champion)
    return 0


def _print(predictions: Sequence[Prediction], day: np.datetime64, champion: ModelVersion) -> None:
    classes = champion.manifest.classes
    print(f"{day}, champion {champion.name}, regime {predictions[0].regime if predictions else '-'}")
    rows = [
        (row.symbol, *((row.probabilities or {}).get(name) for name in classes), row.abstained or "")
        for row in predictions
    ]
    print_table(("symbol", *classes, "abstained"), rows)


def _known_day(asked: np.datetime64 | None, market: Market) -> np.datetime64:
    first, last = market.index.date[0], market.index.date[-1]
    if asked is None:
        asked = last
    if asked not in market.index.date:
        raise UsageError(f"there are no bars of {asked}; the index has days from {first} to {last}")
    return asked
