"""Why a file is refused: stable codes, what each means, and what to do about it.

The codes are public: they stand in events, beside quarantined files and in alert rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from daemon.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reason(StrEnum):
    """The reason codes of refused files.

    >>> Reason("split_suspected") is Reason.SPLIT_SUSPECTED
    True
    """

    HEADER = "header"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    ENCODING = "encoding"
    ERROR_BODY = "error_body"
    FILE_NAME = "file_name"
    TOO_LARGE = "too_large"
    COLUMNS = "columns"
    NUMBER = "number"
    DATE = "date"
    NOT_DAILY = "not_daily"
    SYMBOL = "symbol"
    DUPLICATE_DAY = "duplicate_day"
    UNSORTED = "unsorted"
    OHLC_ORDER = "ohlc_order"
    NON_POSITIVE_PRICE = "non_positive_price"
    NEGATIVE_VOLUME = "negative_volume"
    FUTURE_DATE = "future_date"
    NON_SESSION_DAY = "non_session_day"
    SPLIT_SUSPECTED = "split_suspected"
    SOURCE_CONFLICT = "source_conflict"
    FEAR_UNIT = "fear_unit"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a reason code means, and what the operator can do."""

    meaning: str
    remedy: str


def _because(meaning: str, remedy: str) -> Explanation:
    return Explanation(meaning=meaning, remedy=remedy)


EXPLANATIONS: Final[Mapping[Reason, Explanation]] = MappingProxyType(
    {
        Reason.HEADER: _because(
            "the first line or bytes are those of no known format",
            "save it as one of the formats in the documentation, with their column names",
        ),
        Reason.EMPTY: _because("there is no bar in it", "check the export or the symbol that was asked for"),
        Reason.TRUNCATED: _because(
            "the file ends before its content does", "copy or download it again, to the end"
        ),
        Reason.CORRUPT: _because("the bytes are damaged", "copy or download it again"),
        Reason.ENCODING: _because("the text is not UTF-8", "save it as UTF-8"),
        Reason.ERROR_BODY: _because(
            "it is an error message or a web page that was saved in place of data",
            "read the message, then download it again",
        ),
        Reason.FILE_NAME: _because(
            "the file name has control characters or separators, or is too long", "rename the file"
        ),
        Reason.TOO_LARGE: _because(
            "it is larger than the bounds of [ingest], packed or unpacked",
            "split it into smaller files, or raise the bound",
        ),
        Reason.COLUMNS: _because(
            "rows or columns differ in length, or a column has a type that cannot hold its field",
            "give every row all fields of the header",
        ),
        Reason.NUMBER: _because("a field is not a plain decimal number", "mend or remove the row"),
        Reason.DATE: _because("a day is missing or does not exist", "mend or remove the row"),
        Reason.NOT_DAILY: _because("the bars are not daily", "export daily bars"),
        Reason.SYMBOL: _because(
            "there is no symbol, or it has characters that no symbol has",
            "name the file after the symbol, or mend the symbol column",
        ),
        Reason.DUPLICATE_DAY: _because(
            "a symbol has a day twice", "keep the row that is right and remove the other"
        ),
        Reason.UNSORTED: _because("days of a symbol do not ascend", "sort by date, oldest first"),
        Reason.OHLC_ORDER: _because(
            "low <= open, close <= high does not hold", "correct the row, or leave open, high and low empty"
        ),
        Reason.NON_POSITIVE_PRICE: _because(
            "a price is zero, negative, infinite or absurdly large", "correct or remove the row"
        ),
        Reason.NEGATIVE_VOLUME: _because(
            "a volume is negative or infinite", "correct the row, or leave volume empty"
        ),
        Reason.FUTURE_DATE: _because(
            "a bar lies after today", "check the export, and the clock of this machine"
        ),
        Reason.NON_SESSION_DAY: _because(
            "a bar lies on a day on which the market was shut",
            "remove the row, or set the market's calendar to the one that the symbol trades on",
        ),
        Reason.SPLIT_SUSPECTED: _because(
            "the price jumps overnight by a usual split ratio, as unadjusted prices do",
            "export prices adjusted for splits, with the whole history; release it if the move was real",
        ),
        Reason.SOURCE_CONFLICT: _because(
            "closes differ from those stored from another source by more than rounding",
            "decide which source is right; release the file to let it win",
        ),
        Reason.FEAR_UNIT: _because(
            "a fear index has a median below 2, as fractions have, and not VIX points",
            "multiply it by 100, or correct fear in the market's configuration",
        ),
        Reason.UNREADABLE: _because(
            "reading it took more time or memory than allowed",
            "split it into smaller files, or raise the limits of [ingest]",
        ),
    }
)
"""Every reason code with its meaning and its remedy."""


class FileRejectedError(DaemonError):
    """A file cannot be taken in.

    Parameters
    ----------
    code
        One of `Reason`.
    sentence
        What is wrong, where, and what to do.
    """

    def __init__(self, code: Reason | str, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Final = Reason(code)


def rejection(code: Reason, fact: str) -> FileRejectedError:
    """Give the error for a fact, with the remedy that its reason code has.

    >>> str(rejection(Reason.EMPTY, "the file is blank"))
    'the file is blank; check the export or the symbol that was asked for'
    """
    return FileRejectedError(code, f"{fact}; {EXPLANATIONS[code].remedy}")
