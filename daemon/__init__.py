"""The runtime: the only place with a clock, files, threads, sockets and processes."""

from typing import Final

DISTRIBUTION: Final = "regimed"
"""Tells this package from another distribution that also installs a package named ``daemon``."""
