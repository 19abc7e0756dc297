"""Models as bytes, in the formats of the libraries that made them; nothing is ever unpickled.

``xgboost_ubj`` and ``lightgbm_txt`` hold a booster, or the booster of a classifier, and give back a
``BoosterModel``. ``skops`` holds scikit-learn estimators, arrays, and mappings and lists of them, and gives
back the same. ``parts`` holds a mapping with boosters among its values and gives back the same, each
booster as the library's own object.

The hash is compared before anything is parsed. Of skops only the types in ``registry.trusted``, and those
that the caller names as ``trusted``, are ever built. The same model gives the same bytes, so that it is kept
once. The libraries' parsers are native code that believes what it reads (skops says so of trees): load in a
child process, and only what a hash of the registry vouches for.

This module imports those libraries: it is for children, and for commands that predict.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard

import lightgbm
import numpy as np
import skops.io
import xgboost

from registry.errors import ArtifactCorruptError, ArtifactRefusedError, ArtifactTooLargeError, RegistryError
from registry.trusted import listed, trusted_with

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

XGBOOST: Final = "xgboost_ubj"
LIGHTGBM: Final = "lightgbm_txt"
SKOPS: Final = "skops"
PARTS: Final = "parts"
FORMATS: Final = (XGBOOST, LIGHTGBM, SKOPS, PARTS)

MODEL_SIZE_MAX_BYTES: Final = 1 << 29
"""Default cap on the bytes of a model, and again on what they unpack to."""

_PROBABILITY_OBJECTIVES: Final = frozenset(
    {"multi:softprob", "binary:logistic", "multiclass", "multiclassova", "binary"}
)
"""Objectives whose output is a probability; what any other gives, a booster alone does not know."""

_SCHEMA: Final = "schema.json"
_PART_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model as bytes, and the format that reads them."""

    format: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash by which the bytes are stored, and checked before they are read."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoosterModel:
    """A booster whose classes are 0 … n_classes - 1, giving what the classifier it came from gave."""

    booster: xgboost.Booster | lightgbm.Booster

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Give probabilities, shape (n_rows, n_classes); NaN in ``X`` means not known.

        A booster that was stopped early predicts with its best number of rounds.
        """
        if isinstance(self.booster, xgboost.Booster):
            rounds = int(self.booster.attr("best_iteration") or -1) + 1
            matrix = xgboost.DMatrix(X, feature_names=self.booster.feature_names)
            proba = np.asarray(self.booster.predict(matrix, iteration_range=(0, rounds)))
        else:
            proba = np.asarray(self.booster.predict(X))
        return proba if proba.ndim > 1 else np.column_stack([1.0 - proba, proba]).astype(proba.dtype)


def dump_model(model: object, *, trusted: Collection[str] = ()) -> Artifact:
    """Give a model as bytes that ``load_model`` makes an exactly equal model of.

    ``model`` is a booster of XGBoost or LightGBM, their classifier, a scikit-learn estimator, an array, or
    a mapping of such parts by name. ``trusted`` names further types that it may hold.

    Raises
    ------
    ArtifactRefusedError
        If it holds a type that is not trusted (none of our own is), a booster that gives no
        probabilities, or class labels other than 0, 1, 2, ….
    """
    if isinstance(model, xgboost.XGBClassifier | lightgbm.LGBMClassifier):
        _check_classifier(model)
        booster = model.get_booster() if isinstance(model, xgboost.XGBClassifier) else model.booster_
        return dump_model(booster)
    if _is_booster(model):
        _check_objective(model)
        return _dump_booster(model)
    if isinstance(model, Mapping) and any(_is_booster(part) for part in model.values()):
        return _dump_parts(model, trusted)
    return _dump_skops(dict(model) if isinstance(model, Mapping) else model, trusted)


def load_model(
    format: str,  # noqa: A002 - the field's name
    content: bytes,
    *,
    sha256: str,
    size_max_bytes: int = MODEL_SIZE_MAX_BYTES,
    trusted: Collection[str] = (),
) -> object:
    """Give the model that ``dump_model`` wrote; parses nothing that is not what the hash stands for.

    ``trusted`` names types that it may hold beside those of ``registry.trusted``; take it from the
    configuration, never from what is stored.

    Raises
    ------
    ArtifactTooLargeError
        If there are more than ``size_max_bytes``, packed or unpacked.
    ArtifactCorruptError
        If the bytes do not have the hash.
    ArtifactRefusedError
        If the format is unknown, the bytes are not in it, or hold a type that is not trusted.
    """
    readers: Mapping[str, Callable[[bytes, int], object]] = {
        XGBOOST: lambda content, _: BoosterModel(booster=_load_booster(XGBOOST, content)),
        LIGHTGBM: lambda content, _: BoosterModel(booster=_load_booster(LIGHTGBM, content)),
        SKOPS: lambda content, size: _load_skops(content, size, trusted),
        PARTS: lambda content, size: _load_parts(content, size, trusted),
    }
    if format not in readers:
        raise ArtifactRefusedError(f"{format!r} is never loaded; the formats are {', '.join(FORMATS)}")
    if len(content) > size_max_bytes:
        raise ArtifactTooLargeError(f"the artifact has {len(content)} bytes, allowed are {size_max_bytes}")
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ArtifactCorruptError(
            f"the artifact hashes to {actual}, not {sha256}; it was damaged, changed or swapped"
        )
    try:
        return readers[format](content, size_max_bytes)
    except RegistryError:
        raise
    except Exception as error:  # a foreign parser raises whatever its input makes it raise
        raise ArtifactRefusedError(f"the bytes are no {format} artifact: {error!r}") from error


def _is_booster(model: object) -> TypeGuard[xgboost.Booster | lightgbm.Booster]:
    return isinstance(model, xgboost.Booster | lightgbm.Booster)


def _check_classifier(model: xgboost.XGBClassifier | lightgbm.LGBMClassifier) -> None:
    if not np.array_equal(model.classes_, np.arange(len(model.classes_))):
        raise ArtifactRefusedError(
            f"its classes are {list(model.classes_)}; fit it on ids 0, 1, 2, …, a booster keeps no names"
        )
    if isinstance(model, xgboost.XGBClassifier) and not math.isnan(model.missing):
        raise ArtifactRefusedError(f"it takes {model.missing} for missing; mark what is not known with NaN")


def _check_objective(booster: xgboost.Booster | lightgbm.Booster) -> None:
    if isinstance(booster, xgboost.Booster):
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    else:
        header = booster.model_to_string(num_iteration=1)
        objective = next(iter(re.findall(r"^objective=(\S+)", header, re.MULTILINE)), "none")
    if objective not in _PROBABILITY_OBJECTIVES:
        raise ArtifactRefusedError(
            f"its objective is {objective}, which gives no probabilities; store it as a part of a mapping"
        )


def _dump_booster(booster: xgboost.Booster | lightgbm.Booster) -> Artifact:
    if isinstance(booster, xgboost.Booster):
        return Artifact(format=XGBOOST, content=bytes(booster.save_raw("ubj")))
    return Artifact(format=LIGHTGBM, content=booster.model_to_string().encode())


def _load_booster(format: str, content: bytes) -> xgboost.Booster | lightgbm.Booster:  # noqa: A002
    if format == XGBOOST:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        return booster
    return lightgbm.Booster(model_str=content.decode())


def _dump_parts(parts: Mapping[str, object], trusted: Collection[str]) -> Artifact:
    """Give a zip that holds each part in its own format, as ``name.format``."""
    entries = {}
    for name, part in sorted(parts.items()):
        if not _PART_NAME.fullmatch(name):
            raise ArtifactRefusedError(f"{name!r} cannot name a part; use letters, digits and _")
        artifact = _dump_booster(part) if _is_booster(part) else dump_model(part, trusted=trusted)
        entries[f"{name}.{artifact.format}"] = artifact.content
    return Artifact(format=PARTS, content=_zipped(entries))


def _load_parts(content: bytes, size_max_bytes: int, trusted: Collection[str]) -> dict[str, object]:
    parts: dict[str, object] = {}
    for entry, packed in _unzipped(content, size_max_bytes).items():
        name, _, format_ = entry.partition(".")
        if not _PART_NAME.fullmatch(name) or name in parts:
            raise ArtifactRefusedError(f"{entry!r} cannot be a part")
        if format_ in {XGBOOST, LIGHTGBM}:
            parts[name] = _load_booster(format_, packed)
        else:
            parts[name] = load_model(
                format_,
                packed,
                sha256=hashlib.sha256(packed).hexdigest(),
                size_max_bytes=size_max_bytes,
                trusted=trusted,
            )
    return parts


def _dump_skops(model: object, trusted: Collection[str]) -> Artifact:
    """Give skops' bytes without what differs from one writing to the next: addresses and the time."""
    written = _unzipped(skops.io.dumps(model), MODEL_SIZE_MAX_BYTES)
    schema = json.loads(written.pop(_SCHEMA))
    _check_trusted(schema, trusted)
    numbers: dict[str, str] = {}
    for node in _nodes(schema):
        address = str(node.pop("__id__", ""))
        if address and node.get("__loader__") != "JsonNode":
            node["__id__"] = int(numbers.setdefault(address, str(len(numbers) + 1)))
        if "file" in node:
            address, _, suffix = str(node["file"]).partition(".")
            node["file"] = f"{numbers[address]}.{suffix}"
    entries = {_SCHEMA: json.dumps(schema).encode()}
    for name, content in written.items():
        address, _, suffix = name.partition(".")
        entries[f"{numbers[address]}.{suffix}"] = _without_padding(content) if suffix == "npy" else content
    return Artifact(format=SKOPS, content=_zipped(entries))


def _without_padding(content: bytes) -> bytes:
    """Give a stored array with zeros in the gaps between its fields.

    The nodes of scikit-learn's trees have such gaps, and what stands there is whatever the memory held.
    """
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _load_skops(content: bytes, size_max_bytes: int, trusted: Collection[str]) -> object:
    entries = _unzipped(content, size_max_bytes)
    if _SCHEMA not in entries:
        raise ArtifactRefusedError("the bytes are no skops artifact: there is no schema")
    _check_trusted(json.loads(entries[_SCHEMA]), trusted)
    return skops.io.loads(content, trusted=listed(trusted_with(trusted)))


def _check_trusted(schema: object, trusted: Collection[str]) -> None:
    """Refuse any node, wherever it stands, that would build something that is on neither list."""
    allowed = trusted_with(trusted)
    names = {
        f"{node.get('__module__')}.{node.get('__class__')}"
        for node in _nodes(schema)
        if f"{node.get('__module__')}.{node.get('__class__')}"
        not in allowed.get(str(node.get("__loader__")), frozenset())
    }
    if names:
        refused = tuple(sorted(names))
        raise ArtifactRefusedError(
            f"it holds types that are not trusted: {', '.join(refused)}; models are made of those in"
            " registry/trusted.py and in training.trusted_types",
            refused,
        )


def _nodes(schema: object) -> Iterator[dict[str, object]]:
    """Give every object in the schema that names something to build, in the order of the text."""
    if isinstance(schema, dict):
        if schema.keys() & {"__loader__", "__class__", "__module__"}:
            yield schema
        for inner in tuple(schema.values()):
            yield from _nodes(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _nodes(inner)


def _zipped(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unzipped(content: bytes, size_max_bytes: int) -> dict[str, bytes]:
    """Give the entries of a zip; their sizes are looked at before any is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if size > size_max_bytes:
            raise ArtifactTooLargeError(f"the artifact unpacks to {size} bytes, allowed are {size_max_bytes}")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ArtifactRefusedError("the artifact holds two files of one name")
        return {entry.filename: archive.read(entry) for entry in entries}
