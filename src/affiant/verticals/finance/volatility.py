"""How much a pool's price will move in the next hours, from the pool's own trades.

A pool's price is not the market's: it stands still inside the fee band, overshoots when somebody
trades without need, and jumps when an arbitrageur takes it to the band's edge. Squared returns
from trade to trade measure that bounce. Over long lags the bounce stays as large as the band while
the market's variance grows, so the difference of two lags is free of it: the two-scales estimator
in its (J, K) form, which allows for bounce that lasts (Ait-Sahalia, Mykland and Zhang, 2011,
after their "Tale of Two Time Scales", 2005). Lags overlap (subsampling), for a smaller error.

The difference also forgets a round trip: a price pushed away and brought back within the short lag
adds the same to both lags. What a manipulator would have to hold up longer, arbitrage makes dear.

Hours are averaged with weights that halve every six: volatility clusters. Nothing traded means
that the price did not leave the band; it counts as no movement, and the count of trades is told.

Only + - * / and the square root are used, which IEEE 754 rounds in one way, and `math.fsum`; so the
same trades give the same forecast on every machine, as a replay needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.errors import InputError

#: A price is taken every five minutes, on the clock: that of the last trade until then.
BAR = 300
BARS_PER_HOUR = 12
BARS_PER_DAY = 288
#: The two lags, in bars: a quarter of an hour and an hour.
SHORT, LONG = 3, 12
#: Hours that are looked at, and the weight of an hour beside the one after it: 0.89^6 is a half.
HOURS = 24
DECAY = 0.89
#: With fewer hours known there is no forecast to act on.
LEAST_HOURS = 6
PIPS = 1_000_000


@dataclass(frozen=True)
class Volatility:
    """A forecast: the standard deviation of the price's move in a day, in pips (millionths)."""

    pips: int
    hours: int
    """Hours it rests on, 24 at most."""
    trades: int
    """Trades in those hours."""

    @property
    def enough(self) -> bool:
        """Whether it rests on enough hours to act on."""
        return self.hours >= LEAST_HOURS


def forecast(trades: Sequence[tuple[int, float]], now: int) -> Volatility:
    """Forecast from trades as (seconds, the pool's price after it), oldest first.

    `now` is in the same seconds; later trades are not looked at. Give 25 hours of trades, and the
    last trade before them. Raises: InputError if a price is not positive or times go back.
    """
    end = now // BAR * BAR
    prices = _bars(_checked(trades), end)
    hours = min(max((len(prices) - LONG) // BARS_PER_HOUR, 0), HOURS)
    weight, weights, sums = 1.0, [], []
    for hour in range(hours):
        newest = len(prices) - hour * BARS_PER_HOUR
        slow, fast = (_squares(prices, newest, lag) for lag in (LONG, SHORT))
        sums.append(weight * (slow - fast))
        weights.append(weight)
        weight *= DECAY
    first = end - hours * BARS_PER_HOUR * BAR
    count = sum(first < time <= end for time, _ in trades)
    if not hours:
        return Volatility(0, 0, count)
    # Both sums have twelve terms an hour; their difference is the variance of LONG - SHORT bars.
    scale = BARS_PER_DAY / (BARS_PER_HOUR * (LONG - SHORT))
    variance = scale * math.fsum(sums) / math.fsum(weights)
    return Volatility(round(PIPS * math.sqrt(max(variance, 0.0))), hours, count)


def _checked(trades: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """Return the trades, or raise the InputError that names the first wrong one."""
    last = None
    for place, (time, price) in enumerate(trades):
        if not 0 < price < math.inf:
            raise InputError(f"price {price} of trade {place} is not positive", "Check the feed")
        if last is not None and time < last:
            raise InputError(f"trade {place} at {time} is before {last}", "Sort trades by time")
        last = time
    return trades


def _bars(trades: Sequence[tuple[int, float]], end: int) -> list[float]:
    """Return the prices at the ends of the bars that are known, the last one at `end`."""
    wanted = HOURS * BARS_PER_HOUR + LONG
    bars: list[float] = []
    place = 0
    for back in range(wanted - 1, -1, -1):
        while place < len(trades) and trades[place][0] <= end - back * BAR:
            place += 1
        if place:
            bars.append(trades[place - 1][1])
    return bars


def _squares(prices: Sequence[float], newest: int, lag: int) -> float:
    """Return the sum of squared returns over `lag` bars that end in the hour before `newest`.

    A return is the difference over the mean of both prices: the logarithm's up to its third power.
    """
    returns = (
        2 * (prices[place] - prices[place - lag]) / (prices[place] + prices[place - lag])
        for place in range(newest - BARS_PER_HOUR, newest)
    )
    return math.fsum(one * one for one in returns)
