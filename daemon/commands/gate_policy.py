"""The gate's policy as a TOML file, printed with what each number means."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from daemon.gate_rules import preset_of
from registry.policy import ByRegime, Policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

MEANINGS: Final = {
    "name": "what people call it; no part of the hash",
    "metric": "in what benefit and floors are tested: log_loss or accuracy",
    "safety_metrics": "in what a candidate must be no worse than the champion, in every regime",
    "alpha": "one-sided level of every safety and floor bound, a regime",
    "alpha_other": "one-sided level of the lower bounds in regimes that need not pass (regimes_required)",
    "blocks": "blocks of consecutive days of the t test (Ibragimov & Mueller 2010), at least",
    "block_days": "days a block must hold where there are more blocks than that, up to 14",
    "days_min": "days that a regime needs before it is tested",
    "rows_min": "rows that a regime needs before it is tested",
    "episodes_min": "episodes that a regime needs before it is tested",
    "episode_gap_days": "calendar days; days of a regime no further apart are one episode",
    "log_loss_margin": "the loss that is tolerated in each regime, in nats; half of it, when shown, is harm",
    "accuracy_margin": "the same in share of rows: 0.03 is three points of accuracy",
    "floor_required": "whether it must be proven that the regime prior is not better",
    "regimes_required": "regimes that must PASS; in the others too little evidence is no obstacle",
    "weights": "importance of each regime in the overall benefit",
    "benefit_alpha": "level of the benefit test, summed over all candidates on one window",
    "accuracy_gain_max": "a larger gain in accuracy in any regime is a suspected leak",
    "disagreement_max": "largest share of rows on which a refit may call another class",
    "disagreement_days": "over so many of the last days",
    "refresh_days": "a champion older than this is replaced on safety alone",
    "probability_min": "probabilities are raised to this before their logarithm is taken",
    "first_gain_max": "a first champion that avoids a larger share of the prior's errors is a suspected leak",
    "calibration_margin": "by how much the calibration error may exceed the champion's in a tested regime",
    "sector_margin": "the loss that is tolerated in each sector; half of it, when shown, is harm",
    "drift_alarms_max": "drift monitors of features that may be in alarm at a promotion; 0: none",
}
"""What each field of `Policy` means, in the order in which they are printed."""


def show(options: argparse.Namespace) -> int:
    """Print a policy that ships as a TOML file to start from."""
    print(policy_toml(preset_of(options.name)), end="")
    return 0


def policy_toml(policy: Policy) -> str:
    """Give a policy as TOML with the meaning of each field; `daemon.gate_rules.policy_of` reads it back."""
    plain = [field.name for field in fields(Policy) if not isinstance(getattr(policy, field.name), ByRegime)]
    tables = [field.name for field in fields(Policy) if field.name not in plain]
    lines = [
        "# A policy of the gate, see docs/gate.md. Its SHA-256, without the name:",
        f"# {policy.hash}",
        "# What is left out comes from the policy named by base, default if there is none.",
        "",
    ]
    for name in plain:
        lines += [f"# {MEANINGS[name]}", _line(name, getattr(policy, name))]
    for name in tables:
        lines += ["", f"# {MEANINGS[name]}", f"[{name}]", *_numbers(getattr(policy, name))]
    return "\n".join([*lines, ""])


def _line(name: str, value: object) -> str:
    return f"# {name} is not asked; a number asks it" if value is None else f"{name} = {_value(value)}"


def _numbers(table: ByRegime) -> Iterator[str]:
    for field in fields(ByRegime):
        yield f"{field.name} = {getattr(table, field.name)!r}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
