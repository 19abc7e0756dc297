"""The daemon is killed at random moments of its life and started again: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from registry.types import Alias
from tests.trial_world import write_deciding_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.conftest import Installation, SimulatedMarket

    Make = Callable[[Path], Installation]
    Snapshot = Callable[[Path], dict[str, object]]

KILLS: Final = int(os.environ.get("REGIMED_TEST_KILLS", "5"))
SEED: Final = int(os.environ.get("REGIMED_TEST_SEED", "1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a life: what the user does, and what then is there when the daemon has done its part."""

    name: str
    act: Callable[[Installation], object]


def phases_of(market: SimulatedMarket) -> tuple[Phase, ...]:
    bad = market.folder / "bad.csv"
    bad.write_text("symbol,date,close\nS009,2011-01-03,-1\n", encoding="utf-8")
    return (
        Phase(name="files arrive", act=lambda place: place.drop(*market.history, bad)),
        Phase(name="a model is trained", act=lambda place: place.regimed("train", "--now", check=True)),
        Phase(name="a day arrives", act=lambda place: place.drop(market.next_day)),
    )


def live(place: Installation, phases: Sequence[Phase], kills: Sequence[Sequence[float]]) -> list[float]:
    """Lead a life with the daemon killed after the given seconds of each phase; give how long each took.

    The files of the first phase are there before the first start, so that all lives take them in the same
    order.
    """
    place.init()
    took = []
    for phase, moments in zip(phases, kills, strict=True):
        phase.act(place)
        began = time.monotonic()
        if phase is phases[0]:
            place.begin()
        for moment in moments:
            time.sleep(moment)
            place.kill()
            place.begin()
        place.wait_until_idle()
        took.append(time.monotonic() - began)
    assert place.stop() == 0
    return took


def moments_of(took: Sequence[float], kills: int, seed: int) -> list[list[float]]:
    """Draw moments of death for each phase in turn, evenly over the seconds that it took."""
    chance = random.Random(seed)
    moments: list[list[float]] = [[] for _ in took]
    for kill in range(kills):
        phase = kill % len(took)
        moments[phase].append(chance.uniform(0, took[phase]))
    return moments


def swap(place: Installation, eve: Installation, kills: Sequence[float]) -> float:
    """Let the day come that decides a trial, with the daemon killed after these seconds; give how long."""
    shutil.copytree(eve.layout.root, place.layout.root)
    write_deciding_day(place.layout)
    began = time.monotonic()
    place.begin()
    for moment in kills:
        time.sleep(moment)
        place.kill()
        place.begin()
    place.wait_until_idle()
    took = time.monotonic() - began
    assert place.stop() == 0
    return took


def compare_swaps(
    eve: Installation, installation_at: Make, snapshot: Snapshot, folder: Path, kills: int
) -> None:
    """Compare a life in which a shadow is promoted with one in which the daemon is killed meanwhile."""
    unharmed, killed = installation_at(folder / "unharmed"), installation_at(folder / "killed")
    took = swap(unharmed, eve, ())
    expected = snapshot(unharmed.layout.root)
    chance = random.Random(SEED)
    moments = [chance.uniform(0, took) for _ in range(kills)]
    swap(killed, eve, moments)
    found = snapshot(killed.layout.root)
    assert expected["problems"] == []
    assert expected["aliases"] == {Alias.CHAMPION: "v2", Alias.PREVIOUS: "v1"}
    assert expected["looks"]
    assert differences(expected, found) == [], f"killed at {moments} of {took} s"


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_trial_that_is_decided_with_many_deaths_ends_like_one_without(
    eve: Installation, installation_at: Make, snapshot: Snapshot, tmp_path: Path
) -> None:
    compare_swaps(eve, installation_at, snapshot, tmp_path, kills=40)


def differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [f"{name}:\n{one[name]}\n{other[name]}"[:4000] for name in one if one[name] != other[name]]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_life_with_many_deaths_ends_like_one_without(
    installation_at: Make, snapshot: Snapshot, market: SimulatedMarket, tmp_path: Path
) -> None:
    phases = phases_of(market)
    unharmed, killed = installation_at(tmp_path / "unharmed"), installation_at(tmp_path / "killed")
    took = live(unharmed, phases, [(), (), ()])
    expected = snapshot(unharmed.layout.root)
    moments = moments_of(took, KILLS, SEED)
    live(killed, phases, moments)
    found = snapshot(killed.layout.root)
    assert expected["problems"] == []
    assert expected["aliases"]
    assert expected["predictions"]
    assert expected["readings"]
    assert differences(expected, found) == [], f"killed at {moments} of {took} s"
