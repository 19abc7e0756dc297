"""A daemon's champion in a process of one's own: it answers, abstains, and follows the alias by itself.

    from regimed import Client
    with Client("trading") as client:
        for each in client.predict():
            print(each.symbol, each.probabilities or each.abstained)

The client only reads, and works whether the daemon runs or not. Each call looks whether the registry's file
has changed; if another version is champion then, that one is loaded, has to give its golden predictions, and
only then takes the place of the one that served. If it cannot, the old one goes on, and ``refused`` says why.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from daemon.adapters.clock import SystemClock
from daemon.adapters.ledger import Ledger
from daemon.children.data import first_market, market_of_bars
from daemon.children.serving import Prediction, abstention_by_age, answer_day, answer_rows, load_serving
from daemon.configuration import read_configuration
from daemon.errors import UsageError
from daemon.layout import Layout
from regime.errors import RegimeError
from regime.models.ensemble import Inputs
from registry.errors import RegistryError
from registry.readonly import open_read_only
from registry.store import DATABASE_NAME, Registry

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from daemon.children.serving import ServingVersion
    from daemon.ports import Clock
    from regime.types import Bars, FeatureTable

__all__ = ["Champion", "Client", "Prediction", "Refusal"]

_State = tuple[int, int, int] | None
SETTLED_NS: Final = 1_000_000_000
"""A file that changed within a second may change again without another time; it is read anew meanwhile."""
RETRY_S: Final = 60.0
"""A champion that could not be loaded is tried again after this long: its file may have been restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that answers: its name, its last day of training, and the classes it tells apart."""

    name: str
    trained_to: dt.date
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A champion that does not serve here (``None``: not even its name is known), and why."""

    version: str | None
    reason: str


class Client:
    """Answers with the champion of a directory; may be shared by threads.

    Parameters
    ----------
    directory
        The directory of the daemon. Its configuration is read once, here.
    clock
        The time; another one than the system's is for tests.

    Raises
    ------
    SettingsInvalidError
        If the configuration has faults.
    RegistryError
        If there is no registry, or it cannot be read.
    """

    def __init__(self, directory: str | Path, *, clock: Clock | None = None) -> None:
        self._layout = Layout(Path(directory).resolve())
        path = self._layout.configuration
        self._settings = read_configuration(path if path.exists() else None, os.environ).settings
        self._clock = clock or SystemClock()
        self._files = [self._layout.registry / f"{DATABASE_NAME}{suffix}" for suffix in ("", "-wal")]
        self._lock = threading.Lock()
        self._seen: tuple[_State, ...] | None = None
        self._serving: ServingVersion | None = None
        self._refused: Refusal | None = None
        self._retry_at_s = 0.0
        self._follow()
        self._require_registry()

    def _require_registry(self) -> None:
        if self._serving is None and self._refused is not None and self._refused.version is None:
            raise RegistryError(self._refused.reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the model."""
        self._serving = None
        self._seen = None

    @property
    def champion(self) -> Champion | None:
        """The version that answers now, ``None`` if none was promoted yet or none could be loaded."""
        serving = self._follow()
        if serving is None:
            return None
        manifest = serving.version.manifest
        return Champion(name=serving.version.name, trained_to=manifest.trained_to, classes=manifest.classes)

    @property
    def refused(self) -> Refusal | None:
        """The champion of the registry if it is not the one that answers here, and why."""
        self._follow()
        return self._refused

    def predict(self, *, bars: Bars | None = None, day: str | None = None) -> tuple[Prediction, ...]:
        """Answer for every symbol that has a bar on ``day`` (default: the last), from what was known then.

        ``bars`` are of the symbols, the index and the fear index of the first market, with enough history
        for its features; left out, they are those that the daemon has stored.

        Raises
        ------
        UsageError
            If there is no champion, or there are no bars of the day.
        FeatureMismatchError
            If this regimed computes other features than those of the version.
        """
        serving = self._required()
        if bars is None:
            market = first_market(str(self._layout.root), self._data_version(), self._settings)
        else:
            market = market_of_bars(bars, self._settings)
        dates = market.index.date
        at = dates[-1] if day is None else np.datetime64(day, "D")
        if at not in dates:
            raise UsageError(f"there are no bars of {at}; the index has days from {dates[0]} to {dates[-1]}")
        features = market.features(last_days=int((dates >= at).sum()))
        return answer_day(serving, market, features, at, self._settings.serving)

    def predict_features(
        self,
        features: FeatureTable,
        *,
        regime: NDArray[np.str_],
        volatility: NDArray[np.float32] | None = None,
    ) -> tuple[Prediction, ...]:
        """Answer for rows of features and their regimes, shape (n_rows,).

        ``volatility`` holds the columns of ``regime.barrier.inputs``, which a version with barrier members
        needs; shape (n_rows, n_inputs).

        Raises
        ------
        UsageError
            If there is no champion.
        FeatureMismatchError
            If the features are not those of the version, or volatility is needed and not given.
        """
        inputs = Inputs(X=features.values.astype(np.float32), volatility=volatility, regime=regime)
        return answer_rows(self._required(), features, inputs, self._settings.serving)

    def latest(self) -> tuple[Prediction, ...]:
        """Give what the daemon stored for the last day, of the version that answers; computes nothing.

        The day's features are not looked at again: only a version that is too old abstains here.

        Raises
        ------
        UsageError
            If there is no champion.
        """
        version = self._required().version
        with closing(open_read_only(self._layout.journal)) as connection:
            rows = [row for row in Ledger(connection).predictions() if row["version"] == version.name]
        found = []
        for row in rows:
            day = np.datetime64(row["date"], "D").item()
            reason = abstention_by_age(version, day, self._settings.serving)
            found.append(
                Prediction(
                    version=version.name,
                    symbol=row["symbol"],
                    day=day,
                    regime=row["regime"],
                    probabilities=None if reason else row["probabilities"],
                    abstained=reason,
                )
            )
        return tuple(found)

    def _required(self) -> ServingVersion:
        serving = self._follow()
        if serving is None:
            told = self._refused.reason if self._refused else "train one with: regimed train --now"
            raise UsageError(f"there is no champion to answer: {told}")
        return serving

    def _data_version(self) -> int:
        with closing(open_read_only(self._layout.journal)) as connection:
            return Ledger(connection).data_version()

    def _follow(self) -> ServingVersion | None:
        """Give who serves, after a look whether that has changed; the look is two ``stat`` calls."""
        if self._seen is not None and self._seen == self._signature() and not self._is_retry_due():
            return self._serving
        with self._lock:
            seen = self._signature()
            self._read()
            self._seen = seen if self._is_settled(seen) else None
            return self._serving

    def _read(self) -> None:
        """Load the champion if it is another one; whatever is wrong, who served goes on."""
        name = None
        try:
            with Registry.open_read_only(self._layout.registry) as registry:
                version = registry.champion()
                if version is None or (self._serving and self._serving.version.name == version.name):
                    self._refused = None
                    return
                name = version.name
                trusted = self._settings.training.trusted_types
                self._serving = load_serving(registry, version, trusted=trusted)
                self._refused = None
        except (RegistryError, RegimeError, sqlite3.DatabaseError, LookupError, ValueError, OSError) as error:
            self._refused = Refusal(version=name, reason=str(error))
            self._retry_at_s = self._clock.monotonic_s() + RETRY_S

    def _is_retry_due(self) -> bool:
        return self._refused is not None and self._clock.monotonic_s() >= self._retry_at_s

    def _signature(self) -> tuple[_State, ...]:
        """Give what changes when anything is written to the registry."""
        return tuple(map(_state_of, self._files))

    def _is_settled(self, seen: tuple[_State, ...]) -> bool:
        before_ns = int(self._clock.now().timestamp() * 1e9) - SETTLED_NS
        return all(state is None or state[2] < before_ns for state in seen)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
