"""The front door: version, console script, and a guard against a foreign package named ``daemon``."""

from __future__ import annotations

import sys
from typing import Final

import daemon

__version__: Final = "0.1.0"
EXIT_CONFIGURATION: Final = 78


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
