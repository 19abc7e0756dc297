"""Importing without looking for garbage meanwhile."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def import_whole(name: str) -> ModuleType:
    """Import a module and all that it needs, none of which is looked at as possible garbage, now or later.

    What libraries define stays. To look through it again and again while it grows is a quarter of the
    processor time that the libraries of the models take to import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
