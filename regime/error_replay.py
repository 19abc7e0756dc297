"""Which past mistakes are trained on with more weight: the worst predicted rows, few of them, for a while.

Only predictions made out of sample count: what a model was wrong about although it was never told. Whether
replay helps is a question for ``regime.ablation``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.codes import regime_codes
from regime.errors import RegimeError, SettingInvalidError
from regime.sampling import allot
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EXTRA_WEIGHT_MAX: Final = 3.0
"""Bound of the setting: a mistake that counts four times what it is worth is a rule made of one row."""


class ReplayInputInvalidError(RegimeError):
    """Predicted rows contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """How much is replayed, and for how long. The numbers are those of the system before this one.

    Parameters
    ----------
    worst_share
        Share of each regime's rows that are its worst.
    train_share_max
        Replayed rows as a share of the training rows, at most.
    extra_weight
        What a replayed row weighs beside its own weight, in weights of an average row.
    days_max
        Calendar days after which a mistake is left alone.
    replays_max
        How often a row is replayed at most.
    agreement_noise
        A row is noise if more than this share of the members agree on one class and it is not the label.

    Raises
    ------
    SettingInvalidError
        Naming every setting that is out of range.
    """

    worst_share: float = 0.05
    train_share_max: float = 0.10
    extra_weight: float = 1.0
    days_max: int = 365
    replays_max: int = 3
    agreement_noise: float = 0.5

    def __post_init__(self) -> None:
        ranges = {
            "worst_share": 0 < self.worst_share <= 1,
            "train_share_max": 0 < self.train_share_max <= 1,
            "extra_weight": 0 < self.extra_weight <= EXTRA_WEIGHT_MAX,
            "days_max": self.days_max >= 1,
            "replays_max": self.replays_max >= 1,
            "agreement_noise": 0 < self.agreement_noise <= 1,
        }
        faults = [f"{name} = {getattr(self, name)}" for name, holds in ranges.items() if not holds]
        if faults:
            raise SettingInvalidError(
                f"replay cannot have {', '.join(faults)}; give shares up to 1, an extra weight up to"
                f" {EXTRA_WEIGHT_MAX:g}, and 1 or more days and replays"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCounts:
    """What became of the candidates of one regime, or of all.

    ``worst`` is the worst share of ``candidates``, and the sum of those replayed often enough already
    (``used_up``), those that most members contradict (``noise``), those beyond the share of a training set
    (``over_cap``), and those ``replayed``.
    """

    candidates: int
    worst: int
    used_up: int
    noise: int
    over_cap: int
    replayed: int

    def __add__(self, other: ReplayCounts) -> ReplayCounts:
        return ReplayCounts(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAccount:
    """What became of every predicted row; a row is left out for the first reason that holds.

    ``duplicates`` are further predictions of a (symbol, date); ``regime_unknown`` rows can't train;
    ``in_evaluation`` rows are in a validation block, or their horizon reaches into it; ``aged_out`` rows are
    too old. The others are the candidates of ``by_regime``.
    """

    rows_in: int
    duplicates: int
    regime_unknown: int
    in_evaluation: int
    aged_out: int
    by_regime: Mapping[Regime, ReplayCounts]

    @property
    def total(self) -> ReplayCounts:
        """The counts of all regimes together."""
        return reduce(ReplayCounts.__add__, self.by_regime.values())

    def said(self) -> str:
        """Give the account in one sentence for people."""
        total = self.total
        return (
            f"replay: {total.replayed} rows of the worst {total.worst} among {total.candidates}"
            f" ({total.noise} are noise, {total.used_up} used up, {total.over_cap} over the cap)"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """The rows to replay by key, sorted by (date, symbol), all of shape (n_replayed,).

    ``row`` is a row's position among the predicted rows, ``extra_weight`` what is to be added to its
    ``sample_weight``, in weights of an average row.
    """

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    row: NDArray[np.intp]
    extra_weight: NDArray[np.float64]
    account: ReplayAccount

    def __len__(self) -> int:
        return len(self.date)


def choose_replay(
    symbol: NDArray[np.str_],
    date: NDArray[np.datetime64],
    horizon_end: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    log_loss: NDArray[np.float64],
    member_class: NDArray[np.integer],
    replays: NDArray[np.integer],
    *,
    before: np.datetime64,
    training_rows: int,
    settings: ReplaySettings | None = None,
) -> Replay:
    """Choose the worst predicted rows of each regime to be trained on with more weight.

    The worst are taken by regime, or a crash would be all that is replayed. Rows that may not be replayed
    leave a gap that the next worst do not fill: they are not the worst. There is no chance in it, and the
    order of the rows does not matter.

    Parameters
    ----------
    symbol, date
        Shape (n_rows,): keys of rows that were predicted before their outcome was known to the model. Where
        a key occurs twice its larger loss counts.
    horizon_end
        Shape (n_rows,): the day on which the target's full horizon is over; NaT if it is not.
    regime, truth, log_loss
        Shape (n_rows,): the regime as known that day, the class id that came true, and -log of the
        probability it was given, in nats.
    member_class
        Shape (n_members, n_rows): the class that each member of the ensemble thought most probable.
    replays
        Shape (n_rows,): how often a row's key has been replayed before.
    before
        First day of the evaluation, less the embargo; for a fit on everything, the day of the fit. Rows
        whose horizon is not over before it are never replayed. Ages are counted to it.
    training_rows
        Rows of the training set that the replay joins.
    settings
        By default the numbers of the system before this one.

    Raises
    ------
    ReplayInputInvalidError
        If lengths differ, there is no member, or a log-loss is not a finite number from 0.
    RegimeNameUnknownError
        If a row's regime does not exist.

    >>> n = 40
    >>> replay = choose_replay(
    ...     np.full(n, "SPY"), np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]"),
    ...     np.full(n, np.datetime64("2024-03-01")), np.full(n, "crash"), np.zeros(n, dtype=int),
    ...     np.arange(n) / 10, np.zeros((3, n), dtype=int), np.zeros(n, dtype=int),
    ...     before=np.datetime64("2024-06-01"), training_rows=1000,
    ... )  # fmt: skip
    >>> replay.row.tolist(), replay.extra_weight.tolist()
    ([38, 39], [1.0, 1.0])
    """
    chosen_settings = ReplaySettings() if settings is None else settings
    _check(symbol, date, horizon_end, regime, truth, log_loss, member_class, replays)
    rows = _Rows(
        symbol=symbol,
        date=date,
        code=regime_codes(regime),
        log_loss=log_loss,
        is_noise=_is_noise(truth, member_class, chosen_settings.agreement_noise),
        replays=replays,
    )
    first = rows.worst_of_each_key()
    kept, left_out = _candidates(rows, first, horizon_end, before, chosen_settings.days_max)
    chosen, counts = _chosen(rows, kept, training_rows, chosen_settings)
    return Replay(
        symbol=symbol[chosen],
        date=date[chosen],
        row=chosen,
        extra_weight=np.full(len(chosen), chosen_settings.extra_weight),
        account=ReplayAccount(
            rows_in=len(date), duplicates=len(date) - len(first), by_regime=counts, **left_out
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """The predicted rows, each column of shape (n_rows,)."""

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    code: NDArray[np.intp]
    log_loss: NDArray[np.float64]
    is_noise: NDArray[np.bool_]
    replays: NDArray[np.integer]

    def worst_of_each_key(self) -> NDArray[np.intp]:
        """Give one row of each (symbol, date), by date and symbol: its worst, and noise if in doubt."""
        order = np.lexsort((-self.replays, ~self.is_noise, -self.log_loss, self.symbol, self.date))
        symbol, date = self.symbol[order], self.date[order]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = (symbol[1:] != symbol[:-1]) | (date[1:] != date[:-1])
        return order[is_first]

    def by_loss(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give rows with the worst first; of equals the earlier day, then the symbol's name, decides."""
        return rows[np.lexsort((self.symbol[rows], self.date[rows], -self.log_loss[rows]))]


def _is_noise(
    truth: NDArray[np.integer], member_class: NDArray[np.integer], agreement: float
) -> NDArray[np.bool_]:
    """Tell of which rows more than ``agreement`` of the members say one class, which is not the truth."""
    classes = int(max(truth.max(initial=0), member_class.max(initial=0))) + 1
    votes = np.stack([(member_class == each).sum(axis=0) for each in range(classes)])
    votes[truth, np.arange(len(truth))] = 0
    noise: NDArray[np.bool_] = votes.max(axis=0) > agreement * len(member_class)
    return noise


def _candidates(
    rows: _Rows,
    first: NDArray[np.intp],
    horizon_end: NDArray[np.datetime64],
    before: np.datetime64,
    days_max: int,
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Give the rows that may be replayed at all, and how many others there are for which reason."""
    unknown = rows.code[first] >= len(REGIMES)
    # NaT compares false with everything, so that an open horizon counts as evaluation.
    evaluated = ~unknown & ~((horizon_end[first] < before) & (rows.date[first] < before))
    aged = ~unknown & ~evaluated & (before - rows.date[first] > np.timedelta64(days_max, "D"))
    counts = {
        "regime_unknown": int(unknown.sum()),
        "in_evaluation": int(evaluated.sum()),
        "aged_out": int(aged.sum()),
    }
    return first[~(unknown | evaluated | aged)], counts


def _chosen(
    rows: _Rows, candidates: NDArray[np.intp], training_rows: int, settings: ReplaySettings
) -> tuple[NDArray[np.intp], dict[Regime, ReplayCounts]]:
    """Give the rows to replay by date and symbol, and the account by regime."""
    of_regime = [rows.by_loss(candidates[rows.code[candidates] == code]) for code in range(len(REGIMES))]
    worst = [each[: int(settings.worst_share * len(each))] for each in of_regime]
    fresh = [each[rows.replays[each] < settings.replays_max] for each in worst]
    sound = [each[~rows.is_noise[each]] for each in fresh]
    sizes = np.array([len(each) for each in sound])
    cap = min(int(settings.train_share_max * training_rows), int(sizes.sum()))
    replayed = allot(cap, sizes.astype(np.float64), sizes).tolist()
    chosen = np.concatenate([each[:count] for each, count in zip(sound, replayed, strict=True)])
    counts = {
        regime: ReplayCounts(
            candidates=len(of_regime[code]),
            worst=len(worst[code]),
            used_up=len(worst[code]) - len(fresh[code]),
            noise=len(fresh[code]) - len(sound[code]),
            over_cap=len(sound[code]) - replayed[code],
            replayed=replayed[code],
        )
        for code, regime in enumerate(REGIMES)
    }
    return chosen[np.lexsort((rows.symbol[chosen], rows.date[chosen]))], counts


def _check(
    symbol: NDArray[np.str_],
    date: NDArray[np.datetime64],
    horizon_end: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    log_loss: NDArray[np.float64],
    member_class: NDArray[np.integer],
    replays: NDArray[np.integer],
) -> None:
    columns = (symbol, date, horizon_end, regime, truth, log_loss, replays)
    if len({len(column) for column in columns}) > 1 or member_class.shape[1:] != truth.shape:
        raise ReplayInputInvalidError(
            f"columns have lengths {[len(column) for column in columns]} and the members' classes shape"
            f" {member_class.shape}; give every row all of them"
        )
    if not len(member_class):
        raise ReplayInputInvalidError("noise is told by the members' answers; give at least one member")
    wrong = ~((log_loss >= 0) & (log_loss < np.inf))
    if wrong.any():
        at = int(wrong.argmax())
        raise ReplayInputInvalidError(
            f"{symbol[at]} {date[at]} has log-loss {log_loss[at]} ({int(wrong.sum())} such rows); give rows"
            " whose outcome is known"
        )
