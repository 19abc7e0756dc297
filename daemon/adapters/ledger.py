"""Everything that can be read from the journal, as plain records; works on a read-only connection.

The records are named tuples: a dataclass takes a millisecond to make, and ``status`` has a hundred.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from daemon.adapters.archive_ledger import ArchiveLedger
from daemon.adapters.bar_ledger import BarLedger
from daemon.adapters.feature_ledger import FeatureLedger
from daemon.adapters.final_ledger import FinalLedger
from daemon.adapters.trial_ledger import TrialLedger
from daemon.stored_label import StoredLabel

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from daemon.adapters.bar_ledger import StoredPart

T = TypeVar("T")


class StoredEvent(NamedTuple):
    """An event of the ledger; ``at`` is ISO UTC."""

    id: int
    at: str
    name: str
    fields: Mapping[str, object]


class StoredFile(NamedTuple):
    """A file that was offered once."""

    sha256: str
    name: str
    size_bytes: int
    status: str
    symbols: tuple[str, ...]
    rows: int | None
    first_day: str | None
    last_day: str | None
    code: str | None
    sentence: str | None
    at: str


class LabelerState(NamedTuple):
    """Where the labeler of a market stands."""

    labeler: str
    data_version: int
    through_day: str
    state: str


class LabelSpell(NamedTuple):
    """The regime of now: since when, why, what is pending, and how many days each regime has had.

    ``closed_spells`` of the same regime lasted ``mean_days`` sessions, ``None`` if there are none yet.
    """

    regime: str
    since: str
    last_day: str
    reason: str
    pending: str | None
    days: Mapping[str, int]
    days_in: int
    closed_spells: int
    mean_days: float | None


class StoredRun(NamedTuple):
    """A training run."""

    id: str
    job: str
    trigger: str
    period: str
    data_version: int
    opened_at: str
    finished_at: str | None
    outcome: str
    reason: str | None
    version: str | None


class DeadLetter(NamedTuple):
    """A message that failed too often."""

    id: int
    key: str
    kind: str
    error: str
    finished_at: str


class FeedState(NamedTuple):
    """What is known of a feed."""

    name: str
    cursor: str | None
    last_day: str | None
    polled_at: str
    ok_at: str | None
    error: str | None
    is_stale: bool


IN_FORCE: Final = "in_force"
"""The fact that tells ``status`` what the daemon works with, so that it need not read the configuration."""
REACHED: Final = "replay.reached"
"""The fact that tells up to when the clock of a replay was moved."""


class InForce(NamedTuple):
    """The markets, enabled feeds and mirror of the daemon, and when it will retrain next (ISO UTC).

    ``claims`` says for each market its index, its fear index, and what names its symbols;
    ``None`` if an earlier regimed wrote the fact.
    """

    markets: list[str]
    feeds: list[str]
    next_run: str | None
    claims: dict[str, tuple[str, str, list[str]]] | None = None
    mirror: str | None = None

    def to_json(self) -> str:
        """Give the fact as it is stored."""
        return json.dumps(self._asdict())

    @classmethod
    def of_json(cls, text: str | None) -> InForce:
        """Give the stored fact; before the first start nothing is in force."""
        return cls(**json.loads(text)) if text else cls(markets=[], feeds=[], next_run=None)


class Ledger:
    """Reads the journal's tables; holds no state beside the connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.bars = BarLedger(connection)
        self.features = FeatureLedger(connection)
        self.archive = ArchiveLedger(connection)
        self.finals = FinalLedger(connection)
        self.trials = TrialLedger(connection)

    def fact(self, name: str) -> str | None:
        """Give a remembered value, or ``None``."""
        value: str | None = _first(self._rows("SELECT value FROM facts WHERE name = ?", name))
        return value

    def pending_counts(self) -> dict[str, int]:
        """Give how many messages of each kind wait."""
        return dict(self._rows("SELECT kind, count(*) FROM messages WHERE state = 'pending' GROUP BY kind"))

    def oldest_pending_at(self) -> str | None:
        """Give when the oldest waiting message came, or ``None`` if none waits."""
        oldest: str | None = _first(
            self._rows("SELECT min(created_at) FROM messages WHERE state = 'pending'")
        )
        return oldest

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Give the messages that failed too often, oldest first."""
        rows = self._rows(
            "SELECT id, key, kind, error, finished_at FROM messages WHERE state = 'dead' ORDER BY id"
        )
        return tuple(
            DeadLetter(id=id_, key=key, kind=kind, error=error, finished_at=at)
            for id_, key, kind, error, at in rows
        )

    def events(
        self, *, after_id: int = 0, name: str | None = None, limit: int | None = None
    ) -> tuple[StoredEvent, ...]:
        """Give events in order, the last ``limit`` of those after ``after_id`` whose name starts so."""
        rows = self._rows(
            "SELECT id, at, name, fields FROM events WHERE id > ? AND name LIKE ? || '%'"
            " ORDER BY id DESC LIMIT ?",
            after_id, name or "", -1 if limit is None else limit,
        )  # fmt: skip
        return tuple(
            StoredEvent(id=id_, at=at, name=name_, fields=json.loads(fields))
            for id_, at, name_, fields in reversed(rows)
        )

    def last_event_id(self) -> int:
        """Give the id of the newest event, 0 if there is none."""
        return _first(self._rows("SELECT max(id) FROM events")) or 0

    def file(self, sha256: str) -> StoredFile | None:
        """Give what became of a file, or ``None`` if it was never offered."""
        return _first_of(self.files("sha256 = ?", sha256))

    def files(self, condition: str = "1", *values: str) -> tuple[StoredFile, ...]:
        """Give the files that were offered, in the order in which they were dealt with."""
        rows = self._rows(
            "SELECT sha256, name, size_bytes, status, symbols, rows, first_day, last_day, code, sentence, at"  # noqa: S608 - condition is ours
            f" FROM files WHERE {condition} ORDER BY at, sha256",
            *values,
        )
        return tuple(
            StoredFile(
                sha256=row[0], name=row[1], size_bytes=row[2], status=row[3],
                symbols=tuple(json.loads(row[4] or "[]")), rows=row[5], first_day=row[6], last_day=row[7],
                code=row[8], sentence=row[9], at=row[10],
            )
            for row in rows
        )  # fmt: skip

    def data_version(self) -> int:
        """Give the newest data version, 0 before the first bars."""
        return self.bars.data_version()

    def parts(
        self, *, through: int | None = None, symbols: Sequence[str] | None = None
    ) -> tuple[StoredPart, ...]:
        """Give the files that make up a data version (default: the newest); see `BarLedger.parts`."""
        return self.bars.parts(
            through=self.bars.data_version() if through is None else through, symbols=symbols
        )

    def labeler_state(self, market: str) -> LabelerState | None:
        """Give where the labeler of a market stands, or ``None`` before its first day."""
        rows = self._rows(
            "SELECT labeler, data_version, through_day, state FROM labelers WHERE market = ?", market
        )
        return _first_of(
            tuple(
                LabelerState(labeler=labeler, data_version=version, through_day=day, state=state)
                for labeler, version, day, state in rows
            )
        )

    def labels(
        self, market: str, labeler: str, *, through: int | None = None, since: str | None = None
    ) -> tuple[StoredLabel, ...]:
        """Give the labels of a market in date order as of a data version (default: the newest).

        With ``since``, only those of that day and later.
        """
        version = self.data_version() if through is None else through
        rows = self._rows(
            "SELECT day, regime, reason, pending FROM labels WHERE market = ? AND labeler = ?"
            " AND data_version <= ? AND ifnull(superseded_by > ?, 1) AND day >= ? ORDER BY day",
            market, labeler, version, version, since or "",
        )  # fmt: skip
        return tuple(
            StoredLabel(day=day, regime=regime, reason=reason, pending=pending)
            for day, regime, reason, pending in rows
        )

    def spell(self, market: str, labeler: str) -> LabelSpell | None:
        """Give the spell that holds the last labelled day, and the days in each regime so far."""
        current = "FROM labels WHERE market = ? AND labeler = ? AND superseded_by IS NULL"
        last = self._rows(
            f"SELECT day, regime, reason, pending {current} ORDER BY day DESC LIMIT 1",
            market, labeler,
        )  # fmt: skip
        if not last:
            return None
        day, regime, reason, pending = last[0]
        before = _first(
            self._rows(
                f"SELECT day {current} AND regime <> ? ORDER BY day DESC LIMIT 1", market, labeler, regime
            )
        )
        since = self._rows(f"SELECT min(day) {current} AND day > ?", market, labeler, before or "")
        regimes = [row[0] for row in self._rows(f"SELECT regime {current} ORDER BY day", market, labeler)]
        *closed, days_in = [len(list(days)) for held, days in groupby(regimes) if held == regime]
        return LabelSpell(
            regime=regime,
            since=_first(since),
            last_day=day,
            reason=reason,
            pending=pending,
            days=dict(Counter(regimes)),
            days_in=days_in,
            closed_spells=len(closed),
            mean_days=sum(closed) / len(closed) if closed else None,
        )

    def runs(self) -> tuple[StoredRun, ...]:
        """Give all training runs, oldest first."""
        rows = self._rows(
            "SELECT id, job, trigger, period, data_version, opened_at, finished_at, outcome, reason, version"
            " FROM runs ORDER BY opened_at, id"
        )
        return tuple(StoredRun._make(row) for row in rows)

    def predictions(self, *, day: str | None = None) -> tuple[dict[str, Any], ...]:
        """Give the stored predictions of a day (default: the last), the newest data version of each."""
        day = day or _first(self._rows("SELECT max(day) FROM predictions"))
        rows = self._rows(
            "SELECT version, symbol, day, regime, probabilities, made_at, max(data_version) FROM predictions"
            " WHERE day = ? GROUP BY version, symbol ORDER BY version, symbol",
            day,
        )
        return tuple(
            {
                "version": version, "symbol": symbol, "date": day_, "regime": regime,
                "probabilities": json.loads(probabilities), "made_at": made_at,
            }
            for version, symbol, day_, regime, probabilities, made_at, _ in rows
        )  # fmt: skip

    def predictions_of(
        self, version: str, *, through: int | None = None, since_day: str = ""
    ) -> tuple[tuple[str, str, str, str, str], ...]:
        """Give (symbol, day, regime, probabilities as JSON, made_at) of all that a version predicted.

        With ``through``, only what it predicted up to that data version; of days from ``since_day`` on.

        A day that was predicted again, from corrected bars, is there more than once, the last one last.
        """
        rows = self._rows(
            "SELECT symbol, day, regime, probabilities, made_at FROM predictions WHERE version = ?"
            " AND data_version <= ifnull(?, data_version) AND day >= ? ORDER BY day, symbol, data_version",
            version, through, since_day,
        )  # fmt: skip
        return tuple(rows)

    def readings(self, *, last: int = 1) -> tuple[dict[str, Any], ...]:
        """Give the last readings of each drift monitor, in day order."""
        rows = self._rows(
            "SELECT monitor, reference, day, level, statistic, threshold, effective_n, detail FROM ("
            " SELECT *, row_number() OVER (PARTITION BY monitor ORDER BY day DESC, data_version DESC)"
            " AS place FROM readings) WHERE place <= ? ORDER BY monitor, day",
            last,
        )
        names = ("monitor", "reference", "date", "level", "statistic", "threshold", "effective_n", "detail")
        return tuple({**dict(zip(names, row, strict=True)), "detail": json.loads(row[-1])} for row in rows)

    def monitor_states(self) -> dict[str, str]:
        """Give the states of the drift monitors as base64 text, by name."""
        return dict(self._rows("SELECT name, state FROM monitors"))

    def feed(self, name: str) -> FeedState | None:
        """Give what is known of a feed, or ``None`` if it was never polled."""
        rows = self._rows(
            "SELECT name, cursor, last_day, polled_at, ok_at, error, is_stale FROM feeds WHERE name = ?", name
        )
        return _first_of(tuple(FeedState._make((*row[:-1], bool(row[-1]))) for row in rows))

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()


def _first(rows: list[Any]) -> Any:
    return rows[0][0] if rows else None


def _first_of(found: tuple[T, ...]) -> T | None:
    return found[0] if found else None
