"""The gate's policy as a TOML file: printed with what each number means, and read back."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.errors import SettingsInvalidError, UsageError
from registry.policy import PRESETS, ByRegime, Policy, PolicyInvalidError, policy_from_mapping, policy_named

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
}
"""What each field of `Policy` means, in the order in which they are printed."""


def show(options: argparse.Namespace) -> int:
    """Print a policy that ships as a TOML file to start from."""
    print(policy_toml(_preset(options.name)), end="")
    return 0


def policy_of(name_or_file: str) -> Policy:
    """Give a policy that ships, or that of a TOML file; a name goes before a file of that name.

    Raises
    ------
    SettingsInvalidError
        If the file is no TOML or describes no policy, with every fault; exit code 78.
    UsageError
        If there is neither such a policy nor such a file.
    """
    path = Path(name_or_file)
    if name_or_file in PRESETS or not path.is_file():
        return _preset(name_or_file)
    try:
        return policy_from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
    except PolicyInvalidError as error:
        raise SettingsInvalidError(str(path), error.faults) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalidError(str(path), (f"it is no TOML: {error}",)) from error


def _preset(name: str) -> Policy:
    try:
        return policy_named(name)
    except PolicyInvalidError as error:
        raise UsageError(f"{error}; or give a TOML file, see: regimed gate policy") from error


def policy_toml(policy: Policy) -> str:
    """Give a policy as TOML with the meaning of each field; `policy_of` reads the same policy back."""
    plain = [field.name for field in fields(Policy) if not isinstance(getattr(policy, field.name), ByRegime)]
    tables = [field.name for field in fields(Policy) if field.name not in plain]
    lines = [
        "# A policy of the gate, see docs/gate.md. Its SHA-256, without the name:",
        f"# {policy.hash}",
        "# What is left out comes from the policy named by base, default if there is none.",
        "",
    ]
    for name in plain:
        lines += [f"# {MEANINGS[name]}", f"{name} = {_value(getattr(policy, name))}"]
    for name in tables:
        lines += ["", f"# {MEANINGS[name]}", f"[{name}]", *_numbers(getattr(policy, name))]
    return "\n".join([*lines, ""])


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
