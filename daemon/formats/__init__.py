"""Bytes of one file in, checked daily bars out.

The format is recognised by the first bytes, never by the file name. What is not a whole file of checked
bars is refused with a reason code (`Reason`), and `check_bars` holds the bars against the calendar.
"""

from daemon.formats.checks import check_bars
from daemon.formats.parquet import days_of_part, parquet_bytes, read_part, write_parquet
from daemon.formats.reading import ParsedFile, parse_bars, read_bars
from daemon.formats.reasons import EXPLANATIONS, FileRejectedError, Reason, rejection
from daemon.formats.writing import write_csv

__all__ = [
    "EXPLANATIONS",
    "FileRejectedError",
    "ParsedFile",
    "Reason",
    "check_bars",
    "days_of_part",
    "parquet_bytes",
    "parse_bars",
    "read_bars",
    "read_part",
    "rejection",
    "write_csv",
    "write_parquet",
]
