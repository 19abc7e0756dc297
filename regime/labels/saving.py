"""Labeler states as JSON, and labeler versions as a hash of their constants."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from regime.labels.protocol import StateInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance


def version_of(name: str, constants: DataclassInstance) -> str:
    """Give ``name`` with eight hexadecimal digits that change when any constant does.

    >>> from regime.labels.drop import FixedDrop
    >>> version_of("rules", FixedDrop()) == version_of("rules", FixedDrop(return_max=-0.2))
    False
    """
    text = json.dumps(asdict(constants), sort_keys=True)
    return f"{name}-{sha256(text.encode()).hexdigest()[:8]}"


def json_of(kind: str, state: DataclassInstance) -> str:
    """Give a state as one JSON object; Python prints floats so that they read back to the last bit."""
    return json.dumps({"kind": kind, **asdict(state)}, separators=(",", ":"))


@contextmanager
def reading_state(kind: str, text: str) -> Iterator[dict[str, Any]]:
    """Give the fields that `json_of` wrote; whatever goes wrong as they are read is ``StateInvalidError``."""
    try:
        yield _fields_of(kind, text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateInvalidError(
            f"the saved state of {kind!r} cannot be read ({error}); label from the first day again"
        ) from error


def _fields_of(kind: str, text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    if fields.pop("kind") != kind:
        raise ValueError("it is of another labeler or of another kind")
    return fields
