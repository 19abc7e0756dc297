"""How numbers are written: with a sign that is a minus, with a dash where evidence is missing, never as 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from daemon.report.page_markup import Markup, tag

Document: TypeAlias = Mapping[str, Any]
"""The report document, or an object in it."""

BOOTSTRAP: Final = "95 %, bootstrap of blocks of 20 days"
MOST_TOLD: Final = 100
"""Up to so many verdicts, decisions, runs and alarms are all told one by one."""
NEWEST: Final = 50
"""Of more than that the newest so many, so that the page of a long life stays small."""
RIGHT: Final = {True: "rightly", False: "wrongly", None: "not shown either way"}
"""How a decision is told to have been."""
MINUS: Final = "\u2212"
DASH: Final = "\u2013"
THIN: Final = "\u202f"
"""A narrow space that does not break, between a number and its unit."""
GROUPS: Final = ("overall", "crash", "recovery", "high_volatility", "normal", "low_volatility")
"""What scores are told for: all days, and the days of each regime."""
NO_EVIDENCE: Final = Markup(f"{tag('span', DASH, aria_hidden='true')}{tag('i', 'not enough evidence')}")
"""A dash to look at, the words to hear."""


def spoken(name: str) -> str:
    """Give a name as words.

    >>> spoken("high_volatility"), spoken("overall")
    ('high volatility', 'all days')
    """
    return "all days" if name == "overall" else name.replace("_", " ")


def called(name: str) -> str:
    """Give the name of a policy as part of a sentence."""
    return "the champion" if name == "champion" else spoken(name)


def percent(share: float | None, *, signed: bool = False) -> str | None:
    """Give a share in percent, to a tenth.

    >>> percent(0.1214), percent(-0.0206, signed=True), percent(None)
    ('12.1\u202f%', '\u22122.1\u202f%', None)
    """
    return None if share is None else f"{decimals(100 * share, 1, signed=signed)}{THIN}%"


def nats(value: float | None) -> str | None:
    """Give a difference of log-losses with its sign, to a thousandth.

    >>> nats(0.0123), nats(-0.0004)
    ('+0.012', '0.000')
    """
    return None if value is None else decimals(value, 3, signed=True)


def decimals(value: float, places: int, *, signed: bool = False) -> str:
    """Give a number to so many places; what rounds to zero has no sign."""
    text = f"{value:+,.{places}f}" if signed else f"{value:,.{places}f}"
    if not text.strip("+-0.,"):
        return text.lstrip("+-")
    return text.replace("-", MINUS)


def short(value: float) -> str:
    """Give the value of a tick."""
    return f"{value:g}".replace("-", MINUS)


def count(value: int | None) -> str | None:
    """Give a count with its thousands apart."""
    return None if value is None else f"{value:,}"


def interval(low: float | None, high: float | None, *, scale: float = 1.0, places: int = 3) -> str | None:
    """Give the ends of an interval.

    >>> interval(-0.0123, 0.004, scale=100, places=1)
    '[\u22121.2, 0.4]'
    """
    if low is None or high is None:
        return None
    return f"[{decimals(scale * low, places)}, {decimals(scale * high, places)}]"


def in_percent(scores: Document) -> str:
    """Give skill with its interval, in one phrase."""
    ends = interval(scores["skill_low"], scores["skill_high"], scale=100, places=1)
    return f"{percent(scores['skill'], signed=True)} {ends or 'without interval'}"


def plural(amount: int, noun: str) -> str:
    """Give a count with its noun.

    >>> plural(1, "day"), plural(2000, "day")
    ('1 day', '2,000 days')
    """
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def newest(items: Sequence[Document]) -> Sequence[Document]:
    """Give those that are told one by one; items stand in the order of their days.

    >>> len(newest([{}] * 100)), len(newest([{}] * 101))
    (100, 50)
    """
    return items if len(items) <= MOST_TOLD else items[-NEWEST:]


def by_name(items: list[Document], name: str) -> Document | None:
    """Give the item of that name, if there is one."""
    return next((each for each in items if each["name"] == name), None)
