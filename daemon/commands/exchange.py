"""``models export|import``: a version as plain files, and in again after an examination."""

from __future__ import annotations

import getpass
import json
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.child import SubprocessChildren
from daemon.adapters.clock import SystemClock
from daemon.commands.context import print_json, reading_registry, require_journal, settings_of
from daemon.commands.times import now
from daemon.commands.writing import writing
from daemon.configuration import values_of
from daemon.errors import ChildFailedError, UsageError
from daemon.files import write_folder_durably
from daemon.layout import layout_of
from daemon.model_card import page_of, told_from, told_of
from daemon.page import markdown_of
from daemon.records import ChildJob, Event
from registry.bundle import Bundle, Origin, files_of, read_bundle, seal_of
from registry.errors import ArtifactCorruptError, ArtifactRefusedError, RegistryError
from registry.store import Registry

if TYPE_CHECKING:
    import argparse

    from daemon.settings import Settings
    from registry.types import Manifest

EXAMINE_TIME_LIMIT_S: Final = 600.0
SEAL_SHOWN: Final = 16
NOT_BY_ONNX: Final = (
    "{name} cannot be an ONNX file: skl2onnx has no operator for the Nystroem kernel of svm, converts the"
    " forests to others where a feature is not known, and has nothing for the volatility forecasts, the"
    " barrier that models start from and the pool by regime; use --format mlflow, or convert a booster of"
    " --format dir by yourself, as docs/exchange.md shows"
)


def export(options: argparse.Namespace) -> int:
    """Write a version into a new folder."""
    with reading_registry(layout_of(options)) as registry:
        name = registry.version(options.version).name
        if options.format == "onnx":
            raise UsageError(NOT_BY_ONNX.format(name=name))
        bundle = _bundle(registry, name)
        files = files_of(bundle, markdown_of(page_of(told_of(registry, name))))
    seal, target = seal_of(files), Path(options.to)
    if options.format == "mlflow":
        files = _mlflow(bundle.manifest, files)
    write_folder_durably(target, files)
    if options.json:
        facts = {"version": name, "format": options.format, "folder": str(target), "seal": seal}
        print_json({**facts, "files": len(files), "bytes": sum(map(len, files.values()))})
    else:
        print(f"{name} is in {target}, {len(files)} files; seal {seal}")
    return 0


def _bundle(registry: Registry, name: str) -> Bundle:
    version, reports = registry.version(name), registry.reports(name)
    artifacts = registry.artifacts(name)
    return Bundle(
        manifest=version.manifest,
        scorecard=registry.scorecard(name),
        artifacts={each: registry.get_blob(stored.sha256) for each, stored in artifacts.items()},
        origin=Origin(
            version=name,
            registered_at=version.registered_at.isoformat(),
            regimed=package_version("regimed"),
        ),
        report=reports[-1] if reports else None,
    )


def _mlflow(manifest: Manifest, files: dict[str, bytes]) -> dict[str, bytes]:
    """Give the files of an MLflow model whose data are those of the version; MLmodel is YAML, as JSON is."""
    pins = [f"{name}=={each}" for name, each in sorted(manifest.packages.items()) if name != "xgboost"]
    requirements = [f"regimed=={package_version('regimed')}", *pins]
    model = {
        "flavors": {
            "python_function": {
                "loader_module": "daemon.pyfunc",
                "data": "version",
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": "3.11",
            }
        },
        "model_uuid": manifest.sha256()[:32],
        "utc_time_created": manifest.created_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    environment = {"python": "3.11", "dependencies": ["-r requirements.txt"]}
    return {
        "MLmodel": json.dumps(model, indent=1).encode(),
        "requirements.txt": "".join(f"{line}\n" for line in requirements).encode(),
        "python_env.yaml": json.dumps(environment, indent=1).encode(),
        **{f"version/{name}": content for name, content in files.items()},
    }


def import_version(options: argparse.Namespace) -> int:
    """Examine a folder that ``models export`` wrote, and register it as a new version without any role."""
    layout = layout_of(options)
    require_journal(layout)
    folder, settings = Path(options.folder).absolute(), settings_of(layout)
    bundle, seal = read_bundle(folder)
    if options.seal is not None and options.seal != seal:
        raise ArtifactCorruptError(f"{folder} has the seal {seal}, not {options.seal}; do not use it")
    _try_card(bundle)
    rows = _examined(folder, seal, settings)
    key, actor, at = f"import:{seal}", getpass.getuser(), now()
    with writing(layout) as journal, Registry.open(layout.registry) as registry:
        known = any(version.key == key for version in registry.versions())
        version = registry.register(
            bundle.manifest,
            bundle.artifacts,
            bundle.scorecard,
            key=key,
            at=at,
            actor=actor,
            reason=f"imported: {bundle.origin.version} of another registry, registered there"
            f" {bundle.origin.registered_at}, seal {seal}",
        )
        if not known:
            fields = {"version": version.name, "origin": bundle.origin.version, "seal": seal, "actor": actor}
            journal.note([Event(name="models.imported", fields=fields)], now=at)
    facts = {"version": version.name, "origin": bundle.origin.version, "seal": seal, "rows": rows}
    return _say(options, {**facts, "known": known})


def _try_card(bundle: Bundle) -> None:
    """Refuse scores that could not be shown later; plain JSON, so that this process may read it."""
    try:
        told = told_from(
            bundle.origin.version,
            bundle.manifest,
            bundle.scorecard,
            bundle.artifacts.get,
            role=None,
            report=None,
        )
        markdown_of(page_of(told))
        float(bundle.scorecard["overall_skill"] or 0)  # type: ignore[arg-type]  # tried, not trusted
    except RegistryError:
        raise
    except Exception as error:  # whatever a stranger's JSON makes our readers raise
        raise ArtifactRefusedError(
            f"its scores cannot be read ({error!r}); export the version again"
        ) from error


def _examined(folder: Path, seal: str, settings: Settings) -> int:
    """Let a child try the version, and give the rows of its evidence."""
    job: dict[str, Any] = {"folder": str(folder), "seal": seal, "settings": values_of(settings)}
    end = SubprocessChildren(SystemClock()).run(
        ChildJob(
            module="daemon.children.examine",
            job=job,
            time_limit_s=EXAMINE_TIME_LIMIT_S,
            memory_limit_mib=settings.training.memory_limit_mib,
        )
    )
    if end.result is None:
        raise ChildFailedError(f"{folder} could not be examined: {end.reason}")
    if "refused" in end.result:
        raise ArtifactRefusedError(f"{folder} is refused: {end.result['refused']}")
    return int(str(end.result["rows"]))


def _say(options: argparse.Namespace, facts: dict[str, Any]) -> int:
    if options.json:
        print_json(facts)
    elif facts["known"]:
        print(f"this folder is here already, as {facts['version']}")
    else:
        print(
            f"{facts['version']} is {facts['origin']} of another registry, seal {facts['seal'][:SEAL_SHOWN]};"
            f" it has no role, see: regimed models card {facts['version']}"
        )
    return 0
