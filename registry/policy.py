"""What the gate asks of a candidate, as data with a hash, so that a verdict can name its rules."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from regime.types import REGIMES, Regime
from registry.errors import RegistryError
from registry.policy_faults import block_faults, list_fault, range_fault, table_faults, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS_PER_BLOCK_MIN: Final = 5
"""A block holds a trading week or more; shorter blocks are not nearly independent."""


BLOCKS_FULL: Final = 14
"""More blocks are not made by themselves: up to so many the t test holds two-sided levels up to .10."""


class GateError(RegistryError):
    """Base of every error that the gate and its inputs raise."""


class PolicyInvalidError(GateError):
    """A policy holds values that the gate cannot judge by; ``faults`` has one sentence for each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Metric(StrEnum):
    """What a gain is measured in: nats of log-loss saved, or share of rows more that are right."""

    LOG_LOSS = "log_loss"
    ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRegime:
    """One number for each of the five regimes."""

    crash: float
    recovery: float
    high_volatility: float
    normal: float
    low_volatility: float

    def of(self, regime: Regime) -> float:
        """Give the number of one of the five regimes.

        >>> DEFAULT.weights.of(Regime.CRASH)
        2.0
        """
        return float(getattr(self, regime))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every number and choice by which `registry.gate.judge` decides.

    Gains are candidate minus champion (or minus regime prior, for a floor), positive when the candidate
    is better; log-loss in nats, accuracy as a share of rows.

    Parameters
    ----------
    name
        What people call the policy; no part of the hash.
    metric
        In what benefit and floors are tested. Log-loss has power where one class dominates, accuracy
        has none.
    safety_metrics
        In what a candidate must be no worse than the champion, each in every regime.
    alpha
        One-sided level of the upper bounds, by which harm is shown, and of the lower bounds in the regimes
        of ``regimes_required``.
    alpha_other
        Level of the lower bounds in the other regimes. Five regimes must all be shown to be no worse, so
        that at one level for all a specialist that is equal in four of them is mostly stopped by chance
        (``docs/decisions/017-levels-of-the-gate.md``).
    blocks, block_days
        Blocks of consecutive days of the t test (Ibragimov & Mueller 2010): eight by default, and more, up to
        `BLOCKS_FULL`, where a regime has so many days that each of them still holds ``block_days``
        (``docs/decisions/020-more-blocks-where-there-are-more-days.md``). None: always ``blocks``.
    days_min, rows_min, episodes_min
        Evidence a regime needs before it is tested at all.
    episode_gap_days
        Calendar days. Days of one regime that lie no further apart belong to one episode: a crash that is
        called normal for a day is still one crash.
    log_loss_margin, accuracy_margin
        The loss that is tolerated in each regime; half of it, when shown, is harm.
    floor_required
        Whether a floor must be proven. If not, it only must not be shown to be broken.
    regimes_required
        Regimes that must PASS before a champion is replaced; the others only must not FAIL or be
        UNPROVEN.
    weights
        Importance of each regime in the overall benefit.
    benefit_alpha
        Level of the benefit test, summed over all candidates judged on one window.
    accuracy_gain_max
        A larger gain in accuracy over the champion in any regime is a suspected leak.
    disagreement_max, disagreement_days
        The largest share of rows, over the last evidence days, on which a refit may call another class
        than the champion.
    refresh_days
        A champion older than this is replaced on safety alone.
    probability_min
        Probabilities are raised to this and scaled to sum to one again before their logarithm is taken,
        so that a single row cannot weigh without bound.
    first_gain_max
        A first champion that avoids a larger share of the regime prior's errors, in any tested regime, is a
        suspected leak. A share, since where the prior is right on nine rows of ten no gain in accuracy could
        be large. None: not asked, as in reports from before it existed.
    calibration_margin
        By how much the expected calibration error in a tested regime may exceed the champion's (without a
        champion, the regime prior's). None: reported only.
    sector_margin
        The loss in ``metric`` that is tolerated in each sector; half of it, when shown, is harm. None:
        reported only.
    drift_alarms_max
        Drift monitors of features that may be in alarm when a champion is replaced; 0: none. None: reported
        only.

    Raises
    ------
    PolicyInvalidError
        Naming every fault at once.
    """

    name: str
    metric: Metric
    safety_metrics: tuple[Metric, ...]
    alpha: float
    alpha_other: float
    blocks: int
    days_min: int
    rows_min: int
    episodes_min: int
    episode_gap_days: int
    log_loss_margin: ByRegime
    accuracy_margin: ByRegime
    floor_required: bool
    regimes_required: tuple[Regime, ...]
    weights: ByRegime
    benefit_alpha: float
    accuracy_gain_max: float
    disagreement_max: float
    disagreement_days: int
    refresh_days: int
    probability_min: float
    block_days: int | None = None
    first_gain_max: float | None = None
    calibration_margin: float | None = None
    sector_margin: float | None = None
    drift_alarms_max: int | None = None

    def __post_init__(self) -> None:
        faults = value_faults(self.as_mapping())
        if faults:
            raise PolicyInvalidError(tuple(faults))

    def as_mapping(self) -> dict[str, object]:
        """Give the policy as plain data, the form that `policy_from_mapping` reads."""
        return asdict(self)

    def content(self) -> dict[str, object]:
        """Give the policy as JSON holds it, in the one form in which equal policies are equal to the byte."""
        return {key: plain_value(key, value) for key, value in self.as_mapping().items()}

    @property
    def hash(self) -> str:
        """Give the SHA-256, in hexadecimal, of everything but the name.

        What a policy does not ask is no part of it: a new question changes no policy that does not ask it.

        >>> len(DEFAULT.hash), replace(DEFAULT, name="other").hash == DEFAULT.hash
        (64, True)
        """
        content = {k: v for k, v in self.content().items() if k != "name" and v is not None}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def margin(self, metric: Metric, regime: Regime) -> float:
        """Give the loss that is tolerated in one regime, in the units of ``metric``."""
        match metric:
            case Metric.LOG_LOSS:
                return self.log_loss_margin.of(regime)
            case Metric.ACCURACY:
                return self.accuracy_margin.of(regime)

    def blocks_of(self, days: int) -> int:
        """Give the number of blocks into which the days of a regime are cut.

        >>> [DEFAULT.blocks_of(days) for days in (60, 200, 1_000)]
        [8, 10, 14]
        """
        if self.block_days is None:
            return self.blocks
        return max(self.blocks, min(days // self.block_days, BLOCKS_FULL))

    def shared_among(self, looks: int) -> Policy:
        """Give the policy for each of several looks at growing evidence, its levels divided among them.

        Every level, of safety and of benefit, is divided by ``looks`` (Bonferroni), so that a fault at any
        look is no likelier than at a single one. The hash changes with it, and the report names it.

        >>> DEFAULT.shared_among(4).alpha
        0.025
        """
        if looks < 1:
            raise GateError(f"looks = {looks}: give one or more")
        return replace(
            self,
            alpha=self.alpha / looks,
            alpha_other=self.alpha_other / looks,
            benefit_alpha=self.benefit_alpha / looks,
        )

    def tests_alone(self) -> Policy:
        """Give the policy without what it also asks: of sectors, calibration and drift."""
        return replace(self, calibration_margin=None, sector_margin=None, drift_alarms_max=None)

    def level(self, regime: Regime) -> float:
        """Give the one-sided level of the lower bounds, of safety and of floors, in one regime.

        >>> DEFAULT.level(Regime.CRASH), DEFAULT.level(Regime.NORMAL)
        (0.1, 0.2)
        """
        return self.alpha if regime in self.regimes_required else self.alpha_other


_WHOLE: Final[dict[str, tuple[int, int]]] = {
    "blocks": (2, 64),
    "days_min": (10, 10_000),
    "rows_min": (1, 1_000_000),
    "episodes_min": (1, 100),
    "episode_gap_days": (1, 366),
    "disagreement_days": (1, 1_000),
    "refresh_days": (1, 3_650),
}
_REAL: Final[dict[str, tuple[float, float]]] = {
    "alpha": (0.0001, 0.4),
    "alpha_other": (0.0001, 0.4),
    "benefit_alpha": (0.000001, 0.4),
    "accuracy_gain_max": (0.01, 1.0),
    "disagreement_max": (0.0, 1.0),
    "probability_min": (1e-12, 0.01),
}
_OPTIONAL: Final[dict[str, tuple[float, float]]] = {
    "block_days": (DAYS_PER_BLOCK_MIN, 10_000),
    "first_gain_max": (0.05, 1.0),
    "calibration_margin": (0.0, 1.0),
    "sector_margin": (0.0001, 1.0),
    "drift_alarms_max": (0, 100),
}
_WHOLE_OPTIONAL: Final = ("block_days", "drift_alarms_max")
BY_REGIME: Final[dict[str, tuple[float, float]]] = {
    "log_loss_margin": (0.0001, 1.0),
    "accuracy_margin": (0.0001, 1.0),
    "weights": (0.01, 100.0),
}
_LISTS: Final[dict[str, tuple[str, ...]]] = {
    "safety_metrics": tuple(Metric),
    "regimes_required": REGIMES,
}


def policy_named(name: str) -> Policy:
    """Give one of the policies that ship: ``default``, ``strict`` or ``accuracy``.

    >>> policy_named("strict").alpha
    0.05
    """
    if name not in PRESETS:
        raise PolicyInvalidError((unknown("policy", name, tuple(PRESETS)),))
    return PRESETS[name]


def plain_value(key: str, value: object) -> object:
    """Give the one form in which equal values are equal to the byte: 2 and 2.0 are one weight."""
    if value is None or key in _WHOLE_OPTIONAL:
        return value
    if key in _REAL or key in _OPTIONAL:
        return float(cast("float", value))
    if key in BY_REGIME:
        return {regime: float(number) for regime, number in cast("dict[str, float]", value).items()}
    if key in _LISTS:
        chosen = cast("tuple[str, ...]", value)
        return [each.value for each in (*Metric, *REGIMES) if each in chosen]
    return value


def value_faults(values: Mapping[str, object]) -> list[str]:
    """Say what is wrong with the values of a policy, a sentence for each fault."""
    faults = [
        range_fault(key, values[key], limits, whole=key in _WHOLE) for key, limits in (_WHOLE | _REAL).items()
    ]
    faults += [
        range_fault(key, values[key], limits, whole=key in _WHOLE_OPTIONAL)
        for key, limits in _OPTIONAL.items()
        if values[key] is not None
    ]
    for key, limits in BY_REGIME.items():
        faults += table_faults(key, values[key], limits)
    faults += [list_fault(key, values[key], allowed) for key, allowed in _LISTS.items()]
    if values["metric"] not in tuple(Metric):
        faults.append(unknown("metric", values["metric"], tuple(Metric)))
    if not isinstance(values["floor_required"], bool):
        faults.append(f"floor_required = {values['floor_required']!r}: give true or false")
    if not isinstance(values["name"], str) or not values["name"]:
        faults.append(f"name = {values['name']!r}: give a word")
    return [fault for fault in faults if fault] or block_faults(values, DAYS_PER_BLOCK_MIN)


DEFAULT: Final = Policy(
    name="default",
    metric=Metric.LOG_LOSS,
    safety_metrics=(Metric.LOG_LOSS, Metric.ACCURACY),
    alpha=0.10,
    alpha_other=0.20,
    blocks=8,
    block_days=20,
    days_min=40,
    rows_min=200,
    episodes_min=2,
    episode_gap_days=21,
    log_loss_margin=ByRegime(
        crash=0.03, recovery=0.05, high_volatility=0.03, normal=0.02, low_volatility=0.02
    ),
    accuracy_margin=ByRegime(
        crash=0.03, recovery=0.05, high_volatility=0.03, normal=0.02, low_volatility=0.02
    ),
    floor_required=False,
    regimes_required=(Regime.CRASH,),
    weights=ByRegime(crash=2.0, recovery=1.5, high_volatility=1.0, normal=1.0, low_volatility=1.0),
    benefit_alpha=0.05,
    accuracy_gain_max=0.15,
    disagreement_max=0.35,
    disagreement_days=60,
    refresh_days=90,
    probability_min=1e-4,
    first_gain_max=0.4,
)
"""Safety in log-loss and in accuracy, with equal margins; benefit in log-loss."""

STRICT: Final = replace(
    DEFAULT,
    name="strict",
    alpha=0.05,
    alpha_other=0.05,
    log_loss_margin=ByRegime(
        crash=0.02, recovery=0.01, high_volatility=0.01, normal=0.01, low_volatility=0.01
    ),
    floor_required=True,
    regimes_required=REGIMES,
)
"""Half the level, half the margins or less, floors proven, and all five regimes must PASS."""

ACCURACY: Final = replace(DEFAULT, name="accuracy", metric=Metric.ACCURACY, safety_metrics=(Metric.ACCURACY,))
"""Per-regime accuracy taken literally, for safety, benefit and floors; log-loss is only reported."""

PRESETS: Final = {policy.name: policy for policy in (DEFAULT, STRICT, ACCURACY)}

FORMER: Final = tuple(replace(policy, block_days=None, first_gain_max=None) for policy in PRESETS.values())
"""Those that shipped before blocks grew with days, for reports that kept a hash alone."""
