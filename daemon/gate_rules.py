"""The rules of the gate that a user may give as files: a policy as TOML, and sectors as CSV."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import SettingsInvalidError, UsageError
from registry.policy import PRESETS, Policy, PolicyInvalidError, policy_named
from registry.policy_values import policy_from_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.settings import GateSettings


def policy_of(name_or_file: str, folder: Path = Path()) -> Policy:
    """Give a policy that ships, or that of a TOML file in ``folder``; a name goes before a file of that name.

    Raises
    ------
    SettingsInvalidError
        If the file is no TOML or describes no policy, with every fault; exit code 78.
    UsageError
        If there is neither such a policy nor such a file.
    """
    path = folder / name_or_file
    if name_or_file in PRESETS or not path.is_file():
        return preset_of(name_or_file)
    try:
        return policy_from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
    except PolicyInvalidError as error:
        raise SettingsInvalidError(str(path), error.faults) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalidError(str(path), (f"it is no TOML: {error}",)) from error


def preset_of(name: str) -> Policy:
    """Give a policy that ships.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    try:
        return policy_named(name)
    except PolicyInvalidError as error:
        raise UsageError(f"{error}; or give a TOML file, see: regimed gate policy") from error


def read_sectors(path: Path) -> dict[str, str]:
    """Give the sector of each symbol in a CSV with the columns ``symbol`` and ``sector``.

    Raises
    ------
    UsageError
        If there is no such file, or it has no such columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["symbol"]: row["sector"] for row in csv.DictReader(file)}
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} needs the columns symbol and sector: {error}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def sectors_of(gate: GateSettings, folder: Path) -> Mapping[str, str] | None:
    """Give the sectors that the settings name; ``None`` if they name none."""
    return read_sectors(folder / gate.sectors) if gate.sectors else None


def faults_of_rules(gate: GateSettings, folder: Path) -> list[str]:
    """Give every fault of the files that ``[gate]`` names; relative names are relative to ``folder``."""
    policy: Policy | None = None
    faults: list[str] = []
    try:
        policy = policy_of(gate.policy, folder)
    except SettingsInvalidError as error:
        faults += [f'gate.policy = "{gate.policy}": {fault}' for fault in error.faults]
    except UsageError:
        faults.append(f'gate.policy = "{gate.policy}": there is no such file; see: regimed gate policy')
    try:
        sectors = sectors_of(gate, folder)
    except UsageError as error:
        return [*faults, f'gate.sectors = "{gate.sectors}": {error}']
    if policy is not None and policy.sector_margin is not None and sectors is None:
        faults.append('gate.sectors = "": the policy asks for sectors (sector_margin); name a file of them')
    return faults
