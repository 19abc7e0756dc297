"""``config check`` and ``config show``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from daemon.commands.context import print_json
from daemon.configuration import read_configuration, values_of
from daemon.errors import SettingsInvalidError
from daemon.layout import layout_of
from regime.own import is_path

if TYPE_CHECKING:
    import argparse

    from daemon.configuration import Configuration
    from daemon.settings import Settings


def check(options: argparse.Namespace) -> int:
    """Say that the configuration is valid; one that is not is an error with every fault.

    Parts of the user's own are imported and tried on made-up data.
    """
    settings = _read(options).settings
    path = layout_of(options).configuration
    if _names_own_parts(settings):
        from daemon.children.rehearsal import faults_of_own  # noqa: PLC0415 - brings every model library

        if faults := faults_of_own(settings):
            raise SettingsInvalidError(str(path), faults)
    if options.json:
        print_json({"valid": True, "file": str(path)})
    else:
        print(f"{path} is valid")
    return 0


def show(options: argparse.Namespace) -> int:
    """Show every setting, with ``--origin`` also where its value comes from."""
    configuration = _read(options)
    values = values_of(configuration.settings)
    origins = {key: configuration.origins.get(key, "default") for key in values}
    if options.json:
        print_json({"settings": values, "origins": origins})
        return 0
    width = max(map(len, values))
    for key, value in values.items():
        origin = f"  # {origins[key]}" if options.origin else ""
        print(f"{key:<{width}} = {json.dumps(value)}{origin}")
    return 0


def _names_own_parts(settings: Settings) -> bool:
    named = (settings.labels.labeler, settings.features.own, *settings.training.models)
    return any(map(is_path, named))


def _read(options: argparse.Namespace) -> Configuration:
    return read_configuration(layout_of(options).configuration, os.environ)
