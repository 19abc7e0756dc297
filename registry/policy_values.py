"""Reads a policy of one's own, as of TOML: a preset gives what is left out, every fault is named at once."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, cast

from regime.types import REGIMES, Regime
from registry.policy import (
    BY_REGIME,
    DEFAULT,
    PRESETS,
    ByRegime,
    Metric,
    Policy,
    PolicyInvalidError,
    plain_value,
    value_faults,
)
from registry.policy_faults import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping


def policy_from_mapping(mapping: Mapping[str, object]) -> Policy:
    """Give the policy that ``mapping`` describes, such as a table read from TOML or JSON.

    Keys are the fields of `Policy`; what is left out, also a single regime of a table, comes from the
    preset named by ``base`` (``default`` if there is none). Without a ``name`` it is called ``own``.

    Raises
    ------
    PolicyInvalidError
        Naming every fault at once: unknown keys, wrong types, values out of range.

    >>> policy_from_mapping({"alpha": 0.05, "weights": {"crash": 3}}).weights.crash
    3.0
    """
    own = dict(mapping)
    base_name = own.pop("base", DEFAULT.name)
    known_base = isinstance(base_name, str) and base_name in PRESETS
    base = PRESETS[str(base_name)] if known_base else DEFAULT
    faults = [] if known_base else [unknown("base", base_name, tuple(PRESETS))]
    names = tuple(field.name for field in fields(Policy))
    faults += [unknown("key", key, names) for key in own if key not in names]
    merged = base.as_mapping() | {"name": "own"}
    for key in names:
        if key in own:
            merged[key] = _merged(key, merged[key], own[key], faults)
    faults += value_faults(merged)
    if faults:
        raise PolicyInvalidError(tuple(faults))
    return _built(merged)


def _merged(key: str, base: object, own: object, faults: list[str]) -> object:
    if key not in BY_REGIME or not isinstance(own, dict):
        return own
    faults += [unknown(f"regime in {key}", regime, REGIMES) for regime in own if regime not in REGIMES]
    return cast("dict[str, object]", base) | {str(k): v for k, v in own.items() if k in REGIMES}


def _built(values: Mapping[str, object]) -> Policy:
    plain = {key: plain_value(key, value) for key, value in values.items()}
    for key in BY_REGIME:
        plain[key] = ByRegime(**cast("dict[str, float]", plain[key]))
    plain["metric"] = Metric(str(plain["metric"]))
    plain["safety_metrics"] = tuple(Metric(each) for each in cast("list[str]", plain["safety_metrics"]))
    plain["regimes_required"] = tuple(Regime(each) for each in cast("list[str]", plain["regimes_required"]))
    return Policy(**plain)  # type: ignore[arg-type]  # every value was checked just before
