"""``config check`` and ``config show``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from daemon.commands.context import print_json
from daemon.configuration import read_configuration, values_of
from daemon.layout import layout_of

if TYPE_CHECKING:
    import argparse

    from daemon.configuration import Configuration


def check(options: argparse.Namespace) -> int:
    """Say that the configuration is valid; one that is not is an error with every fault."""
    _read(options)
    path = layout_of(options).configuration
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


def _read(options: argparse.Namespace) -> Configuration:
    return read_configuration(layout_of(options).configuration, os.environ)
