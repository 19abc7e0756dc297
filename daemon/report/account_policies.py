"""Other ways to have predicted the same days, computed in one batch from the versions that are still there.

A version says something only of days whose next close could not be known when it was registered, so that
each policy but the one chosen in hindsight could have been had at the time. Features are computed once, from
the bars of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.children.champion import load_version
from daemon.report.account_state import places_of, registered
from regime.errors import RegimeError
from regime.models.ensemble import Inputs
from regime.scoring import log_losses
from registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from daemon.report.account_state import State
    from registry.store import Registry

    Proba = NDArray[np.float64]
    Mask = NDArray[np.bool_]

CHAMPION: Final = "champion"
ALWAYS_PROMOTE: Final = "always_promote"
NEVER_RETRAINED: Final = "never_retrained"
BEST_MEMBER: Final = "best_member"
SHADOW: Final = "shadow"
SAME: Final = 1e-5
"""Stored probabilities have six decimals and are scaled to sum 1 again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """A way of predicting judged rows; ``proba``, shape (n_rows, n_classes), is NaN where it could not."""

    name: str
    title: str
    explained: str
    in_hindsight: bool
    proba: Proba


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recomputed:
    """What versions say of the rows that they were asked for.

    ``said`` is by version, ``members`` by the name of a member of whoever served: both of shape
    (n_rows, n_classes), NaN elsewhere. ``missing`` says why a version says nothing.
    """

    said: Mapping[str, tuple[NDArray[np.intp], Proba]]
    members: Mapping[str, Proba]
    missing: Mapping[str, str]

    def of(self, version: str, state: State) -> Proba:
        """Give what a version said of all rows: as it is stored where it served, else computed again."""
        made = state.champion.made
        proba = np.full(made.proba.shape, np.nan)
        if version in self.said:
            at, told = self.said[version]
            proba[at] = told
        served = made.version == version
        proba[served] = made.proba[served]
        return proba


def newest_at(state: State) -> NDArray[np.str_]:
    """Give the newest version that was registered at the time of each row, empty before the first."""
    newest = np.full(len(state.rows), "", dtype="<U32")
    for name, at in registered(state.events).items():
        newest[state.since(at)] = name
    return newest


def recompute(
    state: State, registry: Registry, wanted: Mapping[str, Mask], *, trusted: Collection[str]
) -> Recomputed:
    """Let each version predict the rows that are wanted of it, and the members of who served with it."""
    rows, served = state.rows, state.champion.made.version
    shape = (len(rows), len(rows.classes))
    said: dict[str, tuple[NDArray[np.intp], Proba]] = {}
    missing: dict[str, str] = {}
    members: dict[str, Proba] = {}
    batch = _Batch.of(state) if any(mask.any() for mask in wanted.values()) else None
    for name, mask in wanted.items():
        at = np.flatnonzero(mask | (served == name))
        if batch is None or not len(at):
            continue
        if name not in state.versions:
            missing[name] = f"{name} was deleted"
            continue
        try:
            told, combined = batch.predict(registry, state.versions[name], at, trusted)
        except (RegistryError, RegimeError) as error:
            missing[name] = str(error)
            continue
        said[name] = (at, combined)
        own = served[at] == name
        for member, log_proba in told.items():
            proba = np.exp(log_proba)
            kept = members.setdefault(member, np.full(shape, np.nan))
            kept[at[own]] = (proba / proba.sum(axis=1, keepdims=True))[own]
    return Recomputed(said=said, members=members, missing=missing)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """The inputs of all judged rows."""

    inputs: Inputs
    catalogue_hash: str

    @classmethod
    def of(cls, state: State) -> _Batch:
        rows, market = state.rows, state.market
        days = int((market.index.date >= rows.date[0]).sum())
        table = market.features(last_days=days)
        at = places_of(rows.date, rows.symbol, table.date, table.symbol)
        own = table.take(at)
        inputs = Inputs(
            X=own.values.astype(np.float32), volatility=market.volatility(own), regime=rows.regime
        )
        return cls(inputs=inputs, catalogue_hash=own.catalogue_hash)

    def predict(
        self, registry: Registry, version: Any, at: NDArray[np.intp], trusted: Collection[str]
    ) -> tuple[dict[str, Proba], Proba]:
        """Give the members' log-probabilities and the ensemble's probabilities of some rows."""
        loaded = load_version(registry, version, trusted=trusted)
        loaded.require_features(self.catalogue_hash)
        volatility = self.inputs.volatility
        inputs = Inputs(
            X=self.inputs.X[at],
            volatility=None if volatility is None else volatility[at],
            regime=self.inputs.regime[at],
        )
        told = loaded.ensemble.members(inputs)
        return told, loaded.ensemble.pool.combine(told, inputs.regime)


def wanted_of(state: State) -> dict[str, Mask]:
    """Give the rows that the policies want of each version, by version in the order of registration."""
    newest = newest_at(state)
    wanted = {name: newest == name for name in registered(state.events)}
    first = state.tenures[0].version
    wanted[first] = wanted[first] | state.since(state.tenures[0].since)
    return wanted


def policies_of(state: State, found: Recomputed) -> list[Policy]:
    """Give the champion first, then what else could have been done, those without a row left out."""
    newest, first = newest_at(state), state.tenures[0].version
    always = np.full(state.champion.made.proba.shape, np.nan)
    for name in np.unique(newest).tolist():
        own = newest == name
        always[own] = found.of(name, state)[own]
    never = found.of(first, state)
    never[~state.since(state.tenures[0].since)] = np.nan
    policies = [
        Policy(
            name=CHAMPION,
            title="Champion: what regimed said",
            explained="The stored predictions of whoever was champion when they were made, before the next"
            " close.",
            in_hindsight=False,
            proba=state.champion.made.proba,
        ),
        Policy(
            name=NEVER_RETRAINED,
            title=f"Never retrained: {first} for ever",
            explained=f"The first champion, {first}, goes on predicting; it could have been had by turning"
            " retraining off.",
            in_hindsight=False,
            proba=never,
        ),
        Policy(
            name=ALWAYS_PROMOTE,
            title="Always promote: no gate",
            explained="The newest version predicts from the day it was registered; it could have been had by"
            " promoting everything.",
            in_hindsight=False,
            proba=always,
        ),
        *_best_member(state, found),
        *_shadow(state),
    ]
    return [policy for policy in policies if np.isfinite(policy.proba).any() or policy.name == CHAMPION]


def _best_member(state: State, found: Recomputed) -> list[Policy]:
    """Give the member with the lowest log-loss of those that predicted every row that any did."""
    if not found.members:
        return []
    known = {name: np.isfinite(proba).all(axis=1) for name, proba in found.members.items()}
    most = max(int(mask.sum()) for mask in known.values())
    losses = {
        name: float(log_losses(state.rows.truth[known[name]], proba[known[name]]).mean())
        for name, proba in found.members.items()
        if known[name].sum() == most > 0
    }
    if not losses:
        return []
    best = min(losses, key=lambda name: (losses[name], name))
    return [
        Policy(
            name=BEST_MEMBER,
            title=f"Best fixed model: {best}",
            explained=f"{best} alone, of whichever version was champion; chosen of {len(losses)} members in"
            " hindsight by its log-loss here, so nobody could have known to take it.",
            in_hindsight=True,
            proba=found.members[best],
        )
    ]


def _shadow(state: State) -> list[Policy]:
    """Give what versions that did not serve are stored to have said; of several the newest."""
    made, rows = state.made, state.rows
    proba = np.full((len(rows), len(rows.classes)), np.nan)
    at = places_of(made.date, made.symbol, rows.date, rows.symbol)
    number = np.array([int(name[1:]) for name in made.version.tolist()], dtype=np.intp)
    beside = np.flatnonzero(at >= 0)
    beside = beside[made.version[beside] != state.champion.made.version[at[beside]]]
    for row in beside[np.argsort(number[beside], kind="stable")].tolist():
        proba[at[row]] = made.proba[row]
    return [
        Policy(
            name=SHADOW,
            title="Shadow: who predicted beside the champion",
            explained="The stored predictions of versions on trial or on probation, of each day the newest,"
            " made before the next close.",
            in_hindsight=False,
            proba=proba,
        )
    ]


def recomputed_agrees(state: State, found: Recomputed) -> tuple[int, int]:
    """Give how many served rows were computed again, and how many of them came out as they are stored."""
    made = state.champion.made
    same = again = 0
    for name, (at, proba) in found.said.items():
        own = made.version[at] == name
        again += int(own.sum())
        same += int((np.abs(proba[own] - made.proba[at[own]]).max(axis=1, initial=0) <= SAME).sum())
    return again, same
