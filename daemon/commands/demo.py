"""``demo``: the whole life of a daemon on real data, in a few minutes.

The data are S&P 500 and NASDAQ bars of 1999 to 2018 and VIX closes of 2014 to 2018, which the package
``arch`` ships. They are written as the files that a user would have, and everything that happens to them
is done by the real daemon in a process of its own.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.lock import holder_of
from daemon.commands.context import print_table, reading, reading_registry
from daemon.commands.events import print_event
from daemon.commands.labels import labels
from daemon.commands.model_findings import reliability_of
from daemon.commands.models import ENSEMBLE, print_scores, scorecards
from daemon.commands.progress import bar, progress_of
from daemon.commands.status import status
from daemon.commands.times import now
from daemon.commands.writing import writing
from daemon.configuration import render_configuration
from daemon.errors import DaemonError, UsageError
from daemon.layout import Layout
from daemon.messages import RetrainDue
from daemon.settings import Settings
from regime.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

MARKER: Final = ".regimed-demo"
WAIT_S: Final = 0.2
TOLD_EVERY: Final = 8
"""Fits between two lines of progress where there is no terminal to draw a bar on."""
START_LIMIT_S: Final = 30.0
INGEST_LIMIT_S: Final = 120.0
TRAIN_LIMIT_S: Final = 1800.0
YAHOO_COLUMNS: Final = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]


class DemoFailedError(DaemonError):
    """The demo did not get as far as it should."""


def demo(options: Namespace) -> int:
    """Run the demo and leave its directory for inspection."""
    layout = Layout(Path(options.keep).resolve())
    files = _files()
    _prepare(layout)
    with _daemon(layout):
        watcher = Watcher(layout)
        _say("1. Files arrive: S&P 500, NASDAQ and VIX, as Yahoo and CBOE write them")
        _drop(layout, {name: frame.iloc[:-1] for name, frame in files.items()})
        watcher.wait_for("ingest.accepted", count=len(files), limit_s=INGEST_LIMIT_S)
        watcher.wait_until_idle(INGEST_LIMIT_S)
        _say("2. Eight models are trained on twenty years, weighted by regime, in purged walk-forward")
        with writing(layout) as journal:
            journal.append([RetrainDue(trigger="manual", period=now().isoformat())], now=now())
        watcher.wait_for("retrain.", count=2, limit_s=TRAIN_LIMIT_S)
        watcher.wait_until_idle(INGEST_LIMIT_S)
        _say("3. One more day arrives: it is labelled, and predicted by the champion")
        _drop(layout, {name: frame.iloc[-1:] for name, frame in files.items()})
        watcher.wait_for("ingest.accepted", count=2 * len(files), limit_s=INGEST_LIMIT_S)
        watcher.wait_until_idle(INGEST_LIMIT_S)
        is_fine = _show(layout)
    print(f"\nThe daemon is stopped; its directory stays: {options.keep}. Try next:")
    for command in ("status", "events", "models show v1", "labels --plot regimes.png", "predict", "drift"):
        print(f"  {sys.argv[0]} {command} --dir {options.keep}")
    return 0 if is_fine else 1


def _files() -> dict[str, pd.DataFrame]:
    """Give the files of a user: two of Yahoo, one of CBOE, by name; indexed by day."""
    try:
        from arch.data import nasdaq, sp500, vix  # noqa: PLC0415 - of the extra [demo]
    except ModuleNotFoundError as error:
        raise UsageError("the demo's data are in another package; pip install 'regimed[demo]'") from error
    bars = {name: frame.load()[YAHOO_COLUMNS] for name, frame in (("^GSPC", sp500), ("^IXIC", nasdaq))}
    files = {f"{name}.csv": frame.rename_axis("Date") for name, frame in bars.items()}
    closes = vix.load()["vix"].dropna()
    closes = closes[closes.index <= bars["^GSPC"].index[-1]]
    # The package has only closes; the daemon reads nothing else of a VIX file.
    columns = dict.fromkeys(("OPEN", "HIGH", "LOW", "CLOSE"), closes)
    fear = closes.to_frame().assign(**columns)[list(columns)].rename_axis("DATE")
    fear.index = fear.index.strftime("%m/%d/%Y")
    return {**files, "VIX_History.csv": fear}


def _prepare(layout: Layout) -> None:
    if layout.root.exists() and any(layout.root.iterdir()):
        if not (layout.root / MARKER).exists():
            raise UsageError(
                f"{layout.root} is not empty and not of an earlier demo; name another with --keep"
            )
        if holder_of(layout.lock) is not None:
            raise UsageError(f"a daemon runs in {layout.root}; stop it first")
        shutil.rmtree(layout.root)
    layout.create()
    (layout.root / MARKER).touch()
    layout.configuration.write_text(render_configuration(Settings()), encoding="utf-8")


@contextmanager
def _daemon(layout: Layout) -> Iterator[None]:
    """Run the real daemon beside us, and stop it as a service manager would."""
    with (layout.root / "daemon.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "regimed", "run", "--dir", str(layout.root)]
        process = subprocess.Popen(command, stderr=log, start_new_session=True)
    try:
        deadline_s = time.monotonic() + START_LIMIT_S
        while holder_of(layout.lock) is None or not layout.journal.exists():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise DemoFailedError(f"the daemon did not start; see {layout.root / 'daemon.log'}")
            time.sleep(WAIT_S)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_LIMIT_S)


def _drop(layout: Layout, files: dict[str, pd.DataFrame]) -> None:
    for name, frame in files.items():
        beside = layout.inbox / f".{name}.tmp"
        frame.to_csv(beside)
        beside.replace(layout.inbox / name)


class Watcher:
    """Waits for things to happen, and prints the events meanwhile."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._last = 0
        self._told = 0

    def wait_for(self, name: str, *, count: int, limit_s: float) -> None:
        """Wait until ``count`` events whose names start so have happened."""

        def have_happened() -> bool:
            with reading(self._layout) as ledger:
                return len(ledger.events(name=name)) >= count

        self._wait(have_happened, f"{count} events {name}", limit_s)

    def wait_until_idle(self, limit_s: float) -> None:
        """Wait until no message waits."""

        def is_idle() -> bool:
            with reading(self._layout) as ledger:
                return not ledger.pending_counts()

        self._wait(is_idle, "the daemon to be done", limit_s)

    def _wait(self, done: Callable[[], bool], what: str, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while not done():
            if time.monotonic() > deadline_s:
                raise DemoFailedError(
                    f"waited {limit_s:g} s for {what}; see {self._layout.root / 'daemon.log'}"
                )
            self._print_news()
            time.sleep(WAIT_S)
        self._print_news()

    def _print_news(self) -> None:
        with reading(self._layout) as ledger:
            news, runs = ledger.events(after_id=self._last), ledger.runs()
        if news:
            self._clear()
        for event in news:
            print_event(event, as_json=False)
            self._last = event.id
        if runs and runs[-1].outcome == "running":
            self._print_progress(progress_of(self._layout, runs[-1].id))

    def _print_progress(self, progress: dict[str, Any] | None) -> None:
        """Draw a bar on a terminal; elsewhere say a line now and then."""
        if progress is None:
            return
        text = bar(progress["done"], progress["total"], progress["what"])
        if sys.stderr.isatty():
            self._clear()
            print(text, end="", file=sys.stderr, flush=True)
        elif progress["done"] >= self._told + TOLD_EVERY:
            self._told = progress["done"]
            print(text, file=sys.stderr, flush=True)

    @staticmethod
    def _clear() -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _show(layout: Layout) -> bool:
    """Print what a person would look at first; tell whether there is a champion."""
    place = {"dir": str(layout.root), "json": False}
    whole = {"market": None, "last": None, "timeline": False}
    with reading_registry(layout) as registry:
        champion = registry.champion()
        cards = None if champion is None else scorecards(registry, champion.name)
        reliability = None if champion is None else reliability_of(registry, champion.name)
    _say("The last days, as they are labelled:")
    labels(Namespace(**place, **whole, first="2018-12-20", plot=None))
    _say("The champion's view of the last day, which the daemon stored when the day arrived:")
    with reading(layout) as ledger:
        predictions = ledger.predictions()
    rows = [
        (row["date"], row["symbol"], row["regime"], *row["probabilities"].values()) for row in predictions
    ]
    print_table(("date", "symbol", "regime", *next(iter(predictions))["probabilities"]), rows)
    if cards is not None:
        _say("Out of sample and honest: skill is 1 - log-loss / log-loss of the regime prior")
        print_scores(Scorecard.from_json(cards[ENSEMBLE]), reliability)
    _say("regimed status:")
    status(Namespace(**place))
    plot = layout.root / "regimes.png"
    labels(Namespace(**place, **whole, first=None, plot=str(plot)))
    return cards is not None


def _say(text: str) -> None:
    print(f"\n{text}\n", flush=True)
