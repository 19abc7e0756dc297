"""Fitted models of earlier runs, kept by what decides them, so that nothing is fitted twice.

One file an entry: the SHA-256 of the rest, then a zip of the model in its registry format, the probabilities
it gave last, and the facts of both; or a zip of arrays that were made of arrays. No file holds a pickle.
A run that was killed finds here what it had fitted; a run whose early folds have not changed finds those.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sys
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.files import write_durably
from regime.errors import RegimeError
from regime.fit_jobs import ArrayMemo, hash_array
from regime.models import assemble
from regime.own import is_path
from registry.errors import RegistryError
from registry.formats import load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from regime.fit_jobs import Array, FitJob, FitResult
    from registry.formats import Artifact

PACKAGES: Final = ("numpy", "scipy", "scikit-learn", "lightgbm", "xgboost-cpu", "xgboost", "skops")
"""What decides a fit beside its job; XGBoost has one of two names."""

SUFFIX: Final = ".fit"
_FACTS: Final = "facts.json"
_MODEL: Final = "model"
_PROBA: Final = "proba.npy"
_DIGEST_BYTES: Final = 64


def versions_salt() -> str:
    """Give what decides a fit beside its job, as JSON: libraries, machine, and the source of the recipes."""
    source = hashlib.sha256((files("regime") / "pooling.py").read_bytes())
    for package in ("regime.models", "regime.barrier"):
        for file in sorted(files(package).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                source.update(file.read_bytes())
    known = {name: found for name in PACKAGES if (found := _version(name)) is not None}
    python = ".".join(platform.python_version_tuple()[:2])
    facts = {**known, "python": python, "machine": platform.machine(), "recipes": source.hexdigest()}
    return json.dumps(facts, sort_keys=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What a file holds; ``proba`` are those of the rows that ``validate_key`` stands for."""

    format: str
    content: bytes
    validate_key: str | None
    proba: NDArray[np.float64] | None


class FitCache:
    """Fits by key in one folder, of a bounded size; what was not used for longest goes first.

    Nothing here fails a run: a damaged file is a miss and is replaced, and where nothing can be written
    the fits are not kept. Both are said on standard error.

    Parameters
    ----------
    folder
        Made if it is not there. It may be deleted while no run works.
    salt
        Part of every key; see ``versions_salt``.
    size_max_mib
        Size of all files together, in MiB.
    """

    def __init__(self, folder: Path, salt: str, size_max_mib: int) -> None:
        self._folder = folder
        self._salt = salt
        self._size_max_bytes = size_max_mib * 2**20
        self._hashes = ArrayMemo(hash_array)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.tmp"):  # of a run that was killed while it wrote
            left.unlink(missing_ok=True)
        self._size_bytes = 0
        self._prune()

    def get(self, job: FitJob) -> FitResult | None:
        """Give what the job would give, or ``None`` if it must be fitted.

        If the model is known and the rows to predict are others, it is loaded and predicts them. A
        classifier of the user's own is never kept: nothing here tells when its code has changed.
        """
        if is_path(job.model):
            return None
        path = self._path(job)
        body = self._read(path)
        if body is None:
            return None
        entry = _unpacked(body)
        with suppress(FileNotFoundError):
            os.utime(path)
        validate_key = job.validate_key(self._hashes.of)
        if entry.proba is not None and validate_key == entry.validate_key:
            return job.predicted(entry.proba)
        return self._predicted(job, entry, path)

    def _predicted(self, job: FitJob, entry: _Entry, path: Path) -> FitResult | None:
        try:
            sha256 = hashlib.sha256(entry.content).hexdigest()
            parts: Any = load_model(entry.format, entry.content, sha256=sha256)
            result = job.result_of(assemble(job.model, parts, job.n_classes))
        except (RegistryError, RegimeError) as error:
            _say(f"the model in {path} is not used, it is fitted again: {error}")
            return None
        if result.proba is not None:
            self._write(job, entry.format, entry.content, result.proba)
        return result

    def put(self, job: FitJob, result: FitResult, artifact: Artifact) -> None:
        """Keep a fit that succeeded, unless the classifier is the user's own."""
        if is_path(job.model):
            return
        self._write(job, artifact.format, artifact.content, result.proba)

    def arrays(
        self, what: str, made_of: Sequence[Array], compute: Callable[[], Mapping[str, Array]]
    ) -> Mapping[str, Array]:
        """Give what ``compute`` gives, which is kept; see ``regime.memo``."""
        key = hashlib.sha256(json.dumps([what, self._salt, *map(hash_array, made_of)]).encode())
        path = self._folder / f"{key.hexdigest()}{SUFFIX}"
        body = self._read(path)
        if body is not None:
            with suppress(FileNotFoundError):
                os.utime(path)
            return _arrays_of(body)
        computed = compute()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **computed)
        self._keep(path, buffer.getvalue())
        return computed

    def _write(self, job: FitJob, format_: str, content: bytes, proba: NDArray[np.float64] | None) -> None:
        entry = _Entry(
            format=format_,
            content=content,
            validate_key=None if proba is None else job.validate_key(self._hashes.of),
            proba=proba,
        )
        self._keep(self._path(job), _packed(entry))

    def _keep(self, path: Path, body: bytes) -> None:
        before = _size(path)
        packed = hashlib.sha256(body).hexdigest().encode() + body
        try:
            write_durably(path, packed)
        except OSError as error:
            _say(f"{path} cannot be written, this fit is not kept: {error.strerror}")
            for left in self._folder.glob(f".{path.name}.*"):
                left.unlink(missing_ok=True)
            return
        self._size_bytes += len(packed) - before
        if self._size_bytes > self._size_max_bytes:
            self._prune()

    def _path(self, job: FitJob) -> Path:
        return self._folder / f"{job.key(self._hashes.of, salt=self._salt)}{SUFFIX}"

    def _read(self, path: Path) -> bytes | None:
        """Give what was kept in a file, ``None`` if there is none or it is not as it was written."""
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _say(f"{path} cannot be read, what it holds is fitted again: {error.strerror}")
            return None
        digest, body = packed[:_DIGEST_BYTES], packed[_DIGEST_BYTES:]
        if hashlib.sha256(body).hexdigest().encode() != digest:
            _say(f"{path} is damaged, what it holds is fitted again")
            path.unlink(missing_ok=True)
            return None
        return body

    def _prune(self) -> None:
        """Delete what was not used for longest, until the rest is small enough."""
        found = sorted(
            (path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._folder.glob(f"*{SUFFIX}")
        )
        self._size_bytes = sum(size for _, size, _ in found)
        for _, size, path in found:
            if self._size_bytes <= self._size_max_bytes:
                return
            path.unlink(missing_ok=True)
            self._size_bytes -= size


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _packed(entry: _Entry) -> bytes:
    buffer = io.BytesIO()
    facts = {"format": entry.format, "validate_key": entry.validate_key}
    with zipfile.ZipFile(buffer, "w") as archive:  # not compressed: models are, and probabilities hardly are
        archive.writestr(zipfile.ZipInfo(_FACTS), json.dumps(facts))
        archive.writestr(zipfile.ZipInfo(_MODEL), entry.content)
        if entry.proba is not None:
            stored = io.BytesIO()
            np.save(stored, entry.proba, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(_PROBA), stored.getvalue())
    return buffer.getvalue()


def _arrays_of(body: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _unpacked(body: bytes) -> _Entry:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        facts = json.loads(archive.read(_FACTS))
        proba = None
        if _PROBA in archive.namelist():
            proba = np.load(io.BytesIO(archive.read(_PROBA)), allow_pickle=False)
        return _Entry(
            format=facts["format"],
            content=archive.read(_MODEL),
            validate_key=facts["validate_key"],
            proba=proba,
        )


def _say(sentence: str) -> None:
    print(f"cache of fits: {sentence}", file=sys.stderr, flush=True)
