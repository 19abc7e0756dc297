"""A trained version goes out as plain files, and comes in again only if everything about it holds."""

from __future__ import annotations

import hashlib
import json
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from daemon.children.stored import golden_of_bytes
from daemon.pyfunc import VOLATILITY, _load_pyfunc
from regime.barrier.inputs import COLUMNS
from regime.errors import FeatureMismatchError
from registry.bundle import SUMS, sums_of
from registry.store import Registry
from registry.types import Alias, EventKind, canonical_json
from tests.end_to_end.test_json_facts import validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(trained: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an exported folder; it is shared, so tests that change it copy it."""
    folder = tmp_path_factory.mktemp("exported") / "v1"
    facts = trained.facts("models", "export", "v1", "--to", folder)
    validate("models-export", facts)
    assert facts["seal"] == hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()
    return folder


def changed(exported: Path, to: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """Give a copy with one file changed, and the list of hashes written again to agree with it."""
    shutil.copytree(exported, to)
    (to / name).write_bytes(change((to / name).read_bytes()))
    found = {path.relative_to(to).as_posix(): path.read_bytes() for path in to.rglob("*") if path.is_file()}
    del found[SUMS]
    (to / SUMS).write_bytes(sums_of(found))
    return to


def set_in(name: str, value: object) -> Callable[[bytes], bytes]:
    return lambda content: canonical_json({**json.loads(content), name: value}).encode()


def test_an_import_is_a_new_version_without_a_role_whose_history_tells_its_origin(
    trained_copy: Installation, exported: Path
) -> None:
    facts = trained_copy.facts("models", "import", exported)
    validate("models-import", facts)
    assert (facts["version"], facts["origin"], facts["known"]) == ("v2", "v1", False)
    with Registry.open_read_only(trained_copy.layout.registry) as registry:
        event = registry.events()[-1]
        assert (event.kind, event.version) == (EventKind.REGISTERED, "v2")
        assert event.reason.startswith("imported: v1 of another registry, registered there 20")
        assert event.reason.endswith(f"seal {facts['seal']}")
        assert registry.aliases()[Alias.CHAMPION] == "v1"
        assert "v2" not in registry.aliases().values()
        assert registry.report("v2") is None
        assert registry.verify() == []
        assert registry.version("v2").manifest == registry.version("v1").manifest
        assert registry.artifacts("v2") == registry.artifacts("v1")
    assert trained_copy.facts("models", "import", exported, "--seal", facts["seal"])["known"] is True
    (told,) = trained_copy.events("models.imported")
    assert (told.fields["version"], told.fields["origin"], told.fields["seal"]) == ("v2", "v1", facts["seal"])


def test_only_a_person_with_a_reason_promotes_an_imported_version(
    trained_copy: Installation, exported: Path
) -> None:
    assert trained_copy.regimed("models", "import", exported).returncode == 0
    assert trained_copy.regimed("models", "promote", "v2").returncode == 2
    done = trained_copy.facts("models", "promote", "v2", "--reason", "moved from the old machine")
    assert done["champion"] == "v2"
    assert trained_copy.facts("predict")["champion"] == "v2"


def refused(place: Installation, folder: Path, *options: str) -> str:
    done = place.regimed("models", "import", folder, *options)
    assert (done.returncode, done.stdout) == (1, "")
    with Registry.open_read_only(place.layout.registry) as registry:
        assert len(registry.versions()) == 1
    return done.stderr


def test_what_does_not_hold_is_refused_and_named_and_nothing_is_registered(
    trained: Installation, exported: Path, tmp_path: Path
) -> None:
    def say(name: str, change: Callable[[bytes], bytes]) -> str:
        folder = changed(exported, tmp_path / hashlib.sha256(name.encode()).hexdigest()[:8], name, change)
        said = refused(trained, folder)
        shutil.rmtree(folder)
        return said

    assert "trained on features that hash to badbadbadbad" in say(
        "manifest.json", set_in("feature_hash", "badbadbadbad")
    )
    assert "golden.npz is not what the members predict here" in say("golden.npz", other_golden)
    assert "members/lightgbm.zip is not the artifact of the manifest" in say(
        "members/lightgbm.zip", lambda content: content + b"\0"
    )
    assert "are no stored feature_range" in say("drift/feature_range.npz", lambda _: b"nonsense")
    assert "a file is not what its name says" in say("ensemble.json", lambda _: b"{}")
    assert "its scores cannot be read" in say("scorecard.json", lambda _: b"{}")
    assert "scorecards.json tells of" in say("evidence.parquet", fewer_rows)
    assert "not badseal; do not use it" in refused(trained, exported, "--seal", "badseal")


def other_golden(content: bytes) -> bytes:
    import io  # noqa: PLC0415 - here only

    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["proba"] = arrays["proba"][:, ::-1]
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def fewer_rows(content: bytes) -> bytes:
    import io  # noqa: PLC0415 - here only

    buffer = io.BytesIO()
    pd.read_parquet(io.BytesIO(content)).iloc[:-1].to_parquet(buffer, index=False)
    return buffer.getvalue()


def test_a_model_of_mlflow_predicts_what_the_version_predicted(trained: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    trained.facts("models", "export", "v1", "--format", "mlflow", "--to", folder)
    model = json.loads((folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert (model["loader_module"], model["data"]) == ("daemon.pyfunc", "version")
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]
    predictor = _load_pyfunc(str(folder / "version"))
    inputs, expected = golden_of_bytes((folder / "version" / "golden.npz").read_bytes())
    assert inputs.volatility is not None
    table = pd.concat(
        [
            pd.DataFrame(inputs.X, columns=list(predictor.manifest.feature_names)),
            pd.DataFrame(inputs.volatility, columns=[VOLATILITY + name for name in COLUMNS]),
            pd.DataFrame({"regime": inputs.regime}),
        ],
        axis=1,
    )
    given = predictor.predict(table[list(reversed(table.columns))])
    assert list(given.columns) == ["sell", "hold", "buy"]
    assert len(given) == 64
    np.testing.assert_allclose(given.to_numpy(), expected, rtol=0, atol=1e-9)
    with pytest.raises(FeatureMismatchError, match="1 columns are missing, the first is 'regime'"):
        predictor.predict(table.drop(columns="regime"))


def test_onnx_is_refused_with_the_reason_and_what_to_do_instead(
    trained: Installation, tmp_path: Path
) -> None:
    done = trained.regimed("models", "export", "v1", "--format", "onnx", "--to", tmp_path / "out")
    assert done.returncode == 2
    assert "cannot be an ONNX file" in done.stderr
    assert not (tmp_path / "out").exists()


class Cells(HTMLParser):
    """Keeps the rows of all tables."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_cell = False

    def handle_starttag(self, tag: str, _: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        self._is_cell = tag == "td"

    def handle_data(self, data: str) -> None:
        if self._is_cell:
            self.rows[-1].append(data)

    def handle_endtag(self, _: str) -> None:
        self._is_cell = False


def test_the_card_has_the_numbers_of_show_in_both_forms(trained: Installation, tmp_path: Path) -> None:
    facts = trained.facts("models", "show", "v1")
    page = tmp_path / "card.html"
    assert trained.regimed("models", "card", "v1", "--html", "--to", page).returncode == 0
    markdown = trained.regimed("models", "card", "v1").stdout
    reader = Cells()
    reader.feed(page.read_text(encoding="utf-8"))
    rows = {tuple(row[:2]): row for row in reader.rows if row}
    skill = f"{100 * facts['overall_skill']:+.1f}"
    overall = next(row for row in reader.rows if row[:1] == ["all"] and len(row) == 12)
    assert overall[8] == skill
    assert ("rows", str(facts["rows"])) in rows
    assert ("feature hash", facts["manifest"]["feature_hash"]) in rows
    assert ("data hash", facts["manifest"]["data_hash"]) in rows
    weight = f"{100 * facts['scorecard']['weights']['lightgbm']:.1f}"
    assert next(row for row in reader.rows if row[:1] == ["lightgbm"])[2] == weight
    crash = facts["report"]["regimes"][0]
    assert next(row for row in reader.rows if row[:2] == ["crash", crash["status"]])[8] == crash["reason"]
    assert f"| all | {overall[1]} | " in markdown
    assert facts["report"]["verdict"] in markdown
    assert facts["manifest"]["data_hash"] in markdown
