"""Models survive their native formats exactly, and nothing else is ever loaded."""

from __future__ import annotations

import hashlib
import io
import json
import pickle  # noqa: TID251 - to write what must never be read
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from registry.errors import ArtifactCorruptError, ArtifactRefusedError, ArtifactTooLargeError
from registry.formats import FORMATS, BoosterModel, dump_model, load_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from registry.formats import Artifact

GENERATOR = np.random.default_rng(7)
ROWS: NDArray[np.float32] = GENERATOR.normal(size=(150, 5)).astype(np.float32)
THREE: NDArray[np.int64] = (np.digitize(ROWS[:, 0] + GENERATOR.normal(size=150), [-0.5, 0.5])).astype(
    np.int64
)
TWO: NDArray[np.int64] = (THREE == 2).astype(np.int64)
HOLES = ROWS.copy()
HOLES[::7, 1] = np.nan
WEIGHTS = GENERATOR.uniform(0.5, 2.0, size=150)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(5, max_depth=4, random_state=0, n_jobs=1)


def piped(*steps: object) -> object:
    return make_pipeline(SimpleImputer(), StandardScaler(), *steps)


ESTIMATORS = {
    "random_forest": forest(),
    "balanced_forest": forest().set_params(class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    "extra_trees": ExtraTreesClassifier(5, max_depth=4, random_state=0, n_jobs=1),
    "gradient_boosting": GradientBoostingClassifier(n_estimators=3, max_features="sqrt", random_state=0),
    "logistic_regression": piped(LogisticRegression()),
    "calibrated_svc": CalibratedClassifierCV(SVC(), ensemble=False),
    "isotonic": CalibratedClassifierCV(
        FrozenEstimator(LogisticRegression().fit(ROWS, THREE)), method="isotonic"
    ),
    "nystroem": piped(Nystroem(n_components=20, random_state=0), LogisticRegression()),
    "mlp": piped(MLPClassifier((8,), max_iter=300, tol=0.01, random_state=0)),
}


def loaded(artifact: Artifact) -> Any:
    return load_model(artifact.format, artifact.content, sha256=artifact.sha256)


def booster_of_xgboost(objective: str = "multi:softprob", **settings: object) -> xgboost.Booster:
    matrix = xgboost.DMatrix(ROWS, label=THREE if "multi" in objective else TWO, weight=WEIGHTS)
    classes = {"num_class": 3} if "multi" in objective else {}
    return xgboost.train({"objective": objective, "nthread": 1, **classes, **settings}, matrix, 5)


def booster_of_lightgbm(objective: str = "multiclass") -> lightgbm.Booster:
    classes = {"num_class": 3} if objective == "multiclass" else {}
    settings = {"objective": objective, "verbosity": -1, "num_threads": 1, **classes}
    return lightgbm.train(settings, lightgbm.Dataset(ROWS, label=THREE if classes else TWO), 5)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_scikit_learn_model_predicts_exactly_as_before(name: str) -> None:
    model: Any = ESTIMATORS[name]
    model.fit(ROWS, THREE)
    artifact = dump_model(model)
    assert artifact.format == "skops"
    assert np.array_equal(loaded(artifact).predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting", "logistic_regression", "mlp"])
def test_a_scikit_learn_model_keeps_the_names_of_its_classes(name: str) -> None:
    target = np.array(["sell", "hold", "buy"])[THREE]
    model: Any = ESTIMATORS[name]
    model.fit(ROWS, target)
    again = loaded(dump_model(model))
    assert np.array_equal(again.predict_proba(ROWS), model.predict_proba(ROWS))
    assert np.array_equal(again.classes_, model.classes_)


def test_an_svc_decides_exactly_as_before() -> None:
    model = SVC().fit(ROWS, THREE)
    again = loaded(dump_model(model))
    assert np.array_equal(again.decision_function(ROWS), model.decision_function(ROWS))


def test_a_mapping_of_estimators_arrays_and_numbers_survives() -> None:
    parts = {
        "estimator": forest().fit(ROWS, THREE),
        "scale": {"center": ROWS.mean(axis=0), "classes": np.array(["sell", "buy"])},
        "shares": [0.2, 0.8, None, True, "x", (1, 2)],
    }
    artifact = dump_model(parts)
    again = loaded(artifact)
    assert artifact.format == "skops"
    assert again["shares"] == parts["shares"]
    assert again["scale"]["center"].dtype == np.float32
    assert np.array_equal(again["scale"]["center"], ROWS.mean(axis=0))
    assert again["scale"]["classes"].tolist() == ["sell", "buy"]
    assert np.array_equal(
        again["estimator"].predict_proba(ROWS), forest().fit(ROWS, THREE).predict_proba(ROWS)
    )


@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("rounds_without_gain", [None, 3], ids=["all_rounds", "stopped_early"])
def test_an_xgboost_classifier_predicts_exactly_as_before(
    target: NDArray[np.int64], rounds_without_gain: int | None
) -> None:
    model = xgboost.XGBClassifier(
        n_estimators=30, n_jobs=1, learning_rate=1.0, early_stopping_rounds=rounds_without_gain
    )
    model.fit(HOLES[:100], target[:100], eval_set=[(HOLES[100:], target[100:])], verbose=False)
    artifact = dump_model(model)
    assert artifact.format == "xgboost_ubj"
    again = loaded(artifact)
    assert isinstance(again, BoosterModel)
    assert np.array_equal(again.predict_proba(HOLES), model.predict_proba(HOLES))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("rounds_without_gain", [None, 3], ids=["all_rounds", "stopped_early"])
def test_a_lightgbm_classifier_predicts_exactly_as_before(
    target: NDArray[np.int64], rounds_without_gain: int | None
) -> None:
    model: Any = lightgbm.LGBMClassifier(
        n_estimators=30,
        n_jobs=1,
        learning_rate=0.5,
        verbosity=-1,
        early_stopping_round=rounds_without_gain,
    )
    held_out = (HOLES[100:], target[100:]) if rounds_without_gain else (None, None)
    model.fit(HOLES[:100], target[:100], eval_X=held_out[0], eval_y=held_out[1])
    assert (model.best_iteration_ > 0) is (rounds_without_gain is not None)
    artifact = dump_model(model)
    assert artifact.format == "lightgbm_txt"
    assert np.array_equal(loaded(artifact).predict_proba(HOLES), model.predict_proba(HOLES))


@pytest.mark.parametrize("objective", ["multi:softprob", "binary:logistic"])
def test_an_xgboost_booster_gives_rows_that_sum_to_one(objective: str) -> None:
    booster = booster_of_xgboost(objective)
    again = loaded(dump_model(booster))
    proba = again.predict_proba(HOLES)
    assert proba.shape == (150, 3 if "multi" in objective else 2)
    assert proba.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(
        again.booster.predict(xgboost.DMatrix(HOLES)), booster.predict(xgboost.DMatrix(HOLES))
    )


@pytest.mark.parametrize("objective", ["multiclass", "binary"])
def test_a_lightgbm_booster_gives_rows_that_sum_to_one(objective: str) -> None:
    booster = booster_of_lightgbm(objective)
    again = loaded(dump_model(booster))
    proba = again.predict_proba(HOLES)
    assert proba.shape == (150, 3 if objective == "multiclass" else 2)
    assert proba.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert np.array_equal(again.booster.predict(HOLES), booster.predict(HOLES))


def test_a_mapping_with_boosters_gives_back_raw_boosters_and_the_rest() -> None:
    parts = {
        "xgboost": booster_of_xgboost(),
        "lightgbm": booster_of_lightgbm(),
        "scores": booster_of_xgboost("reg:squarederror"),
        "log_prior": np.log([0.2, 0.5, 0.3]),
        "estimator": forest().fit(ROWS, THREE),
    }
    artifact = dump_model(parts)
    assert artifact.format == "parts"
    again = loaded(artifact)
    assert again.keys() == parts.keys()
    assert isinstance(again["xgboost"], xgboost.Booster)
    assert isinstance(again["lightgbm"], lightgbm.Booster)
    matrix = xgboost.DMatrix(ROWS)
    assert np.array_equal(again["xgboost"].predict(matrix), parts["xgboost"].predict(matrix))
    assert np.array_equal(again["scores"].predict(matrix), parts["scores"].predict(matrix))
    assert np.array_equal(again["lightgbm"].predict(ROWS), parts["lightgbm"].predict(ROWS))
    assert np.array_equal(again["log_prior"], parts["log_prior"])
    assert np.array_equal(again["estimator"].predict_proba(ROWS), parts["estimator"].predict_proba(ROWS))


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting", "nystroem", "mlp"])
def test_the_same_model_fitted_twice_gives_the_same_bytes(name: str) -> None:
    model: Any = ESTIMATORS[name]
    first = dump_model(clone(model).fit(ROWS, THREE))
    assert dump_model(clone(model).fit(ROWS, THREE)) == first
    assert dump_model({"booster": booster_of_xgboost()}) == dump_model({"booster": booster_of_xgboost()})


class OwnModel:
    """A class of ours, whose import path an artifact must not depend on."""


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (OwnModel(), "OwnModel"),
        ({"inner": [OwnModel()]}, "OwnModel"),
        (BernoulliNB().fit(ROWS, THREE), "sklearn.naive_bayes.BernoulliNB"),
        (print, "print"),
        (np.add, "add"),
        (b"bytes", "builtins.bytes"),
        ({1, 2}, "builtins.set"),
    ],
)
def test_a_type_that_is_not_trusted_is_not_even_written(model: object, name: str) -> None:
    with pytest.raises(ArtifactRefusedError) as raised:
        dump_model(model)
    assert any(name in refused for refused in raised.value.names)


def test_a_booster_that_gives_no_probabilities_is_refused() -> None:
    with pytest.raises(ArtifactRefusedError, match="reg:squarederror"):
        dump_model(booster_of_xgboost("reg:squarederror"))
    with pytest.raises(ArtifactRefusedError, match="regression"):
        dump_model(booster_of_lightgbm("regression"))


def test_a_classifier_of_boosters_with_named_classes_is_refused() -> None:
    model = lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1, n_jobs=1)
    with pytest.raises(ArtifactRefusedError, match="fit it on ids"):
        dump_model(model.fit(ROWS, THREE + 1))


def test_a_classifier_with_another_mark_for_missing_is_refused() -> None:
    model = xgboost.XGBClassifier(n_estimators=2, missing=0.0, n_jobs=1).fit(ROWS, THREE)
    with pytest.raises(ArtifactRefusedError, match="NaN"):
        dump_model(model)


@pytest.mark.parametrize("name", ["", "../x", "a.b", "a/b", "1", "x" * 65])
def test_a_part_has_a_plain_name(name: str) -> None:
    with pytest.raises(ArtifactRefusedError, match="cannot name a part"):
        dump_model({name: booster_of_xgboost()})


@pytest.fixture(scope="module")
def artifacts() -> dict[str, Artifact]:
    """Give one artifact of each format."""
    return {
        "xgboost_ubj": dump_model(booster_of_xgboost()),
        "lightgbm_txt": dump_model(booster_of_lightgbm()),
        "skops": dump_model(forest().fit(ROWS, THREE)),
        "parts": dump_model({"booster": booster_of_xgboost(), "scale": ROWS[0]}),
    }


@pytest.mark.parametrize("format_", FORMATS)
def test_bytes_that_are_not_those_of_the_hash_are_refused(
    format_: str, artifacts: dict[str, Artifact]
) -> None:
    artifact = artifacts[format_]
    flipped = bytearray(artifact.content)
    flipped[len(flipped) // 2] ^= 1
    swapped = dump_model({"other": 1}).content
    for content in (bytes(flipped), artifact.content[:-1], artifact.content + b"\0", swapped, b""):
        with pytest.raises(ArtifactCorruptError, match="damaged, changed or swapped"):
            load_model(format_, content, sha256=artifact.sha256)


@pytest.mark.parametrize("format_", ["pickle", "joblib", "cloudpickle", "", "SKOPS", "json", "../skops"])
def test_a_format_that_is_not_ours_is_never_loaded(format_: str) -> None:
    content = pickle.dumps([1])
    with pytest.raises(ArtifactRefusedError, match="is never loaded"):
        load_model(format_, content, sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("format_", FORMATS)
def test_a_model_that_is_larger_than_allowed_is_not_parsed(
    format_: str, artifacts: dict[str, Artifact]
) -> None:
    artifact = artifacts[format_]
    with pytest.raises(ArtifactTooLargeError):
        load_model(
            format_, artifact.content, sha256=artifact.sha256, size_max_bytes=len(artifact.content) - 1
        )


@pytest.mark.parametrize("format_", ["skops", "parts"])
def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked(format_: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 10_000_000)
    content = buffer.getvalue()
    assert len(content) < 20_000
    with pytest.raises(ArtifactTooLargeError, match="unpacks to 10000000 bytes"):
        load_model(format_, content, sha256=hashlib.sha256(content).hexdigest(), size_max_bytes=1_000_000)


def node(loader: str, module: str, name: str, **more: object) -> dict[str, object]:
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def text(value: str) -> dict[str, object]:
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def hostile_schemas(marker: Path) -> dict[str, dict[str, object]]:
    command = node("TupleNode", "builtins", "tuple", content=[text(f"touch {marker}")])
    nothing = node(
        "DictNode", "builtins", "dict", content={}, key_types=node("ListNode", "builtins", "list", content=[])
    )
    system = node("FunctionNode", "posix", "system")
    partial = node(
        "PartialNode",
        "functools",
        "partial",
        content={"func": system, "args": command, "kwds": nothing, "namespace": nothing},
    )
    return {
        "function": system,
        "partial": partial,
        "type": node("TypeNode", "os", "system"),
        "object": node("ObjectNode", "subprocess", "Popen", content=nothing),
        "constructor": node("ConstructorFromReduceNode", "posix", "system", content=command),
        "list_of_a_callable": node("ListNode", "subprocess", "Popen", content=command["content"]),
        "dict_of_a_callable": node(
            "DictNode",
            "antigravity",
            "x",
            content={},
            key_types=node("ListNode", "builtins", "list", content=[]),
        ),
        "tree": node("TreeNode", "posix", "system", content=nothing, __reduce__={"args": command}),
        "loss": node("LossNode", "posix", "system", content=nothing, __reduce__={"args": command}),
        "operator": node("OperatorFuncNode", "operator", "methodcaller", attrs=command),
        "method": node("MethodNode", "builtins", "method", content={"func": "system", "obj": text("os")}),
        "hidden": node(
            "DictNode",
            "builtins",
            "dict",
            content={"deep": node("ListNode", "builtins", "list", content=[partial])},
            key_types=node("ListNode", "builtins", "list", content=[node("TypeNode", "builtins", "str")]),
        ),
        "key_type": node(
            "DictNode",
            "builtins",
            "dict",
            content={f"touch {marker}": text("x")},
            key_types=node("ListNode", "builtins", "list", content=[node("TypeNode", "posix", "system")]),
        ),
        "wrong_loader": node("ObjectNode", "numpy", "ndarray", content=nothing),
        "no_loader": {"__module__": "posix", "__class__": "system"},
        "pickled_array": node("NdArrayNode", "numpy", "ndarray", type="numpy", file="1.npy", __id__=1),
    }


class Exploit:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os  # noqa: PLC0415 - the name that a hostile file would give

        return os.system, (f"touch {self.marker}",)


def hostile_files(marker: Path, artifacts: dict[str, Artifact]) -> dict[str, tuple[str, bytes]]:
    exploit = pickle.dumps(Exploit(marker))
    array = io.BytesIO()
    np.save(array, np.array([Exploit(marker)], dtype=object), allow_pickle=True)
    files = {}
    for name, schema in hostile_schemas(marker).items():
        for protocol in (0, 1, 2):
            text_ = json.dumps({**schema, "protocol": protocol, "_skops_version": skops.__version__})
            content = zipped({"schema.json": text_.encode(), "1.npy": array.getvalue()})
            files[f"{name}-{protocol}"] = ("skops", content)
    cut = artifacts["skops"].content
    return files | {
        "pickle_as_skops": ("skops", exploit),
        "pickle_as_xgboost": ("xgboost_ubj", exploit),
        "pickle_as_lightgbm": ("lightgbm_txt", exploit),
        "pickle_as_parts": ("parts", exploit),
        "pickle_part": ("parts", zipped({"model.pickle": exploit})),
        "hostile_part": ("parts", zipped({"model.skops": files["partial-2"][1]})),
        "part_elsewhere": ("parts", zipped({"../model.skops": cut})),
        "part_of_parts": ("parts", zipped({"model.parts": zipped({"model.pickle": exploit})})),
        "text_as_xgboost": ("xgboost_ubj", b"{not ubjson"),
        "text_as_lightgbm": ("lightgbm_txt", b"tree\nversion=v4\n"),
        "cut_skops": ("skops", cut[: len(cut) // 2]),
        "cut_xgboost": ("xgboost_ubj", artifacts["xgboost_ubj"].content[:500]),
        "deep_schema": ("skops", zipped({"schema.json": b"[" * 200_000})),
        "no_schema": ("skops", zipped({"other.json": b"{}"})),
        "empty": ("skops", b""),
    }


CHILD = """
import hashlib, sys
from pathlib import Path
from registry.errors import ArtifactRefusedError
from registry.formats import dump_model, load_model
import numpy as np
warm = dump_model({"x": np.ones(2)})
load_model(warm.format, warm.content, sha256=warm.sha256)

seen = []
watched = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "pickle.find_class",
           "socket.connect", "ctypes.dlopen", "marshal.loads")
known = set(sys.modules)
sys.addaudithook(lambda event, args: seen.append(f"{event} {args}") if event in watched else None)

for file in sorted(Path(sys.argv[1]).iterdir()):
    name, format = file.name.split("@")
    content = file.read_bytes()
    try:
        load_model(format, content, sha256=hashlib.sha256(content).hexdigest())
    except ArtifactRefusedError as error:
        print("refused", name)
    else:
        print("LOADED", name)
print("new", sorted(m for m in set(sys.modules) - known if m in ("antigravity", "this")))
print("seen", seen)
"""


def test_hostile_files_are_refused_and_run_nothing(tmp_path: Path, artifacts: dict[str, Artifact]) -> None:
    marker, folder = tmp_path / "marker", tmp_path / "hostile"
    folder.mkdir()
    files = hostile_files(marker, artifacts)
    for name, (format_, content) in files.items():
        (folder / f"{name}@{format_}").write_bytes(content)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    lines = [
        line for line in child.stdout.splitlines() if line.startswith(("refused", "LOADED", "new", "seen"))
    ]
    assert lines == [*(f"refused {name}" for name in sorted(files)), "new []", "seen []"]
    assert not marker.exists()


def test_the_exploit_of_these_tests_is_a_real_one(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", code], input=pickle.dumps(Exploit(marker)), check=True)
    assert marker.exists()
