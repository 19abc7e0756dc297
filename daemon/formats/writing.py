"""Our own CSV: the columns symbol, date, open, high, low, close and volume, one row a bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from pathlib import Path

    from regime.types import Bars


def write_csv(bars: Bars, path: Path) -> None:
    """Write bars as CSV that reads back to the same bars, to the bit; what is not known is left empty.

    Writes to ``path`` itself: the caller writes beside, flushes and renames.
    """
    path.write_text(csv_text(bars), encoding="utf-8", newline="\n")


def csv_text(bars: Bars) -> str:
    """Give bars as the text that ``write_csv`` writes."""
    columns = [bars.symbol.tolist(), bars.date.astype(str).tolist()]
    columns += [[_cell(value) for value in getattr(bars, field).tolist()] for field in BAR_FIELDS]
    lines = [",".join(("symbol", "date", *BAR_FIELDS))]
    lines += [",".join(row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
