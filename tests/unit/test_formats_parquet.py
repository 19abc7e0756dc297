"""Our own parquet: the same bytes for the same bars, and nothing damaged or swollen is read."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.formats import (
    EXPLANATIONS,
    FileRejectedError,
    Reason,
    parquet_bytes,
    parse_bars,
    read_bars,
    read_part,
    write_parquet,
)
from regime.types import Bars

if TYPE_CHECKING:
    from pathlib import Path

SPY = Bars.of("SPY", ["2024-01-02", "2024-01-03"], [10, 11], [12, 13], [9, 10], [11, 12], [1000, np.nan])
BARS = Bars.concat([SPY, Bars.of_closes("^VIX", ["2024-01-02", "2024-01-03"], [13.2, 14.04])])


def file_of(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet(index=False)


def frame(**columns: object) -> pd.DataFrame:
    days = pd.to_datetime(["2024-01-02", "2024-01-03"])
    return pd.DataFrame({"symbol": "SPY", "date": days, "close": [11.0, 12.0], **columns})


def code_of(data: bytes, *, rows_max: int = 1_000_000, bytes_decoded_max: int = 2**29) -> Reason:
    with pytest.raises(FileRejectedError) as caught:
        parse_bars(data, name="SPY.parquet", rows_max=rows_max, bytes_decoded_max=bytes_decoded_max)
    return caught.value.code


def test_bars_read_back_to_the_bit(tmp_path: Path) -> None:
    write_parquet(BARS, tmp_path / "part")
    assert read_bars(tmp_path / "part", name="bars.parquet").bars == BARS
    assert read_part(tmp_path / "part") == BARS


def test_no_bars_read_back_as_no_bars(tmp_path: Path) -> None:
    write_parquet(Bars.empty(), tmp_path / "part")
    assert len(read_part(tmp_path / "part")) == 0


def test_equal_bars_give_equal_bytes() -> None:
    assert parquet_bytes(BARS) == parquet_bytes(Bars.concat([BARS, SPY]))


def test_reading_starts_no_thread_that_could_abort_the_exit_of_a_command(tmp_path: Path) -> None:
    write_parquet(BARS, tmp_path / "part")
    script = """
import os, sys
from pathlib import Path
from daemon.formats.parquet import table_of_parquet
content = Path(sys.argv[1]).read_bytes()
before = os.listdir("/proc/self/task")
rows = table_of_parquet(content).num_rows
print(rows, sorted(os.listdir("/proc/self/task")) == sorted(before))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "part")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"{len(BARS)} True\n"


def test_pages_carry_checksums_so_that_damage_is_seen() -> None:
    data = bytearray(parquet_bytes(BARS))
    closes = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(5)
    end = closes.data_page_offset + closes.total_compressed_size
    refused = 0
    for at in range(end - 20, end):
        damaged = bytearray(data)
        damaged[at] ^= 1
        refused += code_of(bytes(damaged)) == Reason.CORRUPT
    assert refused == 20


@pytest.mark.parametrize("symbol", ["text", "category"])
def test_files_of_pandas_are_read(symbol: str) -> None:
    written = frame(volume=pd.array([1000, None], dtype="Int64"), remark="x")
    written["symbol"] = written["symbol"].astype("category" if symbol == "category" else str)
    bars = parse_bars(file_of(written), name="any.parquet").bars
    unknown = [np.nan, np.nan]
    assert bars == Bars.of(
        "SPY", ["2024-01-02", "2024-01-03"], unknown, unknown, unknown, [11.0, 12.0], [1000, np.nan]
    )


def test_without_a_symbol_column_the_name_tells_it() -> None:
    written = frame().drop(columns="symbol")
    assert parse_bars(file_of(written), name="vix.parquet").bars.symbols() == ("^VIX",)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("close", ["11", "12"], Reason.COLUMNS),
        ("symbol", 7, Reason.COLUMNS),
        ("symbol", ["SPY", None], Reason.SYMBOL),
        ("symbol", ["SPY", "A" * 65], Reason.SYMBOL),
        ("date", ["2024-01-02", "2024-01-03"], Reason.COLUMNS),
        ("date", pd.to_datetime(["2024-01-02 09:30", "2024-01-03 09:30"]), Reason.NOT_DAILY),
        ("date", pd.to_datetime(["2024-01-02", "2024-01-03"], utc=True), Reason.COLUMNS),
        ("date", pd.to_datetime(["2024-01-02", "NaT"]), Reason.DATE),
        ("date", pd.to_datetime(["2024-01-03", "2024-01-02"]), Reason.UNSORTED),
        ("close", [np.nan, np.nan], Reason.EMPTY),
        ("close", [11.0, np.inf], Reason.NON_POSITIVE_PRICE),
    ],
)
def test_a_column_that_cannot_hold_its_field_is_refused(column: str, value: object, code: Reason) -> None:
    assert code_of(file_of(frame(**{column: value}))) == code


def test_foreign_columns_are_no_bars() -> None:
    assert code_of(file_of(pd.DataFrame({"series": ["a"], "value": [1.0]}))) == Reason.HEADER


def test_a_cut_or_damaged_file_is_told_apart() -> None:
    data = parquet_bytes(BARS)
    assert code_of(data[:-1]) == Reason.TRUNCATED
    assert code_of(b"PAR1") == Reason.CORRUPT
    assert code_of(b"PAR1" + b"\xff" * 100 + b"PAR1") == Reason.CORRUPT


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_unpacked() -> None:
    rows = 400_000
    table = pa.table({"date": pa.repeat(pa.scalar(1, pa.date32()), rows), "close": pa.repeat(1.0, rows)})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue()
    assert len(data) < 10_000
    assert code_of(data, bytes_decoded_max=2**20) == Reason.TOO_LARGE
    assert code_of(data, rows_max=1000) == Reason.TOO_LARGE


def test_a_long_text_that_packs_well_is_refused_before_it_is_unpacked() -> None:
    table = pa.table({"symbol": ["A" * 2**22], "date": pa.array([1], pa.date32()), "close": [1.0]})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    assert code_of(sink.getvalue(), bytes_decoded_max=2**20) == Reason.TOO_LARGE


def test_reading_and_writing_do_not_import_pandas(tmp_path: Path) -> None:
    write_parquet(BARS, tmp_path / "part")
    code = (
        "import sys; from pathlib import Path; from daemon.formats import parquet_bytes, read_part;"
        "print(len(parquet_bytes(read_part(Path(sys.argv[1])))), 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "part")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{len(parquet_bytes(BARS))} False\n"


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    assert all(explanation.meaning and explanation.remedy for explanation in EXPLANATIONS.values())
