"""The front door: version, console script, client, and a guard against a foreign package named ``daemon``.

``from regimed import Client`` brings the client along, which is ``daemon.client``, only when it is asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import daemon

if TYPE_CHECKING:
    from daemon import client
    from daemon.client import Client

__all__ = ["Client", "client"]

__version__: Final = "0.1.0"
EXIT_CONFIGURATION: Final = 78


def __getattr__(name: str) -> object:
    """Give ``Client``, or the module ``client``; importing them brings every model library along."""
    if name not in {"Client", "client"}:
        raise AttributeError(f"module 'regimed' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - a command line that is quick to start

    module = import_module("daemon.client")
    return module if name == "client" else module.Client


def main() -> int:
    """Run the command line and give its exit code."""
    if getattr(daemon, "DISTRIBUTION", None) != "regimed":
        sys.stderr.write(
            f"regimed: the package 'daemon' at {daemon.__file__} belongs to another distribution;"
            " install regimed into a virtual environment of its own.\n"
        )
        return EXIT_CONFIGURATION
    from daemon.cli import main as run_command_line  # noqa: PLC0415 - only after the guard

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
