"""What is too good to be true: gains in accuracy that smell of a leak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.statistics import daily_means, hits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from regime.types import Regime
    from registry.evidence import Evidence


def leak_over_champion(
    rows: Evidence | None, gains: Mapping[Regime, float | None], largest: float
) -> str | None:
    """Suspect a candidate whose accuracy gains more than ``largest`` over the champion in some regime."""
    leaking = [
        regime
        for regime, gain in gains.items()
        if gain is not None and gain > largest and _gains_alike(rows, regime, largest)
    ]
    if not leaking:
        return None
    return f"Leak suspected: accuracy gains more than {largest:g} in {', '.join(leaking)}."


def _gains_alike(rows: Evidence | None, regime: Regime, largest: float) -> bool:
    """Tell whether accuracy also gains so much where both sides are taken alike, by their walk-forward.

    A champion that has served for years is an old fit: what a refit gains over it, as in the first crash that
    it meets, is what retraining is for.
    """
    if rows is None or rows.champion is None or rows.served is None:
        return True
    alike = (rows.regime == regime.value) & ~rows.served
    if not alike.any():
        return False
    return _accuracy(rows, rows.candidate, alike) - _accuracy(rows, rows.champion, alike) > largest


def leak_of_first(rows: Evidence | None, tested: Sequence[Regime], most: float | None) -> str | None:
    """Suspect a first champion that avoids more than ``most`` of the errors of the regime prior.

    The alternative to a first champion is no model, so nothing else would stop one that has seen the future.
    """
    if rows is None or rows.prior is None or most is None:
        return None
    leaking = []
    for regime in tested:
        inside = rows.regime == regime.value
        own, prior = (_accuracy(rows, each, inside) for each in (rows.candidate, rows.prior))
        if own - prior > most * (1 - prior):
            leaking.append(regime)
    if not leaking:
        return None
    return (
        f"Leak suspected: a first champion that avoids more than {most:.0%} of the regime prior's errors"
        f" in {', '.join(leaking)} is too good to be true."
    )


def _accuracy(rows: Evidence, proba: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Give the mean over days of the share of rows whose most probable class came true."""
    return float(daily_means(rows.date[inside], hits(proba[inside], rows.truth[inside])).mean())
