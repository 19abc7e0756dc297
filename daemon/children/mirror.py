"""Brings MLflow up to what the registry says of some versions, and of who holds which alias.

Job: ``{"registry", "lock", "uri", "model", "versions", "timeout_s", "is_dry"}``; ``versions`` are those that
may be missing there, beside whoever holds an alias. With ``is_dry`` it only compares.

Result: ``{"sent", "aliases", "error"}``: of each version that MLflow lacked, or had otherwise, its name, its
run and its number there; who holds which alias there now; a sentence or null. A server that is down is a
result, not a crash.

A version is one run, found again by the hash of its manifest in the tag ``regimed.content``, and one
version of the registered model, found again by its run. A run that is not finished was cut short, and is
completed. So whatever is sent twice is there once, and what was deleted in the registry stays in MLflow.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.children.mirrored import Copy, copy_of
from registry.store import Registry
from registry.types import Alias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from registry.types import ModelVersion

CONTENT: Final = "regimed.content"
TOLD: Final = "regimed.told"
"""Tag of a run: the hash of what may change about a version, its card, verdict and role, as it was sent."""
ROLE: Final = "regimed.role"
PAGE: Final = 1000
PARAMS_MAX: Final = 100
"""MLflow takes so many parameters in one request."""
FINISHED: Final = "FINISHED"
MISSING: Final = "MLflow is not installed here; install it with: pip install 'regimed[mlflow]'"
NO_REGISTRY: Final = frozenset({"FEATURE_DISABLED", "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"})
"""What a server answers that has runs and no registry of models."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Compare and send; one process of a directory at a time, so that no run is made twice."""
    _bound_requests(job["timeout_s"])
    try:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - settings first, and it may be missing
    except ImportError:
        return {"sent": [], "aliases": {}, "error": MISSING}
    with Path(job["lock"]).open("w") as lock, Registry.open_read_only(Path(job["registry"])) as registry:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sent: list[dict[str, Any]] = []
        try:
            target = Target(job["uri"], job["model"])
            aliases = bring_up(target, registry, job["versions"], sent, is_dry=job["is_dry"])
        except (MlflowException, OSError) as error:  # what requests raises is an OSError
            return {"sent": sent, "aliases": {}, "error": f"{job['uri']}: {_first_line(error)}"}
    return {"sent": sent, "aliases": aliases, "error": None}


def _bound_requests(timeout_s: float) -> None:
    """Let MLflow's client wait as long as we say, try once, and tell nobody else."""
    os.environ |= {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(timeout_s))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def bring_up(
    target: Target, registry: Registry, asked: list[str], sent: list[dict[str, Any]], *, is_dry: bool
) -> dict[str, str]:
    """Send what is missing or told otherwise of the asked versions and of all whose role has changed."""
    holders = registry.aliases()
    roles: dict[str, list[str]] = {}
    for alias, holder in holders.items():
        roles.setdefault(holder, []).append(alias.value)
    for version in registry.versions():
        role = ", ".join(roles.get(version.name, []))
        if version.name in asked or target.lacks(version.manifest.sha256(), role):
            _send(target, copy_of(registry, version), role, sent, is_dry=is_dry)
    if is_dry:
        return {alias.value: holder for alias, holder in holders.items()}
    return target.move_aliases({alias: registry.version(holder) for alias, holder in holders.items()})


def _send(target: Target, copy: Copy, role: str, sent: list[dict[str, Any]], *, is_dry: bool) -> None:
    run = target.runs.get(copy.content)
    is_whole = run is not None and run.info.status == FINISHED
    if run is not None and is_whole and run.data.tags.get(TOLD) == copy.told and target.has(run):
        return
    if not is_dry:
        run = target.keep_run(copy, run)
        target.keep_version(copy, run)
        target.note_told(copy, run, role)
    number = None if run is None else target.numbers.get(run.info.run_id)
    sent.append(
        {
            "version": copy.version.name,
            "run": None if run is None else run.info.run_id,
            "mlflow_version": number,
        }
    )


class Target:
    """An experiment and a registered model of one MLflow server, as they were when it was opened."""

    def __init__(self, uri: str, model: str) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - may be missing, and is heavy

        self._client: MlflowClient = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._model = model
        found = self._client.get_experiment_by_name(model)
        self._experiment: str | None = None if found is None else found.experiment_id
        self.runs: dict[str, Run] = {}
        """By the hash of the manifest; of several, the oldest."""
        for run in self._all_runs():
            self.runs.setdefault(run.data.tags.get(CONTENT, ""), run)
        self._model_is_there = True
        self._held = self._registered()
        self.numbers = dict(self._all_versions()) if self._held is not None else {}
        """By run, the number of its version."""

    def has(self, run: Run) -> bool:
        """Tell whether a run has a version, or no server could give it one."""
        return self._held is None or run.info.run_id in self.numbers

    def lacks(self, content: str, role: str) -> bool:
        """Tell whether a version is there with another role, is not there and has one, or is half there."""
        run = self.runs.get(content)
        return bool(role) if run is None else run.data.tags.get(ROLE, "") != role or not self.has(run)

    def keep_run(self, copy: Copy, run: Run | None) -> Run:
        """Make a run, or complete one, and keep in it what has changed."""
        at_ms = round(copy.version.registered_at.timestamp() * 1000)
        if run is None:
            run = self._client.create_run(
                self._opened(),
                start_time=at_ms,
                tags={CONTENT: copy.content, **copy.tags},
                run_name=copy.version.name,
            )
            self.runs[copy.content] = run
        run_id = run.info.run_id
        if run.info.status != FINISHED:
            self._log(run_id, copy, at_ms)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in copy.files.items():
                (Path(folder) / name).write_bytes(content)
            self._client.log_artifacts(run_id, folder)
        for name, value in copy.verdict.items():
            self._client.set_tag(run_id, name, value)
        if run.info.status != FINISHED:
            self._client.set_terminated(run_id, FINISHED, end_time=at_ms)
        return run

    def keep_version(self, copy: Copy, run: Run) -> None:
        """Make the version of a run if the server has none of it, with the tags of the run."""
        if self._held is None:
            return
        run_id = run.info.run_id
        if not self._model_is_there:
            self._client.create_registered_model(self._model)
            self._model_is_there = True
        if run_id not in self.numbers:
            made = self._client.create_model_version(
                self._model, run.info.artifact_uri, run_id, tags={CONTENT: copy.content, **copy.tags}
            )
            self.numbers[run_id] = str(made.version)
        for name, value in copy.verdict.items():
            self._client.set_model_version_tag(self._model, self.numbers[run_id], name, value)

    def note_told(self, copy: Copy, run: Run, role: str) -> None:
        """Note last, when all of it is there, what was told of a version."""
        for name, value in {ROLE: role, TOLD: copy.told}.items():
            self._client.set_tag(run.info.run_id, name, value)

    def move_aliases(self, holders: Mapping[Alias, ModelVersion]) -> dict[str, str]:
        """Give each alias to the version that holds it, and take it from others; give who holds which."""
        if self._held is None:
            return {}
        for alias in Alias:
            held = self._held.get(alias.value)
            if alias in holders:
                number = self.numbers[self.runs[holders[alias].manifest.sha256()].info.run_id]
                if held != number:
                    self._client.set_registered_model_alias(self._model, alias.value, number)
            elif held is not None:
                self._client.delete_registered_model_alias(self._model, alias.value)
        return {alias.value: version.name for alias, version in holders.items()}

    def _log(self, run_id: str, copy: Copy, at_ms: int) -> None:
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - heavy

        params = [Param(name, value) for name, value in copy.params.items()]
        for first in range(0, len(params), PARAMS_MAX):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_MAX])
        metrics = [Metric(name, value, at_ms, 0) for name, value in copy.metrics.items()]
        self._client.log_batch(run_id, metrics=metrics)

    def _opened(self) -> str:
        """Give the experiment, made now if it is not there."""
        if self._experiment is None:
            self._experiment = str(self._client.create_experiment(self._model))
        return self._experiment

    def _registered(self) -> Mapping[str, str] | None:
        """Give who holds which alias of the registered model; ``None`` if the server has no registry."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - heavy

        try:
            held = self._client.get_registered_model(self._model).aliases
            return {alias: str(number) for alias, number in held.items()}
        except MlflowException as error:
            if error.error_code in NO_REGISTRY:
                return None
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self._model_is_there = False
        return {}

    def _all_runs(self) -> Iterator[Run]:
        token = None
        while self._experiment is not None:
            page = self._client.search_runs(
                [self._experiment],
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _all_versions(self) -> Iterator[tuple[str, str]]:
        token = None
        while True:
            page = self._client.search_model_versions(
                f"name = '{self._model}'", max_results=PAGE, page_token=token
            )
            yield from ((each.run_id, str(each.version)) for each in page)
            token = page.token
            if not token:
                return
