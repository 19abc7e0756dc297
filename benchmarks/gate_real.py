"""How often the gate errs on real out-of-sample predictions of several members.

Files are parquet with columns date, symbol, regime, truth (name of the class) and, for each member,
``<member>_<class>``; a member called ``prior`` is the regime prior, against which floors are held. Every
member stands for a recipe. Printed are

- ``pairs``: each member against each, in nested expanding windows, grouped by the difference of their skill
  over all days (better or worse by 1.4 % of the champion's log-loss or more, or between), and the better by
  whether their log-loss is lower in all five regimes or only in some;
- ``damage``: the same for members that are better by 1.4 % or more in all five, after the probabilities of a
  share of their rows in one regime were turned round among the classes;
  told apart are pairs in which the candidate is now worse there than the champion, and those in which it was
  so much better that it still is not;
- ``null``: two members of nearly equal log-loss, their days swapped at random in blocks of 20, all history.

Windows of one comparison are nested and the pairs share members, so the shares are no independent trials.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from regime.types import REGIMES, Regime
from registry.gate import Candidate, Ledger, judge_days
from registry.gate_report import Verdict
from registry.policy import DEFAULT, Metric
from registry.safety import RegimeDays
from registry.statistics import hits, log_losses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Scores = Mapping[Metric, NDArray[np.float64]]

CANDIDATE: Final = Candidate(version="candidate", recipe_hash="new", age_days=0, invariants=None)
CHAMPION: Final = Candidate(version="champion", recipe_hash="old", age_days=7, invariants=None)
PRIOR: Final = "prior"
KEYS: Final = ("date", "symbol", "regime", "truth")
FIRST_DAYS, STEP_DAYS = 1_260, 63
SKILL: Final = 0.014
NULL_DRAWS, SWAP_DAYS = 300, 20
DAMAGES: Final = (
    (Regime.CRASH, 0.05),
    (Regime.CRASH, 0.03),
    (Regime.CRASH, 0.02),
    (Regime.RECOVERY, 0.05),
    (Regime.HIGH_VOLATILITY, 0.05),
    (Regime.NORMAL, 0.02),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """Real predictions: days, how many rows each has, and each member's probabilities.

    ``day``, ``truth`` and ``probabilities`` have a value, or one a class, for each row; others for each day.
    """

    days: NDArray[np.datetime64]
    day: NDArray[np.intp]
    rows: NDArray[np.intp]
    regime: NDArray[np.str_]
    truth: NDArray[np.int64]
    probabilities: Mapping[str, NDArray[np.float64]]

    def scores(self, probabilities: NDArray[np.float64]) -> Scores:
        """Give the mean score of each day, by metric; higher is better."""
        rows = {
            Metric.LOG_LOSS: -log_losses(probabilities, self.truth, DEFAULT.probability_min),
            Metric.ACCURACY: hits(probabilities, self.truth),
        }
        return {metric: np.bincount(self.day, each) / self.rows for metric, each in rows.items()}

    def damaged(
        self, member: str, regime: Regime, share: float, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Give a member's probabilities, turned round among the classes on a share of one regime's rows."""
        spoiled = (self.regime[self.day] == regime.value) & (generator.random(len(self.day)) < share)
        return np.where(
            spoiled[:, None],
            np.roll(self.probabilities[member], 1, axis=1),
            self.probabilities[member],
        )


def read_members(files: Sequence[Path]) -> Members:
    """Read predictions, in date order.

    Raises
    ------
    ValueError
        If a column is missing or a day has two regimes.
    """
    table = pa.concat_tables([pq.read_table(file) for file in files]).sort_by("date")
    lacking = [key for key in KEYS if key not in table.column_names]
    if lacking:
        msg = f"{files[0]} has no column {', '.join(lacking)}"
        raise ValueError(msg)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    classes, truth = np.unique(columns["truth"].astype(np.str_), return_inverse=True)
    days, first, day = np.unique(
        columns["date"].astype("datetime64[D]"), return_index=True, return_inverse=True
    )
    regime = columns["regime"].astype(np.str_)
    if np.any(regime != regime[first][day]):
        msg = f"{files[0]}: a day has two regimes; give the predictions of one market"
        raise ValueError(msg)
    members = [name.removesuffix(f"_{classes[0]}") for name in columns if name.endswith(f"_{classes[0]}")]
    return Members(
        days=days,
        day=day,
        rows=np.bincount(day),
        regime=regime[first],
        truth=truth,
        probabilities={
            member: np.column_stack([columns[f"{member}_{each}"] for each in classes]) for member in members
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """Compares two series of daily scores over the first days of the history."""

    members: Members
    prior: Scores | None

    def verdict(self, candidate: Scores, champion: Scores, n_days: int) -> str:
        """Give the gate's verdict on the first ``n_days`` days."""
        days = [self._days(regime, candidate, champion, n_days) for regime in REGIMES]
        return judge_days(CANDIDATE, CHAMPION, days, DEFAULT, Ledger()).verdict.value

    def windows(self, candidate: Scores, champion: Scores) -> Counter[str]:
        """Count the verdicts in nested expanding windows, the last of which is all history."""
        n_days = len(self.members.days)
        ends = [*range(FIRST_DAYS, n_days, STEP_DAYS), n_days]
        return Counter(self.verdict(candidate, champion, end) for end in ends)

    def gains(self, candidate: Scores, champion: Scores) -> list[float]:
        """Give the gain in log-loss in each of the five regimes, over all days."""
        gain = candidate[Metric.LOG_LOSS] - champion[Metric.LOG_LOSS]
        return [float(gain[self.members.regime == regime.value].mean()) for regime in REGIMES]

    def _days(self, regime: Regime, candidate: Scores, champion: Scores, n_days: int) -> RegimeDays:
        inside = np.flatnonzero(self.members.regime[:n_days] == regime.value)

        def gains(other: Scores | None) -> dict[Metric, NDArray[np.float64]]:
            return {} if other is None else {m: candidate[m][inside] - other[m][inside] for m in other}

        return RegimeDays(
            regime=regime,
            date=self.members.days[inside],
            rows=int(self.members.rows[inside].sum()),
            over_champion=gains(champion),
            over_prior=gains(self.prior),
        )


def print_real(files: Sequence[Path], seed: int) -> dict[str, object]:
    """Print all tables and give their figures."""
    members = read_members(files)
    scores = {name: members.scores(each) for name, each in members.probabilities.items()}
    prior = scores.pop(PRIOR, None)
    judge = Judge(members=members, prior=prior)
    loss = {name: log_loss(members, name) for name in scores}
    gains = {(a, b): 1 - loss[b] / loss[a] for a, b in permutations(scores, 2)}
    print(f"{len(members.day)} rows, {len(members.days)} days, {len(scores)} members")
    return {
        "pairs": print_pairs(judge, scores, gains),
        "damage": print_damage(judge, scores, gains, seed),
        "null": print_null(judge, scores, loss, seed),
    }


def log_loss(members: Members, name: str) -> float:
    """Give a member's mean log-loss over all rows."""
    return float(log_losses(members.probabilities[name], members.truth, DEFAULT.probability_min).mean())


def print_pairs(
    judge: Judge, scores: Mapping[str, Scores], gains: Mapping[tuple[str, str], float]
) -> dict[str, dict[str, float]]:
    """Print the shares of verdicts by group of pairs, and every pair outside its group's reach."""
    groups = {name: Counter[str]() for name in ("better in all", "better in some", "twin", "worse")}
    for (champion, candidate), gain in gains.items():
        group = group_of(gain, judge.gains(scores[candidate], scores[champion]))
        verdicts = judge.windows(scores[candidate], scores[champion])
        groups[group] += verdicts
        promoted = verdicts[Verdict.PROMOTE] / verdicts.total()
        if (group == "better in all" and promoted < 1) or (group == "worse" and promoted > 0):
            print(f"  {group} {champion} -> {candidate} ({gain:+.1%}): {told(verdicts)}", flush=True)
    return told_groups("pairs", groups)


def group_of(gain: float, by_regime: Sequence[float]) -> str:
    """Name the group of a pair by its gain in skill and its gains in the regimes."""
    if abs(gain) < SKILL:
        return "twin"
    if gain < 0:
        return "worse"
    return "better in all" if min(by_regime) > 0 else "better in some"


def print_damage(
    judge: Judge,
    scores: Mapping[str, Scores],
    gains: Mapping[tuple[str, str], float],
    seed: int,
) -> dict[str, dict[str, float]]:
    """Print the shares of verdicts on better members with planted damage."""
    groups: dict[str, Counter[str]] = {}
    better = [
        (one, other)
        for (one, other), gain in gains.items()
        if group_of(gain, judge.gains(scores[other], scores[one])) == "better in all"
    ]
    for regime, share in DAMAGES:
        generator = np.random.default_rng(seed)
        for candidate in sorted({candidate for _, candidate in better}):
            spoiled = judge.members.scores(judge.members.damaged(candidate, regime, share, generator))
            for champion in (one for one, other in better if other == candidate):
                left = judge.gains(spoiled, scores[champion])[REGIMES.index(regime)]
                name = f"{share:.0%} of {regime}, {'worse' if left < 0 else 'still better'} there"
                groups.setdefault(name, Counter()).update(judge.windows(spoiled, scores[champion]))
    return told_groups("damage", groups)


def print_null(
    judge: Judge, scores: Mapping[str, Scores], loss: Mapping[str, float], seed: int
) -> dict[str, dict[str, float]]:
    """Print the shares of verdicts between two members whose days were swapped at random."""
    one, other = nearest(loss)
    n_days = len(judge.members.days)
    generator, verdicts = np.random.default_rng(seed), Counter[str]()
    for _ in range(NULL_DRAWS):
        swapped = np.repeat(generator.random(n_days // SWAP_DAYS + 1) < 0.5, SWAP_DAYS)[:n_days]
        verdicts[
            judge.verdict(mixed(scores, one, other, swapped), mixed(scores, other, one, swapped), n_days)
        ] += 1
    return told_groups("null", {f"{one} / {other}": verdicts})


def nearest(loss: Mapping[str, float]) -> tuple[str, str]:
    """Give the two members whose log-loss is nearest and yet not the same."""
    pairs = [(abs(loss[a] - loss[b]), a, b) for a, b in permutations(sorted(loss), 2) if loss[a] != loss[b]]
    _, one, other = min(pairs)
    return one, other


def mixed(
    scores: Mapping[str, Scores], one: str, other: str, swapped: NDArray[np.bool_]
) -> dict[Metric, NDArray[np.float64]]:
    """Give the scores of one member, those of the other on swapped days."""
    return {m: np.where(swapped, scores[other][m], scores[one][m]) for m in scores[one]}


def told(verdicts: Counter[str]) -> str:
    """Give the shares of verdicts in words."""
    return " ".join(f"{name} {count / verdicts.total():.3f}" for name, count in sorted(verdicts.items()))


def told_groups(title: str, groups: Mapping[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """Print one line a group and give the shares."""
    for name, verdicts in groups.items():
        print(f"{title:7} {name:45} n {verdicts.total():5}  {told(verdicts)}", flush=True)
    return {name: shares(verdicts.items(), verdicts.total()) for name, verdicts in groups.items()}


def shares(counts: Iterable[tuple[str, int]], total: int) -> dict[str, float]:
    """Give counts as shares of their total."""
    return {name: count / total for name, count in sorted(counts)} | {"n": float(total)}
