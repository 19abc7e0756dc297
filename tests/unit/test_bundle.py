"""A version as a folder of plain files: read back only if every byte is what it was when it was written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.errors import UsageError
from daemon.files import write_folder_durably
from registry.bundle import (
    SUMS,
    Bundle,
    Origin,
    files_of,
    read_bundle,
    require_printable,
    seal_of,
    sums_of,
)
from registry.errors import (
    ArtifactCorruptError,
    ArtifactMissingError,
    ArtifactRefusedError,
    ManifestInvalidError,
    RegistryError,
)
from registry.types import Manifest, Member, MemberStatus
from tests.unit.test_registry_store import manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOREST = b"the trees of a forest"
NAMES = [
    "README.md", "SHA256SUMS", "drift/aggregate_drift.npz", "drift/feature_drift.npz",
    "drift/feature_range.npz", "drift/regime_mix.npz", "ensemble.json", "evidence.parquet", "golden.npz",
    "manifest.json", "members/random_forest.skops", "origin.json", "scorecard.json", "scorecards.json",
]  # fmt: skip
BUNDLE = Bundle(
    manifest=manifest_of(),
    scorecard={"overall_skill": 0.25},
    artifacts={
        "random_forest": FOREST,
        "ensemble": b"{}",
        "golden": b"golden rows",
        "evidence": b"rows",
        "scorecards": b"{}",
        "drift_feature_range": b"r",
        "drift_feature_drift": b"d",
        "drift_regime_mix": b"m",
        "drift_aggregate_drift": b"a",
    },
    origin=Origin(version="v3", registered_at="2024-03-01T12:00:00+00:00", regimed="0.1.0"),
    report=None,
)


def files(bundle: Bundle = BUNDLE) -> dict[str, bytes]:
    return files_of(bundle, "# Model card\n")


def sealed(changed: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Give the files with some changed or left out, under a list of hashes that agrees with them."""
    mixed = {name: content for name, content in {**files(), **changed}.items() if content is not None}
    del mixed[SUMS]
    return {**mixed, SUMS: sums_of(mixed)}


def written(folder: Path, content: Mapping[str, bytes]) -> Path:
    write_folder_durably(folder, content)
    return folder


def test_a_bundle_is_read_as_it_was_written_and_has_the_seal_that_was_told(tmp_path: Path) -> None:
    bundle, seal = read_bundle(written(tmp_path / "out", files()))
    assert bundle == BUNDLE
    assert seal == seal_of(files())


def test_the_files_have_names_for_people(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(found) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != SUMS])
def test_a_changed_byte_is_refused_and_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "out", files())
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match=f"{name} is not what SHA256SUMS says"):
        read_bundle(folder)


@pytest.mark.parametrize("name", [name for name in NAMES if name != SUMS])
def test_a_file_that_is_gone_is_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "out", files())
    (folder / name).unlink()
    with pytest.raises(ArtifactMissingError, match=f"'{name}' is missing"):
        read_bundle(folder)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {SUMS, "README.md"}])
def test_a_file_that_is_gone_from_the_list_too_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactMissingError, match=f"{name} is missing"):
        read_bundle(written(tmp_path / "out", sealed({name: None})))


@pytest.mark.parametrize("name", ["evil.pkl", "members/evil.pkl", "members/svm.skops"])
def test_a_file_too_many_is_refused_even_if_it_is_listed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactRefusedError, match=f"{name} is no file of an exported version"):
        read_bundle(written(tmp_path / "out", sealed({name: b"cos\nsystem\n."})))


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(ArtifactRefusedError, match=r"'notes.txt' is not in SHA256SUMS"):
        read_bundle(folder)


def test_names_in_the_list_are_compared_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = written(tmp_path / "out", files())
    with (folder / SUMS).open("ab") as sums:
        sums.write(f"{hashlib.sha256(b'secret').hexdigest()}  ../secret\n".encode())
    with pytest.raises(ArtifactMissingError, match=r"'\.\./secret' is missing"):
        read_bundle(folder)


def test_a_link_is_no_file_though_its_content_is_right(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    (folder / "golden.npz").rename(tmp_path / "golden")
    (folder / "golden.npz").symlink_to(tmp_path / "golden")
    with pytest.raises(ArtifactRefusedError, match=r"'golden.npz' is no regular file"):
        read_bundle(folder)


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    (folder / "members").rename(tmp_path / "elsewhere")
    (folder / "members").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactRefusedError, match="'members' is no regular file"):
        read_bundle(folder)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    (folder / SUMS).unlink()
    os.mkfifo(folder / SUMS)
    with pytest.raises(ArtifactRefusedError, match="SHA256SUMS is no regular file"):
        read_bundle(folder)


def test_a_swapped_member_is_refused_though_its_hash_is_listed(tmp_path: Path) -> None:
    swapped = sealed({"members/random_forest.skops": b"another forest"})
    with pytest.raises(ArtifactCorruptError, match=r"members/random_forest.skops is not the artifact"):
        read_bundle(written(tmp_path / "out", swapped))


def test_a_member_in_another_format_is_refused_by_its_manifest(tmp_path: Path) -> None:
    pickled = Member(status=MemberStatus.FITTED, format="pickle", sha256="0" * 64)
    manifest = replace(manifest_of(), members={"svm": pickled}).to_json().encode()
    with pytest.raises(ArtifactRefusedError, match="the format 'pickle', which is never loaded"):
        read_bundle(written(tmp_path / "out", sealed({"manifest.json": manifest})))


def test_a_member_may_not_take_the_name_of_another_artifact(tmp_path: Path) -> None:
    member = Member(status=MemberStatus.FITTED, format="skops", sha256="0" * 64)
    manifest = replace(manifest_of(), members={"golden": member}).to_json().encode()
    with pytest.raises(ArtifactRefusedError, match="a member may not be called golden"):
        read_bundle(written(tmp_path / "out", sealed({"manifest.json": manifest})))


def test_a_member_named_like_a_path_stays_within_its_folder(tmp_path: Path) -> None:
    member = Member(status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(FOREST).hexdigest())
    artifacts = {**BUNDLE.artifacts, "../../own:bayes": FOREST}
    del artifacts["random_forest"]
    manifest = replace(manifest_of(), members={"../../own:bayes": member})
    climbing = replace(BUNDLE, manifest=manifest, artifacts=artifacts)
    folder = written(tmp_path / "out", files(climbing))
    assert (folder / "members" / "..%2F..%2Fown%3Abayes.skops").read_bytes() == FOREST
    assert read_bundle(folder)[0] == climbing


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"version":"v1"}', "null"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RegistryError):
        read_bundle(written(tmp_path / "out", sealed({"manifest.json": text.encode()})))


def test_a_manifest_in_other_words_is_refused_because_its_hash_would_be_another(tmp_path: Path) -> None:
    spaced = json.dumps(json.loads(manifest_of().to_json()), indent=1).encode()
    with pytest.raises(ArtifactRefusedError, match=r"manifest.json is not written as regimed writes it"):
        read_bundle(written(tmp_path / "out", sealed({"manifest.json": spaced})))


def test_a_manifest_whose_values_cannot_be_is_refused(tmp_path: Path) -> None:
    wrong = manifest_of().to_json().replace('"trained_rows":5000', '"trained_rows":0').encode()
    with pytest.raises(ManifestInvalidError, match="trained_rows is not positive"):
        read_bundle(written(tmp_path / "out", sealed({"manifest.json": wrong})))


def test_text_that_would_act_on_a_terminal_is_refused() -> None:
    with pytest.raises(ArtifactRefusedError, match="control characters"):
        require_printable({"a": ["fine", {"b": "\x1b[2J"}]}, "scorecard.json")


@pytest.mark.parametrize("version", ["v0", "../v1", "champion", "v1\x1b"])
def test_an_origin_that_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    origin = json.dumps({"schema": 1, "version": version, "registered_at": "", "regimed": "0"}).encode()
    with pytest.raises(ArtifactRefusedError):
        read_bundle(written(tmp_path / "out", sealed({"origin.json": origin})))


def test_an_artifact_without_a_place_is_not_exported() -> None:
    more = replace(BUNDLE, artifacts={**BUNDLE.artifacts, "notes": b""})
    with pytest.raises(ArtifactRefusedError, match="the artifacts notes have no place"):
        files(more)


def test_a_folder_that_is_not_empty_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(UsageError, match="is not an empty folder"):
        write_folder_durably(tmp_path, {"a": b"1"})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert sorted(path.name for path in tmp_path.parent.glob(f".{tmp_path.name}*")) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder_durably(tmp_path / "out", {"in/a": b"1"})
    assert (tmp_path / "out" / "in" / "a").read_bytes() == b"1"


def test_a_folder_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder; make it first"):
        write_folder_durably(tmp_path / "no" / "out", {"a": b"1"})


def test_the_manifest_in_the_folder_has_the_hash_of_the_registry(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", files())
    assert hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() == manifest_of().sha256()
    assert Manifest.of_json((folder / "manifest.json").read_text()) == manifest_of()
