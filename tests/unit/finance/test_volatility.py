"""The forecast: close to the truth, deaf to bounce and round trips, honest about what it has."""

import itertools
import json
import math
import random
from dataclasses import asdict

import pytest

from affiant.kernel.errors import InputError
from affiant.verticals.finance.volatility import BAR, PIPS, Volatility, forecast

HOUR, DAY = 3600, 86_400
#: A day, and the hour and a third that its first returns look back on, are known by then.
END = 26 * HOUR
#: A daily move of 5 %.
FIVE = 50_000

Trades = list[tuple[int, float]]


def walk(deviation: float, hours: int = 26, seed: int = 1, step: int = 60) -> Trades:
    """Return a trade a minute of a price that moves by `deviation` a day."""
    draw, price, trades = random.Random(seed), 100.0, []  # noqa: S311 - a market, not a key
    for time in range(0, hours * HOUR + 1, step):
        price *= math.exp(deviation * math.sqrt(step / DAY) * draw.gauss(0, 1))
        trades.append((time, price))
    return trades


def naive(trades: Trades) -> float:
    """Return the volatility from trade to trade, in pips."""
    prices = [price for _, price in trades]
    squares = [math.log(b / a) ** 2 for a, b in itertools.pairwise(prices)]
    return PIPS * math.sqrt(sum(squares) * DAY / (trades[-1][0] - trades[0][0]))


def mean(values: list[int]) -> float:
    """Return the mean square, rooted."""
    return math.sqrt(sum(value * value for value in values) / len(values))


def test_it_finds_the_volatility_of_a_walk() -> None:
    """Over twenty walks of 5 % a day the forecasts are 5 % on average, none off by half."""
    found = [forecast(walk(0.05, seed=seed), END) for seed in range(20)]
    assert mean([one.pips for one in found]) == pytest.approx(FIVE, rel=0.08)
    assert all(FIVE / 2 < one.pips < 2 * FIVE for one in found)
    assert all((one.hours, one.enough) == (24, True) for one in found)


def test_bounce_does_not_count() -> None:
    """Trades 30 bp above and below the price triple the naive figure but not the forecast."""
    draw = random.Random(7)  # noqa: S311 - a market, not a key
    found, bounced = [], []
    for seed in range(10):
        trades = [
            (t, price * (1 + draw.choice((-3e-3, 3e-3)))) for t, price in walk(0.05, seed=seed)
        ]
        bounced.append(naive(trades))
        found.append(forecast(trades, END).pips)
    assert min(bounced) > 3 * FIVE
    assert mean(found) == pytest.approx(FIVE, rel=0.15)


def test_a_round_trip_is_not_seen() -> None:
    """A price pushed up by a tenth and back within ten minutes leaves no trace, then or later."""
    calm = [(time, 100.0) for time in range(0, END, 60)]
    for start in range(20 * HOUR, 20 * HOUR + BAR, 60):
        pushed = [(t, 110.0 if start <= t < start + 2 * BAR else price) for t, price in calm]
        assert naive(pushed) > 2 * FIVE
        for now in range(20 * HOUR, 23 * HOUR, BAR):
            assert forecast(pushed, now).pips == 0


def test_a_round_trip_hardly_moves_a_volatile_pool() -> None:
    """Among real moves the same push changes no forecast by more than a tenth."""
    for seed in range(10):
        trades, start = walk(0.05, seed=seed), 25 * HOUR + 100
        pushed = [(t, 1.1 * p if start <= t < start + 2 * BAR else p) for t, p in trades]
        changed = forecast(pushed, END).pips / forecast(trades, END).pips
        assert changed == pytest.approx(1, abs=0.1)


def test_recent_hours_weigh_more() -> None:
    """A storm in the last six hours counts for more than the same storm a day ago."""
    wild, calm = walk(0.1, 6), walk(0.01, 20)
    first = [*wild, *((t + 6 * HOUR, p * wild[-1][1] / 100) for t, p in calm)]
    last = [*calm, *((t + 20 * HOUR, p * calm[-1][1] / 100) for t, p in wild)]
    assert forecast(last, END).pips > 1.5 * forecast(first, END).pips


def test_what_comes_later_is_not_seen() -> None:
    """The forecast at a time is the same whether or not later trades and fees are given."""
    trades, fees = walk(0.05, 30), [(0, 3_000), (END + 60, 20_000)]
    known = [trade for trade in trades if trade[0] <= END]
    assert forecast(trades, END, fees) == forecast(known, END, fees[:1])


def test_a_short_history_is_not_enough() -> None:
    """Six hours are needed beside the hour and a third that the first returns look back on."""
    trades = walk(0.05, 25)
    assert forecast([], 0) == Volatility(0, 0, 0)
    for hours in (1, 3, 7):
        assert not forecast(trades, hours * HOUR).enough
    assert forecast(trades, 7 * HOUR + 3 * BAR).enough


def test_a_silent_pool_is_calm() -> None:
    """Without trades the price stands still: a forecast of zero, and the count says why."""
    assert forecast([(0, 100.0)], 48 * HOUR) == Volatility(0, 24, 0)


def test_a_move_over_a_gap_counts_once() -> None:
    """A price found 5 % higher after twelve silent hours is one move, whenever in its hour."""
    moves = []
    for minute in (7, 31, 58):
        trades = [(0, 100.0), (12 * HOUR + 60 * minute, 105.0)]
        moves.append(forecast(trades, END).pips)
    assert max(moves) < 1.1 * min(moves)
    # 5 % in one hour is 5 % * sqrt(24) a day; the hour is twelve hours old and weighs a fortieth.
    assert 50_000 * math.sqrt(24 / 45) < min(moves) < 50_000 * math.sqrt(24 / 30)


def test_the_lateness_of_a_wide_band_is_undone() -> None:
    """In a pool of 200 bp a walk of 5 % looks like 3 %; told the fee, forecasts are near 5 %."""
    blind, told = [], []
    for seed in range(20):
        price, trades = 100.0, []
        for time, market in walk(0.05, seed=seed):
            price = min(max(price, market * 0.98), market / 0.98)
            trades.append((time, price))
        blind.append(forecast(trades, END).pips)
        told.append(forecast(trades, END, [(0, 20_000)]).pips)
    assert mean(blind) < 0.65 * FIVE
    assert mean(told) == pytest.approx(FIVE, rel=0.2)


def test_the_scale_of_prices_does_not_matter() -> None:
    """Prices in another unit give the same forecast to the last digit."""
    trades = walk(0.05)
    scaled = [(time, price / 1024) for time, price in trades]
    assert forecast(scaled, END) == forecast(trades, END)


def test_a_forecast_is_json() -> None:
    """All its fields are whole numbers."""
    found = forecast(walk(0.05), END)
    assert Volatility(**json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize(
    ("trades", "fees"),
    [
        ([(0, 0.0)], []),
        ([(0, math.inf)], []),
        ([(0, math.nan)], []),
        ([(5, 1.0), (4, 1.0)], []),
        ([(0, 1.0)], [(0, -1)]),
        ([(0, 1.0)], [(0, PIPS + 1)]),
        ([(0, 1.0)], [(9, 5), (8, 5)]),
    ],
)
def test_records_that_cannot_be_are_refused(trades: Trades, fees: list[tuple[int, int]]) -> None:
    """A price that is not positive, a fee beyond one, or times that go back."""
    with pytest.raises(InputError):
        forecast(trades, 10, fees)
