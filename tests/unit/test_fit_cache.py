"""The cache of fits: what is known is not fitted again, and nothing in it can fail a run."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.children.fit_cache import FitCache, versions_salt
from daemon.children.fits import Fits, InOrder, fit_and_pack
from regime.fit_jobs import FINAL, FitJob
from registry.formats import dump_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.children.fits import Outcome
    from regime.fit_jobs import Array, FitResult

MODELS = ("logistic_regression", "lightgbm")


class Worker:
    """Fits in this process, and remembers what."""

    def __init__(self) -> None:
        self.fitted: list[str] = []

    def __call__(self, job: FitJob) -> Outcome:
        self.fitted.append(f"{job.model} {job.fold}")
        return fit_and_pack(job)


@pytest.fixture
def jobs() -> list[FitJob]:
    """Give two models in two folds and in the final fit."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = np.digitize(X[:, 0] + rng.normal(size=300), [-0.7, 0.7]).astype(np.int64)
    X[::9, 2] = np.nan
    folds = {"2010": (X[:100].copy(), X[100:200]), "2011": (X[:200].copy(), X[200:]), FINAL: (X, None)}
    return [
        FitJob(
            model=model,
            fold=fold,
            X=train,
            y=y[: len(train)],
            sample_weight=np.ones(len(train)),
            X_validate=validate,
            n_classes=3,
            seed=5,
        )
        for fold, (train, validate) in folds.items()
        for model in MODELS
    ]


def run(folder: Path, jobs: Sequence[FitJob], size_max_mib: int = 64) -> tuple[list[str], list[FitResult]]:
    """Give what was fitted, and the results in the order of the jobs."""
    worker = Worker()
    results = list(Fits(InOrder(worker), FitCache(folder, "salt", size_max_mib))(jobs))
    found = {(result.model, result.fold): result for result in results}
    assert len(found) == len(results) == len(jobs)
    return worker.fitted, [found[job.model, job.fold] for job in jobs]


def entries(folder: Path) -> list[Path]:
    found = sorted(folder.iterdir())
    assert all(path.suffix == ".fit" for path in found)
    return found


def proba_bytes(results: Sequence[FitResult]) -> list[bytes]:
    return [result.proba.tobytes() for result in results if result.proba is not None]


def test_a_second_run_fits_nothing_and_gives_the_same_bytes(tmp_path: Path, jobs: list[FitJob]) -> None:
    fitted, first = run(tmp_path, jobs)
    again, second = run(tmp_path, jobs)
    assert len(fitted) == 6
    assert again == []
    assert len(proba_bytes(first)) == 4
    assert proba_bytes(second) == proba_bytes(first)
    for before, after in zip(first[-2:], second[-2:], strict=True):
        assert before.fitted is not None
        assert after.fitted is not None
        assert dump_model(after.fitted.parts()) == dump_model(before.fitted.parts())


def test_a_killed_run_finds_what_it_had_fitted(tmp_path: Path, jobs: list[FitJob]) -> None:
    results = list(islice(Fits(InOrder(Worker()), FitCache(tmp_path, "salt", 64))(jobs), 3))
    assert len(results) == 3
    fitted, results = run(tmp_path, jobs)
    assert fitted == ["lightgbm 2011", "logistic_regression final", "lightgbm final"]
    assert all(result.failure is None for result in results)


def test_other_rows_to_predict_load_the_model_and_keep_what_it_gives(
    tmp_path: Path, jobs: list[FitJob]
) -> None:
    run(tmp_path, jobs)
    longer = [replace(job, X_validate=jobs[-1].X) for job in jobs[:2]]
    fitted, results = run(tmp_path, longer)
    assert fitted == []
    assert proba_bytes(results) == proba_bytes([job.run() for job in longer])
    assert run(tmp_path, longer)[0] == []
    assert len(entries(tmp_path)) == 6


def test_a_fold_that_was_examined_is_a_final_fit_without_a_fit(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:1])
    fitted, (result,) = run(tmp_path, [replace(jobs[0], fold=FINAL, X_validate=None)])
    assert fitted == []
    assert result.fitted is not None
    assert result.proba is None


def test_another_weight_is_another_fit(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:2])
    weight = jobs[0].sample_weight.copy()
    weight[7] = 2.0
    assert run(tmp_path, [replace(jobs[0], sample_weight=weight), jobs[1]])[0] == ["logistic_regression 2010"]


def test_other_versions_are_other_fits(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:1])
    assert FitCache(tmp_path, "other salt", 64).get(jobs[0]) is None


def test_the_salt_names_versions_and_is_the_same_each_time() -> None:
    assert '"lightgbm"' in versions_salt()
    assert '"recipes"' in versions_salt()
    assert versions_salt() == versions_salt()


@pytest.mark.parametrize("kept", [0, 10, 64, 1000, -1])
def test_a_truncated_file_is_said_fitted_again_and_replaced(
    tmp_path: Path, jobs: list[FitJob], capsys: pytest.CaptureFixture[str], kept: int
) -> None:
    _, first = run(tmp_path, jobs[:1])
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    fitted, second = run(tmp_path, jobs[:1])
    assert fitted == ["logistic_regression 2010"]
    assert proba_bytes(second) == proba_bytes(first)
    assert path.read_bytes() == whole
    assert capsys.readouterr().err == f"cache of fits: {path} is damaged, what it holds is fitted again\n"


def test_a_single_flipped_bit_is_damage(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:1])
    (path,) = entries(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert run(tmp_path, jobs[:1])[0] == ["logistic_regression 2010"]


def arrays_of(folder: Path, made_of: Array, salt: str = "salt") -> tuple[list[int], Mapping[str, Array]]:
    """Give how often the doubled array was computed, and what the cache gave."""
    computed = []

    def compute() -> dict[str, Array]:
        computed.append(1)
        return {"doubled": 2 * made_of, "rows": np.array(len(made_of))}

    return computed, FitCache(folder, salt, 64).arrays("doubled", [made_of], compute)


def test_arrays_are_computed_once_for_what_they_are_made_of(tmp_path: Path) -> None:
    made_of = np.array([1.5, np.nan, 1e-300])
    for times in (1, 0, 0):
        computed, found = arrays_of(tmp_path, made_of)
        assert len(computed) == times
        assert found["doubled"].tobytes() == (2 * made_of).tobytes()
        assert int(found["rows"]) == 3
    assert arrays_of(tmp_path, made_of[:2])[0] == [1]
    assert arrays_of(tmp_path, made_of, salt="other libraries")[0] == [1]
    assert len(entries(tmp_path)) == 3


def test_damaged_arrays_are_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_of = np.arange(5.0)
    arrays_of(tmp_path, made_of)
    (path,) = entries(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    computed, found = arrays_of(tmp_path, made_of)
    assert computed == [1]
    assert found["doubled"].tolist() == [0, 2, 4, 6, 8]
    assert capsys.readouterr().err == f"cache of fits: {path} is damaged, what it holds is fitted again\n"
    assert arrays_of(tmp_path, made_of)[0] == []


def test_a_failure_is_not_kept(tmp_path: Path, jobs: list[FitJob]) -> None:
    broken = replace(jobs[0], y=np.zeros(100, dtype=np.int64))
    for _ in range(2):
        fitted, (result,) = run(tmp_path, [broken])
        assert fitted == ["logistic_regression 2010"]
        assert result.failure is not None
    assert entries(tmp_path) == []


def test_a_full_folder_loses_what_was_not_used_for_longest(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:4])
    files = {path: at for at, path in enumerate(entries(tmp_path))}
    for path, at in files.items():
        path.write_bytes(b"x" * 300 * 1024)
        os.utime(path, (at, at))
    FitCache(tmp_path, "salt", 1)
    assert entries(tmp_path) == list(files)[1:]
    run(tmp_path, jobs[4:], size_max_mib=1)
    left = entries(tmp_path)
    assert list(files)[3] in left
    assert sum(path.stat().st_size for path in left) <= 2**20


def test_what_is_used_is_kept_longer_than_what_is_not(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, jobs[:1])
    (used,) = entries(tmp_path)
    os.utime(used, (1, 1))
    (tmp_path / "unused.fit").write_bytes(b"x" * 2**20)
    os.utime(tmp_path / "unused.fit", (2, 2))
    cache = FitCache(tmp_path, "salt", 2)
    assert cache.get(jobs[0]) is not None
    FitCache(tmp_path, "salt", 1)
    assert entries(tmp_path) == [used]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_fails_nothing(
    tmp_path: Path, jobs: list[FitJob], capsys: pytest.CaptureFixture[str]
) -> None:
    cache = FitCache(tmp_path / "fits", "salt", 64)
    (tmp_path / "fits").rmdir()
    (result,) = Fits(InOrder(Worker()), cache)(jobs[:1])
    assert result.proba is not None
    assert "cannot be written, this fit is not kept: No such file or directory" in capsys.readouterr().err


def test_what_a_killed_run_was_writing_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".abc.fit.17.tmp").write_bytes(b"half")
    FitCache(tmp_path, "salt", 64)
    assert list(tmp_path.iterdir()) == []


def test_no_file_of_the_cache_holds_a_pickle(tmp_path: Path, jobs: list[FitJob]) -> None:
    run(tmp_path, [*jobs, replace(jobs[0], model="random_forest")])
    assert len(entries(tmp_path)) == 7
    for path in entries(tmp_path):
        names = names_inside(path.read_bytes()[64:])
        assert {"facts.json", "model"} <= set(names)
        assert {name.rpartition(".")[2] for name in names} <= {
            "json", "model", "npy", "lightgbm_txt", "skops",
        }  # fmt: skip


def names_inside(content: bytes) -> list[str]:
    """Give every name in a zip and in the zips inside it; no array may be of objects, which are pickled."""
    names = []
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for name in archive.namelist():
            names.append(name)
            inner = archive.read(name)
            if inner.startswith(b"PK"):
                names += names_inside(inner)
            elif name.endswith(".npy"):
                np.load(BytesIO(inner), allow_pickle=False)
    return names


def test_the_time_left_follows_the_last_fits_and_not_what_was_known(
    tmp_path: Path, jobs: list[FitJob]
) -> None:
    run(tmp_path, jobs[:4])
    seconds = iter([100.0, 110.0, 130.0])
    fits = Fits(InOrder(Worker()), FitCache(tmp_path, "salt", 64), clock_s=lambda: next(seconds))
    left = [fits.left_s(5 - done) for done, _ in enumerate(fits(jobs))]
    assert left == [None, None, None, None, 10.0, 0.0]


def test_a_classifier_of_the_users_own_is_fitted_each_time(tmp_path: Path, jobs: list[FitJob]) -> None:
    own = replace(jobs[0], model="sklearn.naive_bayes:GaussianNB")
    cache = FitCache(tmp_path, "salt", 64)
    list(Fits(InOrder(fit_and_pack), cache)([own]))
    assert cache.get(own) is None
