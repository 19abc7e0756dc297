"""The one form in which references and states become bytes: JSON facts beside plain arrays.

The bytes are an uncompressed ``.npz`` archive, read without pickle, and are the same for the same
content; zip entries made by numpy carry a fixed date.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from regime.errors import RegimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Fact: TypeAlias = "str | int | float | bool | list[Fact] | dict[str, Fact] | None"
Array: TypeAlias = "NDArray[np.float64] | NDArray[np.uint32] | NDArray[np.uint8]"


class StoredUnreadableError(RegimeError):
    """Bytes are not a stored reference or state of the kind asked for."""


def pack(kind: str, facts: Mapping[str, Fact], arrays: Mapping[str, Array]) -> bytes:
    """Give ``facts`` and ``arrays`` as bytes that ``unpack`` reads under the same ``kind``.

    >>> facts, arrays = unpack("toy", pack("toy", {"days": 21}, {"share": np.array([0.25])}))
    >>> facts["days"], float(arrays["share"][0])
    (21, 0.25)
    """
    header = json.dumps({"kind": kind, "facts": dict(facts)}, sort_keys=True, allow_nan=False)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, header=np.frombuffer(header.encode(), np.uint8), **arrays)
    return buffer.getvalue()


def unpack(kind: str, stored: bytes) -> tuple[dict[str, Fact], dict[str, Array]]:
    """Give the facts and arrays that ``pack`` stored.

    Raises
    ------
    StoredUnreadableError
        If the bytes are damaged or are of another kind.
    """
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise StoredUnreadableError(
            f"these {len(stored)} bytes are no stored {kind} ({error}); fit or start it anew"
        ) from error
    if header["kind"] != kind:
        raise StoredUnreadableError(
            f"these bytes store a {header['kind']}, not a {kind}; load them with their own monitor"
        )
    return header["facts"], arrays


def digest(stored: bytes) -> str:
    """Give the identity of stored bytes: 16 hexadecimal digits of their SHA-256.

    >>> digest(b"")
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(stored).hexdigest()[:16]


def stored_date(date: dt.date | None) -> str | None:
    """Give a date as JSON holds it.

    >>> stored_date(dt.date(2024, 1, 2))
    '2024-01-02'
    """
    return None if date is None else date.isoformat()


def loaded_date(fact: Fact) -> dt.date | None:
    """Give the date that ``stored_date`` stored.

    >>> loaded_date("2024-01-02").day
    2
    """
    return None if fact is None else dt.date.fromisoformat(str(fact))
