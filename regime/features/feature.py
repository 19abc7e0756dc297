"""What a feature is: a name, a formula, how far it looks back, and the rule that computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from regime.features.cross_section import Comparison
    from regime.features.expression import Expression
    from regime.features.series import Series

REFERENCE: Final = "reference system, corrected"
"""Source of features whose idea is the replaced system's and whose formula was mended here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRule:
    """Computes a feature from each symbol's own series."""

    kernel: Callable[[Series], Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRule:
    """Computes a feature from the market index's series; symbols get the value known on their day."""

    kernel: Callable[[Series], Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class FearRule:
    """Computes a feature from the fear index's closes; symbols get the value known on their day."""

    kernel: Callable[[Series], Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRule:
    """Compares the values that another feature, ``column``, has on one day.

    Only known values are compared. The group is the day, or with ``within_sector`` the day's symbols of the
    same sector; a symbol whose sector is not known is compared with all symbols of the day.
    """

    column: str
    within_sector: bool
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the catalogue.

    ``formula`` is written for people; ``inputs`` are the fields it reads. ``look_back`` is the number of a
    symbol's last bars, today included, that the value depends upon. ``warm_up`` is the number of a symbol's
    first bars on which the value is NaN. The two differ by more than one only where a value of the index
    or of fear may have been carried. ``source`` is an author and year, or the replaced system.
    """

    name: str
    family: str
    formula: str
    inputs: tuple[str, ...]
    look_back: int
    warm_up: int
    source: str
    rule: SymbolRule | IndexRule | FearRule | DayRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A group of features that are written down together; shortens their declaration."""

    name: str

    def of_symbol(
        self,
        name: str,
        kernel: Callable[[Series], Expression],
        formula: str,
        look_back: int,
        inputs: str,
        source: str = REFERENCE,
        *,
        carried: int = 0,
    ) -> Feature:
        """Give a feature of a symbol's own series, warm after ``look_back`` - 1 bars.

        ``inputs`` are separated by blanks. ``carried`` bars more are looked back upon, for the age of a
        context value.
        """
        return Feature(
            name=name,
            family=self.name,
            formula=formula,
            inputs=tuple(inputs.split()),
            look_back=look_back + carried,
            warm_up=look_back - 1,
            source=source,
            rule=SymbolRule(kernel=kernel),
        )
