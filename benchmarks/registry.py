"""How quick the registry is, beside MLflow's on the same disk in the same run.

MLflow need not be installed here: give the Python of an environment that has it. Without it the peer's column
says so. Its store is a SQLite file and a folder of artifacts, through ``MlflowClient``.

    python -m benchmarks.registry --mlflow-python /tmp/mlflow/bin/python --json registry.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Callable

NOON: Final = datetime(2024, 3, 1, 12, tzinfo=UTC)
ARTIFACTS: Final = 12
VERSION_BYTES: Final = 24 * 2**20
SMALL_BYTES: Final = 300_000
PEER: Final = """
import json, statistics, sys, tempfile, time
from pathlib import Path
try:
    import mlflow
    from mlflow import MlflowClient
except ImportError:
    print(json.dumps({"version": None})); raise SystemExit
root, size, artifacts, repetitions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
uri = f"sqlite:///{root}/mlflow.db"
client = MlflowClient(tracking_uri=uri, registry_uri=uri)
experiment = client.create_experiment("bench", artifact_location=str(root / "artifacts"))
client.create_registered_model("model")
files = root / "files"
files.mkdir()
import os
for number in range(artifacts):
    (files / f"{number}.bin").write_bytes(os.urandom(size // artifacts))
def timed(work, count):
    found = []
    for number in range(count):
        start = time.perf_counter()
        work(number)
        found.append(time.perf_counter() - start)
    return [statistics.median(found), max(found)]
def register(number):
    run = client.create_run(experiment)
    client.log_artifacts(run.info.run_id, str(files))
    client.create_model_version("model", f"{run.info.artifact_uri}", run.info.run_id)
told = {"version": mlflow.__version__, "register": timed(register, 5)}
move = lambda number: client.set_registered_model_alias("model", "champion", str(1 + number % 2))
told["move"] = timed(move, repetitions)
told["read"] = timed(lambda _: client.get_model_version_by_alias("model", "champion"), repetitions)
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure in ms: median and worst, beside what it should reach and the peer's median."""

    what: str
    median: float
    worst: float
    reach: float
    repetitions: int
    peer: float | None


def timed(work: Callable[[int], object], repetitions: int) -> tuple[float, float]:
    """Give the median and the worst time of a call, in seconds."""
    found = []
    for number in range(repetitions):
        start = time.perf_counter()
        work(number)
        found.append(time.perf_counter() - start)
    return statistics.median(found), max(found)


def content_of(generator: np.random.Generator, size_bytes: int) -> dict[str, bytes]:
    """Give random artifacts of one version."""
    return {f"member_{number}": generator.bytes(size_bytes // ARTIFACTS) for number in range(ARTIFACTS)}


def manifest_of(run: int, artifacts: dict[str, bytes]) -> Manifest:
    """Give the manifest of a version of these artifacts, with as many features as regimed has."""
    members = {
        name: Member(status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(content).hexdigest())
        for name, content in artifacts.items()
    }
    return Manifest(
        run_id=f"r{run}", recipe_hash="recipe", data_hash="data", data_version="1",
        feature_names=tuple(f"feature_{number}" for number in range(179)), feature_hash="features",
        feature_catalogue="1", target={}, classes=("sell", "hold", "buy"), settings={},
        settings_hash="settings", seed=1, trained_from=date(2004, 1, 2), trained_to=date(2024, 2, 29),
        trained_rows=5000, packages={}, members=members, created_at=NOON,
    )  # fmt: skip


def register(registry: Registry, run: int, artifacts: dict[str, bytes]) -> None:
    """Register one version."""
    registry.register(manifest_of(run, artifacts), artifacts, {"rows": 5000}, key=f"train:{run}", at=NOON)


def move(registry: Registry, number: int) -> None:
    """Make the other of the first two versions champion, with its event."""
    champion = registry.champion()
    registry.promote(
        "v1" if champion is None or champion.name == "v2" else "v2",
        expected_champion=None if champion is None else champion.name,
        reason="bench", actor="bench", at=NOON + timedelta(seconds=number), key=f"promote:{number}",
    )  # fmt: skip


def peer_of(python: str, root: Path, repetitions: int) -> dict[str, list[float]]:
    """Measure MLflow in a process of its own; empty if it is not installed there."""
    arguments = [python, "-c", PEER, str(root), str(VERSION_BYTES), str(ARTIFACTS), str(repetitions)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"MLflow: {told.pop('version') or 'not installed in ' + python}")
    return {name: [1000 * seconds for seconds in times] for name, times in told.items()}


def figures(root: Path, versions: int, repetitions: int, peer: dict[str, list[float]]) -> list[Figure]:
    """Measure a registry that grows to ``versions`` versions."""
    generator = np.random.default_rng(1)

    def figure(what: str, work: Callable[[int], object], count: int, reach: float, name: str) -> Figure:
        median, worst = timed(work, count)
        return Figure(
            what=what, median=1000 * median, worst=1000 * worst, reach=reach, repetitions=count,
            peer=peer[name][0] if name in peer else None,
        )  # fmt: skip

    with Registry.open(root / "registry") as registry:
        large = [content_of(generator, VERSION_BYTES) for _ in range(5)]
        found = [
            figure(
                f"register a version, {ARTIFACTS} artifacts of {VERSION_BYTES >> 20} MiB together",
                lambda number: register(registry, number, large[number]), 5, 1000.0, "register",
            ),
        ]  # fmt: skip
        for run in range(5, versions):
            register(registry, run, content_of(generator, SMALL_BYTES))
        found += [
            figure("move champion, with its event", lambda at: move(registry, at), repetitions, 10.0, "move"),
            figure("read champion", lambda _: registry.champion(), 10 * repetitions, 0.1, "read"),
        ]
        assert registry.verify() == []
        size = registry.pruner().disk_bytes() >> 20
        what = f"verify {versions} versions, {versions * ARTIFACTS} blobs, {size} MiB"
        found.append(figure(what, lambda _: registry.verify(), 3, 10_000.0, "verify"))
    return found


def main() -> None:
    """Print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow-python", default=sys.executable)
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peer = peer_of(options.mlflow_python, Path(folder), options.repetitions)
        found = figures(Path(folder), options.versions, options.repetitions, peer)
    for each in found:
        beside = "-" if each.peer is None else f"{each.peer:.3f}"
        print(
            f"{each.what:<60} {each.median:>10.3f} ms  worst {each.worst:>10.3f}  reach {each.reach:>8g}"
            f"  MLflow {beside:>8}  n = {each.repetitions}"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
