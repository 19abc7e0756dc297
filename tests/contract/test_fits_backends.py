"""Where fits are done makes no difference to the byte: in order, in processes, on dask workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from daemon.children.fit_cache import versions_salt
from daemon.children.fits import Fits, InOrder, executor, fit_only, local_processes
from daemon.children.fits_dask import dask_backend
from daemon.errors import FitsLostError
from daemon.layout import Layout
from daemon.settings import TrainingSettings
from regime.fit_jobs import FINAL, FitJob
from registry.formats import dump_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from regime.fit_jobs import FitResult

pytestmark = pytest.mark.slow

MODELS: Final = ("logistic_regression", "extra_trees", "lightgbm", "mlp")
FOLDS: Final = ("2010", "2011", FINAL)
LIMIT_S: Final = 60.0
FOR_TESTS: Final = str(Path(__file__).parents[1] / "children_for_tests")


@pytest.fixture(scope="module")
def jobs() -> list[FitJob]:
    """Give four models in two folds and in the final fit, the second fold with a margin."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(900, 6)).astype(np.float32)
    y = np.digitize(X[:, 0] + rng.normal(size=900), [-0.7, 0.7]).astype(np.int64)
    X[::9, 2] = np.nan
    margin = np.log(rng.dirichlet(np.ones(3), size=900))
    cuts = {"2010": (300, 600), "2011": (600, 900), FINAL: (900, 900)}
    made = []
    for fold, (train, until) in cuts.items():
        rows, weight = X[:train].copy(), rng.uniform(0.5, 2.0, size=train)
        given = margin[:train].copy() if fold == "2011" else None
        validate = None if fold == FINAL else X[train:until].copy()
        made += [
            FitJob(
                model=model,
                fold=fold,
                X=rows,
                y=y[:train],
                sample_weight=weight,
                X_validate=validate,
                n_classes=3,
                seed=5,
                margin=given,
                margin_validate=None if given is None else margin[train:until],
            )
            for model in MODELS
        ]
    return made


def bytes_of(results: Iterable[FitResult]) -> dict[tuple[str, str], bytes]:
    """Give probabilities as bytes, and of final fits the artifact."""
    found = {}
    for result in results:
        assert result.failure is None
        if result.proba is not None:
            found[result.model, result.fold] = result.proba.tobytes()
        else:
            assert result.fitted is not None
            found[result.model, result.fold] = dump_model(result.fitted.parts()).content
    return found


@pytest.fixture(scope="module")
def expected(jobs: list[FitJob]) -> dict[tuple[str, str], bytes]:
    """Give what the plainest way gives."""
    found = bytes_of(Fits(InOrder(fit_only), None)(jobs))
    assert len(found) == 12
    return found


class Cluster:
    """A dask scheduler and workers, each a process of its own on the loopback interface."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": FOR_TESTS, **environment}
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
        ends_at = time.monotonic() + LIMIT_S
        while not self._file.exists() or not self._file.read_text():
            assert time.monotonic() < ends_at, self.said()
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])

    def _start(self, what: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        with (self._folder / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [*command, "--scheduler-file", str(self._file)],
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env=self._environment,
                )
            )

    def said(self) -> str:
        return (self._folder / "log").read_text()[-3000:]

    def add_worker(self, threads: int = 1) -> None:
        options = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        self._start("worker", *options, "--local-directory", str(self._folder))

    def fits(self, jobs: Sequence[FitJob], **changes: Any) -> Iterator[FitResult]:
        given = {"work": fit_only, "wait_s": LIMIT_S, "salt": versions_salt(), **changes}
        with dask_backend(self.address, **given) as backend:
            yield from Fits(backend, None)(jobs)

    def clean_up(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait(LIMIT_S)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a scheduler that lets no fit kill a second worker; it has no workers yet."""
    made = Cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    yield made
    made.clean_up()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Cluster]:
    """Give a scheduler as it is configured by default; it has no workers yet."""
    made = Cluster(tmp_path)
    yield made
    made.clean_up()


@pytest.fixture
def two_workers(lonely: Cluster) -> Cluster:
    """Give such a scheduler and two workers."""
    lonely.add_worker()
    lonely.add_worker()
    return lonely


def test_two_processes_give_the_bytes_of_one(
    tmp_path: Path, jobs: list[FitJob], expected: dict[tuple[str, str], bytes]
) -> None:
    scratch = tmp_path / "scratch"
    with local_processes(2, scratch, fit_only) as processes:
        assert bytes_of(Fits(processes, None)(jobs)) == expected
    assert not scratch.exists()


def test_two_dask_workers_give_the_bytes_of_one_process(
    two_workers: Cluster, jobs: list[FitJob], expected: dict[tuple[str, str], bytes]
) -> None:
    assert bytes_of(two_workers.fits(jobs)) == expected


@pytest.mark.long
def test_a_dask_worker_that_is_killed_in_the_middle_changes_nothing(
    two_workers: Cluster, jobs: list[FitJob], expected: dict[tuple[str, str], bytes]
) -> None:
    results = []
    for result in two_workers.fits(jobs):
        results.append(result)
        if len(results) == 2:
            two_workers.processes[-1].send_signal(signal.SIGKILL)
            two_workers.processes[-1].wait(LIMIT_S)
    assert len(results) == 12
    assert bytes_of(results) == expected


@pytest.mark.long
def test_rows_outlive_the_only_worker_that_had_them(
    lonely: Cluster, jobs: list[FitJob], expected: dict[tuple[str, str], bytes]
) -> None:
    lonely.add_worker()
    results = []
    for result in lonely.fits(jobs[:4]):
        results.append(result)
        if len(results) == 1:
            lonely.processes[1].kill()
            lonely.add_worker()
    assert len(results) == 4
    assert bytes_of(results) == {key: expected[key] for key in expected if key[1] == "2010"}


@pytest.mark.long
def test_a_fit_that_kills_its_workers_is_a_recorded_failure(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, jobs: list[FitJob]
) -> None:
    monkeypatch.syspath_prepend(FOR_TESTS)
    cluster.add_worker()
    cluster.add_worker()
    work = import_module("deadly").work
    given = [jobs[0], replace(jobs[1], fold="deadly"), *jobs[2:4]]
    results = {result.model: result for result in cluster.fits(given, work=work)}
    assert len(results) == 4
    failure = results.pop("extra_trees").failure
    assert failure is not None
    assert failure.startswith("its dask worker died each time it was fitted: ")
    assert all(result.failure is None for result in results.values())


def test_a_scheduler_that_is_not_there_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    settings = TrainingSettings(backend="dask", address="tcp://127.0.0.1:9", dask_wait_s=0.5)
    sentence = "the dask scheduler tcp://127.0.0.1:9 does not answer within 0.5 s; start it, or correct"
    with (
        pytest.raises(FitsLostError, match=sentence),
        executor(settings, Layout(tmp_path), "r1"),
    ):
        pass


def test_an_address_that_is_none_ends_the_run_with_the_same_sentence(tmp_path: Path) -> None:
    settings = TrainingSettings(backend="dask", address="nowhere://x", dask_wait_s=0.5)
    with (
        pytest.raises(FitsLostError, match="the dask scheduler nowhere://x does not answer"),
        executor(settings, Layout(tmp_path), "r1"),
    ):
        pass


def test_a_scheduler_without_workers_ends_the_run(cluster: Cluster, jobs: list[FitJob]) -> None:
    with pytest.raises(FitsLostError, match="is gone or had no workers for 1 s; start workers"):
        list(cluster.fits(jobs, wait_s=1.0))


@pytest.mark.long
def test_a_scheduler_that_dies_in_the_middle_ends_the_run(two_workers: Cluster, jobs: list[FitJob]) -> None:
    results = two_workers.fits(jobs, wait_s=20.0)
    next(results)
    two_workers.processes[0].kill()
    with pytest.raises(FitsLostError, match="is gone or had no workers for 20 s"):
        list(results)


@pytest.mark.long
def test_a_worker_of_several_threads_is_refused(cluster: Cluster, jobs: list[FitJob]) -> None:
    cluster.add_worker(threads=2)
    with pytest.raises(FitsLostError, match="has 2 threads; start it with --nthreads 1"):
        list(cluster.fits(jobs))


@pytest.mark.long
def test_a_worker_of_other_versions_is_refused(cluster: Cluster, jobs: list[FitJob]) -> None:
    cluster.add_worker()
    salt = json.dumps({**json.loads(versions_salt()), "numpy": "1.0"}, sort_keys=True)
    with pytest.raises(
        FitsLostError, match=r"has other versions than the run \(numpy 2.* for 1.0\); install"
    ):
        list(cluster.fits(jobs, salt=salt))


@pytest.mark.long
def test_a_run_in_processes_that_were_killed_says_so_and_resumes(tmp_path: Path, jobs: list[FitJob]) -> None:
    settings = TrainingSettings(processes=2)
    with executor(settings, Layout(tmp_path), "r1") as fits:
        results = fits(jobs)
        next(results)
        backend: Any = fits._backend
        for process in list(backend._pool._processes.values()):
            process.kill()
        with pytest.raises(FitsLostError, match="was killed, perhaps for lack of memory"):
            list(results)
    assert len(list((tmp_path / "state" / "fits").glob("*.fit"))) >= 1
    with executor(settings, Layout(tmp_path), "r1") as fits:
        assert len(bytes_of(fits(jobs))) == 12


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_with_a_cache_gives_the_same_bytes_twice(
    tmp_path: Path, jobs: list[FitJob], expected: dict[tuple[str, str], bytes], processes: int
) -> None:
    settings = TrainingSettings(processes=processes)
    for _ in range(2):
        with executor(settings, Layout(tmp_path), "r1") as fits:
            assert bytes_of(fits(jobs)) == expected
    assert len(list((tmp_path / "state" / "fits").iterdir())) == 12


def test_a_run_without_a_cache_leaves_no_file(tmp_path: Path, jobs: list[FitJob]) -> None:
    with executor(TrainingSettings(processes=1, cache_mib=0), Layout(tmp_path), "r1") as fits:
        assert len(bytes_of(fits(jobs[:2]))) == 2
    assert list(tmp_path.iterdir()) == []
