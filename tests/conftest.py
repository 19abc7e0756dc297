"""One directory of regimed with its real processes: the command line, and the daemon while it runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from daemon.adapters.ledger import Ledger
from daemon.adapters.lock import holder_of
from daemon.layout import Layout
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from daemon.adapters.ledger import StoredEvent

POLL_S: Final = 0.05
LIMIT_S: Final = 300.0
"""A process that hangs is a failed test; nothing here measures speed."""
CHECKOUT: Final = Path(__file__).resolve().parents[1]
CONFIGURATION: Final = """
[daemon]
idle_wait_s = 0.1
retry_wait_s = 0.1
[markets.sim]
index = "^SIM"
fear = "^SIMVIX"
calendar = "weekdays"
[training]
models = ["logistic_regression", "lightgbm"]
quorum = 1
fold_years = 2
train_years_min = 2
processes = 1
[schedule]
enabled = false
"""


def run_regimed(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; ``options`` are those of ``subprocess.run``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGIMED_")}
    given = {"check": False, "capture_output": True, "text": True, "timeout": LIMIT_S, "cwd": CHECKOUT}
    environment |= {"OMP_NUM_THREADS": "1", **options.pop("env", {})}
    command = [sys.executable, "-m", "regimed", *map(str, arguments)]
    return subprocess.run(command, env=environment, **{**given, **options})  # noqa: PLW1510 - it is given


def json_of(text: str) -> Any:
    """Read JSON as the standard has it: without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


class Installation:
    """A directory that ``regimed init`` laid out, and its daemon."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.log = root / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None

    def init(self, configuration: str = CONFIGURATION) -> None:
        """Lay the directory out and write its configuration."""
        run_regimed("init", self.layout.root, check=True)
        self.layout.configuration.write_text(configuration, encoding="utf-8")

    def regimed(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on this directory."""
        return run_regimed(*arguments, "--dir", self.layout.root, **options)

    def facts(self, *arguments: str | Path, code: int = 0) -> Any:
        """Give what a command prints with ``--json``; it must end with ``code``."""
        done = self.regimed(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json_of(done.stdout)

    @property
    def pid(self) -> int:
        """The process id of the daemon that was started last."""
        assert self._process is not None
        return self._process.pid

    def begin(self) -> None:
        """Start the daemon, and do not wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "regimed", "run", "--dir", str(self.layout.root)],
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def start(self) -> None:
        """Start the daemon and wait until it has said so in its ledger."""
        before = len(self.events("daemon.started"))
        self.begin()
        self.wait_until(lambda: len(self.events("daemon.started")) > before, "the daemon to start")

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to the daemon."""
        assert self._process is not None
        self._process.send_signal(sign)

    def stop(self, limit_s: float = 60.0) -> int:
        """Stop the daemon as a service manager does, and give its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended(limit_s)

    def kill(self) -> None:
        """Kill the daemon without warning."""
        self.signal(signal.SIGKILL)
        self.ended(LIMIT_S)

    def ended(self, limit_s: float) -> int:
        """Wait for the end of the daemon, and give its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=limit_s)

    def clean_up(self) -> None:
        """Leave no process behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def children(self) -> list[int]:
        """Give the process ids of the daemon's children."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(child) for child in found.split()]

    def drop(self, *files: Path) -> None:
        """Put files into the inbox as a careful user does: beside, then renamed."""
        for file in files:
            beside = self.layout.inbox / f".{file.name}.tmp"
            shutil.copyfile(file, beside)
            beside.replace(self.layout.inbox / file.name)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger, whoever else has it open."""
        with closing(open_read_only(self.layout.journal)) as connection:
            yield Ledger(connection)

    def events(self, name: str = "") -> Sequence[StoredEvent]:
        """Give the events whose name starts so; none before there is a journal."""
        try:
            with self.ledger() as ledger:
                return ledger.events(name=name)
        except (FileNotFoundError, sqlite3.OperationalError):
            return ()

    def wait_until(self, done: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait for something to become true while the daemon lives."""
        assert self._process is not None
        ends_at = time.monotonic() + limit_s
        while not done():
            assert self._process.poll() is None, f"the daemon ended:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < ends_at, (
                f"waited {limit_s:g} s for {what}:\n{self.log.read_text()[-3000:]}"
            )
            time.sleep(POLL_S)

    def wait_for(self, name: str, count: int = 1) -> StoredEvent:
        """Wait for events whose names start so, and give the one that completes the count."""
        self.wait_until(lambda: len(self.events(name)) >= count, f"{count} events {name}")
        return self.events(name)[count - 1]

    def is_idle(self) -> bool:
        """Tell whether a daemon runs and has nothing to do."""
        if holder_of(self.layout.lock) is None or any(self.layout.inbox.glob("[!.]*")):
            return False
        try:
            with self.ledger() as ledger:
                return not ledger.pending_counts()
        except (FileNotFoundError, sqlite3.OperationalError):
            return False  # it is just starting

    def wait_until_idle(self) -> None:
        """Wait until every file and every message is dealt with."""
        self.wait_until(self.is_idle, "the daemon to be idle")


SHARED: Final = frozenset({"archived", "eve", "trained"})
"""Fixtures that take long to make and are only read."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests of a file, and those that share a directory, to one process, which makes it once.

    Files of slow tests come first, so that no process is left with a long one at the end.
    """
    shared: dict[Path, set[str]] = {}
    slow: set[Path] = set()
    for item in items:
        shared.setdefault(item.path, set()).update(SHARED & set(getattr(item, "fixturenames", ())))
        if item.get_closest_marker("slow"):
            slow.add(item.path)
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        group = "+".join(sorted(shared[item.path])) or str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def regimed() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line; see ``run_regimed``."""
    return run_regimed


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Give an empty directory, laid out and configured for the simulated market."""
    place = Installation(tmp_path / "regimed")
    place.init()
    yield place
    place.clean_up()


@pytest.fixture(scope="session")
def installation_at() -> Iterator[Callable[[Path], Installation]]:
    """Give installations anywhere, for tests that need several or share one."""
    places: list[Installation] = []

    def make(root: Path) -> Installation:
        places.append(Installation(root))
        return places[-1]

    yield make
    for place in places:
        place.clean_up()


@pytest.fixture(scope="session")
def eve(
    installation_at: Callable[[Path], Installation], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Give a directory on the eve of the last look at a better shadow; it is shared, so tests copy it."""
    from tests import trial_world  # noqa: PLC0415 - brings model libraries, slow to start

    place = installation_at(tmp_path_factory.mktemp("eve") / "regimed")
    place.init(trial_world.CONFIGURATION)
    trial_world.lead_to_the_eve(place.layout)
    return place


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> SimulatedMarket:
    """Give the files of a simulated market of three stocks and eight years."""
    return simulated_market(tmp_path_factory.mktemp("market"), days=2016)


class SimulatedMarket:
    """The files of a market: one a symbol without its last two days, and one of each of those for all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = sorted(folder.glob("history/*.csv"))
        self.index = folder / "history" / "^SIM.csv"
        self.fear = folder / "history" / "^SIMVIX.csv"
        self.stock = folder / "history" / "S001.csv"
        self.next_day, self.day_after = sorted(folder.glob("day_*.csv"))
        self.days = [line.split(",")[1] for line in self.index.read_text().splitlines()[1:]]


def simulated_market(folder: Path, *, days: int, symbols: int = 3) -> SimulatedMarket:
    """Simulate a market with the command of that name, and keep its last two days apart."""
    asked = ("--symbols", str(symbols), "--days", str(days), "--start", "2010-01-04")
    run_regimed("simulate", "--out", folder, *asked, check=True)
    (folder / "history").mkdir()
    kept: dict[str, list[str]] = {}
    for path in sorted((folder / "bars").iterdir()):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        (folder / "history" / path.name).write_text("\n".join([header, *rows[:-2], ""]), encoding="utf-8")
        for row in rows[-2:]:
            kept.setdefault(row.split(",")[1], [header]).append(row)
    for day, rows in kept.items():
        (folder / f"day_{day}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    return SimulatedMarket(folder)


@pytest.fixture(scope="session")
def simulate_market() -> Callable[..., SimulatedMarket]:
    """Simulate another market; see ``simulated_market``."""
    return simulated_market
