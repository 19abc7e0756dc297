"""Files in and out of one-shot commands: bars in any known format, tables as CSV or parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import UsageError
from daemon.formats import read_bars

if TYPE_CHECKING:
    import pandas as pd

    from regime.types import Bars


def read_bars_file(name: str) -> Bars:
    """Read bars from a file in any format that the daemon takes."""
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    return read_bars(path, name=path.name).bars


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or parquet, by suffix."""
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        raise UsageError(f"{path} must end in .csv or .parquet")
