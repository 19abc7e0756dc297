"""The client answers with the champion, follows the alias, and goes on with who served when it must."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

import regimed
from daemon.adapters.clock import ManualClock, SystemClock
from daemon.client import RETRY_S, Champion, Client
from daemon.errors import UsageError
from daemon.layout import Layout
from regime.errors import FeatureMismatchError
from registry.errors import RegistryError
from registry.store import Registry
from tests.served import CLASSES, FEATURES, NOON, promote, register_served, rows_of, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NORMAL = np.array(["normal", "normal"])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory whose registry has a champion v1, and v2 that could be."""
    root = tmp_path_factory.mktemp("served")
    with Registry.open(Layout(root).registry) as registry:
        promote(registry, register_served(registry, "run-1", seed=1), None)
        register_served(registry, "run-2", seed=2)
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    subprocess.run(["/bin/cp", "-r", str(template), str(tmp_path / "desk")], check=True)
    return tmp_path / "desk"


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that is a day ahead, so that the registry's file has not changed for long."""
    return ManualClock(SystemClock().now() + timedelta(days=1))


@pytest.fixture
def client(root: Path, clock: ManualClock) -> Iterator[Client]:
    with Client(root, clock=clock) as opened:
        yield opened


def make_champion(root: Path) -> None:
    with Registry.open(Layout(root).registry) as registry:
        promote(registry, "v2", "v1")


def blob_of(root: Path, version: str, name: str) -> Path:
    with Registry.open_read_only(Layout(root).registry) as registry:
        sha256 = registry.artifacts(version)[name].sha256
    path = Layout(root).registry / "blobs" / sha256[:2] / sha256
    path.chmod(0o644)
    return path


def answered_by(client: Client) -> list[str]:
    return [each.version for each in client.predict_features(table_of(rows_of(2)), regime=NORMAL)]


# Answers


def test_the_champion_is_told_with_its_classes_and_its_last_day_of_training(client: Client) -> None:
    assert client.champion == Champion(name="v1", trained_to=date(2024, 2, 1), classes=CLASSES)
    assert client.refused is None


def test_rows_of_features_are_answered_with_probabilities_by_class(client: Client) -> None:
    first, second = client.predict_features(table_of(rows_of(2)), regime=NORMAL)
    assert (first.symbol, second.symbol, first.day, first.regime) == ("S0", "S1", date(2024, 3, 4), "normal")
    assert first.abstained is None
    assert first.probabilities is not None
    assert tuple(first.probabilities) == CLASSES
    assert sum(first.probabilities.values()) == pytest.approx(1.0, abs=2e-6)
    assert first.probabilities != second.probabilities


def test_features_of_another_hash_are_refused(client: Client) -> None:
    table = table_of(rows_of(2))
    other = type(table)(
        symbol=table.symbol, date=table.date, names=FEATURES, values=table.values, catalogue_hash="0" * 64
    )
    with pytest.raises(FeatureMismatchError, match="v1 was trained on features c0dec0dec0de"):
        client.predict_features(other, regime=NORMAL)


def test_the_front_door_gives_the_client_when_it_is_asked_for() -> None:
    assert regimed.Client is Client
    assert regimed.client.Client is Client
    with pytest.raises(AttributeError, match="no attribute 'server'"):
        regimed.server  # noqa: B018 - that is the test


def test_without_a_registry_there_is_no_client(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="`regimed run` sets it up"):
        Client(tmp_path)


def test_without_a_champion_nobody_answers(tmp_path: Path) -> None:
    Registry.open(Layout(tmp_path).registry).close()
    with Client(tmp_path) as client:
        assert client.champion is None
        with pytest.raises(UsageError, match="regimed train --now"):
            answered_by(client)


# Abstention


def test_a_row_far_outside_the_training_range_abstains_and_the_others_are_answered(client: Client) -> None:
    values = rows_of(2)
    values[0, 1] = 50.0
    first, second = client.predict_features(table_of(values), regime=NORMAL)
    assert first.probabilities is None
    assert first.abstained == (
        "1 of 6 features are far outside the range of the training days, such as feature_1"
    )
    assert (second.abstained, second.probabilities is None) == (None, False)


def test_a_row_with_features_missing_abstains(client: Client) -> None:
    values = rows_of(2)
    values[1, 2:4] = np.nan
    first, second = client.predict_features(table_of(values), regime=NORMAL)
    assert first.abstained is None
    assert second.abstained == "2 of 6 features are not known, such as feature_2, feature_3"
    assert second.probabilities is None


def test_one_feature_that_is_missing_is_no_reason(client: Client) -> None:
    values = rows_of(2)
    values[:, 5] = np.nan
    assert [each.abstained for each in client.predict_features(table_of(values), regime=NORMAL)] == [None] * 2


def test_an_infinite_feature_abstains_whatever_the_settings_allow(root: Path) -> None:
    (root / "config.toml").write_text("[serving]\noutside_share_max = 1.0\n", encoding="utf-8")
    values = rows_of(2)
    values[0, 3] = np.inf
    with Client(root) as client:
        first, second = client.predict_features(table_of(values), regime=NORMAL)
    assert (first.abstained, second.abstained) == ("feature_3 is infinite", None)


@pytest.mark.parametrize(("day", "abstains"), [("2025-01-31", False), ("2025-02-01", True)])
def test_a_version_that_is_too_old_abstains(client: Client, day: str, abstains: bool) -> None:  # noqa: FBT001 - a literal
    (answer,) = client.predict_features(table_of(rows_of(1), day), regime=NORMAL[:1])
    assert (answer.probabilities is None) is abstains
    if abstains:
        assert answer.abstained == (
            "v1 was trained to 2024-02-01, 366 days before; serving.age_max_days is 365"
        )


def test_age_is_no_reason_where_the_settings_say_so(root: Path) -> None:
    (root / "config.toml").write_text("[serving]\nage_max_days = 0\n", encoding="utf-8")
    with Client(root) as client:
        (answer,) = client.predict_features(table_of(rows_of(1), "2050-01-03"), regime=NORMAL[:1])
    assert answer.abstained is None


# The swap


def test_a_promotion_is_followed_by_the_next_answer(client: Client, root: Path) -> None:
    before = client.predict_features(table_of(rows_of(2)), regime=NORMAL)
    make_champion(root)
    after = client.predict_features(table_of(rows_of(2)), regime=NORMAL)
    assert [each.version for each in (*before, *after)] == ["v1", "v1", "v2", "v2"]
    assert before[0].probabilities != after[0].probabilities


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swapped(path: Path) -> None:
    other = next(each for each in path.parents[1].glob("??/*") if each != path)
    path.write_bytes(other.read_bytes())


def removed(path: Path) -> None:
    path.unlink()


def linked(path: Path) -> None:
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def a_pickle(path: Path) -> None:
    path.write_bytes(b"cposix\nsystem\n(S'touch owned'\ntR.")


DAMAGES = (truncated, flipped, swapped, removed, linked, a_pickle)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("artifact", ["lightgbm", "logistic_regression", "golden"])
def test_a_damaged_successor_is_refused_and_the_old_champion_goes_on(
    client: Client, root: Path, artifact: str, damage: Callable[[Path], None]
) -> None:
    damage(blob_of(root, "v2", artifact))
    make_champion(root)
    assert answered_by(client) == ["v1", "v1"]
    assert client.champion is not None
    assert client.champion.name == "v1"
    assert client.refused is not None
    assert client.refused.version == "v2"
    assert client.refused.reason.startswith("artifact ")


def test_a_successor_that_predicts_otherwise_than_when_it_was_trained_is_refused(
    client: Client, root: Path
) -> None:
    with Registry.open(Layout(root).registry) as registry:
        artifacts = {
            name: registry.get_blob(stored.sha256) for name, stored in registry.artifacts("v2").items()
        }
        golden = registry.get_blob(registry.artifacts("v1")["golden"].sha256)
        registry.register(
            registry.version("v2").manifest, {**artifacts, "golden": golden}, {}, key="train:run-3", at=NOON
        )
        promote(registry, "v3", "v1")
    assert answered_by(client) == ["v1", "v1"]
    assert client.refused is not None
    assert client.refused.reason.startswith("v3 does not give the golden predictions")


def test_a_successor_whose_file_was_restored_serves_after_a_while(
    client: Client, root: Path, clock: ManualClock
) -> None:
    path = blob_of(root, "v2", "golden")
    content = path.read_bytes()
    truncated(path)
    make_champion(root)
    assert answered_by(client) == ["v1", "v1"]
    path.write_bytes(content)
    assert answered_by(client) == ["v1", "v1"]
    clock.advance(timedelta(seconds=RETRY_S + 1.0))
    assert answered_by(client) == ["v2", "v2"]
    assert client.refused is None


def test_a_registry_that_is_lost_does_not_silence_who_serves(client: Client, root: Path) -> None:
    for path in Layout(root).registry.glob("registry.db*"):
        path.unlink()
    assert answered_by(client) == ["v1", "v1"]
    assert client.refused is not None
    assert client.refused.version is None


def test_a_file_that_has_just_changed_is_read_anew_each_time(root: Path) -> None:
    with Client(root, clock=ManualClock(NOON)) as client:
        assert answered_by(client) == ["v1", "v1"]
        make_champion(root)
        assert answered_by(client) == ["v2", "v2"]


# Nothing is unpickled

CHILD = """
import json, sys
from pathlib import Path

from daemon.children.serving import load_serving  # lightgbm brings dask along, which unpickles its own names
from registry.store import Registry

seen, watched = [], {"pickle.find_class"}
sys.addaudithook(lambda event, args: seen.append(f"{event} {args}") if event in watched else None)

with Registry.open_read_only(Path(sys.argv[1])) as registry:
    load_serving(registry, registry.version("v1"))  # whatever the libraries import late is imported now
    # Headers of npy are read by ast.literal_eval, which compiles and runs nothing: exec is what counts.
    watched |= {"code.__new__", "marshal.loads", "exec", "os.system", "os.exec", "os.posix_spawn",
                "subprocess.Popen", "socket.connect", "ctypes.dlopen"}
    load_serving(registry, registry.version("v2"))
    formats = sorted({member.format for member in registry.version("v2").manifest.members.values()})
print(json.dumps({"seen": seen, "formats": formats}))
"""


def test_a_whole_version_is_loaded_without_unpickling_or_running_anything(root: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(Layout(root).registry)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    said = json.loads(child.stdout)
    assert said["seen"] == []
    assert said["formats"] == ["parts", "skops"]
