"""How many examples a property is tried on: few and always the same, or in ``make soak`` many others."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

IS_THOROUGH: Final = os.environ.get("REGIMED_TESTS") == "thorough"
MORE: Final = 10


def examples(count: int) -> settings:
    """Give the settings of a property that is tried on ``count`` examples, or on many more if asked."""
    return settings(
        deadline=None, derandomize=not IS_THOROUGH, max_examples=count * MORE if IS_THOROUGH else count
    )
