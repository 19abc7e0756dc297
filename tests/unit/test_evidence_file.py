"""Files of predictions as evidence: what is taken, and how each fault is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daemon.errors import EvidenceRefusedError, UsageError
from daemon.formats.evidence import read_evidence

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "date,symbol,regime,truth,candidate_up,candidate_down,champion_up,champion_down"
FINE = (
    "2020-03-02,SPY,crash,up,0.75,0.25,0.5,0.5",
    "2020-03-02,QQQ,crash,1,0.25,0.75,0.5,0.5",
    "2020-03-03,SPY,unknown,0.0,0.5,0.5,0.125,0.875",
)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def refusal(folder: Path, *lines: str, trained_to: str | None = None) -> str:
    day = None if trained_to is None else np.datetime64(trained_to, "D")
    with pytest.raises(EvidenceRefusedError) as caught:
        read_evidence(written(folder, *lines), trained_to=day)
    return str(caught.value)


def parquet(folder: Path, **columns: object) -> Path:
    fine: dict[str, object] = {
        "date": pa.array(np.array(["2020-03-02", "2020-03-02", "2020-03-03"], dtype="datetime64[D]")),
        "symbol": pa.array(["SPY", "QQQ", "SPY"]),
        "regime": pa.array(["crash", "crash", "unknown"]),
        "truth": pa.array([0, 1, 0]),
        "candidate_up": pa.array([0.75, 0.25, 0.5]),
        "candidate_down": pa.array([0.25, 0.75, 0.5]),
        "champion_up": pa.array([0.5, 0.5, 0.125]),
        "champion_down": pa.array([0.5, 0.5, 0.875]),
    }
    path = folder / "rows.parquet"
    pq.write_table(pa.table(fine | columns), path)
    return path


def test_a_csv_is_read_with_names_and_places_of_classes(tmp_path: Path) -> None:
    evidence = read_evidence(written(tmp_path, HEADER, *FINE))
    assert evidence.classes == ("up", "down")
    assert evidence.truth.tolist() == [0, 1, 0]
    assert evidence.date.astype(str).tolist() == ["2020-03-02", "2020-03-02", "2020-03-03"]
    assert evidence.regime.tolist() == ["crash", "crash", "unknown"]
    assert evidence.candidate.tolist() == [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]
    assert evidence.champion is not None
    assert evidence.champion[2].tolist() == [0.125, 0.875]
    assert evidence.prior is None


def test_a_class_that_is_called_like_a_number_goes_by_its_name(tmp_path: Path) -> None:
    header = "date,symbol,regime,truth,candidate_1,candidate_0,champion_1,champion_0"
    evidence = read_evidence(written(tmp_path, header, "2020-03-02,SPY,crash,1,0.75,0.25,0.5,0.5"))
    assert (evidence.classes, evidence.truth.tolist()) == (("1", "0"), [0])


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    header = "fold," + ",".join(reversed(HEADER.split(",")))
    rows = ["7," + ",".join(reversed(row.split(","))) for row in FINE]
    evidence = read_evidence(written(tmp_path, header, *rows))
    assert evidence.classes == ("down", "up")
    assert evidence.candidate[0].tolist() == [0.25, 0.75]


def test_a_prior_may_stand_instead_of_a_champion(tmp_path: Path) -> None:
    evidence = read_evidence(written(tmp_path, HEADER.replace("champion", "prior"), *FINE[:1]))
    assert evidence.champion is None
    assert evidence.prior is not None
    assert evidence.prior.tolist() == [[0.5, 0.5]]


def test_a_parquet_file_holds_the_same_as_a_csv(tmp_path: Path) -> None:
    same = read_evidence(written(tmp_path, HEADER, *FINE)).digest()
    assert read_evidence(parquet(tmp_path)).digest() == same
    as_text = {"date": ["2020-03-02", "2020-03-02", "2020-03-03"], "truth": ["up", "down", "up"]}
    assert read_evidence(parquet(tmp_path, **as_text)).digest() == same
    stamps = pa.array(np.array(["2020-03-02", "2020-03-02", "2020-03-03"], dtype="datetime64[ns]"))
    assert read_evidence(parquet(tmp_path, date=stamps, truth=[0.0, 1.0, 0.0])).digest() == same


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "2020-03-04,SPY,crash,up,0.7,0.2,0.5,0.5",
            "row 5 (SPY 2020-03-04, 1 such rows): the candidate prob",
        ),
        (
            "2020-03-04,SPY,crash,up,,1,0.5,0.5",
            "row 5 (SPY 2020-03-04, 1 such rows): a candidate probability is",
        ),
        (
            "2020-03-04,SPY,crash,up,0.5,0.5,nan,1",
            "row 5 (SPY 2020-03-04, 1 such rows): a champion probability is",
        ),
        (
            "2020-03-04,SPY,crash,up,1.5,-0.5,0.5,0.5",
            "row 5 (SPY 2020-03-04, 1 such rows): a candidate probability is missing or outside [0, 1]",
        ),
        (
            "2020-03-04,SPY,crash,up,0.5,0.5,0.6,0.6",
            "row 5 (SPY 2020-03-04, 1 such rows): the champion probabilities do not sum to 1",
        ),
        ("2020-03-04,SPY,crash,up,0.5,0.5,x,1", "row 5, champion_up: 'x'; mend or remove the row"),
        (
            "2020-03-03,SPY,crash,up,0.5,0.5,0.5,0.5",
            "row 5 (SPY 2020-03-03, 1 such rows): this symbol and day",
        ),
        (
            "2020-03-04,SPY,panic,up,0.5,0.5,0.5,0.5",
            "row 5 (SPY 2020-03-04, 1 such rows): the regime is not one",
        ),
        (
            "2020-03-04,SPY,crash,,0.5,0.5,0.5,0.5",
            "row 5 (and 0 more): the truth is not known; keep only rows",
        ),
        (
            "2020-03-04,SPY,crash,nan,0.5,0.5,0.5,0.5",
            "row 5 (and 0 more): the truth is not known; keep only rows",
        ),
        (
            "2020-03-04,SPY,crash,2,0.5,0.5,0.5,0.5",
            "row 5 (and 0 more): the truth '2' is none of up, down and no",
        ),
        ("2020-03-04,SPY,crash,-1,0.5,0.5,0.5,0.5", "row 5 (and 0 more): the truth '-1' is none of up, down"),
        ("2020-02-30,SPY,crash,up,0.5,0.5,0.5,0.5", "row 5, date: '2020-02-30' is no calendar day"),
        (",SPY,crash,up,0.5,0.5,0.5,0.5", "row 5, date: '' is no calendar day; write it like"),
        ("2020-03-04,,crash,up,0.5,0.5,0.5,0.5", "row 5 has no symbol; mend or drop the row"),
        ("2020-03-04,SPY,crash,up,0.5,0.5,0.5", "row 5 has 7 cells, the header 8; give every row all cells"),
        ('2020-03-04,"S\nP",crash,up,0.5,0.5,0.5,0.5', "row 5: a cell has a line break; remove it"),
        ("\n2020-03-04,SPY,crash,up,0.5,0.5,0.5,0.5", "row 5 is blank; remove it"),
    ],
)
def test_a_fault_is_told_with_the_row_that_an_editor_shows(row: str, sentence: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, HEADER, *FINE, row).startswith(f"rows.csv: {sentence}")


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            "date,symbol",
            "missing columns: regime, truth, candidate_<class>, champion_<class>; give date, symbol",
        ),
        ("a;b", "missing columns: date, symbol, regime, truth, candidate_<class>, champion_<class>; give"),
        (HEADER.removesuffix(",champion_down"), "missing columns: champion_down; give"),
        (HEADER.replace(",candidate_up", ""), "missing columns: candidate_up; give"),
        (HEADER.replace("truth,", "") + ",prior_up", "missing columns: truth, prior_down; give"),
        ("date,symbol,regime,truth,candidate_up", "missing columns: champion_up; give"),
        (HEADER + ",date", "the column 'date' occurs twice; keep one of them"),
    ],
)
def test_all_missing_columns_are_named(header: str, sentence: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, header, *FINE).startswith(f"rows.csv: {sentence}")


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path) == "rows.csv: the file is empty; write a header and a row for each day and symbol"
    )
    assert refusal(tmp_path, HEADER).startswith("rows.csv: there is a header and no row")


def test_one_class_is_no_choice(tmp_path: Path) -> None:
    header = "date,symbol,regime,truth,candidate_up,champion_up"
    assert "name 2 or more" in refusal(tmp_path, header, "2020-03-02,SPY,crash,up,1,1")


def test_days_of_training_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HEADER, *FINE, trained_to="2020-03-02").startswith(
        "rows.csv: row 2 (SPY 2020-03-02, 2 such rows): the day is not after 2020-03-02, the last"
    )
    day = np.datetime64("2020-03-01", "D")
    assert len(read_evidence(written(tmp_path, HEADER, *FINE), trained_to=day)) == 3


def test_a_column_may_say_how_far_the_training_of_each_row_went(tmp_path: Path) -> None:
    header = HEADER + ",trained_to"
    rows = [f"{row},2020-02-28" for row in FINE]
    assert len(read_evidence(written(tmp_path, header, *rows))) == 3
    rows[2] = f"{FINE[2]},2020-03-03"
    assert refusal(tmp_path, header, *rows).startswith(
        "rows.csv: row 4 (SPY 2020-03-03, 1 such rows): the day"
    )
    rows[2] = f"{FINE[2]},"
    assert refusal(tmp_path, header, *rows).startswith("rows.csv: row 4, trained_to: ''")


def test_a_column_may_name_the_sector_of_each_symbol(tmp_path: Path) -> None:
    rows = [f"{row},{sector}" for row, sector in zip(FINE, ("Energy", "", "Energy"), strict=True)]
    of_csv = read_evidence(written(tmp_path, HEADER + ",sector", *rows))
    assert of_csv.sector is not None
    assert of_csv.sector.tolist() == ["Energy", "", "Energy"]
    of_parquet = read_evidence(parquet(tmp_path, sector=pa.array(["Energy", None, "Energy"])))
    assert of_parquet.digest() == of_csv.digest()
    assert read_evidence(written(tmp_path, HEADER, *FINE)).sector is None
    long = f"{FINE[0]},{'x' * 65}"
    assert refusal(tmp_path, HEADER + ",sector", long).startswith("rows.csv: row 2, sector: 'xxxx")


def test_the_first_row_at_fault_is_named_with_how_many_there_are(tmp_path: Path) -> None:
    bad = ["2020-03-04,SPY,crash,up,0.7,0.2,0.5,0.5", "2020-03-05,SPY,crash,up,0.7,0.2,0.5,0.5"]
    assert refusal(tmp_path, HEADER, *FINE, *bad).startswith(
        "rows.csv: row 5 (SPY 2020-03-04, 2 such rows): the candidate probabilities do not sum to 1"
    )


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"truth": pa.array([0, None, 0])}, "row 2 (and 0 more): the truth is not known"),
        ({"symbol": pa.array(["SPY", None, "SPY"])}, "row 2 has no symbol"),
        (
            {"champion_up": pa.array([0.5, None, 0.125])},
            "row 2 (QQQ 2020-03-02, 1 such rows): a champion prob",
        ),
        (
            {"candidate_up": pa.array([0.75, 0.25, float("nan")])},
            "row 3 (SPY 2020-03-03, 1 such rows): a candidate probability is missing or outside [0, 1]",
        ),
        (
            {"candidate_up": pa.array([0.75, 0.2, 0.5])},
            "row 2 (QQQ 2020-03-02, 1 such rows): the candidate probabilities do not sum to 1",
        ),
        (
            {"symbol": pa.array(["SPY", "SPY", "SPY"])},
            "row 2 (SPY 2020-03-02, 1 such rows): this symbol and day occur twice",
        ),
        ({"truth": pa.array([0, 1, 2])}, "row 3 (and 0 more): the truth '2' is none of up, down"),
        ({"regime": pa.array(["crash", "panic", "normal"])}, "row 2 (QQQ 2020-03-02, 1 such rows): the regi"),
        (
            {"trained_to": pa.array(["2020-02-28", "2020-03-02", "2020-02-28"])},
            "row 2 (QQQ 2020-03-02, 1 such rows): the day is not after 2020-03-02, the last day of training",
        ),
        ({"sector": pa.array([True, False, True])}, "sector has the type bool; give texts"),
        ({"champion_up": pa.array(["a", "b", "c"])}, "champion_up has the type string; give numbers"),
        ({"regime": pa.array([True, False, True])}, "regime has the type bool; give texts"),
        ({"symbol": pa.array(["x" * 65, "b", "c"])}, f"symbol: '{'x' * 40}' has more than 64 characters"),
        (
            {
                "date": pa.array(
                    np.array(["2020-03-02T09:30", "2020-03-02", "2020-03-03"], dtype="datetime64[ns]")
                )
            },
            "row 1, date: 2020-03-02T09:30:00.000000000 is no calendar day",
        ),
    ],
)
def test_a_fault_in_a_parquet_file_counts_rows_from_one(
    columns: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(EvidenceRefusedError) as caught:
        read_evidence(parquet(tmp_path, **columns))
    assert str(caught.value).startswith(f"rows.parquet: {sentence}")


def test_damaged_and_absent_files_are_a_sentence(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    content = path.read_bytes()
    for damaged in (content[:-9], content[:40] + bytes(200) + content[240:], b"PAR1" + bytes(40) + b"PAR1"):
        path.write_bytes(damaged)
        with pytest.raises(EvidenceRefusedError, match=r"^rows\.parquet: "):
            read_evidence(path)
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(EvidenceRefusedError, match="the text is not UTF-8; save it as UTF-8"):
        read_evidence(path)
    path.write_bytes(b"\0" * 1000)
    with pytest.raises(EvidenceRefusedError, match="it has binary data"):
        read_evidence(path)
    with pytest.raises(UsageError, match=r"none\.csv is not a file"):
        read_evidence(tmp_path / "none.csv")
