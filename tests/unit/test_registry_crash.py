"""A registration that is killed is either fully there or not at all, and is finished by repeating it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from registry.store import STEPS, Registry
from registry.types import Manifest

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MODELS = {"forest": b"the trees of a forest", "mlp": b"the weights of a network"}
MANIFEST = json.dumps(
    {
        "run_id": "run-1",
        "recipe_hash": "recipe",
        "data_hash": "data",
        "data_version": "17",
        "feature_names": ["return_1"],
        "feature_hash": "features",
        "feature_catalogue": "1",
        "target": {},
        "classes": ["sell", "hold", "buy"],
        "settings": {},
        "settings_hash": "settings",
        "seed": 1,
        "trained_from": "2004-01-02",
        "trained_to": "2024-02-29",
        "trained_rows": 5000,
        "packages": {},
        "members": {
            name: {
                "status": "fitted",
                "format": "skops",
                "sha256": hashlib.sha256(content).hexdigest(),
                "reason": None,
            }
            for name, content in MODELS.items()
        },
        "created_at": "2024-03-01T11:00:00+00:00",
    }
)
KILLED = 137

CHILD = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from registry.store import Registry
from registry.types import Manifest

folder, step, manifest = sys.argv[1:]

def passed(name):
    if name == step:
        os._exit(137)

with Registry.open(Path(folder), passed=passed) as registry:
    registry.register(
        Manifest.of_json(manifest),
        {"forest": b"the trees of a forest", "mlp": b"the weights of a network"},
        {"rows": 5000}, key="train:run-1", at=datetime(2024, 3, 1, 12, tzinfo=UTC),
    )
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_registration_is_whole_or_absent_and_can_be_repeated(tmp_path: Path, step: str) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), step, MANIFEST], check=False)
    assert child.returncode == KILLED

    with Registry.open_read_only(tmp_path) as seen:
        expected = 1 if step == "rows_committed" else 0
        assert len(seen.versions()) == len(seen.events()) == expected

    with Registry.open(tmp_path) as registry:
        findings = registry.verify()
        version = registry.register(
            Manifest.of_json(MANIFEST), MODELS, {"rows": 5000}, key="train:run-1", at=NOON
        )
        assert version.name == "v1"
        assert [event.kind for event in registry.events()] == ["registered"]
        for name, content in MODELS.items():
            assert registry.get_blob(registry.artifacts("v1")[name].sha256) == content
        assert findings == registry.verify() == []


def test_the_steps_that_a_registration_passes_are_those_that_are_named(tmp_path: Path) -> None:
    passed: list[str] = []
    with Registry.open(tmp_path, passed=passed.append) as registry:
        registry.register(Manifest.of_json(MANIFEST), MODELS, {}, key="k", at=NOON)
    assert tuple(dict.fromkeys(passed)) == STEPS


def test_an_error_between_the_rows_and_their_commit_leaves_nothing(tmp_path: Path) -> None:
    def fail(step: str) -> None:
        if step == "rows_written":
            raise OSError(28, "No space left on device")

    with Registry.open(tmp_path, passed=fail) as registry:
        with pytest.raises(OSError, match="No space left"):
            registry.register(Manifest.of_json(MANIFEST), MODELS, {}, key="k", at=NOON)
        assert registry.versions() == ()
        assert registry.events() == ()


def test_an_error_before_a_blob_has_its_name_leaves_no_file(tmp_path: Path) -> None:
    def fail(step: str) -> None:
        if step == "blob_written":
            raise OSError(28, "No space left on device")

    with Registry.open(tmp_path, passed=fail) as registry:
        with pytest.raises(OSError, match="No space left"):
            registry.put_blob(b"evidence")
        assert list((tmp_path / "blobs").iterdir()) == []
