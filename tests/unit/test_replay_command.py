"""What a quick replay leaves out, how far a replay is told to be, and a market that remembers."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.children.data import Market, market_of_bars
from daemon.commands.replay import TOLD_EVERY_S, Telling, fast, secluded
from daemon.replay.drive import Progress
from daemon.replay.market import RememberedMarket
from daemon.settings import (
    FeedSettings,
    GateSettings,
    MarketSettings,
    MirrorSettings,
    Settings,
    WatchSettings,
)
from regime.simulator import SimulationSettings, simulate

if TYPE_CHECKING:
    from pathlib import Path

# Settings of a quick replay


def test_a_quick_replay_changes_what_costs_time_and_nothing_else() -> None:
    settings = Settings()
    quick = fast(settings)
    cut = {"models", "quorum", "rows_max", "fold_years", "train_years_min", "ablation", "crisis_exam"}
    for name in settings.training.__dataclass_fields__:
        same = getattr(settings.training, name) == getattr(quick.training, name)
        assert same or name in {*cut, "processes"}, name
    assert set(quick.training.models) < set(settings.training.models)
    assert quick.schedule == replace(settings.schedule, every_weeks=4)
    assert replace(quick, training=settings.training, schedule=settings.schedule) == settings


def test_a_quick_replay_is_never_slower_than_the_settings_that_it_was_given() -> None:
    base = Settings()
    settings = replace(
        base,
        training=replace(base.training, rows_max=500, train_years_min=1.0),
        schedule=replace(base.schedule, every_weeks=26),
    )
    quick = fast(settings)
    assert (quick.training.rows_max, quick.training.train_years_min) == (500, 1.0)
    assert quick.schedule.every_weeks == 26
    assert fast(quick) == quick


# How far it is


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


def progress(done: int, total: int = 4) -> Progress:
    return Progress(day=date(2024, 1, done), done=done, total=total)


def test_on_a_terminal_one_line_is_drawn_again_and_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    told = Telling()
    for done in (1, 2, 3):
        told.tell(progress(done))
    told.done()
    first, second = terminal.getvalue().split("\r\x1b[K")[1:]
    assert "2/4 2024-01-02, about " in first
    assert "3/4 2024-01-03, about " in second
    assert second.endswith(" left\n")
    assert terminal.getvalue().count("\n") == 1


def test_elsewhere_a_line_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    told = Telling()
    told.tell(progress(1))
    assert capsys.readouterr().err == ""
    told._told_s -= TOLD_EVERY_S
    told.tell(progress(2))
    (line,) = capsys.readouterr().err.splitlines()
    assert "2/4 2024-01-02" in line
    assert line.endswith(" left")
    told.tell(progress(3))
    told.done()
    assert capsys.readouterr().err == ""


def test_the_time_that_is_left_is_of_the_pace_since_it_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    told = Telling()
    told._began_s -= 9000  # as if what was before the first day had taken long
    told.tell(progress(20, total=31))
    assert terminal.getvalue() == ""
    told._began_s -= 100  # as if the one day that was done since had taken as long
    told.tell(progress(21, total=31))
    assert "about 16 min left" in terminal.getvalue()


# A market that remembers


@pytest.fixture(scope="module")
def market() -> Market:
    bars = simulate(SimulationSettings(symbols=2, days=420), np.random.default_rng(4)).bars
    sim = MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")
    return market_of_bars(bars, replace(Settings(), markets={"sim": sim}))


def test_a_remembered_market_says_what_the_market_says_and_computes_it_once(market: Market) -> None:
    remembered = RememberedMarket(**{name: getattr(market, name) for name in Market.__dataclass_fields__})
    for last_days in (None, 1, 5):
        rows = remembered.features(last_days=last_days)
        told = market.features(last_days=last_days)
        assert rows.names == told.names
        assert len(rows.date) > 0
        for name in ("symbol", "date"):
            assert np.array_equal(getattr(rows, name), getattr(told, name))
        assert np.array_equal(rows.values, told.values, equal_nan=True)
        assert np.array_equal(remembered.volatility(rows), market.volatility(told), equal_nan=True)
        assert remembered.features(last_days=last_days) is rows
        assert remembered.volatility(rows) is remembered.volatility(rows)
    assert remembered.features(last_days=1) is not remembered.features(last_days=5)


def test_a_replay_reaches_for_nothing_outside_and_finds_the_files_of_the_gate(tmp_path: Path) -> None:
    given = Settings(
        feeds={"cboe_vix": FeedSettings(enabled=True)},
        watch=WatchSettings(archive=("/somewhere",)),
        mirror=MirrorSettings(mlflow_uri="http://127.0.0.1:5000"),
        gate=GateSettings(policy="mine.toml", sectors="sectors.csv"),
    )
    found = secluded(given, tmp_path)
    assert not found.feeds["cboe_vix"].enabled
    assert (found.watch.archive, found.mirror.mlflow_uri) == ((), "")
    assert (found.gate.policy, found.gate.sectors) == (
        str(tmp_path / "mine.toml"),
        str(tmp_path / "sectors.csv"),
    )
    assert secluded(Settings(), tmp_path).gate == GateSettings()
