"""One directory whose daemon has lived once: files, a training run, a champion, one more day, a bad file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Installation, SimulatedMarket

    Make = Callable[[Path], Installation]

BAD_FILE = "symbol,date,open,high,low,close,volume\nS009,2015-01-05,10,9,8,10,100\n"
"""A high below the close."""


@pytest.fixture(scope="session")
def trained(
    installation_at: Make, market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Give a stopped daemon's directory; it is shared, so tests only read it."""
    place = installation_at(tmp_path_factory.mktemp("trained") / "regimed")
    place.init()
    place.start()
    place.drop(*market.history)
    place.wait_until_idle()
    assert place.regimed("train", "--now").returncode == 0
    place.wait_until_idle()
    bad = market.folder / "bad.csv"
    bad.write_text(BAD_FILE, encoding="utf-8")
    place.drop(bad, market.next_day)
    place.wait_until_idle()
    assert place.stop() == 0
    return place


@pytest.fixture
def trained_copy(trained: Installation, installation_at: Make, tmp_path: Path) -> Iterator[Installation]:
    """Give a copy of that directory, to do something with; its daemon is not running."""
    place = installation_at(tmp_path / "copy")
    shutil.copytree(trained.layout.root, place.layout.root)
    yield place
    place.clean_up()
