"""What the gate judges by: matured, out-of-sample predictions of both models on the same rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.types import Regime
from registry.policy import GateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SUM_TOLERANCE: Final = 1e-6
CLASSES_MIN: Final = 2


class EvidenceInvalidError(GateError):
    """A row or column of the evidence cannot be judged.

    Parameters
    ----------
    code
        Stable reason code: shape, classes, date, duplicate_row, regime, truth, probability, baseline.
    sentence
        What is wrong, and what to do.
    at
        Position of the first row at fault, from 0 on; None if no single row is to blame.
    who
        Which row that is, for people.
    """

    def __init__(self, code: str, sentence: str, *, at: int | None = None, who: str = "") -> None:
        super().__init__(sentence if at is None else f"row {at} ({who}): {sentence}")
        self.code = code
        self.sentence = sentence
        self.at = at
        self.who = who

    def counted_from(self, first_row: int) -> str:
        """Give the sentence with the number that the row has where the first one is ``first_row``.

        >>> EvidenceInvalidError("date", "the date is missing", at=3, who="SPY").counted_from(2)
        'row 5 (SPY): the date is missing'
        """
        return str(self) if self.at is None else f"row {first_row + self.at} ({self.who}): {self.sentence}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Predictions and outcomes, one row a (date, symbol), in any order.

    Invalid evidence cannot be made: a caller that catches the error hands the gate a candidate whose
    invariant ``probabilities_valid`` is false, and the verdict is ERROR.

    Parameters
    ----------
    date, symbol
        Shape (n_rows,), the day at whose close the prediction was made (datetime64[D]) and for what.
    regime
        Shape (n_rows,), values of `Regime`, the label known at that close. Rows that are ``unknown``
        count in no regime.
    truth
        Shape (n_rows,), position of the class that came true; only matured rows are evidence.
    candidate, champion, prior
        Shape (n_rows, n_classes), probabilities by out-of-sample models; ``prior`` is the class mix of
        the row's regime known before the row's fold. ``champion`` is None if there is none, ``prior``
        if it is not known; without either there is nothing to compare with.
    classes
        Names of the classes, in the order of the columns.
    sector
        Shape (n_rows,), the sector of each symbol; an empty one counts in none. None if sectors are not
        known.
    served
        Shape (n_rows,), whether the champion's side is what it said while it served. That may be of a fit
        that has grown old, so a large gain there is no sign of a leak. None: nowhere.

    Raises
    ------
    EvidenceInvalidError
        Naming the first row at fault.
    """

    date: NDArray[np.datetime64]
    symbol: NDArray[np.str_]
    regime: NDArray[np.str_]
    truth: NDArray[np.integer]
    candidate: NDArray[np.float64]
    champion: NDArray[np.float64] | None
    prior: NDArray[np.float64] | None
    classes: tuple[str, ...]
    sector: NDArray[np.str_] | None = None
    served: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        _check_classes(self)
        _check_shapes(self)
        _check_rows(self)
        _check_duplicates(self)
        for name, probabilities in _probabilities(self):
            _check_probabilities(self, name, probabilities)

    def __len__(self) -> int:
        return len(self.date)

    def ordered(self) -> Evidence:
        """Give the same rows by date and symbol, so that sums do not depend on the order of arrival."""
        order = _order(self)
        return replace(
            self,
            date=self.date[order],
            symbol=self.symbol[order],
            regime=self.regime[order],
            truth=self.truth[order],
            candidate=self.candidate[order],
            champion=None if self.champion is None else self.champion[order],
            prior=None if self.prior is None else self.prior[order],
            sector=None if self.sector is None else self.sector[order],
            served=None if self.served is None else self.served[order],
        )

    def digest(self) -> str:
        """Give the SHA-256, in hexadecimal, of all rows; their order does not matter."""
        order = _order(self)
        digest = hashlib.sha256("\0".join(self.classes).encode())
        for column in (self.symbol, self.regime):
            digest.update("\0".join(column[order].astype(np.str_).tolist()).encode())
        for numbers in (self.date, self.truth):
            digest.update(numbers[order].astype("<i8").tobytes())
        for name, probabilities in _probabilities(self):
            digest.update(name.encode() + probabilities[order].astype("<f8").tobytes())
        if self.sector is not None:
            digest.update(("sector\0" + "\0".join(self.sector[order].astype(np.str_).tolist())).encode())
        if self.served is not None:
            digest.update(b"served\0" + self.served[order].astype(np.bool_).tobytes())
        return digest.hexdigest()


def _probabilities(evidence: Evidence) -> Iterator[tuple[str, NDArray[np.float64]]]:
    yield "candidate", evidence.candidate
    if evidence.champion is not None:
        yield "champion", evidence.champion
    if evidence.prior is not None:
        yield "prior", evidence.prior


def _order(evidence: Evidence) -> NDArray[np.intp]:
    return np.lexsort((evidence.symbol.astype(np.str_), evidence.date))


def _check_classes(evidence: Evidence) -> None:
    if len(set(evidence.classes)) != len(evidence.classes) or len(evidence.classes) < CLASSES_MIN:
        raise EvidenceInvalidError(
            "classes", f"classes are {evidence.classes}; name {CLASSES_MIN} or more, each once"
        )
    if evidence.champion is None and evidence.prior is None:
        raise EvidenceInvalidError(
            "baseline", "there is neither a champion nor a prior to compare with; give one of them"
        )


def _check_shapes(evidence: Evidence) -> None:
    rows, classes = len(evidence.date), len(evidence.classes)
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(("date", "symbol", "regime", "truth"), (rows,))
    expected |= {name: (rows, classes) for name, _ in _probabilities(evidence)}
    if evidence.sector is not None:
        expected["sector"] = (rows,)
    if evidence.served is not None:
        expected["served"] = (rows,)
    for name, shape in expected.items():
        if getattr(evidence, name).shape != shape:
            raise EvidenceInvalidError(
                "shape",
                f"{name} has shape {getattr(evidence, name).shape}, not {shape};"
                " give every row all columns and every class a probability",
            )
    if evidence.date.dtype != np.dtype("datetime64[D]"):
        raise EvidenceInvalidError(
            "date", f"dates are {evidence.date.dtype}, not datetime64[D]; give calendar days"
        )
    if not np.issubdtype(evidence.truth.dtype, np.integer):
        raise EvidenceInvalidError(
            "truth", f"truth is {evidence.truth.dtype}, not whole numbers; give the position of each class"
        )
    for name, probabilities in _probabilities(evidence):
        if not np.issubdtype(probabilities.dtype, np.floating):
            raise EvidenceInvalidError(
                "probability", f"{name} probabilities are {probabilities.dtype}; give floating point numbers"
            )


def _check_rows(evidence: Evidence) -> None:
    _refuse(evidence, np.isnat(evidence.date), "date", "the date is missing; drop or mend the row")
    wrong = ~np.isin(evidence.regime.astype(np.str_), [regime.value for regime in Regime])
    _refuse(
        evidence, wrong, "regime", f"the regime is not one of {', '.join(Regime)}; label the day or drop it"
    )
    known = np.isin(evidence.truth, np.arange(len(evidence.classes)))
    _refuse(
        evidence,
        ~known,
        "truth",
        f"the truth is no position in {evidence.classes}; keep only rows whose target has matured",
    )


def _check_duplicates(evidence: Evidence) -> None:
    order = _order(evidence)
    date, symbol = evidence.date[order], evidence.symbol[order]
    repeated = np.zeros(len(evidence), dtype=np.bool_)
    repeated[order[1:]] = (date[1:] == date[:-1]) & (symbol[1:] == symbol[:-1])
    _refuse(evidence, repeated, "duplicate_row", "this symbol and day occur twice; keep one of them")


def _check_probabilities(evidence: Evidence, name: str, probabilities: NDArray[np.float64]) -> None:
    inside = np.isfinite(probabilities) & (probabilities >= 0) & (probabilities <= 1 + SUM_TOLERANCE)
    _refuse(
        evidence,
        ~np.asarray(inside.all(axis=1), dtype=np.bool_),
        "probability",
        f"a {name} probability is missing or outside [0, 1]; mend the model's output or drop the row",
    )
    off = np.abs(probabilities.sum(axis=1) - 1)
    _refuse(
        evidence,
        np.asarray(off > SUM_TOLERANCE, dtype=np.bool_),
        "probability",
        f"the {name} probabilities do not sum to 1 within {SUM_TOLERANCE:g}; scale them",
    )


def _refuse(evidence: Evidence, wrong: NDArray[np.bool_], code: str, what: str) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        who = f"{evidence.symbol[at]} {evidence.date[at]}, {int(wrong.sum())} such rows"
        raise EvidenceInvalidError(code, what, at=at, who=who)
