"""The folder of the archive: half a publication is finished, and what was not published here is refused."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.adapters.archive import ArchiveFolder, ArchiveRefusedError, Manifest

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = b"the samples of old", b"the samples of new"


def manifest_of(content: bytes, event: str = "x") -> Manifest:
    return Manifest(
        event=event,
        origin="catalogued",
        first_day="2008-09-01",
        last_day="2009-03-31",
        nominal_regime="crash",
        weight=0.2,
        rows=2,
        symbols=["S001"],
        first_sample_day="2008-09-02",
        last_sample_day="2009-03-31",
        label_counts={"crash": 2},
        class_counts={"sell": 2},
        left_out={"features_incomplete": 0, "target_not_matured": 0},
        features=179,
        catalogue_version="1",
        catalogue_hash="c" * 64,
        target={"name": "reference"},
        labeler="rules-1",
        data_version=3,
        inputs_sha256="1" * 64,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    place = ArchiveFolder(tmp_path / "archive")
    with place.locked():
        place.publish(OLD, manifest_of(OLD))
    return place


def refused(folder: ArchiveFolder) -> dict[str, str]:
    return {refusal.file: refusal.sentence for refusal in folder.refusals()}


def test_what_was_published_is_read_back_with_its_manifest(folder: ArchiveFolder) -> None:
    assert folder.read("x") == (OLD, manifest_of(OLD))
    assert folder.events() == ("x",)
    assert refused(folder) == {}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    nowhere = ArchiveFolder(tmp_path / "none")
    assert (nowhere.events(), nowhere.refusals(), nowhere.manifest("x")) == ((), (), None)
    with pytest.raises(ArchiveRefusedError, match="x is not built; regimed archive build --event x"):
        nowhere.read("x")


def test_an_event_is_replaced_whole(folder: ArchiveFolder) -> None:
    with folder.locked():
        folder.publish(NEW, manifest_of(NEW))
    assert folder.read("x") == (NEW, manifest_of(NEW))
    assert sorted(path.name for path in folder.folder.iterdir()) == [
        ".lock",
        "event_x.json",
        "event_x.parquet",
    ]


def test_an_event_is_removed_with_its_manifest(folder: ArchiveFolder) -> None:
    assert folder.remove("x")
    assert not folder.remove("x")
    assert (folder.events(), refused(folder)) == ((), {})


@pytest.mark.parametrize("content", [OLD[:-1], OLD + b"x", b"", b"the samples of odd"])
def test_a_changed_truncated_or_longer_file_is_refused(folder: ArchiveFolder, content: bytes) -> None:
    folder.parquet("x").write_bytes(content)
    assert list(refused(folder)) == ["event_x.parquet"]
    with pytest.raises(ArchiveRefusedError, match=r"event_x\.parquet is not what its manifest says"):
        folder.read("x")


def test_a_file_without_a_manifest_is_refused(folder: ArchiveFolder) -> None:
    folder.parquet("y").write_bytes(OLD)
    assert "has no manifest" in refused(folder)["event_y.parquet"]


def test_a_manifest_without_its_file_is_refused(folder: ArchiveFolder) -> None:
    folder.parquet("x").unlink()
    assert "has lost its parquet" in refused(folder)["event_x.json"]
    with pytest.raises(ArchiveRefusedError, match="has lost its parquet"):
        folder.read("x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is no manifest"),
        ("[]", "has not the schema"),
        ('{"schema": 2}', "has not the schema"),
        ('{"schema": 1, "event": "x"}', "lacks or has beside the right fields: catalogue_hash"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_once(folder: ArchiveFolder, text: str, fault: str) -> None:
    folder.manifest_file("x").write_text(text)
    assert list(refused(folder)) == ["event_x.json"]
    assert fault in refused(folder)["event_x.json"]


def test_the_manifest_of_another_event_is_refused(folder: ArchiveFolder) -> None:
    folder.parquet("y").write_bytes(OLD)
    folder.manifest_file("y").write_text(manifest_of(OLD).to_json())
    assert "is the manifest of x" in refused(folder)["event_y.json"]


def test_foreign_files_folders_and_links_are_named(folder: ArchiveFolder, tmp_path: Path) -> None:
    (folder.folder / "notes.txt").write_text("mine")
    (folder.folder / ".hidden").write_text("mine")
    (folder.folder / "event_z.parquet").symlink_to(tmp_path)
    (folder.folder / "old").mkdir()
    assert list(refused(folder)) == [".hidden", "event_z.parquet", "notes.txt", "old"]
    assert "does not belong into the archive" in refused(folder)["notes.txt"]


# Killed in the middle

PUBLISH = """
import os, signal, sys
from pathlib import Path
import daemon.adapters.archive as archive
from tests_of_kill import CONTENT, MANIFEST
deadly = int(sys.argv[2])
calls = 0
def dying(real):
    def call(*given, **named):
        global calls
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return real(*given, **named)
    return call
os.fsync, Path.replace, Path.rename = dying(os.fsync), dying(Path.replace), dying(Path.rename)
folder = archive.ArchiveFolder(Path(sys.argv[1]))
with folder.locked():
    folder.publish(CONTENT, archive.Manifest.from_json(MANIFEST))
"""


def publish_and_die(folder: ArchiveFolder, deadly: int, beside: Path) -> int:
    """Publish the new samples in a process that is killed at its n-th flush or rename; give how it ended."""
    (beside / "tests_of_kill.py").write_text(
        f"CONTENT = {NEW!r}\nMANIFEST = {manifest_of(NEW).to_json()!r}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(folder.folder), str(deadly)],
        env={**os.environ, "PYTHONPATH": f"{beside}:{ROOT}"},
        check=False,
        timeout=60,
    )
    return done.returncode


@pytest.mark.parametrize("deadly", range(9))
def test_a_publication_that_is_killed_anywhere_leaves_the_old_event_or_the_new_one(
    folder: ArchiveFolder, deadly: int, tmp_path: Path
) -> None:
    assert publish_and_die(folder, deadly, tmp_path) == -signal.SIGKILL
    assert refused(folder) == {}
    assert folder.read("x")[0] in {OLD, NEW}
    with folder.locked():
        pass  # the next publisher finishes or undoes what was begun
    assert folder.read("x")[0] in {OLD, NEW}
    assert refused(folder) == {}
    names = sorted(path.name for path in folder.folder.iterdir())
    assert names == [".lock", "event_x.json", "event_x.parquet"]


def test_a_publication_that_nobody_kills_has_no_more_places_to_die_at(
    folder: ArchiveFolder, tmp_path: Path
) -> None:
    assert publish_and_die(folder, 9, tmp_path) == 0
    assert folder.read("x")[0] == NEW
