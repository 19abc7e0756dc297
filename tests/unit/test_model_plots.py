"""A picture of a version: a real file in the right format, and what its text says."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from daemon.errors import UsageError
from daemon.model_plots import plot_model
from regime.explanation import Attribution, Explanation, Ranking
from regime.reliability import Reliability, measure_reliability
from regime.scoring import score
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from pathlib import Path

    from regime.scorecard import Scorecard

CLASSES = ("sell", "hold", "buy")


class Findings(NamedTuple):
    """What is known of a version."""

    card: Scorecard
    explanation: Explanation
    reliability: Reliability


@cache
def findings() -> Findings:
    """Give three regimes of a hundred days each, and two without any."""
    rng = np.random.default_rng(1)
    rows = 3000
    date = np.datetime64("2020-01-01") + np.arange(rows) // 10
    symbol = np.tile([f"S{at}" for at in range(10)], rows // 10)
    regime = np.repeat(["crash", "normal", "low_volatility"], rows // 3)
    proba = rng.dirichlet([2.0, 6.0, 2.0], size=rows)
    truth = (rng.random((rows, 1)) > proba.cumsum(axis=1)).sum(axis=1)
    flat = np.tile([0.2, 0.6, 0.2], (rows, 1))
    baselines = {"regime_prior": flat, "majority": flat, "volatility_barrier": 0.5 * flat + 0.5 * proba}
    return Findings(
        card=score(date, symbol, regime, truth, proba, baselines, CLASSES, rng=rng),
        explanation=explanation(),
        reliability=measure_reliability(date, regime, truth, {"ensemble": proba, **baselines}, CLASSES),
    )


def explanation() -> Explanation:
    top = (
        Attribution(feature="volume_volatility_correlation_60", importance=0.3, share=0.6, direction=0.9),
        Attribution(feature="rsi_14", importance=0.1, share=0.2, direction=None),
    )
    told = Ranking(rows=400, importance=(0.3, 0.1), top=top)
    unused = Ranking(rows=400, importance=(0.0, 0.0), top=())
    regimes: dict[Regime, Ranking | None] = {**dict.fromkeys(REGIMES, told), Regime.RECOVERY: None}
    return Explanation(
        model="lightgbm",
        classes=CLASSES,
        feature_names=("volume_volatility_correlation_60", "rsi_14"),
        overall=told,
        regimes={**regimes, Regime.NORMAL: unused},
    )


def test_a_png_is_1200_by_900_pixels(tmp_path: Path) -> None:
    plot_model("v1", *findings(), tmp_path / "v1.png")
    head = (tmp_path / "v1.png").read_bytes()
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (1200, 900)
    assert len(head) > 20_000


def test_an_svg_names_what_is_drawn(tmp_path: Path) -> None:
    plot_model("v1, trained", *findings(), tmp_path / "v1.svg")
    text = (tmp_path / "v1.svg").read_text(encoding="utf-8")
    error = findings().reliability.bins("ensemble")
    assert error is not None
    for told in (
        ">v1, trained<",
        ">regime prior<",
        ">against volatility barrier<",
        f">hold   ECE {100 * (error[1].calibration_error() or 0):.1f} %<",
        ">volume_volatility_correlation_60<",
        ">60.0 %<",
        ">fewer than 50 rows<",
        ">no feature is used<",
        ">too few rows or days<",
        ">What lightgbm looks at beside its margin<",
    ):
        assert told in text
    assert "majority" not in text


def test_a_version_without_artifacts_gets_its_skill_and_two_sentences(tmp_path: Path) -> None:
    plot_model("v1", findings().card, None, None, tmp_path / "v1.svg")
    text = (tmp_path / "v1.svg").read_text(encoding="utf-8")
    assert "This version has no reliability counts: it is older than they are." in text
    assert "This version has no explanation: it is older, or lacks lightgbm and xgboost." in text
    assert ">against regime prior<" in text


def test_too_few_rows_for_reliability_are_said(tmp_path: Path) -> None:
    few = measure_reliability(
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array(["crash"]),
        np.array([1]),
        {"ensemble": np.array([[0.2, 0.6, 0.2]])},
        CLASSES,
    )
    plot_model("v1", findings().card, None, few, tmp_path / "v1.svg")
    text = (tmp_path / "v1.svg").read_text(encoding="utf-8")
    assert "Fewer than 200 rows or 40 days to judge by." in text


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_version_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    plot_model("v1", *findings(), first)
    plot_model("v1", *findings(), second)
    assert first.read_bytes() == second.read_bytes()


def test_another_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"v1.pdf: a plot is written as \.png or \.svg"):
        plot_model("v1", *findings(), tmp_path / "v1.pdf")
    assert list(tmp_path.iterdir()) == []
