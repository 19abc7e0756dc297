"""What a version said while it served, as rows that stand for its recipe behind its walk-forward."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.adapters.ledger import Ledger
from daemon.children.data import first_market
from daemon.children.fresh import CLOSES_UTC, in_time
from daemon.children.stored import CANDIDATE
from daemon.markets import first_of
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from daemon.layout import Layout
    from daemon.settings import Settings
    from regime.live_exam import MadePredictions
    from registry.types import ModelVersion

    Columns = dict[str, NDArray[Any]]


SERVED: Final = "served"
"""The column that tells which rows are what the version said while it served."""


def served_by(
    layout: Layout, settings: Settings, version: ModelVersion, *, through: int | None
) -> MadePredictions | None:
    """Give what a version predicted before the next close could be known; ``None`` if it predicted nothing.

    With ``through``, only what it predicted up to that data version.
    """
    with closing(open_read_only(layout.journal)) as connection:
        ledger = Ledger(connection)
        stored, newest = ledger.predictions_of(version.name, through=through), ledger.data_version()
    if not stored:
        return None
    bars = first_market(str(layout.root), newest, settings).bars
    close_utc = CLOSES_UTC.get(first_of(settings.markets)[1].calendar, np.timedelta64(0, "h"))
    made, _ = in_time(version.name, stored, version.manifest.classes, bars, close_utc)
    return made if len(made) else None


def with_served(evidence: Columns, made: MadePredictions, truth_of: Columns) -> Columns:
    """Give evidence in which the days that a version served have what it said then, and not walk-forward.

    A walk-forward ends where a version was trained, and what it served begins there. Without these rows a
    champion would be compared on the days before its training alone: it could grow old, and no candidate
    could be shown to be safe in a crash that came later.

    Parameters
    ----------
    evidence
        The columns of a version's walk-forward (``daemon.children.stored``).
    made
        What it predicted in time.
    truth_of
        The columns of a version that was trained later: its outcomes are those that have matured.
    """
    places = {
        key: at for at, key in enumerate(zip(truth_of["date"], truth_of["symbol"].tolist(), strict=True))
    }
    pairs = [
        (row, place)
        for row, key in enumerate(zip(made.date, made.symbol.tolist(), strict=True))
        if (place := places.get(key)) is not None
    ]
    if not pairs:
        return evidence
    rows, matured = np.array(pairs, dtype=np.intp).T
    names = ("date", "symbol", "truth", *(f"{CANDIDATE}_{name}" for name in made.classes))
    kept = ~np.isin(evidence["date"], made.date[rows])
    said: Columns = {
        "date": made.date[rows],
        "symbol": made.symbol[rows],
        "truth": truth_of["truth"][matured],
        **{f"{CANDIDATE}_{name}": made.proba[rows, at] for at, name in enumerate(made.classes)},
    }
    marked: Columns = {SERVED: np.repeat([False, True], [int(kept.sum()), len(rows)])}
    return marked | {name: np.concatenate([evidence[name][kept], said[name]]) for name in names}
