"""``demo``: the crisis of 2008 and what followed, replayed on real data in a few minutes.

The data are S&P 500 and NASDAQ bars of 1999 to 2018 and VIX closes of 2014 to 2018, which the package
``arch`` ships. They are written as the files that a user would have, and replayed as ``regimed replay`` does:
day by day through the daemon's own loop, with what was known on each day.
"""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.commands.context import reading_registry
from daemon.commands.labels import labels
from daemon.commands.model_findings import reliability_of
from daemon.commands.models import ENSEMBLE, print_scores, scorecards
from daemon.commands.replay import fast, run_through
from daemon.commands.report import document_of, print_document, write_report
from daemon.errors import UsageError
from daemon.layout import Layout
from daemon.replay.drive import Plan
from daemon.replay.history import History
from daemon.settings import Settings
from regime.scorecard import Scorecard

if TYPE_CHECKING:
    import pandas as pd

FIRST: Final = date(2008, 1, 2)
LAST: Final = date(2009, 8, 31)
WEEKS: Final = 13
MARKER: Final = ".regimed-demo"
FILES: Final = "files"
REPLAY: Final = "replay"
YAHOO_COLUMNS: Final = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]


def demo(options: Namespace) -> int:
    """Replay, show the result, and leave everything for inspection."""
    root = Path(options.keep).resolve()
    _prepare(root)
    _write_files(root / FILES)
    layout = Layout(root / REPLAY)
    settings = _settings()
    history = History.of_folder(root / FILES, settings)
    _say(f"1. {FIRST} to {LAST}, day by day, with what was known on each day; before it, nine years at once")
    run_through(history, Plan.of(history, settings, FIRST, LAST, fast=True), settings, layout)
    _say("2. The regimes, a letter a week, as they were labelled on the day")
    place = {"dir": str(layout.root), "json": False}
    shown = {"market": None, "first": str(FIRST), "last": None}
    labels(Namespace(**place, **shown, timeline=True, plot=None))
    with reading_registry(layout) as registry:
        champion = registry.champion()
        if champion is None:
            raise UsageError(f"no model became champion; see: regimed runs list --dir {layout.root}")
        cards = scorecards(registry, champion.name)
        reliability = reliability_of(registry, champion.name)
    _say(f"3. The last champion, {champion.name}, out of sample in purged walk-forward over all years before")
    print_scores(Scorecard.from_json(cards[ENSEMBLE]), reliability)
    _say("4. What regimed said on each day, held against what came true")
    document = document_of(layout)
    print_document(document)
    page = write_report(document, layout.root / "report")
    print(f"\nThe report, with pictures: {page}\nTry next:")
    for command in ("events", "models history", f"models show {champion.name}", "labels explain 2008-09-29"):
        print(f"  {sys.argv[0]} {command} --dir {layout.root}")
    return 0


def _settings() -> Settings:
    settings = fast(Settings())
    return replace(settings, schedule=replace(settings.schedule, every_weeks=WEEKS))


def _write_files(folder: Path) -> None:
    """Write the files of a user: two as Yahoo has them, one of CBOE."""
    folder.mkdir()
    for name, frame in _frames().items():
        frame.to_csv(folder / name)


def _frames() -> dict[str, pd.DataFrame]:
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


def _prepare(root: Path) -> None:
    """Make an empty folder of ours, where there is none or only an earlier demo."""
    if root.exists() and any(root.iterdir()):
        if not (root / MARKER).exists():
            raise UsageError(f"{root} is not empty and not of an earlier demo; name another with --keep")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).touch()


def _say(text: str) -> None:
    print(f"\n{text}\n", flush=True)
