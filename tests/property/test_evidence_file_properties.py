from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daemon.commands.gate import judge_evidence
from daemon.errors import EvidenceRefusedError
from daemon.formats.evidence import read_evidence
from regime.types import REGIMES
from registry.gate import GateReport, Kind
from registry.policy import DEFAULT
from tests.examples import examples

if TYPE_CHECKING:
    from random import Random

HEADER = "date,symbol,regime,truth,candidate_up,candidate_down,champion_up,champion_down"


def rows_of(seed: int, days: int) -> list[str]:
    generator = np.random.default_rng(seed)
    rows = []
    for at in range(days):
        regime = REGIMES[at // 25 % 5].value
        for symbol in ("A", "B", "C", "D", "E"):
            own, other = generator.integers(1, 127, 2) / 128
            rows.append(
                f"{np.datetime64('2012-01-02') + at},{symbol},{regime},{generator.integers(0, 2)},"
                f"{own},{1 - own},{other},{1 - other}"
            )
    return rows


def judged(rows: list[str]) -> GateReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
        return judge_evidence(read_evidence(path), DEFAULT, kind=Kind.CHANGE, judged_before=0)


def told(rows: list[str]) -> str:
    try:
        return judged(rows).verdict
    except EvidenceRefusedError as error:
        return str(error)


@examples(15)
@given(st.integers(0, 1000), st.sampled_from([3, 260]), st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_report(seed: int, days: int, chance: Random) -> None:
    rows = rows_of(seed, days)
    report = judged(rows)
    chance.shuffle(rows)
    assert judged(rows).to_json() == report.to_json()
    assert report.evidence_rows == 5 * days


@examples(60)
@given(st.integers(0, 14), st.integers(0, 7), st.text(max_size=12))
def test_whatever_stands_in_a_cell_is_judged_or_refused(row: int, column: int, cell: str) -> None:
    rows = rows_of(1, 3)
    cells = rows[row].split(",")
    cells[column] = cell
    rows[row] = ",".join(cells)
    assert told(rows).startswith(("REJECT", "HOLD_", "rows.csv: "))
