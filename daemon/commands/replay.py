"""``replay``: what the daemon would have done, day by day, with what was known on each day."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.lock import DaemonLock
from daemon.commands.context import journal_faults_named, reading, settings_of
from daemon.commands.progress import bar, span
from daemon.commands.report import document_of, print_document, require_free, text_of, write_report
from daemon.configuration import read_configuration
from daemon.errors import DaemonError, UsageError
from daemon.layout import REPLAYED, Layout, layout_of
from daemon.markets import first_of
from daemon.replay.drive import Plan, failure_of, prepare, replaying
from daemon.replay.history import History
from daemon.settings import POLICY_SUFFIX

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection
    from types import FrameType

    from daemon.replay.drive import Progress
    from daemon.settings import GateSettings, Settings

TOLD_EVERY_S: Final = 30.0
"""Between two lines of progress where there is no terminal to draw a bar on."""

FAST_MODELS: Final = ("logistic_regression", "lightgbm")
FAST_WEEKS: Final = 4
FAST_ROWS: Final = 8_000
FAST_YEARS: Final = 1.5
"""History before the first fold, so that a replay of few years has a champion early."""


class ReplayUnsoundError(DaemonError):
    """Something went wrong on the way, so that the replay does not show what it should."""


def replay(options: argparse.Namespace) -> int:
    """Replay, or go on where an interrupted replay of the same plan stopped; then write the report."""
    settings = _settings(options)
    history = _history(options, settings)
    _require_symbols(history, settings, options.without)
    first, last = _range(options, history)
    layout = Layout(Path(options.into).resolve())
    folder = Path(options.report).resolve() if options.report else layout.root / "report"
    require_free(folder)
    if options.again:
        _forget(layout)
    plan = Plan.of(history, settings, first, last, fast=options.fast)
    run_through(history, plan, settings, layout)
    document = document_of(layout)
    page = write_report(document, folder)
    if options.json:
        print(text_of(document), end="")
    else:
        print_document(document)
    _say(f"\nThe report: {page}")
    return 0


def run_through(history: History, plan: Plan, settings: Settings, layout: Layout) -> None:
    """Replay every day of a plan, and tell on standard error how far it is.

    Raises
    ------
    UsageError
        If the directory holds anything but a replay of the same plan.
    ReplayUnsoundError
        If a file was refused, or work was given up.
    """
    if prepare(layout, plan, settings):
        _say(f"going on with the replay in {layout.root}")
    for note in plan.notes:
        _say(note)
    signal.signal(signal.SIGTERM, _interrupt)
    with replaying(layout, settings, plan.first) as daemon:
        told, failure = Telling(), None
        for progress in daemon.run(history, plan.first, plan.last):
            told.tell(progress)
            if failure is None and (failure := daemon.failed_training()) is not None:
                told.say(f"{failure}; the replay goes on")  # at once, since it may go on for hours
        told.done()
    _tell_failures(layout)
    _require_sound(layout)


def fast(settings: Settings) -> Settings:
    """Give settings for a quick look: two models, every four weeks, fewer rows, no controls."""
    return replace(
        settings,
        training=replace(
            settings.training,
            models=FAST_MODELS,
            quorum=1,
            rows_max=min(FAST_ROWS, settings.training.rows_max),
            fold_years=1,
            train_years_min=min(FAST_YEARS, settings.training.train_years_min),
            ablation=False,
            crisis_exam=False,
            processes=1,
        ),
        schedule=replace(settings.schedule, every_weeks=max(FAST_WEEKS, settings.schedule.every_weeks)),
    )


def _settings(options: argparse.Namespace) -> Settings:
    """Give the settings of the file that is named, or of the directory; nothing is polled in a replay."""
    if options.config is None:
        layout = layout_of(options)
        settings, beside = settings_of(layout), layout.root
    else:
        path = Path(options.config).resolve()
        settings, beside = read_configuration(path, {}).settings, path.parent
    settings = secluded(settings, beside)
    return fast(settings) if options.fast else settings


def secluded(settings: Settings, beside: Path) -> Settings:
    """Give settings that reach for nothing outside: no feed, no watched folder, no mirror.

    The files of the gate, which may be named relative to the configuration in ``beside``, are named in full.
    """
    gate = settings.gate
    own: dict[str, Any] = {
        name: str(beside / getattr(gate, name)) for name in ("policy", "sectors") if _is_file(gate, name)
    }
    return replace(
        settings,
        feeds={name: replace(feed, enabled=False) for name, feed in settings.feeds.items()},
        watch=replace(settings.watch, archive=()),
        mirror=replace(settings.mirror, mlflow_uri=""),
        gate=replace(gate, **own),
    )


def _is_file(gate: GateSettings, name: str) -> bool:
    value: str = getattr(gate, name)
    return bool(value) and (name == "sectors" or value.endswith(POLICY_SUFFIX))


def _history(options: argparse.Namespace, settings: Settings) -> History:
    if options.data is not None:
        return History.of_folder(Path(options.data), settings, without=options.without)
    layout = layout_of(options)
    if not layout.journal.exists():
        raise UsageError(f"no daemon has run in {layout.root}; name a folder of bar files with --data")
    with journal_faults_named(layout):
        return History.of_directory(layout, without=options.without)


def _require_symbols(history: History, settings: Settings, without: Collection[str]) -> None:
    """Refuse data without the index of the first market, which would be replayed for nothing."""
    name, market = first_of(settings.markets)
    if market.index not in history.bars.symbols():
        why = "which --without leaves out" if market.index in without else "of which there are no bars"
        raise UsageError(f"the index of market {name!r} is {market.index}, {why}")


def _range(options: argparse.Namespace, history: History) -> tuple[date, date]:
    """Give the first and last day of the replay, both inside the data."""
    begins, ends = history.bars.date.min().item(), history.bars.date.max().item()
    within = f"the data, which begin on {begins} and end on {ends}"
    if not options.first:
        raise UsageError(f"name the first day with --from, within {within}")
    first = _day("--from", options.first)
    last = _day("--to", options.end) if options.end else ends
    if options.end and first > last:
        raise UsageError(f"--from {first} is after --to {last}; swap them")
    for option, day in (("--from", first), ("--to", last)):
        if not begins <= day <= ends:
            raise UsageError(f"{option} {day} is not within {within}")
    return first, last


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no day; write it like 2007-01-31") from error


def _forget(layout: Layout) -> None:
    """Delete an earlier replay, and nothing else."""
    if not layout.root.exists() or not any(layout.root.iterdir()):
        return
    if not (layout.root / REPLAYED).exists():
        raise UsageError(
            f"{layout.root} holds no replay, so nothing in it is deleted; name another with --into"
        )
    lock = DaemonLock.acquire(layout.lock)  # so that none is going on there
    shutil.rmtree(layout.root)
    lock.release()


def _tell_failures(layout: Layout) -> None:
    """Say how many trainings failed, and why the last one did."""
    with reading(layout) as ledger:
        failed = ledger.events(name="retrain.failed")
        started = ledger.events(name="retrain.started")
    if failed:
        _say(f"{len(failed)} of {len(started)} trainings failed; {failure_of(failed[-1])}")


def _require_sound(layout: Layout) -> None:
    """Say what a reader of the report must know: files that were refused, work that was given up."""
    with reading(layout) as ledger:
        refused = ledger.events(name="ingest.quarantined")
        dead = ledger.events(name="message.dead")
    for event in refused:
        _say(f"{event.fields['name']} was refused: {event.fields['sentence']}")
    if refused or dead:
        raise ReplayUnsoundError(
            f"{len(refused)} files were refused and {len(dead)} messages given up, so the replay is not what"
            f" the daemon would have done with whole data; see: regimed events --dir {layout.root} --name"
            f" {'message.dead' if dead else 'ingest.quarantined'}"
        )


class Telling:
    """Tells how far a replay is: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self) -> None:
        self._began_s = self._told_s = time.monotonic()
        self._begun_at: int | None = None

    def tell(self, progress: Progress) -> None:
        """Tell it, and how long the rest will take at the pace so far."""
        now_s = time.monotonic()
        if (
            self._begun_at is None
        ):  # the first day waits for all that was before it, which says nothing of others
            self._begun_at, self._began_s = progress.done, now_s
            return
        is_terminal = sys.stderr.isatty()
        if not is_terminal and now_s - self._told_s < TOLD_EVERY_S:
            return
        self._told_s = now_s
        left_s = (progress.total - progress.done) * (now_s - self._began_s) / (progress.done - self._begun_at)
        text = f"{bar(progress.done, progress.total, str(progress.day))}, about {span(left_s)} left"
        print(
            f"\r\x1b[K{text}" if is_terminal else text,
            end="" if is_terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def say(self, text: str) -> None:
        """Say something that is to stay, above the bar."""
        _say(f"\r\x1b[K{text}" if sys.stderr.isatty() else text)

    def done(self) -> None:
        """Leave the line of the bar."""
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
