"""What a tree model looked at: features by their mean contribution, overall and by regime."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from regime.errors import RegimeError
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP: Final = 15
"""Features of a ranking that are told one by one."""

CLEAR: Final = 0.3
"""The rank correlation from which a direction is worth a sign; chance is beyond .28 in one of 20 times, by 50
rows."""

JSON_FORMAT: Final = 1


class ExplanationInvalidError(RegimeError):
    """What was stored is no explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What one feature contributed to the class scores of a group of rows.

    Parameters
    ----------
    feature
        Its name.
    importance
        Mean over rows and classes of the absolute contribution, in log-odds; see ``regime.explain``.
    share
        The part of the importance of all features, 0 to 1.
    direction
        Spearman's (1904) rank correlation, -1 to 1, of the feature's value with its contribution to the upper
        class minus that to the lower one: above 0, higher values speak for the upper barrier. ``None``
        where it can't be told: too few known values, or one side does not vary.
    """

    feature: str
    importance: float
    share: float
    direction: float | None

    @property
    def sign(self) -> str:
        """Give ``+`` or ``-`` where the direction is clear, a correlation of at least .3, else ``~``.

        >>> Attribution(feature="a", importance=0.1, share=0.5, direction=-0.8).sign
        '-'
        """
        if self.direction is None or abs(self.direction) < CLEAR:
            return "~"
        return "+" if self.direction > 0 else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The features of a group of rows by importance.

    Parameters
    ----------
    rows
        Rows that were explained.
    importance
        Importance of every feature, in the order of the explanation's ``feature_names``, in log-odds.
    top
        The first 15 in falling order of importance; of equal ones the earlier name comes first.
    """

    rows: int
    importance: tuple[float, ...]
    top: tuple[Attribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a fitted tree model looked at on a sample of rows.

    Contributions are those beside the margin: what the model added to the log-probabilities that it
    started from. A feature that acts through the margin alone has an importance of 0 here.

    Parameters
    ----------
    model
        Name of the explained model.
    classes
        Class names in the order of their ids, the lower barrier first and the upper one last.
    feature_names
        The columns that the model was fitted on.
    overall
        All regimes, each weighing as many rows as it has outside the sample.
    regimes
        By regime; ``None`` where fewer than 50 rows were explained.
    """

    model: str
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    overall: Ranking
    regimes: Mapping[Regime, Ranking | None]

    def rankings(self) -> tuple[tuple[Regime | None, Ranking | None], ...]:
        """Give the ranking of each of the five regimes, and last, under ``None``, of all rows."""
        return (*((regime, self.regimes[regime]) for regime in REGIMES), (None, self.overall))

    def to_json(self) -> dict[str, Any]:
        """Give the explanation as plain JSON values.

        >>> ranking = Ranking(rows=50, importance=(0.5,), top=())
        >>> explanation = Explanation(model="lightgbm", classes=("sell", "buy"), feature_names=("a",),
        ...                           overall=ranking, regimes={regime: None for regime in REGIMES})
        >>> explanation.to_json()["overall"]["rows"]
        50
        """
        return {
            "format": JSON_FORMAT,
            "model": self.model,
            "classes": list(self.classes),
            "feature_names": list(self.feature_names),
            "overall": _ranking_to_json(self.overall),
            "regimes": {
                regime.value: None if ranking is None else _ranking_to_json(ranking)
                for regime, ranking in self.regimes.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Explanation:
        """Give the explanation that ``to_json`` stored.

        Raises
        ------
        ExplanationInvalidError
            If it is of another format, or incomplete.
        """
        if stored.get("format") != JSON_FORMAT:
            raise ExplanationInvalidError(
                f"explanation of format {stored.get('format')!r}, {JSON_FORMAT} is read here; train again"
            )
        try:
            return _explanation_of_json(stored)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ExplanationInvalidError(
                f"stored explanation is broken ({error!r}); restore the registry or train again"
            ) from error


def _ranking_to_json(ranking: Ranking) -> dict[str, Any]:
    return {
        "rows": ranking.rows,
        "importance": list(ranking.importance),
        "top": [asdict(attribution) for attribution in ranking.top],
    }


def _explanation_of_json(stored: Mapping[str, Any]) -> Explanation:
    rankings = {regime: stored["regimes"][regime.value] for regime in REGIMES}
    return Explanation(
        model=stored["model"],
        classes=tuple(stored["classes"]),
        feature_names=tuple(stored["feature_names"]),
        overall=_ranking_of_json(stored["overall"]),
        regimes={
            regime: None if ranking is None else _ranking_of_json(ranking)
            for regime, ranking in rankings.items()
        },
    )


def _ranking_of_json(stored: Mapping[str, object]) -> Ranking:
    attributions = cast("list[dict[str, Any]]", stored["top"])
    return Ranking(
        rows=cast("int", stored["rows"]),
        importance=tuple(cast("list[float]", stored["importance"])),
        top=tuple(Attribution(**attribution) for attribution in attributions),
    )
