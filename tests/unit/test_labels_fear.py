"""The fear that labels are made from: the index's own, carried, by proxy, or none."""

from __future__ import annotations

import numpy as np
import pytest

from regime.errors import BarsInvalidError
from regime.labels import ProxyState, StateInvalidError, continue_proxy, effective_fear, fear_proxy
from regime.labels.fear import VIX_QUANTILES
from regime.types import Bars


def index_of(days: int) -> Bars:
    """Give an index that swings one percent up and down, ever wider after half of its days."""
    date = np.datetime64("2020-01-01") + np.arange(days)
    swing = np.where(np.arange(days) % 2 == 0, 1.0, -1.0)
    width = 0.01 * np.maximum(1.0, np.arange(days) / 300)
    return Bars.of_closes("^IDX", date, 100.0 * np.exp(swing * width))


def fear_on(index: Bars, days: list[int], closes: list[float]) -> Bars:
    return Bars.of_closes("^FEAR", index.date[days], closes)


def test_the_frozen_quantiles_rise_from_the_lowest_to_the_highest_vix_ever() -> None:
    shares = [share for share, _ in VIX_QUANTILES]
    points = [vix for _, vix in VIX_QUANTILES]
    assert shares == sorted(set(shares))
    assert points == sorted(points)
    assert VIX_QUANTILES[0] == (0, 9.14)
    assert VIX_QUANTILES[-1] == (1, 82.69)
    assert dict(VIX_QUANTILES)[0.5] == 17.63


def test_the_proxy_begins_with_the_505th_close() -> None:
    assert len(fear_proxy(index_of(504))) == 0
    proxy = fear_proxy(index_of(505))
    assert proxy.symbols() == ("proxy",)
    assert proxy.date.tolist() == index_of(505).date[-1:].tolist()


def test_the_highest_volatility_so_far_has_the_highest_vix() -> None:
    assert fear_proxy(index_of(505)).close.tolist() == [82.69]


def test_the_median_volatility_has_the_median_vix() -> None:
    _, fears = continue_proxy(ProxyState(), [100.0] * 600)
    assert fears[-1] == pytest.approx(17.63, abs=0.05)


def test_the_lowest_volatility_so_far_has_almost_the_lowest_vix() -> None:
    closes = [100.0 + day % 2 for day in range(600)] + [100.0] * 20
    _, fears = continue_proxy(ProxyState(), closes)
    assert fears[-1] is not None
    assert 9.14 <= fears[-1] < 9.5


def test_the_variance_weighs_today_with_a_tenth() -> None:
    state, _ = continue_proxy(ProxyState(), [100.0, 101.0, 101.0])
    assert state.variance == pytest.approx(0.9 * np.log(1.01) ** 2, rel=1e-12)


def test_a_state_of_the_proxy_survives_json() -> None:
    state, _ = continue_proxy(ProxyState(), [100.0, 101.3, 99.7])
    assert ProxyState.from_json(state.to_json()) == state


def test_a_damaged_state_of_the_proxy_is_refused() -> None:
    with pytest.raises(StateInvalidError, match="cannot be read"):
        ProxyState.from_json('{"kind": "rules"}')


def test_fear_of_the_day_is_taken_as_it_is() -> None:
    index = index_of(3)
    fear = effective_fear(index, fear_on(index, [0, 1, 2], [18.0, 19.0, 20.0]))
    assert fear.symbols() == ("^FEAR",)
    assert fear.close.tolist() == [18.0, 19.0, 20.0]


def test_missing_fear_is_carried_for_five_sessions_and_no_more() -> None:
    index = index_of(8)
    fear = effective_fear(index, fear_on(index, [0], [18.0]))
    assert fear.date.tolist() == index.date[:6].tolist()
    assert set(fear.close.tolist()) == {18.0}


def test_the_proxy_stands_in_before_fear_begins_and_after_it_ends() -> None:
    index = index_of(530)
    own = fear_on(index, [510], [44.0])
    fear = effective_fear(index, own)
    proxy = fear_proxy(index)
    assert fear.close[:6].tolist() == proxy.close[:6].tolist()
    assert fear.close[6:12].tolist() == [44.0] * 6
    assert fear.close[12:].tolist() == proxy.close[12:].tolist()
    assert len(fear) == 26


def test_fear_on_a_day_without_the_index_is_ignored() -> None:
    week = ["2024-01-05", "2024-01-08"]
    index = Bars.of_closes("^IDX", week, [100.0, 101.0])
    holiday = Bars.of_closes("^FEAR", ["2024-01-05", "2024-01-06"], [18.0, 60.0])
    assert effective_fear(index, holiday).close.tolist() == [18.0, 18.0]


def test_fear_of_an_empty_file_is_no_fear() -> None:
    assert len(effective_fear(index_of(10), Bars.empty())) == 0


def test_fear_as_a_fraction_is_refused() -> None:
    index = index_of(3)
    with pytest.raises(BarsInvalidError, match=r"median of 0\.18: .* multiply it by 100") as caught:
        effective_fear(index, fear_on(index, [0, 1, 2], [0.17, 0.18, 0.19]))
    assert caught.value.code == "fear_unit"


def test_an_index_of_two_symbols_is_refused() -> None:
    two = Bars.concat([Bars.of_closes(name, ["2024-01-05"], [1.0]) for name in ("A", "B")])
    with pytest.raises(BarsInvalidError, match="the index is one symbol, not 2") as caught:
        effective_fear(two, None)
    assert caught.value.code == "several_symbols"
    with pytest.raises(BarsInvalidError, match="the fear index is one symbol, not 2"):
        effective_fear(index_of(3), two)


def test_no_days_have_no_fear() -> None:
    assert len(effective_fear(Bars.empty(), None)) == 0
