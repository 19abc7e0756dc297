"""Says what MLflow holds of an experiment and a model, read by its own client: ``URI MODEL [cut-short]``.

With ``cut-short`` it then makes the store what a sender that was killed leaves behind: the run of v1 is not
finished, and has no version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mlflow import MlflowClient


def main(uri: str, model: str, *asked: str) -> None:
    """Print what the store holds; then cut it short if asked."""
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(model)
    runs = [] if experiment is None else client.search_runs([experiment.experiment_id])
    versions = client.search_model_versions(f"name = '{model}'")
    told = {
        "runs": [
            {
                "name": run.info.run_name,
                "status": run.info.status,
                "params": run.data.params,
                "metrics": run.data.metrics,
                "tags": run.data.tags,
                "files": sorted(each.path for each in client.list_artifacts(run.info.run_id)),
                "card": Path(client.download_artifacts(run.info.run_id, "card.md")).read_text(
                    encoding="utf-8"
                ),
                "version": [str(each.version) for each in versions if each.run_id == run.info.run_id],
            }
            for run in sorted(runs, key=lambda run: run.info.run_name)
        ],
        "aliases": {
            alias: str(number) for alias, number in client.get_registered_model(model).aliases.items()
        },
    }
    if asked:
        (run,) = [each for each in runs if each.info.run_name == "v1"]
        (version,) = [each for each in versions if each.run_id == run.info.run_id]
        client.delete_model_version(model, version.version)
        client.update_run(run.info.run_id, status="RUNNING")
    sys.stdout.write(json.dumps(told) + os.linesep)


if __name__ == "__main__":
    main(*sys.argv[1:])
