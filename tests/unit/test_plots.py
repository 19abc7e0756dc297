"""Pictures of labels: their format, their content as far as text shows it, and their bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.errors import UsageError
from daemon.plots import plot_labels
from regime.labels import label_days, labeler_named
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.types import Bars, RegimeSeries

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def market() -> tuple[Bars, Bars, RegimeSeries]:
    bars = simulate(SimulationSettings(symbols=1, days=2000), np.random.default_rng(0)).bars
    index, fear = bars.of_symbol(INDEX), bars.of_symbol(FEAR)
    return index, fear, label_days(index, fear, labeler_named("rules", has_fear=True))


def test_a_png_is_1200_pixels_wide(market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path) -> None:
    plot_labels(*market, tmp_path / "labels.png")
    head = (tmp_path / "labels.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (1200, 720)


def test_an_svg_names_the_index_every_regime_seen_and_the_labeler(
    market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path
) -> None:
    plot_labels(*market, tmp_path / "labels.svg")
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    labels = market[2]
    assert f"^SIM, {labels.date[0]} to {labels.date[-1]}" in text
    for regime in sorted(set(labels.regime)):
        share = f"{regime.value.replace('_', ' ')} {labels.regime.count(regime) / len(labels):.0%}"
        assert share in text
    assert labels.labeler in text
    assert "^SIMVIX" in text
    assert "carried forward or by proxy" not in text


def test_crash_is_told_from_high_volatility_by_a_hatch(
    market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path
) -> None:
    plot_labels(*market, tmp_path / "labels.svg")
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    assert text.count("<pattern ") == 1


def test_fear_by_proxy_is_drawn_as_such(market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path) -> None:
    index, _, _ = market
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    plot_labels(index, None, labels, tmp_path / "labels.svg")
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    assert "carried forward or by proxy" in text
    assert "unknown 25%" in text


def test_a_history_too_short_for_any_fear_says_so(
    market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path
) -> None:
    index = market[0].take(np.arange(len(market[0])) < 100)
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    plot_labels(index, None, labels, tmp_path / "labels.svg")
    text = (tmp_path / "labels.svg").read_text(encoding="utf-8")
    assert "no fear is known" in text
    assert "unknown 100%" in text


@pytest.mark.parametrize("name", ["labels.png", "labels.svg"])
def test_the_same_labels_give_the_same_bytes(
    name: str, market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path
) -> None:
    plot_labels(*market, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    plot_labels(*market, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_one_day_can_be_drawn(tmp_path: Path) -> None:
    index = Bars.of_closes("^IDX", ["2024-01-02"], [100.0])
    fear = Bars.of_closes("^VIX", ["2024-01-02"], [18.0])
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    plot_labels(index, fear, labels, tmp_path / "day.svg")
    assert "normal since 2024-01-02" in (tmp_path / "day.svg").read_text(encoding="utf-8")


def test_another_suffix_is_refused_before_anything_is_written(
    market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"labels.pdf: a plot is written as \.png or \.svg"):
        plot_labels(*market, tmp_path / "labels.pdf")
    assert list(tmp_path.iterdir()) == []


def test_no_labels_are_refused(market: tuple[Bars, Bars, RegimeSeries], tmp_path: Path) -> None:
    none = label_days(Bars.empty(), None, labeler_named("rules", has_fear=True))
    with pytest.raises(UsageError, match="label an index first"):
        plot_labels(market[0], market[1], none, tmp_path / "labels.png")
