"""What all pictures share: ink, type, and how they become a file. For commands only."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

from daemon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

INK: Final = "#1a1a1a"
PALE_INK: Final = "#6b6b6b"

_METADATA: Final = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "regimed",
    "text.parse_math": False,
}


def write_figure(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw and write a figure as ``.png`` or ``.svg``; the same figure gives the same bytes.

    Raises
    ------
    UsageError
        If the suffix is another; nothing is drawn then.
    """
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise UsageError(f"{path.name}: a plot is written as .png or .svg; choose one of these suffixes")
    with mpl.rc_context(_STYLE):
        buffer = BytesIO()
        draw().savefig(buffer, format=suffix[1:], metadata=_METADATA[suffix])
    path.write_bytes(buffer.getvalue())
