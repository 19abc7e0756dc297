"""Both ways to compute features: with the extension, and as where there was no compiler to build it."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

import regime
import regime.features
from regime.features import compute_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from regime.types import FeatureTable


def with_extension() -> Callable[..., FeatureTable]:
    """Give ``compute_features`` as it was installed."""
    return compute_features


def without_extension() -> Callable[..., FeatureTable]:
    """Give ``compute_features`` of a second import that does not find the extension."""
    installed = regime.features
    others = {name: module for name, module in sys.modules.items() if not name.startswith("regime.features")}
    with patch.dict(sys.modules, others, clear=True):
        sys.modules["regime.features._engine"] = None  # type: ignore[assignment]  # Python's way to hide it
        again = importlib.import_module("regime.features")
        assert not importlib.import_module("regime.features.engine").IS_COMPILED
    regime.features = installed
    computed: Callable[..., FeatureTable] = again.compute_features
    return computed
